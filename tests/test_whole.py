"""The softmax over all words, a step a case: its gradient, and that what it learns are probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from corpora.small import corpus_of
from fastw2v.config import TrainConfig
from fastw2v.model.arrays import Vectors
from fastw2v.reference.losses import naive_softmax_loss, probabilities, skipgram_loss
from fastw2v.reference.whole import whole_step
from fastw2v.training import train
from tests.gradients import numerical_gradient


@pytest.mark.parametrize("outputs", [[2], [2, 5, 2, 0]])
@pytest.mark.parametrize("inputs", [[4], [4, 1, 4]], ids=["skip-gram", "cbow"])
def test_whole_step__descends_by_finite_differences(inputs: list[int], outputs: list[int], rng: Any) -> None:
    """J = Σ_o J_naive-softmax(h, o, U), in float64, for rows of both matrices."""
    V, U, lr = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), 1e-3

    def loss(V: Any, U: Any) -> float:
        return sum(naive_softmax_loss(V[inputs].mean(axis=0), o, U).loss for o in outputs)

    vectors = Vectors(V.copy(), U.copy())
    assert whole_step(vectors, inputs, outputs, (lr, lr)) == pytest.approx(loss(V, U))
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


def test_whole_step__is_the_skip_gram_loss_of_a_window(rng: Any) -> None:
    V, U, outputs = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), [1, 3, 3]
    expected = skipgram_loss(4, outputs, V, U, lambda v_c, o: naive_softmax_loss(v_c, o, U))
    vectors = Vectors(V.copy(), U.copy())
    assert whole_step(vectors, [4], outputs, (0.1, 0.1)) == pytest.approx(expected.loss)
    np.testing.assert_allclose(vectors.center, V - 0.1 * expected.grad_center)
    np.testing.assert_allclose(vectors.outside, U - 0.1 * expected.grad_outside)


def test_train__comes_to_the_probabilities_of_a_chain() -> None:
    """A word is followed by one of two, three to one."""
    rng = np.random.default_rng(0)
    words = [0]
    for step in rng.random(60_000) < 0.75:
        words.append((words[-1] + (1 if step else 2)) % 5)
    corpus = corpus_of(words, 5, 20)
    config = TrainConfig(dim=16, loss="softmax", window=1, sample=0, epochs=12, lr=0.2, threads=1)
    vectors = train(corpus, config).embeddings
    assert vectors.outside_vectors is not None
    # Half of a word's neighbours follow it, half come before, and of each half three of four are next to it.
    places = [int(word.removeprefix("w")) for word in vectors.words]
    expected = {1: 0.375, 2: 0.125, 3: 0.125, 4: 0.375}
    for row, place in enumerate(places):
        found = probabilities(vectors.center_vectors[row], vectors.outside_vectors)
        for other, chance in zip(places, found, strict=True):
            assert chance == pytest.approx(expected.get((other - place) % 5, 0), abs=0.03)
