"""CBOW with the gradient of the mean: its cases, its gradient, its kernel, and what it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corpora.small import corpus_of, grouped, zipfian
from fastw2v.backends import plan_of
from fastw2v.config import TrainConfig
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import ALL_OF_IT, EXACT, ROOT, Cbow, NegativeSampling, Softmax
from fastw2v.model.sampling import noise_probabilities
from fastw2v.reference.architectures import KeptToken, inputs_of, outputs_of, window_of
from fastw2v.reference.bags import bag_step
from fastw2v.reference.losses import naive_softmax_loss, neg_sampling_loss, sigmoid
from fastw2v.reference.noise import Parts, Seen
from fastw2v.reference.pair import pair_step
from fastw2v.training import train
from tests.chains import chain_corpus
from tests.gradients import numerical_gradient

TIMES = {EXACT: 1.0, ROOT: 2.0, ALL_OF_IT: 4.0}  # of the gradient, with four words
CBOW = Cbow(5, 0, 5, np.zeros(0, np.uint32))


@pytest.mark.parametrize(
    ("i", "window", "inputs", "outputs"),
    [(3, range(1, 6), [1, 2, 4, 5], [3]), (0, range(2), [1], [0]), (2, range(2, 3), [], [])],
)
def test_cases__are_the_rest_of_the_window_and_its_centre(i, window, inputs, outputs):
    assert inputs_of(CBOW, i, window) == inputs
    assert outputs_of(CBOW, i, window) == outputs


@pytest.mark.parametrize("gradient", [EXACT, ROOT, ALL_OF_IT])
@pytest.mark.parametrize("objective", [NegativeSampling(3, np.zeros(0, np.uint64)), Softmax()])
def test_pair_step__descends_by_finite_differences(objective, gradient, rng):
    """∂J/∂v_j = ∂J/∂h / n for each occurrence of an input word, in float64; √n and n times that, if asked."""
    inputs, outside, negatives = [4, 1, 4, 2], 3, [0, 5]
    V, U = rng.normal(size=(6, 7)), rng.normal(size=(6, 7))

    def loss(V, U):
        h = V[inputs].mean(axis=0)
        if isinstance(objective, Softmax):
            return naive_softmax_loss(h, outside, U).loss
        return neg_sampling_loss(h, outside, negatives, U).loss

    lr = 1e-3
    vectors = Vectors(V.copy(), U.copy())
    told = pair_step(vectors, inputs, outside, negatives, objective, (lr, lr), gradient=gradient)
    assert told == pytest.approx(loss(V, U))
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, TIMES[gradient] * grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


@pytest.mark.parametrize(("n_seen", "gradient"), [(0, EXACT), (1_000, EXACT), (1_000, ROOT), (0, ALL_OF_IT)])
def test_bag_step__expectation_is_the_textbook_gradient(n_seen, gradient):
    """Mean step over 4,000 draws of the shared noise against K fresh negatives a case, in expectation."""
    rng = np.random.default_rng(0)
    n_words, dim, n_negatives, shared = 6, 3, 4, 8
    noise = noise_probabilities(np.array([50, 30, 20, 10, 5, 2]))
    kept = [KeptToken(int(word), 0, 2) for word in rng.integers(0, n_words, 7)]
    start = Vectors(rng.normal(size=(n_words, dim)) / 2, rng.normal(size=(n_words, dim)) / 2)

    expected = Vectors(np.zeros((n_words, dim)), np.zeros((n_words, dim)))
    for i, token in enumerate(kept):
        bag = [kept[j].word for j in inputs_of(CBOW, i, window_of(kept, i))]
        h, grad_h = start.center[bag].mean(axis=0), np.zeros(dim)
        for word in range(n_words):
            score = start.outside[word] @ h
            error = -sigmoid(-score) if word == token.word else n_negatives * noise[word] * sigmoid(score)
            grad_h += error * start.outside[word]
            expected.outside[word] += error * h
        np.add.at(expected.center, bag, grad_h * len(bag) ** (-gradient / 2))

    parts = Parts(gradient=gradient)
    learning_rate, samples = 1e-4, []  # so small a step is never held back
    for _ in range(4_000):
        after = Vectors(start.center.copy(), start.outside.copy())
        seen = Seen(n_seen * (noise @ start.outside), np.array([n_seen]))
        words, rates = rng.choice(n_words, shared, p=noise), (learning_rate, learning_rate)
        _, n_cases = bag_step(after, kept, np.arange(7), words, rates, n_negatives / shared, seen, parts)
        samples.append([(a - b) / learning_rate for a, b in zip(start, after, strict=True)])
    mean, error = np.mean(samples, axis=0), np.std(samples, axis=0) / np.sqrt(len(samples))
    deviation = np.abs(mean - np.array(expected)) / np.maximum(error, 1e-3)
    assert n_cases == 7
    assert deviation.max() < 4.5
    assert np.abs(np.array(expected)).max() > 10 * error.max()  # the test can see a wrong weight


def test_bag_step__a_case_without_input_words_is_none():
    rng = np.random.default_rng(0)
    kept = [KeptToken(0, 0, 2), KeptToken(1, 1, 2), KeptToken(2, 1, 2)]  # the first alone in its sentence
    start = Vectors(rng.normal(size=(4, 3)), rng.normal(size=(4, 3)))
    after = Vectors(start.center.copy(), start.outside.copy())
    seen = Seen(np.zeros(3), np.zeros(1, np.intp))
    loss, n_cases = bag_step(after, kept, np.arange(1), np.array([3, 3]), (0.1, 0.1), 2.0, seen)
    assert (loss, n_cases) == (0.0, 0)
    assert all((a == b).all() for a, b in zip(start, after, strict=True))
    assert bag_step(after, kept, np.arange(3), np.array([3, 3]), (0.1, 0.1), 2.0, seen)[1] == 2


@pytest.mark.parametrize(
    "options", [{}, {"kernel": "pair"}, {"loss": "softmax"}, {"deterministic": True}], ids=str
)
def test_train__steps_as_the_reference_by_each_gradient(options):
    """The kernels know which by a number: three runs that differ, each as NumPy has it."""
    corpus, found = corpus_of(zipfian(60, 1_500), 60), []
    shared = TrainConfig(architecture="cbow", dim=8, epochs=1, lr=0.1, threads=1, **options)
    for gradient in ("exact", "root", "whole"):
        config = replace(shared, cbow_gradient=gradient)
        own, twin = (
            train(corpus, replace(config, backend=backend)).embeddings for backend in ("numba", "reference")
        )
        np.testing.assert_allclose(own.center_vectors, twin.center_vectors, atol=1e-5)
        np.testing.assert_allclose(own.outside_vectors, twin.outside_vectors, atol=1e-5)
        found.append(own.center_vectors)
    lengths = [np.linalg.norm(vectors) for vectors in found]
    assert lengths[0] < lengths[1] < lengths[2]  # the more of the gradient, the farther they come


@pytest.mark.slow
@pytest.mark.parametrize("n_words", [2, 20, 400])
@pytest.mark.parametrize(("learning_rate", "gradient"), [(0.025, "root"), (0.1, "root"), (0.1, "exact")])
def test_train__block_is_as_stable_as_pair_on_a_tiny_vocabulary(n_words, learning_rate, gradient):
    corpus, _ = chain_corpus(n_words, 100_000)
    shared = TrainConfig(architecture="cbow", cbow_gradient=gradient, dim=64, lr=learning_rate, sample=0)
    losses = [
        train(corpus, replace(shared, threads=1, epochs=3, kernel=kernel)).mean_loss
        for kernel in ("pair", "block")
    ]
    # Two words, four cases at once: at .1 .490 for .465 by the exact gradient, and .514 for .471 by √n times
    # it, as each pushes the other from where both were.
    of_two = {"exact": 1.06, "root": 1.11}[gradient]
    assert losses[1] < losses[0] * (of_two if n_words == 2 else 1.02)


@pytest.mark.parametrize("kernel", ["pair", "block"])
def test_train__finds_the_groups_at_any_number_of_threads(kernel):
    corpus = grouped(8, 4000)
    for threads in (1, 3):
        config = TrainConfig(
            dim=16, architecture="cbow", kernel=kernel, sample=0, lr=0.1, epochs=5, threads=threads
        )
        vectors = train(corpus, config).embeddings
        found = [word for word, _ in vectors.nearest("w0", n=4)]
        assert sorted(found) == ["w1", "w2", "w3", "w4"]


def test_train__deterministic_is_the_same_for_1_2_and_4_threads():
    corpus, _ = chain_corpus(400, 60_000)
    config = TrainConfig(architecture="cbow", dim=24, epochs=2, deterministic=True)
    runs = [train(corpus, replace(config, threads=threads)).embeddings for threads in (1, 2, 4)]
    assert len({run.center_vectors.tobytes() for run in runs}) == 1


def test_plan__knows_its_window():
    plan = plan_of(TrainConfig(architecture="cbow"), np.ones(9, np.int64), 4)
    assert isinstance(plan.architecture, Cbow)
    assert plan.architecture.reach == 3
