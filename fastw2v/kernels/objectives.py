"""What the loss of a case is: its draws, its value, and its step on rows of U.

Chosen at compile time by the type of the plan's objective. The twin is `fastw2v.reference.objectives`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.intrinsics import prefetch_row
from fastw2v.kernels.jit import by_type, fast_jit, inner_jit, jit
from fastw2v.kernels.scalar import GAMMA, LOW_32, SHIFT_32, mix64, sigmoid, softplus
from fastw2v.kernels.tiles.rows import push_row, row_dot
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import HierarchicalSoftmax, NegativeSampling

ONE, ZERO = np.float32(1.0), np.float32(0.0)


@jit
def draw_noise(unigram_table, bits):
    """One word from 64 random bits: the high half picks a slot, the low half the slot's word or its alias."""
    slot = np.int64(((bits >> SHIFT_32) * np.uint64(unigram_table.shape[0])) >> SHIFT_32)
    entry = unigram_table[slot]
    return slot if (bits & LOW_32) <= (entry >> SHIFT_32) else np.int64(entry & LOW_32)


@inner_jit
def draw_shared(unigram_table, draws, count, noise):
    """`count` noise words, for a block to share, into noise; -1 in the rows that fill up its last tile."""
    for s in range(len(noise)):
        noise[s] = -1
    for s in range(count):
        draws += GAMMA
        noise[s] = draw_noise(unigram_table, mix64(draws))
    return draws


@fast_jit
def draw_negatives(objective, draws, outside, negatives):
    """Draw K noise words into negatives; one equal to the outside word is not a negative (o ∉ {w_k}).

    It is left out, not drawn again, so this ends for any vocabulary. Returns (draws, number of negatives).
    """
    n = 0
    for _ in range(objective.n_negatives):
        draws += GAMMA
        word = draw_noise(objective.unigram_table, mix64(draws))
        if word != outside:
            negatives[n] = word
            n += 1
    return draws, n


@fast_jit
def path_of(objective, draws, outside, nodes):
    """The inner nodes on the way from the root to the outside word; nothing is drawn."""
    start, stop = objective.offsets[outside], objective.offsets[outside + 1]
    for k in range(stop - start):
        nodes[k] = objective.nodes[start + k]
    return draws, stop - start


def _draw_negatives(objective, draws, outside, rows):
    return draw_negatives(objective, draws, outside, rows)


def _path_of(objective, draws, outside, rows):
    return path_of(objective, draws, outside, rows)


def _n_negatives(objective):
    return objective.n_negatives


def _longest_path(objective):
    return objective.longest


# (objective): the most rows that `find_rows` finds.
most_rows = by_type({NegativeSampling: _n_negatives, HierarchicalSoftmax: _longest_path})
# (objective, draws, outside, rows): rows of U that the loss of output word o is made of, beside its own:
# noise words, or inner nodes. Returns (draws, number of rows).
find_rows = by_type({NegativeSampling: _draw_negatives, HierarchicalSoftmax: _path_of})


@fast_jit
def ask_for(vectors, rows, n):
    """Prefetch the first n of these rows of U."""
    for k in range(n):
        for d in range(0, vectors.outside.shape[1], FLOATS_PER_LINE):
            prefetch_row(vectors.outside, rows[k], d)


@fast_jit
def sgns_loss(vectors, outside, negatives, scratch):
    """J_neg-sample(h, o, U) of h in the first row of scratch: what `sgns_step` returns, without a step."""
    h = 0
    loss = np.float64(softplus(-row_dot(scratch, h, vectors.outside, outside)))
    for word in negatives:
        loss += softplus(row_dot(scratch, h, vectors.outside, word))
    return loss


def sgns_step(objective, vectors, outside, negatives, rates, scratch):
    """A step on rows of U by J_neg-sample(h, o, U); returns J before it.

    J = −log σ(u_oᵀh) − Σ_k log σ(−u_kᵀh). Changes rows `outside` and `negatives`, one after the other, so a
    word drawn twice counts twice (Mikolov et al. 2013, equation 4).

    scratch  float32 (3, padded_dim): h, the sum of its steps, and zeros, by which frozen rows are stepped: a
             branch in the loop took a tenth more time
    """
    h, grad_h, zeros = 0, 1, 2
    learning_rate = max(rates[0], rates[1])
    if learning_rate == ZERO:
        return sgns_loss(vectors, outside, negatives, scratch)
    moved = h if rates[1] > ZERO else zeros
    score = row_dot(scratch, h, vectors.outside, outside)
    loss = np.float64(softplus(-score))
    step = -learning_rate * (sigmoid(score) - ONE)
    push_row(vectors.outside, outside, step, scratch, moved, scratch, grad_h)
    for word in negatives:
        score = row_dot(scratch, h, vectors.outside, word)
        loss += softplus(score)
        step = -learning_rate * sigmoid(score)
        push_row(vectors.outside, word, step, scratch, moved, scratch, grad_h)
    return loss


def hierarchical_step(objective, vectors, outside, nodes, rates, scratch):
    """The same by J_hierarchical, on the nodes of the path, in its order: no node is met twice."""
    h, grad_h, zeros = 0, 1, 2
    first = objective.offsets[outside]
    learning_rate = max(rates[0], rates[1])
    moved = h if rates[1] > ZERO else zeros
    loss = np.float64(0.0)
    for k in range(len(nodes)):
        sign = ONE - np.float32(2.0) * np.float32(objective.codes[first + k])
        score = sign * row_dot(scratch, h, vectors.outside, nodes[k])
        loss += softplus(-score)
        if learning_rate > ZERO:
            step = learning_rate * sign * sigmoid(-score)
            push_row(vectors.outside, nodes[k], step, scratch, moved, scratch, grad_h)
    return loss


# (objective, vectors, outside, rows, rates, scratch)
step_outputs = by_type({NegativeSampling: sgns_step, HierarchicalSoftmax: hierarchical_step})
