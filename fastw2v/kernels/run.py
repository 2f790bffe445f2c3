"""The door to the kernels: plain arguments in, one typed answer out."""

from __future__ import annotations

import numba
import numpy as np

from fastw2v.kernels import block as block_kernel
from fastw2v.kernels import pair
from fastw2v.layout import Block, Sampler, Schedule, Tokens, Totals, Vectors, Window

COLUMNS = 8  # float64 a worker's row of totals: one cache line, so workers do not share one


class KernelBackend:
    """Trains units with a Numba kernel; the matrices in `vectors` change in place.

    vectors     float32 (n_words, padded dim) each, rows 64-byte aligned
    n_negatives K, noise words for each pair
    block       sizes of kernel `block`; None runs kernel `pair`
    n_workers   Hogwild workers; the pool runs at most NUMBA_NUM_THREADS of them at once
    """

    def __init__(
        self,
        vectors: Vectors,
        tokens: Tokens,
        sampler: Sampler,
        window: Window,
        n_negatives: int,
        block: Block | None,
        n_workers: int,
    ) -> None:
        self.vectors, self.tokens, self.sampler = vectors, tokens, sampler
        self.window, self.n_negatives, self.block = window, n_negatives, block
        self.totals = np.zeros((n_workers, COLUMNS))
        self.n_threads = min(n_workers, numba.config.NUMBA_NUM_THREADS)

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end. An empty range compiles the kernel or loads it from the cache."""
        self.totals[:] = 0
        queue = np.array([first, end], np.int64)
        before = numba.get_num_threads()
        numba.set_num_threads(self.n_threads)
        try:
            inputs = (self.vectors, self.tokens, self.sampler, schedule, self.window, self.n_negatives)
            if self.block:
                block_kernel.train_units(*inputs, self.block, queue, self.totals)
            else:
                pair.train_units(*inputs, queue, self.totals)
        finally:
            numba.set_num_threads(before)
        loss, n_pairs, n_kept = self.totals.sum(axis=0)[:3]
        return Totals(float(loss), int(n_pairs), int(n_kept))
