"""The step of a block of CBOW: the noise of T cases as dense products, each case with its bag of input words.

The twin is `fastw2v.reference.bags`. What is made of noise is that of skip-gram, in
`fastw2v.kernels.block.noise`, and h of the cases stands where the rows of centres stand there.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import step_share, window_of
from fastw2v.kernels.block.moves import add_input_move, clear_input_move, step_input_held
from fastw2v.kernels.block.noise import center_errors, noise_errors, score_noise
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
from fastw2v.kernels.inputs import add_input
from fastw2v.kernels.intrinsics import tick
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus
from fastw2v.kernels.tiles.rows import add_row, row_dot
from fastw2v.kernels.weights import weight_of


@inner_jit
def read_bags(vectors, kept, centers, size, scratch):
    """h of each case, the mean of its rows of V; zeros and word −1 for a case without input words."""
    side, shares = scratch.centers, scratch.bags.shares
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        side.words[t] = kept.ids[i] if high - low > 1 else -1
        shares[t] = ONE / np.float32(max(high - low - 1, 1))
        for d in range(side.rows.shape[1]):
            side.rows[t, d] = ZERO
        for j in range(low, high):
            if j != i:
                add_input(scratch.lookup, vectors, kept.ids[j], shares[t], side.rows, t)
        side.norms[t], side.moves[t] = row_dot(side.rows, t, side.rows, t), ZERO


@inner_jit
def weigh_bags(kept, centers, scratch):
    """w_is = weight where word_i ≠ n_s, times that of i's sentence; 0 for a case without input words."""
    words, noise, weights = scratch.centers.words, scratch.noise.words, scratch.weights
    for t in range(len(centers)):
        weight = scratch.weight * weight_of(kept.weight, centers[t])
        for s in range(weights.shape[1]):
            has_part = words[t] >= 0 and noise[s] >= 0 and noise[s] != words[t]
            weights[t, s] = weight if has_part else ZERO


@inner_jit
def step_output(outside, word, scratch, t, step, weight):
    """A step on the output word's row by J = −weight·log σ(uᵀh); returns J, and ∂J/∂h in bags.grads[t]."""
    h, grads = scratch.centers.rows, scratch.bags.grads
    score = row_dot(outside, word, h, t)
    pull = weight * sigmoid(-score)
    add_row(grads, t, -pull, outside, word)
    if step > ZERO:
        add_row(outside, word, step * pull, h, t)
    return np.float64(weight * softplus(-score))


@inner_jit
def add_bag_moves(architecture, kept, centers, size, scratch):
    """Sum the moves of bags by input word, each what it is stepped by, which bags.shares has from here on."""
    side, shares = scratch.centers, scratch.bags.shares
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        shares[t] = step_share(architecture, max(high - low - 1, 1))
        for j in range(low, high):
            if j != i:
                add_input_move(scratch.lookup, kept.ids[j], shares[t] * side.moves[t], side.word_moves)


@inner_jit
def step_bags(vectors, kept, centers, size, rate, scratch):
    """v_j −= step_j · share · ∂J/∂h for each input word of each case."""
    side, bags, lookup = scratch.centers, scratch.bags, scratch.lookup
    for t in range(len(centers)):
        i = centers[t]
        low, high = window_of(kept, i, size)
        for j in range(low, high):
            if j != i:
                word, share = kept.ids[j], bags.shares[t]
                step_input_held(lookup, vectors, word, rate, share, side.word_moves, bags.grads, t)


@inner_jit
def clear_bag_moves(kept, centers, size, scratch):
    """Zero the moves of the input words."""
    for i in centers:
        low, high = window_of(kept, i, size)
        for j in range(low, high):
            clear_input_move(scratch.lookup, kept.ids[j], scratch.centers.word_moves)


def bag_step(architecture, vectors, kept, centers, size, rates, scratch, seen):
    """One step on cases that share the words of scratch.noise; returns (loss, cases).

    As `fastw2v.kernels.block.step.block_step`.
    """
    n_cases, noise, bags = len(centers), scratch.noise, scratch.bags
    tick(scratch.clock, DRAWS)
    read_bags(vectors, kept, centers, size, scratch)
    gather(vectors.outside, noise, len(noise.words))
    tick(scratch.clock, GATHER)
    weigh_bags(kept, centers, scratch)
    tick(scratch.clock, WEIGHTS)
    score_noise(vectors, scratch, n_cases)
    tick(scratch.clock, NOISE_SCORES)
    loss, n_pairs = noise_errors(scratch, n_cases), 0.0
    tick(scratch.clock, ERRORS)
    add_bag_moves(architecture, kept, centers, size, scratch)
    add_moves(noise, len(noise.words))
    set_steps(noise, len(noise.words), rates[1])
    tick(scratch.clock, STEPS)
    for t in range(n_cases):
        prefetch(vectors, scratch.ahead, 1)
        for d in range(bags.grads.shape[1]):
            bags.grads[t, d] = ZERO
        word = scratch.centers.words[t]
        if word >= 0:
            step = step_of(noise.word_moves, word, rates[1])
            weight = weight_of(kept.weight, centers[t])
            loss += step_output(vectors.outside, word, scratch, t, step, weight)
            n_pairs += weight
    clear_moves(noise, len(noise.words))
    tick(scratch.clock, PAIR_STEPS)
    if rates[1] > ZERO:
        update_noise(vectors, scratch, n_cases)
        tick(scratch.clock, UPDATE_NOISE)
    if rates[0] > ZERO:
        center_errors(scratch, n_cases, seen)
        update_bags(vectors, scratch, n_cases, seen)
        step_bags(vectors, kept, centers, size, rates[0], scratch)
        tick(scratch.clock, UPDATE_CENTERS)
    clear_bag_moves(kept, centers, size, scratch)
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss, n_pairs
