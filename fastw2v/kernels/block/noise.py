"""The draws that a block shares: their weights, scores and errors."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import mass_of, share_of, window_of
from fastw2v.kernels.block.matrix_tiles import errors_for_tiles, scores_by_tiles
from fastw2v.kernels.block.scratch import MARKS, ONE, ZERO, Operands, TileOperands
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import by_type, inlined_jit, inner_jit, level_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.tiles.bfloat16 import pack_across, pack_along, products_in
from fastw2v.kernels.tiles.products import (
    HAS_REST,
    SCORE_REST,
    SCORE_ROWS,
    SCORE_VECTORS,
    in_tiles,
    product_tile,
    transpose_tile,
)
from fastw2v.kernels.tiles.rows import add_row
from fastw2v.model.arrays import FLOATS_PER_LINE

ONE_MARK, NO_MARK = np.uint8(1), np.uint8(0)
SCORE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE


@inlined_jit
def mark(marks, words, value):
    """marks[low bits of each word] = value."""
    for word in words:
        if word >= 0:
            marks[word & (MARKS - 1)] = value


@inner_jit
def weigh_noise(kept, centers, size, scratch):
    """w_is = weight · Σ_{j ∈ P_i : word_j ≠ n_s} share_ij, the number of these where all shares are 1.

    Few words of a window were drawn: marks of the draws tell most of them without a look at each draw.
    """
    noise, weights, weight, marks = scratch.noise.words, scratch.weights, scratch.weight, scratch.marks
    n_noise = weights.shape[1]
    mark(marks, noise, ONE_MARK)
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        value = weight * mass_of(kept, i, (low, high))
        for s in range(n_noise):
            weights[t, s] = value if noise[s] >= 0 else ZERO
        for j in range(low, high):
            word = np.int64(kept.ids[j])
            if marks[word & (MARKS - 1)] and j != i:
                share = weight * share_of(kept, i, j)
                for s in range(n_noise):
                    weights[t, s] -= share if noise[s] == word else ZERO
    mark(marks, noise, NO_MARK)


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


@level_jit
def score_rows(vectors, scratch, i, rows, depth):
    """errors[i : i + rows, s] for all draws; rows is a compile-time constant."""
    centers, columns = scratch.operands.centers_along, scratch.operands.noise_columns
    s, n_noise = 0, columns.shape[1]
    while s + SCORE_WIDTH <= n_noise:
        prefetch(vectors, scratch.ahead, 2)
        product_tile(scratch.errors, (i, s), centers, columns, (rows, SCORE_VECTORS), depth)
        s += SCORE_WIDTH
    if SCORE_VECTORS > 1:  # known to Numba, which else compiles nothing of it
        while s < n_noise:
            prefetch(vectors, scratch.ahead, 2)
            product_tile(scratch.errors, (i, s), centers, columns, (rows, 1), depth)
            s += FLOATS_PER_LINE


def _scores_by_rows(operands, vectors, scratch, n_centers):
    pack_rows(scratch, n_centers)
    rows, columns = scratch.operands.noise_along, scratch.operands.noise_columns
    n_noise = columns.shape[1]
    depth = scratch.centers.rows.shape[1] // products_in(columns)
    for s in range(0, n_noise, FLOATS_PER_LINE):
        for d in range(0, depth, FLOATS_PER_LINE):
            transpose_tile(columns, d, rows, s)
    high, every = in_tiles(n_centers, SCORE_ROWS, SCORE_REST)
    for i in range(0, high, SCORE_ROWS):
        score_rows(vectors, scratch, i, SCORE_ROWS, depth)
    if HAS_REST:
        for i in range(high, every, SCORE_REST):
            score_rows(vectors, scratch, i, SCORE_REST, depth)


# (operands, vectors, scratch, n_centers): from the noise rows transposed, whole registers of draws.
make_scores = by_type({Operands: _scores_by_rows, TileOperands: scores_by_tiles})


@inner_jit
def score_noise(vectors, scratch, n_centers):
    """errors[i, s] = v_iᵀ u_s."""
    make_scores(scratch.operands, vectors, scratch, n_centers)


def _pack_errors_across(operands, errors, n_centers):
    if n_centers % 2 == 1:
        for s in range(errors.shape[1]):
            errors[n_centers, s] = ZERO
    for q in range((n_centers + 1) // 2):
        pack_across(operands.errors_across, errors, q)


# (operands, errors, n_centers): for the product with the centres.
pack_errors = by_type({Operands: _pack_errors_across, TileOperands: errors_for_tiles})


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
    pack_errors(scratch.operands, errors, n_centers)
    return loss


@inner_jit
def center_errors(scratch, n_centers, seen):
    """Turn errors to what the centres' gradient takes of the draws, and of the sum of the rows seen before.

    The draws' own mean row gives way to that of the rows before, which differs less: a control variate.
    """
    errors, for_seen, n_draws = scratch.errors, scratch.for_seen, scratch.n_draws
    if seen.n_rows[0] == 0 or n_draws == 1:
        for i in range(n_centers):
            for_seen[i, 0] = ZERO
    else:
        n = np.float32(n_draws)
        factor, of_seen = n / (n - ONE), n / np.float32(seen.n_rows[0])
        for i in range(n_centers):
            total = ZERO
            for s in range(n_draws):
                total += errors[i, s]
            mean = total / n
            for s in range(n_draws):
                errors[i, s] = factor * (errors[i, s] - mean)
            for_seen[i, 0] = mean * of_seen
    for i in range(n_centers):
        pack_along(scratch.operands.errors_along, errors, i)


@inner_jit
def forget(seen):
    """What a unit begins with."""
    for d in range(seen.total.shape[1]):
        seen.total[0, d] = ZERO
    seen.n_rows[0] = 0


@inner_jit
def remember(seen, noise, n_draws):
    """Add the rows that a block has drawn."""
    for s in range(n_draws):
        add_row(seen.total, 0, ONE, noise.rows, s)
    seen.n_rows[0] += n_draws
