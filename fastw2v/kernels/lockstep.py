"""Kernel `block` with the same result at any number of threads: several units advance in lockstep.

A group of units, one a lane, trains at once. In a round every lane trains its next block on copies of its
rows; then all workers add what has become of the rows of all blocks, in the order of the lanes, each its own
columns. No sum depends on who computed what, so the bytes do not depend on the number of workers.

The NumPy twin is `fastw2v.reference.lockstep`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.block.noise import forget, remember
from fastw2v.kernels.block.scratch import ONE, ZERO, Scratch, Seen, new_scratch
from fastw2v.kernels.block.step import step_block
from fastw2v.kernels.block.windows import list_centers
from fastw2v.kernels.intrinsics import borrowed, prefetch_row
from fastw2v.kernels.jit import fast_jit, inner_jit, jit, level_jit
from fastw2v.kernels.meetings import meet
from fastw2v.kernels.numbers import (
    input_rows,
    most_words,
    n_in_bags,
    new_lookup,
    number_rows,
    number_words,
)
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.tiles.rows import add_row, copy_row
from fastw2v.kernels.units import Kept, aligned_rows, keep_unit, new_kept, noise_stream, rates_at
from fastw2v.kernels.weights import rooms_for_weight, weight_in
from fastw2v.model.arrays import FLOATS_PER_LINE, KEPT, LOSS, PAIRS, UNIT, Vectors
from fastw2v.model.plan import Plan

AHEAD = 4  # rows that are on their way while one is copied


class Lanes(NamedTuple):
    """What the workers share; the first axis of every array but `arrived` and `meetings` is the lanes.

    kept      Kept, stacked: the kept tokens of each lane's unit
    order     int64 (LANES, UNIT), the centres of the unit as blocks take them
    spans     int64 (LANES, 3), where in the order the next block begins, where it ends, where the tokens end
    states    uint64 (LANES,), noise streams
    words     int64 (LANES, n), of the block at hand, those with rows of V first
    rows      int64 (LANES, m), rows of V that these are made of, where they are bags; m is 0 of whole words
    n_inputs, n_words  int64 (LANES,), how many rows of V there are, and words in all; 0 when the unit is done
    n_apart   int64 (LANES,), how many of these have no row of U: of given pairs, the centres
    center, outside    float32 (LANES, m or n, padded_dim), copies of these rows of V, and of rows of U of all
                       words but those apart, then how they moved
    seen     Seen, stacked: the rows of U that each lane's unit has drawn so far
    arrived, meetings  int64 (8,), workers at the present meeting, and meetings so far; a cache line each
    """

    kept: Kept
    order: NDArray[np.int64]
    spans: NDArray[np.int64]
    states: NDArray[np.uint64]
    words: NDArray[np.int64]
    rows: NDArray[np.int64]
    n_inputs: NDArray[np.int64]
    n_words: NDArray[np.int64]
    n_apart: NDArray[np.int64]
    center: NDArray[np.float32]
    outside: NDArray[np.float32]
    seen: Seen
    arrived: NDArray[np.int64]
    meetings: NDArray[np.int64]


class Desk(NamedTuple):
    """What a worker needs of its own.

    scratch  Scratch, whose lookup is of words and rows by these numbers
    numbers  int64 (n,), the number of each word, then of each row of V, among those of a block; -1 for none
    ids      int32, the kept tokens of a unit by these numbers, as far as the block reads them
    """

    scratch: Scratch
    numbers: NDArray[np.int64]
    ids: NDArray[np.int32]


@jit
def new_lanes(vectors, plan, weights):
    """Lanes for units of a plan; weights are those of sentences, or None."""
    estimator, n = plan.estimator, plan.estimator.lanes
    dim, room = vectors.center.shape[1], new_kept(plan.architecture, None)
    size = len(room.ids)
    n_windows, n_read = most_words(plan.architecture, estimator.block_size, size)
    n_words, n_rows = n_windows + estimator.shared_negatives, n_in_bags(plan.inputs, n_read)
    n_copies = n_rows if n_rows else n_read
    return Lanes(
        Kept(
            np.empty((n, size), np.int32),
            np.empty((n, size), np.int32),
            np.empty((n, size), np.int32),
            room.side,
            room.weighted,
            rooms_for_weight(weights, n, size),
            None,
        ),
        np.zeros((n, UNIT), np.int64),
        np.zeros((n, 3), np.int64),
        np.zeros(n, np.uint64),
        np.zeros((n, n_words), np.int64),
        np.zeros((n, n_rows), np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        aligned_rows(n * n_copies, dim).reshape((n, n_copies, dim)),
        aligned_rows(n * n_words, dim).reshape((n, n_words, dim)),
        Seen(aligned_rows(n, dim).reshape((n, 1, dim)), np.zeros((n, 1), np.int64)),
        np.zeros(8, np.int64),
        np.zeros(8, np.int64),
    )


@inner_jit
def new_desk(vectors, plan, lanes):
    """A worker's own scratch, with room for the words and rows of one lane's block."""
    size = len(new_kept(plan.architecture, None).ids)
    numbers = np.full(max(vectors.center.shape[0], vectors.outside.shape[0]), -1)
    lookup = new_lookup(plan.inputs, lanes.words.shape[1], lanes.rows.shape[1])
    numbered = Plan(plan.architecture, lookup, plan.objective, plan.estimator)
    return Desk(new_scratch(vectors, numbered, None), numbers, np.zeros(size, np.int32))


@inner_jit
def kept_of(kept, lane):
    """The kept tokens of one lane."""
    weight = weight_in(kept.weight, lane)
    return Kept(kept.ids[lane], kept.first[lane], kept.radius[lane], kept.side, kept.weighted, weight, None)


@inner_jit
def seen_of(seen, lane):
    """The rows that one lane's unit has drawn."""
    return Seen(seen.total[lane], seen.n_rows[lane])


