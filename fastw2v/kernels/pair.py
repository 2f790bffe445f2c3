"""Kernel `pair`: the textbook estimator, K fresh noise words for every (centre, outside) pair.

Hogwild (Recht et al. 2011): workers race on the two matrices on purpose; everything else is private.
The NumPy twin with the same names is `fastw2v.reference.pair.train_unit_pair`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.intrinsics import atomic_add, prefetch_row
from fastw2v.kernels.jit import fast_jit
from fastw2v.kernels.scalar import GAMMA, mix64, sigmoid, softplus
from fastw2v.kernels.tiles.rows import add_row, copy_row, push_row, row_dot
from fastw2v.kernels.units import aligned_rows, draw_noise, keep_unit, new_kept, noise_state_of, rates_at
from fastw2v.model.arrays import FLOATS_PER_LINE, UNIT

ONE, ZERO = np.float32(1.0), np.float32(0.0)


@fast_jit
def draw_negatives(unigram_table, state, outside, count, negatives):
    """Draw `count` noise words into negatives; one equal to the outside word is not a negative (o ∉ {w_k}).

    It is left out, not drawn again, so this ends for any vocabulary. Returns (state, number of negatives).
    """
    n = 0
    for _ in range(count):
        state += GAMMA
        word = draw_noise(unigram_table, mix64(state))
        if word != outside:
            negatives[n] = word
            n += 1
    return state, n


@fast_jit
def sgns_step(vectors, center, outside, negatives, rates, scratch):
    """One step of stochastic gradient descent on J_neg-sample(v_c, o, U); returns J before the step.

    J = −log σ(u_oᵀv_c) − Σ_k log σ(−u_kᵀv_c). Changes row `center` of V and rows `outside` and `negatives`
    of U, those one after the other, so a word drawn twice counts twice (Mikolov et al. 2013, equation 4).

    rates    learning rates of rows of V and of U: equal, or one of them 0
    scratch  float32 (3, padded_dim): v_c as it was, the sum of its steps, and zeros, by which frozen rows
             of U are stepped: a branch in the loop took a tenth more time
    """
    v_c, grad_center, zeros = 0, 1, 2
    learning_rate = max(rates[0], rates[1])
    moved = v_c if rates[1] > ZERO else zeros
    copy_row(scratch, v_c, vectors.center, center)
    scratch[grad_center] = ZERO
    score = row_dot(scratch, v_c, vectors.outside, outside)
    loss = np.float64(softplus(-score))
    step = -learning_rate * (sigmoid(score) - ONE)
    push_row(vectors.outside, outside, step, scratch, moved, scratch, grad_center)
    for word in negatives:
        score = row_dot(scratch, v_c, vectors.outside, word)
        loss += softplus(score)
        step = -learning_rate * sigmoid(score)
        push_row(vectors.outside, word, step, scratch, moved, scratch, grad_center)
    if rates[0] > ZERO:
        add_row(vectors.center, center, ONE, scratch, grad_center)
    return loss


@fast_jit
def train_unit(vectors, kept, span, sampler, noise_state, step, scratch):
    """All pairs of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    rates, n_negatives = step
    negatives = np.empty(n_negatives, np.int64)
    loss, n_pairs = 0.0, 0
    for i in range(begin, end):
        low = max(i - kept.radius[i], kept.first[i])
        high = min(i + kept.radius[i] + 1, size)
        for j in range(low, high):
            if j == i or kept.first[j] != kept.first[i]:
                continue
            noise_state, n = draw_negatives(
                sampler.unigram_table, noise_state, kept.ids[j], n_negatives, negatives
            )
            for k in range(n):
                for d in range(0, vectors.outside.shape[1], FLOATS_PER_LINE):
                    prefetch_row(vectors.outside, negatives[k], d)
            loss += sgns_step(vectors, kept.ids[i], kept.ids[j], negatives[:n], rates, scratch)
            n_pairs += 1
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker):
    """One worker's share of units queue[0] ≤ u < queue[1], taken one by one.

    queue   int64 (2,): next unit, end; queue[0] is left past the end
    totals  float64 (n_workers, 8): the worker adds its loss, pairs and kept words to columns 0, 1, 2
    """
    kept = new_kept(window)
    scratch = aligned_rows(3, vectors.center.shape[1])
    while True:
        unit = atomic_add(queue, np.int64(1))
        if unit >= queue[1]:
            break
        span = keep_unit(tokens, sampler, schedule.epoch_key, window, unit, kept)
        noise_state = noise_state_of(schedule.epoch_key, unit)
        step = (rates_at(schedule, unit * UNIT), estimator.n_negatives)
        loss, n_pairs = train_unit(vectors, kept, span, sampler, noise_state, step, scratch)
        totals[worker, 0] += loss
        totals[worker, 1] += n_pairs
        totals[worker, 2] += span[1] - span[0]
