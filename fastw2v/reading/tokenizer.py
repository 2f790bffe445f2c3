"""From raw UTF-8 bytes to numbered words, in Numba: no Python object is made for a token.

Each worker owns a `WordCounter`: it splits the batches it is given into tokens, counts them in an
open-addressing table, and writes each token's *provisional* id, its entry in that worker's table. When all
text is read, `merge_tables` makes one table of them, and `encoding` turns provisional ids into final ones.

The kernels neither raise nor allocate: they return a status, Python makes room and calls again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.kernels.intrinsics import bits_of_64_bytes, prefetch_row, trailing_zeros
from fastw2v.kernels.jit import bare_inlined_jit, bare_jit, require_jit
from fastw2v.reading.storage import Kept, Shelf, new_pages

ROW_END = -1  # stands after the last provisional id of each row that is not null
MAX_WORDS = 2**31 - 1  # ids are int32
ALL_BITS = 2**64 - 1

DONE, IDS_FULL, TABLE_FULL, ARENA_FULL = 0, -1, -2, -3
PREFIX, MIDDLE, COUNT, FIRST_SEEN = 0, 1, 2, 3
LENGTH_BITS = 16
LONGEST = 2**LENGTH_BITS - 1
ROW, POSITION, NEXT, N_EDGES, N_IDS, KEY, N_NULL, CURSOR_SIZE = 0, 1, 2, 3, 4, 5, 6, 7

# The lookups of a queue overlap: ns a token 62 without one, 38 with 256 tokens; 128 to 1,024 are alike.
QUEUE_TOKENS = 256
EDGES_A_CHUNK = 68  # 64, the end of a row that ends with a token, and two for the row
BLOCK_IDS = 1 << 19  # a huge page
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


class Queue(NamedTuple):
    """Tokens found but not yet looked up: the lookups' cache misses then overlap.

    edges     int64 (2 n + EDGES_A_CHUNK,): token k is data[edges[2 k]:edges[2 k + 1]]; two ROW_END end a row
    prefixes  uint64 (n + …,), the first 8 bytes, little-endian, padded with zeros
    middles   uint64 (n + …,), the next 8
    hashes    uint64 (n + …,)
    """

    edges: NDArray[np.int64]
    prefixes: NDArray[np.uint64]
    middles: NDArray[np.uint64]
    hashes: NDArray[np.uint64]


class Segment(NamedTuple):
    """Provisional ids of one batch or a part of it, as one worker numbered them.

    ordinal     place of the batch in the corpus
    worker      whose table the ids refer to
    generation  how often that table had been pruned
    ids         int32 (n,), entries and ROW_END, as a Shelf keeps them
    """

    ordinal: int
    worker: int
    generation: int
    ids: Kept


class Loss(NamedTuple):
    """What was dropped while counting: words (one may go more than once) and their tokens.

    short_by   what the count of a word may lack at most
    """

    n_dropped: int = 0
    n_dropped_tokens: int = 0
    short_by: int = 0


def sum_of(losses: Iterable[Loss]) -> Loss:
    """All together."""
    return Loss(*map(sum, zip(Loss(), *losses, strict=True)))


# --- bytes ---

ZERO, ONE, EIGHT, THIRTY_TWO, EVERY_BIT = (np.uint64(n) for n in (0, 1, 8, 32, ALL_BITS))
CHUNK = 64  # bytes looked at together; data must have as many
LOW_BYTES = np.array([2 ** (8 * n) - 1 for n in range(9)], np.uint64)  # masks of the first n bytes
GOLDEN = np.uint64(0x9E3779B97F4A7C15)

white_bits = bits_of_64_bytes((9, 13), (28, 32))  # ASCII white space, as str.isspace has it
maybe_white_bits = bits_of_64_bytes((0xC2, 0xC2), (0xE1, 0xE3))  # first bytes of the white space beyond it


@bare_inlined_jit
def load_8(data, start):  # type: ignore[no-untyped-def]
    """Bytes start to start + 7, little-endian, as uint64; LLVM makes one load of it."""
    i = np.uint64(start)
    low = np.uint64(0)
    for k in range(8):
        low |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return low


@bare_inlined_jit
def load_up_to_8(data, start, length):  # type: ignore[no-untyped-def]
    """The first 8 of length bytes, little-endian, padded with zeros, as uint64; 0 for a negative length.

    Without a branch: near the end of the data it loads the last 8 bytes and shifts.
    """
    place = min(start, data.size - 8)
    word = load_8(data, place) >> np.uint64(8 * (start - place) & 63)
    return word & LOW_BYTES[np.uint64(min(max(length, 0), 8))]


@bare_inlined_jit
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


@bare_inlined_jit
def with_wide_spaces(data, position, stop, white, maybe):  # type: ignore[no-untyped-def]
    """Bits of white space with that beyond ASCII, and for how many bytes they hold.

    maybe has bits where such a character may start. They hold up to one that goes on after the chunk.
    """
    used = min(CHUNK, stop - position)
    while maybe != ZERO:
        bit = trailing_zeros(maybe)
        maybe &= maybe - ONE
        if bit >= used:
            break
        width = wide_space(data, position + bit, stop)
        if bit + width > CHUNK:
            used = bit
            break
        white |= ((ONE << np.uint64(width)) - ONE) << np.uint64(bit)
    return white, used


@bare_inlined_jit
def token_bits(data, position, stop):  # type: ignore[no-untyped-def]
    """Bits of the bytes from position < stop on that are not white space, and for how many bytes they hold.

    At most CHUNK, not beyond stop, at least one; the bits after those are 0.
    """
    place = min(position, data.size - CHUNK)
    shift = np.uint64(position - place)
    white, used = white_bits(data, place) >> shift, min(CHUNK, stop - position)
    maybe = maybe_white_bits(data, place) >> shift
    if maybe != ZERO:
        white, used = with_wide_spaces(data, position, stop, white, maybe)
    return ~white & (EVERY_BIT >> np.uint64(CHUNK - used)), used


@bare_inlined_jit
def mixed(h):  # type: ignore[no-untyped-def]
    """One round of multiplicative hashing of a uint64: the high bits depend on all, and are folded down."""
    h *= GOLDEN
    return h ^ (h >> THIRTY_TWO)


@bare_inlined_jit
def hash_word(data, start, length, prefix, middle):  # type: ignore[no-untyped-def]
    """uint64 hash of length bytes of which prefix holds the first 8 and middle the next."""
    h = mixed(mixed(prefix ^ np.uint64(length)) ^ middle)
    for k in range(16, length, 8):
        h = mixed(h ^ load_up_to_8(data, start + k, length - k))
    return h


@bare_inlined_jit
def is_null(validity, bit):  # type: ignore[no-untyped-def]
    """Whether Arrow's validity bitmap has a 0 there; an empty bitmap has no nulls."""
    return validity.size > 0 and (validity[bit >> 3] >> np.uint8(bit & 7)) & 1 == 0


