"""From raw UTF-8 bytes to numbered words, in Numba: no Python object is made for a token.

Each worker owns a `WordCounter`: it splits the batches it is given into tokens, counts them in an
open-addressing table, and writes each token's *provisional* id, its entry in that worker's table. When all
text is read, `merge_tables` makes one table of them and `encode` turns provisional ids into final ones.

The kernels neither raise nor allocate: they return a status, Python makes room and calls again.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.kernels.jit import inlined_jit, jit

ROW_END = -1  # stands after the last provisional id of each row that is not null
MAX_WORDS = 2**31 - 1  # ids are int32
ALL_BITS = 2**64 - 1

DONE, IDS_FULL, TABLE_FULL, ARENA_FULL = 0, -1, -2, -3
PREFIX, LENGTH, COUNT, FIRST_SEEN = 0, 1, 2, 3
ROW, POSITION, NEXT, N_QUEUED, N_IDS, KEY, N_NULL, TOUCHED, CURSOR_SIZE = 0, 1, 2, 3, 4, 5, 6, 7, 8

# Measured with 284,537 distinct words, ns a token: no queue 62, 64 tokens 41, 256 tokens 38.
QUEUE_TOKENS = 256
BLOCK_IDS = 1 << 18  # a worker wastes at most one block: 1 MB
FIRST_WORDS, FIRST_BYTES = 1 << 15, 1 << 18


class Strings(NamedTuple):
    """Byte strings back to back, as Arrow keeps them; every array is read-only.

    data       uint8 (n_bytes,)
    offsets    int64 (n_strings + 1,): string i is data[offsets[i]:offsets[i + 1]]
    validity   uint8, bit first_bit + i is 0 where string i is null; empty when none is null
    first_bit  int
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    validity: NDArray[np.uint8]
    first_bit: int


class Lists(NamedTuple):
    """Lists of strings, as Arrow keeps them; every array is read-only.

    offsets    int64 (n_lists + 1,): list i holds the items offsets[i] to offsets[i + 1] − 1
    validity   uint8, bit first_bit + i is 0 where list i is null; empty when none is null
    first_bit  int
    items      Strings
    """

    offsets: NDArray[np.int64]
    validity: NDArray[np.uint8]
    first_bit: int
    items: Strings


class Table(NamedTuple):
    """Distinct words by entry number, in the order of insertion, and a hash table over them.

    slots      int32 (2^n,), an entry or -1; linear probing, at most half full
    records    int64 (capacity, 4): first 8 bytes of the word, its length in bytes, its count, and the key of
               its first occurrence. One cache line decides about a word of up to 8 bytes and counts it.
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


class Queue(NamedTuple):
    """Tokens found but not yet looked up: the lookups' cache misses then overlap.

    starts    int64 (n,), first byte in the data
    lengths   int64 (n,), bytes; -1 marks the end of a row
    prefixes  uint64 (n,), the first 8 bytes, little-endian, padded with zeros
    hashes    uint64 (n,)
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    prefixes: NDArray[np.uint64]
    hashes: NDArray[np.uint64]


class Segment(NamedTuple):
    """Provisional ids of one batch or a part of it, as one worker numbered them.

    ordinal  place of the batch in the corpus
    worker   whose table the ids refer to
    ids      int32 (n,), entries and ROW_END
    """

    ordinal: int
    worker: int
    ids: NDArray[np.int32]


# --- bytes ---

