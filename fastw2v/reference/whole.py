"""Estimator `whole`: T cases at a time make one step on all words; the twin of `fastw2v.kernels.whole`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import EXACT, LARGEST_MOVE, WORDS, Inputs, Panels, Plan, Schedule, Whole
from fastw2v.reference.architectures import (
    Kept,
    gradient_of,
    inputs_of,
    outputs_of,
    pair_share,
    read_inputs,
    step_inputs,
    window_of,
)
from fastw2v.reference.block import order_centers
from fastw2v.reference.losses import Array, log_softmax, matrix_times_vector
from fastw2v.reference.noise import Numbers
from fastw2v.reference.units import Rates, keep_unit, rates_at

Case = tuple[list[int], list[int], list[float]]  # input words, output words, and what each of these counts


def held_back(errors: Array, h: Array, learning_rate: float) -> Array:
    """The step of every row of U, (n_words,): held back where its T cases would move it too far.

    The gradients of all cases of a block are taken at one place, and those of a frequent word add up. The
    step times Σ_t |∂J/∂score_tw|·‖h_t‖² bounds how far it moves any of its scores; where that exceeds
    LARGEST_MOVE the step shrinks to it, as for the noise of a block (`fastw2v.reference.noise.limit_steps`).
    """
    moves = matrix_times_vector(np.abs(errors).T, (h**2).sum(axis=1))
    return np.asarray(learning_rate / np.maximum(1, learning_rate * moves / LARGEST_MOVE))


def read_cases(kept: Kept, centers: Numbers, plan: Plan) -> list[Case]:
    """The cases around these tokens; one without output words is none."""
    cases = []
    for i in centers:
        window = window_of(kept, i)
        inputs = inputs_of(plan.architecture, i, window)
        outputs = outputs_of(plan.architecture, i, window)
        if outputs:
            shares = [pair_share(plan.architecture, kept, i, j) for j in outputs]
            cases.append(([kept[j].word for j in inputs], [kept[j].word for j in outputs], shares))
    return cases


def whole_step(
    vectors: Vectors, cases: list[Case], rates: Rates, lookup: Inputs = WORDS, gradient: int = EXACT
) -> float:
    """One step on J = Σ_t Σ_o −log softmax(U h_t)_o of all cases, h_t of their inputs; returns J before it.

    The output words of a case share one softmax: with ŷ_t = softmax(U h_t), y_t the sums of what output words
    count, 1 each but in a weighted window, n_t the sum of these, and E_t = n_t ŷ_t − y_t, ∂J/∂h = E U and
    ∂J/∂U = Eᵀ h, the sums of `naive_softmax_loss` over all of them. So that of one case is its gradient, and
    that of T cases the sum of theirs at the same vectors: the expectation of T steps, less what they would
    have learnt from one another.
    """
    h = np.array([read_inputs(vectors, inputs, lookup) for inputs, _, _ in cases])
    places = np.array([(t, o) for t, (_, outputs, _) in enumerate(cases) for o in outputs]).T
    shares = np.concatenate([own for _, _, own in cases])
    log_y_hat = log_softmax(h @ vectors.outside.T)
    n_outputs = np.bincount(places[0], weights=shares, minlength=len(cases))
    errors = (n_outputs[:, None] * np.exp(log_y_hat)).astype(h.dtype)
    np.subtract.at(errors, (places[0], places[1]), shares)
    grad_h = errors @ vectors.outside
    if rates[1] > 0:
        steps = held_back(errors, h, rates[1])
        vectors.outside[...] -= (steps[:, None] * (errors.T @ h)).astype(h.dtype)
    if rates[0] > 0:
        for (inputs, _, _), grad in zip(cases, grad_h, strict=True):
            step_inputs(vectors, inputs, grad, rates[0], lookup, gradient)
    return float(-(shares * log_y_hat[places[0], places[1]]).sum())


def train_unit(vectors: Vectors, kept: Kept, span: range, plan: Plan, rates: Rates) -> tuple[float, float]:
    """All blocks of one unit; returns (loss, pairs), both by what output words count."""
    assert isinstance(plan.estimator, Whole | Panels)
    order, size = order_centers(span), plan.estimator.block_size
    loss, n_pairs = 0.0, 0.0
    for start in range(0, len(order), size):
        centers = order[start : start + size]
        if cases := read_cases(kept, centers, plan):
            loss += whole_step(vectors, cases, rates, plan.inputs, gradient_of(plan.architecture))
            n_pairs += sum(sum(shares) for _, _, shares in cases)
    return loss, n_pairs


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: NDArray[np.float64]
) -> None:
    """Train the units of the queue in place, as kernel `whole` does; nothing is drawn but what is kept."""
    epoch_key = int(schedule.epoch_key)
    for unit in range(*work.queue):
        kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
        rates = rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += len(span)
