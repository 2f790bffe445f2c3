"""The cache domains of a backend: their copies of the hottest rows, and threads that stay on their cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.copies import merge_part
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import HOT_WORDS, UNITS_TO_MERGE, Copies, Plan, rows_behind, with_copies

ONE_LINE = 8  # int64 of a cache line


def with_rows_behind(matrix: NDArray[np.float32], n_rows: int) -> NDArray[np.float32]:
    """The matrix and so many rows behind it, which its memory must have.

    Raises ValueError where it has not.
    """
    base: Any = matrix if matrix.base is None else matrix.base
    offset = matrix.ctypes.data - base.ctypes.data
    shape = (len(matrix) + n_rows, matrix.shape[1])
    return np.ndarray(shape, np.float32, base, offset)


class Domains:
    """Where workers are when there are several domains, and their copies in the rows behind the matrices.

    vectors   float32 (n_words + rows_behind(n_domains), padded dim) each
    cores     of each domain; none where its workers may be anywhere
    """

    def __init__(
        self,
        vectors: Vectors,
        cores: Sequence[Sequence[int]],
        n_hot: int = HOT_WORDS,
        n_parts: int = UNITS_TO_MERGE,
    ) -> None:
        """Of the matrices, which have the rows behind; n_hot words have copies, in so many parts."""
        self.cores, n_behind = cores, rows_behind(len(cores), n_hot)
        self.vectors = Vectors(*(with_rows_behind(matrix, n_behind) for matrix in vectors))
        locks, first = np.zeros((n_parts, ONE_LINE), np.int64), len(vectors.center)
        self.copies = [
            Copies(first + 2 * n_hot * d, n_hot, np.zeros(ONE_LINE, np.int64), locks)
            for d in range(len(cores))
        ]
        for d, copies in enumerate(self.copies):  # each from another part on, to be in nobody's way
            copies.units[0] = d * n_parts // len(cores)

    def plans(self, plan: Plan, n_workers: int) -> list[Plan]:
        """The plan of each worker, with its copies."""
        return [with_copies(plan, self.copies[self.of(worker, n_workers)]) for worker in range(n_workers)]

    def of(self, worker: int, n_workers: int) -> int:
        """The domain of a worker: each has so many as it has cores of all."""
        ends = np.cumsum([max(1, len(cores)) for cores in self.cores])
        return int(np.searchsorted(ends, worker * ends[-1] // n_workers, side="right"))

    @contextmanager
    def merged(self) -> Iterator[None]:
        """Let copies first be as the rows are, which may have changed, and merge them in the end."""
        for matrix in self.vectors:
            for copies in self.copies:
                behind = matrix[copies.first : copies.first + 2 * copies.n_rows]
                behind[: copies.n_rows] = behind[copies.n_rows :] = matrix[: copies.n_rows]
        yield
        for copies in self.copies:
            for part in range(len(copies.locks)):
                merge_part(self.vectors, copies, part)


@contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Keep this thread on these cores meanwhile; anywhere with none."""
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    with suppress(OSError):  # the cores were taken from this process meanwhile
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
