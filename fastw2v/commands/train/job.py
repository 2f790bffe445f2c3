"""A run of `fastw2v train` and what is around it: processes, checkpoints, display, log, outputs.

Of several processes rank 0 does what is said and written; the others read and train their parts in silence.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import click

from fastw2v.backends import share_ngrams
from fastw2v.commands.declared import names_of
from fastw2v.commands.options import default_output, say_read, take_corpus_options
from fastw2v.commands.places import at_standard_output
from fastw2v.commands.train.checks import check_before_reading, check_outputs
from fastw2v.commands.train.outputs import Outputs, estimate, softmax_lines, summarise
from fastw2v.commands.train.resume import (
    let_graph_decide,
    let_minutes_decide,
    let_pairs_decide,
    run_folder,
    settled,
    with_model,
)
from fastw2v.commands.train.settings import (
    as_typed_line,
    copies_lines,
    resolved,
    with_absolute_paths,
    write_config,
)
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.distributed.communicator import Communicator, open_communicator
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import SYNC_UNIT, ReplicaConfig
from fastw2v.options.together import without_effect
from fastw2v.run.carry_out import CheckpointPlan, Start, carry_out, load_scores
from fastw2v.run.checkpoints import RunFolder
from fastw2v.run.continuing import joined_line, keep_model, lists_of, request_with, start_of
from fastw2v.run.pairs import OF_SENTENCES
from fastw2v.run.processes import Run
from fastw2v.run.request import Request, memory_of, read_vocabularies, rows_of
from fastw2v.run.resume import begun
from fastw2v.run.saved_model import SavedModel
from fastw2v.show.listener import Listener
from fastw2v.show.progress import Display, phrases_shown, reading_shown
from fastw2v.show.run_log import RunLog
from fastw2v.system.machine import usable_cores
from fastw2v.training.health import step_size_warning
from fastw2v.training.holdout import Score
from fastw2v.training.hooks import Trained
from fastw2v.training.matrices import matrix_bytes
from fastw2v.training.start import no_pair_line
from fastw2v.training.step_size import chosen_line, few_epochs_line
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings, with_outside


class Job(Protocol):
    """The steps of the command."""

    def read(self) -> Corpus:
        """The corpus, or this process's part of it."""

    def estimate(self, corpus: Corpus) -> None:
        """Say what training would take."""

    def train(self, corpus: Corpus) -> Trained:
        """Train on it."""

    def write(self, trained: Trained) -> None:
        """Write the vectors and what is beside them."""


