"""Which backend trains a run, made of its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Tokens, Totals, Vectors
from fastw2v.model.plan import BFLOAT16, FEW_LANES, FEW_WORDS, LANES, Estimator, Sampler, Schedule, Window
from fastw2v.model.sampling import as_limits, keep_probabilities, noise_probabilities, unigram_table
from fastw2v.system.machine import usable_cores


class Backend(Protocol):
    """Trains units first ≤ u < end in place.

    units_at_once  how many a call takes together: calls begin at multiples of it
    """

    units_at_once: int

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals: ...


def make_sampler(counts: NDArray[np.int64], config: TrainConfig) -> Sampler:
    """Keep limits and noise table of a vocabulary."""
    return Sampler(
        as_limits(keep_probabilities(counts, config.sample)),
        unigram_table(noise_probabilities(counts, config.ns_exponent)),
    )


def make_backend(
    config: TrainConfig, vectors: Vectors, counts: NDArray[np.int64], longest: int
) -> Callable[[Tokens], Backend]:
    """The trainer that config names, for any tokens of a vocabulary in sentences of at most `longest`."""
    sampler = make_sampler(counts, config)
    options = (sampler, make_window(config, longest), make_estimator(config, len(counts)))
    if config.backend == "reference":
        from fastw2v.reference.backend import ReferenceBackend

        return lambda tokens: ReferenceBackend(vectors, tokens, *options)
    from fastw2v.kernels.backend import KernelBackend, LockstepBackend

    n_workers = config.threads or usable_cores()
    kind = LockstepBackend if config.deterministic else KernelBackend
    return lambda tokens: kind(vectors, tokens, *options, n_workers)


def make_window(config: TrainConfig, longest: int) -> Window:
    """The window that config names, reaching no farther than the longest sentence does."""
    return Window(config.window, int(not config.dynamic_window), max(1, min(config.window, longest - 1)))


def make_estimator(config: TrainConfig, n_words: int) -> Estimator:
    """The estimator that config names, for a vocabulary of so many words.

    Raises UsageError for bfloat16 kernels on a processor that has no instruction for them.
    """
    if config.loss == "softmax":
        return Estimator(0)
    if config.kernel == "pair":
        return Estimator(config.negatives)
    lanes = (FEW_LANES if n_words < FEW_WORDS else LANES) if config.deterministic else 1
    sizes = (config.negatives, config.block_size, config.shared_negatives)
    if config.precision == "float32":
        return Estimator(*sizes, lanes=lanes)
    if config.backend == "numba":
        from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16

        if not HAS_BFLOAT16:
            raise UsageError("precision bfloat16 needs a processor with AVX512-BF16: use float32")
    return Estimator(*sizes, BFLOAT16, lanes)
