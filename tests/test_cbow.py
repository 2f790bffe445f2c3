"""CBOW with the gradient of the mean: its cases, its gradient, its kernel, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from corpora.small import grouped
from fastw2v.backends import plan_of
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Cbow, NegativeSampling, Softmax
from fastw2v.reference.architectures import inputs_of, outputs_of
from fastw2v.reference.losses import naive_softmax_loss, neg_sampling_loss
from fastw2v.reference.pair import pair_step
from fastw2v.training import train
from tests.gradients import numerical_gradient

CBOW = Cbow(5, 0, 5, np.zeros(0, np.uint32))


@pytest.mark.parametrize(
    ("i", "window", "inputs", "outputs"),
    [(3, range(1, 6), [1, 2, 4, 5], [3]), (0, range(2), [1], [0]), (2, range(2, 3), [], [])],
)
def test_cases__are_the_rest_of_the_window_and_its_centre(i, window, inputs, outputs):
    assert inputs_of(CBOW, i, window) == inputs
    assert outputs_of(CBOW, i, window) == outputs


@pytest.mark.parametrize("objective", [NegativeSampling(3, np.zeros(0, np.uint64)), Softmax()])
def test_pair_step__descends_by_finite_differences(objective, rng):
    """∂J/∂v_j = ∂J/∂h / n for each occurrence of an input word, in float64."""
    inputs, outside, negatives = [4, 1, 4, 2], 3, [0, 5]
    V, U = rng.normal(size=(6, 7)), rng.normal(size=(6, 7))

    def loss(V, U):
        h = V[inputs].mean(axis=0)
        if isinstance(objective, Softmax):
            return naive_softmax_loss(h, outside, U).loss
        return neg_sampling_loss(h, outside, negatives, U).loss

    lr = 1e-3
    vectors = Vectors(V.copy(), U.copy())
    assert pair_step(vectors, inputs, outside, negatives, objective, (lr, lr)) == pytest.approx(loss(V, U))
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


def test_train__finds_the_groups_at_any_number_of_threads():
    corpus = grouped(8, 4000)
    for threads in (1, 3):
        config = TrainConfig(
            dim=16, architecture="cbow", kernel="pair", sample=0, lr=0.1, epochs=5, threads=threads
        )
        vectors = train(corpus, config).embeddings
        found = [word for word, _ in vectors.nearest("w0", n=4)]
        assert sorted(found) == ["w1", "w2", "w3", "w4"]


def test_plan__of_cbow_needs_kernel_pair():
    config = TrainConfig(architecture="cbow")
    with pytest.raises(UsageError, match="add --kernel pair"):
        train(grouped(2, 50), config)
    plan = plan_of(TrainConfig(architecture="cbow", kernel="pair"), np.ones(9, np.int64), 4)
    assert isinstance(plan.architecture, Cbow)
    assert plan.architecture.reach == 3
