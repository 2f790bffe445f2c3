"""What `--loss softmax` takes, for whoever decides whether to wait: time grows with the vocabulary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import has_exact_weights
from fastw2v.config import TrainConfig
from fastw2v.model.sampling import keep_probabilities
from fastw2v.system.machine import usable_cores

# Multiply-adds a second of one core (Zen 4): 14 to 18 billion by Numba, 2 to 3 by NumPy, of 2,000 to 20,000
# words, dim 100 and 300 (bench/README.md).
RATES = {"numba": 15e9, "reference": 2e9}


def kept_words(config: TrainConfig, counts: NDArray[np.int64]) -> float:
    """Words of an epoch that subsampling is expected to keep."""
    return float((counts * keep_probabilities(counts, config.sample)).sum())


def softmax_seconds(config: TrainConfig, counts: NDArray[np.int64], n_processes: int = 1) -> float:
    """Seconds of an epoch, to a factor of two or so: three products of all words with h for each kept word.

    A step for each pair (kernel pair, on the reference only) takes as much for each of a word's pairs.
    """
    work = 3.0 * len(counts) * config.dim * kept_words(config, counts)
    if config.kernel == "pair" and config.architecture == "skip-gram":
        is_drawn = config.dynamic_window and not has_exact_weights(config)
        work *= config.window + 1 if is_drawn else 2 * config.window
    threads = 1 if config.backend == "reference" else config.threads or usable_cores()
    return work / (RATES[config.backend] * threads * n_processes)


def scratch_bytes(config: TrainConfig, n_words: int) -> int:
    """Bytes beside the matrices: a score for each word and worker; by NumPy, two matrices of gradients."""
    if config.backend == "reference":
        return 2 * n_words * config.dim * 4
    return n_words * 4 * (config.threads or usable_cores())
