"""Kernel `block`: T consecutive centres share S weighted noise draws, so the work is small dense products.

    loss(block) = Σ_i [ Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i) ],
    w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

has the expectation of the textbook loss (K negatives a pair). Rows are gathered to scratch of the worker's
own, gradients taken there at the parameters of the block's start, and added back once. The NumPy twin with
the same names in the same order is `fastw2v.reference.block_step`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload
from numpy.typing import NDArray

from fastw2v.kernels.intrinsics import atomic_add, prefetch_row, tick
from fastw2v.kernels.jit import fast_jit, inlined_jit, inner_jit, level_jit
from fastw2v.kernels.scalar import GAMMA, mix64, sigmoid, softplus
from fastw2v.kernels.tiles import (
    SCORE_ROWS,
    SCORE_VECTORS,
    UPDATE_ROWS,
    UPDATE_VECTORS,
    copy_row,
    pack_across,
    pack_along,
    product_tile,
    products_in,
    row_dot,
    row_dots,
    transpose_tile,
    update_tile,
)
from fastw2v.kernels.units import (
    aligned_rows,
    draw_noise,
    keep_unit,
    new_kept,
    noise_state_of,
    rates_at,
)
from fastw2v.layout import FLOATS_PER_LINE, LARGEST_MOVE, UNIT

ONE, ZERO = np.float32(1.0), np.float32(0.0)
SCORE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE
UPDATE_WIDTH = UPDATE_VECTORS * FLOATS_PER_LINE

FAR = np.float32(80.0)  # a score whose loss and error are 0 in float32

# Phases of a block, for `Scratch.clock`.
PHASES = (
    "draws and windows",
    "gather rows",
    "noise weights",
    "noise scores",
    "pair scores",
    "errors and losses",
    "step sizes",
    "update centers",
    "update noise",
    "update contexts",
)
(
    WINDOWS,
    GATHER,
    WEIGHTS,
    NOISE_SCORES,
    PAIR_SCORES,
    ERRORS,
    STEPS,
    UPDATE_CENTERS,
    UPDATE_NOISE,
    UPDATE_CONTEXTS,
) = range(len(PHASES))


class Side(NamedTuple):
    """Rows of one matrix that a block works on, in a worker's scratch.

    words  int64 (n,), whose rows; -1 for none
    rows   float32 (n, padded_dim), as gathered
    norms  float32 (n,), ‖row‖²
    moves  float32 (n,), Σ |∂J/∂score|·‖other row‖² over the scores that a row is part of
    steps  float32 (n,), learning rate of each row, held back where its word would move too far
    """

    words: NDArray[np.int64]
    rows: NDArray[np.float32]
    norms: NDArray[np.float32]
    moves: NDArray[np.float32]
    steps: NDArray[np.float32]


class Operands(NamedTuple):
    """What the three products of centres (T rows) and noise draws (S rows) multiply.

    As float32, all but noise_columns are the very arrays of the scratch. As bfloat16, two of a product's
    factors are packed into a uint32: neighbours in a row (along) or in a column (across).

    noise_columns   (depth, S), the noise rows transposed
    centers_along   (T, depth)
    noise_along     (S, depth)
    centers_across  (T or T/2, padded_dim)
    noise_across    (S or S/2, padded_dim)
    errors_along    (T, S or S/2)
    errors_across   (T or T/2, S)
    """

    noise_columns: NDArray[Any]
    centers_along: NDArray[Any]
    noise_along: NDArray[Any]
    centers_across: NDArray[Any]
    noise_across: NDArray[Any]
    errors_along: NDArray[Any]
    errors_across: NDArray[Any]


class Ahead(NamedTuple):
    """Rows to prefetch. A tuple of its own: what a call takes is copied, and a scratch is a kilobyte.

    rows    int64 (n,), rows the next block will gather: word of V, or −1 − word of U
    cursor  int64 (2,), how many of the rows are prefetched, how many there are
    """

    rows: NDArray[np.int64]
    cursor: NDArray[np.int64]


class Scratch(NamedTuple):
    """Everything a worker needs for a block, allocated once a call; `new_scratch` stacks several of them.

    Columns of errors are rows of `outside`: the S noise draws, rounded up to n_noise, then the contexts.

    centers        Side, T rows of V
    outside        Side, n_noise + T + 2·reach rows of U
    operands       Operands of the products with the noise
    errors         float32 (T, n_outside), ∂J/∂score: w·σ for noise, σ − 1 for pairs, else 0
    pair_scores    float32 (T, 2·reach), the scores of each centre's pairs, then their errors
    weights        float32 (T, n_noise), w_is
    low, high      int64 (T,), outside[low:high] hold a centre's window, itself among them
    first, last    int64 (n_outside,), centres[first:last] hold all centres an outside row is paired with
    ahead          Ahead, rows of the next block
    center_moves, outside_moves  float32 (n_words,), moves summed over a word's rows; zero between blocks
    clock          int64 (phases + 1,) for `tick`, or None
    """

    centers: Side
    outside: Side
    operands: Operands
    errors: NDArray[np.float32]
    pair_scores: NDArray[np.float32]
    weights: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    ahead: Ahead
    center_moves: NDArray[np.float32]
    outside_moves: NDArray[np.float32]
    clock: NDArray[np.int64] | None


@inner_jit
def whole_lines(n):
    """n rounded up to a multiple of a cache line's floats."""
    return -(-n // FLOATS_PER_LINE) * FLOATS_PER_LINE


@inner_jit
def stacked_rows(n_lanes, n, width):
    """Zeros float32 (n_lanes, n, width) that start on a cache line; width is whole lines."""
    return aligned_rows(n_lanes * n, width).reshape(n_lanes, n, width)


@inner_jit
def new_side(n_lanes, n, dim):
    """Scratch for n rows, stacked."""
    words, zeros = np.full((n_lanes, n), -1), np.zeros((n_lanes, n), np.float32)
    return Side(words, stacked_rows(n_lanes, n, dim), zeros, zeros.copy(), zeros.copy())


def new_operands(kind, centers, outside, errors, n_noise):
    """Operands of the dtype of `kind`: the arrays themselves, or room for their packed forms."""
    raise NotImplementedError("for kernels only")


@overload(new_operands)
def choose_operands(kind, centers, outside, errors, n_noise):
    """float32 or packed, at compile time."""

    def plain(kind, centers, outside, errors, n_noise):
        columns = stacked_rows(centers.shape[0], centers.shape[2], n_noise)
        return Operands(columns, centers, outside, centers, outside, errors, errors)

    def packed(kind, centers, outside, errors, n_noise):
        n, n_centers, dim = centers.shape
        depth = whole_lines(dim // 2)  # beyond dim / 2 zeros, never written
        return Operands(
            stacked_rows(n, depth, n_noise).view(np.uint32),
            stacked_rows(n, n_centers, depth).view(np.uint32),
            stacked_rows(n, n_noise, depth).view(np.uint32),
            stacked_rows(n, n_centers // 2, dim).view(np.uint32),
            stacked_rows(n, n_noise // 2, dim).view(np.uint32),
            stacked_rows(n, n_centers, whole_lines(n_noise // 2)).view(np.uint32),
            stacked_rows(n, n_centers // 2, n_noise).view(np.uint32),
        )

    return packed if kind.dtype == types.uint32 else plain


@inner_jit
def new_scratch(n_lanes, n_words, dim, estimator, reach, clock):
    """Scratches for blocks of T centres and S draws, stacked: all arrays but word moves have a first axis."""
    n_centers, n_noise = whole_lines(estimator.block_size), whole_lines(estimator.shared_negatives)
    # Beyond the contexts, whole lines and tiles are written and read: of zeros, or of rows without a word.
    n_outside = n_noise + whole_lines(estimator.block_size + 2 * (reach + UPDATE_ROWS)) + 2 * FLOATS_PER_LINE
    centers, outside = new_side(n_lanes, n_centers, dim), new_side(n_lanes, n_outside, dim)
    errors = stacked_rows(n_lanes, n_centers, n_outside)
    return Scratch(
        centers,
        outside,
        new_operands(estimator.operands, centers.rows, outside.rows, errors, n_noise),
        errors,
        stacked_rows(n_lanes, n_centers, whole_lines(2 * reach)),
        stacked_rows(n_lanes, n_centers, n_noise),
        np.zeros((n_lanes, n_centers), np.int64),
        np.zeros((n_lanes, n_centers), np.int64),
        np.zeros((n_lanes, n_outside), np.int64),
        np.zeros((n_lanes, n_outside), np.int64),
        Ahead(np.zeros((n_lanes, n_centers + n_outside), np.int64), np.zeros((n_lanes, 2), np.int64)),
        np.zeros(n_words, np.float32),
        np.zeros(n_words, np.float32),
        clock,
    )


@inner_jit
def side_of(side, lane):
    """One of the stacked sides."""
    return Side(side.words[lane], side.rows[lane], side.norms[lane], side.moves[lane], side.steps[lane])


@inner_jit
def operands_of(operands, lane):
    """One of the stacked operands."""
    return Operands(
        operands.noise_columns[lane],
        operands.centers_along[lane],
        operands.noise_along[lane],
        operands.centers_across[lane],
        operands.noise_across[lane],
        operands.errors_along[lane],
        operands.errors_across[lane],
    )


@inner_jit
def scratch_of(scratch, lane):
    """One of the stacked scratches."""
    return Scratch(
        side_of(scratch.centers, lane),
        side_of(scratch.outside, lane),
        operands_of(scratch.operands, lane),
        scratch.errors[lane],
        scratch.pair_scores[lane],
        scratch.weights[lane],
        scratch.low[lane],
        scratch.high[lane],
        scratch.first[lane],
        scratch.last[lane],
        Ahead(scratch.ahead.rows[lane], scratch.ahead.cursor[lane]),
        scratch.center_moves,
        scratch.outside_moves,
        scratch.clock,
    )


@inner_jit
def find_pairs(kept, start, stop, size, scratch):
    """Windows of the centres kept[start:stop]; returns (lo, hi), the kept tokens that are their contexts."""
    n_centers, n_noise = stop - start, scratch.weights.shape[1]
    lo, hi = start, stop
    for i in range(start, stop):
        scratch.low[i - start] = max(i - kept.radius[i], kept.first[i])
        j = i + 1
        while j < size and j <= i + kept.radius[i] and kept.first[j] == kept.first[i]:
            j += 1
        scratch.high[i - start] = j
        lo, hi = min(lo, scratch.low[i - start]), max(hi, j)
    n_outside = n_noise + hi - lo
    for j in range(n_noise, n_outside + UPDATE_ROWS):
        scratch.first[j], scratch.last[j] = n_centers, 0
    for i in range(n_centers):
        scratch.low[i] += n_noise - lo
        scratch.high[i] += n_noise - lo
        for j in range(scratch.low[i], scratch.high[i]):
            scratch.first[j] = min(scratch.first[j], i)
            scratch.last[j] = i + 1
    return lo, hi


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, with their squared lengths."""
    for i in range(n):
        side.moves[i] = ZERO
        if side.words[i] >= 0:
            side.norms[i] = copy_row(side.rows, i, matrix, side.words[i])


@inner_jit
def look_ahead(kept, centers, contexts, next_noise, ahead):
    """List the rows of the next block: of its centres, the contexts that are not at hand already, the noise.

    centers, contexts  (start, stop) in the kept tokens
    """
    n = 0
    for i in range(centers[0], centers[1]):
        ahead.rows[n] = kept.ids[i]
        n += 1
    for j in range(contexts[0], contexts[1]):
        ahead.rows[n] = -1 - kept.ids[j]
        n += 1
    for word in next_noise:
        if word >= 0:
            ahead.rows[n] = -1 - word
            n += 1
    ahead.cursor[0], ahead.cursor[1] = 0, n


@inlined_jit
def prefetch(vectors, ahead, count):
    """Ask for the next `count` rows of the list; spread over a block, so that the misses overlap the work."""
    first = ahead.cursor[0]
    last = min(first + count, ahead.cursor[1])
    dim = vectors.center.shape[1]
    for n in range(first, last):
        row = ahead.rows[n]
        if row >= 0:
            for d in range(0, dim, FLOATS_PER_LINE):
                prefetch_row(vectors.center, row, d)
        else:
            for d in range(0, dim, FLOATS_PER_LINE):
                prefetch_row(vectors.outside, -1 - row, d)
    if last > first:
        ahead.cursor[0] = last


@inner_jit
def weigh_noise(scratch, n_centers, n_outside, own, weight):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}; own is the outside row of centre 0. Returns pairs."""
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
                        if scratch.low[i] <= j < scratch.high[i] and j != own + i:
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


@inner_jit
def score_pairs(vectors, scratch, n_centers, own):
    """pair_scores[i, p] = v_iᵀ u_j for the p-th outside row j of centre i's window; FAR beyond them."""
    centers, outside, scores = scratch.centers.rows, scratch.outside.rows, scratch.pair_scores
    for i in range(n_centers):
        prefetch(vectors, scratch.ahead, 1)
        low, n_pairs = scratch.low[i], scratch.high[i] - scratch.low[i] - 1
        for p in range(scores.shape[1]):  # whole lines, here and below: a remainder would be done one by one
            scores[i, p] = FAR
        p = 0
        while p + 4 <= n_pairs:
            j = low + p
            places = (
                j + (j >= own + i),
                j + 1 + (j + 1 >= own + i),
                j + 2 + (j + 2 >= own + i),
                j + 3 + (j + 3 >= own + i),
            )
            scores[i, p], scores[i, p + 1], scores[i, p + 2], scores[i, p + 3] = row_dots(
                centers, i, outside, places
            )
            p += 4
        while p + 2 <= n_pairs:
            j = low + p
            places = (j + (j >= own + i), j + 1 + (j + 1 >= own + i))
            scores[i, p], scores[i, p + 1] = row_dots(centers, i, outside, places)
            p += 2
        if p < n_pairs:
            j = low + p
            scores[i, p] = row_dot(centers, i, outside, j + (j >= own + i))


@inner_jit
def pair_errors(scratch, n_centers, own):
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
        start = max(scratch.weights.shape[1], own + i - nearby)
        for j in range(start, start + whole_lines(2 * nearby)):
            errors[i, j] = ZERO
        p = 0
        for j in range(scratch.low[i], scratch.high[i]):
            if j != own + i:
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


@level_jit
def update_rows(matrix, side, i, terms, transposed, ahead, columns):
    """Row −= step·gradient for UPDATE_ROWS rows of a side; terms and transposed are those of update_tile.

    ahead    what `prefetch` takes, (vectors, rows): a row is asked for before each wide tile
    columns  (start, stop), whole cache lines
    """
    d, stop = columns
    while d + UPDATE_WIDTH <= stop:
        prefetch(ahead[0], ahead[1], 1)
        shape = (UPDATE_ROWS, UPDATE_VECTORS)
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, shape)
        d += UPDATE_WIDTH
    if d + 2 * FLOATS_PER_LINE <= stop:
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, (UPDATE_ROWS, 2))
        d += 2 * FLOATS_PER_LINE
    if d < stop:
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, (UPDATE_ROWS, 1))


@inner_jit
def update_centers(vectors, scratch, n_centers, columns):
    """v_i −= step_i·∂J/∂v_i = step_i·(Σ_s error_is u_s + Σ_j error_ij u_j), some rows at a time."""
    centers, operands = scratch.centers, scratch.operands
    depth = scratch.weights.shape[1] // products_in(operands.errors_along)
    for i in range(0, n_centers, UPDATE_ROWS):
        low, high = scratch.low[i], scratch.high[i]
        for r in range(i + 1, min(i + UPDATE_ROWS, n_centers)):
            low, high = min(low, scratch.low[r]), max(high, scratch.high[r])
        terms = (
            (operands.errors_along, operands.noise_across, 0, depth),
            (scratch.errors, scratch.outside.rows, low, high),
        )
        update_rows(vectors.center, centers, i, terms, 0, (vectors, scratch.ahead), columns)


@inner_jit
def update_noise(vectors, scratch, n_centers, columns):
    """u_s −= step_s·Σ_i error_is v_i: every centre has a part in each draw."""
    operands = scratch.operands
    n_products = products_in(operands.errors_across)
    depth = (n_centers + n_products - 1) // n_products
    terms = ((operands.errors_across, operands.centers_across, 0, depth),)
    for s in range(0, scratch.weights.shape[1], UPDATE_ROWS):
        update_rows(vectors.outside, scratch.outside, s, terms, 1, (vectors, scratch.ahead), columns)


@inner_jit
def update_contexts(vectors, scratch, n_outside, columns):
    """u_j −= step_j·Σ_i error_ij v_i, from the centres that any of UPDATE_ROWS neighbours is paired with."""
    for j in range(scratch.weights.shape[1], n_outside, UPDATE_ROWS):
        first, last = scratch.first[j], scratch.last[j]
        for r in range(j + 1, j + UPDATE_ROWS):
            first, last = min(first, scratch.first[r]), max(last, scratch.last[r])
        terms = ((scratch.errors, scratch.centers.rows, first, last),)
        update_rows(vectors.outside, scratch.outside, j, terms, 1, (vectors, scratch.ahead), columns)


@inner_jit
def add_moves(word_moves, words, moves, n):
    """Add the moves of n rows to those of their words."""
    for i in range(n):
        if words[i] >= 0:
            word_moves[words[i]] += moves[i]


@inner_jit
def set_steps(word_moves, words, steps, n, learning_rate):
    """The step of each row, held back where its word's rows together would move a score too far."""
    for i in range(n):
        if words[i] >= 0:
            move = learning_rate * word_moves[words[i]]
            steps[i] = learning_rate / max(ONE, move / LARGEST_MOVE)


@inner_jit
def clear_moves(word_moves, words, n):
    """Zero the moves of the words of n rows."""
    for i in range(n):
        if words[i] >= 0:
            word_moves[words[i]] = ZERO


@inner_jit
def limit_steps(word_moves, side, n, learning_rate):
    """Steps of one block's rows; word_moves float32 (n_words,) is zero before and after."""
    add_moves(word_moves, side.words, side.moves, n)
    set_steps(word_moves, side.words, side.steps, n, learning_rate)
    clear_moves(word_moves, side.words, n)


@level_jit
def score_block(vectors, kept, span, weight, scratch):
    """Gather rows of the centres kept[start:stop] and of outside.words[:S]; errors and moves of their scores.

    Returns (loss, pairs, outside rows).
    """
    start, stop, size = span
    n_centers, n_noise = stop - start, scratch.weights.shape[1]
    centers, outside = scratch.centers, scratch.outside
    lo, hi = find_pairs(kept, start, stop, size, scratch)
    n_outside, own = n_noise + hi - lo, n_noise + start - lo
    for i in range(n_centers):
        centers.words[i] = kept.ids[start + i]
    for i in range(n_centers, len(centers.words)):
        centers.words[i] = -1
    for j in range(hi - lo):
        outside.words[n_noise + j] = kept.ids[lo + j]
    for j in range(n_outside, n_outside + UPDATE_ROWS):
        outside.words[j] = -1
    tick(scratch.clock, WINDOWS)
    gather(vectors.center, centers, n_centers)
    gather(vectors.outside, outside, n_outside)
    tick(scratch.clock, GATHER)

    n_pairs = weigh_noise(scratch, n_centers, n_outside, own, weight)
    tick(scratch.clock, WEIGHTS)
    score_noise(vectors, scratch, n_centers)
    tick(scratch.clock, NOISE_SCORES)
    score_pairs(vectors, scratch, n_centers, own)
    tick(scratch.clock, PAIR_SCORES)
    loss = noise_errors(scratch, n_centers) + pair_errors(scratch, n_centers, own)
    tick(scratch.clock, ERRORS)
    pair_moves(scratch, n_centers)
    return loss, n_pairs, n_outside


@level_jit
def update_block(vectors, scratch, n_centers, n_outside, columns):
    """Step the columns (start, stop) of all rows of a scored block."""
    update_centers(vectors, scratch, n_centers, columns)
    tick(scratch.clock, UPDATE_CENTERS)
    update_noise(vectors, scratch, n_centers, columns)
    tick(scratch.clock, UPDATE_NOISE)
    update_contexts(vectors, scratch, n_outside, columns)
    tick(scratch.clock, UPDATE_CONTEXTS)


@level_jit
def block_step(vectors, kept, span, rates, weight, scratch):
    """One step on the centres kept[start:stop] with outside.words[:S]; returns (loss, pairs).

    rates  learning rates of rows of V and of U
    """
    n_centers = span[1] - span[0]
    loss, n_pairs, n_outside = score_block(vectors, kept, span, weight, scratch)
    limit_steps(scratch.center_moves, scratch.centers, n_centers, rates[0])
    limit_steps(scratch.outside_moves, scratch.outside, n_outside, rates[1])
    tick(scratch.clock, STEPS)
    update_block(vectors, scratch, n_centers, n_outside, (0, scratch.centers.rows.shape[1]))
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss, n_pairs


@inner_jit
def draw_block_noise(unigram_table, state, count, noise):
    """The next `count` draws of a unit's noise stream; the rows that fill up the last tile are -1."""
    for s in range(len(noise)):
        noise[s] = -1
    for s in range(count):
        state += GAMMA
        noise[s] = draw_noise(unigram_table, mix64(state))
    return state


@level_jit
def train_unit(vectors, kept, span, sampler, noise_state, step, estimator, scratch):
    """All blocks of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    rates, reach = step
    weight = np.float32(estimator.n_negatives / estimator.shared_negatives)
    next_noise = np.empty(scratch.weights.shape[1], np.int64)
    loss, n_pairs = 0.0, 0
    noise_state = draw_block_noise(sampler.unigram_table, noise_state, estimator.shared_negatives, next_noise)
    for start in range(begin, end, estimator.block_size):
        stop = min(start + estimator.block_size, end)
        scratch.outside.words[: len(next_noise)] = next_noise
        noise_state = draw_block_noise(
            sampler.unigram_table, noise_state, estimator.shared_negatives, next_noise
        )
        next_stop = min(stop + estimator.block_size, end)
        contexts = (min(stop + reach, size), min(next_stop + reach, size))
        look_ahead(kept, (stop, next_stop), contexts, next_noise, scratch.ahead)
        block_loss, block_pairs = block_step(vectors, kept, (start, stop, size), rates, weight, scratch)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@level_jit
def clocked_units(vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker, clock):
    """`train_units` with a clock for the phases of a block, or None."""
    kept = new_kept(window)
    n_words, dim = vectors.center.shape
    scratch = scratch_of(new_scratch(1, n_words, dim, estimator, window.reach, clock), 0)
    while True:
        unit = atomic_add(queue, np.int64(1))
        if unit >= queue[1]:
            break
        span = keep_unit(tokens, sampler, schedule.epoch_key, window, unit, kept)
        noise_state = noise_state_of(schedule.epoch_key, unit)
        step = (rates_at(schedule, unit * UNIT), window.reach)
        loss, n_pairs = train_unit(vectors, kept, span, sampler, noise_state, step, estimator, scratch)
        totals[worker, 0] += loss
        totals[worker, 1] += n_pairs
        totals[worker, 2] += span[1] - span[0]


@fast_jit
def train_units(vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker):
    """One worker's share of units queue[0] ≤ u < queue[1], taken one by one.

    queue   int64 (2,): next unit, end; queue[0] is left past the end
    totals  float64 (n_workers, 8): the worker adds its loss, pairs and kept words to columns 0, 1, 2
    """
    clocked_units(vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker, None)
