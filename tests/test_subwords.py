"""Words that are made of their n-grams: gradients, training, and vectors of words that were never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from corpora.small import grouped
from fastw2v.backends import inputs_of
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Vectors
from fastw2v.model.ngrams import Spans, bags_of_words
from fastw2v.model.plan import NegativeSampling, Softmax, Subwords
from fastw2v.reference.losses import naive_softmax_loss, neg_sampling_loss
from fastw2v.reference.pair import pair_step
from fastw2v.training import train
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.ngrams import InputRows, mean_rows
from tests.gradients import numerical_gradient

WORDS = ["walk", "walks", "walked", "swim", "swims", "aaaa"]
SPANS = Spans(2, 3, 7)  # so few buckets that words share rows, and aaaa has one of them twice
BAGS = Subwords(*bags_of_words(WORDS, SPANS), SPANS)


def rows_of(word: int) -> Any:
    """The rows of a word."""
    return BAGS.rows[BAGS.starts[word] : BAGS.starts[word + 1]]


@pytest.mark.parametrize("objective", [NegativeSampling(3, np.zeros(0, np.uint64)), Softmax()])
@pytest.mark.parametrize("word", [1, 5])
def test_pair_step__is_the_gradient_times_the_rows_of_the_bag(word: int, objective: Any, rng: Any) -> None:
    """By finite differences in float64: h moves as far as the row of a whole word would."""
    outside, negatives, lr = 3, [0, 5], 1e-3
    V, U = rng.normal(size=(13, 7)), rng.normal(size=(6, 7))

    def loss(V: Any, U: Any) -> Any:
        h = V[rows_of(word)].mean(axis=0)
        if isinstance(objective, Softmax):
            return naive_softmax_loss(h, outside, U).loss
        return neg_sampling_loss(h, outside, negatives, U).loss

    vectors = Vectors(V.copy(), U.copy())
    told = pair_step(vectors, [word], outside, negatives, objective, (lr, lr), BAGS)
    assert told == pytest.approx(loss(V, U))
    grad_V = numerical_gradient(lambda changed: loss(changed, U), V)
    grad_U = numerical_gradient(lambda changed: loss(V, changed), U)
    np.testing.assert_allclose((V - vectors.center) / lr, len(rows_of(word)) * grad_V, atol=1e-6)
    np.testing.assert_allclose((U - vectors.outside) / lr, grad_U, atol=1e-6)


def test_pair_step__of_cbow_steps_each_word_by_its_share(rng: Any) -> None:
    """h is the mean of the words' means; of two words each row takes half of ∂J/∂h."""
    outside, negatives, lr = 3, [0, 5], 1e-3
    V, U = rng.normal(size=(13, 7)), rng.normal(size=(6, 7))
    vectors = Vectors(V.copy(), U.copy())
    pair_step(
        vectors, [1, 4], outside, negatives, NegativeSampling(3, np.zeros(0, np.uint64)), (lr, lr), BAGS
    )
    h = np.mean([V[rows_of(word)].mean(axis=0) for word in (1, 4)], axis=0)
    grad_h = neg_sampling_loss(h, outside, negatives, U).grad_center
    expected = V.copy()
    for word in (1, 4):
        np.subtract.at(expected, rows_of(word), lr / 2 * grad_h)
    np.testing.assert_allclose(vectors.center, expected, rtol=1e-12)


def test_mean_rows__are_means_in_parts(monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    monkeypatch.setattr("fastw2v.vectors.ngrams.ROWS_AT_ONCE", 20)
    matrix = rng.normal(size=(13, 5)).astype(np.float32)
    means = InputRows(SPANS, matrix).seen(WORDS)
    for word in range(len(WORDS)):
        np.testing.assert_allclose(means[word], matrix[rows_of(word)].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert mean_rows(matrix, bags_of_words([], SPANS)).shape == (0, 5)


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_train__finds_the_groups_and_unseen_words_have_vectors(architecture: Any) -> None:
    corpus = grouped(8, 4000)
    config = TrainConfig(
        dim=16,
        sample=0,
        epochs=5,
        threads=2,
        lr=0.05,
        architecture=architecture,
        kernel="pair",
        subwords="3-6",
        buckets=2_000,
    )
    vectors = train(corpus, config).embeddings
    assert sorted(word for word, _ in vectors.nearest("w10", n=4)) == ["w11", "w12", "w13", "w14"]
    assert vectors.made_of is not None
    np.testing.assert_allclose(vectors.center_vectors, vectors.made_of.seen(vectors.words), rtol=1e-6)
    assert vectors.similarity("w39x", "w39") > vectors.similarity("w39x", "w0")


def test_embeddings__of_unseen_words() -> None:
    rows = np.random.default_rng(0).normal(size=(13, 3)).astype(np.float32)
    made_of = InputRows(SPANS, rows)
    vectors = Embeddings(WORDS, made_of.seen(WORDS), made_of=made_of)
    bag = bags_of_words(["swam"], SPANS).rows[1:] - 1 + len(WORDS)  # as of a vocabulary of one word
    np.testing.assert_allclose(vectors["swam"], rows[bag].mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(vectors[["swim", "swam"]], np.array([vectors["swim"], vectors["swam"]]))
    assert vectors[[]].shape == (0, 3)
    assert ("swam" in vectors, "swim" in vectors) == (False, True)
    with pytest.raises(KeyError):
        vectors["</s>"]
    with pytest.raises(UsageError, match="rows that vectors are made of have shape"):
        Embeddings(WORDS[1:], vectors.center_vectors[1:].copy(), made_of=made_of)


@pytest.mark.parametrize("given", ["3", "0-6", "6-3", "3-101", "a-b", "3-6 "])
def test_config__lengths_have_limits(given: str) -> None:
    with pytest.raises(UsageError, match=f"subwords is '{given}': it must be the lengths of n-grams"):
        TrainConfig(subwords=given)


def test_config__takes_pairs_and_refuses_buckets_alone() -> None:
    assert TrainConfig(subwords=(3, 6)).subwords == "3-6"  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="buckets is 5, but there are no n-grams"):
        TrainConfig(buckets=5)
    assert inputs_of(TrainConfig(subwords="2-3", buckets=7), WORDS).rows.tolist() == BAGS.rows.tolist()  # type: ignore[union-attr]
