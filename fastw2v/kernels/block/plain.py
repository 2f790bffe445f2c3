"""Kernel `block` in plain loops: the rung between reference and tiles, and for machines that no tile fits.

Names and order are those of `fastw2v.reference.block`; `fastw2v.kernels.block.step` is the same, fast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.architectures import window_of
from fastw2v.kernels.intrinsics import atomic_add
from fastw2v.kernels.jit import fast_jit, inner_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.units import aligned_rows, keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import LARGEST_MOVE

ONE, ZERO = np.float32(1.0), np.float32(0.0)


class Side(NamedTuple):
    """Rows of one matrix that a block works on.

    words       int64 (n,), whose rows
    rows        float32 (n, padded_dim), as gathered
    grads       float32 (n, padded_dim), ∂J/∂row
    moves       float32 (n,), Σ |∂J/∂score|·‖other row‖² over the scores that a row is part of
    word_moves  float32 (n_words,), moves summed over a word's rows; zero between blocks
    """

    words: NDArray[np.int64]
    rows: NDArray[np.float32]
    grads: NDArray[np.float32]
    moves: NDArray[np.float32]
    word_moves: NDArray[np.float32]


class Scratch(NamedTuple):
    """What a worker needs for a block, allocated once a call.

    centers  Side, T rows of V
    outside  Side, T + 2·reach + S rows of U: contexts, then noise
    paired   bool (T, T + 2·reach), where context j is an outside word of centre i
    weights  float32 (T, S), w_is
    """

    centers: Side
    outside: Side
    paired: NDArray[np.bool_]
    weights: NDArray[np.float32]


@inner_jit
def new_side(matrix, n):
    """Scratch for n rows of a matrix."""
    n_words, dim = matrix.shape
    rows, grads = aligned_rows(n, dim), aligned_rows(n, dim)
    return Side(np.zeros(n, np.int64), rows, grads, np.zeros(n, np.float32), np.zeros(n_words, np.float32))


@inner_jit
def new_scratch(vectors, plan):
    """Scratch for blocks of a plan."""
    n_centers, n_noise = plan.estimator.block_size, plan.estimator.shared_negatives
    n_contexts = n_centers + 2 * plan.architecture.reach
    return Scratch(
        new_side(vectors.center, n_centers),
        new_side(vectors.outside, n_contexts + n_noise),
        np.zeros((n_centers, n_contexts), np.bool_),
        np.zeros((n_centers, n_noise), np.float32),
    )


@inner_jit
def find_pairs(kept, span, paired):
    """The kept tokens lo ≤ j < hi that are contexts of a block, and which of them a centre is paired with."""
    start, stop, size = span
    lo, hi = window_of(kept, start, size)
    for i in range(start + 1, stop):
        window = window_of(kept, i, size)
        lo, hi = min(lo, window[0]), max(hi, window[1])
    for i in range(start, stop):
        window = window_of(kept, i, size)
        for j in range(lo, hi):
            paired[i - start, j - lo] = window[0] <= j < window[1] and j != i
    return lo, hi


@inner_jit
def weigh_noise(words, noise, paired, weight, weights):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}; returns the pairs."""
    n_pairs = 0
    weights[:] = ZERO
    for i in range(len(paired)):
        for j in range(len(words)):
            if paired[i, j]:
                n_pairs += 1
                for s in range(len(noise)):
                    weights[i, s] += weight if words[j] != noise[s] else ZERO
    return n_pairs


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, without gradients so far."""
    for i in range(n):
        side.rows[i] = matrix[side.words[i]]
        side.grads[i], side.moves[i] = ZERO, ZERO


@inner_jit
def add_score(centers, i, outside, j, sign, weight):
    """−w log σ(−sign · u_jᵀv_i), its gradients added to those of both rows, and its moves."""
    v, u = centers.rows[i], outside.rows[j]
    score, v_norm, u_norm = ZERO, ZERO, ZERO
    for d in range(len(v)):
        score += u[d] * v[d]
        v_norm += v[d] * v[d]
        u_norm += u[d] * u[d]
    error = weight * sign * sigmoid(sign * score)
    for d in range(len(v)):
        centers.grads[i, d] += error * u[d]
        outside.grads[j, d] += error * v[d]
    centers.moves[i] += abs(error) * u_norm
    outside.moves[j] += abs(error) * v_norm
    return np.float64(weight * softplus(sign * score))


@inner_jit
def block_gradients(centers, outside, paired, weights):
    """Loss of a block of centres and its gradients with respect to every gathered row.

    J = Σ_i [Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i)].
    """
    n_contexts = paired.shape[1]
    loss = 0.0
    for i in range(len(paired)):
        for j in range(n_contexts):
            if paired[i, j]:
                loss += add_score(centers, i, outside, j, -ONE, ONE)
        for s in range(weights.shape[1]):
            if weights[i, s] > ZERO:
                loss += add_score(centers, i, outside, n_contexts + s, ONE, weights[i, s])
    return loss


@inner_jit
def score_block(vectors, kept, span, noise, weight, scratch):
    """Gradients and moves of the centres kept[start:stop] that share the noise words, at the present vectors.

    Returns (loss, pairs, centres, outside rows).
    """
    centers, outside = scratch.centers, scratch.outside
    lo, hi = find_pairs(kept, span, scratch.paired)
    n_centers, n_contexts = span[1] - span[0], hi - lo
    n_outside = n_contexts + len(noise)
    words = kept.ids[lo:hi]
    centers.words[:n_centers] = kept.ids[span[0] : span[1]]
    outside.words[:n_contexts] = words
    outside.words[n_contexts:n_outside] = noise
    paired, weights = scratch.paired[:n_centers, :n_contexts], scratch.weights[:n_centers]
    n_pairs = weigh_noise(words, noise, paired, weight, weights)
    gather(vectors.center, centers, n_centers)
    gather(vectors.outside, outside, n_outside)
    loss = block_gradients(centers, outside, paired, weights)
    return loss, n_pairs, n_centers, n_outside


@inner_jit
def update_rows(matrix, side, n, learning_rate):
    """Row −= step·gradient, the step held back where its word's rows together would move a score too far."""
    words, grads, moves, word_moves = side.words, side.grads, side.moves, side.word_moves
    for i in range(n):
        word_moves[words[i]] += moves[i]
    for i in range(n):
        step = learning_rate / max(ONE, learning_rate * word_moves[words[i]] / LARGEST_MOVE)
        for d in range(matrix.shape[1]):
            matrix[words[i], d] -= step * grads[i, d]
    for i in range(n):
        word_moves[words[i]] = ZERO


@inner_jit
def block_step(vectors, kept, span, noise, rates, weight, scratch):
    """One step on the centres kept[start:stop] that share the noise words; returns (loss, pairs)."""
    loss, n_pairs, n_centers, n_outside = score_block(vectors, kept, span, noise, weight, scratch)
    if rates[0] > ZERO:
        update_rows(vectors.center, scratch.centers, n_centers, rates[0])
    if rates[1] > ZERO:
        update_rows(vectors.outside, scratch.outside, n_outside, rates[1])
    return loss, n_pairs


@inner_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch):
    """All blocks of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    objective, estimator = plan.objective, plan.estimator
    weight = np.float32(objective.n_negatives / estimator.shared_negatives)
    noise = np.empty(estimator.shared_negatives, np.int64)
    loss, n_pairs = 0.0, 0
    for start in range(begin, end, estimator.block_size):
        block = (start, min(start + estimator.block_size, end), size)
        draws = draw_shared(objective.unigram_table, draws, len(noise), noise)
        block_loss, block_pairs = block_step(vectors, kept, block, noise, rates, weight, scratch)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    epoch_key = schedule.epoch_key
    kept = new_kept(plan.architecture)
    scratch = new_scratch(vectors, plan)
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates, scratch)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
