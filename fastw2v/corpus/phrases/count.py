"""How often each pair of words stands together, counted by several workers in bounded memory.

The pairs are dealt by their hashes: each worker walks the whole text and counts the pairs of its part of
the hashes, so that none needs a lock and nothing is to be merged: 2.0 ns a token to walk, 13 with counting
all 3.9 million pairs of 17 million tokens. A part whose pairs outgrow its memory is cut in two, counted one
after the other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.phrases.chains import (
    CHAIN,
    CONNECTOR,
    POSITION,
    PREVIOUS,
    RARE,
    SENTENCE,
    Text,
    new_cursor,
    ranges_of,
)
from fastw2v.corpus.phrases.table import (
    BYTES_A_PAIR,
    FIRST_PAIRS,
    KEY,
    NUMBER,
    NUMBER_BITS,
    PairTable,
    find_pair,
    grown,
    hash_pair,
    home_slot,
    insert_pair,
    key_of,
    new_pairs,
    number_of,
)
from fastw2v.errors import OutputError
from fastw2v.kernels.intrinsics import prefetch_row
from fastw2v.kernels.jit import bare_jit

HASHES = 1 << 32  # parts are cut from the upper halves of hashes
QUEUE_PAIRS = 256  # looked up together, so that their cache misses overlap, as in `words.queue`
TOKENS_A_PAIR = 4  # of a text, about: what a table has room for at first
PROGRESS_SECONDS = 0.1


class Pairs(NamedTuple):
    """Pairs of words, in any order.

    firsts, seconds  int64 (n,), ids of the two words
    chains           int64 (n,), the chain of connector words between them
    counts           int64 (n,)
    """

    firsts: NDArray[np.int64]
    seconds: NDArray[np.int64]
    chains: NDArray[np.int64]
    counts: NDArray[np.int64]


@bare_jit
def count_pairs(text, chains, part, table, queue, cursor, stop):  # type: ignore[no-untyped-def]
    """Count the pairs of a part up to a position; ends before it where the table may be too small.

    part   int64 (2,): the upper halves of the hashes from one to below the other
    queue  int64 (3, QUEUE_PAIRS), of the kernel's own
    """
    position, sentence = cursor[POSITION], cursor[SENTENCE]
    previous, chain = cursor[PREVIOUS], cursor[CHAIN]
    end = text.offsets[sentence + 1]
    n_slots, first, last = table.records.shape[0], part[0], part[1]
    while position < stop and 2 * (table.n_pairs[0] + QUEUE_PAIRS) <= n_slots:
        n_queued = 0
        while position < stop and n_queued < QUEUE_PAIRS:
            if position == end:
                sentence += 1
                end, previous = text.offsets[sentence + 1], -1
            word = np.int64(text.ids[position])
            role = text.roles[word]
            position += 1
            if role & CONNECTOR:
                if previous >= 0:
                    chain = number_of(chains, chain, word, 0)
                continue
            if role & RARE:
                previous = -1
                continue
            if previous >= 0:
                key = key_of(previous, word)
                hashed = hash_pair(key, chain)
                if first <= np.int64(hashed >> np.uint64(32)) < last:
                    queue[0, n_queued], queue[1, n_queued], queue[2, n_queued] = key, chain, np.int64(hashed)
                    prefetch_row(table.records, home_slot(table, hashed), 0)
                    n_queued += 1
            previous, chain = word, 0
        for k in range(n_queued):
            key, chain_between, hashed = queue[0, k], queue[1, k], np.uint64(queue[2, k])
            slot = find_pair(table, key, chain_between, hashed)
            if slot >= 0:
                table.records[slot, NUMBER] += 1
            else:
                insert_pair(table, -1 - slot, key, chain_between, 1)
    cursor[POSITION], cursor[SENTENCE] = position, sentence
    cursor[PREVIOUS], cursor[CHAIN] = previous, chain


class PartFullError(Exception):
    """The pairs of a part take more memory than it has."""


class PairCounter:
    """Counts the pairs of a text, part after part.

    n_distinct  pairs that there are, rare ones too
    choose      the pairs to keep, of the pairs of a part; called by the workers
    """

    def __init__(
        self,
        text: Text,
        chains: PairTable,
        choose: Callable[[Pairs], NDArray[np.bool_]],
        *,
        threads: int,
        table_bytes: int,
    ) -> None:
        self.text, self.chains, self.choose = text, chains, choose
        self.threads, self.table_bytes = threads, table_bytes
        self.n_distinct = 0
        self.n_walked = 0
        self._kept: list[Pairs] = []
        edges = np.linspace(0, HASHES, threads + 1).astype(np.int64).tolist()
        self._waiting = [*itertools.pairwise(edges)]
        self._lock = threading.Lock()
        self._is_stopped = False

    def count(self, on_progress: Callable[[float], None] | None = None) -> Pairs:
        """Count all; returns the pairs to keep, in the order of their words and chains.

        Raises OutputError where even the smallest part exceeds its memory, MemoryError.
        """
        total = max(self.threads * len(self.text.ids), 1)
        with ThreadPoolExecutor(self.threads, "fastw2v-phrases") as pool:
            try:
                futures = [pool.submit(self._work) for _ in range(self.threads)]
                while wait(futures, PROGRESS_SECONDS).not_done:
                    if on_progress:
                        on_progress(min(self.n_walked / total, 0.999))
            finally:
                self._is_stopped = True
        for future in futures:
            future.result()
        return in_order(self._kept)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._is_stopped or not self._waiting:
                    return
                part = self._waiting.pop()
            try:
                self._count_part(part)
            except PartFullError:
                self._cut(*part)

    def _cut(self, first: int, last: int) -> None:
        """Let the halves of a part be counted instead of it."""
        middle = (first + last) // 2
        if middle == first:
            raise OutputError("the pairs of words exceed the memory limit; raise --memory-limit")
        with self._lock:
            self._waiting += [(middle, last), (first, middle)]

    def _count_part(self, part: tuple[int, int]) -> None:
        """Count the pairs of a part and keep those chosen. Raises PartFullError."""
        text, cursor = self.text, new_cursor()
        share = (part[1] - part[0]) / HASHES
        table = new_pairs(self._room(len(text.ids) * share / TOKENS_A_PAIR))
        bounds, queue = np.array(part, np.int64), np.empty((3, QUEUE_PAIRS), np.int64)
        for start, stop in ranges_of(text):
            if self._is_stopped:
                return
            while cursor[POSITION] < stop:
                count_pairs(text, self.chains, bounds, table, queue, cursor, stop)
                if cursor[POSITION] < stop:
                    table = self._larger(table)
            with self._lock:
                self.n_walked += stop - start
        kept = chosen_of(table, self.choose)
        with self._lock:
            self.n_distinct += int(table.n_pairs[0])
            self._kept.append(kept)

    def _room(self, n_pairs: float) -> int:
        """Pairs that a new table has room for: so many, or what memory allows."""
        n_pairs = min(n_pairs, self.table_bytes / 2 / BYTES_A_PAIR)
        return max(FIRST_PAIRS, 1 << int(n_pairs).bit_length() >> 1)

    def _larger(self, table: PairTable) -> PairTable:
        """A table for twice as many pairs. Raises PartFullError where memory has no room for both at once."""
        if 3 * table.records.nbytes > self.table_bytes and len(table.records) > 2 * FIRST_PAIRS:
            raise PartFullError
        return grown(table)


def chosen_of(table: PairTable, choose: Callable[[Pairs], NDArray[np.bool_]]) -> Pairs:
    """The chosen ones of the pairs of a table, some at a time."""
    step = 1 << 18
    parts = [Pairs(*(np.empty(0, np.int64) for _ in Pairs._fields))]
    for start in range(0, len(table.records), step):
        records = table.records[start : start + step]
        records = records[records[:, KEY] > 0]
        keys, numbers = records[:, KEY] - 1, records[:, NUMBER]
        counts = numbers & ((1 << NUMBER_BITS) - 1)
        pairs = Pairs(keys >> 32, keys & 0xFFFFFFFF, numbers >> NUMBER_BITS, counts)
        is_chosen = choose(pairs)
        parts.append(Pairs(*(values[is_chosen] for values in pairs)))
    return joined(parts)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of several parts."""
    return Pairs(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def in_order(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of several parts, by first word, second word and chain."""
    pairs = joined(parts)
    order = np.lexsort((pairs.chains, pairs.seconds, pairs.firsts))
    return Pairs(*(values[order] for values in pairs))
