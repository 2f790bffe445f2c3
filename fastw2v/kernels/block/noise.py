"""The draws that a block shares: their weights, scores and errors."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.scratch import ZERO
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.tiles.bfloat16 import pack_across, pack_along, products_in
from fastw2v.kernels.tiles.products import SCORE_ROWS, SCORE_VECTORS, product_tile, transpose_tile
from fastw2v.model.arrays import FLOATS_PER_LINE

SCORE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE


@inner_jit
def weigh_noise(scratch, n_centers, n_outside, middle, weight):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}; middle is the outside row of centre 0. Returns pairs."""
    words, weights = scratch.outside.words, scratch.weights
    n_noise = weights.shape[1]
    n_pairs = 0
    for i in range(n_centers):
        n_window = scratch.high[i] - scratch.low[i] - 1
        n_pairs += n_window
        value = weight * np.float32(n_window)
        for s in range(n_noise):
            weights[i, s] = value if words[s] >= 0 else ZERO
    for j in range(n_noise, n_outside):
        hits = 0
        for s in range(n_noise):
            hits += words[s] == words[j]
        if hits > 0:
            for s in range(n_noise):
                if words[s] == words[j]:
                    for i in range(scratch.first[j], scratch.last[j]):
                        if scratch.low[i] <= j < scratch.high[i] and j != middle + i:
                            weights[i, s] -= weight
    return n_pairs


@inner_jit
def pack_rows(scratch, n_centers):
    """Pack centres and draws, where operands are bfloat16."""
    operands, centers, outside = scratch.operands, scratch.centers.rows, scratch.outside.rows
    n_noise = scratch.weights.shape[1]
    for i in range(n_centers):
        pack_along(operands.centers_along, centers, i)
    for q in range((n_centers + 1) // 2):
        pack_across(operands.centers_across, centers, q)
    for s in range(n_noise):
        pack_along(operands.noise_along, outside, s)
    for q in range(n_noise // 2):
        pack_across(operands.noise_across, outside, q)


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
    centers, outside = scratch.centers, scratch.outside
    loss = 0.0
    for i in range(n_centers):
        norm, move, row_loss = centers.norms[i], ZERO, ZERO
        for s in range(weights.shape[1]):
            score = errors[i, s]
            row_loss += weights[i, s] * softplus(score)
            error = weights[i, s] * sigmoid(score)
            errors[i, s] = error
            move += error * outside.norms[s]
            outside.moves[s] += error * norm
        centers.moves[i] += move
        loss += row_loss
    pack_errors(scratch, n_centers)
    return loss


@inner_jit
def pack_errors(scratch, n_centers):
    """Pack the noise columns of errors, where operands are bfloat16."""
    operands, errors = scratch.operands, scratch.errors
    if n_centers % 2 == 1:
        for s in range(scratch.weights.shape[1]):
            errors[n_centers, s] = ZERO
    for i in range(n_centers):
        pack_along(operands.errors_along, errors, i)
    for q in range((n_centers + 1) // 2):
        pack_across(operands.errors_across, errors, q)
