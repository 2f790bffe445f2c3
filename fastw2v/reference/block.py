"""Estimator `block`: T centres share S weighted draws; the twin of `fastw2v.kernels.block`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import (
    FLOAT32,
    LARGEST_MOVE,
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

Places = NDArray[np.intp]


class BlockGradients(NamedTuple):
    """J of a block, ∂J/∂ its centre, context and noise rows, and their moves (`Side`)."""

    loss: float
    grad_centers: Array
    grad_contexts: Array
    grad_noise: Array
    center_moves: Array
    context_moves: Array
    noise_moves: Array


class Side(NamedTuple):
    """Rows of one matrix that a block works on.

    words  int (n,), whose rows
    grads  (n, dim), ∂J/∂row
    moves  (n,), Σ |∂J/∂score|·‖other row‖² over the scores that a row is part of
    """

    words: Places
    grads: Array
    moves: Array


class Scored(NamedTuple):
    """A block at the parameters of its start: rows of V, rows of U (contexts, then noise), loss, pairs."""

    centers: Side
    outside: Side
    loss: float
    n_pairs: int


def find_pairs(kept: Kept, span: range) -> tuple[int, int, NDArray[np.bool_]]:
    """The kept tokens lo ≤ j < hi that are contexts of a block, and which of them each centre is paired with.

    The last is bool (T, hi − lo).
    """
    windows = [window_of(kept, i) for i in span]
    lo, hi = min(window.start for window in windows), max(window.stop for window in windows)
    paired = np.zeros((len(span), hi - lo), dtype=bool)
    for i, window in enumerate(windows):
        paired[i, window.start - lo : window.stop - lo] = True
        paired[i, span[i] - lo] = False
    return lo, hi, paired


def weigh_noise(words: Places, noise: Places, paired: Array, weight: float, dtype: np.dtype) -> Array:
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}, (T, S)."""
    same = words[:, None] == noise[None, :]
    return np.asarray(weight * (paired.astype(dtype) @ ~same))


def rounded(x: Array, operands: Operands) -> Array:
    """x as the products with the noise see it; bfloat16 is half a float32, and ties go to the even one."""
    if isinstance(operands, Float32):
        return x
    bits = x.astype(np.float32).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return halves.view(np.float32).astype(x.dtype)


def block_gradients(
    v: Array, u: Array, n: Array, paired: Array, weights: Array, operands: Operands = FLOAT32
) -> BlockGradients:
    """Loss of a block of centres and its gradients with respect to every gathered row.

    v        (T, dim), rows of V of the centres
    u, n     (C, dim) and (S, dim), rows of U of their contexts and of the draws
    paired   bool (T, C), where context j is an outside word of centre i
    weights  (T, S), w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

    J = Σ_i [Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i)]; with E_ij = σ(u_jᵀv_i) − 1 on pairs and
    E_is = w_is σ(u_sᵀv_i): ∂J/∂v = E_pairs u + E_noise n, ∂J/∂u = E_pairsᵀ v, ∂J/∂n = E_noiseᵀ v.
    The products with n may have operands of less precision (`rounded`).
    """
    rounded_v, rounded_n = rounded(v, operands), rounded(n, operands)
    pair_scores, noise_scores = v @ u.T, rounded_v @ rounded_n.T
    loss = (paired * softplus(-pair_scores)).sum() + (weights * softplus(noise_scores)).sum()
    pair_errors = -(paired * sigmoid(-pair_scores))
    noise_errors = weights * sigmoid(noise_scores)
    rounded_errors, pair_sizes = rounded(noise_errors, operands), np.abs(pair_errors)
    v_norms, u_norms, n_norms = ((rows**2).sum(axis=1) for rows in (v, u, n))
    return BlockGradients(
        float(loss),
        pair_errors @ u + rounded_errors @ rounded_n,
        pair_errors.T @ v,
        rounded_errors.T @ rounded_v,
        pair_sizes @ u_norms + noise_errors @ n_norms,
        pair_sizes.T @ v_norms,
        noise_errors.T @ v_norms,
    )


