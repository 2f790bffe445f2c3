"""The dense products of a block by AMX, where the machine has it: see `fastw2v.kernels.tiles.amx`.

What `fastw2v.kernels.block.noise` and `.updates` do by rows, for `TileOperands`. The products take less time
than what is around them: rows are packed once for all three, and a product of 16 rows stays in the first
cache until it is added to the matrix.
"""

from __future__ import annotations

from fastw2v.kernels.block.scratch import ZERO, Operands, TileOperands
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import by_type, inner_jit, level_jit
from fastw2v.kernels.tiles.amx import configure_tiles, multiply_tiles, pack_both, pack_columns, release_tiles
from fastw2v.kernels.tiles.bfloat16 import pack_across
from fastw2v.kernels.tiles.products import transpose_tile
from fastw2v.kernels.tiles.rows import add_part
from fastw2v.model.arrays import FLOATS_PER_LINE

ROWS = FLOATS_PER_LINE  # of a tile, and its columns


def _nothing(operands):
    pass


def _configure(operands):
    configure_tiles()


def _release(operands):
    release_tiles()


# (operands): before the products of a block, and after.
begin_products = by_type({Operands: _nothing, TileOperands: _configure})
end_products = by_type({Operands: _nothing, TileOperands: _release})


@level_jit
def multiply_scores(scratch, i, s, rows, columns):
    """errors[i : i + 16·rows, s : s + 16·columns]; rows and columns are compile-time constants."""
    operands = scratch.operands
    left, right = operands.centers_along, operands.noise_columns
    multiply_tiles(scratch.errors, (i, s, i, s), left, right, (rows, columns), left.shape[1])


@inner_jit
def pack_for_tiles(operands, centers, noise, n_centers):
    """Pack the rows of centres and draws, for the scores and for the updates."""
    for q in range((n_centers + 1) // 2):
        pack_both(operands.centers_along, operands.centers_across, centers, q)
    for s in range(0, len(noise), ROWS):
        pack_columns(operands.noise_columns, operands.noise_across, noise, s)


def scores_by_tiles(operands, vectors, scratch, n_centers):
    """errors[i, s] = v_iᵀ u_s, two by two tiles at a time: a tile loaded for each product."""
    pack_for_tiles(operands, scratch.centers.rows, scratch.noise.rows, n_centers)
    n_noise = scratch.errors.shape[1]
    for i in range(0, n_centers, 2 * ROWS):
        for s in range(0, n_noise, 2 * ROWS):
            prefetch(vectors, scratch.ahead, 8)
            is_high, is_broad = i + ROWS < n_centers, s + ROWS < n_noise
            if is_high and is_broad:
                multiply_scores(scratch, i, s, 2, 2)
            elif is_high:
                multiply_scores(scratch, i, s, 2, 1)
            elif is_broad:
                multiply_scores(scratch, i, s, 1, 2)
            else:
                multiply_scores(scratch, i, s, 1, 1)


def errors_for_tiles(operands, errors, n_centers):
    """Pack the errors for the product with the centres: zeros for those that fill a tile, then transposed."""
    across, columns = operands.errors_across, operands.errors_columns
    stop = min(-(-n_centers // (2 * ROWS)) * 2 * ROWS, len(errors))
    for i in range(n_centers, stop):
        for s in range(errors.shape[1]):
            errors[i, s] = ZERO
    for q in range(stop // 2):
        pack_across(across, errors, q)
    for q in range(0, stop // 2, ROWS):
        for s in range(0, errors.shape[1], ROWS):
            transpose_tile(columns, s, across, q)


@level_jit
def sum_tile(sums, left, right, d, n, pairs):
    """sums[:n] = left[:n]·right[:, d : d + 16], of some pairs."""
    for i in range(0, n, 2 * ROWS):
        if i + ROWS < n:
            multiply_tiles(sums, (i, 0, i, d), left, right, (2, 1), pairs)
        else:
            multiply_tiles(sums, (i, 0, i, d), left, right, (1, 1), pairs)


def with_noise_by_tiles(operands, matrix, side, vectors, scratch, n, seen):
    """row_i −= step_i·∂J/∂row_i, of the draws and of the rows seen before."""
    words, steps, for_seen, sums = side.words, side.steps, scratch.for_seen, operands.sums
    pairs = operands.errors_along.shape[1]
    for d in range(0, matrix.shape[1], ROWS):
        prefetch(vectors, scratch.ahead, 2)
        sum_tile(sums, operands.errors_along, operands.noise_across, d, n, pairs)
        for i in range(n):
            if words[i] >= 0:
                terms = ((-steps[i], sums, i, 0), (-steps[i] * for_seen[i, 0], seen.total, 0, d))
                add_part(matrix, (words[i], d), terms)


def noise_by_tiles(operands, vectors, scratch, n_centers):
    """u_s −= step_s·Σ_i error_is v_i."""
    words, steps, sums = scratch.noise.words, scratch.noise.steps, operands.sums
    n_noise, pairs = scratch.errors.shape[1], (n_centers + 1) // 2
    for d in range(0, vectors.outside.shape[1], ROWS):
        prefetch(vectors, scratch.ahead, 2)
        sum_tile(sums, operands.errors_columns, operands.centers_across, d, n_noise, pairs)
        for s in range(n_noise):
            if words[s] >= 0:
                add_part(vectors.outside, (words[s], d), ((-steps[s], sums, s, 0),))
