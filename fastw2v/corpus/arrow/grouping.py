"""A table of one item a row, the recommender's, to one list of items a group.

The rows of a group may be anywhere, so all rows must be known before the first list is: in memory where they
fit, else on disk.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import Column, sortable_type
from fastw2v.corpus.arrow.layouts import Piece, arrow_errors, rows_a_batch
from fastw2v.corpus.arrow.out_of_core import READ, DiskSort, is_there
from fastw2v.corpus.arrow.sorting import ROW_BYTES, Rows, Sorted, sort_in_memory
from fastw2v.corpus.ids.memory import LIBRARIES, WORKER
from fastw2v.errors import UsageError
from fastw2v.options.checks import shown

PLACE = "the groups"
ITEM_BYTES = 16  # of a token, about; only for how many groups make a batch


class SortingRoom(NamedTuple):
    """Where rows may be sorted.

    n_bytes   of memory, before they go to disk
    on_disk   bytes of memory for DuckDB then
    at_most   of memory, where there is no DuckDB: what is free, unless a limit was given
    threads   of DuckDB
    folder    for its temporary files; None for the usual one
    give_way  called before they go to disk, so that others leave DuckDB its memory
    """

    n_bytes: int
    on_disk: int
    at_most: int
    threads: int
    folder: Path | None
    give_way: Callable[[], None]


class Grouping:
    """Sorts the rows of a table into lists.

    n_skipped   rows that were left out, as their item, group or order is null or NaN
    is_on_disk  whether they are sorted there, once that is known
    """

    def __init__(self, column: Column, n_rows: int, room: SortingRoom, with_keys: bool = False) -> None:
        """n_rows   that are expected, or 0 where nobody knows"""
        self.n_skipped = 0
        self.is_on_disk = False
        self._column, self._room = column, room
        # A group whose rows differ in what it has one of is named by its key.
        self._with_keys = with_keys or column.weight is not None or column.target is not None
        self._expected, self._n_read, self._n_given = n_rows, 0, 0
        self._disk = DiskSort(room.on_disk, room.threads, room.folder)

    @property
    def share(self) -> float:
        """Of reading and sorting, what is done; 0 where nobody knows."""
        if not self._expected or not self._column.group_by:
            return 0.0
        if self._n_given:
            return 1.0
        is_read = min(self._n_read / self._expected, 1.0)
        return self._disk.share if self.is_on_disk and is_read == 1 else READ * is_read

    @property
    def given(self) -> float | None:
        """The part of the sorted rows that was given as lists; None where nothing is grouped."""
        n_sorted = self._n_read - self.n_skipped
        return self._n_given / max(n_sorted, 1) if self._column.group_by else None

    def stop(self) -> None:
        """End sorting, from any thread."""
        self._disk.stop()

    def lists(self, pieces: Iterable[Piece]) -> Generator[Piece]:
        """The groups in the order in which they begin, their rows by order_by and, where equal, as read.

        Where nothing is grouped, the pieces as they are.

        Raises CorpusError for an array that is not what its type says, naming its place, UsageError for more
        rows than memory holds, where there is no DuckDB, and OutputError where the disk is full.
        """
        if not self._column.group_by:
            yield from pieces
            return
        pieces, self.is_on_disk = self._where(iter(pieces))
        if self.is_on_disk:
            self._room.give_way()
        parts = (rows for piece in pieces if len((rows := self._whole_rows(piece)).group))
        sort = self._disk.sort if self.is_on_disk else sort_in_memory
        for sorted_rows in _whole_groups(sort(parts, self._with_keys)):
            yield from self._pieces(sorted_rows)

    def _where(self, pieces: Iterator[Piece]) -> tuple[Iterator[Piece], bool]:
        """All pieces, and whether to sort them on disk; where nobody knows, those that fit are read."""
        most = self._room.n_bytes // ROW_BYTES
        if self._expected:
            return pieces, self._expected > most and self._require_disk(self._expected)
        head: deque[Piece] = deque()
        n_rows = 0
        for piece in pieces:
            head.append(piece)
            n_rows += piece.rows.num_rows
            if n_rows > most and self._require_disk(n_rows):
                return itertools.chain(_drained(head), pieces), True
        return _drained(head), False

    def _require_disk(self, n_rows: int) -> bool:
        """Whether there is a way on disk; raises UsageError where there is none, and too little memory."""
        if is_there():
            return True
        n_bytes = n_rows * ROW_BYTES
        limit = n_bytes + LIBRARIES + self._room.threads * WORKER
        if n_bytes <= self._room.at_most:
            return False
        at_least = "" if self._expected else "or more "
        raise UsageError(
            f"{n_rows:,} rows {at_least}take {n_bytes / 1e9:,.1f} GB to be sorted by group in memory, and "
            f"{self._room.at_most / 1e9:,.1f} GB are left for it: pip install 'fastw2v[duckdb]' to sort them "
            f"on disk, or give --memory-limit {limit // 10**9 + 1}GB",
            ["memory_limit"],
        )

    def _whole_rows(self, piece: Piece) -> Rows:
        """The rows that have a group, an item and, where it is asked for, an order."""
        import pyarrow.compute as pc

        column = self._column
        self._n_read += piece.rows.num_rows
        with arrow_errors(f"{piece.place} is corrupt"):
            names = [column.group_by, column.name, *([column.order_by] if column.order_by else [])]
            arrays = [_plain(piece.rows.column(name)) for name in names]
            is_whole = np.ones(piece.rows.num_rows, np.bool_)
            for array in arrays:
                is_whole &= ~np.asarray(pc.is_null(array, nan_is_null=True))
            self.n_skipped += int((~is_whole).sum())
            order = arrays[2] if column.order_by else None
            beside = numbers_of(piece, column.weight), words_of(piece, column.target)
            rows = Rows(arrays[0], arrays[1], order, *beside)
            if is_whole.all():
                return rows
            chosen = pa.array(is_whole)
            return Rows(*(None if array is None else array.filter(chosen) for array in rows))

    def _pieces(self, rows: Sorted) -> Iterator[Piece]:
        """Lists of whole groups, some at a time."""
        starts = _starts(rows.groups)
        lists = pa.LargeListArray.from_arrays(pa.array(np.append(starts, len(rows.groups))), rows.items)
        keys = None if rows.keys is None else _decoded(rows.keys.take(pa.array(starts)))
        columns = {self._column.name: lists}
        if rows.weights is not None:
            columns[str(self._column.weight)] = pa.array(weights_of(rows.weights, starts, keys))
        if rows.targets is not None:
            columns[str(self._column.target)] = targets_of(rows.targets, starts, keys)
        size = rows_a_batch(len(lists), len(rows.groups) * ITEM_BYTES)
        for start in range(0, len(lists), size):
            batch = pa.record_batch([array.slice(start, size) for array in columns.values()], list(columns))
            stop = min(start + size, len(lists))
            self._n_given += int(lists.offsets[stop].as_py() - lists.offsets[start].as_py())
            yield Piece(PLACE, batch, None if keys is None else keys.slice(start, size))


def _drained(pieces: deque[Piece]) -> Iterator[Piece]:
    """The pieces one by one, none of them held."""
    while pieces:
        yield pieces.popleft()


def _starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a group begins."""
    return np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))


