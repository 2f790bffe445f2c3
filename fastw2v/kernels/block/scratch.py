"""What a worker needs for a block, allocated once a call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.jit import by_type, inner_jit
from fastw2v.kernels.tiles.amx import HAS_AMX
from fastw2v.kernels.units import aligned_rows, whole_lines
from fastw2v.model.arrays import FLOATS_PER_LINE, UNIT
from fastw2v.model.plan import (
    RUN,
    BFloat16,
    Cbow,
    Float32,
    GivenPairs,
    GlobalContext,
    Inputs,
    SkipGram,
    Subwords,
    Words,
)

ONE, ZERO = np.float32(1.0), np.float32(0.0)
MARKS = 4096  # bytes, a power of two: 32 draws mark 1 in 128 of other words too
# Phases of a block, for `Scratch.clock`.
PHASES = (
    "draws and order",
    "gather rows",
    "noise weights",
    "noise scores",
    "noise errors",
    "pairs",
    "step sizes",
    "update centers",
    "update noise",
)
(
    DRAWS,
    GATHER,
    WEIGHTS,
    NOISE_SCORES,
    ERRORS,
    PAIR_STEPS,
    STEPS,
    UPDATE_CENTERS,
    UPDATE_NOISE,
) = range(len(PHASES))


class Side(NamedTuple):
    """Rows of one matrix that a block's noise is about, in a worker's scratch.

    words       int64 (n,), whose rows; -1 for none
    rows        float32 (n, padded_dim), as gathered
    norms       float32 (n,), ‖row‖²
    moves       float32 (n,), Σ |∂J/∂score|·‖other row‖² over the scores that a row is part of
    steps       float32 (n,), learning rate of each row, held back where its word would move too far
    word_moves  float32 (n_words,), moves summed over a word's rows; zero between blocks
    """

    words: NDArray[np.int64]
    rows: NDArray[np.float32]
    norms: NDArray[np.float32]
    moves: NDArray[np.float32]
    steps: NDArray[np.float32]
    word_moves: NDArray[np.float32]


class Window(NamedTuple):
    """The pairs of RUN neighbouring centres, and room for whole lines of their words.

    Or of nodes, in place of words: rows that several words of a window have a part in
    (`fastw2v.kernels.paths`).

    words       int64, of their windows
    bounds      int64 (RUN, 2), where the window of each begins and ends
    shares      float32, what each word counts for each centre, those of a centre a whole line or some
    scores      float32, of these pairs
    pulls       float32, −∂J/∂score times the step of the centre's row
    steps       float32, and times that of the word's row
    word_steps  float32, the step of each word's row
    products    float32 (RUN²,), of the centres' rows: h_bᵀ h_c at b · RUN + c, for b < c
    against     float32 of nodes, what counts for a low score, as shares do for both; None of words
    most        float32 (RUN,) of nodes, how long a step along each centre's row may be; None of words
    """

    words: NDArray[np.int64]
    bounds: NDArray[np.int64]
    shares: NDArray[np.float32]
    scores: NDArray[np.float32]
    pulls: NDArray[np.float32]
    steps: NDArray[np.float32]
    word_steps: NDArray[np.float32]
    products: NDArray[np.float32]
    against: NDArray[np.float32] | None
    most: NDArray[np.float32] | None


class Bags(NamedTuple):
    """What cases whose input is a bag of rows need beside their h, which are in `Scratch.centers.rows`.

    words   int64 (T,), 0..T − 1, the rows of grads
    steps   float32 (T,), −1: what `update_tile` subtracts is then added to them
    grads   float32 (T, padded_dim), ∂J/∂h
    shares  float32 (T,), of CBOW: 1/|P| while h is read, then what of ∂J/∂h each of its words takes
    """

    words: NDArray[np.int64]
    steps: NDArray[np.float32]
    grads: NDArray[np.float32]
    shares: NDArray[np.float32]


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


class TileOperands(NamedTuple):
    """The same as matrix tiles take them (`fastw2v.kernels.tiles.amx`): bfloat16, depths of whole lines.

    What lies beyond the block's own rows and columns is zero, or is multiplied by zeros.

    noise_columns   (depth, S), the noise rows transposed
    centers_along   (T, depth)
    centers_across  (T/2 in whole lines, padded_dim)
    noise_across    (S/2 in whole lines, padded_dim)
    errors_along    (T, S/2 in whole lines)
    errors_across   (T/2 in whole lines, S)
    errors_columns  (S, T/2 in whole lines), the errors transposed, packed along
    sums            float32 (T or S, 16), columns of a product before they are added to rows
    """

    noise_columns: NDArray[np.uint32]
    centers_along: NDArray[np.uint32]
    centers_across: NDArray[np.uint32]
    noise_across: NDArray[np.uint32]
    errors_along: NDArray[np.uint32]
    errors_across: NDArray[np.uint32]
    errors_columns: NDArray[np.uint32]
    sums: NDArray[np.float32]


class Ahead(NamedTuple):
    """Rows to prefetch. A tuple of its own: what a call takes is copied, and a scratch is a kilobyte.

    rows    int64 (n,), rows the next block will gather: word of V, or −1 − word of U
    cursor  int64 (2,), how many of the rows are prefetched, how many there are
    """

    rows: NDArray[np.int64]
    cursor: NDArray[np.int64]


class Seen(NamedTuple):
    """Rows of U that the blocks of a unit have drawn so far, a control variate.

    total   float32 (1, padded_dim), their sum
    n_rows  int64 (1,), their number
    """

    total: NDArray[np.float32]
    n_rows: NDArray[np.int64]


class Scratch(NamedTuple):
    """Everything a worker needs for a block, allocated once a call.

    centers   Side, T rows of V
    noise     Side, S rows of U, rounded up to whole lines
    n_draws   S
    weight    float32, K/S: what a draw stands for in a pair
    operands  Operands or TileOperands of the products of both
    errors    float32 (T, n_noise), ∂J/∂score = w·σ; then what the centres' gradient takes of the draws
    for_seen  float32 (T, 1), what it takes of the sum of the rows seen before
    weights   float32 (T, n_noise), w_is
    marks     uint8 (MARKS,), 1 for the low bits of each drawn word; zero between blocks
    window    Window, the pairs of some centres
    bags      Bags where inputs are bags of rows, else None
    order     int64 (UNIT,), the centres of a unit as blocks take them
    ahead     Ahead, rows of the next block
    clock     int64 (phases + 1,) for `tick`, or None
    lookup    which rows of V are a word's: the plan's inputs
    """

    centers: Side
    noise: Side
    n_draws: int
    weight: np.float32
    operands: Operands | TileOperands
    errors: NDArray[np.float32]
    for_seen: NDArray[np.float32]
    weights: NDArray[np.float32]
    marks: NDArray[np.uint8]
    window: Window
    bags: Bags | None
    order: NDArray[np.int64]
    ahead: Ahead
    clock: NDArray[np.int64] | None
    lookup: Inputs


@inner_jit
def new_side(matrix, n):
    """Scratch for n rows of a matrix."""
    words, zeros = np.full(n, -1), np.zeros(n, np.float32)
    n_words, dim = matrix.shape
    return Side(words, aligned_rows(n, dim), zeros, zeros.copy(), zeros.copy(), np.zeros(n_words, np.float32))


@inner_jit
def new_seen(dim):
    """Room for what a unit has drawn; nothing so far."""
    return Seen(aligned_rows(1, dim), np.zeros(1, np.int64))


@inner_jit
def window_of_lines(n, against, most):
    """Scratch for the pairs of RUN neighbouring centres with n words or nodes, in whole lines."""
    pairs = aligned_rows(4, n * RUN)
    words, bounds = np.zeros(n + RUN, np.int64), np.zeros((RUN, 2), np.int64)
    word_steps, products = np.zeros(n, np.float32), np.zeros(RUN * RUN, np.float32)
    return Window(words, bounds, pairs[0], pairs[1], pairs[2], pairs[3], word_steps, products, against, most)


@inner_jit
def new_window(reach):
    """Scratch for the pairs of RUN neighbouring centres."""
    return window_of_lines(whole_lines(2 * reach + RUN), None, None)


def _no_bags(lookup, n, dim):
    return None


@inner_jit
def room_for_bags(n, dim):
    """Room for the bags of n cases."""
    return Bags(np.arange(n), np.full(n, -ONE), aligned_rows(n, dim), np.zeros(n, np.float32))


def _bags_of_words(lookup, n, dim):
    return room_for_bags(n, dim)


# (lookup, n, dim): room for n cases, each of one word.
new_word_bags = by_type({Words: _no_bags, Subwords: _bags_of_words})


def _bags_of_one(architecture, lookup, n, dim):
    return new_word_bags(lookup, n, dim)


def _bags_of_several(architecture, lookup, n, dim):
    return room_for_bags(n, dim)


# (architecture, lookup, n, dim): room for n cases.
new_bags = by_type(
    {SkipGram: _bags_of_one, GlobalContext: _bags_of_one, GivenPairs: _bags_of_one, Cbow: _bags_of_several}
)


def _one_each(architecture, n):
    return 2 * n


def _two_each(architecture, n):
    return 3 * n


def _group_each(architecture, n):
    return n * (1 + architecture.reach)


# (architecture, n): rows that n centres and their contexts have in the list of those to prefetch.
n_ahead = by_type({SkipGram: _one_each, Cbow: _one_each, GlobalContext: _two_each, GivenPairs: _group_each})


def _plain_operands(kind, centers, noise, errors):
    columns = aligned_rows(centers.shape[1], len(noise))
    return Operands(columns, centers, noise, centers, noise, errors, errors)


def _packed_operands(kind, centers, noise, errors):
    (n_centers, dim), n_noise = centers.shape, len(noise)
    depth = whole_lines(dim // 2)  # beyond dim / 2 zeros, never written
    return Operands(
        aligned_rows(depth, n_noise).view(np.uint32),
        aligned_rows(n_centers, depth).view(np.uint32),
        aligned_rows(n_noise, depth).view(np.uint32),
        aligned_rows(n_centers // 2, dim).view(np.uint32),
        aligned_rows(n_noise // 2, dim).view(np.uint32),
        aligned_rows(n_centers, whole_lines(n_noise // 2)).view(np.uint32),
        aligned_rows(n_centers // 2, n_noise).view(np.uint32),
    )


def _tile_operands(kind, centers, noise, errors):
    (n_centers, dim), n_noise = centers.shape, len(noise)
    depth = whole_lines(dim // 2)
    center_pairs, noise_pairs = whole_lines(n_centers // 2), whole_lines(n_noise // 2)
    return TileOperands(
        aligned_rows(depth, n_noise).view(np.uint32),
        aligned_rows(n_centers, depth).view(np.uint32),
        aligned_rows(center_pairs, dim).view(np.uint32),
        aligned_rows(noise_pairs, dim).view(np.uint32),
        aligned_rows(n_centers, noise_pairs).view(np.uint32),
        aligned_rows(center_pairs, n_noise).view(np.uint32),
        aligned_rows(n_noise, center_pairs).view(np.uint32),
        aligned_rows(max(n_centers, n_noise), FLOATS_PER_LINE),
    )


# (kind, centers, noise, errors): the arrays themselves, or room for their packed forms.
new_operands = by_type({Float32: _plain_operands, BFloat16: _tile_operands if HAS_AMX else _packed_operands})


@inner_jit
def new_scratch(vectors, plan, clock):
    """Scratch for blocks of T centres and S draws; whole lines of either are written and read."""
    estimator = plan.estimator
    n_centers, n_noise = whole_lines(estimator.block_size), whole_lines(estimator.shared_negatives)
    centers, noise = new_side(vectors.center, n_centers), new_side(vectors.outside, n_noise)
    errors = aligned_rows(n_centers, n_noise)
    return Scratch(
        centers,
        noise,
        estimator.shared_negatives,
        np.float32(plan.objective.n_negatives / estimator.shared_negatives),
        new_operands(estimator.operands, centers.rows, noise.rows, errors),
        errors,
        np.zeros((n_centers, 1), np.float32),
        aligned_rows(n_centers, n_noise),
        np.zeros(MARKS, np.uint8),
        new_window(plan.architecture.reach),
        new_bags(plan.architecture, plan.inputs, n_centers, vectors.center.shape[1]),
        np.zeros(UNIT, np.int64),
        Ahead(np.zeros(n_ahead(plan.architecture, n_centers) + n_noise, np.int64), np.zeros(2, np.int64)),
        clock,
        plan.inputs,
    )
