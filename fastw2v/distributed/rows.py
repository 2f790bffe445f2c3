"""Keeping replicas together: the rows that changed travel, and their steps are combined.

Every rank holds its own matrices and a base that is the same at all ranks; its step on a row is the
difference of the two. Row r is combined by rank r mod size, which has each rank's step on it sent there, and
sends the combined step to all. Every rank adds that to its base and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastw2v.distributed.communicator import Communicator, joined
from fastw2v.distributed.kernels import (
    apply,
    apply_late,
    changed_keys,
    combine_steps,
    merge_keys,
    pack,
    settle,
)
from fastw2v.model.arrays import FLOATS_PER_LINE, Vectors
from fastw2v.model.plan import Inputs, Words
from fastw2v.options.replicas import Combine
from fastw2v.training.matrices import aligned_zeros

# The most frequent words, whose rows are combined every time. Analogies and MB that a rank sent with 4 ranks,
# dim 100, 2 epochs of 17 M words, lr .05, 65,536 words a step: 1024 rows 23.2 % and 653, 4096 25.7 % and
# 1,692, 8192 26.1 % and 2,421, all rows every time 26.0 % and 3,781.
LADDER_ROWS = 4096
# What a rank sends at most at a time. 64 combinations of 28 MB took 2.5 s in packets of 16 MB, 2.2 s of 4 MB,
# and 1.9 s of 1 MB, which stay in cache.
PACKET_BYTES = 1 << 20
WORD_BYTES = 4
NO_ROWS = np.empty(0, np.int32)


def ladder_rows(number: int, n_rows: int) -> int:
    """How many of the most frequent words' rows are combined at a time, and of n-grams', of at most n_rows.

    number   of the time, the first being 1

    4,096 every time, twice as many every second time, four times as many every fourth … (Ji et al. 2016,
    arXiv 1604.04661, from 1,024 on): a row is combined about as often as its word is met.
    """
    return min(LADDER_ROWS * (number & -number), n_rows)


def ngram_rows_of(inputs: Inputs, counts: NDArray[np.int64]) -> NDArray[np.int32]:
    """The rows of V that words of these counts are made of beside their own, int32 (n,).

    Those that are met most often come first, so that a ladder over them is one over frequent rows, too.
    """
    if isinstance(inputs, Words):
        return NO_ROWS
    is_shared = inputs.rows >= len(counts)
    times = np.repeat(counts, np.diff(inputs.starts))[is_shared]
    met = np.bincount(inputs.rows[is_shared] - len(counts), times)
    order = np.argsort(-met, kind="stable")[: np.count_nonzero(met)]
    return (len(counts) + order).astype(np.int32)


class Replica:
    """The matrices of one rank, and the base that all ranks share; equal at all ranks when it is made.

    vectors       float32, trained in place: U (n_words, padded dim); V may have rows of n-grams below words'
    dim           columns that are in use
    communicator  Communicator
    rule          adasum or mean
    ngram_rows    int32 (n,), the rows of V that words are made of beside their own, the most frequent first
    bytes_sent    by this rank so far
    """

    def __init__(
        self,
        vectors: Vectors,
        dim: int,
        communicator: Communicator,
        rule: Combine,
        ngram_rows: NDArray[np.int32] = NO_ROWS,
    ) -> None:
        self.vectors, self.dim = vectors, dim
        self.ladders = (np.arange(len(vectors.outside), dtype=np.int32), ngram_rows)
        self.communicator, self.is_mean = communicator, rule == "mean"
        self.base = vectors if communicator.size == 1 else Vectors(*map(aligned_copy, vectors))
        self.bytes_sent = 0
        self.pool = ThreadPoolExecutor(1, "fastw2v-replica")
        self.sent: list[NDArray[np.float32]] = []
        self.under_way: Future[list[list[NDArray[np.float32]]]] | None = None

    def combine(self, n_rows: int | None = None) -> None:
        """Combine what changed in the first n_rows rows of words and of n-grams; in all where it is None.

        With n_rows a row counts as changed where its first cache line did: a step too small to show there
        stays in the replica and travels with a later one. Without, every row is the same at all ranks after.
        """
        if self.communicator.size == 1:
            return
        n_columns = self.dim if n_rows is None else min(self.dim, FLOATS_PER_LINE)
        for rows in self.parts(self.n_rows if n_rows is None else n_rows):
            for steps in self.travel(self.packet(rows, n_columns)):
                apply(self.vectors, self.base, steps)

    def send(self, n_rows: int) -> None:
        """Begin to combine as `combine` does, in a thread, while this one trains on; then call `receive`."""
        if self.communicator.size == 1:
            return
        n_columns = min(self.dim, FLOATS_PER_LINE)
        self.sent = [self.packet(rows, n_columns) for rows in self.parts(n_rows)]
        for packet in self.sent:
            settle(self.vectors, self.base, packet)
        self.under_way = self.pool.submit(lambda: [self.travel(packet) for packet in self.sent])

    def receive(self) -> None:
        """Wait for what `send` began, if anything, and go on from base, combined steps and those since."""
        if self.under_way is None:
            return
        for packet, combined in zip(self.sent, self.under_way.result(), strict=True):
            for steps in combined:
                own_rows = places_of(keys_of(steps), keys_of(packet))
                apply_late(self.vectors, self.base, steps, own_rows, packet)
        self.sent, self.under_way = [], None

    @property
    def n_rows(self) -> int:
        """Of words, or of n-grams where they are more."""
        return max(map(len, self.ladders))

    def parts(self, n_rows: int) -> Iterator[NDArray[np.int32]]:
        """The first n_rows rows of words and of n-grams, in parts whose packets are not too large.

        The same at all ranks; a part is in the order of the ranks that combine its rows, rising in each.
        """
        size = max(1, PACKET_BYTES // (2 * WORD_BYTES * (1 + self.dim)))
        for rows in (ladder[:n_rows] for ladder in self.ladders):
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                yield part[np.lexsort((part, self.combiner_of(part)))]

    def packet(self, rows: NDArray[np.int32], n_columns: int) -> NDArray[np.float32]:
        """The steps of this rank on those of the rows that differ from base in the first n_columns."""
        keys = np.empty(2 * len(rows), np.int32)
        n_changed = changed_keys(self.vectors, self.base, rows, n_columns, keys)
        packet = np.empty((n_changed, 1 + self.dim), np.float32)
        pack(self.vectors, self.base, keys, packet)
        return packet

    def travel(self, packet: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Have the steps of all ranks combined: what comes from each, on the rows that it combines."""
        combiners = self.combiner_of(keys_of(packet) // 2)
        parts = np.split(packet, np.searchsorted(combiners, np.arange(1, self.communicator.size)))
        combined = combine_packets(self.communicator.exchange(parts), self.is_mean)
        self.bytes_sent += packet.nbytes - parts[self.communicator.rank].nbytes
        self.bytes_sent += combined.nbytes * (self.communicator.size - 1)
        return self.communicator.gather_arrays(combined)

    def combiner_of(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """The rank that combines each row: neighbours have different ones, as the frequent rows are many."""
        return rows % self.communicator.size


def aligned_copy(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same, with rows that start on cache lines."""
    copy = aligned_zeros(*matrix.shape)
    copy[:] = matrix
    return copy


def places_of(keys: NDArray[np.int32], among: NDArray[np.int32]) -> NDArray[np.int32]:
    """The place of each key among others, int32 (n,), or −1."""
    if not len(among):
        return np.full(len(keys), -1, np.int32)
    order = np.argsort(among)
    found = order[np.searchsorted(among, keys, sorter=order).clip(max=len(among) - 1)]
    return np.where(among[found] == keys, found, -1).astype(np.int32)


def keys_of(packet: NDArray[np.float32]) -> NDArray[np.int32]:
    """The first column, int32 (n,): 2·row of V, or 2·row + 1 of U."""
    return packet.view(np.int32)[:, 0]


def combine_packets(packets: list[NDArray[np.float32]], is_mean: bool) -> NDArray[np.float32]:
    """One step for each row that any of the packets, one of each rank, has a step on; rows in their order."""
    packet, ends = joined(packets), np.cumsum([len(part) for part in packets])
    places = np.empty((len(packet), len(packets)), np.int32)
    places = places[: merge_keys(keys_of(packet), ends, places)]
    combined = np.empty((len(places), packet.shape[1]), np.float32)
    combine_steps(packet, places, int(is_mean), combined)
    return combined
