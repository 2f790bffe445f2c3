"""Kernel `block`: the textbook in expectation, places where it could overshoot, lanes, bfloat16.

That it agrees with the reference is in test_properties.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corpora.small import ragged, zipfian
from fastw2v.backends import centers_at_once, require_supported
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.kernels.backend import KernelBackend
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.model.arrays import NOTHING, Vectors, padded
from fastw2v.model.plan import (
    BFLOAT16,
    FLOAT32,
    PLACES,
    RUN,
    Block,
    Lockstep,
)
from fastw2v.model.sampling import noise_probabilities
from fastw2v.reference.architectures import KeptToken, window_of
from fastw2v.reference.backend import ReferenceBackend
from fastw2v.reference.block import block_step, order_centers, step_windows
from fastw2v.reference.losses import sigmoid
from fastw2v.reference.noise import Seen, noise_gradients, rounded
from fastw2v.reference.pairs import neighbours_of
from fastw2v.training.loop import train
from tests.chains import chain_corpus, expected_loss
from tests.conftest import make_inputs, start_vectors
from tests.gradients import numerical_gradient

needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="the processor has no AVX512-BF16")


def test_train_units__thousand_blocks_stay_within_tolerance():
    inputs = make_inputs(ragged(20_000), 500, radius=3, sample=2e-3, ids=zipfian(500, 20_000))
    vectors, plan = start_vectors(500, 48), inputs.plan(Block(8, 16))
    double = Vectors(*(matrix.astype(np.float64) for matrix in vectors))
    actual = KernelBackend(plan, vectors, 1).train(inputs.tokens, inputs.schedule, 0, 5)
    ReferenceBackend(plan, double).train(inputs.tokens, inputs.schedule, 0, 5)
    assert actual.n_kept / 8 > 1_000
    for matrix, twin in zip(vectors, double, strict=True):
        np.testing.assert_allclose(matrix, twin, rtol=0, atol=1e-5)


def test_lockstep__groups_without_a_kept_token_end():
    """No worker may begin a new group before all have seen that this one has no block."""
    inputs = make_inputs([60] * 2_000, 300)
    inputs.architecture.keep_limits[:] = 0
    backend = KernelBackend(inputs.plan(Lockstep(32, 32, lanes=2)), start_vectors(300, 16), 3)
    for _ in range(20):
        totals = backend.train(inputs.tokens, inputs.schedule, 0, 30)
    assert totals == NOTHING


def test_train__deterministic_is_the_same_for_1_2_and_4_threads():
    corpus, _ = chain_corpus(400, 60_000)
    config = TrainConfig(dim=24, epochs=2, deterministic=True)
    runs = [train(corpus, replace(config, threads=threads)).embeddings for threads in (1, 2, 4)]
    assert len({run.center_vectors.tobytes() for run in runs}) == 1


def test_require_supported__deterministic_needs_kernel_block():
    with pytest.raises(UsageError, match="kernel block"):
        require_supported(TrainConfig(kernel="pair", deterministic=True))


def test_noise_gradients__agree_with_finite_differences():
    rng = np.random.default_rng(0)
    v, n, weights = rng.normal(size=(4, 6)), rng.normal(size=(5, 6)), rng.random((4, 5)) * 3
    none = Seen(np.zeros(6), np.zeros(1, np.intp))
    actual = noise_gradients(v, n, weights, none)
    for_v = numerical_gradient(lambda changed: noise_gradients(changed, n, weights, none).loss, v)
    for_n = numerical_gradient(lambda changed: noise_gradients(v, changed, weights, none).loss, n)
    np.testing.assert_allclose(actual.grad_centers, for_v, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(actual.grad_noise, for_n, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("centers", "pairs"), [([2], 4), ([1, 2, 3], 10), ([0, 1, 2, 3], 12)])
def test_step_windows__is_the_gradient_of_its_loss_for_a_small_step(centers, pairs):
    rng = np.random.default_rng(0)
    kept = [KeptToken(word, 0, 2) for word in (3, 1, 4, 0, 2)]
    start, rate = Vectors(rng.normal(size=(5, 6)), rng.normal(size=(5, 6))), 1e-6
    moved = Vectors(start.center.copy(), start.outside.copy())
    steps, none = (np.full(5, rate), np.full(5, rate)), (np.zeros(5), np.zeros(5))
    loss, n_pairs = step_windows(moved, kept, np.array(centers), none)
    step_windows(moved, kept, np.array(centers), steps)
    fallen = loss - step_windows(moved, kept, np.array(centers), none)[0]
    expected = sum((((b - a) / rate) ** 2).sum() for a, b in zip(start, moved, strict=True)) * rate
    assert n_pairs == pairs
    assert fallen == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "words", [range(9), (0, 1, 2, 3, 4, 5, 2, 1, 0), (3, 3, 3, 3, 4, 5, 6, 3, 3)], ids=str
)
def test_step_windows__of_neighbours_is_that_of_one_after_the_other(words):
    """A score meets the steps of the centres before, also of a word that is there twice."""
    rng = np.random.default_rng(0)
    kept = [KeptToken(word, 0, 3) for word in words]
    start = Vectors(rng.normal(size=(9, 6)), rng.normal(size=(9, 6)))
    steps = rng.random(9) / 3, rng.random(9) / 3
    together, alone = (Vectors(start.center.copy(), start.outside.copy()) for _ in range(2))
    told = step_windows(together, kept, np.arange(3, 7), steps)
    each = [step_windows(alone, kept, np.array([i]), steps) for i in range(3, 7)]
    assert told == pytest.approx(tuple(np.sum(each, axis=0)))
    np.testing.assert_allclose(together.center, alone.center)
    np.testing.assert_allclose(together.outside, alone.outside)


def test_neighbours_of__are_four_at_most_in_a_row_and_no_word_twice():
    kept = [KeptToken(word, 0, 3) for word in (0, 1, 2, 3, 4, 5, 1, 5, 6, 7)]
    assert neighbours_of(kept, np.arange(10)) == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert neighbours_of(kept, np.array([3, 5, 6, 0, 1, 9])) == [[0], [1, 2], [3, 4], [5]]
    assert neighbours_of(kept, np.array([], np.intp)) == []


@pytest.mark.parametrize("n", [0, 1, 7, 32, 33, 500])
def test_order_centers__takes_each_once_and_few_of_a_place_in_a_row(n):
    order = list(order_centers(range(5, 5 + n)))
    assert sorted(order) == list(range(5, 5 + n))
    runs = np.split(order, np.flatnonzero(np.diff(order) != 1) + 1)
    assert n <= RUN * PLACES or max(map(len, runs)) == RUN


def test_centers_at_once__are_fewer_where_words_are_few():
    config = TrainConfig(sample=0, block_size=32)
    actual = [centers_at_once(config, np.ones(n, np.int64)) for n in (1, 2, 8, 16, 400)]
    assert actual == [2, 4, 16, 32, 32]


def test_noise_gradients__vary_less_by_the_mean_of_the_rows_seen():
    """The centres' gradient for many sets of draws, from scores that are alike and rows that are not."""
    rng = np.random.default_rng(0)
    v, rows = rng.normal(size=(4, 6)) / 8, rng.normal(size=(50, 6)) + 1
    weights, count = np.full((4, 8), 2.0), np.array([500])
    grads = {"none": [], "mean": []}
    for _ in range(500):
        n = rows[rng.integers(0, 50, 8)]
        for name, seen in (("none", Seen(np.zeros(6), 0 * count)), ("mean", Seen(10 * rows.sum(0), count))):
            grads[name].append(noise_gradients(v, n, weights, seen).grad_centers)
    variances = {name: np.var(drawn, axis=0).sum() for name, drawn in grads.items()}
    assert variances["mean"] < variances["none"] / 3


