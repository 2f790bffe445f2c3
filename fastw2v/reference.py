"""The mathematics, slowly and obviously, in NumPy: what every kernel must agree with.

The formulas are those of Stanford CS224n, assignment 2, and Mikolov et al. 2013 ("Distributed
Representations of Words and Phrases and their Compositionality"). Throughout:

    v_c  (dim,)          vector of the centre word c, a row of V
    u_o  (dim,)          vector of the outside word o, a row of U
    U    (n_words, dim)  all outside vectors
    J                    a loss, in nats

Functions keep the dtype they are given (float64 or float32) and return new arrays; only the trainers at
the end change the matrices in place, as the kernels do. Specification, and where it departs from word2vec.c:

 1. The centre word predicts each outside word (CS224n, fastText; word2vec.c and gensim mirror it).
 2. A sentence ends a window; tokens outside the vocabulary are removed before windows are formed.
 3. Subsampling removes tokens before windows are formed, so windows widen (as in word2vec.c).
 4. The window radius is uniform on 1..window, or always window with fixed windows.
 5. K noise words are drawn for each pair; one equal to the outside word is left out, not drawn again.
 6. A noise word drawn m times counts m times.
 7. The step size falls linearly with the tokens of the whole run, evaluated at each unit's first token.
 8. Sentences of any length train in full (word2vec.c cuts at 1,000 kept tokens, gensim at 10,000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.layout import (
    FLOAT32,
    LARGEST_MOVE,
    UNIT,
    Estimator,
    Sampler,
    Schedule,
    Tokens,
    Totals,
    Vectors,
    Window,
)
from fastw2v.splitmix import noise_stream, token_bits

Array = NDArray[Any]
LOW_32 = 0xFFFFFFFF
Shares = tuple[float, float]  # of the learning rate, for rows of V and of U: 0 freezes a matrix
BOTH = (1.0, 1.0)


class LossAndGradients(NamedTuple):
    """J (float), ∂J/∂v_c (dim,) and ∂J/∂U (n_words, dim)."""

    loss: float
    grad_center: Array
    grad_outside: Array


def sigmoid(x: Array) -> Array:
    """σ(x) = 1/(1 + exp(−x)), of any shape; exact 0 and 1 in the limits, never an overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def sigmoid_derivative(x: Array) -> Array:
    """σ′(x) = σ(x)(1 − σ(x)) = σ(x)σ(−x), of any shape."""
    return np.asarray(sigmoid(x) * sigmoid(-x))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) = −log σ(−x), of any shape; x itself for large x, never an overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def log_softmax(scores: Array) -> Array:
    """log softmax of scores (n,), shifted by their maximum so that none overflows."""
    shifted = scores - scores.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def probabilities(v_c: Array, U: Array) -> Array:
    """P(O = w | C = c) for every word w: softmax(U v_c), (n_words,)."""
    return np.asarray(np.exp(log_softmax(U @ v_c)))


def cross_entropy(y: Array, log_y_hat: Array) -> float:
    """−Σ_w y_w log ŷ_w, for a distribution y (n_words,) and logarithms of another."""
    present = y > 0
    return float(-(y[present] * log_y_hat[present]).sum())


def naive_softmax_loss(v_c: Array, outside: int, U: Array) -> LossAndGradients:
    """J = −log P(O = o | C = c), the cross-entropy of the one-hot y and ŷ = softmax(U v_c).

    ∂J/∂v_c = Uᵀ(ŷ − y);  ∂J/∂U = (ŷ − y)v_cᵀ.
    """
    log_y_hat = log_softmax(U @ v_c)
    error = np.exp(log_y_hat)  # becomes ŷ − y
    error[outside] -= 1
    return LossAndGradients(float(-log_y_hat[outside]), U.T @ error, np.outer(error, v_c))


