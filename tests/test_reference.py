"""The mathematics: finite differences, numbers worked by hand, extreme inputs; then the trainers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from fastw2v.model.arrays import UNIT, Tokens, Totals, Vectors, n_units, new_totals, work_on
from fastw2v.model.plan import NegativeSampling, Plan, Schedule, SkipGram, Softmax
from fastw2v.model.streams import epoch_key, noise_stream, token_bits
from fastw2v.reference import pair as pair_module
from fastw2v.reference.architectures import KeptToken, outputs_of, window_of
from fastw2v.reference.backend import ReferenceBackend
from fastw2v.reference.losses import (
    LossAndGradients,
    cross_entropy,
    log_softmax,
    matrix_times_vector,
    naive_softmax_loss,
    neg_sampling_loss,
    probabilities,
    sigmoid,
    sigmoid_derivative,
    skipgram_loss,
    softplus,
)
from fastw2v.reference.objectives import draw_negatives, draw_noise
from fastw2v.reference.pair import pair_step, train_units
from fastw2v.reference.units import keep_unit, learning_rate_at
from tests.gradients import STEP, numerical_gradient

Array = NDArray[Any]
PRECISIONS = [np.float32, np.float64]
DIM, N_WORDS = 4, 7
LN2, LN3, LN5 = math.log(2), math.log(3), math.log(5)


def assert_gradient(actual: Array, expected: Array) -> None:
    """Relative error at most 1e-6 of the whole gradient, and of every component to the rounding of a loss."""
    assert actual.shape == expected.shape
    assert np.linalg.norm(actual - expected) <= 1e-6 * np.linalg.norm(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


@pytest.fixture
def v_c(rng: np.random.Generator) -> Array:
    return rng.normal(size=DIM)


@pytest.fixture
def U(rng: np.random.Generator) -> Array:
    return rng.normal(size=(N_WORDS, DIM))


@pytest.fixture
def V(rng: np.random.Generator) -> Array:
    return rng.normal(size=(N_WORDS, DIM))


# --- σ, σ′, log(1 + exp) -----------------------------------------------------------------------------------


def test_sigmoid__hand_worked() -> None:
    """σ(ln 3) = 3/(3 + 1) = 3/4; σ(−ln 3) = 1/(1 + 3) = 1/4; σ(0) = 1/2."""
    np.testing.assert_allclose(sigmoid(np.array([LN3, -LN3, 0.0])), [0.75, 0.25, 0.5], rtol=1e-15)


def test_sigmoid_derivative__hand_worked() -> None:
    """σ′(±ln 3) = 3/4 · 1/4 = 3/16; σ′(0) = 1/4."""
    actual = sigmoid_derivative(np.array([LN3, -LN3, 0.0]))
    np.testing.assert_allclose(actual, [3 / 16, 3 / 16, 1 / 4], rtol=1e-15)


def test_softplus__hand_worked() -> None:
    """log(1 + 3) = ln 4; log(1 + 1/3) = ln 4 − ln 3; log(1 + 1) = ln 2."""
    actual = softplus(np.array([LN3, -LN3, 0.0]))
    np.testing.assert_allclose(actual, [2 * LN2, 2 * LN2 - LN3, LN2], rtol=1e-15)


def test_sigmoid_derivative__is_sigma_times_one_minus_sigma() -> None:
    x = np.linspace(-30, 30, 601)
    np.testing.assert_allclose(sigmoid_derivative(x), sigmoid(x) * (1 - sigmoid(x)), rtol=1e-12, atol=1e-15)


def test_sigmoid_derivative__finite_differences() -> None:
    x = np.linspace(-10, 10, 201)
    numerical = (sigmoid(x + STEP) - sigmoid(x - STEP)) / (2 * STEP)
    assert_gradient(sigmoid_derivative(x), numerical)


def test_softplus__derivative_is_sigmoid() -> None:
    x = np.linspace(-10, 10, 201)
    numerical = (softplus(x + STEP) - softplus(x - STEP)) / (2 * STEP)
    assert_gradient(sigmoid(x), numerical)


def test_softplus__is_minus_log_sigmoid_of_minus_x() -> None:
    x = np.linspace(-20, 20, 401)
    np.testing.assert_allclose(softplus(x), -np.log(sigmoid(-x)), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_sigmoid_and_softplus__extremes_and_dtype(dtype: type) -> None:
    """±1e4 and ±∞: the limits, no warning (pytest makes warnings errors), and the dtype stays."""
    x: Array = np.array([-np.inf, -1e4, 1e4, np.inf], dtype)
    assert sigmoid(x).tolist() == [0, 0, 1, 1]
    assert sigmoid_derivative(x).tolist() == [0, 0, 0, 0]
    assert softplus(x).tolist() == [0, 0, 1e4, np.inf]
    assert {sigmoid(x).dtype, sigmoid_derivative(x).dtype, softplus(x).dtype} == {np.dtype(dtype)}
    assert sigmoid(x[0]).dtype == softplus(x[0]).dtype == dtype


def test_sigmoid_and_softplus__nan_stays_nan() -> None:
    """A diverged run must show."""
    x = np.array(np.nan)
    assert np.isnan([sigmoid(x), sigmoid_derivative(x), softplus(x)]).all()


# --- softmax and cross-entropy -----------------------------------------------------------------------------


def test_matrix_times_vector__hand_worked() -> None:
    assert matrix_times_vector(np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([7.0, 8])).tolist() == [
        23,
        53,
        83,
    ]


def test_log_softmax__hand_worked() -> None:
    """Scores ln 1, ln 2, ln 5: exp gives 1, 2, 5, sum 8, so softmax is 1/8, 2/8, 5/8."""
    actual = log_softmax(np.array([0.0, LN2, LN5]))
    np.testing.assert_allclose(np.exp(actual), [1 / 8, 2 / 8, 5 / 8], rtol=1e-15)


def test_log_softmax__does_not_change_with_a_shift(rng: np.random.Generator) -> None:
    scores = rng.normal(size=9)
    np.testing.assert_allclose(log_softmax(scores + 1000), log_softmax(scores), rtol=1e-12)


def test_log_softmax__finite_differences(rng: np.random.Generator) -> None:
    """∂ log softmax_i/∂ score_j = [i = j] − softmax_j."""
    scores = rng.normal(size=5)
    softmax = np.exp(log_softmax(scores))
    for i in range(5):
        numerical = numerical_gradient(lambda x, i=i: float(log_softmax(x)[i]), scores)  # type: ignore[misc]
        assert_gradient(np.eye(5)[i] - softmax, numerical)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_log_softmax__extremes(dtype: type) -> None:
    """ln(e^1e4 / (e^1e4 + e^0 + e^−1e4)) = 0, then −1e4 and −2e4."""
    actual = log_softmax(np.array([1e4, 0, -1e4], dtype))
    assert actual.tolist() == [0, -1e4, -2e4]
    assert actual.dtype == dtype


def test_probabilities__hand_worked() -> None:
    """v_c = (2), U = (0), (ln 2 /2), (ln 5 /2): scores 0, ln 2, ln 5, so 1/8, 2/8, 5/8."""
    U = np.array([[0.0], [LN2 / 2], [LN5 / 2]])
    np.testing.assert_allclose(probabilities(np.array([2.0]), U), [1 / 8, 2 / 8, 5 / 8], rtol=1e-15)


def test_probabilities__finite_differences(v_c: Array, U: Array) -> None:
    """∂P(w|c)/∂v_c = P(w|c)(u_w − Σ_x P(x|c)u_x), the derivative of a softmax."""
    P = probabilities(v_c, U)
    assert P.sum() == pytest.approx(1, rel=1e-14)
    for w in range(N_WORDS):
        numerical = numerical_gradient(lambda v, w=w: float(probabilities(v, U)[w]), v_c)  # type: ignore[misc]
        assert_gradient(P[w] * (U[w] - P @ U), numerical)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_probabilities__extremes(dtype: type) -> None:
    """Logits 1e4, 0, −1e4."""
    U: Array = np.array([[100], [0], [-100]], dtype)
    assert probabilities(np.array([100], dtype), U).tolist() == [1, 0, 0]


def test_cross_entropy__hand_worked() -> None:
    """y = (1/2, 1/2, 0), ŷ = (1/2, 1/4, 1/4): ½ ln 2 + ½ ln 4 = 3/2 ln 2."""
    actual = cross_entropy(np.array([0.5, 0.5, 0.0]), np.log([0.5, 0.25, 0.25]))
    assert actual == pytest.approx(1.5 * LN2, rel=1e-15)


def test_cross_entropy__an_impossible_word_of_weight_0_costs_nothing() -> None:
    """0 · −log 0 = 0, not NaN; with weight it is infinite."""
    log_y_hat = np.array([0.0, -np.inf])
    assert cross_entropy(np.array([1.0, 0.0]), log_y_hat) == 0
    assert cross_entropy(np.array([0.5, 0.5]), log_y_hat) == math.inf


def test_cross_entropy__finite_differences(rng: np.random.Generator) -> None:
    """∂/∂ scores of the cross-entropy of y and softmax(scores) = ŷ − y, for any distribution y."""
    scores, y = rng.normal(size=6), rng.dirichlet(np.ones(6))
    numerical = numerical_gradient(lambda x: cross_entropy(y, log_softmax(x)), scores)
    assert_gradient(np.exp(log_softmax(scores)) - y, numerical)


# --- J_naive-softmax ---------------------------------------------------------------------------------------


def test_naive_softmax_loss__is_the_cross_entropy_of_the_one_hot(v_c: Array, U: Array) -> None:
    for o in range(N_WORDS):
        expected = cross_entropy(np.eye(N_WORDS)[o], np.log(probabilities(v_c, U)))
        assert naive_softmax_loss(v_c, o, U).loss == pytest.approx(expected, rel=1e-13)


def test_naive_softmax_loss__hand_worked() -> None:
    """v_c = (1, 2), rows of U with scores ln 1, ln 2, ln 5: ŷ = (1/8, 2/8, 5/8); outside word 1.

    J = −ln(2/8) = ln 4. ŷ − y = (1/8, −6/8, 5/8). U = (0, 0), (ln 2, 0), (0, ln 5 /2), so
    ∂J/∂v_c = Uᵀ(ŷ − y) = (−6/8 ln 2, 5/16 ln 5), and row w of ∂J/∂U is (ŷ − y)_w · (1, 2).
    """
    U = np.array([[0.0, 0.0], [LN2, 0.0], [0.0, LN5 / 2]])
    actual = naive_softmax_loss(np.array([1.0, 2.0]), 1, U)
    assert actual.loss == pytest.approx(2 * LN2, rel=1e-14)
    np.testing.assert_allclose(actual.grad_center, [-0.75 * LN2, 0.3125 * LN5], rtol=1e-14)
    expected = [[0.125, 0.25], [-0.75, -1.5], [0.625, 1.25]]
    np.testing.assert_allclose(actual.grad_outside, expected, rtol=1e-14)


@pytest.mark.parametrize("outside", range(N_WORDS))
def test_naive_softmax_loss__finite_differences(outside: int, v_c: Array, U: Array) -> None:
    actual = naive_softmax_loss(v_c, outside, U)
    by_v = numerical_gradient(lambda v: naive_softmax_loss(v, outside, U).loss, v_c)
    by_U = numerical_gradient(lambda M: naive_softmax_loss(v_c, outside, M).loss, U)
    assert_gradient(actual.grad_center, by_v)
    assert_gradient(actual.grad_outside, by_U)


# --- J_neg-sample ------------------------------------------------------------------------------------------


def test_neg_sampling_loss__hand_worked() -> None:
    """v_c = (1, 0); u_o = (ln 3, 2), u_k = (−ln 2, 3): scores ln 3 and −ln 2.

    σ(ln 3) = 3/4 and σ(−u_kᵀv_c) = σ(ln 2) = 2/3, so J = ln 4/3 + ln 3/2 = ln 2.
    ∂J/∂v_c = (3/4 − 1)u_o + (1 − 2/3)u_k = (−ln 3 /4 − ln 2 /3, −2/4 + 3/3) = (…, 1/2).
    ∂J/∂u_o = −1/4 v_c = (−1/4, 0); ∂J/∂u_k = 1/3 v_c = (1/3, 0); a word that is neither has 0.
    """
    U = np.array([[LN3, 2.0], [9.0, 9.0], [-LN2, 3.0]])
    actual = neg_sampling_loss(np.array([1.0, 0.0]), 0, [2], U)
    assert actual.loss == pytest.approx(LN2, rel=1e-14)
    np.testing.assert_allclose(actual.grad_center, [-LN3 / 4 - LN2 / 3, 0.5], rtol=1e-14)
    np.testing.assert_allclose(actual.grad_outside, [[-0.25, 0.0], [0.0, 0.0], [1 / 3, 0.0]], rtol=1e-14)


def test_neg_sampling_loss__a_negative_drawn_twice_counts_twice_by_hand() -> None:
    """As above with k twice: J = ln 4/3 + 2 ln 3/2 = ln 3; ∂J/∂u_k = (2/3, 0); ∂J/∂v_c = (…, −1/2 + 2)."""
    U = np.array([[LN3, 2.0], [9.0, 9.0], [-LN2, 3.0]])
    actual = neg_sampling_loss(np.array([1.0, 0.0]), 0, [2, 2], U)
    assert actual.loss == pytest.approx(LN3, rel=1e-14)
    np.testing.assert_allclose(actual.grad_center, [-LN3 / 4 - 2 * LN2 / 3, 1.5], rtol=1e-14)
    np.testing.assert_allclose(actual.grad_outside, [[-0.25, 0.0], [0.0, 0.0], [2 / 3, 0.0]], rtol=1e-14)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_neg_sampling_loss__a_negative_drawn_m_times_counts_m_times(times: int, v_c: Array, U: Array) -> None:
    """J and both gradients are linear in how often word 3 was drawn."""
    none, once = neg_sampling_loss(v_c, 0, [], U), neg_sampling_loss(v_c, 0, [3], U)
    actual = neg_sampling_loss(v_c, 0, [3] * times, U)
    for field in ("loss", "grad_center", "grad_outside"):
        base, single = getattr(none, field), getattr(once, field)
        expected = base + times * (single - base)
        np.testing.assert_allclose(getattr(actual, field), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("negatives", [[], [1], [1, 2, 3, 4], [3, 3, 3], [6, 1, 6, 1, 2], [5, 0]])
def test_neg_sampling_loss__finite_differences(negatives: list[int], v_c: Array, U: Array) -> None:
    """With none, one, distinct and repeated negatives, and with the outside word itself among them."""
    actual = neg_sampling_loss(v_c, 5, negatives, U)
    by_v = numerical_gradient(lambda v: neg_sampling_loss(v, 5, negatives, U).loss, v_c)
    by_U = numerical_gradient(lambda M: neg_sampling_loss(v_c, 5, negatives, M).loss, U)
    assert_gradient(actual.grad_center, by_v)
    assert_gradient(actual.grad_outside, by_U)


def test_neg_sampling_loss__equals_the_formula(v_c: Array, U: Array) -> None:
    """J = −log σ(u_oᵀv_c) − Σ_k log σ(−u_kᵀv_c), written out."""
    expected = -math.log(1 / (1 + math.exp(-float(U[2] @ v_c))))
    for k in (0, 4, 4):
        expected -= math.log(1 / (1 + math.exp(float(U[k] @ v_c))))
    assert neg_sampling_loss(v_c, 2, [0, 4, 4], U).loss == pytest.approx(expected, rel=1e-13)


# --- both losses at the extremes ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(
    ("outside", "naive", "sampled"),
    [(0, 0.0, 0.0), (1, 2e4, 4e4)],
    ids=["the best possible", "the worst possible"],
)
def test_losses__extreme_logits(dtype: type, outside: int, naive: float, sampled: float) -> None:
    """v_c = (100), U = (100), (−100), (0): logits 1e4, −1e4, 0.

    Outside word 0 has P = 1, so J = 0; with negative 1 twice σ(1e4) = 1 throughout, J = 0 and no gradient.
    Outside word 1 has −log P = 2e4; −log σ(−1e4) = 1e4, and negative 0 at 1e4 costs 1e4 each of three times.
    """
    v_c: Array = np.array([100], dtype)
    U: Array = np.array([[100], [-100], [0]], dtype)
    loss = naive_softmax_loss(v_c, outside, U)
    other = 1 - outside
    neg = neg_sampling_loss(v_c, outside, [other] * (3 if outside else 2), U)
    assert loss.loss == naive
    assert neg.loss == sampled
    assert loss.grad_center.tolist() == [200 * outside]
    assert neg.grad_center.tolist() == [(100 + 300) * outside]
    assert loss.grad_outside.tolist() == [[100 * outside], [-100 * outside], [0]]
    assert neg.grad_outside.tolist() == [[300 * outside], [-100 * outside], [0]]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_losses__keep_the_dtype(dtype: type, v_c: Array, U: Array) -> None:
    v: Array = v_c.astype(dtype)
    M: Array = U.astype(dtype)
    for result in (naive_softmax_loss(v, 1, M), neg_sampling_loss(v, 1, [2, 2], M)):
        assert isinstance(result.loss, float)
        assert result.grad_center.dtype == result.grad_outside.dtype == dtype
        assert result.grad_center.shape == v.shape
        assert result.grad_outside.shape == M.shape
    assert probabilities(v, M).dtype == dtype


def test_losses__leave_their_arguments_alone(v_c: Array, U: Array) -> None:
    before = v_c.copy(), U.copy()
    naive_softmax_loss(v_c, 1, U)
    neg_sampling_loss(v_c, 1, [2, 2], U)
    skipgram_loss(1, [2, 3], U, U, partial(naive_softmax_loss, U=U))
    np.testing.assert_array_equal(v_c, before[0])
    np.testing.assert_array_equal(U, before[1])


# --- J_skip-gram -------------------------------------------------------------------------------------------

WINDOW_WORDS = [2, 0, 2, 6]


def bind_naive(U: Array) -> Callable[[Array, int], LossAndGradients]:
    return lambda v, o: naive_softmax_loss(v, o, U)


def bind_sampled(U: Array) -> Callable[[Array, int], LossAndGradients]:
    return lambda v, o: neg_sampling_loss(v, o, [(o + 1) % N_WORDS, 3, 3], U)


@pytest.mark.parametrize("bind", [bind_naive, bind_sampled])
def test_skipgram_loss__is_the_sum_over_the_window(bind: Any, V: Array, U: Array) -> None:
    actual = skipgram_loss(4, WINDOW_WORDS, V, U, bind(U))
    pairs = [bind(U)(V[4], o) for o in WINDOW_WORDS]
    assert actual.loss == pytest.approx(sum(pair.loss for pair in pairs), rel=1e-14)
    np.testing.assert_allclose(actual.grad_center[4], sum(pair.grad_center for pair in pairs), rtol=1e-13)
    np.testing.assert_allclose(actual.grad_outside, sum(pair.grad_outside for pair in pairs), rtol=1e-13)


@pytest.mark.parametrize("bind", [bind_naive, bind_sampled])
def test_skipgram_loss__finite_differences(bind: Any, V: Array, U: Array) -> None:
    actual = skipgram_loss(4, WINDOW_WORDS, V, U, bind(U))
    by_V = numerical_gradient(lambda M: skipgram_loss(4, WINDOW_WORDS, M, U, bind(U)).loss, V)
    by_U = numerical_gradient(lambda M: skipgram_loss(4, WINDOW_WORDS, V, M, bind(M)).loss, U)
    assert_gradient(actual.grad_center, by_V)
    assert_gradient(actual.grad_outside, by_U)


@pytest.mark.parametrize("bind", [bind_naive, bind_sampled])
def test_skipgram_loss__no_gradient_for_other_center_vectors(bind: Any, V: Array, U: Array) -> None:
    """∂J/∂v_w = 0 for w ≠ c, exactly, also for words in the window."""
    actual = skipgram_loss(4, WINDOW_WORDS, V, U, bind(U)).grad_center
    assert actual.shape == V.shape
    assert np.count_nonzero(np.delete(actual, 4, axis=0)) == 0
    assert np.count_nonzero(actual[4]) == DIM


def test_skipgram_loss__hand_worked() -> None:
    """The pair of the negative-sampling example twice: J = 2 ln 2, ∂J/∂u_k = (2/3, 0), ∂J/∂v_c = (…, 1)."""
    U = np.array([[LN3, 2.0], [9.0, 9.0], [-LN2, 3.0]])
    V = np.array([[7.0, 7.0], [1.0, 0.0], [8.0, 8.0]])
    actual = skipgram_loss(1, [0, 0], V, U, lambda v, o: neg_sampling_loss(v, o, [2], U))
    assert actual.loss == pytest.approx(2 * LN2, rel=1e-14)
    expected_V = [[0.0, 0.0], [-LN3 / 2 - 2 * LN2 / 3, 1.0], [0.0, 0.0]]
    np.testing.assert_allclose(actual.grad_center, expected_V, rtol=1e-14)
    expected_U = [[-0.5, 0.0], [0.0, 0.0], [2 / 3, 0.0]]
    np.testing.assert_allclose(actual.grad_outside, expected_U, rtol=1e-14)


@pytest.mark.parametrize("bind", [bind_naive, bind_sampled])
def test_skipgram_loss__of_an_empty_window_is_zero(bind: Any, V: Array, U: Array) -> None:
    actual = skipgram_loss(4, [], V, U, bind(U))
    assert actual.loss == 0
    assert not actual.grad_center.any()
    assert not actual.grad_outside.any()


SAMPLING = NegativeSampling(0, np.zeros(0, np.uint64))  # the negatives are given

# --- one step of a trainer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("negatives", [[], [3], [6, 0, 3, 1]])
def test_pair_step__of_distinct_words_is_the_gradient(negatives: list[int], V: Array, U: Array) -> None:
    """The matrices change by −lr times the gradient of neg_sampling_loss; the loss is the one before."""
    vectors = Vectors(V.copy(), U.copy())
    expected = neg_sampling_loss(V[4], 2, negatives, U)
    loss = pair_step(vectors, [4], 2, negatives, SAMPLING, (0.3, 0.3))
    assert loss == pytest.approx(expected.loss, rel=1e-14)
    np.testing.assert_allclose(vectors.outside, U - 0.3 * expected.grad_outside, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(vectors.center[4], V[4] - 0.3 * expected.grad_center, rtol=1e-14)
    np.testing.assert_array_equal(np.delete(vectors.center, 4, axis=0), np.delete(V, 4, axis=0))


def test_pair_step__the_center_word_may_be_the_outside_word(V: Array, U: Array) -> None:
    """V and U are two matrices: word 4 next to itself steps a row of each, from the values before."""
    vectors = Vectors(V.copy(), U.copy())
    expected = neg_sampling_loss(V[4], 4, [1], U)
    pair_step(vectors, [4], 4, [1], SAMPLING, (0.3, 0.3))
    np.testing.assert_allclose(vectors.center[4], V[4] - 0.3 * expected.grad_center, rtol=1e-14)
    np.testing.assert_allclose(vectors.outside[4], U[4] - 0.3 * expected.grad_outside[4], rtol=1e-14)


def test_pair_step__a_word_drawn_twice_meets_its_own_step_by_hand() -> None:
    """v_c = (1), u_o = u_k = (0), lr 1, negatives k, k.

    Outside word: σ(0) − 1 = −1/2, so u_o = 1/2 and ∂J/∂v_c gets −1/2 · 0 = 0.
    First k: σ(0) = 1/2, u_k = −1/2. Second k: score −1/2, σ = 0.37754067, so u_k = −1/2 − σ = −0.87754067 and
    ∂J/∂v_c = σ · −1/2 = −0.18877033, v_c = 1.18877033. Loss: ln 2 + ln 2 + ln(1 + e^−1/2) = 1.86037135.
    """
    vectors = Vectors(np.array([[1.0]]), np.zeros((2, 1)))
    loss = pair_step(vectors, [0], 0, [1, 1], SAMPLING, (1.0, 1.0))
    np.testing.assert_allclose(vectors.outside, [[0.5], [-0.87754067]], rtol=1e-8)
    np.testing.assert_allclose(vectors.center, [[1.18877033]], rtol=1e-8)
    assert loss == pytest.approx(1.86037135, rel=1e-8)


def test_pair_step__keeps_float32(V: Array, U: Array) -> None:
    vectors = Vectors(V.astype(np.float32), U.astype(np.float32))
    loss = pair_step(vectors, [4], 2, [3, 3], SAMPLING, (0.3, 0.3))
    assert isinstance(loss, float)
    assert vectors.center.dtype == vectors.outside.dtype == np.float32


def test_pair_step__of_the_softmax_is_the_gradient(V: Array, U: Array) -> None:
    vectors = Vectors(V.copy(), U.copy())
    expected = naive_softmax_loss(V[4], 2, U)
    assert pair_step(vectors, [4], 2, [], Softmax(), (0.3, 0.3)) == expected.loss
    np.testing.assert_allclose(vectors.outside, U - 0.3 * expected.grad_outside, rtol=1e-14)
    np.testing.assert_allclose(vectors.center[4], V[4] - 0.3 * expected.grad_center, rtol=1e-14)
    np.testing.assert_array_equal(np.delete(vectors.center, 4, axis=0), np.delete(V, 4, axis=0))


# --- draws and the schedule --------------------------------------------------------------------------------

THREE_SLOTS = np.array([(0xFFFFFFFF << 32) | 0, (99 << 32) | 0, (0 << 32) | 1], np.uint64)


@pytest.mark.parametrize(
    ("slot", "low", "expected"),
    [(0, 0xFFFFFFFF, 0), (1, 0, 1), (1, 99, 1), (1, 100, 0), (2, 0, 2), (2, 1, 1)],
)
def test_draw_noise__hand_worked(slot: int, low: int, expected: int) -> None:
    """Slot 1 of three is the middle third of the high half; its own word up to limit 99, else alias 0."""
    first_high = -(-slot * 2**32 // 3)
    last_high = -(-(slot + 1) * 2**32 // 3) - 1
    for high in (first_high, last_high):
        assert draw_noise(THREE_SLOTS, (high << 32) | low) == expected


def test_draw_negatives__leaves_the_outside_word_out_and_takes_count_draws() -> None:
    """Slots (top two bits) 0, 1, 1, 2 draw the words 0, 1, 1, 2; less word 1 two are left; one draw stays."""
    table = np.array([(0xFFFFFFFF << 32) | word for word in range(4)], np.uint64)
    draws = iter([slot << 62 for slot in (0, 1, 1, 2, 3)])
    assert draw_negatives(NegativeSampling(4, table), draws, 1) == [0, 2]
    assert list(draws) == [3 << 62]


def test_learning_rate_at__falls_linearly_over_the_whole_run_to_a_floor() -> None:
    """Epoch 2 of 4 of 1,000 tokens: at token 500, 1,500 of 4,000 are done: 0.4 · (1 − 3/8) = 0.25."""
    schedule = Schedule(np.uint64(0), 1000, 4000, 0.4, 0.05)
    assert learning_rate_at(schedule, 500) == pytest.approx(0.25, rel=1e-15)
    assert learning_rate_at(schedule._replace(words_before=0), 0) == 0.4
    assert learning_rate_at(schedule._replace(words_before=3000), 999) == 0.05


def test_keep_unit__radius_is_uniform_from_1_to_window(make_inputs: Any) -> None:
    """8,192 radii from 1..5: each 1,638 ± 4.5 standard deviations of √(8192 · 1/5 · 4/5) = 36."""
    tokens, architecture, _, _ = make_inputs([2 * UNIT], 3, radius=5)
    radii: list[int] = []
    for unit in range(2):
        kept, centers = keep_unit(tokens, architecture, epoch_key(1, 0), unit)
        radii += [kept[i].radius for i in centers]
    counts = np.bincount(radii, minlength=6)
    assert counts[0] == 0
    assert len(counts) == 6
    assert np.abs(counts[1:] - 2 * UNIT / 5).max() < 4.5 * 36


def test_keep_unit__fixed_windows_have_the_full_radius(make_inputs: Any) -> None:
    tokens, architecture, _, _ = make_inputs([50, 60], 3, radius=5, fixed=1)
    kept, centers = keep_unit(tokens, architecture, epoch_key(1, 0), 0)
    assert {token.radius for token in kept} == {5}
    assert centers == range(110)


# --- which words are outside words -------------------------------------------------------------------------


SKIP_GRAM = SkipGram(9, 0, 9, np.zeros(0, np.uint32))


def outside_words(kept: list[KeptToken], i: int) -> list[int]:
    """The output words of skip-gram's cases around kept token i."""
    return [kept[j].word for j in outputs_of(SKIP_GRAM, i, window_of(kept, i))]


