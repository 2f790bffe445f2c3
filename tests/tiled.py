"""What tests of tiles share: sizes, processors, small matrices, and functions compiled once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fastw2v.kernels.tiles import registers
from tests.assembly import ARM, X86

LINES = [1, 2, 3, 4, 5, 7, 20]  # of a row: every remainder of four, which the row operations take at a time
PLACE = registers.FLOAT.as_pointer()
# (triple, processor, floats of a register, whether tiles are those of 32 registers of 512 bits)
PROCESSORS = [
    (X86, "znver4", 16, True),
    (X86, "znver5", 16, True),
    (X86, "znver3", 8, False),
    (X86, "haswell", 8, False),
    (ARM, "neoverse-n1", 4, False),
    (ARM, "neoverse-v1", 4, False),
]


def random(*shape: int) -> NDArray[Any]:
    """Small float32 numbers, the same in every run."""
    return (np.random.default_rng(sum(shape)).random(shape) - 0.5).astype(np.float32)


def close(actual: NDArray[Any], expected: Any) -> None:
    """To the rounding of float32 sums of up to a few hundred products."""
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-6)


COMPILED: dict[Any, Any] = {}


def jitted(function: Any) -> Any:
    """Compiled once for each place in a file."""
    return COMPILED.setdefault(function.__code__, njit(function))
