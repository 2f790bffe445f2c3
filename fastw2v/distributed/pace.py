"""What ranks tell each other of a step, what combining took, and how many words a step so has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fastw2v.model.arrays import UNIT
from fastw2v.options.replicas import SYNC_WORDS, ReplicaConfig

MOST_SYNC_SHARE = 0.08  # of the time, which the words of a step are adapted to
OLD_SHARE = 0.9  # of an average that a step leaves: as many steps as the ladder takes to climb


class Report(NamedTuple):
    """What a rank tells the others after a step.

    loss, n_pairs, n_kept  its Totals
    problem                why its vectors diverged, or nothing
    signum                 of the signal that it got, or 0
    is_due                 whether a hook wants vectors that all agree on
    train_seconds          that the step took
    sync_seconds           that the combination before it took
    """

    loss: float
    n_pairs: float
    n_kept: int
    problem: str
    signum: int
    is_due: bool
    train_seconds: float
    sync_seconds: float


class Effort(NamedTuple):
    """What a run took at this rank: seconds of training, waiting for other ranks and combining; and its load.

    last_sync   seconds of the last combination
    n_syncs     combinations
    bytes_sent  for them, without what the messages weigh themselves
    """

    train_seconds: float = 0.0
    wait_seconds: float = 0.0
    sync_seconds: float = 0.0
    last_sync: float = 0.0
    n_syncs: int = 0
    bytes_sent: int = 0

    @property
    def seconds(self) -> float:
        """All together."""
        return max(self.train_seconds + self.wait_seconds + self.sync_seconds, 1e-9)

    @property
    def sync_share(self) -> float:
        """Of the time, that combining took."""
        return self.sync_seconds / self.seconds

    @property
    def wait_share(self) -> float:
        """Of the time, that this rank waited for others."""
        return self.wait_seconds / self.seconds

    def plus(self, train: float, wait: float, sync: float) -> Effort:
        """With one more step."""
        train, wait = self.train_seconds + train, self.wait_seconds + wait
        return Effort(train, wait, self.sync_seconds + sync, sync, self.n_syncs + 1)


@dataclass
class Pace:
    """How many units each rank trains in a step: fixed, or adapted to what combining takes.

    units   for the next step
    """

    is_fixed: bool
    units: int
    train_seconds: float = 0.0  # a unit
    sync_seconds: float = 0.0  # a combination

    @classmethod
    def of(cls, plan: ReplicaConfig) -> Pace:
        """The pace that a plan asks for."""
        words = plan.sync_words or SYNC_WORDS
        return cls(plan.sync_words != 0, max(1, words // UNIT))

    def step(self, units_at_once: int) -> int:
        """Units of the next step, which a backend that takes some together can take."""
        return -(-self.units // units_at_once) * units_at_once

    def adapt(self, reports: list[Report], units: int) -> None:
        """Take a step of so many units into account; the same at all ranks."""
        if self.is_fixed:
            return
        train = max(report.train_seconds for report in reports) / units
        sync = max(report.sync_seconds for report in reports)
        old = OLD_SHARE if self.train_seconds else 0.0
        self.train_seconds = old * self.train_seconds + (1 - old) * train
        self.sync_seconds = old * self.sync_seconds + (1 - old) * sync
        wanted = self.sync_seconds * (1 - MOST_SYNC_SHARE) / (MOST_SYNC_SHARE * max(self.train_seconds, 1e-9))
        self.units = max(1, self.units // 2, min(2 * self.units, round(wanted)))
