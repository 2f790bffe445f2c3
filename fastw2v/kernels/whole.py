"""Kernel `whole`: T cases at a time make one step on all words, with a softmax over these for each of them.

    J = Σ_t Σ_o −log softmax(U h_t)_o,  E_t = n_t softmax(U h_t) − y_t,  ∂J/∂h = E U,  ∂J/∂U = Eᵀ h

Three dense products in tiles, a panel of words after the other, so that its rows are at hand for the third.
Scores of the T cases lie side by side, and no sum of a softmax goes across a register. Workers race on the
matrices (`train_units`), or share each block, some panels each (`train_together`): the sums of a panel are
the same whoever makes them, and are put together in the order of the panels. The NumPy twin, to be read
first, is `fastw2v.reference.whole`.
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
from fastw2v.kernels.block.windows import order_centers
from fastw2v.kernels.intrinsics import atomic_add, borrowed
from fastw2v.kernels.jit import fast_jit, inner_jit, level_jit
from fastw2v.kernels.meetings import meet
from fastw2v.kernels.panels import PANEL, new_desk, new_room
from fastw2v.kernels.scalar import exp_minus_abs
from fastw2v.kernels.tiles.products import (
    HAS_REST,
    SCORE_ROWS,
    SCORE_VECTORS,
    UPDATE_REST,
    UPDATE_ROWS,
    UPDATE_VECTORS,
    in_tiles,
    product_tile,
    transpose_tile,
    update_tile,
)
from fastw2v.kernels.tiles.rows import add_row, row_dot
from fastw2v.kernels.units import keep_unit, new_kept, rates_at
from fastw2v.model.arrays import FLOATS_PER_LINE, KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import LARGEST_MOVE

ZERO, ONE = np.float32(0.0), np.float32(1.0)
SCORE_WIDTH, UPDATE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE, UPDATE_VECTORS * FLOATS_PER_LINE


@inner_jit
def read_cases(vectors, kept, centers, size, plan, desk):
    """h of each case, as it is and transposed, and its output words; returns (cases, output words)."""
    n_cases, n_pairs, h = 0, 0, desk.h
    for i in centers:
        window = window_of(kept, i, size)
        if window[1] - window[0] > 1:
            inputs = inputs_of(plan.architecture, i, window)
            outputs = outputs_of(plan.architecture, i, window)
            read_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, h, n_cases)
            desk.n_outputs[n_cases] = ZERO
            desk.norms[n_cases] = row_dot(h, n_cases, h, n_cases)
            for j in range(outputs.start, outputs.stop):
                if j != outputs.without:
                    desk.outputs[n_pairs, 0], desk.outputs[n_pairs, 1] = n_cases, kept.ids[j]
                    desk.counted[n_pairs] = pair_share(plan.architecture, kept, i, j)
                    desk.n_outputs[n_cases] += desk.counted[n_pairs]
                    n_pairs += 1
            n_cases += 1
    for t in range(n_cases, len(h)):
        desk.n_outputs[t] = ZERO
        for d in range(h.shape[1]):
            h[t, d] = ZERO
    for t in range(0, len(h), FLOATS_PER_LINE):
        for d in range(0, h.shape[1], FLOATS_PER_LINE):
            transpose_tile(desk.columns, d, h, t)
    return n_cases, n_pairs


@level_jit
def score_words(vectors, room, desk, w, rows):
    """scores[w + r, t] = u_{w + r}ᵀ h_t for all cases; rows is a compile-time constant."""
    t, n_columns, depth = 0, room.scores.shape[1], vectors.outside.shape[1]
    while t + SCORE_WIDTH <= n_columns:
        product_tile(room.scores, (w, t), vectors.outside, desk.columns, (rows, SCORE_VECTORS), depth)
        t += SCORE_WIDTH
    if SCORE_VECTORS > 1:  # known to Numba, which else compiles nothing of it
        while t < n_columns:
            product_tile(room.scores, (w, t), vectors.outside, desk.columns, (rows, 1), depth)
            t += FLOATS_PER_LINE


@inner_jit
def raise_scores(room, p, first, last):
    """Put exp(score − highest of its case in the panel) in the place of scores, and sum them."""
    scores, highest, sums = room.scores, room.highest, room.sums
    n_columns = scores.shape[1]
    for t in range(n_columns):
        highest[p, t], sums[p, t] = scores[first, t], ZERO
    for w in range(first, last):
        for t in range(n_columns):
            highest[p, t] = max(highest[p, t], scores[w, t])
    for w in range(first, last):
        for t in range(n_columns):
            power = exp_minus_abs(highest[p, t] - scores[w, t])
            scores[w, t] = power
            sums[p, t] += power


@inner_jit
def score_panel(vectors, room, desk, p):
    """The scores of a panel's words, to the powers."""
    first, last = p * PANEL, min(p * PANEL + PANEL, len(vectors.outside))
    w = first
    while w + SCORE_ROWS <= last:
        score_words(vectors, room, desk, w, SCORE_ROWS)
        w += SCORE_ROWS
    while w < last:
        score_words(vectors, room, desk, w, 1)
        w += 1
    raise_scores(room, p, first, last)


