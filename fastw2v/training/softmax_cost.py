"""What `--loss softmax` takes, for whoever decides whether to wait: time grows with the vocabulary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import centers_at_once, has_exact_weights
from fastw2v.config import TrainConfig
from fastw2v.model.arrays import padded
from fastw2v.model.sampling import keep_probabilities
from fastw2v.system.machine import usable_cores

# Multiply-adds a second of one core of a busy Xeon with AVX-512, of 2,000 and 5,000 words and dim 100 and 300
# (bench/README.md); by NumPy of a block of cases, and of one pair, whose products are bound by memory.
RATES = {"numba": 35e9, "reference": 8e9}
PAIR_BY_PAIR = 1e9


def kept_words(config: TrainConfig, counts: NDArray[np.int64]) -> float:
    """Words of an epoch that subsampling is expected to keep."""
    return float((counts * keep_probabilities(counts, config.sample)).sum())


def softmax_seconds(config: TrainConfig, counts: NDArray[np.int64], n_processes: int = 1) -> float:
    """Seconds of an epoch, to a factor of two or so: three products of all words with h for each kept word.

    A step for each pair (kernel pair, on the reference only) takes as much for each of a word's pairs.
    """
    rate = RATES[config.backend]
    work = 3.0 * len(counts) * config.dim * kept_words(config, counts)
    if config.kernel == "pair" and config.architecture == "skip-gram":
        rate = PAIR_BY_PAIR
        is_drawn = config.dynamic_window and not has_exact_weights(config)
        work *= config.window + 1 if is_drawn else 2 * config.window
    threads = 1 if config.backend == "reference" else config.threads or usable_cores()
    return work / (rate * threads * n_processes)


def scratch_bytes(config: TrainConfig, counts: NDArray[np.int64]) -> int:
    """Bytes beside the matrices: a score for each word and case of a block, and worker, or of all together.

    Those who share a block sum the gradients of its cases by panels of 240 words. By NumPy scores and errors
    are in memory some times, and so are the gradients of U.
    """
    n_words, n_cases = len(counts), padded(centers_at_once(config, counts))
    if config.backend == "reference":
        return 4 * n_words * (2 * config.dim + 4 * n_cases)
    scores = 4 * n_words * n_cases
    if config.deterministic:
        return scores + 4 * -(-n_words // 240) * n_cases * padded(config.dim)
    return scores * (config.threads or usable_cores())
