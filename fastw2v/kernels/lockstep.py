"""Kernel `block` with the same result at any number of threads: several units advance in lockstep.

A group of units, one a lane, trains at once. In a round every lane scores its next block against the same
parameters; then all workers step the rows of all blocks in the order of the lanes, each its own columns.
No sum depends on who computed what, so the bytes do not depend on the number of workers.

The NumPy twin is `fastw2v.reference.lockstep.train_group`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.block.noise import draw_block_noise
from fastw2v.kernels.block.scratch import Scratch, new_scratch, scratch_of
from fastw2v.kernels.block.step import score_block, update_block
from fastw2v.kernels.block.updates import add_moves, clear_moves, set_steps
from fastw2v.kernels.block.windows import look_ahead, prefetch
from fastw2v.kernels.intrinsics import atomic_add, atomic_load, borrowed, yield_core
from fastw2v.kernels.jit import fast_jit, inner_jit, jit, level_jit
from fastw2v.kernels.units import Kept, keep_unit, new_kept, noise_state_of, rates_at
from fastw2v.model.arrays import FLOATS_PER_LINE, UNIT

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
def new_lanes(n_words, dim, window, estimator):
    """Lanes for units of a window and an estimator."""
    n = estimator.lanes
    scratch = new_scratch(n, n_words, dim, estimator, window.reach, None)
    size = len(new_kept(window).ids)
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
def start_unit(tokens, sampler, schedule, window, estimator, lanes, lane, unit, n_units):
    """Keep the tokens of the lane's unit and draw its first noise; nothing where there is no such unit."""
    if unit >= n_units:
        lanes.spans[lane], lanes.n_blocks[lane] = 0, 0
        return
    begin, end, size = keep_unit(tokens, sampler, schedule.epoch_key, window, unit, kept_of(lanes.kept, lane))
    lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2] = begin, end, size
    lanes.n_blocks[lane] = -(-(end - begin) // estimator.block_size)
    state = noise_state_of(schedule.epoch_key, unit)
    lanes.states[lane] = draw_block_noise(
        sampler.unigram_table, state, estimator.shared_negatives, lanes.noise[lane]
    )


@level_jit
def score_lane(vectors, sampler, window, estimator, lanes, lane):
    """Score the lane's next block; returns (loss, pairs, centres)."""
    start, end, size = lanes.spans[lane, 0], lanes.spans[lane, 1], lanes.spans[lane, 2]
    stop = min(start + estimator.block_size, end)
    lanes.spans[lane, 0] = stop
    lanes.blocks[lane, 0], lanes.blocks[lane, 1] = stop - start, 0
    if stop == start:
        return 0.0, 0, 0
    kept, scratch, noise = kept_of(lanes.kept, lane), scratch_of(lanes.scratch, lane), lanes.noise[lane]
    scratch.outside.words[: len(noise)] = noise
    lanes.states[lane] = draw_block_noise(
        sampler.unigram_table, lanes.states[lane], estimator.shared_negatives, noise
    )
    next_stop = min(stop + estimator.block_size, end)
    contexts = (min(stop + window.reach, size), min(next_stop + window.reach, size))
    look_ahead(kept, (stop, next_stop), contexts, noise, scratch.ahead)
    weight = np.float32(estimator.n_negatives / estimator.shared_negatives)
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
def train_round(vectors, sampler, window, estimator, lanes, rates, totals, worker, n_workers):
    """One block of every lane: all workers' scores, then steps, then updates."""
    n_lanes, scratch = len(lanes.spans), lanes.scratch
    for lane in range(worker, n_lanes, n_workers):
        loss, n_pairs, n_kept = score_lane(vectors, sampler, window, estimator, lanes, lane)
        totals[worker, 0] += loss
        totals[worker, 1] += n_pairs
        totals[worker, 2] += n_kept
    meet(lanes, n_workers)
    n_centers, n_outside = lanes.blocks[:, 0], lanes.blocks[:, 1]
    if worker == 0:
        limit_lanes(scratch.center_moves, scratch.centers, n_centers, rates[0])
    if worker == n_workers - 1:
        limit_lanes(scratch.outside_moves, scratch.outside, n_outside, rates[1])
    meet(lanes, n_workers)
    n_lines = vectors.center.shape[1] // FLOATS_PER_LINE
    first, last = worker * n_lines // n_workers, (worker + 1) * n_lines // n_workers
    columns = (first * FLOATS_PER_LINE, last * FLOATS_PER_LINE)
    for lane in range(n_lanes):
        if n_centers[lane] > 0 and first < last:
            update_block(vectors, scratch_of(scratch, lane), n_centers[lane], n_outside[lane], columns)
    meet(lanes, n_workers)


@fast_jit
def train_units(
    vectors, tokens, sampler, schedule, window, estimator, shared_lanes, units, totals, worker, n_workers
):
    """One worker's part of the units first ≤ u < end, in groups of LANES; every worker has to be there.

    units   (first, end)
    totals  float64 (n_workers, 8): the worker adds its loss, pairs and kept words to columns 0, 1, 2
    """
    lanes = borrowed(shared_lanes)
    n_lanes = len(lanes.spans)
    for first in range(units[0], units[1], n_lanes):
        for lane in range(worker, n_lanes, n_workers):
            start_unit(tokens, sampler, schedule, window, estimator, lanes, lane, first + lane, units[1])
        meet(lanes, n_workers)
        rates = rates_at(schedule, first * UNIT)
        for _ in range(lanes.n_blocks.max()):
            train_round(vectors, sampler, window, estimator, lanes, rates, totals, worker, n_workers)
