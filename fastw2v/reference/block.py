"""Estimator `block`: pairs a window at a time, the noise of T centres at once.

The twin of `fastw2v.kernels.block`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import (
    FLOAT32,
    LARGEST_MOVE,
    PLACES,
    RUN,
    Block,
    Float32,
    Lockstep,
    NegativeSampling,
    Operands,
    Plan,
    Schedule,
)
from fastw2v.model.streams import noise_stream
from fastw2v.reference.architectures import window_of
from fastw2v.reference.losses import Array, sigmoid, softplus
from fastw2v.reference.objectives import draw_shared
from fastw2v.reference.units import Kept, Rates, keep_unit, rates_at

Numbers = NDArray[np.intp]


class Seen(NamedTuple):
    """Rows of U that the blocks of a unit have drawn so far: their sum, (dim,), and their number, (1,)."""

    total: Array
    n_rows: Numbers


class NoiseGradients(NamedTuple):
    """J of a block's noise, ∂J/∂ its centre and noise rows, and their moves.

    The moves of a row are Σ |∂J/∂score|·‖other row‖² over the scores that it is part of.
    """

    loss: float
    grad_centers: Array
    grad_noise: Array
    center_moves: Array
    noise_moves: Array


def order_centers(span: range) -> Numbers:
    """The centres of a unit in the order in which blocks take them: RUN from each of PLACES parts in turn.

    Neighbours share a topic. A draw is pushed away from all centres of its block at once, and those of one
    topic would push it far to one side: see PLACES.
    """
    length = max(1, -(-len(span) // PLACES))
    parts = [range(start, min(start + length, span.stop)) for start in range(span.start, span.stop, length)]
    order = [i for run in range(0, length, RUN) for part in parts for i in part[run : run + RUN]]
    return np.array(order, dtype=np.intp)


def outside_words(kept: Kept, i: int) -> Numbers:
    """The words of centre i's window but its own."""
    return np.array([kept[j].word for j in window_of(kept, i) if j != i], dtype=np.intp)


