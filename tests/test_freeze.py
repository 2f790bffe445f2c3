"""A frozen matrix keeps every bit, in every trainer, and the other one is trained as the reference says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastw2v.backends import make, plan_of
from fastw2v.config import TrainConfig
from fastw2v.model.arrays import Tokens, Totals, Vectors, n_units
from fastw2v.training.start import aligned_zeros, make_schedule
from tests.chains import chain_corpus

TRAINERS: list[dict[str, Any]] = [
    {"kernel": "block"},
    {"kernel": "pair"},
    {"kernel": "block", "deterministic": True},
]
N_WORDS, N_TOKENS, DIM = 30, 2_000, 20


def trained(config: TrainConfig, learning_rate: float = 0.05) -> tuple[Vectors, Vectors, Totals]:
    """Vectors before and after one pass over a chain, both matrices away from zero."""
    corpus, _ = chain_corpus(N_WORDS, N_TOKENS)
    rng = np.random.default_rng(0)
    vectors = Vectors(aligned_zeros(N_WORDS, DIM), aligned_zeros(N_WORDS, DIM))
    for matrix in vectors:
        matrix[:, :DIM] = rng.normal(0, 0.3, (N_WORDS, DIM))
    before = Vectors(*(matrix.copy() for matrix in vectors))
    plan = plan_of(config, corpus.vocabulary.counts, N_TOKENS)
    backend, tokens = make(plan, vectors, config.backend, config.threads), Tokens(corpus.ids, corpus.offsets)
    if learning_rate == 0:
        return before, vectors, backend.loss(tokens, 0, n_units(N_TOKENS))
    schedule = make_schedule(config, N_TOKENS)._replace(learning_rate=learning_rate, min_learning_rate=0.0)
    totals = backend.train(tokens, schedule, 0, n_units(N_TOKENS))
    return before, vectors, totals


@pytest.mark.parametrize("trainer", TRAINERS, ids=str)
@pytest.mark.parametrize("freeze", ["center", "outside"])
def test_freeze__keeps_one_matrix_and_trains_the_other(trainer: dict[str, Any], freeze: str) -> None:
    options = {"dim": DIM, "threads": 1, "sample": 0.0, "freeze": freeze} | trainer
    before, after, totals = trained(TrainConfig(**options))
    _, expected, expected_totals = trained(TrainConfig(**options, backend="reference"))
    other = "outside" if freeze == "center" else "center"
    assert getattr(after, freeze).tobytes() == getattr(before, freeze).tobytes()
    assert getattr(expected, freeze).tobytes() == getattr(before, freeze).tobytes()
    moved = np.abs(getattr(after, other) - getattr(before, other)).max()
    assert moved > 0.05
    np.testing.assert_allclose(getattr(after, other), getattr(expected, other), atol=2e-5)
    assert totals.loss == pytest.approx(expected_totals.loss, rel=1e-4)


def test_freeze__softmax() -> None:
    options: dict[str, Any] = {"dim": DIM, "sample": 0.0, "window": 1, "backend": "reference"}
    before, after, _ = trained(TrainConfig(**options, loss="softmax", freeze="outside"))
    assert after.outside.tobytes() == before.outside.tobytes()
    assert np.abs(after.center - before.center).max() > 0.05


@pytest.mark.parametrize("trainer", TRAINERS, ids=str)
def test_loss__changes_no_bit_and_is_that_of_the_reference(trainer: dict[str, Any]) -> None:
    """What held-out loss relies on: no vector is written, and the draws are those of training."""
    options = {"dim": DIM, "threads": 2, "sample": 0.0} | trainer
    before, after, totals = trained(TrainConfig(**options), learning_rate=0.0)
    assert after.center.tobytes() == before.center.tobytes()
    assert after.outside.tobytes() == before.outside.tobytes()
    alone = TrainConfig(**options | {"threads": 1}, backend="reference")
    _, _, expected = trained(alone, learning_rate=0.0)
    assert totals.loss == pytest.approx(expected.loss, rel=1e-4)
    assert totals.n_pairs == expected.n_pairs
