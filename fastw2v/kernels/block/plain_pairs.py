"""The pairs of neighbouring centres in plain loops; the twin of `fastw2v.reference.pairs`."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import share_of, window_of
from fastw2v.kernels.block.plain_noise import step_of
from fastw2v.kernels.jit import inner_jit
from fastw2v.kernels.scalar import sigmoid, softplus

ZERO = np.float32(0.0)


@inner_jit
def dot(x, y):
    """xᵀy."""
    total = ZERO
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


@inner_jit
def first_place(kept, group, low, j):
    """The first of the tokens from low on that is the word of token j, but for a centre alone."""
    place = low
    while kept.ids[place] != kept.ids[j] or (group[1] == 1 and place == group[0]):
        place += 1
    return place


@inner_jit
def take_errors(outside, kept, group, size, low, h, steps, errors):
    """errors[c, j − low] = ∂J/∂score of the word of token j for each centre; returns (loss, pairs).

    Centre after centre: a score is taken as the steps of the centres before have left the word's row. Those
    of a word that is there twice are at its first place.
    """
    i, n_centers, first = group
    loss, n_pairs = 0.0, 0.0
    for c in range(n_centers):
        start, stop = window_of(kept, i + c, size)
        for j in range(start, stop):
            if j == i + c:
                continue
            word, share, p = kept.ids[j], share_of(kept, i + c, j), first_place(kept, group, low, j) - low
            score, step = dot(outside[word], h[first + c]), step_of(steps[0], word, steps[1])
            for b in range(c):
                score -= step * errors[b, p] * dot(h[first + b], h[first + c])
            errors[c, p] -= share * sigmoid(-score)
            loss += share * softplus(-score)
            n_pairs += share
    return loss, n_pairs


@inner_jit
def step_contexts(outside, kept, group, size, h, grads, steps, errors):
    """A step on the rows of the words in the windows of neighbouring centres; returns (loss, pairs).

    ∂J/∂h of each is added to its row of grads.

    group  (the first centre, how many, the row of h and of grads that is the first one's)
    steps  (moves of words, learning rate)
    """
    i, n_centers, first = group
    low, high = i, i + 1
    for c in range(n_centers):
        start, stop = window_of(kept, i + c, size)
        low, high = min(low, start), max(high, stop)
    for c in range(n_centers):
        for j in range(high - low):
            errors[c, j] = ZERO
    loss, n_pairs = take_errors(outside, kept, group, size, low, h, steps, errors)
    for j in range(low, high):
        if n_centers == 1 and j == i:  # no word of its own window, and of given pairs none of U
            continue
        if first_place(kept, group, low, j) < j:
            continue
        word = kept.ids[j]
        step = step_of(steps[0], word, steps[1])
        for c in range(n_centers):
            error = errors[c, j - low]
            for d in range(h.shape[1]):
                grads[first + c, d] += error * outside[word, d]
                outside[word, d] -= step * error * h[first + c, d]
    return loss, n_pairs
