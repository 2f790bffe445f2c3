"""The step of a block of CBOW in plain loops, as `fastw2v.kernels.block.plain` is that of skip-gram.

Names and order are those of `fastw2v.reference.bags`; `fastw2v.kernels.block.bags` is the same, fast.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import step_share, window_of
from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.plain_noise import (
    add_moves,
    clear_moves,
    gather,
    noise_gradients,
    step_of,
    update_rows,
)
from fastw2v.kernels.inputs import add_input
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.weights import weight_of

ONE, ZERO = np.float32(1.0), np.float32(0.0)


@inner_jit
def read_bags(vectors, kept, centers, size, lookup, h):
    """h of each case, the mean of its rows; zeros for a case without input words."""
    for t in range(len(centers)):
        h[t] = ZERO
        low, high = window_of(kept, centers[t], size)
        share = ONE / np.float32(max(high - low - 1, 1))
        for j in range(low, high):
            if j != centers[t]:
                add_input(lookup, vectors, kept.ids[j], share, h, t)


@inner_jit
def weigh_bags(kept, centers, size, noise, weight, weights):
    """w_is = weight where word_i ≠ n_s, times that of i's sentence; 0 for a case without input words."""
    for t in range(len(centers)):
        low, high = window_of(kept, centers[t], size)
        own = weight * weight_of(kept.weight, centers[t])
        for s in range(len(noise)):
            has_bag = high - low > 1
            weights[t, s] = own if has_bag and noise[s] != kept.ids[centers[t]] else ZERO


@inner_jit
def step_output(outside, word, h, grad_h, step, weight):
    """A step on the output word's row by J = −weight·log σ(uᵀh); returns J, and ∂J/∂h is added to grad_h."""
    score = ZERO
    for d in range(len(h)):
        score += outside[word, d] * h[d]
    error = weight * -sigmoid(-score)
    for d in range(len(h)):
        grad_h[d] += error * outside[word, d]
        if step > ZERO:
            outside[word, d] -= step * error * h[d]
    return np.float64(weight * softplus(-score))


@inner_jit
def add_bag_moves(architecture, kept, centers, size, lookup, side):
    """Sum the moves of bags by input word, each what it is stepped by."""
    for t in range(len(centers)):
        low, high = window_of(kept, centers[t], size)
        move = step_share(architecture, max(high - low - 1, 1)) * side.moves[t]
        for j in range(low, high):
            if j != centers[t]:
                add_input_move(lookup, kept.ids[j], move, side.word_moves)


@inner_jit
def step_bags(architecture, vectors, kept, centers, size, rate, scratch):
    """v_j −= step_j · share · ∂J/∂h for each input word of each case; then their moves are zero."""
    lookup, side = scratch.lookup, scratch.centers
    for t in range(len(centers)):
        low, high = window_of(kept, centers[t], size)
        share = step_share(architecture, max(high - low - 1, 1))
        for j in range(low, high):
            if j != centers[t] and rate > ZERO:
                step_input_held(lookup, vectors, kept.ids[j], rate, share, side.word_moves, side.grads, t)
    for i in centers:
        low, high = window_of(kept, i, size)
        for j in range(low, high):
            clear_input_move(lookup, kept.ids[j], side.word_moves)


def bag_step(architecture, vectors, kept, centers, size, rates, scratch, seen):
    """One step on cases that share the words of scratch.noise; returns (loss, cases)."""
    n_cases, noise, side = len(centers), scratch.noise, scratch.centers
    h, grads, weight, weights = side.rows, side.grads, scratch.weight, scratch.weights
    lookup = scratch.lookup
    read_bags(vectors, kept, centers, size, lookup, h)
    weigh_bags(kept, centers, size, noise.words, weight, weights)
    gather(vectors.outside, noise, len(noise.words))
    side.moves[:] = ZERO
    loss, n_pairs = noise_gradients(side, noise, n_cases, weights, seen), 0.0
    add_bag_moves(architecture, kept, centers, size, lookup, side)
    add_moves(noise, len(noise.words))
    for t in range(n_cases):
        low, high = window_of(kept, centers[t], size)
        if high - low > 1:
            word = kept.ids[centers[t]]
            step = step_of(noise.word_moves, word, rates[1])
            own = weight_of(kept.weight, centers[t])
            loss += step_output(vectors.outside, word, h[t], grads[t], step, own)
            n_pairs += own
    if rates[1] > ZERO:
        update_rows(vectors.outside, noise, len(noise.words), rates[1])
    clear_moves(noise, len(noise.words))
    step_bags(architecture, vectors, kept, centers, size, rates[0], scratch)
    return loss, n_pairs
