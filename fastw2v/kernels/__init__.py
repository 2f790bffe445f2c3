"""Numba kernels: the only threads and the only in-place updates of the package."""
