"""What a worker needs for a block, allocated once a call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload
from numpy.typing import NDArray

from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.tiles.products import UPDATE_ROWS
from fastw2v.kernels.units import aligned_rows
from fastw2v.model.arrays import FLOATS_PER_LINE

ONE, ZERO = np.float32(1.0), np.float32(0.0)
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