@inner_jit
def share_out(room, desk, n_cases):
    """The shares of all panels; returns Σ_t n_t log Σ_w exp(u_wᵀh_t)."""
    loss, n_panels = np.float64(0.0), len(room.sums)
    for t in range(room.sums.shape[1]):
        highest, total = room.highest[0, t], np.float64(0.0)
        for p in range(n_panels):
            highest = max(highest, room.highest[p, t])
        for p in range(n_panels):
            desk.shares[p, t] = exp_minus_abs(highest - room.highest[p, t])
            total += np.float64(desk.shares[p, t]) * np.float64(room.sums[p, t])
        total = max(total, np.float64(1.0))  # the highest adds 1, or 6e-8 less as it is computed
        if t < n_cases:
            loss += np.float64(desk.n_outputs[t]) * (np.float64(highest) + math.log(total))
        for p in range(n_panels):
            desk.shares[p, t] *= np.float32(np.float64(desk.n_outputs[t]) / total)
    return loss


@inner_jit
def set_errors(room, desk, p, first, last, n_pairs):
    """Turn the powers of a panel to E, and put Σ_t |E_tw|·‖h_t‖² in the place of the steps of its rows."""
    errors, steps, outputs = room.scores, room.steps, desk.outputs
    for w in range(first, last):
        move = ZERO
        for t in range(errors.shape[1]):
            error = desk.shares[p, t] * errors[w, t]
            errors[w, t] = error
            move += error * desk.norms[t]
        steps[w] = move
    for pair in range(n_pairs):
        t, w = outputs[pair, 0], outputs[pair, 1]
        if first <= w < last:
            before = errors[w, t]
            after = before - desk.counted[pair]
            errors[w, t] = after
            steps[w] += (abs(after) - abs(before)) * desk.norms[t]


@inner_jit
def hold_back(steps, first, last, learning_rate):
    """Turn moves of rows of U to their steps, held back where a row would move too far."""
    for w in range(first, last):
        move = learning_rate * steps[w]
        steps[w] = learning_rate if move <= LARGEST_MOVE else learning_rate * LARGEST_MOVE / move


@level_jit
def update_rows(matrix, words, steps, i, rows, terms, transposed):
    """Row −= step·gradient of some rows; terms and transposed are those of update_tile."""
    d, stop = 0, matrix.shape[1]
    while d + UPDATE_WIDTH <= stop:
        update_tile(matrix, words, steps, (i, d), terms, transposed, (rows, UPDATE_VECTORS))
        d += UPDATE_WIDTH
    if UPDATE_VECTORS > 2 and d + 2 * FLOATS_PER_LINE <= stop:  # Numba compiles nothing of what cannot be
        update_tile(matrix, words, steps, (i, d), terms, transposed, (rows, 2))
        d += 2 * FLOATS_PER_LINE
    if UPDATE_VECTORS > 1 and d < stop:
        update_tile(matrix, words, steps, (i, d), terms, transposed, (rows, 1))


@level_jit
def update_all(matrix, words, steps, first, last, terms, transposed):
    """The same of the rows first ≤ i < last."""
    high, every = in_tiles(last - first, UPDATE_ROWS, UPDATE_REST)
    for i in range(first, first + high, UPDATE_ROWS):
        update_rows(matrix, words, steps, i, UPDATE_ROWS, terms, transposed)
    if HAS_REST:
        for i in range(first + high, first + every, UPDATE_REST):
            update_rows(matrix, words, steps, i, UPDATE_REST, terms, transposed)


