"""Kernel `block` in plain loops: the rung between reference and tiles, and for machines that no tile fits.

Names and order are those of `fastw2v.reference.block`; `fastw2v.kernels.block.step` is the same, fast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.architectures import window_of
from fastw2v.kernels.block.noise import forget, remember
from fastw2v.kernels.block.scratch import new_seen
from fastw2v.kernels.block.windows import order_centers
from fastw2v.kernels.intrinsics import atomic_add
from fastw2v.kernels.jit import fast_jit, inner_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.units import aligned_rows, keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import LARGEST_MOVE

ONE, ZERO = np.float32(1.0), np.float32(0.0)


class Side(NamedTuple):
    """Rows of one matrix that a block's noise is about.

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
    noise    Side, S rows of U
    weights  float32 (T, S), w_is, then ∂J/∂score
    order    int64 (UNIT,), the centres of a unit as blocks take them
    v_c      float32 (padded_dim,), the centre's row before the step of its window
    errors   float32 (2·reach,), of its pairs
    """

    centers: Side
    noise: Side
    weights: NDArray[np.float32]
    order: NDArray[np.int64]
    v_c: NDArray[np.float32]
    errors: NDArray[np.float32]


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
    return Scratch(
        new_side(vectors.center, n_centers),
        new_side(vectors.outside, n_noise),
        np.zeros((n_centers, n_noise), np.float32),
        np.zeros(UNIT, np.int64),
        np.zeros(vectors.center.shape[1], np.float32),
        np.zeros(2 * plan.architecture.reach, np.float32),
    )


@inner_jit
def weigh_noise(kept, centers, size, noise, weight, weights):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}."""
    weights[:] = ZERO
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        for j in range(low, high):
            if j != i:
                for s in range(len(noise)):
                    weights[t, s] += weight if kept.ids[j] != noise[s] else ZERO


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, without gradients so far."""
    for i in range(n):
        side.rows[i] = matrix[side.words[i]]
        side.grads[i], side.moves[i] = ZERO, ZERO


@inner_jit
def add_score(centers, i, noise, s, weights):
    """−w log σ(−u_sᵀv_i), its gradient added to the draw's, its moves; its weight becomes its error."""
    v, u = centers.rows[i], noise.rows[s]
    score, v_norm, u_norm = ZERO, ZERO, ZERO
    for d in range(len(v)):
        score += u[d] * v[d]
        v_norm += v[d] * v[d]
        u_norm += u[d] * u[d]
    weight, error = weights[i, s], weights[i, s] * sigmoid(score)
    for d in range(len(v)):
        noise.grads[s, d] += error * v[d]
    centers.moves[i] += error * u_norm
    noise.moves[s] += error * v_norm
    weights[i, s] = error
    return np.float64(weight * softplus(score))


@inner_jit
def center_errors(errors, seen):
    """What a centre's gradient multiplies draws with, in place of its errors; returns it for seen.total."""
    n = len(errors)
    if seen.n_rows[0] == 0 or n == 1:
        return ZERO
    mean = errors.sum() / np.float32(n)
    for s in range(n):
        errors[s] = (errors[s] - mean) * np.float32(n) / np.float32(n - 1)
    return mean * np.float32(n) / np.float32(seen.n_rows[0])


@inner_jit
def noise_gradients(centers, noise, n_centers, weights, seen):
    """Loss of the noise that centres share, and its gradients: J = −Σ_is w_is log σ(−u_sᵀv_i)."""
    loss = 0.0
    for i in range(n_centers):
        for s in range(weights.shape[1]):
            if weights[i, s] > ZERO:
                loss += add_score(centers, i, noise, s, weights)
        for_seen = center_errors(weights[i], seen)
        for d in range(centers.grads.shape[1]):
            centers.grads[i, d] = for_seen * seen.total[0, d]
            for s in range(weights.shape[1]):
                centers.grads[i, d] += weights[i, s] * noise.rows[s, d]
    return loss


@inner_jit
def add_moves(side, n):
    """Sum the moves of n rows by word."""
    for i in range(n):
        side.word_moves[side.words[i]] += side.moves[i]


