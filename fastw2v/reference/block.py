"""Estimator `block`: T centres share S weighted draws; the twin of `fastw2v.kernels.block`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import UNIT, Tokens, Totals, Vectors
from fastw2v.model.plan import FLOAT32, LARGEST_MOVE, Estimator, Sampler, Schedule, Window
from fastw2v.model.streams import noise_stream
from fastw2v.reference.losses import Array, sigmoid, softplus
from fastw2v.reference.units import (
    BOTH,
    KeptToken,
    Shares,
    draw_shared,
    keep_unit,
    learning_rate_at,
    shares_of,
    window_of,
)


class BlockGradients(NamedTuple):
    """J of a block, ∂J/∂ its centre, context and noise rows, and ∂J/∂score of pairs and draws."""

    loss: float
    grad_centers: Array
    grad_contexts: Array
    grad_noise: Array
    pair_errors: Array
    noise_errors: Array


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
