"""Estimator `whole`: a step for each case on all words at once; the twin of `fastw2v.kernels.whole`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import WORDS, Inputs, Plan, Schedule
from fastw2v.reference.architectures import (
    inputs_of,
    outputs_of,
    pair_share,
    read_inputs,
    step_inputs,
    window_of,
)
from fastw2v.reference.losses import Array, log_softmax
from fastw2v.reference.units import Kept, Rates, keep_unit, rates_at


def whole_step(
    vectors: Vectors,
    inputs: list[int],
    outputs: list[int],
    rates: Rates,
    lookup: Inputs = WORDS,
    shares: Array | None = None,
) -> float:
    """One step on J = Σ_o −log softmax(U h)_o, h of the input words; returns J before it.

    The n output words share one softmax: with ŷ = softmax(U h) and y the counts of the output words,
    ∂J/∂h = Uᵀ(n ŷ − y) and ∂J/∂U = (n ŷ − y)hᵀ, the sums of `naive_softmax_loss` over them.

    shares  (n,), what each output word counts; 1 by default
    """
    shares = np.ones(len(outputs)) if shares is None else shares
    h = read_inputs(vectors, inputs, lookup)
    log_y_hat = log_softmax(vectors.outside @ h)
    errors = shares.sum() * np.exp(log_y_hat)
    np.subtract.at(errors, outputs, shares)
    grad_h = vectors.outside.T @ errors
    if rates[1] > 0:
        vectors.outside[...] -= rates[1] * np.outer(errors, h)
    if rates[0] > 0:
        step_inputs(vectors, inputs, grad_h, rates[0], lookup)
    return float(-(shares * log_y_hat[outputs]).sum())


def train_unit(vectors: Vectors, kept: Kept, span: range, plan: Plan, rates: Rates) -> tuple[float, float]:
    """All cases of one unit, in reading order; returns (loss, pairs)."""
    loss, n_pairs = 0.0, 0.0
    for i in span:
        window = window_of(kept, i)
        inputs = [kept[j].word for j in inputs_of(plan.architecture, i, window)]
        places = outputs_of(plan.architecture, i, window)
        outputs = [kept[j].word for j in places]
        if outputs:
            shares = np.array([pair_share(plan.architecture, kept, i, j) for j in places])
            loss += whole_step(vectors, inputs, outputs, rates, plan.inputs, shares)
            n_pairs += shares.sum()
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
