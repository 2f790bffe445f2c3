"""Kernel `block`: T consecutive centres share S weighted noise draws, so the work is small dense products.

    loss(block) = Σ_i [ Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i) ],
    w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

has the expectation of the textbook loss (K negatives a pair). Rows are gathered to scratch of the worker's
own, gradients taken there at the parameters of the block's start, and added back once. Read
`fastw2v.reference.block` first, then `fastw2v.kernels.block.plain`, which is the same in plain loops: the
names here are theirs, the products are made in tiles, and rows are asked for before they are needed.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.noise import noise_errors, score_noise, weigh_noise
from fastw2v.kernels.block.pairs import pair_errors, pair_moves, score_pairs
from fastw2v.kernels.block.scratch import (
    ERRORS,
    GATHER,
    NOISE_SCORES,
    PAIR_SCORES,
    STEPS,
    UPDATE_CENTERS,
    UPDATE_CONTEXTS,
    UPDATE_NOISE,
    WEIGHTS,
    WINDOWS,
    ZERO,
    new_scratch,
)
from fastw2v.kernels.block.updates import limit_steps, update_centers, update_contexts, update_noise
from fastw2v.kernels.block.windows import find_pairs, gather, look_ahead, prefetch
from fastw2v.kernels.intrinsics import atomic_add, borrowed, tick
from fastw2v.kernels.jit import fast_jit, level_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.tiles.products import UPDATE_ROWS
from fastw2v.kernels.units import keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT


@level_jit
def score_block(vectors, kept, span, weight, scratch):
    """Gather rows of the centres kept[start:stop] and of outside.words[:S]; errors and moves of their scores.

    Returns (loss, pairs, outside rows).
    """
    start, stop, _ = span
    n_centers, n_noise = stop - start, scratch.weights.shape[1]
    centers, outside = scratch.centers, scratch.outside
    lo, hi = find_pairs(kept, span, scratch)
    n_outside, middle = n_noise + hi - lo, n_noise + start - lo
    for i in range(n_centers):
        centers.words[i] = kept.ids[start + i]
    for i in range(n_centers, len(centers.words)):
        centers.words[i] = -1
    for j in range(hi - lo):
        outside.words[n_noise + j] = kept.ids[lo + j]
    for j in range(n_outside, n_outside + UPDATE_ROWS):
        outside.words[j] = -1
    tick(scratch.clock, WINDOWS)
    gather(vectors.center, centers, n_centers)
    gather(vectors.outside, outside, n_outside)
    tick(scratch.clock, GATHER)

    n_pairs = weigh_noise(scratch, n_centers, n_outside, middle, weight)
    tick(scratch.clock, WEIGHTS)
    score_noise(vectors, scratch, n_centers)
    tick(scratch.clock, NOISE_SCORES)
    score_pairs(vectors, scratch, n_centers, middle)
    tick(scratch.clock, PAIR_SCORES)
    loss = noise_errors(scratch, n_centers) + pair_errors(scratch, n_centers, middle)
    tick(scratch.clock, ERRORS)
    pair_moves(scratch, n_centers)
    return loss, n_pairs, n_outside


@level_jit
def update_block(vectors, scratch, n_centers, n_outside, columns):
    """Step the columns (start, stop) of all rows of a scored block."""
    update_centers(vectors, scratch, n_centers, columns)
    tick(scratch.clock, UPDATE_CENTERS)
    update_noise(vectors, scratch, n_centers, columns)
    tick(scratch.clock, UPDATE_NOISE)
    update_contexts(vectors, scratch, n_outside, columns)
    tick(scratch.clock, UPDATE_CONTEXTS)


@level_jit
def block_step(vectors, kept, span, rates, weight, scratch):
    """One step on the centres kept[start:stop] with outside.words[:S]; returns (loss, pairs).

    rates  learning rates of rows of V and of U; where both are 0 only the loss is taken
    """
    n_centers = span[1] - span[0]
    loss, n_pairs, n_outside = score_block(vectors, kept, span, weight, scratch)
    if max(rates[0], rates[1]) > ZERO:
        limit_steps(scratch.center_moves, scratch.centers, n_centers, rates[0])
        limit_steps(scratch.outside_moves, scratch.outside, n_outside, rates[1])
        tick(scratch.clock, STEPS)
        update_block(vectors, scratch, n_centers, n_outside, (0, scratch.centers.rows.shape[1]))
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss, n_pairs


@level_jit
def draw_ahead(kept, span, plan, draws, noise, scratch):
    """Take the noise drawn for this block, draw that of the next one, and list the rows it will gather.

    span  (start, stop, end, size): the block's centres, and where the unit's and all kept tokens end
    """
    _, stop, end, size = span
    estimator, reach = plan.estimator, plan.architecture.reach
    scratch.outside.words[: len(noise)] = noise
    draws = draw_shared(plan.objective.unigram_table, draws, estimator.shared_negatives, noise)
    next_stop = min(stop + estimator.block_size, end)
    contexts = (min(stop + reach, size), min(next_stop + reach, size))
    look_ahead(kept, (stop, next_stop), contexts, noise, scratch.ahead)
    return draws


@level_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch):
    """All blocks of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    objective, estimator = plan.objective, plan.estimator
    weight = np.float32(objective.n_negatives / estimator.shared_negatives)
    noise = np.empty(scratch.weights.shape[1], np.int64)
    loss, n_pairs = 0.0, 0
    draws = draw_shared(objective.unigram_table, draws, estimator.shared_negatives, noise)
    for start in range(begin, end, estimator.block_size):
        stop = min(start + estimator.block_size, end)
        draws = draw_ahead(kept, (start, stop, end, size), plan, draws, noise, scratch)
        block_loss, block_pairs = block_step(vectors, kept, (start, stop, size), rates, weight, scratch)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture)
    scratch = new_scratch(vectors, plan, (), work.clock)
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates, scratch)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
