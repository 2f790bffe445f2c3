"""What a worker needs for a block, allocated once a call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.jit import by_type, inner_jit
from fastw2v.kernels.tiles.products import UPDATE_ROWS
from fastw2v.kernels.units import aligned_rows
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import BFloat16, Float32

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
    """Everything a worker needs for a block, allocated once a call.

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
def rows_of(lanes, n, width):
    """Zeros float32 (*lanes, n, width) that start on a cache line; width is whole lines."""
    shape = (*lanes, n, width)
    n_rows = 1
    for size in shape[:-1]:
        n_rows *= size
    return aligned_rows(n_rows, width).reshape(shape)


@inner_jit
def new_side(lanes, n, dim):
    """Scratch for n rows."""
    words, zeros = np.full((*lanes, n), -1), np.zeros((*lanes, n), np.float32)
    return Side(words, rows_of(lanes, n, dim), zeros, zeros.copy(), zeros.copy())


def _plain_operands(kind, lanes, centers, outside, errors, n_noise):
    columns = rows_of(lanes, centers.shape[-1], n_noise)
    return Operands(columns, centers, outside, centers, outside, errors, errors)


def _packed_operands(kind, lanes, centers, outside, errors, n_noise):
    n_centers, dim = centers.shape[-2], centers.shape[-1]
    depth = whole_lines(dim // 2)  # beyond dim / 2 zeros, never written
    return Operands(
        rows_of(lanes, depth, n_noise).view(np.uint32),
        rows_of(lanes, n_centers, depth).view(np.uint32),
        rows_of(lanes, n_noise, depth).view(np.uint32),
        rows_of(lanes, n_centers // 2, dim).view(np.uint32),
        rows_of(lanes, n_noise // 2, dim).view(np.uint32),
        rows_of(lanes, n_centers, whole_lines(n_noise // 2)).view(np.uint32),
        rows_of(lanes, n_centers // 2, n_noise).view(np.uint32),
    )


# (kind, lanes, centers, outside, errors, n_noise): the arrays themselves, or room for their packed forms.
new_operands = by_type({Float32: _plain_operands, BFloat16: _packed_operands})


@inner_jit
def new_scratch(vectors, plan, lanes, clock):
    """Scratch for blocks of T centres and S draws; all arrays but word moves have `lanes` as first axes."""
    estimator, reach = plan.estimator, plan.architecture.reach
    n_words, dim = vectors.center.shape
    n_centers, n_noise = whole_lines(estimator.block_size), whole_lines(estimator.shared_negatives)
    # Beyond the contexts, whole lines and tiles are written and read: of zeros, or of rows without a word.
    n_outside = n_noise + whole_lines(estimator.block_size + 2 * (reach + UPDATE_ROWS)) + 2 * FLOATS_PER_LINE
    centers, outside = new_side(lanes, n_centers, dim), new_side(lanes, n_outside, dim)
    errors = rows_of(lanes, n_centers, n_outside)
    return Scratch(
        centers,
        outside,
        new_operands(estimator.operands, lanes, centers.rows, outside.rows, errors, n_noise),
        errors,
        rows_of(lanes, n_centers, whole_lines(2 * reach)),
        rows_of(lanes, n_centers, n_noise),
        np.zeros((*lanes, n_centers), np.int64),
        np.zeros((*lanes, n_centers), np.int64),
        np.zeros((*lanes, n_outside), np.int64),
        np.zeros((*lanes, n_outside), np.int64),
        Ahead(np.zeros((*lanes, n_centers + n_outside), np.int64), np.zeros((*lanes, 2), np.int64)),
        np.zeros(n_words, np.float32),
        np.zeros(n_words, np.float32),
        clock,
    )
