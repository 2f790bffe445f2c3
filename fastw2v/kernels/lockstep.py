"""Kernel `block` with the same result at any number of threads: several units advance in lockstep.

A group of units, one a lane, trains at once. In a round every lane scores its next block against the same
parameters; then all workers step the rows of all blocks in the order of the lanes, each its own columns.
No sum depends on who computed what, so the bytes do not depend on the number of workers.

The NumPy twin is `fastw2v.reference.lockstep`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.block.scratch import ZERO, Ahead, Operands, Scratch, Side, new_scratch
from fastw2v.kernels.block.step import draw_ahead, score_block, update_block
from fastw2v.kernels.block.updates import add_moves, clear_moves, set_steps
from fastw2v.kernels.block.windows import prefetch
from fastw2v.kernels.intrinsics import atomic_add, atomic_load, borrowed, yield_core
from fastw2v.kernels.jit import fast_jit, inner_jit, jit, level_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.units import Kept, keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import FLOATS_PER_LINE, KEPT, LOSS, PAIRS, UNIT

PATIENCE = 2_000  # looks at the others, some microseconds, before the core is offered to another thread


class Lanes(NamedTuple):
    """What the workers share; the first axis of every array but `arrived` and `meetings` is the lanes.

    scratch   Scratch, stacked
    kept      Kept, stacked: the kept tokens of each lane's unit
    spans     int64 (LANES, 3), where in them the next block begins, the unit's centres end, the tokens end
    n_blocks  int64 (LANES,), blocks of each lane's unit
    blocks    int64 (LANES, 2), centres and outside rows of the block at hand, 0 when the unit is done
    noise     int64 (LANES, n_noise), draws of the next block
    states    uint64 (LANES,), noise streams
    arrived, meetings  int64 (8,), workers at the present meeting, and meetings so far; a cache line each
    """

    scratch: Scratch
    kept: Kept
    spans: NDArray[np.int64]
    n_blocks: NDArray[np.int64]
    blocks: NDArray[np.int64]
    noise: NDArray[np.int64]
    states: NDArray[np.uint64]
    arrived: NDArray[np.int64]
    meetings: NDArray[np.int64]


@jit
def new_lanes(vectors, plan):
    """Lanes for units of a plan."""
    n = plan.estimator.lanes
    scratch = new_scratch(vectors, plan, (n,), None)
    size = len(new_kept(plan.architecture).ids)
    kept = Kept(np.empty((n, size), np.int32), np.empty((n, size), np.int32), np.empty((n, size), np.int32))
    return Lanes(
        scratch,
        kept,
        np.zeros((n, 3), np.int64),
        np.zeros(n, np.int64),
        np.zeros((n, 2), np.int64),
        np.zeros((n, scratch.weights.shape[2]), np.int64),
        np.zeros(n, np.uint64),
        np.zeros(8, np.int64),
        np.zeros(8, np.int64),
    )


@inner_jit
def kept_of(kept, lane):
    """The kept tokens of one lane."""
    return Kept(kept.ids[lane], kept.first[lane], kept.radius[lane])


@inner_jit
def side_of(side, lane):
    """The side of one lane."""
    return Side(side.words[lane], side.rows[lane], side.norms[lane], side.moves[lane], side.steps[lane])


@inner_jit
def operands_of(operands, lane):
    """The operands of one lane."""
    return Operands(
        operands.noise_columns[lane],
        operands.centers_along[lane],
        operands.noise_along[lane],
        operands.centers_across[lane],
        operands.noise_across[lane],
        operands.errors_along[lane],
        operands.errors_across[lane],
    )


@inner_jit
def scratch_of(scratch, lane):
    """The scratch of one lane."""
    return Scratch(
        side_of(scratch.centers, lane),
        side_of(scratch.outside, lane),
        operands_of(scratch.operands, lane),
        scratch.errors[lane],
        scratch.pair_scores[lane],
        scratch.weights[lane],
        scratch.low[lane],
        scratch.high[lane],
        scratch.first[lane],
        scratch.last[lane],
        Ahead(scratch.ahead.rows[lane], scratch.ahead.cursor[lane]),
        scratch.center_moves,
        scratch.outside_moves,
        scratch.clock,
    )


@inner_jit
def meet(lanes, n_workers):
    """Wait until all workers are here."""
    meeting = atomic_load(lanes.meetings)
    if atomic_add(lanes.arrived, np.int64(1)) == n_workers - 1:
        lanes.arrived[0] = 0
        atomic_add(lanes.meetings, np.int64(1))
        return
    looks = 0
    while atomic_load(lanes.meetings) == meeting:
        looks += 1
        if looks > PATIENCE:
            yield_core()


@level_jit
def start_unit(tokens, plan, schedule, lanes, lane, unit, end_unit):
    """Keep the tokens of the lane's unit and draw its first noise; nothing where there is no such unit."""
    if unit >= end_unit:
        lanes.spans[lane], lanes.n_blocks[lane] = 0, 0
        return
    epoch_key, kept, estimator = schedule.epoch_key, kept_of(lanes.kept, lane), plan.estimator
    span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
    lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2] = span
    lanes.n_blocks[lane] = -(-(span[1] - span[0]) // estimator.block_size)
    lanes.states[lane] = draw_shared(
        plan.objective.unigram_table,
        noise_stream(epoch_key, unit),
        estimator.shared_negatives,
        lanes.noise[lane],
    )


@level_jit
def score_lane(vectors, plan, lanes, lane):
    """Score the lane's next block; returns (loss, pairs, centres)."""
    objective, estimator = plan.objective, plan.estimator
    start, end, size = lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2]
    stop = min(start + estimator.block_size, end)
    lanes.spans[lane, 0] = stop
    lanes.blocks[lane, 0], lanes.blocks[lane, 1] = stop - start, 0
    if stop == start:
        return 0.0, 0, 0
    kept, scratch, noise = kept_of(lanes.kept, lane), scratch_of(lanes.scratch, lane), lanes.noise[lane]
    span = (start, stop, end, size)
    lanes.states[lane] = draw_ahead(kept, span, plan, lanes.states[lane], noise, scratch)
    weight = np.float32(objective.n_negatives / estimator.shared_negatives)
    loss, n_pairs, n_outside = score_block(vectors, kept, (start, stop, size), weight, scratch)
    lanes.blocks[lane, 1] = n_outside
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss, n_pairs, stop - start


