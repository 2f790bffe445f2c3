"""The library for Python programs: train, load, save; `fastw2v` itself offers these names."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fastw2v.backends import require_supported
from fastw2v.bootstrap.samples import stability
from fastw2v.config import Preset, ReadConfig, RunConfig, TrainConfig
from fastw2v.corpus.arrow.objects import require_names
from fastw2v.corpus.beside import with_given
from fastw2v.corpus.phrases.result import Phrases, read_phrases
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, checked
from fastw2v.distributed.communicator import (
    Communicator,
    in_concert,
    open_communicator,
    require_alike,
)
from fastw2v.endless.stream import train_endless
from fastw2v.errors import DivergedError, NoPairWarning, StepSizeWarning, UsageError
from fastw2v.options import checks
from fastw2v.options.phrases import SHORT, short_names, with_long_names
from fastw2v.options.spelling import as_called, for_python
from fastw2v.options.synonyms import require_known as require_options
from fastw2v.options.together import check_judging
from fastw2v.run.arguments import (
    Configs,
    Options,
    PhraseArguments,
    SequenceArguments,
    configure,
    require_unread,
)
from fastw2v.run.carry_out import CheckpointPlan, carry_out, load_scores
from fastw2v.run.checkpoints import RunFolder, open_checkpoints, require_no_patience
from fastw2v.run.continuing import (
    keep_model,
    model_with,
    request_with,
    require_together,
    require_uncounted,
    start_of,
)
from fastw2v.run.processes import Run
from fastw2v.run.request import Request, memory_of, rows_of
from fastw2v.run.resume import asked, begun, options_of, with_saved
from fastw2v.run.sequences import SequenceVectors
from fastw2v.show.listener import Listener
from fastw2v.show.notebook import display_of
from fastw2v.show.progress import phrases_shown, reading_shown
from fastw2v.show.run_log import RunLog
from fastw2v.system import interrupts
from fastw2v.system.files import require_writable
from fastw2v.system.machine import require_threads, usable_cores
from fastw2v.training.health import step_size_warning
from fastw2v.training.hooks import Callback, Callbacks, Evaluation, Moment, Trained
from fastw2v.training.start import no_pair_line, require_known
from fastw2v.vectors.changes import diff
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats import load as load_file
from fastw2v.vectors.formats import save as save_file
from fastw2v.vectors.formats.parquet import write_sequences
from fastw2v.vectors.sequences import Weighting, gathered
from fastw2v.vectors.stability import Stability

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "STOP",
    "Embeddings",
    "Moment",
    "Phrases",
    "Stability",
    "diff",
    "load",
    "phrases",
    "save",
    "sequences",
    "stability",
    "train",
    "train_endless",
]

STOP: Literal[True] = True
OF_PHRASES = ("corpus", "output", "threads", "memory_limit", "cache_dir", "verbose")
CALLERS = 4  # frames between a warning and the caller of `train`: through the decorator


@for_python
def train(
    corpus: Any = None,
    *,
    preset: Preset | None = None,
    vocabulary: Vocabulary | None = None,
    init: Embeddings | None = None,
    on_chunk: Callback | None = None,
    on_epoch: Callback | None = None,
    on_evaluation: Callable[[Evaluation], object] | None = None,
    verbose: bool = False,
    **options: Unpack[Options],
) -> Embeddings:
    """Train word vectors.

    corpus      names of files of Parquet or text, a folder, a Delta table, a pattern, a URI or a list of
                these; lists of tokens or texts, also from a generator; a table or data frame of pyarrow,
                pandas, polars or DuckDB; a DeltaTable; NumPy's (ids, offsets); or a Corpus that
                `read_corpus` made
    preset      other defaults: text, relatedness, similarity, items or graph
    vocabulary  use these words and counts instead of counting
    init        start from these vectors: words are matched by name, others start as usual
    on_chunk    called with a Moment at most half a second apart; the run ends where it returns STOP
    on_epoch    the same, after each epoch
    on_evaluation  called with each Evaluation, where there is something to judge by, such as holdout
    verbose     show progress on stderr, as the command does, or as a bar in a notebook
    options     of TrainConfig, ReadConfig, GraphConfig, PairConfig, RunConfig and ReplicaConfig: dim, window,
                negatives, epochs or minutes, lr, min_count, column, graph, pairs, memory_limit, checkpoint …

    Where mpirun started several processes that all call this, they train together: each returns the vectors,
    and callbacks are those of rank 0; an object is trained on as rank 0 has it. With checkpoint, Ctrl-C
    raises KeyboardInterrupt after a checkpoint was written.

    Returns both matrices and the counts. Raises UsageError for what cannot be used, CorpusError for what
    cannot be read, DivergedError, and OutputError for what cannot be written and when memory ends. Warns of a
    step size beyond use (StepSizeWarning), and where a few words left no pair to train (NoPairWarning).
    """
    require_threads()
    source, plain = with_given(corpus, dict(options))
    configs = configure(preset, plain, init)
    checks.flag("verbose", verbose)
    if configs.endless.endless:
        raise UsageError("endless gives vectors again and again: call train_endless, which has these options")
    require_arguments(corpus, configs, vocabulary, on_chunk, on_epoch, on_evaluation)
    if isinstance(corpus, Corpus):
        require_unread(vocabulary, configs.given)
    beside = {"init": init is not None, "vocabulary": vocabulary is not None, "preset": preset}
    beside |= {"graph": configs.graph.graph, "pairs": configs.pairs.pairs}
    require_together(configs.training, configs.running.continue_from, configs.running.save_model, beside)
    require_usable(configs, init)
    communicator = open_communicator(alone=configs.running.alone)
    if communicator.size > 1:
        require_alike(communicator, asked(configs))
    with in_concert(communicator, DivergedError), interrupted():
        if communicator.rank:
            trained = follow(Run.of_others(communicator, configs.training.threads))
        else:
            called = Callbacks(on_chunk=on_chunk, on_epoch=on_epoch)
            trained = lead(communicator, source, configs, vocabulary, init, called, on_evaluation, verbose)
    warn_of_no_pair(trained, configs)
    return trained.embeddings


def lead(
    communicator: Communicator,
    corpus: Any,
    configs: Configs,
    vocabulary: Vocabulary | None,
    init: Embeddings | None,
    called: Callbacks,
    on_evaluation: Callable[[Evaluation], object] | None,
    verbose: bool,
) -> Trained:
    """Train in this process, or as the first of several."""
    running = configs.running
    with contextlib.ExitStack() as stack:
        every = (running.checkpoint, running.resume, running.checkpoint_every)
        place = stack.enter_context(open_checkpoints(*every, lambda line: warnings.warn(line, stacklevel=9)))
        if place and place.saved:
            corpus, configs, vocabulary = with_saved(place.saved, corpus, configs, vocabulary)
        saved = place.saved if place else None
        configs, model = model_with(configs, resumed=saved is not None)
        if model or saved:
            require_usable(configs, None)
        require_no_patience(place, configs.training.patience)
        require_uncounted(corpus, configs.running.continue_from)
        request = request_of(corpus, configs, vocabulary)
        request = request_with(request, keeps=bool(configs.running.save_model), model=model)
        run = Run(request, communicator, saved)
        scores = load_scores(configs.running.eval_similarity, configs.running.eval_analogy)
        display = display_of(sys.stderr, quiet=not verbose)
        stack.callback(display.close)
        log = stack.enter_context(RunLog(running.log_json))
        log.start(options_of(request, configs.running))
        shown = reading_shown(display, rows_of(request))
        read = run.read(shown, phrases_shown(display))
        log.record("corpus", **begun(read, run.n_tokens), lr=run.training.lr)
        is_drawn = configs.training.shuffle or configs.graph.graph or configs.pairs.pairs
        listener = Listener(display, log, run.training.epochs, configs.training.minutes, is_drawn)

        def evaluated(evaluation: Evaluation) -> None:
            listener.evaluated(evaluation)
            if on_evaluation:
                on_evaluation(evaluation)

        start = start_of(model, run.training) if model and not saved else init
        kept = kept_of(place, request, configs)
        trained = carry_out(run, kept, scores, evaluated, [listener, called], start)
        if configs.running.save_model:
            keep_model(configs.running.save_model, run, trained, model)
        log.end(trained)
        return trained


def follow(run: Run) -> Trained:
    """Do the part of another rank than 0."""
    run.read()
    run.settle()
    return run.train()


def kept_of(place: RunFolder | None, request: Request, configs: Configs) -> CheckpointPlan | None:
    """How a run is kept, if it is."""
    running = configs.running
    return CheckpointPlan(place, running.checkpoint_every, options_of(request, running)) if place else None


def request_of(corpus: Any, configs: Configs, vocabulary: Vocabulary | None) -> Request:
    """What is asked for."""
    require_given(corpus)
    memory = memory_of(configs.running.memory_limit, configs.running.cache_dir)
    own: dict[str, Any] = {"graph": configs.graph, "pairs": configs.pairs}
    return Request(corpus, configs.training, configs.reading, configs.replicas, vocabulary, memory, **own)


def require_given(corpus: Any) -> None:
    """Raise UsageError where there is no corpus."""
    if corpus is None:
        raise UsageError("no corpus was given: give names of files, lists of tokens, or a table")


def require_arguments(
    corpus: Any, configs: Configs, vocabulary: Vocabulary | None, *callbacks: Callable[[Any], object] | None
) -> None:
    """Raise UsageError for an argument of `train` that is of another kind than it must be."""
    if configs.running.resume is None:  # or else the checkpoint names it
        require_given(corpus)
    if corpus is not None:
        require_names(corpus)
    if vocabulary is not None:
        checked(vocabulary)
    for name, callback in zip(("on_chunk", "on_epoch", "on_evaluation"), callbacks, strict=True):
        checks.callback(name, callback)


def require_usable(configs: Configs, init: Embeddings | None) -> None:
    """Raise UsageError for options that do not go together; warn of a step size beyond use.

    init   vectors to start from; a run that goes on has its own
    """
    training, running = configs.training, configs.running
    check_judging(training, by_files=bool(running.eval_similarity or running.eval_analogy))
    if not (running.resume or running.continue_from):
        require_known(training, init)
    if "checkpoint_every" in configs.given and not (running.checkpoint or running.resume):
        raise UsageError("checkpoint_every needs checkpoint: name a folder", ("checkpoint_every",))
    require_supported(training)
    if line := step_size_warning(training):
        warnings.warn(line, StepSizeWarning, stacklevel=CALLERS)


@contextlib.contextmanager
def interrupted() -> Iterator[None]:
    """Within the block Ctrl-C is KeyboardInterrupt, also where a checkpoint was written first."""
    with interrupts.noted():
        try:
            yield
        except interrupts.Interrupted as error:
            raise KeyboardInterrupt(str(error)) from None


def warn_of_no_pair(trained: Trained, configs: Configs) -> None:
    """Warn where a few words left nothing to train."""
    line = no_pair_line(trained.pairs, trained.kept_words, trained.words, configs.training.sample)
    if line:
        warnings.warn(as_called(line), NoPairWarning, stacklevel=CALLERS)


@for_python
def phrases(
    corpus: Any,
    output: str | Path | None = None,
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    cache_dir: str | Path | None = None,
    verbose: bool = False,
    **options: Unpack[PhraseArguments],
) -> Phrases:
    """Join words that belong together: new york to new_york.

    corpus   as of `train`; of a Corpus, words that it left out stay so
    output   write the sentences there, a Parquet file of lists of tokens, which `train` reads
    threads, memory_limit, cache_dir, verbose   as of `train`
    options  passes (phrases of phrases with 2), scoring (word2phrase, gensim or npmi), threshold, min_count,
             delimiter, connector_words (a text, a set, or "english"); and of reading, as of `train`, column,
             group_by, order_by, lowercase, keep_words, stop_words, and those of text and of k-mers

    Returns the sentences, and the phrases with their scores as `found`. Raises UsageError, CorpusError and
    OutputError as `train` does.
    """
    require_threads()
    require_options(options, [*PhraseArguments.__annotations__, *OF_PHRASES], "phrases")
    require_names(corpus)
    if isinstance(corpus, Corpus):
        require_unread(None, frozenset(set(options) - set(SHORT.values())))
    with short_names():
        config = ReadConfig(**with_long_names(options))
    place = None if output is None else checks.path("output", output)
    running = RunConfig(memory_limit=memory_limit, cache_dir=cache_dir)  # type: ignore[arg-type]
    memory = memory_of(running.memory_limit, running.cache_dir)
    threads = TrainConfig(threads=threads).threads or usable_cores()
    if place:
        require_writable(place)
    with contextlib.closing(display_of(sys.stderr, quiet=not checks.flag("verbose", verbose))) as display:
        shown: dict[str, Any] = {"on_progress": reading_shown(display), "on_pass": phrases_shown(display)}
        with short_names():
            found = read_phrases(corpus, config, threads=threads, memory=memory, **shown)
        for line in found.notes:
            display.say(line)
    if place:
        found.save(place)
    return found


@for_python
def sequences(
    vectors: Embeddings | str | Path,
    corpus: Any,
    output: str | Path | None = None,
    *,
    weighting: Weighting = "mean",
    id_column: str | None = None,
    **options: Unpack[SequenceArguments],
) -> Embeddings | None:
    """The mean of the vectors of the words of each sequence: of texts, genes, baskets.

    vectors    of words, or a file of them
    corpus     as of `train`
    output     write them there as they come, a Parquet file; nothing is returned then
    weighting  mean, all words alike; or sif, a/(a + p) with a = 0.001 and p a word's share of the counts
    id_column  a column of what the rows are called
    options    of reading, as of `train`: column, group_by, order_by, lowercase, kmers, stride,
               reverse_complement, and those of text

    Returns Embeddings whose words are what the sequences are called (a record's name in FASTA, the key of a
    group, or the row's number from 0) and whose counts are the words that made a vector; sequences without a
    known word are left out. Raises UsageError, CorpusError and OutputError as `train` does.
    """
    require_threads()
    own = ("vectors", "corpus", "output", "weighting", "id_column")
    require_options(options, [*SequenceArguments.__annotations__, *own], "sequences")
    require_names(corpus)
    if isinstance(corpus, Corpus):
        raise UsageError("a Corpus is read already, and has not all its rows: give what it was read from")
    config = ReadConfig(**options, min_count=1)
    embeddings = vectors if isinstance(vectors, Embeddings) else load_file(checks.path("vectors", vectors))
    found = SequenceVectors(embeddings, corpus, config, weighting, id_column)
    if output is None:
        return gathered(found.read(), embeddings.dim)
    place = checks.path("output", output)
    require_writable(place)
    write_sequences(place, found.read(), embeddings.dim, found.key)
    return None


@for_python
def load(path: str | Path, **options: Any) -> Embeddings:
    """Read word vectors that `save`, word2vec or gensim wrote, in the format of the suffix.

    options   of `formats.load`: format, unescape, limit, errors
    """
    return load_file(path, **options)


@for_python
def save(path: str | Path, embeddings: Embeddings, **options: Any) -> None:
    """Write word vectors in the format of the suffix; the file appears complete or not at all.

    options   of `formats.save`: format, escape, vectors, remove_components,
                normalize, float16
    """
    save_file(path, embeddings, **options)
