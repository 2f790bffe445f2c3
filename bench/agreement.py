"""Before a kernel is timed it must agree with the NumPy reference on the same draws."""

from __future__ import annotations

import numpy as np

from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.training.loop import train

TOLERANCE = 1e-5


def small_corpus() -> Corpus:
    """5,000 Zipfian tokens in sentences of 0 to 60."""
    rng = np.random.default_rng(0)
    ids = np.minimum(rng.zipf(1.4, 5_000) - 1, 299).astype(np.int32)
    counts = np.maximum(np.bincount(ids, minlength=300), 1)
    offsets = np.append(np.unique(np.append(0, np.cumsum(rng.integers(0, 60, 160)))), 5_000)
    offsets = offsets[: np.searchsorted(offsets, 5_000) + 1].astype(np.int64)
    vocabulary = Vocabulary([f"w{i}" for i in range(300)], counts)
    return Corpus(ids, offsets, vocabulary, len(ids), len(offsets) - 1, 0)


def assert_kernels_agree(config: TrainConfig) -> dict[str, float]:
    """Largest difference of either matrix between kernel and reference, for both kernels.

    Raises AssertionError beyond 1e-5 or where the pairs differ.
    """
    corpus = small_corpus()
    differences = {}
    for kernel in ("block", "pair"):
        runs = [
            train(
                corpus,
                TrainConfig(
                    dim=config.dim,
                    window=config.window,
                    negatives=config.negatives,
                    epochs=1,
                    sample=config.sample,
                    threads=1,
                    kernel=kernel,
                    backend=backend,
                ),
            )
            for backend in ("numba", "reference")
        ]
        assert runs[0].pairs == runs[1].pairs, (kernel, runs[0].pairs, runs[1].pairs)
        fast, plain = (run.embeddings for run in runs)
        assert fast.outside_vectors is not None
        assert plain.outside_vectors is not None
        differences[kernel] = max(
            float(np.abs(fast.center_vectors - plain.center_vectors).max()),
            float(np.abs(fast.outside_vectors - plain.outside_vectors).max()),
        )
        assert differences[kernel] < TOLERANCE, differences
    return differences