def neg_sampling_loss(v_c: Array, outside: int, negatives: Sequence[int], U: Array) -> LossAndGradients:
    """J = −log σ(u_oᵀv_c) − Σ_k log σ(−u_kᵀv_c), over the negatives with their repetitions.

    ∂J/∂v_c = (σ(u_oᵀv_c) − 1)u_o + Σ_k (1 − σ(−u_kᵀv_c))u_k;
    ∂J/∂u_o = (σ(u_oᵀv_c) − 1)v_c;  ∂J/∂u_k = (1 − σ(−u_kᵀv_c))v_c, added once for every time k was drawn.
    """
    rows = np.array([outside, *negatives], dtype=np.intp)
    scores = U[rows] @ v_c
    signs = np.ones_like(scores)
    signs[0] = -1
    errors = signs * sigmoid(signs * scores)  # σ − 1 for the outside word, 1 − σ(−·) = σ(·) for the negatives
    grad_outside = np.zeros_like(U)
    np.add.at(grad_outside, rows, np.outer(errors, v_c))
    return LossAndGradients(float(softplus(signs * scores).sum()), errors @ U[rows], grad_outside)


def skipgram_loss(
    center: int,
    outside: Sequence[int],
    V: Array,
    U: Array,
    pair_loss: Callable[[Array, int], LossAndGradients],
) -> LossAndGradients:
    """J_skip-gram(c, w_{t−m..t+m}) = Σ_j J(v_c, w_{t+j}, U), with its gradients as the same sums.

    pair_loss(v_c, o) is either loss with U (and the negatives) bound. Returns ∂J/∂V (n_words, dim), zero but
    for row c, and ∂J/∂U.
    """
    loss, grad_V, grad_U = 0.0, np.zeros_like(V), np.zeros_like(U)
    for o in outside:
        pair = pair_loss(V[center], o)
        loss += pair.loss
        grad_V[center] += pair.grad_center
        grad_U += pair.grad_outside
    return LossAndGradients(loss, grad_V, grad_U)


class BlockGradients(NamedTuple):
    """J of a block, ∂J/∂ its centre, context and noise rows, and ∂J/∂score of pairs and draws."""

    loss: float
    grad_centers: Array
    grad_contexts: Array
    grad_noise: Array
    pair_errors: Array
    noise_errors: Array


# --- the draws, replayed with Python integers --------------------------------------------------------------


class KeptToken(NamedTuple):
    """A token that subsampling left: its word id, its sentence, its drawn window radius."""

    word: int
    sentence: int
    radius: int


def draw_noise(table: NDArray[np.uint64], bits: int) -> int:
    """One noise word from 64 random bits and an alias table (`fastw2v.sampling.unigram_table`)."""
    slot = ((bits >> 32) * len(table)) >> 32
    entry = int(table[slot])
    return slot if (bits & LOW_32) <= (entry >> 32) else entry & LOW_32


def draw_shared(table: NDArray[np.uint64], draws: Iterator[int], count: int) -> list[int]:
    """`count` noise words, for a block to share."""
    return [draw_noise(table, bits) for bits in islice(draws, count)]


def draw_negatives(table: NDArray[np.uint64], draws: Iterator[int], outside: int, count: int) -> list[int]:
    """`count` noise words less those equal to the outside word."""
    return [word for word in draw_shared(table, draws, count) if word != outside]


def learning_rate_at(schedule: Schedule, position: int) -> float:
    """Linear decay over the whole run with a floor, for a unit whose first token is at `position`."""
    done = (schedule.words_before + position) / schedule.words_total
    return max(schedule.learning_rate * (1 - done), schedule.min_learning_rate)


def shares_of(schedule: Schedule) -> Shares:
    """Shares of the learning rate for rows of V and of U."""
    return schedule.center_share, schedule.outside_share