def _whole_groups(parts: Iterable[Sorted]) -> Iterator[Sorted]:
    """The same rows, no group in two parts."""
    waiting: list[Sorted] = []
    for part in parts:
        last = int(_starts(part.groups)[-1])
        if waiting and part.groups[0] != waiting[-1].groups[-1]:
            yield _joined(waiting)
            waiting = []
        if last:
            yield _joined([*waiting, _sliced(part, 0, last)])
            waiting = []
        waiting.append(_sliced(part, last, len(part.groups)))
    if waiting:
        yield _joined(waiting)


def numbers_of(piece: Piece, name: str | None) -> pa.Array | None:
    """A column of numbers as float64; None where it has no name."""
    return piece.rows.column(name).cast(pa.float64(), safe=False) if name else None


def words_of(piece: Piece, name: str | None) -> pa.Array | None:
    """A column of targets as strings or bytes; None where it has no name."""
    if not name:
        return None
    array = _plain(piece.rows.column(name))
    return array if pa.types.is_large_binary(array.type) else array.cast(pa.large_string())


def weights_of(
    weights: NDArray[np.float64], starts: NDArray[np.int64], keys: pa.Array
) -> NDArray[np.float64]:
    """The weight of each group, which all its rows have. Raises UsageError for a group whose rows differ."""
    lowest, highest = (ufunc.reduceat(weights, starts) for ufunc in (np.minimum, np.maximum))
    if (differ := lowest != highest).any():
        group = int(differ.argmax())
        raise UsageError(
            f"{PLACE}: the rows of {shown(keys[group].as_py())} have weights from {lowest[group]:g} to "
            f"{highest[group]:g}, and a sentence has one: give all rows of a group the same, as their "
            "mean, or leave weight out",
            ["weight"],
        )
    return highest


def targets_of(targets: pa.Array, starts: NDArray[np.int64], keys: pa.Array) -> pa.Array:
    """The target of each group, of those rows that have one. Raises UsageError for a group with two."""
    if not pa.types.is_dictionary(targets.type):
        targets = targets.dictionary_encode()
    codes = np.asarray(targets.indices.fill_null(-1)).astype(np.int64)
    highest = np.maximum.reduceat(codes, starts)
    lowest = np.minimum.reduceat(np.where(codes < 0, len(targets.dictionary), codes), starts)
    if (differ := (highest >= 0) & (lowest < highest)).any():
        group = int(differ.argmax())
        words = (targets.dictionary[int(n[group])] for n in (lowest, highest))
        two = " and ".join(
            sorted(shown(word.as_buffer().to_pybytes().decode(errors="replace")) for word in words)
        )
        raise UsageError(
            f"{PLACE}: the rows of {shown(keys[group].as_py())} have the targets {two}, and a sentence has "
            "one: leave all but one of a group null, or leave global_context out",
            ["global_context"],
        )
    return targets.dictionary.take(pa.array(highest, mask=highest < 0))


def _sliced(rows: Sorted, start: int, stop: int) -> Sorted:
    beside = (rows.keys, rows.weights, rows.targets)
    own = (None if part is None else part[start:stop] for part in beside)
    return Sorted(rows.groups[start:stop], rows.items[start:stop], *own)


def _joined(parts: list[Sorted]) -> Sorted:
    if len(parts) == 1:
        return parts[0]
    groups, items, keys, weights, targets = zip(*parts, strict=True)
    together = (None if part[0] is None else pa.concat_arrays(part) for part in (keys, targets))
    own_keys, own_targets = together
    of_rows = None if weights[0] is None else np.concatenate(weights)
    return Sorted(np.concatenate(groups), pa.concat_arrays(items), own_keys, of_rows, own_targets)


def _decoded(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _plain(array: pa.Array) -> pa.Array:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    return storage.cast(sortable_type(storage.type))
