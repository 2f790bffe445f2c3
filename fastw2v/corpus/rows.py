"""A source row by row, its words as places among given ones: nothing is counted, nothing is kept.

What `read_corpus` leaves out stays here, so that a row can be told by its name: rows that are empty or null,
and words that are not among the given ones, as −1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import common_column, require_carried, sortable_type
from fastw2v.corpus.arrow.grouping import Grouping
from fastw2v.corpus.arrow.layouts import Batch, Piece, as_batches
from fastw2v.corpus.count import tokenizer_of
from fastw2v.corpus.files.sequences import GOES_ON, NAME
from fastw2v.corpus.ids.memory import Memory, budget
from fastw2v.corpus.ids.segments import ROW_END
from fastw2v.corpus.read import open_source
from fastw2v.corpus.words.candidates import spelt
from fastw2v.corpus.words.counter import WordCounter
from fastw2v.corpus.words.cut import Cut
from fastw2v.corpus.words.kmers import in_parts
from fastw2v.corpus.words.strings import Strings
from fastw2v.corpus.workers import sorting_room
from fastw2v.errors import UsageError
from fastw2v.system.machine import usable_cores

MOST_WORDS = 1 << 21  # distinct ones whose places are remembered: some 200 MB


class Rows(NamedTuple):
    """Some rows of a source, in order.

    ids      int32 (n_tokens,), places of words among the given ones, −1 for others
    offsets  int64 (n_rows + 1,): row r is ids[offsets[r]:offsets[r + 1]]
    goes_on  bool (n_rows,), whether a row is a part of a long one, the one before
    keys     what the rows are called, an Arrow array (n_rows,), or None where they have no names
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    goes_on: NDArray[np.bool_]
    keys: Any


class RowSource(NamedTuple):
    """A source that is open: what it is called, what its rows are called by, and the rows.

    key       the column of that name, of --id-column or --group-by, if any
    key_type  of its values, an Arrow type
    """

    name: str
    key: str | None
    key_type: Any
    rows: Iterator[Rows]


def open_rows(
    source: Any, words: Sequence[str], config: ReadConfig, id_column: str | None = None
) -> RowSource:
    """Open a source of any kind that `read_corpus` takes.

    words      those that are looked up, spelt as the options say
    id_column  a column that says what the rows are called

    Raises UsageError and CorpusError as `read_corpus` does.
    """
    if id_column is not None and config.group_by is not None:
        raise UsageError(
            f"id_column {id_column} is of rows, and groups are called by group_by: leave id_column out",
            ["id_column", "group_by"],
        )
    opened = open_source(source, config)
    column = common_column(opened.schemas, config)
    if id_column is not None:
        require_carried(opened.schemas, id_column)
        column = column._replace(carried=id_column)
    threads = usable_cores()
    room = sorting_room(threads, Memory(), budget(None, threads).ids, lambda: None)
    pieces = Grouping(column, opened.n_rows, room, with_keys=True).lists(opened.read(column))

    def rows() -> Iterator[Rows]:
        lookup = Lookup(words, config)
        for piece in pieces:
            batch = next(as_batches([piece], column))
            ids, lengths = lookup.ids_of(batch)
            keys = _keys_of(piece, id_column) if piece.keys is None else piece.keys
            yield Rows(ids, np.append(0, np.cumsum(lengths)), _goes_on(piece), keys)

    key = id_column or config.group_by
    key_type = None if key is None else sortable_type(opened.schemas[0][1].field(key).type)
    return RowSource(opened.name, key, key_type, rows())


def _keys_of(piece: Piece, id_column: str | None) -> Any:
    name = id_column if id_column else NAME if NAME in piece.rows.schema.names else None
    return None if name is None else piece.rows.column(name)


def _goes_on(piece: Piece) -> NDArray[np.bool_]:
    if GOES_ON not in piece.rows.schema.names:
        return np.zeros(piece.rows.num_rows, np.bool_)
    return np.asarray(piece.rows.column(GOES_ON).to_numpy(zero_copy_only=False), np.bool_)


class Lookup:
    """Finds the places of words among given ones, each distinct word once."""

    def __init__(self, words: Sequence[str], config: ReadConfig) -> None:
        self._index = {word: place for place, word in enumerate(words)}
        self._config, self._cut = config, Cut.of(config.kmers, config.stride)
        self._tokenize = tokenizer_of(config)
        self._counter, self._places = WordCounter(), np.empty(0, np.int32)

    def ids_of(self, batch: Batch) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The places of a batch's words, int32 (n_tokens,), and the tokens of each row, int64 (n_rows,)."""
        lengths = np.zeros(len(batch.offsets) - 1, np.int64)
        found, row = [np.empty(0, np.int32)], 0
        parts = in_parts(batch, self._cut) if self._cut and isinstance(batch, Strings) else [(batch, False)]
        for part, goes_on in parts:
            row -= goes_on
            for tokens in self._tokenize(part):
                ids, n_tokens = self._read(tokens)
                found.append(ids)
                lengths[row : row + len(n_tokens)] += n_tokens
            row += len(part.offsets) - 1
        return np.concatenate(found), lengths

    def _read(self, batch: Batch) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        if int(self._counter.table.n_words[0]) > MOST_WORDS:
            self._counter, self._places = WordCounter(), np.empty(0, np.int32)
        self._counter.read(batch)
        entries = np.concatenate(
            [np.empty(0, np.int32), *(segment.ids for segment in self._counter.segments)]
        )
        self._counter.segments.clear()
        self._look_up()
        lengths = np.zeros(len(batch.offsets) - 1, np.int64)
        lengths[_is_there(batch)] = np.diff(np.flatnonzero(entries == ROW_END), prepend=-1) - 1
        return self._places[entries[entries != ROW_END]], lengths

    def _look_up(self) -> None:
        """Find the places of the words that are new."""
        table, first = self._counter.table, len(self._places)
        ends = table.ends[first : int(table.n_words[0]) + 1].tolist()
        data = table.arena[ends[0] : ends[-1]].tobytes()
        edges = [end - ends[0] for end in ends]
        parts = (data[start:stop] for start, stop in itertools.pairwise(edges))
        words = [part.decode(errors="replace") for part in parts]
        places = [self._index.get(word, -1) for word in spelt(words, self._config)]
        self._places = np.append(self._places, np.array(places, np.int32))


def _is_there(batch: Batch) -> NDArray[np.bool_]:
    """Which rows are not null, bool (n_rows,)."""
    n_rows = len(batch.offsets) - 1
    if not len(batch.validity):
        return np.ones(n_rows, np.bool_)
    bits = np.unpackbits(batch.validity, bitorder="little")[batch.first_bit : batch.first_bit + n_rows]
    return bits.astype(np.bool_)
