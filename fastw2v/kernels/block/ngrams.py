"""The step of a block of skip-gram where words are bags of rows, of their own and of their n-grams.

The twin is `fastw2v.reference.ngrams`. What is made of noise is in `fastw2v.kernels.block.noise`, with means
of bags where the rows of centres stand there.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.noise import center_errors, noise_errors, score_noise, weigh_noise
from fastw2v.kernels.block.pairs import four_from, list_words, step_contexts
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
    update_bags,
    update_noise,
)
from fastw2v.kernels.block.windows import count_neighbours, gather, prefetch
from fastw2v.kernels.inputs import read_input
from fastw2v.kernels.intrinsics import prefetch_row, tick
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.tiles.rows import row_dot
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
def step_windows(vectors, kept, centers, size, rate, scratch):
    """A step on the contexts of the centres, neighbours at once; returns (loss, pairs).

    bags.grads[t] = ∂J/∂h of each centre's pairs.
    """
    h, grads, window = scratch.centers.rows, scratch.bags.grads, scratch.window
    loss, n_pairs, first, down = 0.0, 0.0, 0, (-ONE, -ONE, -ONE, -ONE)
    for t in range(len(centers)):
        for d in range(grads.shape[1]):
            grads[t, d] = ZERO
    while first < len(centers):
        n_centers = count_neighbours(kept, centers, first)
        prefetch(vectors, scratch.ahead, n_centers)
        n_words, mass = list_words(kept, centers[first], n_centers, size, window)
        inputs = h, grads, four_from(first, first + n_centers - 1), down
        loss += step_contexts(vectors.outside, inputs, (scratch.noise.word_moves, rate), window, n_words)
        n_pairs += mass
        first += n_centers
    return loss, n_pairs


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
    loss = noise_errors(scratch, n_centers)
    tick(scratch.clock, ERRORS)
    for t in range(n_centers):
        add_input_move(lookup, side.words[t], side.moves[t], side.word_moves)
    add_moves(scratch.noise, n_noise)
    set_steps(scratch.noise, n_noise, rates[1])
    tick(scratch.clock, STEPS)
    window_loss, n_pairs = step_windows(vectors, kept, centers, size, rates[1], scratch)
    loss += window_loss
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
