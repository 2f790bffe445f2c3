"""A hash table of pairs of words, each with a number: a count, or what became of the pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import new_pages
from fastw2v.kernels.jit import bare_inlined_jit, bare_jit, require_jit

KEY, NUMBER = 0, 1
NUMBER_BITS = 43  # of a record: counts end at 8.8e12; a chain has the 20 bits above
MOST_CHAINS = 1 << 20
FIRST_PAIRS = 1 << 10
BYTES_A_PAIR = 32  # two records of 16 bytes

_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_CHAIN_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
_HALF = np.uint64(32)


class PairTable(NamedTuple):
    """Open addressing, at most half full.

    records  int64 (2^n, 2): the key, which is (first << 32 | second) + 1, or 0 where there is none; and the
             chain of words between the two << NUMBER_BITS | the pair's number. A lookup is one cache line.
    n_pairs  int64 (1,)
    """

    records: NDArray[np.int64]
    n_pairs: NDArray[np.int64]


@bare_inlined_jit
def key_of(first, second):  # type: ignore[no-untyped-def]
    return (np.int64(first) << 32 | np.int64(second)) + 1


@bare_inlined_jit
def hash_pair(key, chain):  # type: ignore[no-untyped-def]
    """uint64 whose bits all depend on all bits of key and chain."""
    hashed = (np.uint64(key) ^ np.uint64(chain) * _CHAIN_FACTOR) * _FIRST_FACTOR
    hashed = (hashed ^ hashed >> _HALF) * _SECOND_FACTOR
    return hashed ^ hashed >> _HALF


@bare_inlined_jit
def home_slot(table, hashed):  # type: ignore[no-untyped-def]
    return np.int64(hashed & np.uint64(table.records.shape[0] - 1))


@bare_inlined_jit
def find_pair(table, key, chain, hashed):  # type: ignore[no-untyped-def]
    """The slot of a pair, or -1 - slot with the slot where it belongs."""
    last = table.records.shape[0] - 1
    slot = home_slot(table, hashed)
    while True:
        s = np.uint64(slot)
        found = table.records[s, KEY]
        if found == 0:
            return -1 - slot
        if found == key and table.records[s, NUMBER] >> NUMBER_BITS == chain:
            return slot
        slot = (slot + 1) & last


@bare_inlined_jit
def insert_pair(table, slot, key, chain, number):  # type: ignore[no-untyped-def]
    """Put a pair that is not there in the slot where it belongs."""
    table.records[slot, KEY] = key
    table.records[slot, NUMBER] = chain << NUMBER_BITS | number
    table.n_pairs[0] += 1


@bare_inlined_jit
def number_of(table, first, second, chain):  # type: ignore[no-untyped-def]
    """The number of a pair, or -1."""
    key = key_of(first, second)
    slot = find_pair(table, key, chain, hash_pair(key, chain))
    if slot < 0:
        return np.int64(-1)
    return table.records[slot, NUMBER] & ((1 << NUMBER_BITS) - 1)


@bare_jit
def fill_table(table, records):  # type: ignore[no-untyped-def]
    """Put records of distinct pairs, keys of 0 among them, into a table with room for them."""
    for r in range(records.shape[0]):
        key = records[r, KEY]
        if key != 0:
            chain = records[r, NUMBER] >> NUMBER_BITS
            slot = find_pair(table, key, chain, hash_pair(key, chain))
            table.records[-1 - slot, KEY] = key
            table.records[-1 - slot, NUMBER] = records[r, NUMBER]
            table.n_pairs[0] += 1


def new_pairs(n_pairs: int = FIRST_PAIRS) -> PairTable:
    """An empty table with room for so many pairs at least."""
    require_jit()
    n_slots = 1 << max(2 * n_pairs - 1, 2 * FIRST_PAIRS - 1).bit_length()
    return PairTable(new_pages(2 * n_slots, np.int64).reshape(-1, 2), np.zeros(1, np.int64))


def grown(table: PairTable) -> PairTable:
    """The same pairs with room for twice as many."""
    larger = new_pairs(len(table.records))
    fill_table(larger, table.records)
    return larger


def table_of_pairs(
    firsts: NDArray[np.int64], seconds: NDArray[np.int64], chains: NDArray[np.int64]
) -> PairTable:
    """A table of distinct pairs (n,), each with its place as its number."""
    records = np.empty((len(firsts), 2), np.int64)
    records[:, KEY] = (firsts << 32 | seconds) + 1
    records[:, NUMBER] = chains << NUMBER_BITS | np.arange(len(firsts))
    table = new_pairs(len(firsts))
    fill_table(table, records)
    return table
