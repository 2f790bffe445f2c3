"""The step of a block: held back where it would move too far, then added to the matrices."""

from __future__ import annotations

from fastw2v.kernels.block.scratch import ONE, ZERO
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import inner_jit, level_jit
from fastw2v.kernels.tiles.bfloat16 import products_in
from fastw2v.kernels.tiles.products import UPDATE_ROWS, UPDATE_VECTORS, update_tile
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import LARGEST_MOVE

UPDATE_WIDTH = UPDATE_VECTORS * FLOATS_PER_LINE


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
