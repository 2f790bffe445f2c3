"""The words of all ranks in one table: two ranks merge theirs, then two pairs, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.words.bytes import ALL_BITS
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, LENGTH_BITS, Table, merge_tables, new_table
from fastw2v.distributed.communicator import Communicator


def merge_everywhere(
    communicator: Communicator, n_keys: int, tables: Sequence[Table]
) -> tuple[Table, list[NDArray[np.int32]]]:
    """`merge_tables` of the tables of all ranks, with the entries of this rank's tables in the merged one.

    n_keys   this rank's keys are below it; those of the ranks before it come before them

    The merged table has the same entries everywhere. Two ranks merge theirs, then two pairs, and so on to
    rank 0, which sends the result to all: no rank ever holds more than two tables beside its own.
    """
    merged, entries = merge_tables(tables)
    own = _as_sent(merged)
    first_key = sum(communicator.gather(n_keys)[: communicator.rank])
    own.records[:, FIRST_SEEN] += first_key << LENGTH_BITS
    whole, _ = merge_tables([new_table(), _broadcast(_merged_at_0(merged, communicator), communicator)])
    own.records[:, COUNT] = 0  # they are in the whole already
    whole, (_, places) = merge_tables([whole, own])
    return whole, [places[of_worker] for of_worker in entries]


def add_everywhere(communicator: Communicator, array: NDArray[Any]) -> NDArray[Any]:
    """The sum of the arrays (n,) of all ranks, in the order of these; at every rank."""
    own = sum(communicator.exchange(np.array_split(array, communicator.size)))
    return np.concatenate(communicator.gather_arrays(np.asarray(own)))


def _as_sent(table: Table) -> Table:
    """Views of a table without what is not in use, and without its slots: to be merged into another."""
    n_words = int(table.n_words[0])
    return _received(table.records[:n_words], table.ends[: n_words + 1], table.arena[: table.ends[n_words]])


def _received(records: NDArray[np.int64], ends: NDArray[np.int64], arena: NDArray[np.uint8]) -> Table:
    n_words = np.array([len(records)], np.int64)
    return Table(np.empty(0, np.int32), records, ends, arena, n_words, np.uint64(ALL_BITS))


def _parts(table: Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """What a table sends: records, ends, arena."""
    sent = _as_sent(table)
    return sent.records, sent.ends, sent.arena


def _merged_at_0(table: Table, communicator: Communicator) -> Table:
    """At rank 0 the words of all ranks; at another those of some."""
    rank, step = communicator.rank, 1
    while step < communicator.size:
        target = rank - step if rank % (2 * step) == step else None
        for other in _sent(table, target, communicator):
            table, _ = merge_tables([table, other])
        step *= 2
    return table


def _sent(table: Table, target: int | None, communicator: Communicator) -> list[Table]:
    """Send a table to a rank or to none; returns what was sent here."""
    ranks = range(communicator.size)
    received = [
        communicator.exchange([part if rank == target else part[:0] for rank in ranks])
        for part in _parts(table)
    ]
    return [_received(*parts) for parts in zip(*received, strict=True) if len(parts[1])]


def _broadcast(table: Table, communicator: Communicator) -> Table:
    """Rank 0's table at every rank."""
    records, ends, arena = _parts(table)
    n_words, n_bytes = communicator.broadcast([len(records), len(arena)])
    if communicator.rank > 0:
        records, ends = np.empty((n_words, 4), np.int64), np.empty(n_words + 1, np.int64)
        arena = np.empty(n_bytes, np.uint8)
    for part in (records, ends, arena):
        communicator.broadcast_array(part)
    return _received(records, ends, arena)
