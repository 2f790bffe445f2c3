"""The door to the reference: what `--backend reference` runs, and the kernels' yardstick."""

from __future__ import annotations

from fastw2v.model.arrays import Tokens, Totals, Vectors, new_totals, summed, work_on
from fastw2v.model.plan import Block, Lockstep, Pair, Panels, Paths, Plan, Schedule, Whole, no_steps
from fastw2v.reference import block, lockstep, pair, paths, whole

TRAINERS = {
    Pair: pair.train_units,
    Paths: paths.train_units,
    Whole: whole.train_units,
    Panels: whole.train_units,
    Block: block.train_units,
    Lockstep: lockstep.train_units,
}


class ReferenceBackend:
    """Trains units in NumPy, in one thread; the matrices in `vectors` change in place.

    units_at_once  how many a call takes together: calls begin at multiples of it
    least_groups   so many of them in a call keep all workers busy: there is one
    """

    least_groups = 1

    def __init__(self, plan: Plan, vectors: Vectors) -> None:
        self.plan, self.vectors = plan, vectors
        self.units_at_once = plan.estimator.lanes if isinstance(plan.estimator, Lockstep) else 1
        self.train_units = TRAINERS[type(plan.estimator)]

    def compile(self, tokens: Tokens) -> None:
        """Nothing to do."""

    def train(self, tokens: Tokens, schedule: Schedule, first: int, end: int) -> Totals:
        """Train units first ≤ u < end of the tokens."""
        totals = new_totals(1)
        self.train_units(self.vectors, tokens, self.plan, schedule, work_on(first, end), totals)
        return summed(totals)

    def loss(self, tokens: Tokens, epoch_key: int, end: int) -> Totals:
        """The loss of units 0 ≤ u < end with the draws of that key; no vector changes."""
        return self.train(tokens, no_steps(epoch_key), 0, end)

    def host(self) -> Vectors:
        """The matrices."""
        return self.vectors
