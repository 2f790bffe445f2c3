"""Numba kernels: the only threads and the only in-place updates of the package."""

import os

from fastw2v.errors import UsageError

try:
    import numba  # noqa: F401
except ValueError as error:  # NUMBA_NUM_THREADS=0, and the like
    named = ", ".join(sorted(name for name in os.environ if name.startswith("NUMBA_")))
    raise UsageError(f"Numba refuses a variable of the environment ({named}; unset it): {error}") from error