# --- the table ---


@bare_inlined_jit
def same_bytes(left, i, right, j, n):  # type: ignore[no-untyped-def]
    for k in range(n):  # noqa: SIM110 (Numba has no generator expressions)
        if left[np.uint64(i + k)] != right[np.uint64(j + k)]:
            return False
    return True


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


# --- reading a batch ---


@bare_inlined_jit
def queue_texts(texts, queue, cursor):  # type: ignore[no-untyped-def]
    """Queue the edges of the next tokens of Strings, split as str.split() does.

    Goes on from cursor[ROW] and [POSITION]; with cursor[N_EDGES] odd, the last token is still open.
    """
    data, edges, row, position = texts.data, queue.edges, cursor[ROW], cursor[POSITION]
    n = cursor[N_EDGES] & 1
    edges[0] = edges[max(cursor[N_EDGES] - 1, 0)]
    n_rows, room = texts.offsets.size - 1, edges.size - EDGES_A_CHUNK
    while row < n_rows and n < room:
        stop = texts.offsets[np.uint64(row + 1)]
        if is_null(texts.validity, texts.first_bit + row):
            cursor[N_NULL] += 1
            position, row = stop, row + 1
            continue
        while position < stop and n < room:
            inside, used = token_bits(data, position, stop)
            changes = inside ^ (inside << ONE | np.uint64(n & 1))
            while changes != ZERO:
                edges[np.uint64(n)] = position + trailing_zeros(changes)
                changes &= changes - ONE
                n += 1
            position += used
        if position >= stop:
            if n & 1:
                edges[n] = stop
                n += 1
            edges[n] = edges[n + 1] = ROW_END
            n, row = n + 2, row + 1
    cursor[ROW], cursor[POSITION], cursor[N_EDGES], cursor[NEXT] = row, position, n, 0


@bare_inlined_jit
def queue_items(lists, queue, cursor):  # type: ignore[no-untyped-def]
    """Queue the next items of Lists as they are, from list cursor[ROW] and item cursor[POSITION] on."""
    row, item, n = cursor[ROW], cursor[POSITION], 0
    items, edges = lists.items, queue.edges
    while row < lists.offsets.size - 1 and n < edges.size - EDGES_A_CHUNK:
        stop = lists.offsets[row + 1]
        if is_null(lists.validity, lists.first_bit + row):
            cursor[N_NULL] += 1
            item, row = stop, row + 1
        elif item == stop:
            edges[n] = edges[n + 1] = ROW_END
            row, n = row + 1, n + 2
        elif is_null(items.validity, items.first_bit + item):
            cursor[N_NULL] += 1
            item += 1
        else:
            edges[n], edges[n + 1] = items.offsets[item], items.offsets[item + 1]
            item, n = item + 1, n + 2
    cursor[ROW], cursor[POSITION], cursor[N_EDGES], cursor[NEXT] = row, item, n, 0