@pytest.mark.parametrize("count", [0, 1_000])
def test_block_step__expectation_is_the_textbook_gradient(count):
    """Mean step over 4,000 draws of the shared noise against K fresh negatives a pair, in expectation.

    With nothing seen before, and with the mean of all rows, weighted as they are drawn.
    """
    rng = np.random.default_rng(0)
    n_words, dim, n_negatives, shared = 6, 3, 4, 8
    counts = np.array([50, 30, 20, 10, 5, 2])
    noise = noise_probabilities(counts)
    kept = [KeptToken(int(word), 0, 2) for word in rng.integers(0, n_words, 7)]
    start = Vectors(rng.normal(size=(n_words, dim)) / 2, rng.normal(size=(n_words, dim)) / 2)

    expected = Vectors(np.zeros((n_words, dim)), np.zeros((n_words, dim)))
    for i, token in enumerate(kept):
        for outside in [kept[j].word for j in window_of(kept, i) if j != i]:
            for word, weight in [(outside, None), *((w, n_negatives * noise[w]) for w in range(n_words))]:
                if word == outside and weight is not None:
                    continue
                score = start.center[token.word] @ start.outside[word]
                error = -sigmoid(-score) if weight is None else weight * sigmoid(score)
                expected.center[token.word] += error * start.outside[word]
                expected.outside[word] += error * start.center[token.word]

    learning_rate, n_draws = 1e-4, 4_000  # so small a step is never held back
    samples = []
    for _ in range(n_draws):
        after = Vectors(start.center.copy(), start.outside.copy())
        words = rng.choice(n_words, shared, p=noise)
        rates = (learning_rate, learning_rate)
        seen = Seen(count * (noise @ start.outside), np.array([count]))
        block_step(after, kept, np.arange(7), words, rates, n_negatives / len(words), seen)
        samples.append([(b - a) / learning_rate for a, b in zip(after, start, strict=True)])
    mean, error = np.mean(samples, axis=0), np.std(samples, axis=0) / np.sqrt(n_draws)
    deviation = np.abs(mean - np.array(expected)) / np.maximum(error, 1e-12)
    assert deviation.max() < 4.5  # 36 numbers; the chance of one beyond is 2e-4
    assert np.abs(np.array(expected)).max() > 10 * error.max()  # the test can see a wrong weight