def keep_token(tokens: Tokens, sampler: Sampler, key: int, window: Window, position: int) -> KeptToken | None:
    """The token at a position with its radius, or None where subsampling drops it."""
    word = int(tokens.ids[position])
    bits = token_bits(key, position)
    if bits >> 32 > int(sampler.keep_limits[word]):
        return None
    radius = window.radius if window.fixed else 1 + (((bits & LOW_32) * window.radius) >> 32)
    sentence = int(np.searchsorted(tokens.offsets, position, side="right")) - 1
    return KeptToken(word, sentence, radius)


def keep_unit(
    tokens: Tokens, sampler: Sampler, key: int, window: Window, unit: int
) -> tuple[list[KeptToken], range]:
    """Kept tokens of a unit, `window` more of its outer sentences on either side, and the centres' range."""
    start, stop = unit * UNIT, min((unit + 1) * UNIT, len(tokens.ids))
    first, last = np.searchsorted(tokens.offsets, [start, stop - 1], side="right") - 1

    def kept_in(positions: range, at_most: int) -> list[KeptToken]:
        candidates = (keep_token(tokens, sampler, key, window, p) for p in positions)
        return list(islice((token for token in candidates if token), at_most))

    before = kept_in(range(start - 1, int(tokens.offsets[first]) - 1, -1), window.radius)[::-1]
    inside = kept_in(range(start, stop), UNIT)
    after = kept_in(range(stop, int(tokens.offsets[last + 1])), window.radius)
    return before + inside + after, range(len(before), len(before) + len(inside))


def window_of(kept: list[KeptToken], i: int) -> range:
    """The kept tokens within the drawn radius of kept token i, in its sentence, itself among them."""
    low = high = i
    while low > max(i - kept[i].radius, 0) and kept[low - 1].sentence == kept[i].sentence:
        low -= 1
    while high < min(i + kept[i].radius, len(kept) - 1) and kept[high + 1].sentence == kept[i].sentence:
        high += 1
    return range(low, high + 1)


def outside_words(kept: list[KeptToken], i: int) -> list[int]:
    """The outside words of centre i, in reading order."""
    return [kept[j].word for j in window_of(kept, i) if j != i]


# --- the trainers: the same units, draws and order as the kernels ------------------------------------------


def sgns_step(
    vectors: Vectors,
    center: int,
    outside: int,
    negatives: list[int],
    learning_rate: float,
    shares: Shares = BOTH,
) -> float:
    """One step of stochastic gradient descent on J_neg-sample(v_c, o, U), in place; returns J before it.

    Rows of U are stepped one after the other, so a word drawn twice meets its own first step, as in
    word2vec.c; for distinct words this is the gradient of `neg_sampling_loss` to the letter.
    """
    v_c = vectors.center[center].copy()
    grad_center = np.zeros_like(v_c)
    loss = 0.0
    for word, sign in [(outside, -1), *((word, 1) for word in negatives)]:
        u_w = vectors.outside[word]
        score = u_w @ v_c
        error = sign * sigmoid(sign * score).astype(v_c.dtype)
        loss += float(softplus(sign * score))
        grad_center += error * u_w
        vectors.outside[word] -= v_c.dtype.type(learning_rate * shares[1]) * error * v_c
    vectors.center[center] -= v_c.dtype.type(learning_rate * shares[0]) * grad_center
    return loss


def softmax_step(
    vectors: Vectors, center: int, outside: int, learning_rate: float, shares: Shares = BOTH
) -> float:
    """One step on J_naive-softmax, in place; returns J before it. Costs the whole vocabulary a pair."""
    step = naive_softmax_loss(vectors.center[center], outside, vectors.outside)
    vectors.center[center] -= learning_rate * shares[0] * step.grad_center
    vectors.outside[...] -= learning_rate * shares[1] * step.grad_outside
    return step.loss


def as_operand(x: Array, operands: NDArray[Any]) -> Array:
    """x as the products with the noise see it: rounded to bfloat16 where `operands` is uint32, else x itself.

    bfloat16 is the upper half of a float32; ties go to the even one.
    """
    if operands.dtype != np.uint32:
        return x
    bits = x.astype(np.float32).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return halves.view(np.float32).astype(x.dtype)


