"""The step of a block of skip-gram where words are bags of rows, of their own and of their n-grams.

The twin is `fastw2v.reference.ngrams`. What is made of noise is in `fastw2v.kernels.block.noise`, with means
of bags where the rows of centres stand there.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.noise import center_errors, noise_errors, score_noise, weigh_noise
from fastw2v.kernels.block.pairs import pull_window, take_errors
from fastw2v.kernels.block.scratch import (
    DRAWS,
    ERRORS,
    GATHER,
    NOISE_SCORES,
    ONE,
    PAIR_STEPS,
    STEPS,
    UPDATE_CENTERS,
    UPDATE_NOISE,
    WEIGHTS,
    ZERO,
)
from fastw2v.kernels.block.updates import (
    add_moves,
    clear_moves,
    set_steps,
    step_of,
    update_bags,
    update_noise,
)
from fastw2v.kernels.block.windows import gather, prefetch
from fastw2v.kernels.inputs import read_input
from fastw2v.kernels.intrinsics import prefetch_row, tick
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.tiles.rows import copy_row, row_dot
from fastw2v.model.arrays import FLOATS_PER_LINE


@inner_jit
def ask_for_bag(lookup, vectors, word):
    """Prefetch the rows of a word."""
    for k in range(lookup.starts[word], lookup.starts[word + 1]):
        for d in range(0, vectors.center.shape[1], FLOATS_PER_LINE):
            prefetch_row(vectors.center, np.int64(lookup.rows[k]), d)


@inner_jit
def read_centers(vectors, kept, centers, scratch):
    """h of each centre; the bag of the next one is asked for meanwhile, as it is of rows far apart."""
    side, lookup = scratch.centers, scratch.lookup
    for t in range(len(side.words)):
        side.words[t] = kept.ids[centers[t]] if t < len(centers) else -1
    for t in range(len(centers)):
        if t + 1 < len(centers):
            ask_for_bag(lookup, vectors, side.words[t + 1])
        read_input(lookup, vectors, side.words[t], side.rows, t)
        side.norms[t], side.moves[t] = row_dot(side.rows, t, side.rows, t), ZERO


@inner_jit
def step_contexts(vectors, kept, i, size, rate, scratch, t):
    """A step on the rows of centre i's contexts; bags.grads[t] = its ∂J/∂h; returns (loss, mass)."""
    window, grads = scratch.window, scratch.bags.grads
    copy_row(window.v_c, 0, scratch.centers.rows, t)
    loss, n_pairs, mass = take_errors(vectors, kept, i, size, window)
    for d in range(grads.shape[1]):
        grads[t, d] = ZERO
    for p in range(n_pairs):
        window.pulls[p] = -window.scores[p]
        window.steps[p] = step_of(scratch.noise.word_moves, window.words[p], rate) * window.scores[p]
    pull_window(vectors, grads, t, window, n_pairs)
    return loss, mass


@inner_jit
def step_centers(vectors, rate, scratch, n_centers):
    """Each row of each bag −= its step · ∂J/∂h."""
    side, lookup, grads = scratch.centers, scratch.lookup, scratch.bags.grads
    for t in range(n_centers):
        step_input_held(lookup, vectors, side.words[t], rate, ONE, side.word_moves, grads, t)


def ngram_step(lookup, vectors, kept, centers, size, rates, scratch, seen):
    """One step on centres that share the words of scratch.noise; returns (loss, pairs).

    As `fastw2v.kernels.block.step.block_step`.
    """
    n_centers, n_noise, side = len(centers), len(scratch.noise.words), scratch.centers
    tick(scratch.clock, DRAWS)
    read_centers(vectors, kept, centers, scratch)
    gather(vectors.outside, scratch.noise, n_noise)
    tick(scratch.clock, GATHER)
    weigh_noise(kept, centers, size, scratch)
    tick(scratch.clock, WEIGHTS)
    score_noise(vectors, scratch, n_centers)
    tick(scratch.clock, NOISE_SCORES)
    loss, n_pairs = noise_errors(scratch, n_centers), 0.0
    tick(scratch.clock, ERRORS)
    for t in range(n_centers):
        add_input_move(lookup, side.words[t], side.moves[t], side.word_moves)
    add_moves(scratch.noise, n_noise)
    set_steps(scratch.noise, n_noise, rates[1])
    tick(scratch.clock, STEPS)
    for t in range(n_centers):
        prefetch(vectors, scratch.ahead, 1)
        window_loss, mass = step_contexts(vectors, kept, centers[t], size, rates[1], scratch, t)
        loss += window_loss
        n_pairs += mass
    clear_moves(scratch.noise, n_noise)
    tick(scratch.clock, PAIR_STEPS)
    if rates[1] > ZERO:
        update_noise(vectors, scratch, n_centers)
        tick(scratch.clock, UPDATE_NOISE)
    if rates[0] > ZERO:
        center_errors(scratch, n_centers, seen)
        update_bags(vectors, scratch, n_centers, seen)
        step_centers(vectors, rates[0], scratch, n_centers)
        tick(scratch.clock, UPDATE_CENTERS)
    for t in range(n_centers):
        clear_input_move(lookup, side.words[t], side.word_moves)
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss, n_pairs
