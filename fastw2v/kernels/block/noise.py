"""The draws that a block shares: their weights, scores and errors."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import window_of
from fastw2v.kernels.block.scratch import ZERO
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.tiles.bfloat16 import pack_across, pack_along, products_in
from fastw2v.kernels.tiles.products import SCORE_ROWS, SCORE_VECTORS, product_tile, transpose_tile
from fastw2v.model.arrays import FLOATS_PER_LINE

SCORE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE


@inner_jit
def weigh_noise(kept, centers, size, weight, scratch):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}."""
    noise, weights = scratch.noise.words, scratch.weights
    n_noise = weights.shape[1]
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        value = weight * np.float32(high - low - 1)
        for s in range(n_noise):
            weights[t, s] = value if noise[s] >= 0 else ZERO
        for j in range(low, high):
            word, hits = np.int64(kept.ids[j]), 0
            for s in range(n_noise):
                hits += noise[s] == word
            if hits > 0 and j != i:
                for s in range(n_noise):
                    if noise[s] == word:
                        weights[t, s] -= weight


@inner_jit
def pack_rows(scratch, n_centers):
    """Pack centres and draws, where operands are bfloat16."""
    operands, centers, noise = scratch.operands, scratch.centers.rows, scratch.noise.rows
    n_noise = len(noise)
    for i in range(n_centers):
        pack_along(operands.centers_along, centers, i)
    for q in range((n_centers + 1) // 2):
        pack_across(operands.centers_across, centers, q)
    for s in range(n_noise):
        pack_along(operands.noise_along, noise, s)
    for q in range(n_noise // 2):
        pack_across(operands.noise_across, noise, q)


@inner_jit
def score_noise(vectors, scratch, n_centers):
    """errors[i, s] = v_iᵀ u_s, from the noise rows transposed: whole registers of draws, no sums across."""
    pack_rows(scratch, n_centers)
    rows, columns = scratch.operands.noise_along, scratch.operands.noise_columns
    centers = scratch.operands.centers_along
    n_noise = columns.shape[1]
    depth = scratch.centers.rows.shape[1] // products_in(columns)
    for s in range(0, n_noise, FLOATS_PER_LINE):
        for d in range(0, depth, FLOATS_PER_LINE):
            transpose_tile(columns, d, rows, s)
    for i in range(0, n_centers, SCORE_ROWS):
        s = 0
        while s + SCORE_WIDTH <= n_noise:
            prefetch(vectors, scratch.ahead, 2)
            product_tile(scratch.errors, (i, s), centers, columns, (SCORE_ROWS, SCORE_VECTORS), depth)
            s += SCORE_WIDTH
        while s < n_noise:
            prefetch(vectors, scratch.ahead, 2)
            product_tile(scratch.errors, (i, s), centers, columns, (SCORE_ROWS, 1), depth)
            s += FLOATS_PER_LINE


@inner_jit
def noise_errors(scratch, n_centers):
    """Turn noise scores to ∂J/∂score = w·σ(score); returns Σ −w log σ(−score)."""
    errors, weights = scratch.errors, scratch.weights
    centers, noise = scratch.centers, scratch.noise
    loss = 0.0
    for i in range(n_centers):
        norm, move, row_loss = centers.norms[i], ZERO, ZERO
        for s in range(weights.shape[1]):
            score = errors[i, s]
            row_loss += weights[i, s] * softplus(score)
            error = weights[i, s] * sigmoid(score)
            errors[i, s] = error
            move += error * noise.norms[s]
            noise.moves[s] += error * norm
        centers.moves[i] = move
        loss += row_loss
    pack_errors(scratch, n_centers)
    return loss


@inner_jit
def pack_errors(scratch, n_centers):
    """Pack the errors, where operands are bfloat16."""
    operands, errors = scratch.operands, scratch.errors
    if n_centers % 2 == 1:
        for s in range(scratch.weights.shape[1]):
            errors[n_centers, s] = ZERO
    for i in range(n_centers):
        pack_along(operands.errors_along, errors, i)
    for q in range((n_centers + 1) // 2):
        pack_across(operands.errors_across, errors, q)