@pytest.mark.slow
@pytest.mark.parametrize("n_words", [2, 20, 400])
@pytest.mark.parametrize("learning_rate", [0.025, 0.1])
def test_train__is_as_stable_as_pair_on_a_tiny_vocabulary(n_words, learning_rate):
    corpus, held_out = chain_corpus(n_words, 150_000)
    losses = []
    for options in ({"kernel": "pair"}, {"kernel": "block"}, {"deterministic": True}):
        config = TrainConfig(dim=64, lr=learning_rate, sample=0, threads=1, epochs=3, **options)
        losses.append(expected_loss(train(corpus, config).embeddings, held_out, corpus, config))
    pair, block, lockstep = losses
    assert block < pair + 0.005
    assert lockstep < pair + 0.005


def test_train__reports_the_loss_on_the_scale_of_pair():
    corpus, _ = chain_corpus(400, 100_000)
    losses = [
        train(corpus, TrainConfig(dim=32, sample=0, lr=0.025, kernel=kernel, threads=1, epochs=3)).mean_loss
        for kernel in ("pair", "block")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_train__workers_agree_statistically():
    corpus, held_out = chain_corpus(400, 200_000)
    losses = []
    for threads in (1, 4):
        config = TrainConfig(dim=32, sample=0, threads=threads, epochs=3)
        losses.append(expected_loss(train(corpus, config).embeddings, held_out, corpus, config))
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_padded_scratch__odd_sizes_never_read_beyond():
    """The smallest blocks at every unaligned size run and stay finite."""
    inputs, vectors = make_inputs(ragged(4_500), 50, radius=2), start_vectors(50, 5)
    for size in (1, 2, 15, 16, 17, 31):
        plan = inputs.plan(Block(size, size), n_negatives=1)
        KernelBackend(plan, vectors, 1).train(inputs.tokens, inputs.schedule, 0, 2)
    assert all(np.isfinite(matrix).all() for matrix in vectors)
    assert vectors.center.shape[1] == padded(5)


def test_rounded__rounds_to_eight_bits_ties_to_even():
    exact = np.array([0.0, 1.0, -2.5, 255.0, 2.0**-100], np.float32)
    assert (rounded(exact, BFLOAT16) == exact).all()
    step = 2.0**-7  # of bfloat16 between 1 and 2
    x = np.array([1 + step / 2, 1 + 1.5 * step, 1 + 0.49 * step, -1 - 0.51 * step])
    assert (rounded(x, BFLOAT16) == [1, 1 + 2 * step, 1, -1 - step]).all()
    assert rounded(x, FLOAT32) is x


@needs_bfloat16
@pytest.mark.parametrize(
    ("dim", "shared", "size", "lengths"),
    [
        (1, 32, 41, [20, 1, 0, 20]),
        (100, 5, 41, [20, 1, 0, 20]),
        (300, 48, 41, [20, 1, 0, 20]),
        (20, 16, 16, [8, 3]),
        (40, 32, 64, [20, 1, 0, 20]),
    ],
)
def test_train_units__bfloat16_agrees_with_the_reference_for_a_block(dim, shared, size, lengths):
    # Not for many: a difference of 1e-8 flips a rounding here and there, which is a difference of 2^-9.
    inputs = make_inputs(lengths, 300)
    vectors, schedule = start_vectors(300, dim, 0.6 / np.sqrt(dim)), inputs.epoch(0, 1, 0.1)
    double = Vectors(*(matrix.astype(np.float64) for matrix in vectors))
    plain = Vectors(*(matrix.copy() for matrix in vectors))
    plans = [inputs.plan(Block(size, shared, operands)) for operands in (BFLOAT16, FLOAT32)]
    for plan, trained in zip(plans, (vectors, plain), strict=True):
        KernelBackend(plan, trained, 1).train(inputs.tokens, schedule, 0, 1)
    ReferenceBackend(plans[0], double).train(inputs.tokens, schedule, 0, 1)
    for matrix, twin, other in zip(vectors, double, plain, strict=True):
        np.testing.assert_allclose(matrix, twin, rtol=0, atol=2e-6)
        assert np.abs(matrix - other).max() > 1e-5  # the rounding is seen


@needs_bfloat16
def test_train__bfloat16_ends_where_float32_does():
    corpus, _ = chain_corpus(400, 100_000)
    losses = [
        train(corpus, TrainConfig(dim=64, epochs=3, threads=1, precision=precision)).mean_loss
        for precision in ("float32", "bfloat16")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)


def test_train__bfloat16_kernels_need_a_processor_that_has_them(monkeypatch):
    monkeypatch.setattr("fastw2v.kernels.tiles.bfloat16.HAS_BFLOAT16", False)
    corpus, _ = chain_corpus(20, 1_000)
    with pytest.raises(UsageError, match="precision bfloat16 needs a processor with AVX512-BF16"):
        train(corpus, TrainConfig(dim=8, precision="bfloat16"))
    train(corpus, TrainConfig(dim=8, epochs=1, backend="reference", precision="bfloat16"))
