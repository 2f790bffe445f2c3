"""Which row of a source each sentence is: rows that are null, or whose words are left out, make none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.layouts import Piece


class RowNumbers:
    """Notes, while a corpus is read, which rows are null, and the keys of groups.

    n_rows   that were seen
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._nulls: list[NDArray[np.int64]] = []
        self._keys: list[pa.Array] = []

    def seen(self, pieces: Iterator[Piece], column: Column) -> Iterator[Piece]:
        """The pieces as they are."""
        import pyarrow.compute as pc

        for piece in pieces:
            is_null = np.asarray(pc.is_null(piece.rows.column(column.name)))
            self._nulls.append(self.n_rows + np.flatnonzero(is_null))
            self.n_rows += len(is_null)
            if piece.keys is not None:
                self._keys.append(piece.keys)
            yield piece

    def of_sentences(self, has_ids: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The row of each sentence, int64 (n_sentences,), from 0.

        has_ids   of each row that is not null, whether any of its words is kept
        """
        rows = np.delete(np.arange(self.n_rows), np.concatenate([np.empty(0, np.int64), *self._nulls]))
        return rows[has_ids]

    @property
    def keys(self) -> pa.Array | None:
        """Of rows that are groups the value of their --group-by column, (n_rows,)."""
        return pa.concat_arrays(self._keys) if self._keys else None
