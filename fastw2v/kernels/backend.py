"""The door to the kernels: plain arguments in, one typed answer out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import OutputError
from fastw2v.kernels import lockstep, pair
from fastw2v.kernels.block import step
from fastw2v.kernels.jit import require_jit
from fastw2v.model.arrays import FLOATS_PER_LINE, Tokens, Totals, Vectors
from fastw2v.model.plan import Estimator, Sampler, Schedule, Window

NO_SCRATCH = "no memory for a worker's scratch: lower --threads, --window or --dim"
COLUMNS = 8  # float64 a worker's row of totals: one cache line, so workers do not share one


def summed(totals: NDArray[np.float64]) -> Totals:
    """All workers' rows of totals, float64 (n_workers, COLUMNS), together."""
    loss, n_pairs, n_kept = totals.sum(axis=0)[:3]
    return Totals(float(loss), int(n_pairs), int(n_kept))


def run_workers(work: Callable[[int], None], n_workers: int) -> None:
    """work(worker) for all workers at once, each in a thread of its own: worker 0 in this one.

    Python's threads, made for each call: those that Numba keeps do not outlive a fork, end the process when
    two threads use them (layer workqueue), and may be fewer than are asked for. No worker begins before all
    threads are there, because workers may wait for one another.

    Raises OutputError where the system gives no more threads, else what a worker raises.
    """
    begin, failures, is_cancelled = threading.Event(), list[BaseException](), False

    def run(worker: int) -> None:
        begin.wait()
        if is_cancelled:
            return
        try:
            work(worker)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,), name=f"fastw2v-{i}") for i in range(1, n_workers)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError) as error:
        is_cancelled = True
        n_threads = len(started) + 1
        raise OutputError(
            f"{n_workers} threads asked for, the system gives {n_threads}: lower --threads"
        ) from error
    finally:
        begin.set()
        if not is_cancelled:
            run(0)
        for thread in started:
            thread.join()
    if failures:
        raise failures[0]


class KernelBackend:
    """Trains units with Hogwild workers; the matrices in `vectors` change in place.

    vectors    float32 (n_words, padded dim) each, rows 64-byte aligned
    n_workers  Hogwild workers, a thread each
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
        require_jit()
        self.units_at_once = 1
        self.arrays = (vectors, tokens, sampler)
        self.options = (window, estimator)
        self.kernel = step.train_units if estimator.block_size else pair.train_units
        self.totals = np.zeros((n_workers, COLUMNS))

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end. An empty range compiles the kernel or loads it from the cache.

        Raises OutputError when a worker's scratch cannot be had.
        """
        self.totals[:] = 0
        queue = np.array([first, end], np.int64)
        inputs = (*self.arrays, schedule, *self.options, queue, self.totals)
        try:
            run_workers(lambda worker: self.kernel(*inputs, worker), len(self.totals))
        except MemoryError as error:
            raise OutputError(NO_SCRATCH) from error
        return summed(self.totals)


class LockstepBackend:
    """Trains units with kernel `lockstep`: the same result for any n_workers; arguments as in KernelBackend.

    The workers wait for one another, so each needs a thread of its own.
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
        require_jit()
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
        run_workers(lambda worker: lockstep.train_units(*inputs, worker, self.n_workers), self.n_workers)
        return summed(self.totals)
