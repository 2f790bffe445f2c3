"""What the loss of a case is: its draws, its value, and its step on rows of U.

Chosen at compile time by the type of the plan's objective. The twin is `fastw2v.reference.objectives`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.copies import row_of
from fastw2v.kernels.intrinsics import prefetch_row
from fastw2v.kernels.jit import by_type, fast_jit, inner_jit, jit
from fastw2v.kernels.scalar import FAR, GAMMA, LOW_32, SHIFT_32, mix64, sigmoid, softplus
from fastw2v.kernels.tiles.rows import push_row, row_dot
from fastw2v.kernels.tiles.several import pull_several, score_several
from fastw2v.kernels.units import aligned_rows, whole_lines
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import HierarchicalSoftmax, NegativeSampling

ONE, TWO, ZERO = np.float32(1.0), np.float32(2.0), np.float32(0.0)
# Where several workers step the first nodes of a tree at every case, each waits for the others' stores: two
# of CBOW's made 728,000 words/s, as many as one, and 1,063,000 with rows of their own (Cascade Lake). Of so
# many cases in all a worker may not know: of more at once steps of .1 could carry a row too far.
TOP_NODES, UNKNOWN_CASES = 16, 32


class Path(NamedTuple):
    """The path of an output word; beyond `nodes` there is room for whole lines.

    nodes   int64 (n,), inner nodes, rows of U, from the root down
    signs   float32, 1 − 2·code, which branch leads on
    scores  float32, sign · u_nᵀh
    pulls   float32, the step of h along each row of U
    steps   float32, that of each row of U along h
    own     float32 (n_top, padded_dim), this worker's rows of the first nodes, which paths begin with
    base    float32 (n_top, padded_dim), what these were when they were last merged with U
    cases   int64 (2,), how many since then, and at most
    """

    nodes: NDArray[np.int64]
    signs: NDArray[np.float32]
    scores: NDArray[np.float32]
    pulls: NDArray[np.float32]
    steps: NDArray[np.float32]
    own: NDArray[np.float32]
    base: NDArray[np.float32]
    cases: NDArray[np.int64]


@jit
def draw_noise(unigram_table, bits):
    """One word from 64 random bits: the high half picks a slot, the low half the slot's word or its alias."""
    slot = np.int64(((bits >> SHIFT_32) * np.uint64(unigram_table.shape[0])) >> SHIFT_32)
    entry = unigram_table[slot]
    return slot if (bits & LOW_32) <= (entry >> SHIFT_32) else np.int64(entry & LOW_32)


@inner_jit
def draw_shared(objective, draws, count, noise):
    """Rows of `count` noise words, for a block to share, into noise; -1 where these fill up its last tile."""
    for s in range(len(noise)):
        noise[s] = -1
    for s in range(count):
        draws += GAMMA
        noise[s] = row_of(objective.copies, draw_noise(objective.unigram_table, mix64(draws)))
    return draws


@fast_jit
def draw_negatives(objective, draws, outside, negatives):
    """Draw K noise words into negatives; one equal to the outside word is not a negative (o ∉ {w_k}).

    It is left out, not drawn again, so this ends for any vocabulary. Returns (draws, number of negatives).
    """
    n = 0
    for _ in range(objective.n_negatives):
        draws += GAMMA
        word = row_of(objective.copies, draw_noise(objective.unigram_table, mix64(draws)))
        if word != outside:
            negatives[n] = word
            n += 1
    return draws, n


@fast_jit
def path_of(objective, draws, outside, room):
    """The inner nodes on the way from the root to the outside word; nothing is drawn."""
    start, stop = objective.offsets[outside], objective.offsets[outside + 1]
    for k in range(stop - start):
        room.nodes[k] = objective.nodes[start + k]
        room.signs[k] = ONE - TWO * np.float32(objective.codes[start + k])
    nodes, own = room.nodes[: stop - start], room.own
    return draws, Path(nodes, room.signs, room.scores, room.pulls, room.steps, own, room.base, room.cases)


@inner_jit
def ask_for(vectors, rows):
    """Prefetch these rows of U."""
    for row in rows:
        for d in range(0, vectors.outside.shape[1], FLOATS_PER_LINE):
            prefetch_row(vectors.outside, row, d)


