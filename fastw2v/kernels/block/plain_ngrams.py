"""The step of a block of skip-gram in plain loops where words are bags of rows.

Names and order are those of `fastw2v.reference.ngrams`; `fastw2v.kernels.block.ngrams` is the same, fast.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import share_of, window_of
from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.plain_noise import (
    add_moves,
    clear_moves,
    gather,
    noise_gradients,
    step_of,
    update_rows,
    weigh_noise,
)
from fastw2v.kernels.inputs import read_input
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus

ONE, ZERO = np.float32(1.0), np.float32(0.0)


@inner_jit
def step_contexts(outside, kept, window, h, grad_h, steps, errors):
    """A step on the rows of a window's contexts, in place; ∂J/∂h is added to grad_h; returns (loss, mass).

    window  (low, high, i)
    steps   (moves of words, learning rate)
    """
    low, high, i = window
    loss, p, mass = 0.0, 0, 0.0
    for j in range(low, high):
        if j != i:
            score, share = ZERO, share_of(kept, i, j)
            for d in range(len(h)):
                score += outside[kept.ids[j], d] * h[d]
            errors[p] = -share * sigmoid(-score)
            loss += share * softplus(-score)
            p += 1
            mass += share
    p = 0
    for j in range(low, high):
        if j != i:
            word, error = kept.ids[j], errors[p]
            step = step_of(steps[0], word, steps[1])
            for d in range(len(h)):
                grad_h[d] += error * outside[word, d]
                if step > ZERO:
                    outside[word, d] -= step * error * h[d]
            p += 1
    return loss, mass


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
    for t in range(n_centers):
        i = centers[t]
        low, high = window_of(kept, i, size)
        window_loss, mass = step_contexts(
            vectors.outside, kept, (low, high, i), h[t], grads[t], outside_steps, scratch.errors
        )
        loss += window_loss
        n_pairs += mass
    if rates[1] > ZERO:
        update_rows(vectors.outside, noise, len(noise.words), rates[1])
    clear_moves(noise, len(noise.words))
    if rates[0] > ZERO:
        for t in range(n_centers):
            step_input_held(lookup, vectors, words[t], rates[0], ONE, side.word_moves, grads, t)
    for t in range(n_centers):
        clear_input_move(lookup, words[t], side.word_moves)
    return loss, n_pairs
