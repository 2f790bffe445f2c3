"""The step of a block: held back where it would move too far, then added to the matrices."""

from __future__ import annotations

from fastw2v.kernels.block.matrix_tiles import noise_by_tiles, with_noise_by_tiles
from fastw2v.kernels.block.scratch import ZERO, Operands, TileOperands
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import by_type, inner_jit, level_jit
from fastw2v.kernels.tiles.bfloat16 import products_in
from fastw2v.kernels.tiles.products import (
    HAS_REST,
    UPDATE_REST,
    UPDATE_ROWS,
    UPDATE_VECTORS,
    in_tiles,
    update_tile,
)
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import LARGEST_MOVE

UPDATE_WIDTH = UPDATE_VECTORS * FLOATS_PER_LINE


@level_jit
def update_rows(matrix, side, i, rows, terms, transposed, ahead):
    """Row −= step·gradient for some rows of a side; terms and transposed are those of update_tile.

    rows   how many, a compile-time constant
    ahead  what `prefetch` takes, (vectors, rows): a row is asked for before each wide tile
    """
    d, stop = 0, matrix.shape[1]
    while d + UPDATE_WIDTH <= stop:
        prefetch(ahead[0], ahead[1], 1)
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, (rows, UPDATE_VECTORS))
        d += UPDATE_WIDTH
    if UPDATE_VECTORS > 2 and d + 2 * FLOATS_PER_LINE <= stop:  # Numba compiles nothing of what cannot be
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, (rows, 2))
        d += 2 * FLOATS_PER_LINE
    if UPDATE_VECTORS > 1 and d < stop:
        update_tile(matrix, side.words, side.steps, (i, d), terms, transposed, (rows, 1))


def _with_noise_by_rows(operands, matrix, side, vectors, scratch, n, seen):
    depth = scratch.weights.shape[1] // products_in(operands.errors_along)
    terms = (
        (operands.errors_along, operands.noise_across, 0, depth),
        (scratch.for_seen, seen.total, 0, 1),
    )
    high, every = in_tiles(n, UPDATE_ROWS, UPDATE_REST)
    for i in range(0, high, UPDATE_ROWS):
        update_rows(matrix, side, i, UPDATE_ROWS, terms, 0, (vectors, scratch.ahead))
    if HAS_REST:
        for i in range(high, every, UPDATE_REST):
            update_rows(matrix, side, i, UPDATE_REST, terms, 0, (vectors, scratch.ahead))


# (operands, matrix, side, vectors, scratch, n, seen): row_i −= step_i·∂J/∂row_i, some rows at a time: of the
# draws and of the rows seen before.
step_with_noise = by_type({Operands: _with_noise_by_rows, TileOperands: with_noise_by_tiles})


def _noise_by_rows(operands, vectors, scratch, n_centers):
    n_products = products_in(operands.errors_across)
    depth = (n_centers + n_products - 1) // n_products
    terms = ((operands.errors_across, operands.centers_across, 0, depth),)
    high, every = in_tiles(scratch.weights.shape[1], UPDATE_ROWS, UPDATE_REST)
    for s in range(0, high, UPDATE_ROWS):
        update_rows(vectors.outside, scratch.noise, s, UPDATE_ROWS, terms, 1, (vectors, scratch.ahead))
    if HAS_REST:
        for s in range(high, every, UPDATE_REST):
            update_rows(vectors.outside, scratch.noise, s, UPDATE_REST, terms, 1, (vectors, scratch.ahead))


# (operands, vectors, scratch, n_centers)
step_noise = by_type({Operands: _noise_by_rows, TileOperands: noise_by_tiles})


@inner_jit
def update_centers(vectors, scratch, n_centers, seen):
    """v_i −= step_i·∂J/∂v_i."""
    step_with_noise(scratch.operands, vectors.center, scratch.centers, vectors, scratch, n_centers, seen)


@inner_jit
def update_bags(vectors, scratch, n_cases, seen):
    """Add ∂J/∂h of the noise to bags.grads."""
    step_with_noise(scratch.operands, scratch.bags.grads, scratch.bags, vectors, scratch, n_cases, seen)


@inner_jit
def update_noise(vectors, scratch, n_centers):
    """u_s −= step_s·Σ_i error_is v_i: every centre has a part in each draw."""
    step_noise(scratch.operands, vectors, scratch, n_centers)


@inner_jit
def add_moves(side, n):
    """Sum the moves of n rows by word."""
    for i in range(n):
        if side.words[i] >= 0:
            side.word_moves[side.words[i]] += side.moves[i]


@level_jit
def step_of(word_moves, word, learning_rate):
    """The step of a word's rows in this block: held back where noise would move them too far."""
    move = learning_rate * word_moves[word]
    return learning_rate if move <= LARGEST_MOVE else learning_rate * LARGEST_MOVE / move


@inner_jit
def set_steps(side, n, learning_rate):
    """The step of each of n rows."""
    for i in range(n):
        if side.words[i] >= 0:
            side.steps[i] = step_of(side.word_moves, side.words[i], learning_rate)


@inner_jit
def clear_moves(side, n):
    """Zero the moves of the words of n rows."""
    for i in range(n):
        if side.words[i] >= 0:
            side.word_moves[side.words[i]] = ZERO
