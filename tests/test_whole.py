"""The softmax over all words: its gradient, its panels, and that what it learns are probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from corpora.small import corpus_of, zipfian
from fastw2v.config import TrainConfig
from fastw2v.kernels.panels import PANEL
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import LARGEST_MOVE
from fastw2v.reference.losses import naive_softmax_loss, probabilities, skipgram_loss
from fastw2v.reference.whole import held_back, whole_step
from fastw2v.training import train
from fastw2v.vectors.embeddings import Embeddings
from tests.chains import chain_corpus, softmax_loss
from tests.gradients import numerical_gradient


@pytest.mark.parametrize("outputs", [[2], [2, 5, 2, 0]])
@pytest.mark.parametrize("inputs", [[4], [4, 1, 4]], ids=["skip-gram", "cbow"])
def test_whole_step__descends_by_finite_differences(inputs: list[int], outputs: list[int], rng: Any) -> None:
    """J = Σ_o J_naive-softmax(h, o, U), in float64, for rows of both matrices."""
    V, U, lr = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), 1e-3

    def loss(V: Any, U: Any) -> float:
        return sum(naive_softmax_loss(V[inputs].mean(axis=0), o, U).loss for o in outputs)

    vectors = Vectors(V.copy(), U.copy())
    assert whole_step(vectors, [(inputs, outputs, [1.0] * len(outputs))], (lr, lr)) == pytest.approx(
        loss(V, U)
    )
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


def test_whole_step__is_the_skip_gram_loss_of_a_window(rng: Any) -> None:
    V, U, outputs = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), [1, 3, 3]
    expected = skipgram_loss(4, outputs, V, U, lambda v_c, o: naive_softmax_loss(v_c, o, U))
    vectors = Vectors(V.copy(), U.copy())
    assert whole_step(vectors, [([4], outputs, [1.0] * 3)], (0.1, 0.1)) == pytest.approx(expected.loss)
    np.testing.assert_allclose(vectors.center, V - 0.1 * expected.grad_center)
    np.testing.assert_allclose(vectors.outside, U - 0.1 * expected.grad_outside)


def test_whole_step__of_several_cases_is_the_sum_of_their_gradients(rng: Any) -> None:
    """At the same vectors, by what output words count; cases share words. Finite differences in float64."""
    V, U, lr = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), 1e-3
    cases = [([4], [2, 5, 2], [1.0, 0.6, 0.2]), ([4, 1], [0], [1.0]), ([0], [5], [0.4])]

    def loss(V: Any, U: Any) -> float:
        return sum(
            share * naive_softmax_loss(V[inputs].mean(axis=0), o, U).loss
            for inputs, outputs, shares in cases
            for o, share in zip(outputs, shares, strict=True)
        )

    vectors = Vectors(V.copy(), U.copy())
    assert whole_step(vectors, cases, (lr, lr)) == pytest.approx(loss(V, U))
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


def test_held_back__bounds_how_far_a_score_moves() -> None:
    """Word 0 of errors .5 and −.5 with ‖h‖² = 4 and 16 has 10 moves, word 1 none of note."""
    h, errors = np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([[0.5, 1e-3], [-0.5, 1e-3]])
    np.testing.assert_allclose(held_back(errors, h, 0.1), [0.1, 0.1])
    np.testing.assert_allclose(held_back(errors, h, 2.0), [LARGEST_MOVE / 10, 2.0])


MANY = corpus_of(zipfian(2 * PANEL + 57, 6_000), 2 * PANEL + 57, (25,) * 240)
OPTIONS: dict[str, Any] = {"dim": 20, "loss": "softmax", "epochs": 1, "sample": 1e-2, "lr": 0.05}


def bytes_of(vectors: Embeddings) -> bytes:
    """Both matrices."""
    assert vectors.outside_vectors is not None
    return vectors.center_vectors.tobytes() + vectors.outside_vectors.tobytes()


@pytest.mark.parametrize("block_size", [1, 17, 32])
def test_panels__agree_with_the_reference(block_size: int) -> None:
    """Three of them, of which the last has a rest for every tile."""
    sizes = OPTIONS | {"block_size": block_size, "sample": 1e-3 / block_size}
    actual, expected = (
        train(MANY, TrainConfig(**sizes, backend=backend, threads=1)).embeddings
        for backend in ("numba", "reference")
    )
    np.testing.assert_allclose(actual.center_vectors, expected.center_vectors, atol=1e-5)
    np.testing.assert_allclose(actual.outside_vectors, expected.outside_vectors, atol=1e-5)


def test_deterministic__any_number_of_threads_has_the_same_bytes() -> None:
    """Four are more than there are panels; alone, without panels of one's own, only the rounding differs."""
    alone = train(MANY, TrainConfig(**OPTIONS, threads=1))
    shared = [train(MANY, TrainConfig(**OPTIONS, threads=n, deterministic=True)) for n in (1, 2, 4)]
    assert len({bytes_of(each.embeddings) for each in shared}) == 1
    for each in shared:
        assert (each.pairs, each.kept_words) == (alone.pairs, alone.kept_words)
        assert each.mean_loss == pytest.approx(alone.mean_loss, rel=1e-6)
        np.testing.assert_allclose(each.embeddings.center_vectors, alone.embeddings.center_vectors, atol=1e-5)


@pytest.mark.parametrize("n_words", [2, 20])
@pytest.mark.parametrize("lr", [0.025, 0.2])
def test_blocks__of_few_words_learn_as_one_case_at_a_time(n_words: int, lr: float) -> None:
    """The loss of what both end with, on held-out words; of 40,000 and 5 epochs .0001 apart."""
    corpus, held_out = chain_corpus(n_words, 20_000)
    values: dict[str, Any] = {"dim": 16, "window": 2, "sample": 0, "epochs": 3, "lr": lr, "loss": "softmax"}
    one, many = (
        softmax_loss(train(corpus, TrainConfig(**values, block_size=size, threads=1)).embeddings, held_out, 2)
        for size in (1, 32)
    )
    assert many == pytest.approx(one, abs=0.002)


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
