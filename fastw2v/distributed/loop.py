"""The training loop of several processes: a step at every rank, then what they learned combined.

    share of the epoch ─► step of S words at each rank ─► reports of all ranks ─► rows combined ─► next step

All ranks make the same steps in the same order; a rank whose share ends first goes on combining. Rank 0 alone
shows progress, keeps checkpoints and calls watchers, on vectors that are the same at all ranks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastw2v.backends import Backend, make, plan_of, require_supported
from fastw2v.config import SYNC_WORDS, ReplicaConfig, TrainConfig
from fastw2v.corpus.ids.storage import forget
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.rows import Replica, ladder_rows
from fastw2v.distributed.shards import SharedCorpus
from fastw2v.distributed.shares import Share, take_share
from fastw2v.errors import DivergedError
from fastw2v.model.arrays import NOTHING, UNIT, Totals, n_units
from fastw2v.model.plan import Schedule
from fastw2v.model.streams import epoch_key
from fastw2v.system import interrupts
from fastw2v.training.health import require_healthy, require_neighbours
from fastw2v.training.hooks import NO_LISTENERS, Listeners, Moment, Position, Progress, Trained, is_stopped
from fastw2v.training.loop import next_size, progress_at
from fastw2v.training.start import (
    begin,
    compile_kernels,
    finish,
    longest_sentence,
    make_schedule,
    require_usable,
)
from fastw2v.vectors.embeddings import Embeddings

MOST_SYNC_SHARE = 0.08  # of the time, which the words of a step are adapted to
OLD_SHARE = 0.9  # of an average that a step leaves: as many steps as the ladder takes to climb


class Report(NamedTuple):
    """What a rank tells the others after a step.

    loss, n_pairs, n_kept  its Totals
    problem                why its vectors diverged, or nothing
    signum                 of the signal that it got, or 0
    is_due                 whether rank 0 wants to write a checkpoint
    train_seconds          that the step took
    sync_seconds           that the combination before it took
    """

    loss: float
    n_pairs: int
    n_kept: int
    problem: str
    signum: int
    is_due: bool
    train_seconds: float
    sync_seconds: float


class Step(NamedTuple):
    """Units first ≤ u < end of every rank's share, of those it has, and then a combination.

    number  of the step in the epoch, from 1
    most    units of the largest share
    """

    number: int
    first: int
    end: int
    most: int


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


def train_replicas(
    shared: SharedCorpus,
    config: TrainConfig,
    plan: ReplicaConfig,
    communicator: Communicator,
    listeners: Listeners = NO_LISTENERS,
    on_stage: Callable[[str], None] | None = None,
    init: Embeddings | None = None,
) -> tuple[Trained, Effort]:
    """Train vectors on a corpus that the ranks of a communicator hold together; all return the same ones.

    Does what `fastw2v.training.loop.train` does in one process, and with its errors. Listeners and init are
    rank 0's. With one thread at each rank, or config.deterministic, a seed and a number of ranks name the
    vectors.
    """
    stage = on_stage or (lambda name: None)
    require_supported(config)
    require_usable(shared.corpus)
    longest = max(communicator.gather(longest_sentence(shared.corpus.offsets)))
    require_neighbours(longest)
    first = communicator.rank == 0
    n_copies = 1 + (communicator.size > 1)
    vectors, start = begin(shared.corpus, config, listeners.keeper, init if first else None, n_copies)
    start = position_of(communicator.broadcast(start))
    for matrix in vectors:
        communicator.broadcast_array(matrix)
    replica = Replica(vectors, config.dim, communicator, plan.combine)

    stage("compile")
    backend = make(
        plan_of(config, shared.corpus.vocabulary.counts, longest), vectors, config.backend, config.threads
    )
    if not first:
        communicator.broadcast(None)  # rank 0 fills the cache of machine code, which others often share
    compile_seconds = compile_kernels(backend, shared.corpus)
    if first:
        communicator.broadcast(None)

    stage("train")
    loop = ReplicaLoop(shared, config, plan, replica, backend, listeners)
    end, words = loop.run(start)
    trained = finish(shared.corpus, config, backend, end, words, compile_seconds)
    return trained, loop.effort._replace(bytes_sent=replica.bytes_sent)


def position_of(fields: list[Any]) -> Position:
    """A Position as JSON carried it."""
    epoch, unit, totals, seconds, legs = fields
    return Position(epoch, unit, Totals(*totals), seconds, tuple((n, units) for n, units in legs))


class ReplicaLoop:
    """The steps of a run at one rank.

    shared     SharedCorpus
    plan       ReplicaConfig
    replica    Replica, which knows the communicator
    backend    Backend, which trains its vectors
    listeners  Listeners
    """

    def __init__(
        self,
        shared: SharedCorpus,
        config: TrainConfig,
        plan: ReplicaConfig,
        replica: Replica,
        backend: Backend,
        listeners: Listeners,
    ) -> None:
        self.shared, self.config, self.replica, self.backend = shared, config, replica, backend
        self.pace, self.overlaps = Pace.of(plan), plan.overlap
        self.communicator, self.listeners = replica.communicator, listeners
        self.n_tokens = shared.n_tokens
        self.n_done = 0  # tokens of the run, at all ranks
        self.effort, self.call_size = Effort(), 1

    def run(self, position: Position) -> tuple[Position, int]:
        """Every epoch from a position on; returns where it ends and the corpus words until there."""
        self.started = time.perf_counter() - position.seconds
        for epoch in range(position.epoch, self.config.epochs):
            legs = position.legs if epoch == position.epoch else ()
            position, stops = self.run_epoch(position._replace(epoch=epoch, legs=legs))
            if stops:
                break
        return position, self.progress(position).words

    def run_epoch(self, position: Position) -> tuple[Position, bool]:
        """The steps of an epoch from a position on; returns where it ends, and whether a watcher ends all."""
        size, legs = self.communicator.size, position.legs
        if not legs or legs[-1][0] != size:
            legs = (*legs, (size, 0))
        share = take_share(self.shared, self.communicator, epoch_key(self.config.seed, position.epoch), legs)
        units_at_once = self.backend.units_at_once
        done, most = legs[-1][1], n_units(max(share.sizes))
        number = done // self.pace.step(units_at_once)
        self.n_done = position.epoch * self.n_tokens + share.tokens_after(done)
        if done >= most:  # a run that goes on from the end of an epoch
            return position, False
        while done < most:
            number, end = number + 1, min(done + self.pace.step(units_at_once), most)
            step = Step(number, done, end, most)
            totals, seconds = self.train(share, step)
            done = end
            self.n_done = position.epoch * self.n_tokens + share.tokens_after(done)
            position = self.meet(position._replace(legs=(*legs[:-1], (size, done))), step, totals, seconds)
        return position, self.is_stopped(position)

    def train(self, share: Share, step: Step) -> tuple[Totals, float]:
        """Train this rank's units of a step, in calls no longer than a signal may wait; and the seconds."""
        started = time.perf_counter()
        schedule = self.schedule(share, step.first)
        totals, first, end = NOTHING, step.first, min(step.end, n_units(len(share.tokens.ids)))
        while first < end:
            last = min(first + self.call_size * self.backend.units_at_once, end)
            call_started = time.perf_counter()
            totals = totals.plus(self.backend.train(share.tokens, schedule, first, last))
            n_groups = -(-(last - first) // self.backend.units_at_once)
            size = next_size(n_groups, time.perf_counter() - call_started)
            self.call_size = size if n_groups == self.call_size else max(size, self.call_size)
            first = last
        forget(share.tokens.ids)
        return totals, time.perf_counter() - started

    def schedule(self, share: Share, first: int) -> Schedule:
        """This rank's from unit `first` on: while its tokens pass, so do those of all ranks."""
        pace = sum(share.sizes) / max(len(share.tokens.ids), 1)
        words_before = round(self.n_done / pace) - first * UNIT
        return make_schedule(self.config, round(self.n_tokens / pace), share.key, words_before)

    def meet(self, position: Position, step: Step, totals: Totals, seconds: float) -> Position:
        """After a step: hear of the other ranks, combine, and tell the listeners.

        Raises DivergedError where the vectors of any rank diverged, and Interrupted where any rank got a
        signal that it deferred: rank 0 has written a checkpoint then.
        """
        ended = time.perf_counter()
        self.replica.receive()
        received = time.perf_counter()
        reports = self.hear(position, totals, seconds)
        heard = time.perf_counter()
        signum = max(report.signum for report in reports)
        is_kept = signum > 0 or any(report.is_due for report in reports)
        n_rows = ladder_rows(step.number, len(self.replica.vectors.center))
        if is_kept or step.end == step.most:
            self.replica.combine()
        elif self.overlaps:
            self.replica.send(n_rows)
        else:
            self.replica.combine(n_rows)
        combined = time.perf_counter()
        self.effort = self.effort.plus(seconds, heard - received, combined - heard + received - ended)
        self.pace.adapt(reports, step.end - step.first)
        sums = Totals(*(sum(column) for column in zip(*(report[:3] for report in reports), strict=True)))
        position = position._replace(totals=position.totals.plus(sums), seconds=combined - self.started)
        self.tell(position, sums.mean_loss, is_kept)
        if signum:
            self.communicator.broadcast(None)  # when rank 0 has written
            raise interrupts.Interrupted(signum)
        return position

    def hear(self, position: Position, totals: Totals, seconds: float) -> list[Report]:
        """The reports of all ranks; raises DivergedError if there is a problem in any."""
        problem = ""
        try:
            objective, n_syncs = self.backend.plan.objective, self.effort.n_syncs
            require_healthy(self.backend.host(), totals.mean_loss, objective, self.config.lr, n_syncs)
        except DivergedError as error:
            problem = str(error)
        keeper = self.listeners.keeper
        report = Report(
            *totals,
            problem=problem,
            signum=interrupts.received() or 0,
            is_due=keeper is not None and keeper.is_due(self.progress(position)),
            train_seconds=seconds,
            sync_seconds=self.effort.last_sync,
        )
        reports = [Report(*fields) for fields in self.communicator.gather(report)]
        for problem in (report.problem for report in reports if report.problem):
            raise DivergedError(problem)
        return reports

    def tell(self, position: Position, mean_loss: float, is_kept: bool) -> None:
        """Show progress and write a checkpoint, at rank 0."""
        progress = self.progress(position)._replace(mean_loss=mean_loss)
        if self.listeners.on_progress:
            self.listeners.on_progress(progress)
        if self.listeners.keeper and is_kept:
            self.listeners.keeper.save(self.replica.vectors, position, progress)

    def is_stopped(self, position: Position) -> bool:
        """Whether a watcher at rank 0 ends the run after an epoch."""
        moment = Moment(
            position.epoch + 1,
            self.progress(position),
            self.shared.corpus.vocabulary,
            self.replica.vectors,
            self.config.dim,
        )
        return bool(self.communicator.broadcast(is_stopped(self.listeners.watchers, moment)))

    def progress(self, position: Position) -> Progress:
        """Of the run at all ranks."""
        corpus_words = (self.n_tokens, self.shared.corpus.n_words_read)
        return progress_at(position, self.n_done, position.totals.mean_loss, corpus_words, self.config)
