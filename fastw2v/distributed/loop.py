"""The training loop of several processes: a step at every rank, then what they learnt combined.

    share of the epoch ─► step of S words at each rank ─► reports of all ranks ─► rows combined ─► next step

All ranks make the same steps in the same order; a rank whose share ends first goes on combining. Rank 0 alone
shows progress, keeps checkpoints and has callbacks; all call what needs all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from fastw2v.backends import Backend, domains_for, make, plan_of, require_supported
from fastw2v.config import TrainConfig
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.pace import Effort, Pace, Report
from fastw2v.distributed.portions import SharedCorpus
from fastw2v.distributed.rows import Replica, ladder_rows, ngram_rows_of
from fastw2v.distributed.shares import IN_ORDER, Legs, Share, take_share
from fastw2v.errors import DivergedError
from fastw2v.model.arrays import Totals, n_units
from fastw2v.model.plan import Schedule
from fastw2v.model.sources import Buffer
from fastw2v.model.streams import epoch_key
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.system import interrupts
from fastw2v.training.compilation import compile_kernels
from fastw2v.training.health import require_neighbours
from fastw2v.training.hooks import Hook, Position, Trained
from fastw2v.training.loop import Loop
from fastw2v.training.notify import ended, tell_stage
from fastw2v.training.spans import Span, Synchronized
from fastw2v.training.start import (
    begin,
    counting_sentences,
    finish,
    longest_sentence,
    require_some_weight,
    require_usable,
)
from fastw2v.training.step_size import with_learning_rate
from fastw2v.vectors.embeddings import Embeddings


def train_replicas(
    shared: SharedCorpus,
    config: TrainConfig,
    plan: ReplicaConfig,
    communicator: Communicator,
    hooks: Sequence[Hook] = (),
    init: Embeddings | None = None,
) -> tuple[Trained, Effort]:
    """Train vectors on a corpus that the ranks of a communicator hold together; all return the same ones.

    Does what `fastw2v.training.loop.train` does in one process, and with its errors. Rank 0's hooks are told
    of the run as they are there, and init is rank 0's. Another rank's may only do what rank 0's do, too, and
    at the same moments. With one thread at each rank, or config.deterministic, a seed and a number of ranks
    name the vectors.
    """
    require_supported(config, targeted := shared.corpus.targets is not None)
    require_usable(shared.corpus, is_part=True)
    told = communicator.gather([longest_sentence(shared.corpus.offsets), *counting_sentences(shared.corpus)])
    longests, *sentences = zip(*told, strict=True)
    require_some_weight(*map(sum, sentences))
    require_neighbours((longest := max(longests)) + targeted)
    config = with_learning_rate(config, shared.n_tokens)
    first = communicator.rank == 0
    n_copies = 1 + (communicator.size > 1)
    vocabulary = shared.corpus.vocabulary
    counts = vocabulary.counts
    kernel_plan = plan_of(config, counts, longest, vocabulary.words, has_targets=targeted)
    domains = domains_for(kernel_plan, len(counts), config.backend, config.threads)
    vectors, start = begin(shared.corpus, config, hooks, init if first else None, n_copies, len(domains))
    start = position_of(communicator.broadcast(start))
    for matrix in vectors:
        communicator.broadcast_array(matrix)
    ngram_rows = ngram_rows_of(kernel_plan.inputs, counts)
    replica = Replica(vectors, config.dim, communicator, plan.combine, ngram_rows)

    tell_stage(hooks, "compile")
    backend = make(kernel_plan, vectors, config.backend, config.threads, domains)
    if not first:
        communicator.barrier()  # rank 0 fills the cache of machine code, which others often share
    compile_seconds = compile_kernels(backend, shared.corpus, hooks)
    if first:
        communicator.barrier()

    tell_stage(hooks, "train")
    loop = ReplicaLoop(shared, config, plan, replica, backend, hooks)
    with loop.signals():
        end, words = loop.run(start)
    trained = finish(shared.corpus, config, backend, end, words, compile_seconds)
    return ended(trained, hooks), loop.effort._replace(bytes_sent=replica.bytes_sent)


def position_of(fields: list[Any]) -> Position:
    """A Position as JSON carried it."""
    epoch, unit, totals, seconds, legs = fields
    return Position(epoch, unit, Totals(*totals), seconds, tuple((n, units) for n, units in legs))


class ShareSpan(Span):
    """A rank's share of the last leg of an epoch.

    legs   with the units that are trained of the last
    """

    def __init__(self, share: Share, epoch: int, tokens_before: int, legs: Legs) -> None:
        buffer = Buffer(share.tokens, share.key, 0, 0, len(share.tokens.ids))
        super().__init__(buffer, epoch, legs[-1][1], tokens_before)
        self.share, self._legs, self.end = share, legs, n_units(max(share.sizes))

    def tokens_after(self, unit: int) -> int:
        """Tokens of the run that are trained once each rank did so many units."""
        return self.tokens_before + self.share.tokens_after(unit)

    def place(self, unit: int) -> dict[str, Any]:
        """Fields of the Position once each rank did so many units."""
        legs = (*self._legs[:-1], (self._legs[-1][0], unit))
        return {"epoch": self._epoch, "unit": 0, "legs": legs}


class ReplicaLoop(Loop):
    """The steps of a run at one rank.

    shared     SharedCorpus
    plan       ReplicaConfig
    replica    Replica, which knows the communicator
    backend    Backend, which trains its vectors
    hooks      of this rank
    """

    def __init__(
        self,
        shared: SharedCorpus,
        config: TrainConfig,
        plan: ReplicaConfig,
        replica: Replica,
        backend: Backend,
        hooks: Sequence[Hook],
    ) -> None:
        super().__init__(backend, shared.corpus, config, hooks, shared.n_tokens)
        self.shared, self.replica, self.communicator = shared, replica, replica.communicator
        self.pace, self.overlaps, self.effort = Pace.of(plan), plan.overlap, Effort()
        self.n_steps, self.problem, self.train_seconds = 0, "", 0.0
        asked = [any(hook.may_stop for hook in hooks), any(hook.defers_signals for hook in hooks)]
        self.may_stop, self.defers = self.communicator.broadcast(asked)

    def signals(self) -> contextlib.AbstractContextManager[None]:
        """Within the block signals wait for the end of a step, where a hook of rank 0 wants that."""
        return interrupts.deferred() if self.defers else contextlib.nullcontext()

    def spans(self, position: Position) -> Iterator[Span]:
        """This rank's share of an epoch, from a position on."""
        size, legs = self.communicator.size, position.legs
        if position.unit:
            legs = ((IN_ORDER, position.unit),)
        if not legs or legs[-1][0] != size:
            legs = (*legs, (size, 0))
        key = epoch_key(self.config.seed, position.epoch)
        share = take_share(self.shared, self.communicator, key, legs, self.config.shuffle)
        self.n_steps = legs[-1][1] // self.pace.step(self.backend.units_at_once)  # of this leg of the epoch
        self.n_done = position.epoch * self.n_tokens + share.tokens_after(legs[-1][1])
        yield ShareSpan(share, position.epoch, position.epoch * self.n_tokens, legs)

    def step_end(self, span: Span, unit: int) -> int:
        """Where a step from this unit on ends."""
        at_once = self.backend.units_at_once
        most = self.budget.most_units(at_once, self.n_done, self.communicator.size)
        return min(unit + min(self.pace.step(at_once), most), span.end)

    def schedule(self, span: Span, unit: int) -> Schedule:
        """This rank's from this unit on: while its tokens pass, so do those of all ranks."""
        assert isinstance(span, ShareSpan)
        pace = sum(span.share.sizes) / max(len(span.tokens.ids), 1)
        return self.budget.schedule(span.key, unit, self.n_done, pace)

    def train(self, span: Span, first: int, end: int) -> Totals:
        """Train this rank's units of a step, and take the time."""
        started = time.perf_counter()
        totals = super().train(span, first, end)
        self.train_seconds = time.perf_counter() - started
        return totals

    def check(self, mean_loss: float) -> None:
        """Note where this rank's vectors diverged, for all to hear of it."""
        try:
            super().check(mean_loss)
        except DivergedError as error:
            self.problem = self.problem or str(error)

    def synchronize(self, span: Span, units: tuple[int, int], totals: Totals, is_due: bool) -> Synchronized:
        """After a step: hear of the other ranks and combine.

        Raises DivergedError where the vectors of any rank diverged.
        """
        first, end = units
        self.n_steps += 1
        ended_at = time.perf_counter()
        self.replica.receive()
        received = time.perf_counter()
        reports = self.gather_reports(totals, is_due)
        heard = time.perf_counter()
        signum = max(report.signum for report in reports)
        n_rows = ladder_rows(self.n_steps, self.replica.n_rows)
        if signum or any(report.is_due for report in reports) or end == span.end:
            self.replica.combine()
        elif self.overlaps:
            self.replica.send(n_rows)
        else:
            self.replica.combine(n_rows)
        combined = time.perf_counter()
        syncing = combined - heard + received - ended_at
        self.effort = self.effort.plus(self.train_seconds, heard - received, syncing)
        self.pace.adapt(reports, end - first)
        columns = zip(*(report[:3] for report in reports), strict=True)
        return Synchronized(Totals(*(sum(column) for column in columns)), signum)

    def gather_reports(self, totals: Totals, is_due: bool) -> list[Report]:
        """The reports of all ranks; raises DivergedError if there is a problem in any."""
        report = Report(
            totals.loss,
            totals.n_pairs,
            totals.n_kept,
            problem=self.problem,
            signum=interrupts.received() or 0,
            is_due=is_due,
            train_seconds=self.train_seconds,
            sync_seconds=self.effort.last_sync,
        )
        reports = [Report(*fields) for fields in self.communicator.gather(report)]
        for problem in (report.problem for report in reports if report.problem):
            raise DivergedError(problem)
        return reports

    def agree_to_stop(self, stops: bool, signum: int) -> bool:
        """Whether rank 0 ends the run after this step: by a hook, its clock, or a signal, having written."""
        if self.budget.follows_clock:
            self.budget.clock = self.communicator.broadcast(self.budget.clock)
        asks = self.may_stop or self.budget.follows_clock or signum
        return bool(self.communicator.broadcast(stops)) if asks else False
