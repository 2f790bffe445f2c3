"""Weights of sentences: read beside the rows, in the counts of words, and of each sentence in the end.

A column of numbers, one a row. They stay in memory, four bytes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.layouts import Piece, arrow_errors
from fastw2v.corpus.ids.segments import ROW_END, Segment
from fastw2v.errors import CorpusError

Floats = NDArray[np.float32]
# Provisional ids of a segment, and the entries or final ids that they mean.
Load = Callable[[Segment], tuple[NDArray[np.int32], NDArray[np.int32]]]
# The sum of an array over the processes that read the corpus together.
Add = Callable[[NDArray[np.float64]], NDArray[np.float64]]
FAR_FROM_ONE = 4.0  # beyond, a mean weight is told to make another step size
MOST_COUNT = 2.0**53  # whole numbers are exact in float64 up to it


class WeightSums(NamedTuple):
    """What a line says of the weights of some sentences: how many of them are 0, too."""

    n: int
    total: float
    lowest: float
    highest: float
    n_out: int


def sums_of(weights: Floats) -> WeightSums:
    """Of these weights; of none the lowest is infinite."""
    extremes = float(weights.min(initial=np.inf)), float(weights.max(initial=0))
    n_out = int(np.count_nonzero(weights == 0))
    return WeightSums(len(weights), float(weights.sum(dtype=np.float64)), *extremes, n_out)


def note_of(parts: Sequence[WeightSums]) -> str:
    """A line on the weights of sentences, and what to divide them by where their mean is far from 1."""
    mean = sum(part.total for part in parts) / max(sum(part.n for part in parts), 1)
    n_out = sum(part.n_out for part in parts)
    lowest, highest = min(part.lowest for part in parts), max(part.highest for part in parts)
    line = f"weights of sentences from {lowest:g} to {highest:g}, {mean:.3g} in the mean"
    line += f"; {n_out:,} of weight 0 are left out" if n_out else ""
    is_far = mean > FAR_FROM_ONE or mean < 1 / FAR_FROM_ONE
    return (
        f"{line}; steps are so many times --lr: divide the weights by {mean:.3g} to keep it"
        if is_far
        else line
    )


def checked_weights(pieces: Iterable[Piece], column: Column, n_rows: int = 0) -> Iterator[Piece]:
    """The pieces as they are. Raises CorpusError for the first weight that is none, naming its row.

    n_rows   of the corpus before them
    """
    for piece in pieces:
        weights = weights_in(piece, column)
        is_bad = ~(np.isfinite(weights) & (weights >= 0))
        if is_bad.any():
            row = int(is_bad.argmax())
            cell = piece.rows.column(column.weight)[row].as_py()
            found = "null" if cell is None else f"{cell:g}"
            raise CorpusError(
                f"{piece.place}: row {n_rows + row:,} of the corpus (from 0) has weight {found}: weights are "
                "finite and 0 or more, and 0 leaves a row out; correct it"
            )
        n_rows += piece.rows.num_rows
        yield piece


def weights_in(piece: Piece, column: Column) -> Floats:
    """The weights of a piece's rows, NaN for null; beyond float32 they are infinite."""
    with arrow_errors(f"{piece.place} is corrupt"), np.errstate(over="ignore"):
        array = piece.rows.column(column.weight).cast(pa.float64(), safe=False)
        return np.asarray(array.to_numpy(zero_copy_only=False)).astype(np.float32)


class RowWeights:
    """The weights of a source's rows, as they are read.

    batches    float32 (n,) for each piece, of its rows that are not null
    sentences  float32 (n_sentences,), of the rows with a word of the vocabulary, once those are known
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self.batches: list[Floats] = []
        self.sentences = np.empty(0, np.float32)

    def taken(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces as they are, of which each is a batch."""
        for piece in pieces:
            weights, text = weights_in(piece, self._column), piece.rows.column(self._column.name)
            self.batches.append(weights[np.asarray(text.is_valid())] if text.null_count else weights)
            yield piece

    def _batch(self, ordinal: int) -> Floats:
        """The weights of a batch of rows, or of their targets, which comes after it."""
        return self.batches[ordinal // 2 if self._column.target else ordinal]

    def counts(
        self, counts: NDArray[np.int64], segments: Sequence[Segment], load: Load, add: Add
    ) -> NDArray[np.int64]:
        """The counts of words, each occurrence times the weight of its row: summed in float64, rounded once.

        The sums are exact in any order while counts are below 2^29 times the smallest weight.

        counts   int64 (n_words,), of occurrences, and of other texts, in all processes
        load     gives of a segment also int32 (n,): provisional id to word, or -1

        Raises CorpusError where they are too large to be counted.
        """
        beyond = np.zeros(len(counts))
        for segment, rows, words in in_order(segments, load):
            more = self._batch(segment.ordinal).astype(np.float64)[rows] - 1
            chosen = (words >= 0) & (more != 0)
            np.add.at(beyond, words[chosen], more[chosen])
        totals = counts + add(beyond)
        if totals.max(initial=0) > MOST_COUNT:
            raise CorpusError(
                f"a word counts {totals.max():g} times by the weights of its rows: divide all weights by one "
                "number, so that their mean is near 1"
            )
        return np.rint(totals).clip(0).astype(np.int64)

    def keep_sentences(self, segments: Sequence[Segment], load: Load) -> None:
        """Keep the weights of rows with a word of the vocabulary, in order; those of batches are gone then.

        load   gives of a segment also int32 (n,): provisional id to id, or -1
        """
        parts = [self._batch(ordinal)[found] for ordinal, found in rows_of_sentences(segments, load)]
        self.sentences = np.concatenate([np.empty(0, np.float32), *parts])
        self.batches.clear()


def in_order(
    segments: Iterable[Segment], load: Load
) -> Iterator[tuple[Segment, NDArray[np.int64], NDArray[np.int32]]]:
    """Segments in the order of the corpus, with the row in its batch of each token, and its word."""
    ordinal, n_ended = -1, 0
    for segment in sorted(segments, key=lambda segment: segment.ordinal):
        n_ended = n_ended if segment.ordinal == ordinal else 0
        ordinal = segment.ordinal
        provisional, mapping = load(segment)
        is_end = provisional == ROW_END
        rows = n_ended + np.cumsum(is_end)[~is_end]
        n_ended += int(is_end.sum())
        yield segment, rows, mapping[provisional[~is_end]]


def rows_of_sentences(segments: Iterable[Segment], load: Load) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Of each segment its batch, and the rows of it that have a word and were not there before."""
    last = (-1, -1)  # batch and row of the last sentence
    for segment, rows, words in in_order(segments, load):
        found = np.unique(rows[words >= 0])
        if len(found) and (segment.ordinal, found[0]) == last:
            found = found[1:]
        if len(found):
            last = segment.ordinal, int(found[-1])
            yield segment.ordinal, found