def block_gradients(
    v: Array, u: Array, n: Array, paired: Array, weights: Array, operands: NDArray[Any] = FLOAT32
) -> BlockGradients:
    """Loss of a block of centres and its gradients with respect to every gathered row.

    v        (T, dim), rows of V of the centres
    u, n     (C, dim) and (S, dim), rows of U of their contexts and of the draws
    paired   bool (T, C), where context j is an outside word of centre i
    weights  (T, S), w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

    J = Σ_i [Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i)]; with E_ij = σ(u_jᵀv_i) − 1 on pairs and
    E_is = w_is σ(u_sᵀv_i): ∂J/∂v = E_pairs u + E_noise n, ∂J/∂u = E_pairsᵀ v, ∂J/∂n = E_noiseᵀ v.
    The products with n may have operands of less precision, see `as_operand`.
    """
    rounded_v, rounded_n = as_operand(v, operands), as_operand(n, operands)
    pair_scores, noise_scores = v @ u.T, rounded_v @ rounded_n.T
    loss = (paired * softplus(-pair_scores)).sum() + (weights * softplus(noise_scores)).sum()
    pair_errors = -(paired * sigmoid(-pair_scores))
    noise_errors = weights * sigmoid(noise_scores)
    rounded_errors = as_operand(noise_errors, operands)
    return BlockGradients(
        float(loss),
        pair_errors @ u + rounded_errors @ rounded_n,
        pair_errors.T @ v,
        rounded_errors.T @ rounded_v,
        pair_errors,
        noise_errors,
    )


def descend(matrix: Array, words: NDArray[np.intp], grads: Array, moves: Array, learning_rate: float) -> None:
    """Row −= learning_rate·gradient, in place, each word's step held back so that no score moves too far.

    A block takes all its gradients at one place, so a word with many rows or a heavy draw would overshoot
    where one-by-one steps would not. Σ|∂J/∂score|·‖other row‖², summed over the rows of a word, times the
    step bounds how far the step moves any of its scores; where that exceeds LARGEST_MOVE the step shrinks
    to it. The bound is reached where the other rows are parallel, as in a vocabulary of a few words; in
    text they point everywhere, and the real move is a fraction of it.
    """
    word_moves = np.bincount(words, weights=moves, minlength=len(matrix))[words]
    steps = learning_rate / np.maximum(1, learning_rate * word_moves / LARGEST_MOVE)
    np.subtract.at(matrix, words, (steps[:, None] * grads).astype(matrix.dtype))


class BlockTerms(NamedTuple):
    """What a block asks of the matrices: words of its rows, their gradients, their moves (see `descend`)."""

    center_words: NDArray[np.intp]
    grad_centers: Array
    center_moves: Array
    outside_words: NDArray[np.intp]
    grad_outside: Array
    outside_moves: Array
    loss: float
    n_pairs: int


def block_terms(
    vectors: Vectors, kept: list[KeptToken], centers: range, noise: list[int], estimator: Estimator
) -> BlockTerms:
    """Gradients of a block of centres that share the noise words, at the present vectors."""
    windows = [window_of(kept, i) for i in centers]
    lo = min(window.start for window in windows)
    hi = max(window.stop for window in windows)
    words = np.array([kept[j].word for j in range(lo, hi)], dtype=np.intp)
    center_words, noise_words = words[centers.start - lo : centers.stop - lo], np.array(noise, dtype=np.intp)
    paired = np.zeros((len(centers), hi - lo), dtype=bool)
    for i, window in enumerate(windows):
        paired[i, window.start - lo : window.stop - lo] = True
        paired[i, centers[i] - lo] = False
    same = words[:, None] == noise_words[None, :]
    weights = estimator.n_negatives / len(noise) * (paired.astype(vectors.center.dtype) @ ~same)

    v, u, n = vectors.center[center_words], vectors.outside[words], vectors.outside[noise_words]
    block = block_gradients(v, u, n, paired, weights, estimator.operands)
    v_norms, u_norms, n_norms = ((rows**2).sum(axis=1) for rows in (v, u, n))
    pair_sizes = np.abs(block.pair_errors)
    return BlockTerms(
        center_words,
        block.grad_centers,
        pair_sizes @ u_norms + block.noise_errors @ n_norms,
        np.concatenate([words, noise_words]),
        np.concatenate([block.grad_contexts, block.grad_noise]),
        np.concatenate([pair_sizes.T @ v_norms, block.noise_errors.T @ v_norms]),
        block.loss,
        int(paired.sum()),
    )


