"""Numba kernels: the only threads and the only in-place updates of the package."""

import os

from fastw2v.errors import UsageError
from fastw2v.kernels.absent import absent

# Numba imports these where they are installed: coverage, to mark what it compiles, where nobody measures it;
# yaml, to read a file of settings, where there is none; scipy, to see its version. Coverage that does measure
# is loaded already.
FILE_OF_SETTINGS = ".numba_config.yaml"
IDLE = ("coverage", "scipy", *(() if os.path.exists(FILE_OF_SETTINGS) else ("yaml",)))  # noqa: PTH110

try:
    with absent(*IDLE):
        from numba import config
except ValueError as error:  # NUMBA_NUM_THREADS=0, and the like
    named = ", ".join(sorted(name for name in os.environ if name.startswith("NUMBA_")))
    raise UsageError(f"Numba refuses a variable of the environment ({named}; unset it): {error}") from error

for feature in filter(None, (config.CPU_FEATURES or "").split(",")):
    if feature[0] not in "+-":  # LLVM would end the process
        raise UsageError(f"NUMBA_CPU_FEATURES holds {feature!r}: + or - goes before a feature; unset it")