SPACE, MAYBE_SPACE = 1, 2
BYTE_CLASS = np.zeros(256, np.uint8)
BYTE_CLASS[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = SPACE
BYTE_CLASS[[0xC2, 0xE1, 0xE2, 0xE3]] = MAYBE_SPACE  # first bytes of the white space beyond ASCII

ONE, SEVEN, THIRTY_TWO, FIFTY_SIX = (np.uint64(n) for n in (1, 7, 32, 56))
EACH_BYTE = np.uint64(0x0101010101010101)
EACH_TOP_BIT = np.uint64(0x8080808080808080)
EACH_21 = np.uint64(0x2121212121212121)
EACH_C2, EACH_E1 = np.uint64(0xC2C2C2C2C2C2C2C2), np.uint64(0xE1E1E1E1E1E1E1E1)
EACH_E2, EACH_E3 = np.uint64(0xE2E2E2E2E2E2E2E2), np.uint64(0xE3E3E3E3E3E3E3E3)
BYTE_NUMBERS = np.uint64(0x0001020304050607)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined_jit
def load_8(data, start):  # type: ignore[no-untyped-def]
    """Bytes start to start + 7, little-endian, as uint64; LLVM makes one load of it."""
    i = np.uint64(start)
    low = np.uint64(0)
    for k in range(8):
        low |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return low


@inlined_jit
def load_up_to_8(data, start, length):  # type: ignore[no-untyped-def]
    """The first 8 of length bytes, little-endian, padded with zeros, as uint64."""
    if start + 8 <= data.size:
        word = load_8(data, start)
        return word if length >= 8 else word & ((ONE << np.uint64(8 * length)) - ONE)
    word = np.uint64(0)
    for k in range(min(length, 8)):
        word |= np.uint64(data[start + k]) << np.uint64(8 * k)
    return word


@inlined_jit
def zero_bytes(word):  # type: ignore[no-untyped-def]
    """Top bits of the zero bytes of a uint64; the lowest bit set is exact, those above may not be."""
    return (word - EACH_BYTE) & ~word & EACH_TOP_BIT


@inlined_jit
def remarkable_bytes(word):  # type: ignore[no-untyped-def]
    """Top bits of the bytes that may start white space; exact as in `zero_bytes`."""
    found = (word - EACH_21) & ~word & EACH_TOP_BIT
    if word & EACH_TOP_BIT:
        found |= zero_bytes(word ^ EACH_C2) | zero_bytes(word ^ EACH_E1)
        found |= zero_bytes(word ^ EACH_E2) | zero_bytes(word ^ EACH_E3)
    return found


@inlined_jit
def lowest_byte(found):  # type: ignore[no-untyped-def]
    """Number of the byte whose top bit is the lowest one set in a uint64 that is not 0."""
    bit_0 = (found & (~found + ONE)) >> SEVEN
    return np.int64((bit_0 * BYTE_NUMBERS) >> FIFTY_SIX)


@inlined_jit
def wide_space(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the white space beyond ASCII that starts at i, or 0."""
    first = data[i]
    second = data[i + 1] if i + 1 < stop else 0
    third = data[i + 2] if i + 2 < stop else 0
    if first == 0xC2:  # U+0085, U+00A0
        return 2 if second == 0x85 or second == 0xA0 else 0
    if first == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if first == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x81:  # U+205F
        return 3 if third == 0x9F else 0
    in_u2000 = 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
    return 3 if second == 0x80 and in_u2000 else 0  # U+2000 to U+200A, U+2028, U+2029, U+202F


@inlined_jit
def space_width(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the white space character (as str.isspace has it) that starts at i, or 0."""
    byte_class = BYTE_CLASS[data[np.uint64(i)]]
    if byte_class == MAYBE_SPACE:
        return wide_space(data, i, stop)
    return 1 if byte_class == SPACE else 0


@inlined_jit
def token_start(data, position, stop):  # type: ignore[no-untyped-def]
    """The first byte from position on that is not white space, or stop."""
    while position < stop:
        width = space_width(data, position, stop)
        if width == 0:
            break
        position += width
    return position


@inlined_jit
def token_end(data, position, stop):  # type: ignore[no-untyped-def]
    """The first byte of white space from position on, or stop."""
    while position + 8 <= stop:
        found = remarkable_bytes(load_8(data, position))
        if found == 0:
            position += 8
            continue
        position += lowest_byte(found)
        if space_width(data, position, stop):
            return position
        position += 1
    while position < stop and space_width(data, position, stop) == 0:
        position += 1
    return position


@inlined_jit
def mixed(h):  # type: ignore[no-untyped-def]
    """One round of multiplicative hashing of a uint64: the high bits depend on all, and are folded down."""
    h *= GOLDEN
    return h ^ (h >> THIRTY_TWO)


@inlined_jit
def hash_bytes(data, start, length, prefix):  # type: ignore[no-untyped-def]
    """uint64 hash of length bytes of which prefix holds the first 8."""
    h = mixed(prefix ^ np.uint64(length))
    for k in range(8, length, 8):
        h = mixed(h ^ load_up_to_8(data, start + k, length - k))
    return h


@inlined_jit
def is_null(validity, bit):  # type: ignore[no-untyped-def]
    """Whether Arrow's validity bitmap has a 0 there; an empty bitmap has no nulls."""
    return validity.size > 0 and (validity[bit >> 3] >> np.uint8(bit & 7)) & 1 == 0


# --- the table ---


@inlined_jit
def same_bytes(left, i, right, j, n):  # type: ignore[no-untyped-def]
    for k in range(n):  # noqa: SIM110 (Numba has no generator expressions)
        if left[np.uint64(i + k)] != right[np.uint64(j + k)]:
            return False
    return True


@inlined_jit
def home_slot(table, hashed):  # type: ignore[no-untyped-def]
    return np.int64(hashed & table.hash_mask & np.uint64(table.slots.size - 1))


@inlined_jit
def find(table, data, start, length, prefix, hashed):  # type: ignore[no-untyped-def]
    """Entry of a word, or -1 - slot with the slot where it belongs; equal means equal bytes."""
    last = table.slots.size - 1
    slot = home_slot(table, hashed)
    while True:
        entry = np.uint64(table.slots[np.uint64(slot)])
        if table.slots[np.uint64(slot)] < 0:
            return -1 - slot
        if table.records[entry, LENGTH] == length and table.records[entry, PREFIX] == np.int64(prefix):
            beyond = length - 8
            if beyond <= 0 or same_bytes(table.arena, table.ends[entry] + 8, data, start + 8, beyond):
                return np.int64(entry)
        slot = (slot + 1) & last


@inlined_jit
def insert(table, data, start, length, prefix, slot, key):  # type: ignore[no-untyped-def]
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
    table.records[entry, LENGTH] = length
    table.records[entry, COUNT] = 0
    table.records[entry, FIRST_SEEN] = key
    table.slots[slot] = entry
    table.n_words[0] = entry + 1
    return entry


@jit
def fill_slots(table):  # type: ignore[no-untyped-def]
    """Put every entry of the table in its slot; all slots are empty before."""
    last = table.slots.size - 1
    for entry in range(table.n_words[0]):
        start, prefix = table.ends[entry], np.uint64(table.records[entry, PREFIX])
        slot = home_slot(table, hash_bytes(table.arena, start, table.records[entry, LENGTH], prefix))
        while table.slots[slot] >= 0:
            slot = (slot + 1) & last
        table.slots[slot] = entry


def new_pages(n: int, dtype: type[np.generic]) -> NDArray[Any]:
    """An array of n zeros in pages of its own, which go back to the system when it is dropped.

    malloc keeps part of what is freed: 56 MB more after reading 17 million words. Raises MemoryError.
    """
    n_bytes = max(n, 1) * np.dtype(dtype).itemsize
    try:
        pages = mmap.mmap(-1, n_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no {n_bytes:,} bytes for words") from error
    return np.frombuffer(pages, dtype)


def new_table(hash_mask: int = ALL_BITS) -> Table:
    """An empty table. hash_mask   bits of the hash that count; fewer only make it slower."""
    table = Table(
        slots=new_pages(2 * FIRST_WORDS, np.int32),
        records=new_pages(4 * FIRST_WORDS, np.int64).reshape(-1, 4),
        ends=new_pages(FIRST_WORDS + 1, np.int64),
        arena=new_pages(FIRST_BYTES, np.uint8),
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


# --- reading a batch ---


@inlined_jit
def queue_token(queue, n, data, start, length):  # type: ignore[no-untyped-def]
    prefix = load_up_to_8(data, start, length)
    i = np.uint64(n)
    queue.starts[i], queue.lengths[i], queue.prefixes[i] = start, length, prefix
    queue.hashes[i] = hash_bytes(data, start, length, prefix)


@inlined_jit
def queue_texts(texts, queue, cursor):  # type: ignore[no-untyped-def]
    """Queue the next tokens of Strings, split as str.split() does, from cursor[ROW] and [POSITION] on."""
    row, position, n = cursor[ROW], cursor[POSITION], 0
    n_rows, room = texts.offsets.size - 1, queue.starts.size
    while row < n_rows and n < room:
        stop = texts.offsets[np.uint64(row + 1)]
        if is_null(texts.validity, texts.first_bit + row):
            cursor[N_NULL] += 1
            position, row = stop, row + 1
            continue
        start = token_start(texts.data, position, stop)
        while start < stop and n < room:
            position = token_end(texts.data, start, stop)
            queue_token(queue, n, texts.data, start, position - start)
            n += 1
            start = token_start(texts.data, position, stop)
        position = start
        if n < room:
            queue.lengths[np.uint64(n)] = ROW_END
            row += 1
            n += 1
    cursor[ROW], cursor[POSITION], cursor[N_QUEUED], cursor[NEXT] = row, position, n, 0


@inlined_jit
def queue_items(lists, queue, cursor):  # type: ignore[no-untyped-def]
    """Queue the next items of Lists as they are, from list cursor[ROW] and item cursor[POSITION] on."""
    row, item, n = cursor[ROW], cursor[POSITION], 0
    items = lists.items
    while row < lists.offsets.size - 1 and n < queue.starts.size:
        stop = lists.offsets[row + 1]
        if is_null(lists.validity, lists.first_bit + row):
            cursor[N_NULL] += 1
            item, row = stop, row + 1
        elif item == stop:
            queue.lengths[n] = ROW_END
            row, n = row + 1, n + 1
        elif is_null(items.validity, items.first_bit + item):
            cursor[N_NULL] += 1
            item += 1
        else:
            start = items.offsets[item]
            queue_token(queue, n, items.data, start, items.offsets[item + 1] - start)
            item, n = item + 1, n + 1
    cursor[ROW], cursor[POSITION], cursor[N_QUEUED], cursor[NEXT] = row, item, n, 0


@inlined_jit
def touch(table, queue, cursor):  # type: ignore[no-untyped-def]
    """Load what the lookups will need, without a branch between loads, so that their cache misses overlap."""
    seen = np.int64(0)
    for k in range(cursor[N_QUEUED]):
        entry = table.slots[np.uint64(home_slot(table, queue.hashes[k]))]
        seen ^= table.records[np.uint64(max(entry, 0)), LENGTH]
    cursor[TOUCHED] = seen  # or LLVM removes the loop


@inlined_jit
def number_queued(table, data, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Count the queued tokens and write their entries to ids; a status other than DONE asks for room."""
    k, n, key = cursor[NEXT], cursor[N_IDS], cursor[KEY]
    n_queued = cursor[N_QUEUED]
    status = DONE
    while k < n_queued:
        if n == ids.size:
            status = IDS_FULL
            break
        i = np.uint64(k)
        start, length = queue.starts[i], queue.lengths[i]
        entry = np.int64(ROW_END)
        if length >= 0:
            prefix = queue.prefixes[i]
            entry = find(table, data, start, length, prefix, queue.hashes[i])
            if entry < 0:
                entry = insert(table, data, start, length, prefix, -1 - entry, key)
                if entry < 0:
                    status = entry
                    break
            table.records[np.uint64(entry), COUNT] += 1
            key += 1
        ids[np.uint64(n)] = entry
        n += 1
        k += 1
    cursor[NEXT], cursor[N_IDS], cursor[KEY] = k, n, key
    return status


@jit
def number_texts(texts, table, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Number the tokens of Strings from the cursor on. Not DONE: make room, call again."""
    while True:
        if cursor[NEXT] == cursor[N_QUEUED]:
            queue_texts(texts, queue, cursor)
            if cursor[N_QUEUED] == 0:
                return DONE
            touch(table, queue, cursor)
        status = number_queued(table, texts.data, queue, cursor, ids)
        if status != DONE:
            return status


@jit
def number_lists(lists, table, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Number the items of Lists from the cursor on. Not DONE: make room, call again."""
    while True:
        if cursor[NEXT] == cursor[N_QUEUED]:
            queue_items(lists, queue, cursor)
            if cursor[N_QUEUED] == 0:
                return DONE
            touch(table, queue, cursor)
        status = number_queued(table, lists.items.data, queue, cursor, ids)
        if status != DONE:
            return status


def new_queue(n_tokens: int = QUEUE_TOKENS) -> Queue:
    starts, lengths = np.zeros((2, n_tokens), np.int64)
    prefixes, hashes = np.zeros((2, n_tokens), np.uint64)
    return Queue(starts, lengths, prefixes, hashes)


def most_tokens(batch: Strings | Lists) -> int:
    """An upper bound of the tokens in a batch, known before it is split: its bytes, or its items."""
    return int(batch.offsets[-1] - batch.offsets[0])


class WordCounter:
    """One worker's words, and its provisional ids of the batches it was given, in rising order.

    table     the distinct words so far
    segments  the provisional ids, in the order of the calls
    n_tokens  tokens so far
    n_null    null rows and null list items so far
    """

    def __init__(self, worker: int = 0, hash_mask: int = ALL_BITS, block_ids: int = BLOCK_IDS) -> None:
        self.worker = worker
        self.table = new_table(hash_mask)
        self.n_tokens = 0
        self.n_null = 0
        self.segments: list[Segment] = []
        self._queue = new_queue()
        self._block_ids = block_ids
        self._free = np.empty(0, np.int32)

    def read(self, batch: Strings | Lists, ordinal: int = 0, first_key: int = 0) -> None:
        """Split, count and number a batch.

        ordinal    place of the batch in the corpus, higher than those before
        first_key  orders first occurrences over batches: at least the previous one's plus its `most_tokens`
        """
        number = number_lists if isinstance(batch, Lists) else number_texts
        cursor = np.zeros(CURSOR_SIZE, np.int64)
        cursor[POSITION], cursor[KEY] = batch.offsets[0], first_key
        while (status := number(batch, self.table, self._queue, cursor, self._free)) != DONE:
            self._make_room(status, ordinal, cursor)
        self._close_segment(ordinal, cursor)
        self.n_null += int(cursor[N_NULL])
        self.n_tokens += int(cursor[KEY]) - first_key

    def _make_room(self, status: int, ordinal: int, cursor: NDArray[np.int64]) -> None:
        if status == TABLE_FULL:
            self.table = with_more_words(self.table)
        elif status == ARENA_FULL:
            self.table = with_more_bytes(self.table, int(self._queue.lengths[cursor[NEXT]]))
        else:
            self._close_segment(ordinal, cursor)
            self._free = new_pages(self._block_ids, np.int32)

    def _close_segment(self, ordinal: int, cursor: NDArray[np.int64]) -> None:
        n_ids = int(cursor[N_IDS])
        if n_ids:
            self.segments.append(Segment(ordinal, self.worker, self._free[:n_ids]))
            self._free = self._free[n_ids:]
        cursor[N_IDS] = 0


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, typed by Numba like Arrow's, so that a kernel is compiled once and not for both."""
    array.setflags(write=False)
    return array


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


# --- after the last batch ---


@jit
def add_words(table, other, entries, first):  # type: ignore[no-untyped-def]
    """Add the words of another table, from entry first on, to a table; entries[e] becomes the entry there.

    Returns how many entries are done and a status: call again with room where it is not DONE.
    """
    for e in range(first, other.n_words[0]):
        start, length = other.ends[e], other.records[e, LENGTH]
        prefix = np.uint64(other.records[e, PREFIX])
        hashed = hash_bytes(other.arena, start, length, prefix)
        entry = find(table, other.arena, start, length, prefix, hashed)
        if entry < 0:
            entry = insert(
                table, other.arena, start, length, prefix, -1 - entry, other.records[e, FIRST_SEEN]
            )
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
            if status == TABLE_FULL:
                merged = with_more_words(merged)
            else:
                merged = with_more_bytes(merged, int(other.records[done, LENGTH]))
            done, status = add_words(merged, other, entries, done)
        mappings.append(entries)
    return merged, mappings


def words_of(table: Table, entries: NDArray[np.int64]) -> list[str]:
    """The words of some entries. Raises UnicodeDecodeError, whose `object` is the word that is not UTF-8."""
    arena = table.arena[: table.ends[table.n_words[0]]].tobytes()
    starts, stops = table.ends[entries].tolist(), table.ends[entries + 1].tolist()
    return [arena[start:stop].decode() for start, stop in zip(starts, stops, strict=True)]


@jit
def encode_segment(provisional, mapping, ids, offsets, n_done):  # type: ignore[no-untyped-def]
    """Append the final ids of a segment; n_done is int64 (ids, sentences) so far, and is updated."""
    n, n_sentences = n_done
    for entry in provisional:
        if entry == ROW_END:
            if n > offsets[n_sentences]:
                n_sentences += 1
                offsets[n_sentences] = n
        elif mapping[entry] >= 0:
            ids[n] = mapping[entry]
            n += 1
    n_done[0], n_done[1] = n, n_sentences


def encode(
    segments: list[Segment], mappings: Sequence[NDArray[np.int32]], n_ids: int, n_rows: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Final ids int32 (n_ids,) and offsets int64 (n_sentences + 1,) of all rows in the order of the corpus.

    Words mapped to -1 are left out, and so are rows without any word. `segments` is emptied on the way: the
    provisional ids are given back while the final ones fill, so that memory holds them once.

    segments  of all workers, in the order in which each of them made its own
    mappings  for each worker int32 (n_words,): entry to final id, or -1
    n_ids     the tokens that have a final id
    n_rows    at least the rows that are not null
    """
    segments.sort(key=lambda segment: segment.ordinal)
    segments.reverse()
    ids, offsets, n_done = np.empty(n_ids, np.int32), np.zeros(n_rows + 1, np.int64), np.zeros(2, np.int64)
    while segments:
        segment = segments.pop()
        encode_segment(segment.ids, mappings[segment.worker], ids, offsets, n_done)
    return ids, offsets[: n_done[1] + 1].copy()
