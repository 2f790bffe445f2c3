"""One run: in this process alone, or in several, each of which does its part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from fastw2v.backends import require_supported
from fastw2v.config import TrainConfig
from fastw2v.corpus.files.pipes import require_no_pipe
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.distributed.communicator import Communicator, fair_cores, has_launcher, ranks_here
from fastw2v.errors import UsageError
from fastw2v.options.replicas import SYNC_WORDS, ReplicaConfig
from fastw2v.run.graphs import read_walks, require_walkable
from fastw2v.run.pairs import read_given, require_pairs
from fastw2v.run.request import Request, from_json
from fastw2v.system.machine import usable_cores
from fastw2v.training import loop
from fastw2v.training.checkpoint.manifest import Saved
from fastw2v.training.compilation import Compilation, compile_beside
from fastw2v.training.holdout import Score, split
from fastw2v.training.hooks import Hook, Trained
from fastw2v.training.last_items import (
    lengths_without_last,
    next_item_score,
    require_two,
    without_last,
)
from fastw2v.training.step_size import with_learning_rate
from fastw2v.vectors.embeddings import Embeddings

if TYPE_CHECKING:  # what only several processes need is imported where they do, and phrases bring Numba
    from fastw2v.corpus.phrases.find import OnPass
    from fastw2v.distributed.pace import Effort

OnRead = Callable[[float, int], None]


class Run:
    """A run of one process, or what one of several does of it.

    request      Request, with the threads of this process, and words of a step, settled where several train
    is_shared    whether several train, or began what this process goes on with
    n_tokens     of the whole corpus, once it is read
    fingerprint  of the corpus to train on, once that is settled; None where this process holds all of it
    held_out     Corpus of the sentences kept out, once that is settled; at rank 0
    effort       of combining replicas, after training; None where there is one
    compilation  of the kernel beside the reading; None where there is none
    scores       what the run is judged by beside what files say, once the corpus is settled
    """

    n_tokens = 0
    fingerprint: str | None = None
    held_out: Corpus | None = None
    effort: Effort | None = None
    compilation: Compilation | None = None

    def __init__(
        self,
        request: Request,
        communicator: Communicator,
        saved: Saved | None = None,
        *,
        only_reads: bool = False,
    ) -> None:
        """Settle who trains; saved is the checkpoint to go on from. Of several, rank 0 tells the others.

        Raises UsageError for options of several processes in a run of one, and what cannot go on.
        """
        require_supported(request.training, has_targets(request))
        require_walkable(request, communicator.size)
        require_pairs(request, communicator.size)
        self.communicator, self.only_reads = communicator, only_reads
        self.scores: dict[str, Score] = {}
        self.is_shared = communicator.size > 1 or bool(saved and saved.position.legs)
        if saved:
            require_an_order(request.training, saved, communicator.size)
        if self.is_shared:
            require_no_pipe(request.source, "several processes read the corpus")
            request = settled(request, fair_cores(communicator))
            communicator.broadcast([*request.to_json(), only_reads])
        elif not has_launcher():
            require_no_plan(request.replicas)
        self.request, self.training = request, request.training

    @classmethod
    def of_others(cls, communicator: Communicator, threads: int | None) -> Run:
        """What another rank than 0 does: the run that rank 0 tells, with threads of its own."""
        run = cls.__new__(cls)
        run.communicator, run.is_shared, run.scores = communicator, True, {}
        cores = fair_cores(communicator)
        *told, run.only_reads = communicator.broadcast(None)
        request = from_json(told)
        run.training = replace(request.training, threads=threads or cores)
        run.request = request._replace(training=run.training)
        return run

    def read(self, on_progress: OnRead | None = None, on_pass: OnPass | None = None) -> Corpus:
        """The corpus, or this process's part of it: before anything is kept out.

        on_progress, on_pass   as of `read_corpus`
        """
        request, corpus = self.request, self.request.source
        known: dict[str, Any] = {"vocabulary": request.vocabulary}
        known |= {"on_progress": on_progress, "on_pass": on_pass}
        known |= {"tally": request.tally} | vars(request.reading)
        if self.is_shared:
            from fastw2v.distributed.shards import read_part

            memory = request.memory._replace(n_sharing=ranks_here(self.communicator))
            threads = self.training.threads or 1
            self.part = read_part(corpus, self.communicator, threads=threads, memory=memory, **known)
            corpus = self.part.corpus
        elif not isinstance(corpus, Corpus):
            if request.graph.graph:
                self._compile_beside()
                corpus = read_walks(request, on_progress)
            elif request.pairs.pairs:
                self._compile_beside()
                corpus = read_given(request, on_progress)
            else:
                known |= {"threads": self.training.threads or usable_cores(), "memory": request.memory}
                corpus = read_corpus(corpus, on_open=self._compile_beside, **known)
        self.corpus: Corpus = corpus
        n_here = corpus.n_tokens
        self.n_tokens = sum(self.communicator.gather(n_here)) if self.is_shared else n_here
        self.training = with_learning_rate(self.training, self.n_tokens, request.n_tokens_before)
        return corpus

    def _compile_beside(self) -> None:
        """Have the kernel compiled while the corpus is read, but where memory is short."""
        request = self.request
        if not (self.only_reads or request.memory.limit):  # it takes 400 MB beside the corpus
            self.compilation = compile_beside(
                self.training,
                weighted=request.reading.weight is not None,
                pairs=request.pairs.pairs,
                targets=has_targets(request),
            )

    def settle(self) -> Corpus:
        """What is trained on: without what is kept out, and dealt in portions where several train."""
        if self.is_shared:
            self._share()
            return self.corpus
        if self.training.eval_next_item:
            self.scores["next item"] = next_item_score(self.corpus)
        if self.training.leave_last_out:
            require_two(int(lengths_without_last(self.corpus.offsets).max(initial=0)))
            self.corpus = without_last(self.corpus)
        if self.training.holdout:
            self.corpus, self.held_out = split(self.corpus, self.training.holdout, self.training.seed)
        return self.corpus

    def _share(self) -> None:
        """`settle` where several train."""
        from fastw2v.distributed.holdout import hold_out
        from fastw2v.distributed.last_items import shared_next_item_score, without_last_items
        from fastw2v.distributed.portions import in_portions

        part, share = self.part, self.training.holdout
        if self.training.eval_next_item and (score := shared_next_item_score(part, self.communicator)):
            self.scores["next item"] = score
        if self.training.leave_last_out:
            part = without_last_items(part, self.communicator)
        if share:
            part, held_out = hold_out(part, share, self.training.seed, self.communicator)
            self.held_out = held_out if self.communicator.rank == 0 else None
        self.shared = in_portions(part, self.communicator)
        self.n_tokens, self.fingerprint = self.shared.n_tokens, self.shared.fingerprint
        self.corpus = self.shared.corpus

    def train(self, hooks: Sequence[Hook] = (), init: Embeddings | None = None) -> Trained:
        """Train, as `fastw2v.training.loop.train` does; all processes return the same vectors."""
        if not self.is_shared:
            beside = self.compilation.wait(hooks) if self.compilation else 0.0
            trained = loop.train(self.corpus, self.training, hooks, init)
            return replace(trained, compile_seconds=trained.compile_seconds + beside)
        from fastw2v.distributed.loop import train_replicas

        request, communicator = self.request, self.communicator
        trained, self.effort = train_replicas(
            self.shared, self.training, request.replicas, communicator, hooks, init
        )
        return trained


def settled(request: Request, cores: int) -> Request:
    """With the threads of this process and the words of a step."""
    training, replicas = request.training, request.replicas
    training = replace(training, threads=training.threads or cores)
    if replicas.sync_words is None:
        replicas = replace(replicas, sync_words=SYNC_WORDS * (training.threads or 1))
    return request._replace(training=training, replicas=replicas)


def require_an_order(training: TrainConfig, saved: Saved, n_processes: int) -> None:
    """Raise UsageError where a shuffled epoch was begun by one process: several draw another order."""
    if training.shuffle and saved.position.unit and n_processes > 1:
        raise UsageError(
            "one process is amid an epoch that it shuffled, and several draw another order: go on without "
            "mpirun until that epoch ends, or start a new run"
        )


def has_targets(request: Request) -> bool:
    """Whether sentences have a target that their centres predict."""
    is_read = isinstance(request.source, Corpus) and request.source.targets is not None
    return is_read or request.reading.global_context is not None


def require_no_plan(replicas: ReplicaConfig) -> None:
    """Raise UsageError for options of several processes in a run that no launcher started."""
    for name, value in asdict(replicas).items():
        if value != getattr(ReplicaConfig, name):
            given = f"{name} is for several processes" if value is True else f"{name} is {value}: that is for"
            given = given if value is True else f"{given} several processes"
            raise UsageError(f"{given}: start them with mpirun -n 2, or leave {name} out", (name,))
