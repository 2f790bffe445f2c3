"""Which words are kept and which are drawn as noise: formulas on counts, NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TWO_32 = 4294967296.0


def keep_probabilities(counts: NDArray[np.int64], sample: float) -> NDArray[np.float64]:
    """Probability that an occurrence of a word is kept, float64 (n_words,).

    min(1, √(t/f) + t/f) with f the word's share of all occurrences and t = sample: what word2vec.c computes
    (Mikolov et al. 2013, section 2.3, print 1 − √(t/f)). sample = 0 keeps everything.
    """
    if sample == 0:
        return np.ones(len(counts))
    with np.errstate(divide="ignore", over="ignore"):
        ratio = sample / (counts / counts.sum())
    kept: NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return kept


def noise_probabilities(counts: NDArray[np.int64], ns_exponent: float = 0.75) -> NDArray[np.float64]:
    """P(w) ∝ count(w)^ns_exponent, float64 (n_words,): the noise distribution of Mikolov et al. 2013.

    Any real exponent (negative ones favour rare words); computed by logarithms, so none overflows.
    Words of count 0 (possible in a vocabulary read from a file) have probability 0.
    """
    present = counts > 0
    logs = ns_exponent * np.log(counts[present])
    weights = np.zeros(len(counts))
    weights[present] = np.exp(logs - logs.max())
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def as_limits(probabilities: NDArray[np.float64]) -> NDArray[np.uint32]:
    """uint32 limits with P(random uint32 <= limit) = probability to 2**-32; 1 is exact, 0 becomes 2**-32."""
    limits: NDArray[np.float64] = np.clip(np.rint(probabilities * TWO_32) - 1, 0, TWO_32 - 1)
    return limits.astype(np.uint32)


def unigram_table(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Alias table of a distribution, uint64 (n_words,): (limit << 32) | alias, one word a slot.

    A draw picks a slot uniformly, then the slot's own word if 32 random bits are at most its limit, else its
    alias (Walker 1977). word2vec.c's table of 10^8 slots is 400 MB and rounds; this is 8 bytes a word, so
    80,000 words stay in the second-level cache, and exact to 2**-32.

    Slots under 1/n ("small") are filled by those over it ("large") in one sweep: small slot i takes from the
    large slot whose running surplus covers the running deficit before i; a large slot that a small one
    overdraws is topped up by the next large one.
    """
    n_words = len(probabilities)
    share = probabilities * n_words
    small, large = np.flatnonzero(share < 1), np.flatnonzero(share >= 1)
    keep, alias = share.copy(), np.arange(n_words)
    if len(small) and len(large):
        deficit, surplus = np.cumsum(1 - share[small]), np.cumsum(share[large] - 1)
        deficit_before = deficit - (1 - share[small])
        last = len(large) - 1
        alias[small] = large[np.minimum(np.searchsorted(surplus, deficit_before, "right"), last)]
        n_served = np.searchsorted(deficit_before, surplus, "left")
        overdrawn = np.where(n_served > 0, deficit[n_served - 1] - surplus, 0.0)
        keep[large] = 1 - np.clip(overdrawn, 0, 1)
        keep[large[last]] = 1
        alias[large[:-1]] = large[1:]
    return (as_limits(np.minimum(keep, 1)).astype(np.uint64) << np.uint64(32)) | alias.astype(np.uint64)


def table_probabilities(table: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The distribution that an alias table draws from, float64 (n_words,): the inverse of `unigram_table`."""
    n_words = len(table)
    keep = ((table >> np.uint64(32)).astype(np.float64) + 1) / TWO_32
    drawn = keep.copy()
    np.add.at(drawn, (table & np.uint64(0xFFFFFFFF)).astype(np.int64), 1 - keep)
    return drawn / n_words
