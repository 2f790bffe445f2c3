"""Who trains for `fastw2v train`: this process alone, or several, of which rank 0 speaks and leads."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fastw2v.commands.declared import names_of
from fastw2v.commands.options import (
    load_corpus,
    read_vocabularies,
    say_read,
    take_corpus_options,
    take_memory,
)
from fastw2v.config import SYNC_UNIT, SYNC_WORDS, ReadConfig, ReplicaConfig, TrainConfig
from fastw2v.distributed.communicator import (
    Communicator,
    fair_cores,
    has_launcher,
    open_communicator,
    ranks_here,
)
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.read import Corpus
    from fastw2v.corpus.vocabulary import Vocabulary
    from fastw2v.distributed.pace import Effort
    from fastw2v.distributed.shards import SharedCorpus
    from fastw2v.show.progress import Display
    from fastw2v.training.checkpoint.manifest import Saved
    from fastw2v.training.hooks import Hook, Trained
    from fastw2v.vectors.embeddings import Embeddings


class Trainer(Protocol):
    """Reads the corpus and trains on it.

    config       with the threads of this process where it settled them
    settled      further options that it settled
    n_tokens     of the whole corpus, once it is read
    fingerprint  of the whole corpus; None where this process has all of it
    effort       of combining replicas, after training; None where there is one
    """

    config: TrainConfig
    settled: dict[str, Any]
    n_tokens: int
    fingerprint: str | None
    effort: Effort | None

    def read(self, options: dict[str, Any], display: Display) -> Corpus:
        """The corpus, or this process's part of it, telling the user how far it is."""

    def train(
        self,
        corpus: Corpus,
        hooks: Sequence[Hook],
        init: Embeddings | None,
    ) -> Trained:
        """Train, as `fastw2v.training.loop.train` does."""


def reading_of(options: dict[str, Any]) -> tuple[ReadConfig, Vocabulary | None, Memory]:
    """What a command's options say of reading; the options stay."""
    options = dict(options)
    config, read_vocab = take_corpus_options(options)
    memory = take_memory(options)
    return config, read_vocabularies(read_vocab) if read_vocab else None, memory


class Alone:
    """Trains in this process."""

    fingerprint: str | None = None
    effort: Effort | None = None

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.n_tokens = config, 0
        self.settled: dict[str, Any] = {}

    def read(self, options: dict[str, Any], display: Display) -> Corpus:
        """The corpus."""
        reading, vocabulary, memory = reading_of(options)
        corpus = load_corpus(options["source"], reading, display, self.config.threads, vocabulary, memory)
        self.n_tokens = len(corpus.ids)
        return corpus

    def train(
        self,
        corpus: Corpus,
        hooks: Sequence[Hook],
        init: Embeddings | None,
    ) -> Trained:
        """Train in this process."""
        from fastw2v.training import loop

        return loop.train(corpus, self.config, hooks, init)


class Job(NamedTuple):
    """What rank 0 asks all ranks to do, in values that JSON can hold.

    source      names of the corpus
    reading     the options of reading it
    config      fields of TrainConfig
    plan        fields of ReplicaConfig
    only_reads  whether that is all
    """

    source: list[str]
    reading: dict[str, Any]
    config: dict[str, Any]
    plan: dict[str, Any]
    only_reads: bool


