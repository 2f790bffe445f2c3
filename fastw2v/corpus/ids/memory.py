"""How much memory reading may take, and for what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fastw2v.errors import UsageError
from fastw2v.system.machine import free_memory

SHARE_OF_FREE = 0.5  # of the free memory, where no limit is given
LIBRARIES = 256 << 20  # Python, NumPy, Arrow, LLVM: 180 MB measured
WORKER = 48 << 20  # batches of text and what decodes them, a worker: 40 MB measured
SMALLEST = 64 << 20  # for words and ids
UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Memory(NamedTuple):
    """Where a corpus may live while it is read and trained on.

    limit      bytes of memory beside the matrices; None for half of what is free
    cache_dir  folder to keep the ids in for the next run; None keeps nothing
    n_sharing  processes that share what is free
    keeps_ids  False where words are only counted: no ids are made, and words have all memory
    """

    limit: int | None = None
    cache_dir: Path | None = None
    n_sharing: int = 1
    keeps_ids: bool = True


class Budget(NamedTuple):
    """Bytes for ids in memory, all workers together, and for each worker's table of words."""

    ids: int
    table: int


def parse_size(text: str) -> int:
    """Bytes of a size as people write it: 2GB, 512MiB, 1.5g, 1000000.

    Raises UsageError for anything else.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    if match is None or match[2] not in UNITS:
        raise UsageError(f"{text!r} is not a size: write for example 2GB, 512MiB or 1000000")
    return int(float(match[1]) * UNITS[match[2]])


def budget(limit: int | None, threads: int, n_sharing: int = 1, *, keeps_ids: bool = True) -> Budget:
    """Half of what the limit leaves for ids, which may also go to a file, half for the tables of words.

    All of it for the tables where no ids are kept.

    A table needs room for itself and for the smaller one it grows from, and at the end all are merged:
    a third of its worker's share is what one may hold.

    Raises UsageError for a limit that leaves too little.
    """
    least = LIBRARIES + threads * WORKER + SMALLEST
    if limit is None:
        limit = max(int((free_memory() or 0) * SHARE_OF_FREE / n_sharing), least)
    if limit < least:
        raise UsageError(
            f"memory_limit is {limit / 1e6:,.0f} MB: {threads} workers need at least {least / 1e6:,.0f} MB, "
            "raise it or lower threads",
            ("memory_limit", "threads"),
        )
    left = limit - least + SMALLEST
    of_ids = left // 2 if keeps_ids else 0
    return Budget(ids=of_ids, table=(left - of_ids) // threads // 3)
