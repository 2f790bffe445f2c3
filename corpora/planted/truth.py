"""Which words and pairs are asked, and how alike they truly are; the same for text and items."""

from __future__ import annotations

import numpy as np

from corpora.planted.draws import shuffled
from corpora.planted.plan import Floats, Integers, Pair

N_CANDIDATES = 600
FREQUENT = 100  # expected occurrences of a word whose similarities are asked
N_PAIRS, N_BINS = 500, 10


def cosines(rows: Floats) -> Floats:
    """Cosine of every two rows; float64 (n_rows, n_rows)."""
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    similarity: Floats = unit @ unit.T
    return similarity


def candidates(frequencies: Floats, first: int, n_tokens: int, rng: np.random.Generator) -> Integers:
    """Ranks, from `first` on, of at most N_CANDIDATES words frequent enough to be learnt; ascending."""
    n = candidate_stop(frequencies, first, n_tokens) - first
    return np.sort(first + shuffled(n, rng)[:N_CANDIDATES])


def candidate_stop(frequencies: Floats, first: int, n_tokens: int) -> int:
    """The first rank that is too rare; at least FREQUENT ranks are not, if there are as many."""
    n_frequent = int((frequencies * n_tokens >= FREQUENT).sum())
    return min(max(n_frequent, first + FREQUENT), len(frequencies))


def balanced_pairs(similarity: Floats, rng: np.random.Generator) -> Integers:
    """N_PAIRS pairs (i, j), i < j, spread evenly over the range of similarities; int64 (n_pairs, 2).

    The range is cut in N_BINS; each that is not empty gives the same number, what lacks is drawn from all.
    """
    first, second = np.triu_indices(len(similarity), k=1)
    order = shuffled(len(first), rng)
    first, second = first[order], second[order]
    values = similarity[first, second]
    edges = np.linspace(values.min(), values.max(), N_BINS + 1)[1:-1]
    bins = np.digitize(values, edges)
    chosen = np.zeros(len(values), dtype=bool)
    for i in np.unique(bins):
        chosen[np.flatnonzero(bins == i)[: N_PAIRS // len(np.unique(bins))]] = True
    chosen[np.flatnonzero(~chosen)[: N_PAIRS - int(chosen.sum())]] = True
    return np.stack([first[chosen], second[chosen]], axis=1)


def named_pairs(words: list[str], ranks: Integers, similarity: Floats, pairs: Integers) -> list[Pair]:
    """Pairs of rows of a similarity matrix as words; rows stand for `ranks`."""
    return [Pair(words[ranks[i]], words[ranks[j]], float(similarity[i, j])) for i, j in pairs]
