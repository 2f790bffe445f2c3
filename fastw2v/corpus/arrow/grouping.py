"""A table of one item a row, the recommender's, to one list of items a group.

The rows of a group may be anywhere, so all rows must be known before the first list is. What stays in memory
is each distinct group and item once, and numbers of a row: its group, its item, its order, its new place.
Measured while they are sorted: 88 bytes a row, of 5 million rows in 500,000 groups that are strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import Column, sortable_type
from fastw2v.corpus.arrow.layouts import Piece, arrow_errors, rows_a_batch

PLACE = "the groups"
ITEM_BYTES = 16  # of a token, about; only for how many groups make a batch
PENDING = 1 << 18  # values that wait to be looked up together, unless the dictionary is larger


class DictionaryEncoder:
    """A column as numbers, added batch by batch: value i is dictionary[codes[i]], in the order first seen."""

    def __init__(self, arrow_type: pa.DataType) -> None:
        self.dictionary = pa.array([], arrow_type)
        self._codes = [np.empty(0, np.int32)]
        self._pending: list[pa.DictionaryArray] = []
        self._n_pending = 0

    def add(self, values: pa.Array) -> None:
        """Values without nulls. Few batches together are looked up, as each look-up hashes the dictionary."""
        self._pending.append(values.dictionary_encode())
        self._n_pending += len(self._pending[-1].dictionary)
        if self._n_pending > max(PENDING, len(self.dictionary)):
            self._look_up()

    def codes(self) -> NDArray[np.int32]:
        """The number of each value that was added, int32 (n_values,); given away."""
        self._look_up()
        codes, self._codes = np.concatenate(self._codes), []
        return codes

    def _look_up(self) -> None:
        known = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), self.dictionary)
        chunks = pa.chunked_array([known, *self._pending]).unify_dictionaries().chunks
        self.dictionary = chunks[-1].dictionary
        self._codes += [np.asarray(chunk.indices) for chunk in chunks]
        self._pending, self._n_pending = [], 0


class Grouping:
    """Sorts the rows of a table into lists.

    n_skipped  rows that were left out, as their item, group or order is null or NaN
    """

    def __init__(self, column: Column) -> None:
        self.n_skipped = 0
        self._column = column

    def lists(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The groups in the order in which they begin, their rows by order_by and, where equal, as read.

        Raises CorpusError for an array that is not what its type says, naming its place.
        """
        encoders: list[DictionaryEncoder] = []
        orders: list[pa.Array] = []
        for piece in pieces:
            group, item, *order = self._whole_rows(piece)
            if not len(group):  # perhaps of null type
                continue
            encoders = encoders or [DictionaryEncoder(group.type), DictionaryEncoder(item.type)]
            for encoder, values in zip(encoders, (group, item), strict=True):
                encoder.add(values)
            orders += order
        if encoders:
            groups, items = (encoder.codes() for encoder in encoders)
            places = _sorted_places(groups, orders)
            words = encoders[1].dictionary
            if not pa.types.is_large_binary(words.type):  # which may be no text
                words = words.cast(pa.large_string())
            tokens = pa.DictionaryArray.from_arrays(pa.array(items[places]), words)
            yield from self._pieces(groups[places], tokens)

    def _whole_rows(self, piece: Piece) -> list[pa.Array]:
        """Group, item and perhaps order of the rows that have all of them."""
        import pyarrow.compute as pc

        column = self._column
        with arrow_errors(f"{piece.place} is corrupt"):
            names = [column.group_by, column.name, *([column.order_by] if column.order_by else [])]
            arrays = [_plain(piece.rows.column(name)) for name in names]
            is_whole = np.ones(piece.rows.num_rows, np.bool_)
            for array in arrays:
                is_whole &= ~np.asarray(pc.is_null(array, nan_is_null=True))
            self.n_skipped += int((~is_whole).sum())
            return arrays if is_whole.all() else [array.filter(pa.array(is_whole)) for array in arrays]

    def _pieces(self, groups: NDArray[np.int32], tokens: pa.Array) -> Iterator[Piece]:
        """Lists of the tokens, one for each run of equal groups."""
        starts = np.flatnonzero(np.diff(groups, prepend=np.int32(-1)))
        lists = pa.LargeListArray.from_arrays(pa.array(np.append(starts, len(groups))), tokens)
        size = rows_a_batch(len(lists), len(groups) * ITEM_BYTES)
        for start in range(0, len(lists), size):
            yield Piece(PLACE, pa.record_batch([lists.slice(start, size)], [self._column.name]))


def _plain(array: pa.Array) -> pa.Array:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    return storage.cast(sortable_type(storage.type))


def _sorted_places(groups: NDArray[np.int32], orders: list[pa.Array]) -> NDArray[Any]:
    """Places of the rows by group and by order, if any; equal rows stay as they were. Empties orders."""
    import pyarrow.compute as pc

    if not orders:
        return np.argsort(groups, kind="stable")
    table = pa.table([pa.array(groups), pa.chunked_array(orders).combine_chunks()], ["group", "order"])
    orders.clear()
    keys = [("group", "ascending"), ("order", "ascending")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys))
