"""The order of a unit's centres, and rows gathered and asked for ahead."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.scratch import ZERO
from fastw2v.kernels.intrinsics import prefetch_row
from fastw2v.kernels.jit import by_type, inlined_jit, inner_jit
from fastw2v.kernels.tiles.rows import copy_row
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import BY_PLACE, PLACES, RUN, Cbow, GivenPairs, GlobalContext, SkipGram


@inner_jit
def order_centers(begin, end, order):
    """The centres of a unit as blocks take them: RUN from each of PLACES parts in turn."""
    length = max(1, -(-(end - begin) // PLACES))
    n = 0
    for run in range(0, length, RUN):
        for start in range(begin, end, length):
            for i in range(start + run, min(start + run + RUN, start + length, end)):
                order[n] = i
                n += 1


@inlined_jit
def count_neighbours(kept, centers, first):
    """How many centres from the first on are one after the other in the text, RUN at most, no word twice.

    Kept tokens that are groups have none: the next place is of a group of its own.
    """
    n, most = 1, 1 if kept.weighted == BY_PLACE else RUN
    while n < most and first + n < len(centers) and centers[first + n] == centers[first] + n:
        for c in range(first, first + n):
            if kept.ids[centers[c]] == kept.ids[centers[first + n]]:  # its row is to meet its own first step
                return n
        n += 1
    return n


def _spread(architecture, kept, begin, end, order):
    order_centers(begin, end, order)
    return end - begin


def _with_outside_words(architecture, kept, begin, end, order):
    n = 0
    for i in range(begin, end):
        order[n] = i
        n += np.int64(kept.radius[i] > 0)
    return n


def _spread_groups(architecture, kept, begin, end, order):
    places, place = np.empty(end - begin, np.int64), 0
    for n in range(end - begin):
        places[n] = place
        place += 1 + kept.radius[place]
    order_centers(0, end - begin, order)
    for n in range(end - begin):
        order[n] = places[order[n]]
    return end - begin


# (architecture, kept, begin, end, order): put the centres of a unit in order; returns how many they are.
# Given pairs come in a drawn order as it is.
list_centers = by_type(
    {SkipGram: _spread, Cbow: _spread, GlobalContext: _spread_groups, GivenPairs: _with_outside_words}
)


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, with their squared lengths."""
    for i in range(n):
        side.moves[i] = ZERO
        if side.words[i] >= 0:
            side.norms[i] = copy_row(side.rows, i, matrix, side.words[i])


def _of_center(architecture, word):
    return word


def _of_outside(architecture, word):
    return -1 - word


# (architecture, word): the row of a centre, of V or, below 0, of U; those of contexts are the other matrix's.
center_row = by_type(
    {SkipGram: _of_center, GlobalContext: _of_center, GivenPairs: _of_center, Cbow: _of_outside}
)


def _farthest(architecture, kept, i, size, ahead, n):
    if i + architecture.reach < size:
        ahead.rows[n] = -1 - center_row(architecture, kept.ids[i + architecture.reach])
        n += 1
    return n


def _all_of_group(architecture, kept, i, size, ahead, n):
    for j in range(i + 1, i + 1 + kept.radius[i]):
        ahead.rows[n] = -1 - kept.ids[j]
        n += 1
    return n


def _end_of_group(architecture, kept, i, size, ahead, n):
    last = i + kept.radius[i]
    for j in range(max(i + 1, last - 1), last + 1):  # the farthest word of the window, and the target
        ahead.rows[n] = -1 - kept.ids[j]
        n += 1
    return n


# (architecture, kept, i, size, ahead, n): list the rows of a centre's contexts from place n on; returns its
# end. Of a window the farthest one: the nearer ones were those of centres before, and are at hand.
list_contexts = by_type(
    {SkipGram: _farthest, Cbow: _farthest, GlobalContext: _end_of_group, GivenPairs: _all_of_group}
)


@inner_jit
def look_ahead(architecture, kept, centers, size, noise, ahead):
    """List the rows of the next block: of its centres, of their contexts, of the noise."""
    n = 0
    for i in centers:
        ahead.rows[n] = center_row(architecture, kept.ids[i])
        n += 1
        n = list_contexts(architecture, kept, i, size, ahead, n)
    for word in noise:
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
