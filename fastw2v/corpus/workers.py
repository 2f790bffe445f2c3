"""Who reads a corpus: workers, and the memory that they may use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from fastw2v.config import MAX_THREADS
from fastw2v.corpus.arrow.grouping import SortingRoom
from fastw2v.corpus.ids.memory import Memory, budget
from fastw2v.corpus.ids.storage import NoIds, SpillBuffer
from fastw2v.errors import OutputError
from fastw2v.options.checks import whole
from fastw2v.system.machine import free_memory


class WorkerPool(NamedTuple):
    """How a corpus is read.

    threads      of them
    spill        where provisional ids go
    ids_bytes    of ids in memory
    table_bytes  of each worker's table of words
    on_progress  whom to tell
    sorting      where rows of groups may be sorted, before there are ids and words
    """

    threads: int
    spill: SpillBuffer
    ids_bytes: int
    table_bytes: int
    on_progress: Callable[[float, int], None] | None
    sorting: SortingRoom


@contextlib.contextmanager
def worker_pool(
    threads: int, memory: Memory, on_progress: Callable[[float, int], None] | None
) -> Iterator[WorkerPool]:
    """WorkerPool to read with, and the memory that they may use.

    Raises UsageError for options out of range, OutputError when memory ends.
    """
    threads = whole("threads", threads, 1, MAX_THREADS)
    room = budget(memory.limit, threads, memory.n_sharing, keeps_ids=memory.keeps_ids)
    try:
        with contextlib.closing(SpillBuffer(room.ids) if memory.keeps_ids else NoIds()) as spill:
            sorting = sorting_room(threads, memory, room.ids, spill.leave_memory)
            yield WorkerPool(threads, spill, room.ids, room.table, on_progress, sorting)
    except MemoryError as error:
        raise OutputError("memory ended while reading the corpus; read fewer files at a time") from error
    finally:
        pa.default_memory_pool().release_unused()


def sorting_room(threads: int, memory: Memory, ids_bytes: int, give_way: Callable[[], None]) -> SortingRoom:
    """Where rows of groups may be sorted, before so many bytes of ids and as many of words are there."""
    most = 0 if memory.limit else (free_memory() or 0) // memory.n_sharing
    both = 2 * ids_bytes
    return SortingRoom(both, ids_bytes, max(both, most), threads, memory.cache_dir, give_way)
