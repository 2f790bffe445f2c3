"""Vectors of words from those of their n-grams, which give one to a word that was never seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.ngrams import Rows, Spans, bags_of_words, buckets_of

ROWS_AT_ONCE = 16_384  # gathered to take means of: 20 MB of dim 300


class InputRows(NamedTuple):
    """What words are the mean of.

    spans  Spans of the n-grams
    rows   float32 (n_words + spans.n_buckets, dim), C-contiguous: the own row of each word, then the buckets
    """

    spans: Spans
    rows: NDArray[np.float32]

    def seen(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of all words of the vocabulary, float32 (n_words, dim)."""
        return mean_rows(self.rows, bags_of_words(words, self.spans))

    def unseen(self, word: str) -> NDArray[np.float32] | None:
        """The mean of the rows of a word's n-grams, float32 (dim,); None for a word that has none."""
        buckets, _ = buckets_of([word], self.spans)
        n_words = len(self.rows) - self.spans.n_buckets
        vector: NDArray[np.float32] = self.rows[n_words + buckets].sum(axis=0) / np.float32(len(buckets) or 1)
        return vector if len(buckets) else None

    def of_ngrams(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """`unseen` of those of several words that have n-grams, float32 (n_found, dim), and which."""
        buckets, counts = buckets_of(words, self.spans)
        bags = Rows(np.append(0, np.cumsum(counts[counts > 0])), buckets.astype(np.int32))
        return mean_rows(self.rows[len(self.rows) - self.spans.n_buckets :], bags), counts > 0


def mean_rows(matrix: NDArray[np.float32], bags: Rows) -> NDArray[np.float32]:
    """The mean of the rows of each bag, none of which is empty, float32 (n_bags, dim); in parts."""
    offsets, rows = bags
    means = np.empty((len(offsets) - 1, matrix.shape[1]), np.float32)
    first = 0
    while first < len(means):
        end = max(first + 1, int(np.searchsorted(offsets, offsets[first] + ROWS_AT_ONCE, "right")) - 1)
        start, stop = offsets[first], offsets[end]
        gathered, counts = matrix[rows[start:stop]], np.diff(offsets[first : end + 1])
        sums = np.add.reduceat(gathered, offsets[first:end] - start, axis=0)
        np.divide(sums, counts[:, np.newaxis], out=means[first:end], casting="same_kind")
        first = end
    return means
