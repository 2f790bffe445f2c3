"""Units side by side, a block of each making one step; the twin of `fastw2v.kernels.lockstep`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastw2v.model.arrays import UNIT, Tokens, Totals, Vectors
from fastw2v.model.plan import Estimator, Sampler, Schedule, Window
from fastw2v.model.streams import noise_stream
from fastw2v.reference.block import block_terms, blocks_of, descend_together
from fastw2v.reference.units import KeptToken, draw_shared, keep_unit, learning_rate_at, shares_of


class Lane(NamedTuple):
    """A unit on its way: its kept tokens, the blocks still to come, its noise stream."""

    kept: list[KeptToken]
    blocks: list[range]
    draws: Iterator[int]


def train_group(
    vectors: Vectors,
    tokens: Tokens,
    sampler: Sampler,
    schedule: Schedule,
    window: Window,
    estimator: Estimator,
    units: range,
) -> Totals:
    """Train units side by side, in place, as kernel `lockstep` does: a block of each makes one step."""
    key = int(schedule.epoch_key)
    learning_rate, shares = learning_rate_at(schedule, units.start * UNIT), shares_of(schedule)
    lanes, n_kept = [], 0
    for unit in units:
        kept, centers = keep_unit(tokens, sampler, key, window, unit)
        blocks = blocks_of(centers, estimator.block_size)
        lanes.append(Lane(kept, blocks[::-1], noise_stream(key, unit)))
        n_kept += len(centers)
    loss, n_pairs = 0.0, 0
    while active := [lane for lane in lanes if lane.blocks]:
        terms = []
        for lane in active:
            noise = draw_shared(sampler.unigram_table, lane.draws, estimator.shared_negatives)
            terms.append(block_terms(vectors, lane.kept, lane.blocks.pop(), noise, estimator))
        descend_together(vectors, terms, learning_rate, shares)
        loss += sum(term.loss for term in terms)
        n_pairs += sum(term.n_pairs for term in terms)
    return Totals(loss, n_pairs, n_kept)
