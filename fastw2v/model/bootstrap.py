"""Weights of sentences for a bootstrap: Poisson(1), each a function of (seed, sample, sentence).

A corpus of n sentences drawn anew with replacement holds each Binomial(n, 1/n) times; independent Poisson(1)
weights differ from that by the total alone, and need to know neither n nor each other (Hanley and MacGibbon
2006; Chamandy et al. 2012).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.streams import GAMMA, sample_key

LIMITS = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(19)])  # P(weight ≤ k); 1 from k = 18 on


def poisson_weights(seed: int, sample: int, first: int, n: int) -> NDArray[np.float32]:
    """The weights of sentences first ≤ s < first + n in a sample, float32 (n,): whole numbers, of mean 1."""
    bits = np.arange(first, first + n, dtype=np.uint64) * np.uint64(GAMMA) + np.uint64(
        sample_key(seed, sample)
    )
    uniform = (mix64(bits) >> np.uint64(11)) * 2.0**-53
    return np.searchsorted(LIMITS, uniform, side="right").astype(np.float32)


def mix64(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of splitmix64, as `streams.mix64`, of many numbers."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
