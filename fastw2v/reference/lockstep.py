"""Units side by side, a block of each making one step; the twin of `fastw2v.kernels.lockstep`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import Lockstep, Plan, Schedule
from fastw2v.model.streams import noise_stream
from fastw2v.reference.block import Scored, blocks_of, noise_of, score_block, update_blocks
from fastw2v.reference.losses import Array
from fastw2v.reference.objectives import draw_shared
from fastw2v.reference.units import Kept, Rates, keep_unit, rates_at


class Lane(NamedTuple):
    """A unit on its way: its kept tokens, the blocks still to come, the last first, its noise stream."""

    kept: Kept
    blocks: list[range]
    draws: Iterator[int]


def start_unit(tokens: Tokens, plan: Plan, schedule: Schedule, unit: int) -> Lane:
    """Keep the tokens of a lane's unit."""
    epoch_key = int(schedule.epoch_key)
    kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
    blocks = blocks_of(span, noise_of(plan)[1].block_size)
    return Lane(kept, blocks[::-1], noise_stream(epoch_key, unit))


def score_lane(vectors: Vectors, plan: Plan, lane: Lane) -> tuple[Scored, int]:
    """Score the lane's next block; returns it and how many centres it has."""
    objective, estimator, weight = noise_of(plan)
    span = lane.blocks.pop()
    noise = np.array(draw_shared(objective.unigram_table, lane.draws, estimator.shared_negatives))
    return score_block(vectors, lane.kept, span, noise, weight, estimator.operands), len(span)


def train_round(vectors: Vectors, plan: Plan, lanes: list[Lane], rates: Rates, totals: Array) -> None:
    """One block of every lane: all scores, then one step."""
    scored = [score_lane(vectors, plan, lane) for lane in lanes if lane.blocks]
    blocks = [block for block, _ in scored]
    update_blocks(vectors, blocks, rates)
    totals[LOSS] += sum(block.loss for block in blocks)
    totals[PAIRS] += sum(block.n_pairs for block in blocks)
    totals[KEPT] += sum(n_kept for _, n_kept in scored)


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: Array
) -> None:
    """Train the units of the queue side by side, in place, as kernel `lockstep` does."""
    assert isinstance(plan.estimator, Lockstep)
    n_lanes, end = plan.estimator.lanes, work.queue[1]
    for first in range(work.queue[0], end, n_lanes):
        units = range(first, min(first + n_lanes, end))
        lanes = [start_unit(tokens, plan, schedule, unit) for unit in units]
        rates = rates_at(schedule, first * UNIT)
        for _ in range(max(len(lane.blocks) for lane in lanes)):
            train_round(vectors, plan, lanes, rates, totals[work.worker])
