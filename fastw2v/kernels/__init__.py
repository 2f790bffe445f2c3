"""Numba kernels: the only threads and the only in-place updates of the package."""

import os

from fastw2v.errors import UsageError

try:
    from numba import config
except ValueError as error:  # NUMBA_NUM_THREADS=0, and the like
    named = ", ".join(sorted(name for name in os.environ if name.startswith("NUMBA_")))
    raise UsageError(f"Numba refuses a variable of the environment ({named}; unset it): {error}") from error

for feature in filter(None, (config.CPU_FEATURES or "").split(",")):
    if feature[0] not in "+-":  # LLVM would end the process
        raise UsageError(f"NUMBA_CPU_FEATURES holds {feature!r}: + or - goes before a feature; unset it")
