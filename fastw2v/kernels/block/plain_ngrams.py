"""The step of a block of skip-gram in plain loops where words are bags of rows.

Names and order are those of `fastw2v.reference.ngrams`; `fastw2v.kernels.block.ngrams` is the same, fast.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.plain_noise import (
    add_moves,
    clear_moves,
    gather,
    noise_gradients,
    update_rows,
    weigh_noise,
)
from fastw2v.kernels.block.plain_pairs import step_contexts
from fastw2v.kernels.block.windows import count_neighbours
from fastw2v.kernels.inputs import read_input

ONE, ZERO = np.float32(1.0), np.float32(0.0)


def ngram_step(lookup, vectors, kept, centers, size, rates, scratch, seen):
    """One step on centres that share the words of scratch.noise; returns (loss, pairs)."""
    n_centers, noise, side = len(centers), scratch.noise, scratch.centers
    words, h, grads = side.words, side.rows, side.grads
    weight, weights = scratch.weight, scratch.weights
    for t in range(n_centers):
        words[t], side.moves[t] = kept.ids[centers[t]], ZERO
        read_input(lookup, vectors, words[t], h, t)
    weigh_noise(kept, centers, size, noise.words, weight, weights)
    gather(vectors.outside, noise, len(noise.words))
    loss, n_pairs = noise_gradients(side, noise, n_centers, weights, seen), 0.0
    for t in range(n_centers):
        add_input_move(lookup, words[t], side.moves[t], side.word_moves)
    add_moves(noise, len(noise.words))
    outside_steps = noise.word_moves, rates[1]
    first = 0
    while first < n_centers:
        group = centers[first], count_neighbours(kept, centers, first), first
        window_loss, mass = step_contexts(
            vectors.outside, kept, group, size, h, grads, outside_steps, scratch.errors
        )
        loss += window_loss
        n_pairs += mass
        first += group[1]
    if rates[1] > ZERO:
        update_rows(vectors.outside, noise, len(noise.words), rates[1])
    clear_moves(noise, len(noise.words))
    if rates[0] > ZERO:
        for t in range(n_centers):
            step_input_held(lookup, vectors, words[t], rates[0], ONE, side.word_moves, grads, t)
    for t in range(n_centers):
        clear_input_move(lookup, words[t], side.word_moves)
    return loss, n_pairs