def _room_for_negatives(objective, vectors, n_workers):
    return np.empty(objective.n_negatives, np.int64)


def _room_for_path(objective, vectors, n_workers):
    n, (n_words, dim) = whole_lines(objective.longest), vectors.outside.shape
    most = UNKNOWN_CASES // n_workers
    n_top = min(TOP_NODES, n_words) if n_workers > 1 and most > 1 else 0
    zeros, own, base = np.zeros(n, np.float32), aligned_rows(n_top, dim), aligned_rows(n_top, dim)
    cases = np.array([0, most])
    room = Path(np.zeros(n, np.int64), zeros, zeros.copy(), zeros.copy(), zeros.copy(), own, base, cases)
    merge_top(vectors, room)
    return room


def _find_negatives(objective, vectors, draws, outside, room):
    draws, n = draw_negatives(objective, draws, outside, room)
    ask_for(vectors, room[:n])
    return draws, room[:n]


def _find_path(objective, vectors, draws, outside, room):
    return path_of(objective, draws, outside, room)


# (objective, vectors, n_workers): room for what `find_rows` finds.
new_room = by_type({NegativeSampling: _room_for_negatives, HierarchicalSoftmax: _room_for_path})
# (objective, vectors, draws, outside, room): rows of U that the loss of output word o is made of, beside its
# own: noise words, prefetched, or inner nodes, which mostly are at hand: of a vocabulary of 70,000 to ask for
# them took 5 % of the time. Returns (draws, these).
find_rows = by_type({NegativeSampling: _find_negatives, HierarchicalSoftmax: _find_path})


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


@fast_jit
def merge_top(vectors, path):
    """Add how the worker's own rows moved to those of U, and go on from there."""
    own, base, outside = path.own, path.base, vectors.outside
    for node in range(own.shape[0]):
        for d in range(own.shape[1]):
            row = outside[node, d] + (own[node, d] - base[node, d])
            outside[node, d], own[node, d], base[node, d] = row, row, row
    path.cases[0] = 0


def hierarchical_step(objective, vectors, outside, path, rates, scratch):
    """The same by J_hierarchical, on the nodes of the path; none is met twice, so all are scored at once."""
    h, grad_h, n, top = 0, 1, len(path.nodes), 0
    scores, signs, learning_rate = path.scores, path.signs, max(rates[0], rates[1])
    while top < n and path.nodes[top] < path.own.shape[0]:
        top += 1
    score_several(scores, scratch, h, path.own, path.nodes, top)
    score_several(scores[top:], scratch, h, vectors.outside, path.nodes[top:], n - top)
    for k in range(n):
        scores[k] *= signs[k]
    for k in range(n, whole_lines(n)):
        scores[k] = FAR
    loss = ZERO
    # A remainder would be done one by one. With a second array in the loop, where both are in memory decided
    # whether vectors do it, whose sum is rounded otherwise.
    for k in range(whole_lines(n)):
        score = scores[k]
        loss += softplus(-score)
        scores[k] = sigmoid(-score)
    for k in range(n):
        error = signs[k] * scores[k]
        path.pulls[k] = learning_rate * error
        path.steps[k] = rates[1] * error
    if learning_rate > ZERO:
        nodes, pulls, steps = path.nodes[top:], path.pulls[top:], path.steps[top:]
        pull_several(scratch, grad_h, path.pulls, path.own, path.nodes, path.steps, scratch, top)
        pull_several(scratch, grad_h, pulls, vectors.outside, nodes, steps, scratch, n - top)
        path.cases[0] += 1
        if path.cases[0] == path.cases[1]:
            merge_top(vectors, path)
    return np.float64(loss)


# (objective, vectors, outside, rows, rates, scratch)
step_outputs = by_type({NegativeSampling: sgns_step, HierarchicalSoftmax: hierarchical_step})


def _nothing_kept(objective, vectors, room):
    pass


def _merge_kept(objective, vectors, room):
    merge_top(vectors, room)


# (objective, vectors, room): let the matrices have all that was trained.
give_back = by_type({NegativeSampling: _nothing_kept, HierarchicalSoftmax: _merge_kept})