@level_jit
def start_unit(tokens, plan, schedule, lanes, lane, unit, end_unit):
    """Keep the tokens of the lane's unit; none where there is no such unit."""
    if unit >= end_unit:
        lanes.spans[lane] = 0
        return
    kept = kept_of(lanes.kept, lane)
    begin, end, size = keep_unit(tokens, plan.architecture, schedule.epoch_key, unit, kept)
    n_centers = list_centers(plan.architecture, kept, begin, end, lanes.order[lane])
    forget(seen_of(lanes.seen, lane))
    lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2] = 0, n_centers, size
    lanes.states[lane] = noise_stream(schedule.epoch_key, unit)


@inner_jit
def take_rows(copies, matrix, rows, n):
    """Copy the first n of these rows, each asked for some before it is needed."""
    for r in range(-AHEAD, n):
        if r + AHEAD < n:
            for d in range(0, matrix.shape[1], FLOATS_PER_LINE):
                prefetch_row(matrix, rows[r + AHEAD], d)
        if r >= 0:
            copy_row(copies, r, matrix, rows[r])


@inner_jit
def keep_moves(copies, matrix, rows, n):
    """Put how the first n rows moved in the place of the copies."""
    for r in range(n):
        add_row(copies, r, -ONE, matrix, rows[r])


