"""Vectors of the sequences of a corpus, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastw2v.config import ReadConfig
from fastw2v.corpus.rows import open_rows
from fastw2v.errors import CorpusError
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.sequences import Means, Sums, means, sums, weights_of


class SequenceVectors:
    """Means of the vectors of the words of each sequence, read as they are asked for, once.

    key        the column that they are called by, if any
    n_rows     sequences so far, and of them
    n_vectors  those with a vector
    n_words    words so far, and of them
    n_known    those with a vector
    """

    def __init__(
        self,
        embeddings: Embeddings,
        source: Any,
        config: ReadConfig,
        weighting: str,
        id_column: str | None,
    ) -> None:
        """Raises UsageError and CorpusError as reading does, UsageError for a weighting without counts."""
        self.n_rows = self.n_vectors = self.n_words = self.n_known = 0
        self._weights = weights_of(embeddings, weighting)
        self._embeddings = embeddings
        self._opened = open_rows(source, embeddings.words, config, id_column)
        self.key = self._opened.key

    def read(self, on_progress: Callable[[int], None] | None = None) -> Iterator[Means]:
        """The vectors, in order.

        on_progress   called with n_rows

        Raises CorpusError where no word at all has a vector.
        """
        for part in means(self._sums(on_progress)):
            self.n_vectors += len(part.numbers)
            yield part
        if not self.n_known:
            raise CorpusError(
                f"{self._opened.name}: none of its {self.n_words:,} words has a vector; read it with the "
                "options that the vectors were trained with, such as --lowercase or --kmers"
            )

    def _sums(self, on_progress: Callable[[int], None] | None) -> Iterator[Sums]:
        for rows in self._opened.rows:
            totals, known = sums(self._embeddings.center_vectors, self._weights, rows.ids, rows.offsets)
            self.n_rows += int((~rows.goes_on).sum())
            self.n_words += len(rows.ids)
            self.n_known += int(known.sum())
            yield Sums(rows.keys, rows.goes_on, totals, known)
            if on_progress:
                on_progress(self.n_rows)

    def told(self) -> str:
        """A line on what there was."""
        return (
            f"{self.n_vectors:,} vectors of {self.n_rows:,} sequences, by {self.n_known:,} of "
            f"{self.n_words:,} words; {self.n_rows - self.n_vectors:,} sequences without a known word "
            "are left out"
        )
