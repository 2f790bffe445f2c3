"""Units side by side, a block of each making one step; the twin of `fastw2v.kernels.lockstep`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import Lockstep, Plan, Schedule
from fastw2v.model.streams import noise_stream
from fastw2v.reference.architectures import Kept, gradient_of
from fastw2v.reference.block import list_centers, noise_of, step_of
from fastw2v.reference.losses import Array
from fastw2v.reference.noise import Numbers, Parts, Seen, nothing_seen, remember
from fastw2v.reference.numbers import number_rows, number_words
from fastw2v.reference.objectives import draw_shared
from fastw2v.reference.units import Rates, keep_unit, rates_at


class Lane(NamedTuple):
    """A unit on its way: its kept tokens, the blocks to come, the last first, and draws, to come and seen."""

    kept: Kept
    blocks: list[Numbers]
    draws: Iterator[int]
    seen: Seen


class Moved(NamedTuple):
    """How a block moves the rows of its words: their rows of V and U after less before.

    rows     (n,), those of V
    others   (n,), words with rows of U
    """

    rows: Numbers
    others: Numbers
    center: Array
    outside: Array


def start_unit(vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, unit: int) -> Lane:
    """Keep the tokens of a lane's unit."""
    epoch_key = int(schedule.epoch_key)
    kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
    order, size = list_centers(plan.architecture, kept, span), noise_of(plan)[1].block_size
    blocks = [order[start : start + size] for start in range(0, len(order), size)]
    return Lane(kept, blocks[::-1], noise_stream(epoch_key, unit), nothing_seen(vectors))


def train_lane(vectors: Vectors, plan: Plan, lane: Lane, rates: Rates, totals: Array) -> Moved:
    """Train the lane's next block on copies of its rows, numbered anew; returns how they moved."""
    objective, estimator, weight = noise_of(plan)
    centers = lane.blocks.pop()
    noise = np.array(draw_shared(objective, lane.draws, estimator.shared_negatives))
    words, others = number_words(plan.architecture, lane.kept, centers, noise)
    kept = [
        token._replace(word=int(np.searchsorted(words if token.radius else others, token.word)))
        for token in lane.kept
    ]
    rows, lookup = number_rows(plan.inputs, words)
    copies = Vectors(vectors.center[rows], vectors.outside[others])
    local_noise = np.searchsorted(others, noise)
    parts = Parts(estimator.operands, lookup, gradient_of(plan.architecture))
    loss, n_pairs = step_of(plan)(copies, kept, centers, local_noise, rates, weight, lane.seen, parts)
    if estimator.control:
        remember(lane.seen, vectors.outside[noise])
    totals[LOSS] += loss
    totals[PAIRS] += n_pairs
    totals[KEPT] += len(centers)
    moved = copies.center - vectors.center[rows], copies.outside - vectors.outside[others]
    return Moved(rows, others, *moved)


def train_round(vectors: Vectors, plan: Plan, lanes: list[Lane], rates: Rates, totals: Array) -> None:
    """One block of every lane, all from the same vectors; then the moves of their rows are added."""
    for moved in [train_lane(vectors, plan, lane, rates, totals) for lane in lanes if lane.blocks]:
        vectors.center[moved.rows] += moved.center
        vectors.outside[moved.others] += moved.outside


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: Array
) -> None:
    """Train the units of the queue side by side, in place, as kernel `lockstep` does."""
    assert isinstance(plan.estimator, Lockstep)
    n_lanes, end = plan.estimator.lanes, work.queue[1]
    for first in range(work.queue[0], end, n_lanes):
        units = range(first, min(first + n_lanes, end))
        lanes = [start_unit(vectors, tokens, plan, schedule, unit) for unit in units]
        rates = rates_at(schedule, first * UNIT)
        for _ in range(max(len(lane.blocks) for lane in lanes)):
            train_round(vectors, plan, lanes, rates, totals[work.worker])
