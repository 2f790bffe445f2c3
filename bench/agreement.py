"""Before a kernel is timed it must agree with the NumPy reference on the same draws."""

from __future__ import annotations

import numpy as np

from corpora.small import corpus_of, ragged, zipfian
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.training.loop import train

TOLERANCE = 2e-5  # of sums in another order, at windows whose words are weighed


def small_corpus() -> Corpus:
    """5,000 Zipfian tokens of 300 words in sentences of 1 to 60."""
    return corpus_of(zipfian(300, 5_000, exponent=1.4), 300, ragged(5_000), least_count=1)


def assert_kernels_agree(config: TrainConfig) -> dict[str, float]:
    """Largest difference of either matrix between kernel and reference, for both kernels.

    Raises AssertionError beyond TOLERANCE or where the pairs differ.
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
        assert abs(runs[0].pairs - runs[1].pairs) <= 1e-6 * runs[1].pairs + 1, (
            kernel,
            runs[0].pairs,
            runs[1].pairs,
        )
        fast, plain = (run.embeddings for run in runs)
        assert fast.outside_vectors is not None
        assert plain.outside_vectors is not None
        differences[kernel] = max(
            float(np.abs(fast.center_vectors - plain.center_vectors).max()),
            float(np.abs(fast.outside_vectors - plain.outside_vectors).max()),
        )
        assert differences[kernel] < TOLERANCE, differences
    return differences
