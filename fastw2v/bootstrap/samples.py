"""Samples of a corpus: checked, read once, trained one after the other, with progress."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastw2v.backends import require_supported
from fastw2v.config import Preset, ReadConfig, TrainConfig
from fastw2v.corpus.arrow.objects import require_names
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, checked
from fastw2v.distributed.communicator import SingleProcess, launched
from fastw2v.errors import UsageError
from fastw2v.options import checks
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.options.spelling import for_python
from fastw2v.options.stability import LEFT_OUT, MOST_SAMPLES
from fastw2v.options.synonyms import require_known
from fastw2v.run.arguments import Options, configure, require_unread
from fastw2v.run.processes import Run
from fastw2v.run.request import Request, memory_of
from fastw2v.run.stability import make_samples, require_place, size_line
from fastw2v.show.progress import Display, phrases_shown, reading_shown, significant
from fastw2v.show.sampling import SampleListener
from fastw2v.system import interrupts
from fastw2v.system.files import require_writable
from fastw2v.system.machine import require_threads, usable_cores
from fastw2v.training.hooks import Hook
from fastw2v.training.step_size import chosen_line
from fastw2v.vectors.stability import Stability

if TYPE_CHECKING:
    from typing_extensions import Unpack

ARGUMENTS = ("corpus", "output", "samples", "preset", "vocabulary", "verbose", "memory_limit", "cache_dir")
TRAINED = tuple(field.name for field in fields(TrainConfig) if field.name not in LEFT_OUT)
READ = tuple(field.name for field in fields(ReadConfig))


@for_python
def stability(
    corpus: Any,
    output: str | Path,
    *,
    samples: int = 20,
    preset: Preset | None = None,
    vocabulary: Vocabulary | None = None,
    verbose: bool = False,
    **options: Unpack[Options],
) -> Stability:
    """Train samples of a corpus, each sentence counted Poisson(1) times, by which neighbours get error bars.

    corpus, preset, vocabulary, verbose   as of `train`
    output   folder of the samples; those of the same corpus and options that are there stay
    samples  how many
    options  those that the vectors were trained with, of TrainConfig and ReadConfig, memory_limit, cache_dir

    Returns the samples: `found.nearest("paris", vectors=vectors)` has of each neighbour its cosine, the share
    of the samples in which it is among the nearest, and the interval of its cosine. Raises UsageError,
    CorpusError, DivergedError and OutputError as `train` does; the samples that are trained stay.
    """
    require_threads()
    require_known(options, [*TRAINED, *READ, *ARGUMENTS], "stability")
    require_names(corpus)
    configs = configure(preset, dict(options), None)
    if isinstance(corpus, Corpus):
        require_unread(vocabulary, configs.given)
    if vocabulary is not None:
        checked(vocabulary)
    path = checks.path("output", output)
    n_samples = checks.whole("samples", samples, 2, MOST_SAMPLES)
    memory = memory_of(configs.running.memory_limit, configs.running.cache_dir)
    request = Request(corpus, configs.training, configs.reading, ReplicaConfig(), vocabulary, memory)
    display = Display(sys.stderr, quiet=not checks.flag("verbose", verbose))
    with contextlib.closing(display), interrupts.noted():
        try:
            return train_samples(request, path, n_samples, display)
        except interrupts.Interrupted as error:
            raise KeyboardInterrupt(str(error)) from None


def train_samples(request: Request, path: Path, n_samples: int, display: Display) -> Stability:
    """Read, and train the samples that are not there yet, telling how far it is. Raises what either does."""
    if (place := launched()) and place[1] > 1:
        raise UsageError("samples are trained by one process, one after the other: start it without mpirun")
    training = request.training
    require_supported(training)
    require_place(path)
    require_writable(path.parent / f"{path.name}.json")
    n_threads = 1 if training.backend == "reference" else training.threads or usable_cores()
    request = request._replace(training=replace(training, threads=n_threads))
    run = Run(request, SingleProcess(), only_reads=True)
    started = time.perf_counter()
    corpus = run.read(reading_shown(display), phrases_shown(display))
    rate = significant(corpus.n_words_read / max(time.perf_counter() - started, 1e-9))
    for note in corpus.notes:
        display.say(note)
    display.say(
        f"read {corpus.n_words_read:,} words in {corpus.n_rows:,} rows once ({rate} words/s); "
        f"vocabulary {len(corpus.vocabulary):,} words, {run.n_tokens:,} tokens in it"
    )
    if training.lr is None:
        display.say(chosen_line(run.training, run.n_tokens, len(corpus.vocabulary)))
    display.say(size_line(n_samples, len(corpus.vocabulary), run.training, path))

    def watched(number: int, n: int) -> list[Hook]:
        return [SampleListener(display, number, n)]

    return make_samples(run, path, n_samples, watched, display.say)
