"""The library for Python programs: train, load, save; `fastw2v` itself offers these names."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from fastw2v.config import (
    PRESETS,
    Backend,
    Ids,
    Kernel,
    Loss,
    Matrix,
    Precision,
    ReadConfig,
    TrainConfig,
    check_judging,
)
from fastw2v.corpus import Corpus, read_corpus
from fastw2v.embeddings import Embeddings
from fastw2v.errors import UsageError
from fastw2v.formats import load as load_file
from fastw2v.formats import save as save_file
from fastw2v.holdout import judged
from fastw2v.machine import usable_cores
from fastw2v.progress import Display, judgement_line, reading_shown, training_line
from fastw2v.synonyms import hint
from fastw2v.training import Callback, Moment, Watchers
from fastw2v.training import train as train_corpus
from fastw2v.vocabulary import Vocabulary

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["STOP", "Embeddings", "Moment", "load", "save", "train"]

STOP: Literal[True] = True
ARGUMENTS = ("corpus", "preset", "vocabulary", "init", "on_chunk", "on_epoch", "verbose")


class Options(TypedDict, total=False):
    """What `train` takes beside its own arguments: the fields of TrainConfig and of ReadConfig."""

    dim: int
    window: int
    negatives: int
    epochs: int
    lr: float
    min_lr: float | None
    sample: float
    ns_exponent: float
    dynamic_window: bool
    threads: int | None
    seed: int
    shuffle: bool
    deterministic: bool
    backend: Backend
    kernel: Kernel
    block_size: int
    shared_negatives: int
    precision: Precision
    loss: Loss
    freeze: Matrix | None
    holdout: float
    eval_every: float
    patience: int | None
    column: str | None
    group_by: str | None
    order_by: str | None
    ids: Ids | None
    min_count: int
    max_vocab: int | None
    lowercase: bool
    keep_words: frozenset[str] | None
    stop_words: frozenset[str]


def train(
    corpus: Any,
    *,
    preset: Literal["text", "items", "graph"] | None = None,
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
    cannot be read, DivergedError, and OutputError when memory ends.
    """
    config, reading = configure(preset, dict(options), init)
    check_judging(config, by_files=False)
    display = Display(sys.stderr, quiet=not verbose)
    if not isinstance(corpus, Corpus):
        corpus = read_corpus(
            corpus,
            vocabulary=vocabulary,
            threads=config.threads or usable_cores(),
            on_progress=reading_shown(display),
            **vars(reading),
        )
    corpus, judge = judged(corpus, config, {}, lambda judgement: display.say(judgement_line(judgement)))
    trained = train_corpus(
        corpus,
        config,
        on_progress=lambda progress: display.update(training_line(progress)),
        init=init,
        watchers=Watchers(both(judge, on_chunk), on_epoch),
    )
    display.close()
    return (judge.chosen(trained) if judge else trained).embeddings


def both(first: Callback | None, second: Callback | None) -> Callback:
    """One callback of two, either of which may be missing, and either of which may stop the run."""

    def called(moment: Moment) -> bool:
        stops = [callback(moment) for callback in (first, second) if callback]
        return any(stops)

    return called


def configure(
    preset: str | None, options: dict[str, Any], init: Embeddings | None
) -> tuple[TrainConfig, ReadConfig]:
    """Both configurations of a run; dim is that of the vectors to start from, unless it is given.

    Raises UsageError for a preset or an option that there is not.
    """
    if preset is not None and preset not in PRESETS:
        raise UsageError(f"preset {preset!r} is unknown; use {', '.join(PRESETS)}")
    values = PRESETS[preset] | options if preset else options
    if init is not None:
        values = {**values, "dim": options.get("dim", init.dim)}
    for name in values:
        if name not in Options.__annotations__:
            known = [*Options.__annotations__, *ARGUMENTS]
            cure = hint(name, known, f"use {', '.join(known)}")
            raise UsageError(f"{name} is no option of train; {cure}")
    of_training = {field.name for field in fields(TrainConfig)}
    return (
        TrainConfig(**{name: value for name, value in values.items() if name in of_training}),
        ReadConfig(**{name: value for name, value in values.items() if name not in of_training}),
    )


def load(path: str | Path, **options: Any) -> Embeddings:
    """Read word vectors that `save`, word2vec or gensim wrote, in the format of the suffix.

    options   of `formats.load`: format, unescape, limit
    """
    return load_file(Path(path), **options)


def save(path: str | Path, embeddings: Embeddings, **options: Any) -> None:
    """Write word vectors in the format of the suffix; the file appears complete or not at all.

    options   of `formats.save`: format, escape, vectors, normalize, float16
    """
    save_file(Path(path), embeddings, **options)
