"""Estimator `pair`: one pair after the other, as the textbook has it; the twin of `fastw2v.kernels.pair`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import EXACT, WORDS, Inputs, Objective, Plan, Schedule
from fastw2v.model.streams import noise_stream
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
from fastw2v.reference.copies import merge_some, place_words
from fastw2v.reference.objectives import find_rows, step_outputs
from fastw2v.reference.units import Rates, centers_in, keep_unit, rates_at


def pair_step(
    vectors: Vectors,
    inputs: list[int],
    outside: int,
    rows: list[int],
    objective: Objective,
    rates: Rates,
    lookup: Inputs = WORDS,
    gradient: int = EXACT,
) -> float:
    """One step of stochastic gradient descent on J(h, o, U), h of the input words; returns J before it."""
    h = read_inputs(vectors, inputs, lookup)
    loss, grad_h = step_outputs(objective, vectors, h, outside, rows, rates)
    if rates[0] > 0:
        step_inputs(vectors, inputs, grad_h, rates[0], lookup, gradient)
    return loss


def train_unit(
    vectors: Vectors, kept: Kept, span: range, plan: Plan, draws: Iterator[int], rates: Rates
) -> tuple[float, float]:
    """All pairs of one unit, in reading order; returns (loss, pairs), both by what pairs count.

    What a pair counts multiplies its loss, and so its step.
    """
    loss, n_pairs = 0.0, 0.0
    for i in centers_in(plan.architecture, kept, span):
        window = window_of(kept, i)
        inputs = [kept[j].word for j in inputs_of(plan.architecture, i, window)]
        for j in outputs_of(plan.architecture, i, window):
            outside, share = kept[j].word, pair_share(plan.architecture, kept, i, j)
            rows = find_rows(plan.objective, draws, outside)
            of_pair = (rates[0] * share, rates[1] * share)
            kinds = plan.objective, of_pair, plan.inputs, gradient_of(plan.architecture)
            loss += share * pair_step(vectors, inputs, outside, rows, *kinds)
            n_pairs += share
    return loss, n_pairs


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: NDArray[np.float64]
) -> None:
    """Train the units of the queue in place, as kernel `pair` does."""
    epoch_key = int(schedule.epoch_key)
    for unit in range(*work.queue):
        kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        kept = place_words(plan.objective, kept)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates)
        merge_some(plan.objective, vectors)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += len(span)