@inner_jit
def limit_lanes(word_moves, sides, sizes, learning_rate):
    """Steps of the rows of all lanes' blocks, as if they were one; sizes int64 (LANES,), rows of each."""
    for lane in range(len(sizes)):
        add_moves(word_moves, sides.words[lane], sides.moves[lane], sizes[lane])
    for lane in range(len(sizes)):
        set_steps(word_moves, sides.words[lane], sides.steps[lane], sizes[lane], learning_rate)
    for lane in range(len(sizes)):
        clear_moves(word_moves, sides.words[lane], sizes[lane])


@level_jit
def update_lanes(vectors, lanes, rates, work):
    """Steps of the rows of all lanes' blocks, then their updates, each worker its own columns."""
    scratch = lanes.scratch
    n_centers, n_outside = lanes.blocks[:, 0], lanes.blocks[:, 1]
    if work.worker == 0:
        limit_lanes(scratch.center_moves, scratch.centers, n_centers, rates[0])
    if work.worker == work.n_workers - 1:
        limit_lanes(scratch.outside_moves, scratch.outside, n_outside, rates[1])
    meet(lanes, work.n_workers)
    n_lines = vectors.center.shape[1] // FLOATS_PER_LINE
    first, last = work.worker * n_lines // work.n_workers, (work.worker + 1) * n_lines // work.n_workers
    columns = (first * FLOATS_PER_LINE, last * FLOATS_PER_LINE)
    for lane in range(len(n_centers)):
        if n_centers[lane] > 0 and first < last:
            update_block(vectors, scratch_of(scratch, lane), n_centers[lane], n_outside[lane], columns)


@level_jit
def train_round(vectors, plan, lanes, rates, work, totals):
    """One block of every lane: all workers' scores, then one step; none where both rates are 0."""
    for lane in range(work.worker, len(lanes.spans), work.n_workers):
        loss, n_pairs, n_kept = score_lane(vectors, plan, lanes, lane)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += n_kept
    meet(lanes, work.n_workers)
    if max(rates[0], rates[1]) > ZERO:
        update_lanes(vectors, lanes, rates, work)
        meet(lanes, work.n_workers)


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's part of the units of the queue, in groups of LANES; every worker has to be there."""
    lanes = borrowed(work.lanes)
    n_lanes, end = len(lanes.spans), work.queue[1]
    for first in range(work.queue[0], end, n_lanes):
        for lane in range(work.worker, n_lanes, work.n_workers):
            start_unit(tokens, plan, schedule, lanes, lane, first + lane, end)
        meet(lanes, work.n_workers)
        rates = rates_at(schedule, first * UNIT)
        for _ in range(lanes.n_blocks.max()):
            train_round(vectors, plan, lanes, rates, work, totals)
        meet(lanes, work.n_workers)  # before a new group changes n_blocks, which a late worker still reads
