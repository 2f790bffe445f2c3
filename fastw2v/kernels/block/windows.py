"""The windows of a block's centres, and their rows gathered and asked for ahead."""

from __future__ import annotations

from fastw2v.kernels.architectures import window_of
from fastw2v.kernels.block.scratch import ZERO
from fastw2v.kernels.intrinsics import prefetch_row
from fastw2v.kernels.jit import inlined_jit, inner_jit
from fastw2v.kernels.tiles.products import UPDATE_ROWS
from fastw2v.kernels.tiles.rows import copy_row
from fastw2v.model.arrays import FLOATS_PER_LINE


@inner_jit
def find_pairs(kept, span, scratch):
    """Windows of the centres kept[start:stop]; returns (lo, hi), the kept tokens that are their contexts."""
    start, stop, size = span
    n_centers, n_noise = stop - start, scratch.weights.shape[1]
    lo, hi = start, stop
    for i in range(start, stop):
        low, high = window_of(kept, i, size)
        scratch.low[i - start], scratch.high[i - start] = low, high
        lo, hi = min(lo, low), max(hi, high)
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
