"""The table of words: open addressing over the bytes of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import new_pages
from fastw2v.corpus.words.bytes import ALL_BITS, CHUNK, ONE, hash_word, same_bytes
from fastw2v.errors import UsageError
from fastw2v.kernels.jit import bare_inlined_jit, bare_jit, require_jit

MAX_WORDS = 2**31 - 1  # ids are int32
DONE, IDS_FULL, TABLE_FULL, ARENA_FULL = 0, -1, -2, -3
PREFIX, MIDDLE, COUNT, FIRST_SEEN = 0, 1, 2, 3
LENGTH_BITS = 16
LONGEST = 2**LENGTH_BITS - 1
FIRST_WORDS, FIRST_BYTES = 1 << 15, 1 << 18


class Table(NamedTuple):
    """Distinct words by entry number, in the order of insertion, and a hash table over them.

    slots      int32 (2^n,), an entry or -1; linear probing, at most half full
    records    int64 (capacity, 4): first 8 bytes of the word, the next 8, its count, and the key of its first
               occurrence times 2^16 plus its length in bytes (at most LONGEST). One cache line decides about
               a word of up to 16 bytes and counts it.
    ends       int64 (capacity + 1,): entry e is arena[ends[e]:ends[e + 1]]
    arena      uint8 (n_bytes,)
    n_words    int64 (1,), entries in use
    hash_mask  uint64, ANDed to every hash: all bits, but tests force collisions with fewer
    """

    slots: NDArray[np.int32]
    records: NDArray[np.int64]
    ends: NDArray[np.int64]
    arena: NDArray[np.uint8]
    n_words: NDArray[np.int64]
    hash_mask: np.uint64


@bare_inlined_jit
def home_slot(table, hashed):  # type: ignore[no-untyped-def]
    return np.int64(hashed & table.hash_mask & np.uint64(table.slots.size - 1))


@bare_inlined_jit
def find(table, data, start, length, prefix, middle, hashed):  # type: ignore[no-untyped-def]
    """Entry of a word, or -1 - slot with the slot where it belongs; equal means equal bytes."""
    last = table.slots.size - 1
    slot = home_slot(table, hashed)
    while True:
        entry = np.int64(table.slots[np.uint64(slot)])
        if entry < 0:
            return -1 - slot
        e = np.uint64(entry)
        is_alike = (table.records[e, PREFIX] == np.int64(prefix)) & (
            table.records[e, MIDDLE] == np.int64(middle)
        )
        if is_alike and table.records[e, FIRST_SEEN] & LONGEST == min(length, LONGEST):
            first = table.ends[e]
            if length <= 16 or (
                table.ends[e + ONE] - first == length
                and same_bytes(table.arena, first + 16, data, start + 16, length - 16)
            ):
                return entry
        slot = (slot + 1) & last


@bare_inlined_jit
def insert(table, data, start, length, prefix, middle, slot, key):  # type: ignore[no-untyped-def]
    """The new entry of a word that the table lacks, or TABLE_FULL or ARENA_FULL with the table unchanged."""
    entry = table.n_words[0]
    first = table.ends[entry]
    if entry == table.records.shape[0]:
        return TABLE_FULL
    if first + length > table.arena.size:
        return ARENA_FULL
    for k in range(length):
        table.arena[first + k] = data[start + k]
    table.ends[entry + 1] = first + length
    table.records[entry, PREFIX] = np.int64(prefix)
    table.records[entry, MIDDLE] = np.int64(middle)
    table.records[entry, COUNT] = 0
    table.records[entry, FIRST_SEEN] = key << LENGTH_BITS | min(length, LONGEST)
    table.slots[slot] = entry
    table.n_words[0] = entry + 1
    return entry


@bare_jit
def fill_slots(table):  # type: ignore[no-untyped-def]
    """Put every entry of the table in its slot; all slots are empty before."""
    last = table.slots.size - 1
    for entry in range(table.n_words[0]):
        start, length = table.ends[entry], table.ends[entry + 1] - table.ends[entry]
        prefix, middle = np.uint64(table.records[entry, PREFIX]), np.uint64(table.records[entry, MIDDLE])
        slot = home_slot(table, hash_word(table.arena, start, length, prefix, middle))
        while table.slots[slot] >= 0:
            slot = (slot + 1) & last
        table.slots[slot] = entry


def new_table(hash_mask: int = ALL_BITS) -> Table:
    """An empty table. hash_mask   bits of the hash that count; fewer only make it slower."""
    require_jit()
    table = Table(
        slots=new_pages(2 * FIRST_WORDS, np.int32),
        records=new_pages(4 * FIRST_WORDS, np.int64).reshape(-1, 4),
        ends=new_pages(FIRST_WORDS + 1, np.int64),
        arena=new_pages(max(FIRST_BYTES, CHUNK), np.uint8),
        n_words=np.zeros(1, np.int64),
        hash_mask=np.uint64(hash_mask),
    )
    table.slots.fill(-1)
    return table


def with_more_words(table: Table) -> Table:
    """The same words with room for twice as many.

    Raises UsageError beyond MAX_WORDS distinct words: ids are int32.
    """
    capacity = 2 * len(table.records)
    if capacity > MAX_WORDS + 1:
        raise UsageError(
            f"the corpus has more than {len(table.records):,} distinct words, but word ids end at "
            f"{MAX_WORDS:,}; split or normalise its words"
        )
    n_words = int(table.n_words[0])
    grown = table._replace(
        slots=new_pages(2 * capacity, np.int32),
        records=new_pages(4 * capacity, np.int64).reshape(-1, 4),
        ends=new_pages(capacity + 1, np.int64),
    )
    grown.slots.fill(-1)
    grown.records[:n_words] = table.records[:n_words]
    grown.ends[: n_words + 1] = table.ends[: n_words + 1]
    fill_slots(grown)
    return grown


def with_more_bytes(table: Table, n_bytes: int) -> Table:
    """The same words with room for at least n_bytes more bytes of words."""
    used = int(table.ends[table.n_words[0]])
    arena = new_pages(max(2 * len(table.arena), used + n_bytes), np.uint8)
    arena[:used] = table.arena[:used]
    return table._replace(arena=arena)


def with_room(table: Table, n_bytes: int) -> Table:
    """The same words with room for one more, of n_bytes."""
    if table.n_words[0] == len(table.records):
        table = with_more_words(table)
    if table.ends[table.n_words[0]] + n_bytes > len(table.arena):
        table = with_more_bytes(table, n_bytes)
    return table


def bytes_of(table: Table) -> int:
    """Bytes of memory that a table takes."""
    return int(table.slots.nbytes + table.records.nbytes + table.ends.nbytes + table.arena.nbytes)


def copy_of(table: Table) -> Table:
    """A table of its own with the same words."""

    def copied(array: NDArray[Any]) -> NDArray[Any]:
        copy = new_pages(array.size, array.dtype.type).reshape(array.shape)
        copy[:] = array
        return copy

    return Table(
        slots=copied(table.slots),
        records=copied(table.records),
        ends=copied(table.ends),
        arena=copied(table.arena),
        n_words=table.n_words.copy(),
        hash_mask=table.hash_mask,
    )


@bare_jit
def drop_words(table, entries):  # type: ignore[no-untyped-def]
    """Move every word of a table to entries[e], which rise; -1 drops it. All slots are empty before."""
    n, end = 0, 0
    for e in range(table.n_words[0]):
        if entries[e] < 0:
            continue
        start, stop = table.ends[e], table.ends[e + 1]
        for k in range(start, stop):
            table.arena[end + k - start] = table.arena[k]
        for field in range(4):
            table.records[n, field] = table.records[e, field]
        end += stop - start
        n += 1
        table.ends[n] = end
    table.n_words[0] = n


@bare_jit
def add_words(table, other, entries, first):  # type: ignore[no-untyped-def]
    """Add the words of another table, from entry first on, to a table; entries[e] becomes the entry there.

    Returns how many entries are done and a status: call again with room where it is not DONE.
    """
    for e in range(first, other.n_words[0]):
        start, length = other.ends[e], other.ends[e + 1] - other.ends[e]
        prefix, middle = np.uint64(other.records[e, PREFIX]), np.uint64(other.records[e, MIDDLE])
        hashed = hash_word(other.arena, start, length, prefix, middle)
        entry = find(table, other.arena, start, length, prefix, middle, hashed)
        if entry < 0:
            key = other.records[e, FIRST_SEEN] >> LENGTH_BITS
            entry = insert(table, other.arena, start, length, prefix, middle, -1 - entry, key)
            if entry < 0:
                return e, entry
        key = min(table.records[entry, FIRST_SEEN], other.records[e, FIRST_SEEN])
        table.records[entry, FIRST_SEEN] = key
        table.records[entry, COUNT] += other.records[e, COUNT]
        entries[e] = entry
    return other.n_words[0], DONE


def merge_tables(tables: Sequence[Table]) -> tuple[Table, list[NDArray[np.int32]]]:
    """All words of several tables in one, with the sum of the counts and the smallest of the keys.

    The first table is added to and returned, possibly grown; its entries keep their numbers. Second, for each
    table, int32 (n_words,): the entry in the merged table for each of its own. (Numbers of the merged entries
    depend on the order of the tables; counts and keys do not.)
    """
    merged, *others = tables
    mappings = [np.arange(merged.n_words[0], dtype=np.int32)]
    for other in others:
        entries = np.empty(other.n_words[0], np.int32)
        done, status = add_words(merged, other, entries, 0)
        while status != DONE:
            merged = with_room(merged, int(other.ends[done + 1] - other.ends[done]))
            done, status = add_words(merged, other, entries, done)
        mappings.append(entries)
    return merged, mappings


def words_of(table: Table, entries: NDArray[np.int64]) -> list[str]:
    """The words of some entries. Raises UnicodeDecodeError, whose `object` is the word that is not UTF-8."""
    arena = table.arena[: table.ends[table.n_words[0]]].tobytes()
    starts, stops = table.ends[entries].tolist(), table.ends[entries + 1].tolist()
    return [arena[start:stop].decode() for start, stop in zip(starts, stops, strict=True)]