def descend_together(
    vectors: Vectors, terms: list[BlockTerms], learning_rate: float, shares: Shares = BOTH
) -> None:
    """One step, in place, on blocks whose gradients were all taken at the present vectors."""
    words, grads, moves = (np.concatenate(rows) for rows in zip(*(term[:3] for term in terms), strict=True))
    descend(vectors.center, words, grads, moves, learning_rate * shares[0])
    words, grads, moves = (np.concatenate(rows) for rows in zip(*(term[3:6] for term in terms), strict=True))
    descend(vectors.outside, words, grads, moves, learning_rate * shares[1])


def block_step(
    vectors: Vectors,
    kept: list[KeptToken],
    centers: range,
    noise: list[int],
    estimator: Estimator,
    learning_rate: float,
    shares: Shares = BOTH,
) -> tuple[float, int]:
    """One step on a block of centres that share the noise words, in place; returns (loss, pairs)."""
    terms = block_terms(vectors, kept, centers, noise, estimator)
    descend_together(vectors, [terms], learning_rate, shares)
    return terms.loss, terms.n_pairs


def train_unit_pair(
    vectors: Vectors,
    tokens: Tokens,
    sampler: Sampler,
    schedule: Schedule,
    window: Window,
    estimator: Estimator,
    unit: int,
) -> Totals:
    """Train one unit in place, as kernel `pair` does; no negatives means the naive-softmax loss."""
    key = int(schedule.epoch_key)
    learning_rate, shares = learning_rate_at(schedule, unit * UNIT), shares_of(schedule)
    draws = noise_stream(key, unit)
    kept, centers = keep_unit(tokens, sampler, key, window, unit)
    loss, n_pairs = 0.0, 0
    for i in centers:
        for outside in outside_words(kept, i):
            center = kept[i].word
            if estimator.n_negatives:
                negatives = draw_negatives(sampler.unigram_table, draws, outside, estimator.n_negatives)
                loss += sgns_step(vectors, center, outside, negatives, learning_rate, shares)
            else:
                loss += softmax_step(vectors, center, outside, learning_rate, shares)
            n_pairs += 1
    return Totals(loss, n_pairs, len(centers))


def train_unit_block(
    vectors: Vectors,
    tokens: Tokens,
    sampler: Sampler,
    schedule: Schedule,
    window: Window,
    estimator: Estimator,
    unit: int,
) -> Totals:
    """Train one unit in place, as kernel `block` does."""
    key = int(schedule.epoch_key)
    learning_rate, shares = learning_rate_at(schedule, unit * UNIT), shares_of(schedule)
    draws = noise_stream(key, unit)
    kept, centers = keep_unit(tokens, sampler, key, window, unit)
    loss, n_pairs = 0.0, 0
    for span in blocks_of(centers, estimator.block_size):
        noise = draw_shared(sampler.unigram_table, draws, estimator.shared_negatives)
        block_loss, block_pairs = block_step(vectors, kept, span, noise, estimator, learning_rate, shares)
        loss, n_pairs = loss + block_loss, n_pairs + block_pairs
    return Totals(loss, n_pairs, len(centers))


