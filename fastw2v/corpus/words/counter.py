"""From raw UTF-8 bytes to numbered words, in Numba: no Python object is made for a token.

Each worker owns a `WordCounter`: it splits the batches it is given into tokens, counts them in an
open-addressing table, and writes each token's *provisional* id, its entry in that worker's table. When all
text is read, `merge_tables` makes one table of them, and `encoding` turns provisional ids into final ones.

The kernels neither raise nor allocate: they return a status, Python makes room and calls again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.segments import Dropped, Segment, sum_of
from fastw2v.corpus.ids.storage import SpillBuffer
from fastw2v.corpus.words.bytes import ALL_BITS, with_a_chunk
from fastw2v.corpus.words.queue import (
    CURSOR_SIZE,
    KEY,
    N_IDS,
    N_NULL,
    NEXT,
    POSITION,
    new_queue,
    number_lists,
    number_texts,
)
from fastw2v.corpus.words.strings import Lists, Strings, read_only
from fastw2v.corpus.words.table import (
    COUNT,
    DONE,
    IDS_FULL,
    Table,
    bytes_of,
    copy_of,
    drop_words,
    fill_slots,
    new_table,
    with_room,
)
from fastw2v.errors import UsageError

BLOCK_IDS = 1 << 19  # a huge page


class WordCounter:
    """One worker's words, and its provisional ids of the batches it was given, in rising order.

    table     the distinct words so far, but for rare ones where they outgrow table_bytes
    segments  the provisional ids, in the order of the calls
    prunings  for each time the table was pruned int32 (n_words,): entry before to entry after, or -1
    dropped   what that took away
    n_tokens  tokens so far
    n_null    null rows and null list items so far
    """

    def __init__(
        self,
        worker: int = 0,
        *,
        spill: SpillBuffer | None = None,
        known: Table | None = None,
        table_bytes: int = sys.maxsize,
        hash_mask: int = ALL_BITS,
        block_ids: int = BLOCK_IDS,
    ) -> None:
        """known   words that are never pruned and keep their entries; table_bytes   grow no further"""
        self.worker = worker
        self.table = new_table(hash_mask) if known is None else copy_of(known)
        self.n_known = int(self.table.n_words[0])
        self.n_tokens = 0
        self.n_null = 0
        self.segments: list[Segment] = []
        self.prunings: list[NDArray[np.int32]] = []
        self.dropped = Dropped()
        self._spill = spill or SpillBuffer()
        self._table_bytes = table_bytes
        self._floor = 0
        self._queue = new_queue()
        self._block_ids = block_ids
        self._free = np.empty(0, np.int32)

    def read(self, batch: Strings | Lists, ordinal: int = 0, first_key: int = 0) -> None:
        """Split, count and number a batch.

        ordinal    place of the batch in the corpus, higher than those before
        first_key  orders first occurrences over batches: at least the previous one's plus its `most_tokens`
        """
        if isinstance(batch, Lists):
            number, batch = number_lists, batch._replace(items=with_a_chunk(batch.items))
        else:
            number, batch = number_texts, with_a_chunk(batch)
        cursor = np.zeros(CURSOR_SIZE, np.int64)
        cursor[POSITION], cursor[KEY] = batch.offsets[0], first_key
        while (status := number(batch, self.table, self._queue, cursor, self._free)) != DONE:
            self._make_room(status, ordinal, cursor)
        self._close_segment(ordinal, cursor)
        self.n_null += int(cursor[N_NULL])
        self.n_tokens += int(cursor[KEY]) - first_key

    def _make_room(self, status: int, ordinal: int, cursor: NDArray[np.int64]) -> None:
        if status == IDS_FULL:
            self._close_segment(ordinal, cursor)
            if not len(self._free):
                self._free = self._spill.new_block(self._block_ids)
            return
        start, stop = self._queue.edges[2 * cursor[NEXT] :][:2].tolist()
        if 2 * bytes_of(self.table) > self._table_bytes:
            self._close_segment(ordinal, cursor)
            self._prune()
        self.table = with_room(self.table, stop - start)

    def _prune(self) -> None:
        """Drop the rarest words, at least half of them, and all that are as rare as any dropped before."""
        n_words = int(self.table.n_words[0])
        counts = self.table.records[:n_words, COUNT]
        unknown = counts[self.n_known :]
        if 2 * len(unknown) < n_words:  # it would soon be full again
            return
        middle = len(unknown) // 2
        self._floor = max(self._floor, int(np.partition(unknown, middle)[middle]))
        is_kept = counts > self._floor
        is_kept[: self.n_known] = True
        dropped = counts[~is_kept]
        self.dropped = sum_of([self.dropped, Dropped(len(dropped), int(dropped.sum()), self._floor)])
        entries = np.where(is_kept, np.cumsum(is_kept, dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
        self.table.slots.fill(-1)
        drop_words(self.table, entries)
        fill_slots(self.table)
        self.prunings.append(entries)

    def final_ids(self, of_entries: NDArray[np.int32]) -> list[NDArray[np.int32]]:
        """For the segments of each generation int32 (n_words,): entry to final id, or -1.

        of_entries   the same for the entries of the table as it is now
        """
        mappings = [of_entries]
        for entries in reversed(self.prunings):
            mappings.append(np.where(entries < 0, np.int32(-1), mappings[-1][entries]))
        return mappings[::-1]

    def _close_segment(self, ordinal: int, cursor: NDArray[np.int64]) -> None:
        n_ids = int(cursor[N_IDS])
        if n_ids:
            kept, self._free = self._spill.keep(self._free, n_ids)
            self.segments.append(Segment(ordinal, self.worker, len(self.prunings), kept))
        cursor[N_IDS] = 0


def table_of(words: Sequence[str]) -> Table:
    """A table whose entries are the places of distinct words, with no occurrences.

    Raises UsageError for words that are not distinct.
    """
    encoded = [word.encode() for word in words]
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in encoded], out=offsets[1:])
    no_nulls = read_only(np.empty(0, np.uint8))
    data = read_only(np.frombuffer(bytearray().join(encoded), np.uint8))
    items = Strings(data, read_only(offsets), no_nulls, 0)
    counter = WordCounter()
    counter.read(Lists(read_only(np.array([0, len(words)])), no_nulls, 0, items))
    if counter.table.n_words[0] < len(words):
        raise UsageError("the given vocabulary has a word twice; keep one of them")
    counter.table.records[:, COUNT] = 0
    return counter.table
