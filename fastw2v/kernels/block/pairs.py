"""The pairs of a block, stepped in the matrices themselves: those of some neighbouring centres at once."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import mass_of, share_line, window_of
from fastw2v.kernels.block.scratch import ZERO
from fastw2v.kernels.block.updates import step_of
from fastw2v.kernels.block.windows import count_neighbours, prefetch
from fastw2v.kernels.jit import inlined_jit, inner_jit, level_jit
from fastw2v.kernels.tiles.errors import pair_errors
from fastw2v.kernels.tiles.rows import row_dot, row_dots
from fastw2v.kernels.tiles.windows import SCORE_ROWS, score_rows, step_rows
from fastw2v.kernels.units import whole_lines
from fastw2v.kernels.weights import weight_of
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import BY_PLACE, RUN


@inlined_jit
def four_from(first, last):
    """The whole numbers from first on, the last one again and again where they are fewer than RUN."""
    return first, min(first + 1, last), min(first + 2, last), min(first + 3, last)


@inlined_jit
def words_at(kept, places):
    """The words of four kept tokens."""
    first, second, third, fourth = places
    ids = kept.ids
    return np.int64(ids[first]), np.int64(ids[second]), np.int64(ids[third]), np.int64(ids[fourth])


@inlined_jit
def list_words(kept, i, n_centers, size, window):
    """Fill in the words of the windows of n_centers from i on, and what each counts for each of them.

    A word that is there twice is one that counts as much as both, so that its score with a centre takes all
    that the centres before have done to its row.

    A centre alone is itself left out where it comes first, as of given pairs it does and is no word of U.
    Returns (how many words, what they count in all).
    """
    low, high, mass, bounds = i + (n_centers == 1), i + 1, ZERO, window.bounds
    for c in range(n_centers):
        start, stop = window_of(kept, i + c, size)
        bounds[c, 0], bounds[c, 1] = start, stop
        low, high = min(low, start + (n_centers == 1 and start == i)), max(high, stop)
        mass += mass_of(kept, i + c, (start, stop))
    n_words = high - low
    width = whole_lines(n_words)
    for p in range(n_words):
        window.words[p] = kept.ids[low + p]
    for c in range(n_centers):
        start, stop, center = np.float32(bounds[c, 0]), np.float32(bounds[c, 1]), np.float32(i + c)
        full, slope = share_line(kept, i + c)
        for first in range(0, width, FLOATS_PER_LINE):
            for lane in range(FLOATS_PER_LINE):  # a number known to the compiler: one instruction each
                j = np.float32(low + first) + np.float32(lane)
                share = full - slope * abs(j - center)
                counts = (j >= start) & (j < stop) & (j != center)
                window.shares[c * width + first + lane] = share if counts else ZERO
    for q in range(n_centers * width, RUN * width):
        window.shares[q] = ZERO
    if kept.weighted == BY_PLACE:  # of a centre alone
        for p in range(n_words):
            window.shares[p] = weight_of(kept.weight, low + p)
    merge_words(window, n_words, width)
    return n_words, mass


@inlined_jit
def merge_words(window, n_words, width):
    """Let a word that is there twice be one that counts as much as both: its later places count nothing."""
    words, shares, n_equal = window.words, window.shares, 0
    for p in range(n_words, width):
        words[p] = -1
    for p in range(n_words):
        for first in range(0, width, FLOATS_PER_LINE):
            for lane in range(FLOATS_PER_LINE):
                n_equal += words[first + lane] == words[p]
    if n_equal == n_words:
        return
    for p in range(n_words):
        q = 0
        while words[q] != words[p]:
            q += 1
        if q < p:
            for c in range(RUN):
                shares[c * width + q] += shares[c * width + p]
                shares[c * width + p] = ZERO


@inlined_jit
def score_words(outside, source, rows, window, n_words, width):
    """window.scores[c · width + p] = u_pᵀ h_c, h_c the rows of source; 0 beyond the last tile."""
    words, scores = window.words, window.scores
    for p in range(n_words, n_words + SCORE_ROWS - 1):
        words[p] = words[0]
    for c in range(RUN):
        for p in range(n_words, width):
            scores[c * width + p] = ZERO
    for p in range(0, n_words, SCORE_ROWS):
        if SCORE_ROWS == 4:
            four = (words[p], words[p + 1], words[p + 2], words[p + 3])
            score_rows(scores, p, width, outside, four, source, rows)
        else:
            score_rows(scores, p, width, outside, (words[p], words[p + 1]), source, rows)


@inlined_jit
def relate(source, rows, products):
    """products[b · RUN + c] = h_bᵀ h_c for b < c."""
    first, second, third, fourth = rows
    products[1], products[2], products[3] = row_dots(source, first, source, (second, third, fourth))
    products[RUN + 2], products[RUN + 3] = row_dots(source, second, source, (third, fourth))
    products[2 * RUN + 3] = row_dot(source, third, source, fourth)


@level_jit
def step_contexts(outside, inputs, outside_steps, window, n_words):
    """A step on the rows of a window's words, and on those of target: h_c of its centres, or ∂J/∂h_c.

    Centre after centre: the steps before have moved u_p by Σ_b steps_bp h_b, and its score with h_c by as
    many products h_bᵀ h_c. Errors are what they would be were each centre scored after the steps before.
    From one place for all four MEN and the others fell by .008, 4 M words, 3 epochs at .1, three seeds.
    Returns the loss.

    inputs         (source, target, the rows of both that are the four centres', the steps of the four)
    outside_steps  (moves of words by the block's noise, learning rate)
    """
    source, target, rows, center_steps = inputs
    width = whole_lines(n_words)
    score_words(outside, source, rows, window, n_words, width)
    relate(source, rows, window.products)
    for p in range(n_words):
        window.word_steps[p] = step_of(outside_steps[0], window.words[p], outside_steps[1])
    loss = pair_errors(window, width, center_steps)
    if center_steps[0] != ZERO or outside_steps[1] > ZERO:
        pairs = window.words, window.pulls, window.steps
        step_rows(target, source, rows, outside, (n_words, width), pairs)
    return loss


@inner_jit
def step_pairs(vectors, kept, centers, size, rates, window, word_moves, ahead):
    """A step on the pairs of the centres, neighbours at once; returns (loss, pairs).

    One call for a block: what a call takes is copied, and for each window that took as long as its step.

    word_moves  of the block's centres and of its noise, as in their Side
    """
    center, moves, rate, outside_steps = vectors.center, word_moves[0], rates[0], (word_moves[1], rates[1])
    loss, n_pairs, first = 0.0, 0.0, 0
    while first < len(centers):
        n_centers, i = count_neighbours(kept, centers, first), centers[first]
        prefetch(vectors, ahead, n_centers)
        n_words, mass = list_words(kept, i, n_centers, size, window)
        rows = words_at(kept, four_from(i, i + n_centers - 1))
        steps = (
            step_of(moves, rows[0], rate),
            step_of(moves, rows[1], rate),
            step_of(moves, rows[2], rate),
            step_of(moves, rows[3], rate),
        )
        inputs = center, center, rows, steps
        loss += step_contexts(vectors.outside, inputs, outside_steps, window, n_words)
        n_pairs += mass
        first += n_centers
    return loss, n_pairs
