"""Vectors of sequences: the mean of the vectors of their words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options import checks
from fastw2v.vectors.embeddings import Embeddings

Weighting = Literal["mean", "sif"]
SIF_A = 1e-3  # of Arora, Liang and Ma 2017 (A simple but tough-to-beat baseline for sentence embeddings)
CHUNK_NUMBERS = 1 << 20


class Sums(NamedTuple):
    """Rows as sums of weighted vectors, some at a time.

    keys     what the rows are called, an Arrow array (n_rows,) or None
    goes_on  bool (n_rows,), whether a row is a part of the one before
    totals   float64 (n_rows, dim)
    known    int64 (n_rows,), words with a vector
    """

    keys: Any
    goes_on: NDArray[np.bool_]
    totals: NDArray[np.float64]
    known: NDArray[np.int64]


class Means(NamedTuple):
    """Vectors of rows.

    numbers  int64 (n,), of the rows that have a vector
    keys     an Arrow array (n,) of what they are called, or None
    known    int64 (n,), words that made the vector
    matrix   float32 (n, dim)
    """

    numbers: NDArray[np.int64]
    keys: Any
    known: NDArray[np.int64]
    matrix: NDArray[np.float32]

    @classmethod
    def none(cls, dim: int) -> Means:
        """Of no row."""
        return cls(np.empty(0, np.int64), None, np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def words(self) -> list[str]:
        """What the rows are called, as words: their keys, or where there is none their numbers from 0."""
        names = [None] * len(self.numbers) if self.keys is None else self.keys.to_pylist()
        pairs = zip(names, self.numbers.tolist(), strict=True)
        return [str(number) if name is None else str(name) for name, number in pairs]


def weights_of(embeddings: Embeddings, weighting: str) -> NDArray[np.float64]:
    """What a word counts in a mean, float64 (n_words,): 1, or of `sif` a/(a + p), p its share of the corpus.

    Raises UsageError for sif without counts.
    """
    checks.choice("weighting", weighting, ("mean", "sif"))
    if weighting == "mean":
        return np.ones(len(embeddings))
    if embeddings.counts is None or not embeddings.counts.sum():
        raise UsageError(
            "weighting sif goes by the counts of words, which these vectors have not: write them as .parquet "
            "or .npy, or leave weighting out",
            ["weighting"],
        )
    share = embeddings.counts / embeddings.counts.sum()
    weights: NDArray[np.float64] = SIF_A / (SIF_A + share)
    return weights


def sums(
    matrix: NDArray[np.float32],
    weights: NDArray[np.float64],
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sum of each row's weighted vectors, float64 (n_rows, dim), and its known words, int64 (n_rows,).

    ids      int32 (n_tokens,), rows of the matrix, −1 for words without a vector
    offsets  int64 (n_rows + 1,): row r is ids[offsets[r]:offsets[r + 1]]
    """
    is_known = ids >= 0
    ends = np.append(0, np.cumsum(is_known))[offsets]
    ids, known = ids[is_known], np.diff(ends)
    totals = np.zeros((len(known), matrix.shape[1]))
    for row in np.flatnonzero(known > len(matrix)).tolist():  # k-mers are few, and a chromosome long
        counted = np.bincount(ids[ends[row] : ends[row + 1]], minlength=len(matrix))
        totals[row] = (counted * weights) @ matrix
    row_of = np.repeat(np.arange(len(known)), known)
    is_left = np.repeat(known <= len(matrix), known)
    ids, row_of = ids[is_left], row_of[is_left]
    size = max(1, CHUNK_NUMBERS // matrix.shape[1])
    for start in range(0, len(ids), size):
        part, rows = ids[start : start + size], row_of[start : start + size]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        vectors = matrix[part] * weights[part, np.newaxis]
        totals[rows[starts]] += np.add.reduceat(vectors, starts, axis=0)
    return totals, known


def means(parts: Iterable[Sums]) -> Iterator[Means]:
    """The means of rows, whose parts come together again; rows without a known word are left out."""
    first, waiting = 0, None
    for part in parts:
        starts = np.flatnonzero(~part.goes_on)
        n_more = int(starts[0]) if len(starts) else len(part.goes_on)
        if waiting:
            waiting.totals[0] += part.totals[:n_more].sum(axis=0)
            waiting.known[0] += part.known[:n_more].sum()
        if not len(starts):
            continue
        if waiting:
            yield _mean(waiting, first)
            first += 1
        whole = Sums(
            None if part.keys is None else part.keys.take(starts),
            np.zeros(len(starts), np.bool_),
            np.add.reduceat(part.totals, starts, axis=0),
            np.add.reduceat(part.known, starts),
        )
        yield _mean(_sliced(whole, slice(0, -1)), first)
        first += len(starts) - 1
        waiting = _sliced(whole, slice(len(starts) - 1, len(starts)))
    if waiting:
        yield _mean(waiting, first)


def gathered(parts: Iterable[Means], dim: int) -> Embeddings:
    """All of them as Embeddings."""
    every = [Means.none(dim), *parts]
    words = [word for part in every for word in part.words()]
    known = np.concatenate([part.known for part in every])
    return Embeddings(words, np.concatenate([part.matrix for part in every]), counts=known)


def _sliced(rows: Sums, part: slice) -> Sums:
    keys = None if rows.keys is None else rows.keys[part]
    return Sums(keys, rows.goes_on[part], rows.totals[part], rows.known[part])


def _mean(rows: Sums, first: int) -> Means:
    there = np.flatnonzero(rows.known)
    known = rows.known[there]
    matrix = (rows.totals[there] / known[:, np.newaxis]).astype(np.float32)
    return Means(first + there, None if rows.keys is None else rows.keys.take(there), known, matrix)