def weigh_noise(kept: Kept, centers: Numbers, noise: Numbers, weight: float) -> Array:
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}, (T, S)."""
    counts = [(outside_words(kept, i)[:, None] != noise).sum(axis=0) for i in centers]
    return weight * np.array(counts, dtype=float)


def rounded(x: Array, operands: Operands) -> Array:
    """x as the products with the noise see it; bfloat16 is half a float32, and ties go to the even one."""
    if isinstance(operands, Float32):
        return x
    bits = x.astype(np.float32).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return halves.view(np.float32).astype(x.dtype)


def nothing_seen(vectors: Vectors) -> Seen:
    """What a unit begins with."""
    return Seen(np.zeros_like(vectors.outside[0]), np.zeros(1, np.intp))


def remember(seen: Seen, rows: Array) -> None:
    """Add the rows that a block has drawn, in place."""
    seen.total[:] += rows.sum(axis=0)
    seen.n_rows[0] += len(rows)


def center_errors(errors: Array, seen: Seen) -> tuple[Array, Array]:
    """What the centres' gradient multiplies draws with, (T, S), and the sum of the rows seen before, (T,).

    Σ_s e_s n_s = Σ_s (e_s − ē) n_s + S ē n̄, and n̄ differs from draw to draw more than the rest. It has the
    expectation of the mean of all rows seen before, which differs less and takes its place: a control variate
    (Owen, Monte Carlo theory, methods and examples, 8.9). Times S/(S − 1), as ē is a mean of the same draws,
    the sum keeps its expectation to the letter.
    """
    n_draws = errors.shape[1]
    if seen.n_rows[0] == 0 or n_draws == 1:
        return errors, np.zeros_like(errors[:, 0])
    mean = errors.mean(axis=1, keepdims=True)
    return (errors - mean) * (n_draws / (n_draws - 1)), mean[:, 0] * (n_draws / seen.n_rows[0])


def noise_gradients(
    v: Array, n: Array, weights: Array, seen: Seen, operands: Operands = FLOAT32
) -> NoiseGradients:
    """Loss of the noise that centres share, and its gradients with respect to every gathered row.

    v        (T, dim), rows of V of the centres
    n        (S, dim), rows of U of the draws
    weights  (T, S), w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}
    seen     what the unit's blocks before have drawn: see `center_errors`; nothing, and the gradient is J's

    J = −Σ_is w_is log σ(−u_sᵀv_i); with E_is = w_is σ(u_sᵀv_i): ∂J/∂v = E n, ∂J/∂n = Eᵀ v.
    The products may have operands of less precision (`rounded`).
    """
    rounded_v, rounded_n = rounded(v, operands), rounded(n, operands)
    scores = rounded_v @ rounded_n.T
    errors = (weights * sigmoid(scores)).astype(v.dtype)
    for_centers, for_seen = center_errors(errors, seen)
    return NoiseGradients(
        float((weights * softplus(scores)).sum()),
        rounded(for_centers, operands) @ rounded_n + np.outer(for_seen, seen.total),
        rounded(errors, operands).T @ rounded_v,
        errors @ (n**2).sum(axis=1),
        errors.T @ (v**2).sum(axis=1),
    )


def limit_steps(words: Numbers, moves: Array, learning_rate: float, n_words: int) -> Array:
    """The step of every word's row in this block, (n_words,): held back where noise would move it too far.

    The noise of a block is stepped from one place, so a word with many rows or a heavy draw would overshoot
    where one-by-one steps would not. Σ|∂J/∂score|·‖other row‖², summed over the rows of a word, times the
    step bounds how far it moves any of its scores; where that exceeds LARGEST_MOVE the step shrinks to it,
    for the word's pairs in this block too: noise held back alone would leave attraction without its match.
    """
    word_moves = np.bincount(words, weights=moves, minlength=n_words)
    return np.asarray(learning_rate / np.maximum(1, learning_rate * word_moves / LARGEST_MOVE))


def step_window(vectors: Vectors, kept: Kept, i: int, steps: tuple[Array, Array]) -> tuple[float, int]:
    """A step on all pairs of centre i, in place, their errors taken before it; returns (loss, pairs).

    J = Σ_j −log σ(u_jᵀv_i). The context rows are stepped one after the other: a word that the window holds
    twice meets its own first step.
    """
    center, words = kept[i].word, outside_words(kept, i)
    v_c = vectors.center[center].copy()
    scores = vectors.outside[words] @ v_c
    errors = -sigmoid(-scores).astype(v_c.dtype)
    for word, error in zip(words, errors, strict=True):
        vectors.center[center] -= steps[0][center] * error * vectors.outside[word]
        vectors.outside[word] -= steps[1][word] * error * v_c
    return float(softplus(-scores).sum()), len(words)


def update_rows(matrix: Array, words: Numbers, grads: Array, steps: Array) -> None:
    """Row −= step·gradient, in place; a word may have several rows."""
    np.subtract.at(matrix, words, (steps[words][:, None] * grads).astype(matrix.dtype))


def block_step(
    vectors: Vectors,
    kept: Kept,
    centers: Numbers,
    noise: Numbers,
    rates: Rates,
    weight: float,
    seen: Seen,
    operands: Operands = FLOAT32,
) -> tuple[float, int]:
    """One step on centres that share the noise words, in place; returns (loss, pairs).

    The noise is scored at the parameters of the block's start and stepped at its end. In between, pairs are
    stepped window by window: a row of U meets what the windows before have made of it.
    """
    words = np.array([kept[i].word for i in centers], dtype=np.intp)
    weights = weigh_noise(kept, centers, noise, weight)
    block = noise_gradients(vectors.center[words], vectors.outside[noise], weights, seen, operands)
    n_words = len(vectors.center)
    steps = (
        limit_steps(words, block.center_moves, rates[0], n_words),
        limit_steps(noise, block.noise_moves, rates[1], n_words),
    )
    loss, n_pairs = block.loss, 0
    for i in centers:
        window_loss, window_pairs = step_window(vectors, kept, i, steps)
        loss += window_loss
        n_pairs += window_pairs
    update_rows(vectors.center, words, block.grad_centers, steps[0])
    update_rows(vectors.outside, noise, block.grad_noise, steps[1])
    return loss, n_pairs


def noise_of(plan: Plan) -> tuple[NegativeSampling, Block | Lockstep, float]:
    """Objective and estimator of a plan with shared draws, and K/S, what a draw stands for in a pair."""
    objective, estimator = plan.objective, plan.estimator
    assert isinstance(objective, NegativeSampling)
    assert isinstance(estimator, Block | Lockstep)
    return objective, estimator, objective.n_negatives / estimator.shared_negatives


def train_unit(
    vectors: Vectors, kept: Kept, span: range, plan: Plan, draws: Iterator[int], rates: Rates
) -> tuple[float, int]:
    """All blocks of one unit; returns (loss, pairs)."""
    objective, estimator, weight = noise_of(plan)
    order = order_centers(span)
    loss, n_pairs, seen = 0.0, 0, nothing_seen(vectors)
    for start in range(0, len(order), estimator.block_size):
        centers = order[start : start + estimator.block_size]
        noise = np.array(draw_shared(objective.unigram_table, draws, estimator.shared_negatives))
        drawn = vectors.outside[noise]
        block_loss, block_pairs = block_step(
            vectors, kept, centers, noise, rates, weight, seen, estimator.operands
        )
        if estimator.control:
            remember(seen, drawn)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: NDArray[np.float64]
) -> None:
    """Train the units of the queue in place, as kernel `block` does."""
    epoch_key = int(schedule.epoch_key)
    for unit in range(*work.queue):
        kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += len(span)
