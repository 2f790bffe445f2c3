"""The training loop: epochs × steps × calls of at most half a second; the only place that knows their order.

A step is what a process trains before it looks about, for signals, hooks and other processes: one call alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from fastw2v.backends import Backend, domains_for, make, plan_of, require_supported
from fastw2v.config import TrainConfig
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.read import Corpus
from fastw2v.model.arrays import NOTHING, UNIT, Totals, n_units
from fastw2v.model.plan import Schedule
from fastw2v.system import interrupts
from fastw2v.training.budget import Sizes, budget_of
from fastw2v.training.compilation import compile_kernels
from fastw2v.training.health import require_healthy, require_neighbours
from fastw2v.training.hooks import START, Hook, Moment, Position, Progress, Trained, is_stopped
from fastw2v.training.notify import ended, signals_of, tell_stage
from fastw2v.training.shuffling import epoch_buffers
from fastw2v.training.spans import Span, Synchronized, next_size
from fastw2v.training.start import begin, finish, longest_sentence, require_usable, settled
from fastw2v.training.step_size import with_learning_rate
from fastw2v.vectors.embeddings import Embeddings


def train(
    corpus: Corpus, config: TrainConfig, hooks: Sequence[Hook] = (), init: Embeddings | None = None
) -> Trained:
    """Train vectors on an encoded corpus.

    hooks   told of the run at each of its moments, in this order
    init    words of it start with their vectors there, other words as usual

    Raises UsageError (vocabulary under two words, arrays that are no corpus), CorpusError (no word with a
    neighbour), DivergedError, OutputError (memory), and what hooks raise.
    """
    require_supported(config, targeted := corpus.targets is not None)
    corpus = settled(corpus)
    require_usable(corpus)
    config = with_learning_rate(config, corpus.n_tokens)
    longest = corpus.source.longest if corpus.source else longest_sentence(corpus.offsets)
    require_neighbours(longest + targeted)
    words, others = corpus.vocabulary, corpus.outside_counts
    plan = plan_of(config, words.counts, longest, words.words, others, targeted)
    domains = domains_for(plan, len(words), config.backend, config.threads)
    vectors, start = begin(corpus, config, hooks, init, n_domains=len(domains))
    backend = make(plan, vectors, config.backend, config.threads, domains)
    tell_stage(hooks, "compile")
    compile_seconds = compile_kernels(backend, corpus, hooks)
    tell_stage(hooks, "train")
    with signals_of(hooks):
        end, n_words = Loop(backend, corpus, config, hooks).run(start)
    return ended(finish(corpus, config, backend, end, n_words, compile_seconds), hooks)


class Loop:
    """The steps of a run; where it is cut into calls does not change what is trained.

    corpus   Corpus, or the part of it that this process has
    """

    def __init__(
        self, backend: Backend, corpus: Corpus, config: TrainConfig, hooks: Sequence[Hook], n_tokens: int = 0
    ) -> None:
        self.backend, self.corpus, self.config, self.hooks = backend, corpus, config, hooks
        self.n_tokens = n_tokens or corpus.n_tokens  # of the whole corpus
        self.budget = budget_of(config, Sizes(self.n_tokens, corpus.n_words_read), () if n_tokens else hooks)
        self.n_done = 0  # tokens of the run, by all processes
        self.call_size, self.n_calls = 1, 0
        self.stops, self.started = False, 0.0  # whether a hook ended the run, and when it began

    def run(self, position: Position = START) -> tuple[Position, int]:
        """Every epoch from a position on; returns where it ends and the corpus words until there."""
        self.started = time.perf_counter() - position.seconds
        self.n_done = position.epoch * self.n_tokens + min(position.unit * UNIT, self.n_tokens)
        self.budget.begin(position.seconds)
        for epoch in self.budget.epochs(position.epoch):
            if epoch > position.epoch:
                position = position._replace(epoch=epoch, unit=0, legs=())
            for span in self.spans(position):
                unit = span.first
                while unit < span.end:
                    first, unit = unit, self.step_end(span, unit)
                    position = self.step(span, first, unit, position)
                    if self.stops:
                        return position, self.progress(position, 0.0).words
        return position, self.progress(position, 0.0).words

    # What several processes do in another way.

    def spans(self, position: Position) -> Iterator[Span]:
        """What this process trains of an epoch, from a position on."""
        corpus, epoch, unit = self.corpus, position.epoch, position.unit
        seed, shuffle = self.config.seed, self.config.shuffle
        if corpus.source:
            buffers = corpus.source.buffers(seed, epoch, unit)
        else:
            buffers = epoch_buffers(corpus.tokens, seed, epoch, shuffle, unit)
        for buffer in buffers:
            yield Span(buffer, epoch, unit, epoch * self.n_tokens)

    def step_end(self, span: Span, unit: int) -> int:
        """Where a step from this unit on ends."""
        at_once = self.backend.units_at_once
        most = self.budget.most_units(at_once, span.tokens_after(unit))
        return min(unit + min(self.call_size * at_once, most), span.end)

    def schedule(self, span: Span, unit: int) -> Schedule:
        """What the units of a step share, of which this is the first."""
        if not self.budget.follows_clock:
            unit = 0  # what is said of one unit holds for all of the span, exactly so of the first
        return self.budget.schedule(span.key, unit, span.tokens_after(unit), span.pace)

    def check(self, mean_loss: float) -> None:
        """Raise DivergedError where this process's vectors diverged; several tell each other before."""
        backend = self.backend
        rate = self.budget.config.learning_rate
        require_healthy(backend.host(), mean_loss, backend.plan.objective, rate, self.n_calls)

    def synchronize(self, span: Span, units: tuple[int, int], totals: Totals, is_due: bool) -> Synchronized:
        """After this process trained units first ≤ u < end of a step; is_due asks for agreed vectors."""
        return Synchronized(totals, interrupts.received() or 0)

    def agree_to_stop(self, stops: bool, signum: int) -> bool:
        """Whether the run ends after this step, for all processes, once all hooks were told of a signal."""
        return stops

    def step(self, span: Span, first: int, end: int, position: Position) -> Position:
        """Train a step and tell hooks of it; returns where the run stands then.

        Raises DivergedError, and Interrupted for a signal after those hooks were told that defer it.
        """
        began = time.perf_counter()
        totals = self.train(span, first, end)
        self.n_done, now = span.tokens_after(end), time.perf_counter()
        self.budget.spend(self.n_done - span.tokens_after(first), now - began, now - self.started)
        position = position._replace(**span.place(end))
        progress = self.progress(position, totals.mean_loss)
        due = self.budget.in_time([hook for hook in self.hooks if hook.is_due(progress)])
        is_over = self.budget.is_spent
        met = self.synchronize(span, (first, end), totals, bool(due) or is_over)
        seconds = time.perf_counter() - self.started
        position = position._replace(totals=position.totals.plus(met.totals), seconds=seconds)
        moment = self.moment(position, met.totals.mean_loss)
        returned = [hook.after_call(moment) for hook in self.hooks]
        for hook in self.hooks:
            if hook in due or (met.signum and hook.defers_signals):
                returned.append(hook.when_due(moment, position))
        if self.n_done == moment.epoch * self.n_tokens:
            returned += [hook.on_epoch(moment) for hook in self.hooks]
        self.budget.begin(time.perf_counter() - self.started)
        self.stops = self.agree_to_stop(self.stops or is_over or is_stopped(returned), met.signum)
        if met.signum:
            raise interrupts.Interrupted(met.signum)
        return position

    def train(self, span: Span, first: int, end: int) -> Totals:
        """Train units first ≤ u < end of those that there are here, in calls of about CALL_SECONDS."""
        schedule = self.schedule(span, first)
        totals, end = NOTHING, min(end, n_units(len(span.tokens.ids)))
        while first < end:
            last = min(first + self.call_size * self.backend.units_at_once, end)
            started = time.perf_counter()
            called = self.backend.train(span.tokens, schedule, first, last)
            self.resize(-(-(last - first) // self.backend.units_at_once), time.perf_counter() - started)
            for array in (self.corpus.ids, self.corpus.offsets, span.tokens.ids):
                forget(array)
            self.check(called.mean_loss)
            totals, self.n_calls = totals.plus(called), self.n_calls + 1
            if last < end:
                self.tell_on_the_way(span, last, called.mean_loss)
            first = last
        return totals

    def resize(self, n_groups: int, seconds: float) -> None:
        """Take a call of so many groups of units into account: a shorter one than usual shows less."""
        size = next_size(n_groups, seconds, self.backend.least_groups)
        self.call_size = size if n_groups == self.call_size else max(size, self.call_size)

    def tell_on_the_way(self, span: Span, unit: int, mean_loss: float) -> None:
        """Tell hooks of a call within a step; where one ends the run, it ends after the step."""
        self.n_done = span.tokens_after(unit)
        position = Position(seconds=time.perf_counter() - self.started)._replace(**span.place(unit))
        moment = self.moment(position, mean_loss)
        self.stops = is_stopped([hook.after_call(moment) for hook in self.hooks]) or self.stops

    def moment(self, position: Position, mean_loss: float) -> Moment:
        """The run as hooks see it."""
        progress, plan = self.progress(position, mean_loss), self.backend.plan
        words, vectors = self.corpus.vocabulary, self.backend.host()
        known = (words, vectors, self.config.dim, plan.objective, plan.inputs, self.corpus.outside_vocabulary)
        return Moment(position.epoch + 1, progress, *known)

    def progress(self, position: Position, mean_loss: float) -> Progress:
        """Of the run, by all processes."""
        return self.budget.progress(position, self.n_done, mean_loss)
