"""The arrays that travel together between the training loop, the kernels and the reference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Tokens a worker takes at a time. 4096 are 3-80 ms of work: short enough that no worker waits long at the
# end of a call, long enough that finding the first sentence and the context on either side costs under 1 %.
UNIT = 4096
FLOATS_PER_LINE = 16  # a cache line of float32, and one 512-bit register


class Vectors(NamedTuple):
    """The two matrices, float32 (n_words, padded_dim), V and U of CS224n, padded with zeros on the right."""

    center: NDArray[Any]
    outside: NDArray[Any]


class Tokens(NamedTuple):
    """The encoded corpus: sentence s is ids[offsets[s]:offsets[s+1]]; int32 and int64 (Arrow list layout)."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]


class Totals(NamedTuple):
    """What training some units came to: loss summed over pairs (float64), pairs, kept words."""

    loss: float
    n_pairs: int
    n_kept: int

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        return Totals(self.loss + other.loss, self.n_pairs + other.n_pairs, self.n_kept + other.n_kept)


def padded(dim: int) -> int:
    """Row length in training: dim rounded up to whole cache lines (300 unpadded runs at half the speed)."""
    return -(-dim // FLOATS_PER_LINE) * FLOATS_PER_LINE


def n_units(n_tokens: int) -> int:
    """Units of work in an epoch."""
    return -(-n_tokens // UNIT)
