"""What a pair of words is worth as a phrase, by the counts of both words and of the pair.

    word2phrase  (count(ab) − min_count) / (count(a) · count(b)) · tokens of the text
    gensim       the same times the entries of gensim's table, its words and pairs, instead of the tokens
    npmi         ln(P(ab) / (P(a) P(b))) / −ln P(ab), of frequent pairs; from −1 to 1 (Bouma 2009)

The first is of Mikolov et al. 2013 (arXiv 1310.4546), equation 6, times the size of the corpus, as
word2phrase.c has it; the second what gensim's Phrases calls `default`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Totals(NamedTuple):
    """What scores need beside the counts of a pair.

    n_tokens   of the text, connector words too
    n_entries  distinct words that are no connectors, and distinct pairs
    """

    n_tokens: int
    n_entries: int


Counts = NDArray[np.int64]


def scores_of(
    scoring: str, ab: Counts, a: Counts, b: Counts, min_count: int, totals: Totals
) -> NDArray[np.float64]:
    """float64 (n,) of pairs that occur; ab, a and b are the counts of pairs, first words, second words.

    A pair of too low a count has −inf by npmi, and none above 0 by the others.
    """
    if scoring == "npmi":
        return npmi(ab, a, b, min_count, totals.n_tokens)
    size = totals.n_tokens if scoring == "word2phrase" else totals.n_entries
    return discounted(ab, a, b, min_count, size)


def discounted(ab: Counts, a: Counts, b: Counts, min_count: int, size: int) -> NDArray[np.float64]:
    """(count(ab) − min_count) / (count(a) · count(b)) · size."""
    return (ab - min_count) / (a.astype(np.float64) * b) * size


def npmi(ab: Counts, a: Counts, b: Counts, min_count: int, n_tokens: int) -> NDArray[np.float64]:
    """Normalised pointwise mutual information; −inf where count(ab) is below min_count."""
    p_ab, p_a, p_b = ab / n_tokens, a / n_tokens, b / n_tokens
    scores = np.log(p_ab / (p_a * p_b)) / -np.log(p_ab)
    return np.where(ab >= min_count, np.clip(scores, -1, 1), -np.inf)  # 1 + 2e-16 by rounding


def least_count(scoring: str, min_count: int) -> int:
    """The least count of a pair, and so of both its words, with which it can be a phrase."""
    return min_count if scoring == "npmi" else min_count + 1
