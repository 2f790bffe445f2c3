"""Rows scored and stepped some at a time: what they share is loaded, and stored, once for four of them.

Eight at a time were no faster.
"""

from __future__ import annotations

from fastw2v.kernels.jit import inlined_jit
from fastw2v.kernels.tiles.rows import pull_rows, row_dot, row_dots


@inlined_jit
def score_several(scores, source, i, matrix, places, n):
    """scores[p] = matrix[places[p]]ᵀ source[i] for p < n."""
    p = 0
    while p + 4 <= n:
        four = (places[p], places[p + 1], places[p + 2], places[p + 3])
        scores[p], scores[p + 1], scores[p + 2], scores[p + 3] = row_dots(source, i, matrix, four)
        p += 4
    while p + 2 <= n:
        scores[p], scores[p + 1] = row_dots(source, i, matrix, (places[p], places[p + 1]))
        p += 2
    if p < n:
        scores[p] = row_dot(source, i, matrix, places[p])


@inlined_jit
def pull_several(target, i, pulls, matrix, places, steps, source, n):
    """For each p < n in turn: target[i] += pulls[p]·row, then row += steps[p]·source[0].

    row  matrix[places[p]]
    """
    p = 0
    while p + 4 <= n:
        four = (places[p], places[p + 1], places[p + 2], places[p + 3])
        pull = (pulls[p], pulls[p + 1], pulls[p + 2], pulls[p + 3])
        step = (steps[p], steps[p + 1], steps[p + 2], steps[p + 3])
        pull_rows(target, i, pull, matrix, four, step, source)
        p += 4
    while p + 2 <= n:
        pull, step = (pulls[p], pulls[p + 1]), (steps[p], steps[p + 1])
        pull_rows(target, i, pull, matrix, (places[p], places[p + 1]), step, source)
        p += 2
    if p < n:
        pull_rows(target, i, (pulls[p],), matrix, (places[p],), (steps[p],), source)
