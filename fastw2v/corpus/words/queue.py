"""Words on their way from bytes to the table: hashed some at a time, so that cache misses overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.segments import ROW_END
from fastw2v.corpus.words.bytes import ONE, ZERO, hash_word, is_null, load_up_to_8, token_bits
from fastw2v.corpus.words.strings import Lists, Strings
from fastw2v.corpus.words.table import COUNT, DONE, IDS_FULL, find, home_slot, insert
from fastw2v.kernels.intrinsics import prefetch_row, trailing_zeros
from fastw2v.kernels.jit import bare_inlined_jit, bare_jit

ROW, POSITION, NEXT, N_EDGES, N_IDS, KEY, N_NULL, CURSOR_SIZE = 0, 1, 2, 3, 4, 5, 6, 7
# The lookups of a queue overlap: ns a token 62 without one, 38 with 256 tokens; 128 to 1,024 are alike.
QUEUE_TOKENS = 256
EDGES_A_CHUNK = 68  # 64, the end of a row that ends with a token, and two for the row


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
