"""The pairs of a block: their scores and errors."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.scratch import ONE, ZERO, whole_lines
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.tiles.products import UPDATE_ROWS
from fastw2v.kernels.tiles.rows import row_dot, row_dots

FAR = np.float32(80.0)  # a score whose loss and error are 0 in float32


@inner_jit
def beside(j, skipped):
    """Outside row j of a window, counted without the row of its centre."""
    return j + (j >= skipped)


@inner_jit
def score_pairs(vectors, scratch, n_centers, middle):
    """pair_scores[i, p] = v_iᵀ u_j for the p-th outside row j of centre i's window; FAR beyond them.

    middle  the outside row of centre 0
    """
    centers, outside, scores = scratch.centers.rows, scratch.outside.rows, scratch.pair_scores
    for i in range(n_centers):
        prefetch(vectors, scratch.ahead, 1)
        low, n_pairs, center = scratch.low[i], scratch.high[i] - scratch.low[i] - 1, middle + i
        for p in range(scores.shape[1]):  # whole lines, here and below: a remainder would be done one by one
            scores[i, p] = FAR
        p = 0
        while p + 4 <= n_pairs:
            j = low + p
            places = (beside(j, center), beside(j + 1, center), beside(j + 2, center), beside(j + 3, center))
            scores[i, p], scores[i, p + 1], scores[i, p + 2], scores[i, p + 3] = row_dots(
                centers, i, outside, places
            )
            p += 4
        while p + 2 <= n_pairs:
            j = low + p
            places = (beside(j, center), beside(j + 1, center))
            scores[i, p], scores[i, p + 1] = row_dots(centers, i, outside, places)
            p += 2
        if p < n_pairs:
            scores[i, p] = row_dot(centers, i, outside, beside(low + p, center))


@inner_jit
def pair_errors(scratch, n_centers, middle):
    """errors[i, j] = ∂J/∂score = σ(score) − 1 for the pairs, else 0; returns Σ −log σ(score)."""
    flat = scratch.pair_scores.reshape(-1)
    loss = ZERO
    for p in range(n_centers * scratch.pair_scores.shape[1]):  # one long loop: windows alone are too short
        score = flat[p]
        loss += softplus(-score)
        flat[p] = sigmoid(score) - ONE
    errors = scratch.errors
    # No tile reads a row of errors farther from its centre than a window and the tile's other rows.
    nearby = scratch.pair_scores.shape[1] // 2 + UPDATE_ROWS
    for i in range(n_centers):
        start = max(scratch.weights.shape[1], middle + i - nearby)
        for j in range(start, start + whole_lines(2 * nearby)):
            errors[i, j] = ZERO
        p = 0
        for j in range(scratch.low[i], scratch.high[i]):
            if j != middle + i:
                errors[i, j] = scratch.pair_scores[i, p]
                p += 1
    return loss


@inner_jit
def pair_moves(scratch, n_centers):
    """Add |error|·‖other row‖² of every pair to the moves of its two rows."""
    errors, centers, outside = scratch.errors, scratch.centers, scratch.outside
    for i in range(n_centers):
        norm, move = centers.norms[i], ZERO
        for j in range(scratch.low[i], scratch.high[i]):
            error = errors[i, j]
            move -= error * outside.norms[j]
            outside.moves[j] -= error * norm
        centers.moves[i] += move