def score_block(
    vectors: Vectors, kept: Kept, span: range, noise: Places, weight: float, operands: Operands
) -> Scored:
    """Gradients and moves of the centres kept[span] that share the noise words, at the present vectors."""
    lo, hi, paired = find_pairs(kept, span)
    words = np.array([kept[j].word for j in range(lo, hi)], dtype=np.intp)
    center_words = words[span.start - lo : span.stop - lo]
    weights = weigh_noise(words, noise, paired, weight, vectors.center.dtype)
    v, u, n = vectors.center[center_words], vectors.outside[words], vectors.outside[noise]
    block = block_gradients(v, u, n, paired, weights, operands)
    centers = Side(center_words, block.grad_centers, block.center_moves)
    outside = Side(
        np.concatenate([words, noise]),
        np.concatenate([block.grad_contexts, block.grad_noise]),
        np.concatenate([block.context_moves, block.noise_moves]),
    )
    return Scored(centers, outside, block.loss, int(paired.sum()))


def limit_steps(words: Places, moves: Array, learning_rate: float) -> Array:
    """The step of each row, held back where its word's rows together would move a score too far.

    A block takes all its gradients at one place, so a word with many rows or a heavy draw would overshoot
    where one-by-one steps would not. Σ|∂J/∂score|·‖other row‖², summed over the rows of a word, times the
    step bounds how far the step moves any of its scores; where that exceeds LARGEST_MOVE the step shrinks
    to it. The bound is reached where the other rows are parallel, as in a vocabulary of a few words; in
    text they point everywhere, and the real move is a fraction of it.
    """
    word_moves = np.bincount(words, weights=moves)[words]
    return np.asarray(learning_rate / np.maximum(1, learning_rate * word_moves / LARGEST_MOVE))


def update_rows(matrix: Array, sides: list[Side], learning_rate: float) -> None:
    """Row −= step·gradient, in place, for the rows of blocks whose gradients were all taken at once."""
    words, grads, moves = (np.concatenate(arrays) for arrays in zip(*sides, strict=True))
    steps = limit_steps(words, moves, learning_rate)
    np.subtract.at(matrix, words, (steps[:, None] * grads).astype(matrix.dtype))


def update_blocks(vectors: Vectors, blocks: list[Scored], rates: Rates) -> None:
    """One step, in place, on all rows of blocks that were scored at the present vectors."""
    if rates[0] > 0:
        update_rows(vectors.center, [block.centers for block in blocks], rates[0])
    if rates[1] > 0:
        update_rows(vectors.outside, [block.outside for block in blocks], rates[1])


def block_step(
    vectors: Vectors,
    kept: Kept,
    span: range,
    noise: Places,
    rates: Rates,
    weight: float,
    operands: Operands = FLOAT32,
) -> tuple[float, int]:
    """One step on the centres kept[span] that share the noise words, in place; returns (loss, pairs)."""
    block = score_block(vectors, kept, span, noise, weight, operands)
    update_blocks(vectors, [block], rates)
    return block.loss, block.n_pairs


def noise_of(plan: Plan) -> tuple[NegativeSampling, Block | Lockstep, float]:
    """Objective and estimator of a plan with shared draws, and K/S, what a draw stands for in a pair."""
    objective, estimator = plan.objective, plan.estimator
    assert isinstance(objective, NegativeSampling)
    assert isinstance(estimator, Block | Lockstep)
    return objective, estimator, objective.n_negatives / estimator.shared_negatives


def train_unit(
    vectors: Vectors, kept: Kept, span: range, plan: Plan, draws: Iterator[int], rates: Rates
) -> tuple[float, int]:
    """All blocks of one unit, in reading order; returns (loss, pairs)."""
    objective, estimator, weight = noise_of(plan)
    loss, n_pairs = 0.0, 0
    for block in blocks_of(span, estimator.block_size):
        noise = np.array(draw_shared(objective.unigram_table, draws, estimator.shared_negatives))
        block_loss, block_pairs = block_step(vectors, kept, block, noise, rates, weight, estimator.operands)
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


def blocks_of(span: range, size: int) -> list[range]:
    """The centres of a unit in blocks of so many, the last one shorter."""
    return [range(start, min(start + size, span.stop)) for start in range(span.start, span.stop, size)]
