"""The machine without AVX-512: the same command again, compiled for vectors of 256 bits."""

from __future__ import annotations

import os
import sys

FEATURES = "NUMBA_CPU_FEATURES"


def features_without_avx512(has: dict[str, bool]) -> str:
    """What to set NUMBA_CPU_FEATURES to: all that the processor has, but for AVX-512."""
    return ",".join(
        f"{'+' if there and not name.startswith('avx512') else '-'}{name}" for name, there in has.items()
    )


def go_on_without_avx512() -> None:
    """Begin this process anew, unless it is so: Numba takes its features from the environment, once."""
    from llvmlite import binding

    features = features_without_avx512(dict(binding.get_host_cpu_features()))
    if os.environ.get(FEATURES) != features:
        os.environ[FEATURES] = features
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])
