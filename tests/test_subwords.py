"""Words that are made of their n-grams: gradients, training, and vectors of words that were never seen."""

from __future__ import annotations

from dataclasses import replace
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
from fastw2v.model.sampling import noise_probabilities
from fastw2v.reference.architectures import KeptToken
from fastw2v.reference.losses import naive_softmax_loss, neg_sampling_loss, sigmoid
from fastw2v.reference.ngrams import ngram_step
from fastw2v.reference.noise import Parts, Seen, outside_words
from fastw2v.reference.pair import pair_step
from fastw2v.training import train
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.evaluation import SimilarityPair, evaluate_similarity, spearman
from fastw2v.vectors.ngrams import InputRows, mean_rows
from tests.chains import chain_corpus
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


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_train__finds_the_groups_and_unseen_words_have_vectors(architecture: Any, kernel: Any) -> None:
    corpus = grouped(8, 4000)
    config = TrainConfig(
        dim=16,
        sample=0,
        epochs=5,
        threads=2,
        lr=0.05,
        architecture=architecture,
        kernel=kernel,
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


@pytest.mark.parametrize("n_seen", [0, 1_000])
def test_ngram_step__expectation_is_that_of_pairs(n_seen: int) -> None:
    """Mean step over 2,000 draws of the shared noise against K fresh negatives a pair, in expectation."""
    rng = np.random.default_rng(0)
    n_words, dim, n_negatives, shared = len(WORDS), 3, 4, 8
    noise = noise_probabilities(np.array([50, 30, 20, 10, 5, 2]))
    kept = [KeptToken(int(word), 0, 2) for word in rng.integers(0, n_words, 7)]
    start = Vectors(*(rng.normal(size=(n, dim)) / 2 for n in (n_words + SPANS.n_buckets, n_words)))
    expected = Vectors(*(np.zeros_like(matrix) for matrix in start))
    for i, token in enumerate(kept):
        h, grad_h = start.center[rows_of(token.word)].mean(axis=0), np.zeros(dim)
        for j in outside_words(kept, i):
            for word in range(n_words):
                score = start.outside[word] @ h
                is_j = word == j  # which then is no negative
                error = -sigmoid(-score) if is_j else n_negatives * noise[word] * sigmoid(score)
                grad_h += error * start.outside[word]
                expected.outside[word] += error * h
        np.add.at(expected.center, rows_of(token.word), grad_h)

    learning_rate, samples = 1e-5, []  # so small that neither a limit nor the steps of windows before matter
    for _ in range(2_000):
        after = Vectors(start.center.copy(), start.outside.copy())
        seen = Seen(n_seen * (noise @ start.outside), np.array([n_seen]))
        words, rates = rng.choice(n_words, shared, p=noise), (learning_rate, learning_rate)
        parts = Parts(lookup=BAGS)
        _, n_pairs = ngram_step(after, kept, np.arange(7), words, rates, n_negatives / shared, seen, parts)
        samples.append([*(((a - b) / learning_rate) for a, b in zip(start, after, strict=True))])
    for k, matrix in enumerate(expected):
        taken = np.array([sample[k] for sample in samples])
        error = taken.std(axis=0) / np.sqrt(len(samples))
        assert (np.abs(taken.mean(axis=0) - matrix) / np.maximum(error, 1e-3)).max() < 4.5
        assert np.abs(matrix).max() > 10 * error.max()  # the test can see a wrong weight
    assert n_pairs == sum(len(outside_words(kept, i)) for i in range(7))


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_train__deterministic_is_the_same_for_1_2_and_4_threads(architecture: str) -> None:
    corpus, _ = chain_corpus(1_200, 60_000)
    config = TrainConfig(
        architecture=architecture, dim=24, epochs=2, subwords="3-4", buckets=500, deterministic=True
    )
    runs = [train(corpus, replace(config, threads=threads)).embeddings for threads in (1, 2, 4)]
    assert all(one.made_of is not None and one.outside_vectors is not None for one in runs)
    assert len({one.made_of.rows.tobytes() for one in runs if one.made_of}) == 1
    assert len({one.outside_vectors.tobytes() for one in runs if one.outside_vectors is not None}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("n_words", [2, 20, 400])
@pytest.mark.parametrize("learning_rate", [0.025, 0.1])
def test_train__block_is_as_stable_as_with_whole_words(n_words: int, learning_rate: float) -> None:
    """Words of a chain, w0, w1, …, share most of their rows, and steps on these add up."""
    corpus, _ = chain_corpus(n_words, 100_000)
    config = TrainConfig(dim=64, lr=learning_rate, sample=0, threads=1, epochs=3)
    configs = config, replace(config, subwords="3-6", buckets=2_000)
    losses = [train(corpus, each).mean_loss for each in configs]
    # 20 words at .1 end 2.60 for 2.39, at .025 2.50 for 2.35; 400 words 2.80 for 2.74 and 2.72 for 2.74.
    assert losses[1] < losses[0] * 1.12


def test_evaluate_similarity__knows_pairs_of_unseen_words() -> None:
    """By the known spelling where there is one; not where one has no n-grams, nor where it is restricted."""
    made_of = InputRows(SPANS, np.random.default_rng(0).normal(size=(13, 3)).astype(np.float32))
    vectors = Embeddings(WORDS, made_of.seen(WORDS), made_of=made_of)
    pairs = [("walk", "swim"), ("WALK", "swam"), ("swam", "talk"), ("</s>", "walk"), ("walk", "walks")]
    rated = [SimilarityPair(a, b, score) for (a, b), score in zip(pairs, [1, 3, 2, 9, 5], strict=True)]
    found = evaluate_similarity(vectors, rated)
    known = [("walk", "swim", 1), ("walk", "swam", 3), ("swam", "talk", 2), ("walk", "walks", 5)]
    cosines = [vectors.similarity(a, b) for a, b, _ in known]
    assert (found.n_found, found.n_pairs) == (4, 5)
    assert found.rho == pytest.approx(spearman(cosines, [score for *_, score in known]))
    assert evaluate_similarity(vectors, rated, restrict=6).n_found == 2
    assert evaluate_similarity(replace(vectors, made_of=None), rated).n_found == 2
