"""The door to the kernels: plain arguments in, one typed answer out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import OutputError
from fastw2v.kernels import block, lockstep, pair
from fastw2v.kernels.launch import FINISHED, address_of, launch
from fastw2v.layout import FLOATS_PER_LINE, Estimator, Sampler, Schedule, Tokens, Totals, Vectors, Window

NO_SCRATCH = "no memory for a worker's scratch: lower --threads, --window or --dim"
COLUMNS = 8  # float64 a worker's row of totals: one cache line, so workers do not share one


def summed(totals: NDArray[np.float64]) -> Totals:
    """All workers' rows of totals, float64 (n_workers, COLUMNS), together."""
    loss, n_pairs, n_kept = totals.sum(axis=0)[:3]
    return Totals(float(loss), int(n_pairs), int(n_kept))


class KernelBackend:
    """Trains units with Hogwild workers; the matrices in `vectors` change in place.

    vectors    float32 (n_words, padded dim) each, rows 64-byte aligned
    n_workers  Hogwild workers; the pool runs at most NUMBA_NUM_THREADS of them at once
    """

    def __init__(
        self,
        vectors: Vectors,
        tokens: Tokens,
        sampler: Sampler,
        window: Window,
        estimator: Estimator,
        n_workers: int,
    ) -> None:
        self.units_at_once = 1
        self.arrays = (vectors, tokens, sampler)
        self.options = (window, estimator)
        self.kernel = block.train_units if estimator.block_size else pair.train_units
        self.totals = np.zeros((n_workers, COLUMNS))
        self.n_threads = min(n_workers, numba.config.NUMBA_NUM_THREADS)

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end. An empty range compiles the kernel or loads it from the cache.

        Raises OutputError when a worker's scratch cannot be had.
        """
        self.totals[:] = 0
        queue = np.array([first, end], np.int64)
        inputs = (*self.arrays, schedule, *self.options, queue, self.totals)
        if len(self.totals) == 1:  # in this thread: a region of Numba's is not for several threads at once
            try:
                self.kernel(*inputs, 0)
            except MemoryError as error:
                raise OutputError(NO_SCRATCH) from error
            return summed(self.totals)
        before = numba.get_num_threads()
        numba.set_num_threads(self.n_threads)
        try:
            launch(address_of(self.kernel, *inputs), *inputs)
        finally:
            numba.set_num_threads(before)
        if not self.totals[:, FINISHED].all():
            raise OutputError(NO_SCRATCH)
        return summed(self.totals)


class LockstepBackend:
    """Trains units with kernel `lockstep`: the same result for any n_workers; arguments as in KernelBackend.

    The workers wait for one another, so each needs a thread of its own: Python's, since a pool of Numba's may
    have fewer than it is asked for.
    """

    def __init__(
        self,
        vectors: Vectors,
        tokens: Tokens,
        sampler: Sampler,
        window: Window,
        estimator: Estimator,
        n_workers: int,
    ) -> None:
        self.units_at_once = estimator.lanes
        self.arrays = (vectors, tokens, sampler)
        self.options = (window, estimator)
        try:
            self.lanes = lockstep.new_lanes(*vectors.center.shape, window, estimator)
        except MemoryError as error:
            raise OutputError("no memory for the scratch of all lanes: lower --window or --dim") from error
        n_lines = vectors.center.shape[1] // FLOATS_PER_LINE
        self.n_workers = min(n_workers, max(estimator.lanes, n_lines))  # more would find nothing to do
        self.totals = np.zeros((self.n_workers, COLUMNS))

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end; first, and end unless it is the last, are multiples of the lanes."""
        self.totals[:] = 0
        inputs = (*self.arrays, schedule, *self.options, self.lanes, (first, end), self.totals)
        with ThreadPoolExecutor(self.n_workers, "fastw2v-worker") as pool:
            workers = range(self.n_workers)
            list(pool.map(lambda worker: lockstep.train_units(*inputs, worker, self.n_workers), workers))
        return summed(self.totals)