class Leader:
    """Rank 0 of several processes, or the one process that goes on with what several began."""

    effort: Effort | None = None
    fingerprint: str | None = None
    n_tokens = 0

    def __init__(self, communicator: Communicator, job: Job) -> None:
        self.communicator, self.job, self.settled = communicator, job, dict(job.plan)
        self.config = TrainConfig(**job.config)

    def read(self, options: dict[str, Any], display: Display) -> Corpus:
        """The part of rank 0, while the others, who are sent the job, read theirs."""
        self.communicator.broadcast(self.job)
        self.shared = read_part(self.job, self.communicator, self.config.threads or 1, display)
        self.n_tokens = self.shared.n_tokens
        self.fingerprint = self.shared.fingerprint
        size = self.communicator.size
        if size > 1:
            words, lr = self.job.plan["sync_words"], self.config.lr
            step = f"{words // SYNC_UNIT * SYNC_UNIT:,} words" if words else "what suits the network"
            display.say(
                f"{size} processes of {self.config.threads} threads combine after {step} each; "
                f"lr {lr:g} (try one process's times {size**0.5:.2f})"
            )
        return self.shared.corpus

    def train(
        self,
        corpus: Corpus,
        hooks: Sequence[Hook],
        init: Embeddings | None,
    ) -> Trained:
        """Train together with the others."""
        from fastw2v.distributed.loop import train_replicas

        plan = ReplicaConfig(**self.job.plan)
        trained, self.effort = train_replicas(self.shared, self.config, plan, self.communicator, hooks, init)
        return trained


def trainer_of(options: dict[str, Any], saved: Saved | None, *, only_reads: bool) -> Trainer:
    """Who trains, with these options, at rank 0; saved is the checkpoint to go on from.

    Raises UsageError for what only one process can do, and where several would go on with what one began: it
    takes the corpus in another order.
    """
    from fastw2v.backends import require_supported

    communicator = open_communicator()
    config = TrainConfig(**{name: options[name] for name in TrainConfig.__dataclass_fields__})
    require_supported(config)
    plan = ReplicaConfig(options["sync_words"], options["combine"], options["overlap"])
    was_shared = saved is not None and bool(saved.position.legs)
    if communicator.size == 1 and not was_shared:
        if not has_launcher():
            require_no_plan(plan)
        return Alone(config)
    if saved and not was_shared:
        raise UsageError("the run to go on with was begun by one process: go on without mpirun")
    if config.holdout:
        raise UsageError("holdout is judged in one process: leave it out, or train without mpirun")
    if config.shuffle:
        raise UsageError(
            "shuffle is for one process: leave it out, several take another order each epoch anyway"
        )
    cores = fair_cores(communicator)
    config = replace(config, threads=config.threads or cores)
    if plan.sync_words is None:
        plan = replace(plan, sync_words=SYNC_WORDS * (config.threads or 1))
    reading = {name: options[name] for name in names_of("read")}
    return Leader(
        communicator,
        Job(list(options["source"]), reading, asdict(config), asdict(plan), only_reads),
    )


def require_no_plan(plan: ReplicaConfig) -> None:
    """Raise UsageError for options of several processes in a run that no launcher started."""
    for name, value in asdict(plan).items():
        if value != getattr(ReplicaConfig, name):
            given = f"{name} is for several processes" if value is True else f"{name} is {value}: that is for"
            given = given if value is True else f"{given} several processes"
            raise UsageError(f"{given}: start them with mpirun -n 2, or leave {name} out", (name,))


def read_part(job: Job, communicator: Communicator, threads: int, display: Display) -> SharedCorpus:
    """This rank's part of the corpus."""
    from fastw2v.distributed.shards import read_shared_corpus
    from fastw2v.show.progress import reading_shown

    reading, vocabulary, memory = reading_of(job.reading)
    memory = memory._replace(n_sharing=ranks_here(communicator))
    started = time.perf_counter()
    shared = read_shared_corpus(
        job.source,
        communicator,
        vocabulary=vocabulary,
        threads=threads,
        memory=memory,
        on_progress=reading_shown(display),
        **vars(reading),
    )
    say_read(shared.corpus, shared.n_tokens, time.perf_counter() - started, display)
    return shared


def follow(communicator: Communicator, threads: int | None) -> None:
    """What every rank but 0 does: the job that rank 0 sends, in silence."""
    cores = fair_cores(communicator)
    job = Job(*communicator.broadcast(None))
    config = replace(TrainConfig(**job.config), threads=threads or cores)
    from fastw2v.distributed.loop import train_replicas
    from fastw2v.show.progress import Display

    shared = read_part(job, communicator, config.threads or 1, Display(sys.stderr, quiet=True))
    if job.only_reads:
        return
    train_replicas(shared, config, ReplicaConfig(**job.plan), communicator)