@inner_jit
def step_of(word_moves, word, learning_rate):
    """The step of a word's rows in this block: held back where noise would move them too far."""
    move = learning_rate * word_moves[word]
    return learning_rate if move <= LARGEST_MOVE else learning_rate * LARGEST_MOVE / move


@inner_jit
def clear_moves(side, n):
    """Zero the moves of the words of n rows."""
    for i in range(n):
        side.word_moves[side.words[i]] = ZERO


@inner_jit
def step_window(vectors, kept, i, size, rates, scratch):
    """A step on all pairs of centre i, in place, their errors taken before it; returns (loss, pairs)."""
    center, v_c, errors = kept.ids[i], scratch.v_c, scratch.errors
    low, high = window_of(kept, i, size)
    v_c[:] = vectors.center[center]
    loss, n_pairs = 0.0, 0
    for j in range(low, high):
        if j != i:
            score = ZERO
            for d in range(len(v_c)):
                score += vectors.outside[kept.ids[j], d] * v_c[d]
            errors[n_pairs] = -sigmoid(-score)
            loss += softplus(-score)
            n_pairs += 1
    if max(rates[0], rates[1]) == ZERO:
        return loss, n_pairs
    center_step, p = step_of(scratch.centers.word_moves, center, rates[0]), 0
    for j in range(low, high):
        if j != i:
            word, error = kept.ids[j], errors[p]
            step = step_of(scratch.noise.word_moves, word, rates[1])
            for d in range(len(v_c)):
                vectors.center[center, d] -= center_step * error * vectors.outside[word, d]
                vectors.outside[word, d] -= step * error * v_c[d]
            p += 1
    return loss, n_pairs


@inner_jit
def update_rows(matrix, side, n, learning_rate):
    """Row −= step·gradient; a word may have several rows."""
    for i in range(n):
        step = step_of(side.word_moves, side.words[i], learning_rate)
        for d in range(matrix.shape[1]):
            matrix[side.words[i], d] -= step * side.grads[i, d]


@inner_jit
def block_step(vectors, kept, centers, size, rates, weight, scratch, seen):
    """One step on centres that share the words of scratch.noise; returns (loss, pairs)."""
    n_centers, noise = len(centers), scratch.noise
    for t in range(n_centers):
        scratch.centers.words[t] = kept.ids[centers[t]]
    weigh_noise(kept, centers, size, noise.words, weight, scratch.weights)
    gather(vectors.center, scratch.centers, n_centers)
    gather(vectors.outside, noise, len(noise.words))
    loss, n_pairs = noise_gradients(scratch.centers, noise, n_centers, scratch.weights, seen), 0
    add_moves(scratch.centers, n_centers)
    add_moves(noise, len(noise.words))
    for i in centers:
        window_loss, window_pairs = step_window(vectors, kept, i, size, rates, scratch)
        loss += window_loss
        n_pairs += window_pairs
    if rates[0] > ZERO:
        update_rows(vectors.center, scratch.centers, n_centers, rates[0])
    if rates[1] > ZERO:
        update_rows(vectors.outside, noise, len(noise.words), rates[1])
    clear_moves(scratch.centers, n_centers)
    clear_moves(noise, len(noise.words))
    return loss, n_pairs


@inner_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch, seen):
    """All blocks of one unit; returns (loss, pairs)."""
    begin, end, size = span
    objective, estimator = plan.objective, plan.estimator
    weight, noise = np.float32(objective.n_negatives / estimator.shared_negatives), scratch.noise.words
    order = scratch.order[: end - begin]
    order_centers(begin, end, order)
    forget(seen)
    loss, n_pairs = 0.0, 0
    for start in range(0, len(order), estimator.block_size):
        centers = order[start : start + estimator.block_size]
        draws = draw_shared(objective.unigram_table, draws, len(noise), noise)
        block_loss, block_pairs = block_step(vectors, kept, centers, size, rates, weight, scratch, seen)
        if estimator.control:
            remember(seen, scratch.noise, len(noise))
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    epoch_key = schedule.epoch_key
    kept = new_kept(plan.architecture)
    scratch, seen = new_scratch(vectors, plan), new_seen(vectors.outside.shape[1])
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates, scratch, seen)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
