"""The door to the reference: what `--backend reference` runs."""

from __future__ import annotations

from fastw2v.model.arrays import Tokens, Totals, Vectors
from fastw2v.model.plan import Estimator, Sampler, Schedule, Window
from fastw2v.reference.block import train_unit_block
from fastw2v.reference.lockstep import train_group
from fastw2v.reference.pair import train_unit_pair


class ReferenceBackend:
    """Trains units in NumPy: the backend that `--backend reference` runs, and the kernels' yardstick."""

    def __init__(
        self, vectors: Vectors, tokens: Tokens, sampler: Sampler, window: Window, estimator: Estimator
    ) -> None:
        self.arrays = (vectors, tokens, sampler)
        self.options = (window, estimator)
        self.units_at_once = estimator.lanes
        self.train_unit = train_unit_block if estimator.block_size else train_unit_pair

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end, one after the other, or side by side where the estimator has lanes."""
        totals = Totals(0.0, 0, 0)
        if self.units_at_once > 1:
            for start in range(first, end, self.units_at_once):
                units = range(start, min(start + self.units_at_once, end))
                totals = totals.plus(train_group(*self.arrays, schedule, *self.options, units))
            return totals
        for unit in range(first, end):
            totals = totals.plus(self.train_unit(*self.arrays, schedule, *self.options, unit))
        return totals
