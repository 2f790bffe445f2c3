"""Kernel `whole`: the softmax over all words, one for each case, which all its output words share.

Hogwild as kernel `pair`, on all rows of U. The NumPy twin with the same names is `fastw2v.reference.whole`.
"""

from __future__ import annotations

import math

import numpy as np

from fastw2v.kernels.architectures import (
    inputs_of,
    outputs_of,
    pair_share,
    read_inputs,
    step_inputs,
    window_of,
)
from fastw2v.kernels.intrinsics import atomic_add, borrowed
from fastw2v.kernels.jit import fast_jit, inner_jit, level_jit
from fastw2v.kernels.scalar import exp_minus_abs
from fastw2v.kernels.tiles.rows import push_row, row_dot, row_dots
from fastw2v.kernels.units import aligned_rows, keep_unit, new_kept, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT

ZERO, ONE = np.float32(0.0), np.float32(1.0)
PART = 1024  # words whose exponentials are summed in float32: beyond, sums lose what is small


@inner_jit
def score_words(vectors, scratch, scores):
    """scores[w] = u_wᵀh for all words, h the first row of scratch; returns the highest."""
    h, n_words = 0, len(scores)
    w = 0
    while w + 4 <= n_words:
        places = (w, w + 1, w + 2, w + 3)
        scores[w], scores[w + 1], scores[w + 2], scores[w + 3] = row_dots(scratch, h, vectors.outside, places)
        w += 4
    while w < n_words:
        scores[w] = row_dot(scratch, h, vectors.outside, w)
        w += 1
    highest = scores[0]
    for w in range(n_words):
        highest = max(highest, scores[w])
    return highest


@inner_jit
def raise_scores(scores, highest):
    """Put exp(score − highest) in their places; returns the sum."""
    total, n_words = np.float64(0.0), len(scores)
    for start in range(0, n_words, PART):
        part = ZERO
        for w in range(start, min(start + PART, n_words)):
            scores[w] = exp_minus_abs(highest - scores[w])
            part += scores[w]
        total += part
    return max(total, np.float64(1.0))  # the highest adds 1, or 6e-8 less as it is computed


@level_jit
def whole_step(vectors, kept, inputs, outputs, plan, rates, scratch, scores):
    """One step on J = Σ_o −log softmax(U h)_o, h of the input words; returns (J before it, output words).

    scratch  float32 (3, padded_dim): h as it was, the sum of its steps, and zeros
    scores   float32 (n_words,), which become errors
    """
    h, grad_h, zeros = 0, 1, 2
    read_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, scratch, h)
    scratch[grad_h] = ZERO
    highest = score_words(vectors, scratch, scores)
    loss, n = np.float64(0.0), np.float64(0.0)
    for j in range(outputs.start, outputs.stop):
        if j != outputs.without:
            share = pair_share(plan.architecture, kept, outputs.without, j)
            loss += share * np.float64(highest - scores[kept.ids[j]])
            n += share
    total = raise_scores(scores, highest)
    loss += n * math.log(total)
    learning_rate = max(rates[0], rates[1])
    if learning_rate > ZERO:
        share = np.float32(n / total)
        for w in range(len(scores)):
            scores[w] *= share
        for j in range(outputs.start, outputs.stop):
            if j != outputs.without:
                scores[kept.ids[j]] -= pair_share(plan.architecture, kept, outputs.without, j)
        moved = h if rates[1] > ZERO else zeros
        for w in range(len(scores)):
            push_row(vectors.outside, w, -learning_rate * scores[w], scratch, moved, scratch, grad_h)
    if rates[0] > ZERO:
        step_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, scratch, grad_h)
    return loss, n


@fast_jit
def train_unit(vectors, kept, span, plan, rates, scratch, scores):
    """All cases of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    kept, scratch, scores = borrowed(kept), borrowed(scratch), borrowed(scores)
    loss, n_pairs = 0.0, 0.0
    for i in range(begin, end):
        window = window_of(kept, i, size)
        inputs = inputs_of(plan.architecture, i, window)
        outputs = outputs_of(plan.architecture, i, window)
        if window[1] - window[0] > 1:
            of_case, n = whole_step(vectors, kept, inputs, outputs, plan, rates, scratch, scores)
            loss += of_case
            n_pairs += n
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture)
    scratch = aligned_rows(3, vectors.center.shape[1])
    scores = np.empty(vectors.outside.shape[0], np.float32)
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        rates = rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates, scratch, scores)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
