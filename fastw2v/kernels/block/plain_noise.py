"""The noise that the cases of a block share, in plain loops; the twin of `fastw2v.reference.noise`.

In loops also where NumPy would assign to a slice or sum: each brings Numba's own code for it, with the text
of its errors, and took a quarter of the time that a kernel compiles, 21.1 s for 15.8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.architectures import share_of, window_of
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.units import aligned_rows
from fastw2v.model.arrays import UNIT
from fastw2v.model.plan import LARGEST_MOVE, RUN, Inputs

ONE, ZERO = np.float32(1.0), np.float32(0.0)


class Side(NamedTuple):
    """Rows of one matrix that a block's noise is about.

    words       int64 (n,), whose rows; of V they stand for words, or for the means of their bags
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
    weight   float32, K/S: what a draw stands for in a pair
    weights  float32 (T, S), w_is, then ∂J/∂score
    order    int64 (UNIT,), the centres of a unit as blocks take them
    h        float32 (RUN, padded_dim), the rows of neighbouring centres before the step of their windows
    grad_h   float32 (RUN, padded_dim), ∂J/∂h
    errors   float32 (RUN, 2·reach + RUN), of their pairs
    lookup   which rows of V are a word's: the plan's inputs
    """

    centers: Side
    noise: Side
    weight: np.float32
    weights: NDArray[np.float32]
    order: NDArray[np.int64]
    h: NDArray[np.float32]
    grad_h: NDArray[np.float32]
    errors: NDArray[np.float32]
    lookup: Inputs


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
        np.float32(plan.objective.n_negatives / n_noise),
        np.zeros((n_centers, n_noise), np.float32),
        np.zeros(UNIT, np.int64),
        np.zeros((RUN, vectors.center.shape[1]), np.float32),
        np.zeros((RUN, vectors.center.shape[1]), np.float32),
        np.zeros((RUN, 2 * plan.architecture.reach + RUN), np.float32),
        plan.inputs,
    )


@inner_jit
def weigh_noise(kept, centers, size, noise, weight, weights):
    """w_is = weight · Σ_{j ∈ P_i : word_j ≠ n_s} share_ij."""
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        for s in range(len(noise)):
            weights[t, s] = ZERO
        for j in range(low, high):
            if j != i:
                for s in range(len(noise)):
                    weights[t, s] += weight * share_of(kept, i, j) if kept.ids[j] != noise[s] else ZERO


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, without gradients so far."""
    for i in range(n):
        side.moves[i] = ZERO
        for d in range(matrix.shape[1]):
            side.rows[i, d], side.grads[i, d] = matrix[side.words[i], d], ZERO


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
    mean = ZERO
    for s in range(n):
        mean += errors[s]
    mean /= np.float32(n)
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
def update_rows(matrix, side, n, learning_rate):
    """Row −= step·gradient; a word may have several rows."""
    for i in range(n):
        step = step_of(side.word_moves, side.words[i], learning_rate)
        for d in range(matrix.shape[1]):
            matrix[side.words[i], d] -= step * side.grads[i, d]
