"""A stream without end in Python: vectors again and again, as long as text comes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastw2v.config import Preset, RunConfig, TrainConfig
from fastw2v.corpus.arrow.objects import require_names
from fastw2v.corpus.chunks import Chunk, Source
from fastw2v.corpus.read import Corpus
from fastw2v.distributed.communicator import launched
from fastw2v.endless.followed import Followed
from fastw2v.errors import CorpusError, FastW2VError, StepSizeWarning, UsageError
from fastw2v.options import checks
from fastw2v.options.endless import refuse_idle_options
from fastw2v.options.spelling import as_called, for_python
from fastw2v.run.arguments import KINDS, Configs, Options, configure
from fastw2v.run.continuing import configs_with, require_together
from fastw2v.run.endless import Learner, Settings, endless_with, nothing_line, settings_of
from fastw2v.run.resume import as_json, asked
from fastw2v.run.saved_model import read_model, require_place
from fastw2v.show.listener import Listener
from fastw2v.show.notebook import display_of
from fastw2v.show.run_log import RunLog
from fastw2v.show.stream import StreamShown
from fastw2v.system import interrupts
from fastw2v.system.machine import require_threads
from fastw2v.training.health import step_size_warning
from fastw2v.vectors.embeddings import Embeddings

if TYPE_CHECKING:
    from typing_extensions import Unpack


@for_python
def train_endless(
    corpus: Any, *, preset: Preset | None = None, verbose: bool = False, **options: Unpack[Options]
) -> Iterator[Embeddings]:
    """Train on a stream, and give the vectors every so often, as long as text comes.

    corpus    as of `train`, read once: an iterator of lists of tokens or of texts, which need not end; names
              of files or pipes, a folder, a table
    preset    other defaults: text, relatedness, similarity, items or graph
    verbose   show progress on stderr, as the command does
    options   vocabulary_size (most words at a time), save_every (words between vectors), chunk_words (words
              that are counted and then trained at a time); of training, dim, window, negatives, lr, sample …;
              of reading, column, min_count, lowercase …; save_model, continue_from, log_json, alone

    for vectors in fastw2v.train_endless(sentences(), vocabulary_size=50_000, save_every=1_000_000):
        vectors.save("now.bin")

    Each time the vectors are a copy; the last ones come at the end of the corpus. A model is saved before,
    and once more where an error or Ctrl-C (KeyboardInterrupt) ends the stream. Raises UsageError at once for
    options that mean nothing to a stream and a corpus that cannot be read, and on the way CorpusError,
    DivergedError and OutputError, as `train` does.
    """
    require_threads()
    require_names(corpus)
    if isinstance(corpus, Corpus):
        raise UsageError("a Corpus is read already: give what it was read from, or train on it by train")
    shows = checks.flag("verbose", verbose)
    configs = configure(preset, {**options, "endless": True}, None)
    settings = settings_with(configs, preset)
    if (place := launched()) and place[1] > 1 and not configs.running.alone:
        raise UsageError(
            "endless is read by one process: start it without mpirun, or with alone", ["endless", "alone"]
        )
    source = Source(corpus, settings.reading)
    return vectors_of(settings, configs.running, source, shows)


def settings_with(configs: Configs, preset: str | None) -> Settings:
    """What to train with; a model to go on with is read, and where one goes is looked at."""
    running, beside = configs.running, {"preset": preset} if configs.running.continue_from else {}
    if "epochs" not in configs.given:
        configs = configs._replace(training=replace(configs.training, epochs=TrainConfig.epochs))
    defaults = {field.name: field.default for kind in KINDS for field in fields(kind)}
    refuse_idle_options(asked(configs), defaults)
    require_together(configs.training, running.continue_from, running.save_model, beside)
    if running.save_model:
        require_place(running.save_model)
    model = read_model(running.continue_from) if running.continue_from else None
    if model:
        configs = configs_with(model, configs)
    is_given = "vocabulary_size" in configs.given
    endless = endless_with(model, configs.endless, is_given=is_given)
    if line := step_size_warning(configs.training):
        warnings.warn(as_called(line), StepSizeWarning, stacklevel=4)
    return settings_of(configs.training, configs.reading, endless, model)


def vectors_of(settings: Settings, running: RunConfig, source: Source, shows: bool) -> Iterator[Embeddings]:
    """The vectors of a stream, each time that they are due, and in the end."""
    display = display_of(sys.stderr, quiet=not shows)
    with closing(display), RunLog(running.log_json) as log:
        log.start(asked_of(settings))
        learner = Learner(settings, (Listener(display, log, None),))
        learner.trainer.compile()
        stream = Stream(learner, source, StreamShown(display, log), running.save_model)
        with closing(stream.vectors()) as vectors:
            try:
                yield from vectors
            except FastW2VError as error:
                error.args = (as_called(str(error)), *error.args[1:])
                raise


def asked_of(settings: Settings) -> dict[str, Any]:
    """The options, in values that JSON can hold."""
    kinds = (settings.training, settings.reading, settings.endless)
    return {name: as_json(value) for kind in kinds for name, value in vars(kind).items()}


class Stream(Followed):
    """A stream that is learned from as long as someone asks for its vectors."""

    def __init__(self, learner: Learner, source: Source, shown: StreamShown, model: Path | None) -> None:
        super().__init__(learner, source, shown)
        self.model = model

    def vectors(self) -> Generator[Embeddings]:
        """Those that are due, and the last ones. Raises CorpusError where no pair was trained."""
        try:
            for chunk in self.source.chunks(self.learner.settings.endless.chunk_words):
                self.learn(chunk)
                if self.is_due and self.has_news:
                    yield self.due()
            if self.has_news:
                yield self.due()
        except (KeyboardInterrupt, CorpusError, UsageError):
            if self.has_news:
                self.save()
            raise
        if not self.learner.trainer.totals.n_pairs:
            raise CorpusError(nothing_line(self.source.name, self.learner))
        self.shown.end(self.standing(), self.learner.state.n_bad)

    def learn(self, chunk: Chunk) -> None:
        """Learn from a chunk. Raises KeyboardInterrupt after the call in which Ctrl-C came."""
        with interrupts.noted():
            self.train(chunk, interrupts.received)
            is_interrupted = interrupts.received()
        if is_interrupted:
            raise KeyboardInterrupt

    def due(self) -> Embeddings:
        """The vectors as they are, once the model is saved."""
        self.save()
        return self.learner.embeddings()

    def save(self) -> None:
        """Save the model, if one is kept."""
        self.saved_at = self.learner.state.words
        if self.model:
            self.learner.save(self.model)