def test_outputs_of__at_sentence_edges() -> None:
    """Sentences 10 11 12 | 20 | 30 31, radius 2: no window leaves its sentence, none holds its centre."""
    kept = [KeptToken(w, w // 10, 2) for w in (10, 11, 12, 20, 30, 31)]
    expected = [[11, 12], [10, 12], [10, 11], [], [31], [30]]
    assert [outside_words(kept, i) for i in range(6)] == expected


def test_outputs_of__the_centers_own_radius_decides_and_repeats_count() -> None:
    """Words 7 8 7 8 with radii 1 3 1 9: the centre's radius, whatever its neighbour's is."""
    kept = [KeptToken(word, 0, radius) for word, radius in ((7, 1), (8, 3), (7, 1), (8, 9))]
    assert [outside_words(kept, i) for i in range(4)] == [[8], [7, 7, 8], [8, 8], [7, 8, 7]]


NO_VECTORS = Vectors(np.zeros(0), np.zeros(0))  # where steps are only recorded


class Step(NamedTuple):
    """A step that the trainer asked for."""

    center: int
    outside: int
    negatives: list[int]
    learning_rate: float


@pytest.fixture
def recorded_steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Every step that the trainer takes, written down instead of taken."""
    steps: list[Step] = []

    def record(
        vectors: Any, words: Any, outside: int, negatives: Any, objective: Any, rates: Any, *rest: Any
    ) -> float:
        (center,) = words
        steps.append(Step(center, outside, negatives, rates[0]))
        return 1.0

    monkeypatch.setattr(pair_module, "pair_step", record)
    return steps


def brute_force_pairs(tokens: Tokens, architecture: SkipGram, key: int) -> Iterator[tuple[int, int]]:
    """All (centre, outside) pairs of an epoch by the specification, a sentence at a time: no units here."""
    for start, stop in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True):
        draws = {p: token_bits(key, p) for p in range(start, stop)}
        kept = [p for p in range(start, stop) if draws[p] >> 32 <= architecture.keep_limits[tokens.ids[p]]]
        for i, p in enumerate(kept):
            drawn = 1 + (((draws[p] & 0xFFFFFFFF) * architecture.radius) >> 32)
            radius = architecture.radius if architecture.fixed else drawn
            for q in kept[max(i - radius, 0) : i + radius + 1]:
                if q != p:
                    yield int(tokens.ids[p]), int(tokens.ids[q])


LAYOUTS = {
    "tiny": [2, 3, 1, 4],
    "empty sentences everywhere": [0, 0, 3, 0, 0, 5, 1, 0, 0],
    "sentences of one token": [1] * 40,
    "borders on unit borders": [UNIT, 0, 0, UNIT, 17],
    "a token either side of a border": [UNIT - 1, 1, 0, 1, UNIT, 30],
    "one giant sentence across units": [5, 0, 7, 2 * UNIT + 900, 3],
    "many short ones": [0, 1, 2, 40, 3, 0, 29, 8] * 110,
}
SETTINGS: dict[str, dict[str, Any]] = {  # with sample 1e-4 about one token in 28 is kept
    "window 1": {"radius": 1},
    "window 5": {"radius": 5},
    "window 5, fixed, subsampled": {"radius": 5, "fixed": 1, "sample": 1e-4},
    "window 300, subsampled": {"radius": 300, "sample": 1e-4},
    "window beyond a unit, fixed, subsampled": {"radius": UNIT + 900, "fixed": 1, "sample": 1e-4},
}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_train_units__takes_the_pairs_of_the_specification(
    layout: str, setting: str, recorded_steps: list[Step], make_inputs: Any
) -> None:
    """The units together take exactly the pairs that brute force finds, in the same order."""
    inputs = make_inputs(LAYOUTS[layout], 12, **SETTINGS[setting])
    tokens, architecture, _, schedule = inputs
    backend = ReferenceBackend(inputs.plan(n_negatives=1), NO_VECTORS)
    totals = backend.train(tokens, schedule, 0, n_units(len(tokens.ids)))
    expected = list(brute_force_pairs(tokens, architecture, int(schedule.epoch_key)))
    assert [(step.center, step.outside) for step in recorded_steps] == expected
    draws = np.array([token_bits(int(schedule.epoch_key), p) >> 32 for p in range(len(tokens.ids))])
    n_kept = int((draws <= architecture.keep_limits[tokens.ids]).sum())
    assert totals == Totals(float(len(expected)), len(expected), n_kept)


def test_keep_unit__context_beyond_a_unit_and_beyond_the_next(make_inputs: Any) -> None:
    """Window 5,000 of tokens all kept: context reaches across a whole neighbouring unit, but stays in bounds.

    One sentence of 13,000 tokens, units at 0, 4096, 8192, 12288. Unit 1 has 4,096 tokens before it and 4,808
    after it (13,000 − 8,192); unit 3 has 712 of its own and 5,000 before.
    """
    tokens, architecture, _, _ = make_inputs([13_000], 3, radius=5000, fixed=1)
    sizes = {}
    for unit in range(4):
        kept, centers = keep_unit(tokens, architecture, epoch_key(1, 0), unit)
        sizes[unit] = (centers.start, len(centers), len(kept) - centers.stop)
        first = unit * UNIT - centers.start
        assert [token.word for token in kept] == tokens.ids[first : first + len(kept)].tolist()
    assert sizes == {0: (0, 4096, 5000), 1: (4096, 4096, 4808), 2: (5000, 4096, 712), 3: (5000, 712, 0)}


def test_train_units__negatives_come_from_the_units_own_stream(
    recorded_steps: list[Step], make_inputs: Any
) -> None:
    """K draws a pair in order from the unit's stream, the outside word left out; the unit's learning rate."""
    inputs = make_inputs([UNIT, 200], 4, radius=2)
    schedule = inputs.schedule
    train_units(NO_VECTORS, inputs.tokens, inputs.plan(n_negatives=3), schedule, work_on(1, 2), new_totals(1))
    draws = noise_stream(int(schedule.epoch_key), 1)
    for step in recorded_steps:
        drawn = [draw_noise(inputs.unigram_table, bits) for bits in islice(draws, 3)]
        assert step.negatives == [word for word in drawn if word != step.outside]
        assert step.learning_rate == 0.025 * (1 - UNIT / (UNIT + 200))
    assert any(len(step.negatives) < 3 for step in recorded_steps)


# --- whole runs --------------------------------------------------------------------------------------------


@pytest.fixture
def clustered(rng: np.random.Generator, make_inputs: Any) -> Any:
    """60 sentences of 10 words, each of words 0-4 or of words 5-9; window 3."""
    ids = rng.integers(0, 5, 600) + 5 * np.repeat(rng.integers(0, 2, 60), 10)
    return make_inputs([10] * 60, 10, radius=3, ids=ids)


@pytest.fixture
def start(rng: np.random.Generator) -> Vectors:
    """word2vec's start for 10 words in 8 dimensions: V small, U zero."""
    return Vectors((rng.random((10, 8)) - 0.5) / 8, np.zeros((10, 8)))


def backend_on(vectors: Vectors, inputs: Any, n_negatives: int) -> ReferenceBackend:
    plan: Plan = inputs.plan(n_negatives=n_negatives)
    return ReferenceBackend(plan if n_negatives else plan._replace(objective=Softmax()), vectors)


def mean_losses(backend: ReferenceBackend, inputs: Any) -> list[float]:
    """Mean loss a pair of each of four epochs with learning rate 0.02."""
    totals = [backend.train(inputs.tokens, inputs.epoch(epoch, 4, 0.02), 0, 1) for epoch in range(4)]
    return [epoch.loss / epoch.n_pairs for epoch in totals]


def test_reference_backend__softmax_lowers_the_loss(clustered: Any, start: Vectors) -> None:
    """It starts at ln 10 = 2.303 a pair (U = 0) and ends near ln 5 = 1.609: the right five words."""
    losses = mean_losses(backend_on(start, clustered, 0), clustered)
    assert LN5 + 0.2 < losses[0] < LN5 + LN2
    assert losses[-1] == pytest.approx(LN5, abs=0.03)


def test_reference_backend__sampling_finds_the_clusters(clustered: Any, start: Vectors) -> None:
    """It starts at 6 ln 2 = 4.159 a pair less the draws left out; then u_oᵀv_c tells the clusters."""
    losses = mean_losses(backend_on(start, clustered, 5), clustered)
    assert losses[-1] < 0.8 * losses[0] < 0.8 * 6 * LN2
    scores = start.center @ start.outside.T
    same = np.equal.outer(np.arange(10) // 5, np.arange(10) // 5)
    assert scores[same].min() > scores[~same].max() + 1
