"""Kernel `pair`: the textbook estimator, K fresh noise words for every (centre, outside) pair.

Hogwild (Recht et al. 2011): workers race on the two matrices on purpose; everything else is private.
The NumPy twin with the same names is `fastw2v.reference.pair`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import (
    inputs_of,
    outputs_of,
    pair_share,
    read_inputs,
    step_inputs,
    window_of,
)
from fastw2v.kernels.copies import merge_some, place_words
from fastw2v.kernels.intrinsics import atomic_add, borrowed
from fastw2v.kernels.jit import fast_jit, level_jit
from fastw2v.kernels.objectives import find_rows, give_back, new_room, step_outputs
from fastw2v.kernels.units import aligned_rows, keep_unit, new_kept, next_center, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT

ZERO = np.float32(0.0)


@level_jit
def pair_step(vectors, kept, inputs, outside, rows, plan, rates, scratch):
    """One step of stochastic gradient descent on J(h, o, U), h of the input words; returns J before it.

    rates    learning rates of rows of V and of U: equal, or one of them 0
    scratch  float32 (3, padded_dim): h as it was, the sum of its steps, and zeros
    """
    h, grad_h = 0, 1
    read_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, scratch, h)
    scratch[grad_h] = ZERO
    loss = step_outputs(plan.objective, vectors, outside, rows, rates, scratch)
    if rates[0] > ZERO:
        step_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, scratch, grad_h)
    return loss


@fast_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch, room):
    """All pairs of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    kept, scratch, room = borrowed(kept), borrowed(scratch), borrowed(room)
    loss, n_pairs, i = 0.0, 0.0, begin
    for _ in range(begin, end):
        window = window_of(kept, i, size)
        inputs = inputs_of(plan.architecture, i, window)
        outputs = outputs_of(plan.architecture, i, window)
        for j in range(outputs.start, outputs.stop):
            if j == outputs.without:
                continue
            outside = kept.ids[j]
            draws, rows = find_rows(plan.objective, vectors, draws, outside, room)
            share = pair_share(plan.architecture, kept, i, j)
            of_pair = rates[0] * share, rates[1] * share
            loss += share * pair_step(vectors, kept, inputs, outside, rows, plan, of_pair, scratch)
            n_pairs += share
        i = next_center(plan.architecture, kept, i)
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture, tokens.weights)
    scratch = aligned_rows(3, vectors.center.shape[1])
    room = new_room(plan.objective, vectors, work.n_workers)
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        place_words(plan.objective, kept, span[2])
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates, scratch, room)
        merge_some(plan.objective, vectors)
        give_back(plan.objective, vectors, room)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