@bare_inlined_jit
def hash_queued(data, queue, n_queued):  # type: ignore[no-untyped-def]
    """Load and hash the queued tokens."""
    for k in range(n_queued):
        i = np.uint64(k)
        start = max(queue.edges[i + i], 0)
        length = max(queue.edges[i + i + ONE], 0) - start
        prefix = load_up_to_8(data, start, length)
        middle = load_up_to_8(data, start + 8, length - 8)
        queue.prefixes[i], queue.middles[i] = prefix, middle
        queue.hashes[i] = hash_word(data, start, length, prefix, middle)


@bare_inlined_jit
def touch(table, queue, n_queued):  # type: ignore[no-untyped-def]
    """Ask for what the lookups will need, without waiting, so that their cache misses overlap."""
    for k in range(n_queued):
        entry = np.int64(table.slots[np.uint64(home_slot(table, queue.hashes[k]))])
        prefetch_row(table.records, max(entry, 0), 0)


@bare_inlined_jit
def number_queued(table, data, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Count the queued tokens and write their entries to ids; a status other than DONE asks for room."""
    k, n, key = cursor[NEXT], cursor[N_IDS], cursor[KEY]
    n_queued = cursor[N_EDGES] >> 1
    status = DONE
    while k < n_queued:
        if n == ids.size:
            status = IDS_FULL
            break
        i = np.uint64(k)
        start = queue.edges[i + i]
        entry = np.int64(ROW_END)
        if start >= 0:
            length = queue.edges[i + i + ONE] - start
            prefix, middle = queue.prefixes[i], queue.middles[i]
            entry = find(table, data, start, length, prefix, middle, queue.hashes[i])
            if entry < 0:
                entry = insert(table, data, start, length, prefix, middle, -1 - entry, key)
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


@bare_jit
def number_texts(texts, table, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Number the tokens of Strings from the cursor on. Not DONE: make room, call again."""
    while True:
        n_queued = cursor[N_EDGES] >> 1
        if cursor[NEXT] == n_queued:
            queue_texts(texts, queue, cursor)
            n_queued = cursor[N_EDGES] >> 1
            if n_queued == 0:
                return DONE
            hash_queued(texts.data, queue, n_queued)
            touch(table, queue, n_queued)
        status = number_queued(table, texts.data, queue, cursor, ids)
        if status != DONE:
            return status


@bare_jit
def number_lists(lists, table, queue, cursor, ids):  # type: ignore[no-untyped-def]
    """Number the items of Lists from the cursor on. Not DONE: make room, call again."""
    while True:
        n_queued = cursor[N_EDGES] >> 1
        if cursor[NEXT] == n_queued:
            queue_items(lists, queue, cursor)
            n_queued = cursor[N_EDGES] >> 1
            if n_queued == 0:
                return DONE
            hash_queued(lists.items.data, queue, n_queued)
            touch(table, queue, n_queued)
        status = number_queued(table, lists.items.data, queue, cursor, ids)
        if status != DONE:
            return status


def new_queue(n_tokens: int = QUEUE_TOKENS) -> Queue:
    edges = np.zeros(2 * n_tokens + EDGES_A_CHUNK, np.int64)
    prefixes, middles, hashes = np.zeros((3, len(edges) // 2 + 1), np.uint64)
    return Queue(edges, prefixes, middles, hashes)


def most_tokens(batch: Strings | Lists) -> int:
    """An upper bound of the tokens in a batch, known before it is split: its bytes, or its items."""
    return int(batch.offsets[-1] - batch.offsets[0])


class WordCounter:
    """One worker's words, and its provisional ids of the batches it was given, in rising order.

    table     the distinct words so far, but for rare ones where they outgrow table_bytes
    segments  the provisional ids, in the order of the calls
    prunings  for each time the table was pruned int32 (n_words,): entry before to entry after, or -1
    loss      what that took away
    n_tokens  tokens so far
    n_null    null rows and null list items so far
    """

    def __init__(
        self,
        worker: int = 0,
        *,
        shelf: Shelf | None = None,
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
        self.loss = Loss()
        self._shelf = shelf or Shelf()
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
                self._free = self._shelf.new_block(self._block_ids)
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
        self.loss = sum_of([self.loss, Loss(len(dropped), int(dropped.sum()), self._floor)])
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
            kept, self._free = self._shelf.keep(self._free, n_ids)
            self.segments.append(Segment(ordinal, self.worker, len(self.prunings), kept))
        cursor[N_IDS] = 0


def with_a_chunk(texts: Strings) -> Strings:
    """The same strings, with zeros after their bytes where these are fewer than are looked at together."""
    if len(texts.data) >= CHUNK:
        return texts
    data = np.zeros(CHUNK, np.uint8)
    data[: len(texts.data)] = texts.data
    return texts._replace(data=read_only(data))


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