def blocks_of(centers: range, size: int) -> list[range]:
    """The centres of a unit in blocks of so many, the last one shorter."""
    return [
        range(start, min(start + size, centers.stop)) for start in range(centers.start, centers.stop, size)
    ]


class Lane(NamedTuple):
    """A unit on its way: its kept tokens, the blocks still to come, its noise stream."""

    kept: list[KeptToken]
    blocks: list[range]
    draws: Iterator[int]


def train_group(
    vectors: Vectors,
    tokens: Tokens,
    sampler: Sampler,
    schedule: Schedule,
    window: Window,
    estimator: Estimator,
    units: range,
) -> Totals:
    """Train units side by side, in place, as kernel `lockstep` does: a block of each makes one step."""
    key = int(schedule.epoch_key)
    learning_rate, shares = learning_rate_at(schedule, units.start * UNIT), shares_of(schedule)
    lanes, n_kept = [], 0
    for unit in units:
        kept, centers = keep_unit(tokens, sampler, key, window, unit)
        blocks = blocks_of(centers, estimator.block_size)
        lanes.append(Lane(kept, blocks[::-1], noise_stream(key, unit)))
        n_kept += len(centers)
    loss, n_pairs = 0.0, 0
    while active := [lane for lane in lanes if lane.blocks]:
        terms = []
        for lane in active:
            noise = draw_shared(sampler.unigram_table, lane.draws, estimator.shared_negatives)
            terms.append(block_terms(vectors, lane.kept, lane.blocks.pop(), noise, estimator))
        descend_together(vectors, terms, learning_rate, shares)
        loss += sum(term.loss for term in terms)
        n_pairs += sum(term.n_pairs for term in terms)
    return Totals(loss, n_pairs, n_kept)


def adasum(a: Array, b: Array) -> Array:
    """Two steps on one row, (dim,) each, as one (Maleki et al. 2021, arXiv 2006.02924, eq. 6).

    a ⊕ b = (1 − a·b / 2|a|²) a + (1 − a·b / 2|b|²) b: the sum of orthogonal steps, the mean of equal ones.
    """
    product = a @ b
    shares = [1 - product / (2 * square) if (square := step @ step) > 0 else 1 for step in (a, b)]
    return np.asarray(shares[0] * a + shares[1] * b)


def combined_step(steps: Sequence[Array | None], is_mean: bool = False) -> Array:
    """The steps of all ranks on one row, None for a rank without one, combined: at least one is an array.

    Neighbours first, then neighbouring pairs, and so on; what has no neighbour waits.
    """
    level = list(steps)
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [_combined_pair([step for step in pair if step is not None], is_mean) for pair in pairs]
    assert level[0] is not None
    return level[0] / len(steps) if is_mean else level[0]


def _combined_pair(steps: list[Array], is_mean: bool) -> Array | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return np.asarray(steps[0] + steps[1]) if is_mean else adasum(*steps)


class ReferenceBackend:
    """Trains units in NumPy: the backend that `--backend reference` runs, and the kernels' yardstick."""

    def __init__(
        self, vectors: Vectors, tokens: Tokens, sampler: Sampler, window: Window, estimator: Estimator
    ) -> None:
        self.arrays = (vectors, tokens, sampler)
        self.options = (window, estimator)
        self.units_at_once = estimator.lanes
        self.train_unit = train_unit_block if estimator.block_size else train_unit_pair

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end, one after the other, or side by side where the estimator has lanes."""
        totals = Totals(0.0, 0, 0)
        if self.units_at_once > 1:
            for start in range(first, end, self.units_at_once):
                units = range(start, min(start + self.units_at_once, end))
                totals = totals.plus(train_group(*self.arrays, schedule, *self.options, units))
            return totals
        for unit in range(first, end):
            totals = totals.plus(self.train_unit(*self.arrays, schedule, *self.options, unit))
        return totals