@inner_jit
def step_panel(vectors, room, desk, p, rates, n_cases, n_pairs):
    """The part of a panel in the gradients of h, and then the steps of its rows."""
    first, last = p * PANEL, min(p * PANEL + PANEL, len(vectors.outside))
    set_errors(room, desk, p, first, last, n_pairs)
    if rates[0] > ZERO:
        grads = room.grads[min(p, len(room.grads) - 1)]
        if p < len(room.grads):
            for t in range(grads.shape[0]):
                for d in range(grads.shape[1]):
                    grads[t, d] = ZERO
        terms = ((room.scores, vectors.outside, first, last),)
        update_all(grads, desk.cases, desk.ones, 0, grads.shape[0], terms, 1)
    if rates[1] > ZERO:
        hold_back(room.steps, first, last, rates[1])
        update_all(
            vectors.outside, desk.words, room.steps, first, last, ((room.scores, desk.h, 0, n_cases),), 0
        )


@inner_jit
def step_cases(vectors, kept, centers, size, plan, rates, room, desk):
    """Step the rows of V that each h is made of, by what all panels have summed."""
    total = room.grads[0]
    t = 0
    for i in centers:
        window = window_of(kept, i, size)
        if window[1] - window[0] > 1:
            for p in range(1, len(room.grads)):
                add_row(total, t, ONE, room.grads[p], t)
            for d in range(total.shape[1]):
                total[t, d] *= rates[0]
            inputs = inputs_of(plan.architecture, i, window)
            step_inputs(plan.architecture, plan.inputs, vectors, kept, inputs, total, t)
            t += 1


@level_jit
def whole_step(vectors, kept, centers, size, plan, rates, room, desk):
    """One step on J = Σ_t Σ_o −log softmax(U h_t)_o of the cases of a block; returns (J before it, pairs).

    Both by what output words count.

    Where several workers share it, each has its panels, and the first the rest.
    """
    n_cases, n_pairs = read_cases(vectors, kept, centers, size, plan, desk)
    loss, counted, n_panels = np.float64(0.0), np.float64(0.0), len(room.sums)
    if n_cases == 0:
        return loss, counted
    for pair in range(n_pairs):
        score = row_dot(vectors.outside, desk.outputs[pair, 1], desk.h, desk.outputs[pair, 0])
        loss -= desk.counted[pair] * np.float64(score)
        counted += desk.counted[pair]
    for p in range(desk.worker, n_panels, desk.n_workers):
        score_panel(vectors, room, desk, p)
    if desk.n_workers > 1:
        meet(room, desk.n_workers)
    loss += share_out(room, desk, n_cases)
    if max(rates[0], rates[1]) > ZERO:
        for p in range(desk.worker, n_panels, desk.n_workers):
            step_panel(vectors, room, desk, p, rates, n_cases, n_pairs)
    if desk.n_workers > 1:
        meet(room, desk.n_workers)
    if rates[0] > ZERO and desk.worker == 0:
        step_cases(vectors, kept, centers, size, plan, rates, room, desk)
    if desk.n_workers > 1:
        meet(room, desk.n_workers)
    return loss, counted


@level_jit
def train_unit(vectors, kept, span, plan, rates, room, desk):
    """All blocks of one unit; returns (loss, pairs)."""
    begin, end, size = span
    order = desk.order[: end - begin]
    order_centers(begin, end, order)
    loss, n_pairs = 0.0, 0.0
    for start in range(0, len(order), plan.estimator.block_size):
        centers = order[start : min(start + plan.estimator.block_size, len(order))]
        block_loss, block_pairs = whole_step(vectors, kept, centers, size, plan, rates, room, desk)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture, tokens.weights)
    room, desk = new_room(vectors, plan, 1), new_desk(vectors, plan, 0, 1)
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        rates = rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates, room, desk)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]


@fast_jit
def train_together(vectors, tokens, plan, schedule, work, totals):
    """One worker's part of every unit of the queue, in order; every worker has to be there."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    room, kept = borrowed(work.lanes), new_kept(plan.architecture, tokens.weights)
    desk = new_desk(vectors, plan, work.worker, work.n_workers)
    for unit in range(work.queue[0], work.queue[1]):
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        rates = rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates, room, desk)
        if work.worker == 0:
            totals[0, LOSS] += loss
            totals[0, PAIRS] += n_pairs
            totals[0, KEPT] += span[1] - span[0]
