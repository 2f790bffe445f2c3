"""The pairs of a block, stepped in the matrices themselves, a window at a time."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import share_of, window_of
from fastw2v.kernels.block.scratch import ONE, ZERO
from fastw2v.kernels.block.updates import step_of
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.jit import inlined_jit, inner_jit, level_jit
from fastw2v.kernels.scalar import FAR, sigmoid, softplus
from fastw2v.kernels.tiles.rows import copy_row
from fastw2v.kernels.tiles.several import pull_several, score_several
from fastw2v.kernels.units import whole_lines


@inlined_jit
def score_window(vectors, window, n_pairs):
    """window.scores[p] = u_pᵀv_c; FAR up to a whole line."""
    scores = window.scores
    score_several(scores, window.v_c, 0, vectors.outside, window.words, n_pairs)
    for p in range(n_pairs, whole_lines(n_pairs)):
        scores[p] = FAR


@inlined_jit
def pull_window(vectors, matrix, row, window, n_pairs):
    """matrix[row] += Σ_p pulls_p u_p and u_p += steps_p v_c, some rows in a pass."""
    words, pulls, steps = window.words, window.pulls, window.steps
    pull_several(matrix, row, pulls, vectors.outside, words, steps, window.v_c, n_pairs)


@level_jit
def take_errors(vectors, kept, i, size, window):
    """Fill in the words of centre i's window, and −∂J/∂score of each pair with v_c.

    Returns (loss, number of pairs, what they count).
    """
    low, high = window_of(kept, i, size)
    n_pairs, mass, shares = 0, ZERO, window.pulls
    for j in range(low, high):
        window.words[n_pairs] = kept.ids[j]
        shares[n_pairs] = share_of(kept, i, j) if j != i else ZERO
        mass += shares[n_pairs]
        n_pairs += j != i
    score_window(vectors, window, n_pairs)
    loss = ZERO
    for p in range(whole_lines(n_pairs)):  # a remainder would be done one by one
        score = window.scores[p]
        loss += shares[p] * softplus(-score)
        window.scores[p] = shares[p] * (ONE - sigmoid(score))
    return loss, n_pairs, mass


@level_jit
def step_window(vectors, kept, i, size, rates, window, word_moves):
    """A step on all pairs of centre i, in place, their errors taken before it.

    Returns (loss, what the pairs count).

    word_moves  of the block's centres and of its noise, as in their Side
    """
    center = np.int64(kept.ids[i])
    copy_row(window.v_c, 0, vectors.center, center)
    loss, n_pairs, mass = take_errors(vectors, kept, i, size, window)
    if max(rates[0], rates[1]) > ZERO:
        center_step = step_of(word_moves[0], center, rates[0])
        for p in range(n_pairs):
            window.pulls[p] = center_step * window.scores[p]
            window.steps[p] = step_of(word_moves[1], window.words[p], rates[1]) * window.scores[p]
        pull_window(vectors, vectors.center, center, window, n_pairs)
    return loss, mass


@inner_jit
def step_pairs(vectors, kept, centers, size, rates, window, word_moves, ahead):
    """A step on the pairs of each centre in turn; returns (loss, pairs).

    One call for a block: what a call takes is copied, and for each window that took as long as its step.
    """
    loss, n_pairs = 0.0, 0.0
    for i in centers:
        prefetch(vectors, ahead, 1)
        window_loss, mass = step_window(vectors, kept, i, size, rates, window, word_moves)
        loss += window_loss
        n_pairs += mass
    return loss, n_pairs
