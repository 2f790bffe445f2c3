"""Nodes numbered in the order in which they come, batch by batch: integers, or texts by their bytes."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.layouts import as_lists
from fastw2v.corpus.graphs.columns import TEXT, as_arrow, as_numpy, in_turn
from fastw2v.corpus.ids.storage import new_pages
from fastw2v.corpus.words.bytes import mixed, with_a_chunk
from fastw2v.corpus.words.counter import table_of
from fastw2v.corpus.words.queue import CURSOR_SIZE, NEXT, POSITION, new_queue, number_lists
from fastw2v.corpus.words.strings import read_only
from fastw2v.corpus.words.table import DONE, Table, with_room
from fastw2v.kernels.jit import bare_jit, require_jit

FIRST_NODES = 1 << 15
OWN_PAGES = 1 << 17  # bytes of a batch; Linux gives a process 65,530 mappings, and batches may be of two rows
NAMED_AT_ONCE = 1 << 14  # lists of numbers to make names of: of all nodes at once they would be 70 bytes each


class Integers(NamedTuple):
    """Distinct integers by number, in the order of insertion, and a hash table over them.

    slots   int32 (2^n,), a number or −1; linear probing, at most half full
    keys    int64 (2^n / 2,), the integer of each number
    n_used  int64 (1,), numbers in use
    """

    slots: NDArray[np.int32]
    keys: NDArray[np.int64]
    n_used: NDArray[np.int64]


@bare_jit
def number_integers(table, sources, targets, numbers, first):  # type: ignore[no-untyped-def]
    """Write the numbers of edges' ends, int32 (2, n), from edge `first` on, source before target.

    Of one row of numbers, int32 (1, n), they are those of the sources. Returns how many edges are done: fewer
    than there are where the table has no room for both ends of one.
    """
    last = np.uint64(table.slots.size - 1)
    n_used = table.n_used[0]
    for i in range(first, sources.shape[0]):
        if n_used + 2 > table.keys.shape[0]:
            table.n_used[0] = n_used
            return i
        for side in range(numbers.shape[0]):
            key = targets[i] if side else sources[i]
            slot = mixed(np.uint64(key)) & last
            number = table.slots[slot]
            while number >= 0 and table.keys[number] != key:
                slot = (slot + np.uint64(1)) & last
                number = table.slots[slot]
            if number < 0:
                number = np.int32(n_used)
                table.slots[slot] = number
                table.keys[number] = key
                n_used += 1
            numbers[side, i] = number
    table.n_used[0] = n_used
    return sources.shape[0]


@bare_jit
def fill_slots(table):  # type: ignore[no-untyped-def]
    """Put every number of the table in its slot; all slots are empty before."""
    last = np.uint64(table.slots.size - 1)
    for number in range(table.n_used[0]):
        slot = mixed(np.uint64(table.keys[number])) & last
        while table.slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & last
        table.slots[slot] = number


def new_integers(capacity: int) -> Integers:
    """An empty table for so many integers, a power of 2."""
    slots = new_pages(2 * capacity, np.int32)
    slots.fill(-1)
    return Integers(slots, new_pages(capacity, np.int64), np.zeros(1, np.int64))


def with_more_integers(table: Integers) -> Integers:
    """The same integers with room for twice as many."""
    grown = new_integers(2 * len(table.keys))
    n_used = int(table.n_used[0])
    grown.keys[:n_used] = table.keys[:n_used]
    grown.n_used[0] = n_used
    fill_slots(grown)
    return grown


def room_for_ends(n_edges: int) -> NDArray[np.int32]:
    """For numbers, int32 (2, n_edges); of many in pages that go back once there are rows."""
    if 8 * n_edges < OWN_PAGES:
        return np.empty((2, n_edges), np.int32)
    return new_pages(2 * n_edges, np.int32).reshape(2, n_edges)


class Nodes:
    """The nodes of all edges so far, or the words of a column of pairs; once one is a text, all are.

    Beside its name a node takes 16 bytes while edges are read, and 60 and its bytes where it is a text.
    Arrow's dictionaries need all edges at once.
    """

    def __init__(self) -> None:
        require_jit()
        self.integers = new_integers(FIRST_NODES)
        self.texts: Table | None = None
        self.queue = new_queue()

    def __len__(self) -> int:
        used = self.integers.n_used if self.texts is None else self.texts.n_words
        return int(used[0])

    def number(self, sources: pa.Array, targets: pa.Array) -> NDArray[np.int32]:
        """The numbers of edges' ends, int32 (2, n): the sources, and then the targets.

        sources, targets   int64 or large_string (n,), without nulls
        """
        numbers = room_for_ends(len(sources))
        if self.texts is None and sources.type == targets.type == pa.int64():
            self.number_integers(as_numpy(sources), as_numpy(targets), numbers)
        else:
            in_rows = self.number_texts(in_turn(sources.cast(TEXT), targets.cast(TEXT)))
            numbers[:] = in_rows.reshape(-1, 2).T
        return numbers

    def number_column(self, words: pa.Array) -> NDArray[np.int32]:
        """The numbers of words, int32 (n,); words are int64 or large_string (n,), without nulls."""
        if self.texts is not None or words.type != pa.int64():
            return self.number_texts(words.cast(TEXT))
        numbers, keys = np.empty(len(words), np.int32), as_numpy(words)
        self.number_integers(keys, keys, numbers.reshape(1, -1))
        return numbers

    def number_integers(
        self, sources: NDArray[np.int64], targets: NDArray[np.int64], numbers: NDArray[np.int32]
    ) -> None:
        """Write the numbers of ends that are integers, int32 (2, n), or (1, n) of sources alone."""
        sources, targets = read_only(sources), read_only(targets)
        done = 0
        while (done := number_integers(self.integers, sources, targets, numbers, done)) < len(sources):
            self.integers = with_more_integers(self.integers)

    def number_texts(self, ends: pa.Array) -> NDArray[np.int32]:
        """The numbers of texts, int32 (n,)."""
        if self.texts is None:
            self.texts = table_of(self.names())
            self.integers = new_integers(FIRST_NODES)
        table = self.texts
        whole = as_arrow(np.array([0, len(ends)]))
        lists = as_lists(pa.LargeListArray.from_arrays(whole, ends.cast(pa.large_binary())))
        lists = lists._replace(items=with_a_chunk(lists.items))
        numbers, cursor = np.empty(len(ends) + 1, np.int32), np.zeros(CURSOR_SIZE, np.int64)
        cursor[POSITION] = lists.offsets[0]
        while number_lists(lists, table, self.queue, cursor, numbers) != DONE:
            start, stop = self.queue.edges[2 * cursor[NEXT] :][:2].tolist()
            table = with_room(table, stop - start)
        self.texts = table
        return numbers[:-1]

    def names(self) -> list[str]:
        """Of all nodes, in the order of their numbers."""
        return [name for start in range(0, len(self), NAMED_AT_ONCE) for name in self.names_from(start)]

    def names_from(self, start: int) -> list[str]:
        """Of NAMED_AT_ONCE nodes, from one on."""
        end = min(start + NAMED_AT_ONCE, len(self))
        if self.texts is None:
            return list(map(str, self.integers.keys[start:end].tolist()))
        ends = self.texts.ends[start : end + 1]
        arena = self.texts.arena[ends[0] : ends[-1]].tobytes()
        places = (ends - ends[0]).tolist()
        return [arena[first:stop].decode() for first, stop in itertools.pairwise(places)]
