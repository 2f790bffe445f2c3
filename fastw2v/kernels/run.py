"""The door to the kernels: plain arguments in, one typed answer out."""

from __future__ import annotations

import numba
import numpy as np

from fastw2v.errors import OutputError
from fastw2v.kernels import block, pair
from fastw2v.kernels.launch import FINISHED, address_of, launch
from fastw2v.layout import Estimator, Sampler, Schedule, Tokens, Totals, Vectors, Window

COLUMNS = 8  # float64 a worker's row of totals: one cache line, so workers do not share one


class KernelBackend:
    """Trains units with a Numba kernel; the matrices in `vectors` change in place.

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
        before = numba.get_num_threads()
        numba.set_num_threads(self.n_threads)
        try:
            launch(address_of(self.kernel, *inputs), *inputs)
        finally:
            numba.set_num_threads(before)
        if not self.totals[:, FINISHED].all():
            raise OutputError("no memory for a worker's scratch: lower --threads, --window or --dim")
        loss, n_pairs, n_kept = self.totals.sum(axis=0)[:3]
        return Totals(float(loss), int(n_pairs), int(n_kept))
