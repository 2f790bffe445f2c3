"""Kernel `paths`: the hierarchical softmax of neighbouring centres' windows, each node of their paths once.

A node of the tree is on the paths of many words of a window, the root on all. Met pair by pair, its row is
written for each of them, and two workers that do so wait for one another's stores at the root: on 4 M words
two threads made 150,000 words/s together. Here a node's row is loaded twice and stored once for all pairs of
four neighbouring centres, and its score with a centre is taken once. The steps are those of one centre after
the other, as of `fastw2v.kernels.block.pairs`, which words are pairs there and nodes here. The NumPy twin,
to be read first, is `fastw2v.reference.paths`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.block.pairs import four_from, list_words, relate, score_words, words_at
from fastw2v.kernels.block.scratch import Window, new_window, window_of_lines
from fastw2v.kernels.block.windows import count_neighbours, list_centers
from fastw2v.kernels.intrinsics import atomic_add, borrowed
from fastw2v.kernels.jit import fast_jit, inlined_jit, inner_jit, level_jit
from fastw2v.kernels.tiles.errors import pair_errors
from fastw2v.kernels.tiles.rows import row_dot
from fastw2v.kernels.tiles.windows import step_rows
from fastw2v.kernels.units import aligned_rows, keep_unit, new_kept, rates_at, whole_lines
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import LARGEST_MOVE, RUN

ZERO = np.float32(0.0)
SMALLEST = np.float32(1e-30)  # squared length: no step is held back for shorter rows
PLACE_BITS = 24  # of a table's entry, below the turn


class Scratch(NamedTuple):
    """What a worker needs.

    window  Window, the words around RUN neighbouring centres
    nodes   Window, the nodes on the paths of these words
    sums    float32 (n, 2·RUN), shares and against of a node side by side, before they are in lines
    turns   int64 (n_words,), of each node of the tree, when it was met last and its place then
    turn    int64 (1,), windows so far
    order   int64 (UNIT,), the centres of a unit as they are taken
    """

    window: Window
    nodes: Window
    sums: NDArray[np.float32]
    turns: NDArray[np.int64]
    turn: NDArray[np.int64]
    order: NDArray[np.int64]


@inner_jit
def new_scratch(plan, n_words):
    """Scratch for the paths of RUN neighbouring centres' windows, in a vocabulary of n_words."""
    reach, longest = plan.architecture.reach, plan.objective.longest
    n = whole_lines(min((2 * reach + RUN) * longest, n_words))
    return Scratch(
        new_window(reach),
        window_of_lines(n, aligned_rows(1, n * RUN)[0], np.zeros(RUN, np.float32)),
        aligned_rows(n, 2 * RUN),
        np.zeros(n_words, np.int64),
        np.zeros(1, np.int64),
        np.zeros(UNIT, np.int64),
    )


@inlined_jit
def list_nodes(objective, n_words, scratch):
    """List the nodes on the paths of the window's words, and what they count in sums; returns how many."""
    window, nodes, sums, turns = scratch.window, scratch.nodes, scratch.sums, scratch.turns
    width, n, shares = whole_lines(n_words), 0, window.shares
    scratch.turn[0] += 1
    turn = scratch.turn[0] << PLACE_BITS
    for p in range(n_words):
        first, second, third, fourth = (
            shares[p],
            shares[width + p],
            shares[2 * width + p],
            shares[3 * width + p],
        )
        if first + second + third + fourth == ZERO:
            continue
        word = window.words[p]
        for step in range(objective.offsets[word], objective.offsets[word + 1]):
            node = objective.nodes[step]
            place = turns[node] - turn
            if place < 0:
                turns[node], place = turn + n, n
                nodes.words[n] = node
                for c in range(2 * RUN):
                    sums[n, c] = ZERO
                n += 1
            code = np.float32(objective.codes[step])
            sums[place, 0] += first
            sums[place, 1] += second
            sums[place, 2] += third
            sums[place, 3] += fourth
            sums[place, 4] += code * first
            sums[place, 5] += code * second
            sums[place, 6] += code * third
            sums[place, 7] += code * fourth
    return n


@inlined_jit
def in_lines(sums, nodes, n, width):
    """Put what nodes count in lines, those of a centre together; zeros beyond the last node."""
    for c in range(RUN):
        for q in range(n):
            nodes.shares[c * width + q] = sums[q, c]
            nodes.against[c * width + q] = sums[q, RUN + c]
        for q in range(n, width):
            nodes.shares[c * width + q] = ZERO
            nodes.against[c * width + q] = ZERO


@inlined_jit
def hold_back(center, rows, most):
    """How long a step along each of four rows may be: none moves the row's score by over LARGEST_MOVE."""
    first, second, third, fourth = rows
    most[0] = LARGEST_MOVE / max(row_dot(center, first, center, first), SMALLEST)
    most[1] = LARGEST_MOVE / max(row_dot(center, second, center, second), SMALLEST)
    most[2] = LARGEST_MOVE / max(row_dot(center, third, center, third), SMALLEST)
    most[3] = LARGEST_MOVE / max(row_dot(center, fourth, center, fourth), SMALLEST)


@level_jit
def train_unit(vectors, kept, span, plan, rates, scratch):
    """All paths of one unit, those of neighbours at once; returns (loss, pairs)."""
    begin, end, size = span
    center, outside, window, nodes = vectors.center, vectors.outside, scratch.window, scratch.nodes
    centers = scratch.order[: list_centers(plan.architecture, kept, begin, end, scratch.order)]
    nodes.word_steps[:] = rates[1]
    pulls = (rates[0], rates[0], rates[0], rates[0])
    loss, n_pairs, first = 0.0, 0.0, 0
    while first < len(centers):
        n_centers, i = count_neighbours(kept, centers, first), centers[first]
        n_words, mass = list_words(kept, i, n_centers, size, window)
        n = list_nodes(plan.objective, n_words, scratch)
        width = whole_lines(n)
        in_lines(scratch.sums, nodes, n, width)
        rows = words_at(kept, four_from(i, i + n_centers - 1))
        score_words(outside, center, rows, nodes, n, width)
        relate(center, rows, nodes.products)
        hold_back(center, rows, nodes.most)
        loss += pair_errors(nodes, width, pulls)
        if rates[0] > ZERO or rates[1] > ZERO:
            step_rows(center, center, rows, outside, (n, width), (nodes.words, nodes.pulls, nodes.steps))
        n_pairs += mass
        first += n_centers
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept, scratch = new_kept(plan.architecture, tokens.weights), new_scratch(plan, vectors.outside.shape[0])
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        rates = rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates, scratch)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