class FollowerJob:
    """What another rank than 0 does."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def read(self) -> Corpus:
        """Its part of the corpus; the process ends where rank 0 wants no more."""
        corpus = self.run.read()
        if self.run.only_reads:
            raise click.exceptions.Exit(0)
        return corpus

    def estimate(self, corpus: Corpus) -> None:
        """Nothing: rank 0 does."""

    def train(self, corpus: Corpus) -> Trained:
        """Train with the others."""
        self.run.settle()
        return self.run.train()

    def write(self, trained: Trained) -> None:
        """Nothing: rank 0 does."""


@contextlib.contextmanager
def opened(options: dict[str, Any]) -> Iterator[Job]:
    """A run with the command's options, all of them checked before anything is read.

    Raises UsageError, OutputError for what cannot be written, CorpusError for damaged checkpoints.
    """
    communicator = open_communicator(alone=options["alone"])
    if communicator.rank:
        yield FollowerJob(Run.of_others(communicator, options["threads"]))
        return
    options = options | {"output": at_standard_output("-o", options["output"], options["file_format"])}
    let_minutes_decide(options)
    let_graph_decide(options)
    let_pairs_decide(options)
    # Before the folder of a new run is made; of a run that goes on only its checkpoint knows the options.
    notes = [] if options["resume"] else check_outputs(options)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(run_folder(options))
        options = settled(options, place)
        notes = check_outputs(options) if options["resume"] else notes
        saved = place.saved if place else None
        options, model = with_model(options, resumed=saved is not None)
        run = Run(request_of(options, model), communicator, saved, only_reads=options["dry_run"])
        display = stack.enter_context(open_display(run.training, options["quiet"], options["verbose"]))
        job = LeaderJob(run, options, place, display, model)
        job.outputs.keep_config(job.settings, notes, display)
        job.outputs.require_writable()
        job.load_scores()
        check_before_reading(options, run.training, resumed=saved is not None)
        stack.enter_context(job.start_log())
        yield job


def request_of(options: dict[str, Any], model: SavedModel | None) -> Request:
    """What the options ask for, with the counts of a model to go on with; they stay as they are."""
    reading, read_vocab = take_corpus_options(dict(options))
    reading = replace(reading, **lists_of(model, reading))
    vocabulary = read_vocabularies(read_vocab) if read_vocab else None
    training = TrainConfig(**{name: options[name] for name in TrainConfig.__dataclass_fields__})
    replicas = ReplicaConfig(**{name: options[name] for name in ReplicaConfig.__dataclass_fields__})
    memory = memory_of(options["memory_limit"], options["cache_dir"])
    graph = GraphConfig(**{name: options[name] for name in GraphConfig.__dataclass_fields__})
    pairs = PairConfig(**{name: options[name] for name in PairConfig.__dataclass_fields__})
    EndlessConfig(**{name: options[name] for name in EndlessConfig.__dataclass_fields__})
    names = list(options["source"])
    source = names if len(names) > 1 else names[0]
    request = Request(source, training, reading, replicas, vocabulary, memory, graph=graph, pairs=pairs)
    return request_with(request, keeps=bool(options["save_model"]), model=model)


@contextlib.contextmanager
def open_display(config: TrainConfig, quiet: bool, verbose: bool) -> Iterator[Display]:
    """What shows progress, closed in the end so that an error gets a line of its own.

    Of a step size beyond use it is said what a useful one is, also where nothing else is.
    """
    if line := step_size_warning(config):
        click.echo(f"Warning: {line}", err=True)
    with contextlib.closing(Display(sys.stderr, quiet=quiet, verbose=verbose)) as display:
        yield display


class LeaderJob:
    """What the process does that the user sees.

    options   of the command, those of a run that goes on among them
    place     where the run is kept, if it is
    settings  what would make the run again
    model     that is gone on with, if one is
    """

    def __init__(
        self,
        run: Run,
        options: dict[str, Any],
        place: RunFolder | None,
        display: Display,
        model: SavedModel | None,
    ) -> None:
        self.run, self.options, self.place, self.display = run, options, place, display
        self.model = model
        options |= {name: getattr(run.request.replicas, name) for name in ReplicaConfig.__dataclass_fields__}
        target = Path(options["output"] or default_output(options["source"]))
        form = {name: options[name] for name in names_of("form")}
        written = (options[name] for name in names_of("output"))
        self.outputs = Outputs(target, options["log_json"], form, *written)
        n_threads = 1 if run.training.backend == "reference" else run.training.threads or usable_cores()
        self.settings = resolved(options, run.training, target, n_threads)
        self.scores: dict[str, Score] = {}

    def load_scores(self) -> None:
        """Read the files to evaluate by."""
        names = (self.options[name] for name in ("eval_similarity", "eval_analogy"))
        self.scores = load_scores(*(Path(name) if name else None for name in names))

    def start_log(self) -> RunLog:
        """Open the log, with the settings first."""
        self.log = RunLog(self.outputs.log)
        self.log.start(self.settings)
        return self.log

    def read(self) -> Corpus:
        """Read the corpus, telling how far it is."""
        started = time.perf_counter()
        shown = reading_shown(self.display, rows_of(self.run.request))
        corpus = self.run.read(shown, phrases_shown(self.display))
        say_read(corpus, self.run.n_tokens, time.perf_counter() - started, self.display)
        self.say_step_size(self.run, len(corpus.outside_vocabulary or corpus.vocabulary))
        for line in softmax_lines(corpus, self.run):
            self.display.say(" ".join(line.split()))
        self.say_ngrams(corpus)
        self.say_processes(self.run.communicator)
        self.outputs.require_writable_words(corpus)
        return corpus

    def say_step_size(self, run: Run, n_words: int) -> None:
        """What --lr auto comes to, and the draws with it, and whether more epochs would help."""
        n_before = run.request.n_tokens_before
        chosen, what = run.training, "pairs" if run.request.pairs.pairs else "tokens"
        few = None if n_before else few_epochs_line(run.training, run.n_tokens, what)
        if run.request.training.lr is None and chosen.lr is not None:
            before = f" after {n_before:,} of earlier texts" if n_before else ""
            self.display.say(chosen_line(chosen, run.n_tokens, n_words, what) + before)
        if few:
            self.display.say(few)

    def say_ngrams(self, corpus: Corpus) -> None:
        """The memory that n-grams take, and whether the output holds them."""
        config, n_words = self.run.training, len(corpus.vocabulary)
        if config.subwords:
            megabytes = [matrix_bytes(n_words, config.dim, n) / 1e6 for n in (config.buckets, 0)]
            self.display.say(
                f"n-grams of {config.subwords} characters in {config.buckets:,} buckets: matrices of "
                f"{megabytes[0]:,.0f} MB, where words alone take {megabytes[1]:,.0f} MB"
            )
            if share_ngrams(n_words) and config.threads != 1:
                self.display.say(f"{n_words:,} words share nearly all n-grams: one thread trains them")
        if line := formats.ngrams_line(config.subwords is not None, self.outputs.format):
            self.display.say(line)

    def say_processes(self, communicator: Communicator) -> None:
        """How several processes work together."""
        if communicator.size > 1:
            words, size = self.options["sync_words"], communicator.size
            step = f"{words // SYNC_UNIT * SYNC_UNIT:,} words" if words else "what suits the network"
            self.display.say(
                f"{size} processes of {self.run.training.threads} threads combine after {step} each; "
                f"lr {self.run.training.learning_rate:g} (try one process's times {size**0.5:.2f})"
            )

    def estimate(self, corpus: Corpus) -> None:
        """Print what training takes."""
        self.display.close()
        click.echo("\n".join(estimate(corpus, self.run, self.outputs)))

    def train(self, corpus: Corpus) -> Trained:
        """Train, telling how it goes."""
        run, display = self.run, self.display
        self.outputs.save_vocabulary(corpus)
        saved = self.place.saved if self.place else None
        init = None if saved else self.load_start(corpus)
        if display.verbose:
            idle = without_effect(run.training, by_files=bool(self.scores))
            pairs = bool(run.request.pairs.pairs)
            idle |= OF_SENTENCES.keys() if pairs else set()
            display.say(as_typed_line(run.training, idle), whole=True)
            for told in copies_lines(run.training, len(corpus.vocabulary), pairs=pairs):
                display.say(told)
        if saved:
            display.say(f"going on from {saved.path}, {saved.share:.1%} of the run")
        self.log.record("corpus", **begun(corpus, run.n_tokens), lr=run.training.lr)
        is_drawn = run.training.shuffle or rows_of(run.request) != "words"
        listener = Listener(display, self.log, run.training.epochs, run.training.minutes, is_drawn)
        trained = carry_out(run, self.kept(), self.scores, listener.evaluated, [listener], init)
        display.close()
        if line := no_pair_line(trained.pairs, trained.kept_words, trained.words, run.training.sample):
            click.echo(f"Warning: {line}", err=True)
        return trained

    def load_start(self, corpus: Corpus) -> Start | None:
        """What the words of a new run start from, if not at random."""
        if self.model is None:
            return load_init(self.options, corpus, self.display)
        self.display.say(joined_line(self.model, corpus.vocabulary))
        return start_of(self.model, self.run.training)

    def kept(self) -> CheckpointPlan | None:
        """How the run is kept, if it is."""
        named = self.options | {"output": self.outputs.target}
        every = self.options["checkpoint_every"]
        return CheckpointPlan(self.place, every, with_absolute_paths(named)) if self.place else None

    def write(self, trained: Trained) -> None:
        """Write the vectors, beside them the options, and say what came of it."""
        self.display.update(f"writing {self.outputs.target}")
        self.outputs.save(trained.embeddings)
        if self.options["save_model"]:
            keep_model(Path(self.options["save_model"]), self.run, trained, self.model)
        if self.outputs.config:
            command = click.get_current_context().command
            config = self.run.training
            n_words = len(trained.embeddings.outside_words or trained.embeddings.words)
            chosen = {"lr": config.lr, "shared-negatives": config.shared_draws(n_words)}
            write_config(self.outputs.config, self.settings, command, chosen)
        what = "pairs" if self.run.request.pairs.pairs else "words"
        summarise(trained, self.run.effort, self.outputs.target, self.display, self.log, what)


def load_init(options: dict[str, Any], corpus: Corpus, display: Display) -> Embeddings | None:
    """The vectors to start from, if any; raises UsageError for outside vectors of other words."""
    center, outside = options["init_vectors"], options["init_outside"]
    if not center:
        return None
    init = formats.load(Path(center), unescape=options["escape"], errors="replace")
    if outside:
        given = formats.load(Path(outside), unescape=options["escape"], errors="replace")
        init = with_outside(init, given, apart=options["pairs"])
    words = corpus.vocabulary.words
    display.say(f"{sum(word in init for word in words):,} of {len(words):,} words start as in {center}")
    return init
