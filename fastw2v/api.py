"""The library for Python programs: train, load, save; `fastw2v` itself offers these names."""

from __future__ import annotations

import sys
import warnings
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from fastw2v.backends import require_supported
from fastw2v.config import (
    PRESETS,
    Options,
    Preset,
    ReadConfig,
    TrainConfig,
    check_judging,
)
from fastw2v.corpus.arrow.objects import require_names
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.vocabulary import Vocabulary, checked
from fastw2v.errors import NoPairWarning, StepSizeWarning, UsageError
from fastw2v.options import checks, synonyms
from fastw2v.options.spelling import as_called, for_python
from fastw2v.show.progress import Display, evaluation_line, reading_shown, training_line
from fastw2v.system.machine import require_threads, usable_cores
from fastw2v.training.health import step_size_warning
from fastw2v.training.holdout import with_evaluator
from fastw2v.training.hooks import Callback, Callbacks, Moment, Progress
from fastw2v.training.loop import train as train_corpus
from fastw2v.training.start import no_pair_line, require_known
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats import load as load_file
from fastw2v.vectors.formats import save as save_file

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["STOP", "Embeddings", "Moment", "load", "save", "train"]

STOP: Literal[True] = True
ARGUMENTS = ("corpus", "preset", "vocabulary", "init", "on_chunk", "on_epoch", "verbose")


@for_python
def train(
    corpus: Any = None,
    *,
    preset: Preset | None = None,
    vocabulary: Vocabulary | None = None,
    init: Embeddings | None = None,
    on_chunk: Callback | None = None,
    on_epoch: Callback | None = None,
    verbose: bool = False,
    **options: Unpack[Options],
) -> Embeddings:
    """Train word vectors.

    corpus      names of files, a folder, a pattern, a URI or a list of these; lists of tokens or texts, also
                from a generator; a table or data frame of pyarrow, pandas, polars or DuckDB; NumPy's (ids,
                offsets); or a Corpus that `read_corpus` made
    preset      other defaults: text, items or graph
    vocabulary  use these words and counts instead of counting
    init        start from these vectors: words are matched by name, others start as usual
    on_chunk    called with a Moment at most half a second apart; the run ends where it returns STOP
    on_epoch    the same, after each epoch
    verbose     show progress on stderr, as the command does
    options     of TrainConfig and ReadConfig: dim, window, negatives, epochs, lr, min_count, column …

    Returns both matrices and the counts. Raises UsageError for what cannot be used, CorpusError for what
    cannot be read, DivergedError, and OutputError when memory ends. Warns of a step size
    beyond use (StepSizeWarning), and where a few words left no pair to train (NoPairWarning).
    """
    require_threads()
    config, reading = configure(preset, dict(options), init)
    check_judging(config, by_files=False)
    require_arguments(corpus, vocabulary, on_chunk, on_epoch)
    require_known(config, init)
    require_supported(config)
    if line := step_size_warning(config):
        warnings.warn(line, StepSizeWarning, stacklevel=3)  # beyond the decorator
    display = Display(sys.stderr, quiet=not checks.flag("verbose", verbose))

    def on_progress(progress: Progress) -> None:
        display.update(training_line(progress))

    if isinstance(corpus, Corpus):
        require_unread(vocabulary, options)
    else:
        corpus = read_corpus(
            corpus,
            vocabulary=vocabulary,
            threads=config.threads or usable_cores(),
            on_progress=reading_shown(display),
            **vars(reading),
        )
    corpus, evaluator = with_evaluator(corpus, config, {}, lambda found: display.say(evaluation_line(found)))
    called = Callbacks(on_progress=on_progress, on_chunk=on_chunk, on_epoch=on_epoch)
    trained = train_corpus(corpus, config, [evaluator, called] if evaluator else [called], init)
    display.close()
    if line := no_pair_line(trained.pairs, trained.kept_words, trained.words, config.sample):
        warnings.warn(as_called(line), NoPairWarning, stacklevel=3)
    return trained.embeddings


def require_arguments(
    corpus: Any, vocabulary: Vocabulary | None, on_chunk: Callback | None, on_epoch: Callback | None
) -> None:
    """Raise UsageError for an argument of `train` that is of another kind than it must be."""
    if corpus is None:
        raise UsageError("no corpus was given: give names of files, lists of tokens, or a table")
    require_names(corpus)
    if vocabulary is not None:
        checked(vocabulary)
    checks.callback("on_chunk", on_chunk)
    checks.callback("on_epoch", on_epoch)


def require_unread(vocabulary: Vocabulary | None, options: Options) -> None:
    """Raise UsageError for options of reading beside a corpus that is read already."""
    reading = [field.name for field in fields(ReadConfig) if field.name in options]
    for name in ["vocabulary"] * (vocabulary is not None) + reading:
        raise UsageError(f"{name} is of reading, and this corpus is read: give it to read_corpus", [name])


def configure(
    preset: str | None, options: dict[str, Any], init: Embeddings | None
) -> tuple[TrainConfig, ReadConfig]:
    """Both configurations of a run; dim is that of the vectors to start from, unless it is given.

    Raises UsageError for a preset or an option that there is not, and for a value that it cannot have.
    """
    given = set(options)
    if preset is not None:
        options = PRESETS[checks.choice("preset", preset, get_args(Preset))] | options
    if init is not None and not isinstance(init, Embeddings):
        raise checks.refuse("init", init, "Embeddings, which fastw2v.load(path) and fastw2v.train give")
    values = options
    if init is not None and "dim" not in given:
        values = options | {"dim": init.dim}
    synonyms.require_known(values, [*Options.__annotations__, *ARGUMENTS], "train")
    of_training = {field.name for field in fields(TrainConfig)}
    return (
        TrainConfig(**{name: value for name, value in values.items() if name in of_training}),
        ReadConfig(**{name: value for name, value in values.items() if name not in of_training}),
    )


@for_python
def load(path: str | Path, **options: Any) -> Embeddings:
    """Read word vectors that `save`, word2vec or gensim wrote, in the format of the suffix.

    options   of `formats.load`: format, unescape, limit, errors
    """
    return load_file(path, **options)


@for_python
def save(path: str | Path, embeddings: Embeddings, **options: Any) -> None:
    """Write word vectors in the format of the suffix; the file appears complete or not at all.

    options   of `formats.save`: format, escape, vectors, normalize, float16
    """
    save_file(path, embeddings, **options)
