"""Targets of sentences: a word of each row, from a column beside, that all its words are trained to predict.

They are read as words are: after each batch of rows comes one of their targets, a word a row, so that they
are counted, spelt and numbered with all others. An even batch is of rows, and the odd one after it of their
targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.layouts import Batch, Piece, arrow_errors, as_batches, as_strings
from fastw2v.corpus.ids.segments import Segment
from fastw2v.corpus.ids.storage import in_parts
from fastw2v.corpus.weights import Load, in_order, rows_of_sentences
from fastw2v.corpus.words.strings import Lists, read_only

Ids = NDArray[np.int32]
NO_BYTES = read_only(np.empty(0, np.uint8))


class RowTargets:
    """The targets of a source's rows, as they are read.

    n_rows, n_targets   batches of targets have so many rows and words
    sentences           int32 (n_sentences,), ids of the targets of rows with a word of the vocabulary, −1 for
                        none, once those are known
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._sizes: list[int] = []
        self.n_targets = 0
        self.sentences: Ids = np.empty(0, np.int32)

    @property
    def n_rows(self) -> int:
        """Of all batches of targets."""
        return sum(self._sizes)

    def batches(self, pieces: Iterable[Piece]) -> Iterator[Batch]:
        """Of each piece the rows, and then the targets of those that are not null."""
        for piece in pieces:
            yield from as_batches([piece], self._column)
            with arrow_errors(f"{piece.place} is corrupt"):
                batch = self._targets_in(piece)
            yield batch

    def _targets_in(self, piece: Piece) -> Lists:
        text, targets = piece.rows.column(self._column.name), piece.rows.column(self._column.target)
        if pa.types.is_null(targets.type):
            targets = targets.cast(pa.large_string())
        if text.null_count:
            targets = targets.filter(text.is_valid())
        offsets = np.append(0, np.cumsum(np.asarray(targets.is_valid()), dtype=np.int64))
        self._sizes.append(len(targets))
        self.n_targets += int(offsets[-1])
        return Lists(read_only(offsets), NO_BYTES, 0, as_strings(targets.drop_null()))

    def keep_sentences(self, segments: Sequence[Segment], load: Load) -> None:
        """Keep the targets of rows with a word of the vocabulary, in order.

        segments   of all batches
        load       gives of a segment also int32 (n,): provisional id to id, or -1
        """
        of_rows = [np.full(size, -1, np.int32) for size in self._sizes]
        for segment, rows, words in in_order([s for s in segments if s.ordinal % 2], load):
            of_rows[segment.ordinal // 2][rows] = words
        own = [segment for segment in segments if segment.ordinal % 2 == 0]
        parts = [of_rows[ordinal // 2][found] for ordinal, found in rows_of_sentences(own, load)]
        self.sentences = np.concatenate([np.empty(0, np.int32), *parts])


def of_rows_alone(segments: Iterable[Segment]) -> list[Segment]:
    """The segments without those of targets."""
    return [segment for segment in segments if segment.ordinal % 2 == 0]


def marks_of(targets: Ids, ids: Ids, n_words: int) -> NDArray[np.bool_]:
    """bool (2, n_words): which words are targets of sentences, and which stand in them."""
    marks = np.zeros((2, n_words), np.bool_)
    marks[0, targets[targets >= 0]] = True
    for part in in_parts(ids):
        marks[1, part] = True
    return marks


def note_of_targets(n_there: int, n_sentences: int, marks: NDArray[np.bool_]) -> str:
    """A line on the targets of sentences, and on those among them that no sentence holds as a word."""
    is_target, is_word = marks
    n_apart = int((is_target & ~is_word).sum())
    line = f"global context: {n_there:,} of {n_sentences:,} sentences have one, "
    line += f"{int(is_target.sum()):,} words in all"
    apart = f"{n_apart:,} of them in no sentence: they have outside vectors, and center vectors untrained"
    return f"{line}; {apart}" if n_apart else line
