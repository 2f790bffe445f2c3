"""`fastw2v train --endless`: learn from what comes, write vectors every so often and in the end."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fastw2v.commands.declared import BY_NAME, names_of
from fastw2v.commands.options import default_output, take_corpus_options
from fastw2v.commands.train.checks import check_before_reading, check_outputs
from fastw2v.commands.train.outputs import Outputs
from fastw2v.commands.train.resume import way_out
from fastw2v.commands.train.settings import resolved, write_config
from fastw2v.config import TrainConfig
from fastw2v.corpus.ahead import Ahead
from fastw2v.corpus.chunks import Chunk, Source
from fastw2v.corpus.vocabulary import write_vocabulary
from fastw2v.distributed.communicator import open_communicator
from fastw2v.endless.followed import Followed
from fastw2v.errors import CorpusError, DivergedError, UsageError
from fastw2v.options.endless import EndlessConfig, refuse_idle_options
from fastw2v.run.continuing import lists_of, options_with, require_together
from fastw2v.run.endless import Learner, Settings, endless_with, nothing_line, settings_of
from fastw2v.run.saved_model import read_model, require_place
from fastw2v.show.listener import Listener
from fastw2v.show.progress import Display
from fastw2v.show.run_log import RunLog
from fastw2v.show.stream import StreamShown
from fastw2v.system import interrupts
from fastw2v.system.files import is_direct
from fastw2v.system.machine import usable_cores
from fastw2v.training.health import step_size_warning
from fastw2v.vectors.formats import check_words


def follow(options: dict[str, Any]) -> None:
    """Train on a stream with the command's options until it ends, or a signal comes.

    Raises UsageError for options that mean nothing to a stream, CorpusError for what cannot be read,
    OutputError, DivergedError, and Interrupted for a signal once the vectors are written.
    """
    if open_communicator(alone=options["alone"]).size > 1:
        raise UsageError(
            "endless is read by one process: start it without mpirun, or with alone", ["endless", "alone"]
        )
    options = with_source(options)
    settings = settings_with(options)
    with contextlib.ExitStack() as stack:
        display = Display(sys.stderr, quiet=options["quiet"], verbose=options["verbose"])
        stack.enter_context(contextlib.closing(display))
        written = Written(options, settings, display)
        check_before_reading(options, settings.training, resumed=True)
        if line := step_size_warning(settings.training):
            click.echo(f"Warning: {line}", err=True)
        log = stack.enter_context(RunLog(written.outputs.log))
        log.start(written.settings)
        names = list(options["source"])
        source = Source(names if len(names) > 1 else names[0], settings.reading)
        learner = Learner(settings, (Listener(display, log, None),))
        Following(learner, source, written, StreamShown(display, log)).run()


def with_source(options: dict[str, Any]) -> dict[str, Any]:
    """The options with SOURCE, without the epochs of a preset; raises UsageError for what does nothing."""
    context = click.get_current_context()
    options["source"] = options["source"] or context.lookup_default("source") or ()
    if not options["source"]:
        raise UsageError("no corpus given: name a file, a folder or a pattern, or - for standard input")
    source_of = context.get_parameter_source
    if source_of("epochs") not in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
        options["epochs"] = TrainConfig.epochs  # of a preset
    defaults = {name: option.default for name, option in BY_NAME.items()}
    refuse_idle_options(options, defaults)
    output = options["output"]
    if output is not None and (output == "-" or is_direct(Path(output))):
        raise UsageError(f"-o {output} takes vectors once, and endless writes them anew: name a file")
    return options


def settings_with(options: dict[str, Any]) -> Settings:
    """What to train the stream with; a model to go on with is read, and where one goes is looked at."""
    context = click.get_current_context()
    place, target = (
        Path(options[name]) if options[name] else None for name in ("continue_from", "save_model")
    )
    beside = {"preset": options["preset"]} if place else {}
    plain = TrainConfig(**{name: options[name] for name in TrainConfig.__dataclass_fields__})
    require_together(plain, place, target, beside)
    if target:
        require_place(target)
    model = read_model(place) if place else None
    if model:
        source_of = context.get_parameter_source
        explicit = {name for name in options if source_of(name) is not ParameterSource.DEFAULT}
        options |= options_with(model, options, explicit, lambda name: way_out(context, name))
    training = TrainConfig(**{name: options[name] for name in TrainConfig.__dataclass_fields__})
    endless = EndlessConfig(**{field.name: options[field.name] for field in fields(EndlessConfig)})
    is_given = context.get_parameter_source("vocabulary_size") is not ParameterSource.DEFAULT
    endless = endless_with(model, endless, is_given=is_given)
    options["vocabulary_size"] = endless.vocabulary_size
    reading, _ = take_corpus_options(dict(options))
    reading = replace(reading, **lists_of(model, reading))
    return settings_of(training, reading, endless, model)


class Written:
    """What is written, again and again, each time complete or not at all.

    settings   what would train so again
    """

    def __init__(self, options: dict[str, Any], settings: Settings, display: Display) -> None:
        """Raises UsageError and OutputError for places that cannot be written, or are read."""
        self.options, self.display = options, display
        places = [options[name] for name in ("continue_from", "save_model")]
        is_same = all(places) and len({Path(place).resolve() for place in places}) == 1
        # The model of a stream may take the place of the one that the stream went on with.
        notes = check_outputs(options | ({"continue_from": None} if is_same else {}))
        target = Path(options["output"] or default_output(options["source"]))
        form = {name: options[name] for name in names_of("form")}
        named = (options[name] for name in names_of("output"))
        self.outputs = Outputs(target, options["log_json"], form, *named)
        given = TrainConfig(**{name: options[name] for name in TrainConfig.__dataclass_fields__})
        n_threads = 1 if given.backend == "reference" else given.threads or usable_cores()
        self.settings = resolved(options, given, target, n_threads)
        self.settings.pop("min_lr", None)
        self.step = settings.training.lr
        self.outputs.keep_config(self.settings, notes, display)
        self.outputs.require_writable()

    def require_writable(self, words: list[str]) -> None:
        """Raise UsageError for words that joined and that a format cannot carry."""
        check_words(words, self.outputs.format, escape=self.outputs.form["escape"])
        if self.outputs.outside_format:
            check_words(words, self.outputs.outside_format, escape=self.outputs.form["escape"])

    def write(self, learner: Learner) -> None:
        """Write the vectors and what is beside them. Raises OutputError."""
        embeddings = learner.embeddings()
        self.outputs.save(embeddings)
        if self.outputs.vocabulary:
            write_vocabulary(self.outputs.vocabulary, learner.vocabulary())
        if self.options["save_model"]:
            learner.save(Path(self.options["save_model"]))
        if self.outputs.config:
            command = click.get_current_context().command
            write_config(self.outputs.config, self.settings, command, {"lr": self.step})
            self.outputs.config = None  # it stays as it is


class Following(Followed):
    """A stream that is learned from as it comes, and what is told and written of it."""

    def __init__(self, learner: Learner, source: Source, written: Written, shown: StreamShown) -> None:
        super().__init__(learner, source, shown)
        self.written = written

    def run(self) -> None:
        """Learn until the end, or until a signal, and write what was learned.

        Raises CorpusError where that is nothing, and for what cannot be read, once the rest is written.
        """
        ahead = Ahead(self.source, self.learner.settings.endless.chunk_words)
        self.learner.trainer.compile()
        self.started = time.perf_counter()
        with interrupts.deferred():
            try:
                for chunk in ahead.chunks(interrupts.received, self.tell):
                    if not self.learn(chunk):
                        break
            except CorpusError as error:
                self.write()
                raise CorpusError(f"{error}; {self.outcome()}") from None
            except DivergedError as error:
                raise DivergedError(f"{error}; {self.outcome()}") from None
            self.write()
        if not self.saved_at:
            raise CorpusError(nothing_line(self.source.name, self.learner))
        self.shown.end(self.standing(), self.learner.state.n_bad)

    def learn(self, chunk: Chunk) -> bool:
        """Learn from a chunk, and write vectors where it is time to; whether to go on.

        At a signal training ends after its call, but for what came before it while nothing else came.
        """
        was_stopped = interrupts.received()

        def is_stopped() -> bool:
            return bool(interrupts.received() and not was_stopped)

        self.train(chunk, is_stopped)
        self.written.require_writable(self.learner.joined_last())
        if self.is_due:
            self.write()
        return not is_stopped()

    def tell(self) -> None:
        """Show how far it is while nothing comes."""
        self.shown.update(self.standing())

    def write(self) -> None:
        """Write what was learned, if that is something new."""
        if not self.has_news:
            return
        self.written.write(self.learner)
        self.saved_at = self.learner.state.words
        interrupts.set_outcome(self.outcome())
        self.shown.saved(self.standing(), self.written.outputs.target)

    def outcome(self) -> str:
        """What there is, whatever comes."""
        if not self.saved_at:
            return interrupts.NOTHING
        return f"the vectors after {self.saved_at:,} words are in {self.written.outputs.target}"