@level_jit
def train_lane(vectors, plan, lanes, lane, rates, desk):
    """Train the lane's next block on copies of its rows, numbered anew; returns (loss, pairs, centres)."""
    objective, estimator = plan.objective, plan.estimator
    start, end, size = lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2]
    stop = min(start + estimator.block_size, end)
    lanes.spans[lane, 0], lanes.n_inputs[lane], lanes.n_words[lane] = stop, 0, 0
    if stop == start:
        return 0.0, 0, 0
    kept, centers, noise = kept_of(lanes.kept, lane), lanes.order[lane, start:stop], desk.scratch.noise.words
    count = estimator.shared_negatives
    lanes.states[lane] = draw_shared(objective, lanes.states[lane], count, noise)
    words, rows = lanes.words[lane], input_rows(plan.inputs, lanes, lane)
    n_read, n_words, n_apart = number_words(plan.architecture, kept, centers, size, noise, words, desk)
    n_rows = number_rows(plan.inputs, words, n_read, rows, desk)
    others, n_others = words[n_apart:], n_words - n_apart
    copies = Vectors(lanes.center[lane], lanes.outside[lane])
    take_rows(copies.center, vectors.center, rows, n_rows)
    take_rows(copies.outside, vectors.outside, others, n_others)
    local = Kept(desk.ids, kept.first, kept.radius, kept.side, kept.weighted, kept.weight, None)
    seen = seen_of(lanes.seen, lane)
    loss, n_pairs = step_block(plan.architecture, copies, local, centers, size, rates, desk.scratch, seen)
    if estimator.control:
        remember(seen, desk.scratch.noise, count)
    keep_moves(copies.center, vectors.center, rows, n_rows)
    keep_moves(copies.outside, vectors.outside, others, n_others)
    lanes.n_inputs[lane], lanes.n_words[lane], lanes.n_apart[lane] = n_rows, n_words, n_apart
    return loss, n_pairs, stop - start


@inner_jit
def add_moves(vectors, lookup, lanes, columns):
    """Add how the rows of all lanes' blocks moved, the columns (start, stop) of them."""
    for lane in range(len(lanes.n_words)):
        rows = input_rows(lookup, lanes, lane)
        for r in range(lanes.n_inputs[lane]):
            row, moved = vectors.center[rows[r]], lanes.center[lane, r]
            for d in range(columns[0], columns[1]):
                row[d] += moved[d]
        n_apart = lanes.n_apart[lane]
        for w in range(lanes.n_words[lane] - n_apart):
            row, moved = vectors.outside[lanes.words[lane, n_apart + w]], lanes.outside[lane, w]
            for d in range(columns[0], columns[1]):
                row[d] += moved[d]


@level_jit
def train_round(vectors, plan, lanes, rates, work, totals, desk):
    """One block of every lane, all from the same vectors; then each worker adds its columns of what moved."""
    for lane in range(work.worker, len(lanes.spans), work.n_workers):
        loss, n_pairs, n_kept = train_lane(vectors, plan, lanes, lane, rates, desk)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += n_kept
    meet(lanes, work.n_workers)
    if max(rates[0], rates[1]) > ZERO:
        n_lines = vectors.center.shape[1] // FLOATS_PER_LINE
        first, last = work.worker * n_lines // work.n_workers, (work.worker + 1) * n_lines // work.n_workers
        add_moves(vectors, plan.inputs, lanes, (first * FLOATS_PER_LINE, last * FLOATS_PER_LINE))
        meet(lanes, work.n_workers)


@inner_jit
def count_rounds(lanes, block_size):
    """The blocks of the longest of the lanes' units."""
    return -(-(lanes.spans[:, 1] - lanes.spans[:, 0]).max() // block_size)


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's part of the units of the queue, in groups of LANES; every worker has to be there."""
    lanes = borrowed(work.lanes)
    desk = new_desk(vectors, plan, lanes)
    n_lanes, end = len(lanes.spans), work.queue[1]
    for first in range(work.queue[0], end, n_lanes):
        for lane in range(work.worker, n_lanes, work.n_workers):
            start_unit(tokens, plan, schedule, lanes, lane, first + lane, end)
        meet(lanes, work.n_workers)
        n_rounds = count_rounds(lanes, plan.estimator.block_size)
        meet(
            lanes, work.n_workers
        )  # before the first block changes the spans, which a late worker still reads
        rates = rates_at(schedule, first * UNIT)
        for _ in range(n_rounds):
            train_round(vectors, plan, lanes, rates, work, totals, desk)
