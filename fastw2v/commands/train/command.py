"""`fastw2v train`: read, train, write."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import FORM, OUTPUT, READING, RUNNING, START, TRAINING, names_of
from fastw2v.commands.effects import require_one_voice
from fastw2v.commands.options import declared, default_output
from fastw2v.commands.places import check_places, inputs_of, kept_config, named_output, train_outputs
from fastw2v.commands.train import roles as replicas
from fastw2v.commands.train.outputs import Outputs, estimate, summarise
from fastw2v.commands.train.resume import open_checkpoints, settled
from fastw2v.commands.train.sections import Sectioned
from fastw2v.commands.train.settings import (
    CONFIG,
    as_typed_line,
    config_path,
    resolved,
    settings_options,
    write_config,
)
from fastw2v.config import TrainConfig, check_judging
from fastw2v.distributed.communicator import open_communicator
from fastw2v.errors import DivergedError, UsageError

if TYPE_CHECKING:
    from fastw2v.corpus.read import Corpus
    from fastw2v.show.progress import Display
    from fastw2v.show.run_log import RunLog
    from fastw2v.training.checkpoint.checkpointer import Checkpointer
    from fastw2v.training.holdout import Evaluation, Evaluator, Score
    from fastw2v.training.hooks import Progress, Trained
    from fastw2v.vectors.embeddings import Embeddings


@click.command(cls=Sectioned, short_help="Train vectors on a corpus.")
@click.argument("source", nargs=-1)
@declared(*OUTPUT)
@declared(*READING)
@declared(*FORM)
@declared(*TRAINING)
@declared(*START)
@settings_options
@declared(*RUNNING)
def train(
    checkpoint: str | None,
    resume: str | None,
    dry_run: bool,
    verbose: bool,
    quiet: bool,
    log_json: str | None,
    **options: Any,
) -> None:
    """Train vectors on SOURCE: Parquet files, folders of them, or glob patterns.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v train shards/ --column tokens --min-count 1 -o items.vectors.bin
      fastw2v train 'logs-*.parquet' --window 10 --sample 1e-5 --threads 8
      fastw2v train large.parquet --memory-limit 2GB --cache-dir cache
      fastw2v train baskets.parquet --preset items
      fastw2v train --config corpus.vectors.config.toml
      fastw2v train corpus.parquet --checkpoint kept --checkpoint-every 10m
      fastw2v train --resume kept

    Options can also come from the environment, as FASTW2V_TRAIN_DIM=300 for --dim 300.
    """
    require_one_voice(verbose, quiet)
    communicator = open_communicator()
    if communicator.rank:
        replicas.follow(communicator, options["threads"])
        return
    # Before the folder of a new run is made; of a run that goes on only its checkpoint knows the options.
    notes = [] if resume else check_outputs(options, log_json)
    with contextlib.ExitStack() as stack:
        kept_in = None if dry_run else checkpoint
        kept = stack.enter_context(open_checkpoints(kept_in, resume, options["checkpoint_every"]))
        options = settled(options, kept)
        notes = check_outputs(options, log_json) if resume else notes
        saved = kept.saved if kept else None
        trainer = replicas.trainer_of(options, saved, only_reads=dry_run)
        options, config = options | trainer.settled, trainer.config
        from fastw2v.show.run_log import RunLog
        from fastw2v.training.holdout import with_evaluator

        display = stack.enter_context(open_display(config, quiet=quiet, verbose=verbose))
        outputs, settings = outputs_of(options, config, log_json)
        outputs.keep_config(settings, notes, display)
        outputs.require_writable()
        scores = load_scores(options["eval_similarity"], options["eval_analogy"])
        check_before_reading(options, config, resumed=saved is not None)
        log = stack.enter_context(RunLog(outputs.log))
        log.start(settings)
        corpus = trainer.read(options, display)
        outputs.require_writable_words(corpus.vocabulary.words)
        if dry_run:
            display.close()
            click.echo("\n".join(estimate(corpus, trainer, outputs)))
            return
        outputs.save_vocabulary(corpus)
        corpus, evaluator = with_evaluator(corpus, config, scores, lambda found: tell(found, display, log))
        named = options | {"output": outputs.target}
        checkpointer = kept.checkpointer_of(corpus, config, named, trainer.fingerprint) if kept else None
        init = None if saved else load_init(options, corpus, display)
        trained = run_training(trainer, corpus, display, log, (checkpointer, evaluator), init)
        write(trained.embeddings, outputs, settings, display)
        summarise(trained, trainer.effort, outputs.target, display, log)


def warn_of_no_pair(trained: Trained, config: TrainConfig) -> None:
    """Tell where a few words left nothing to train, also where nothing else is told."""
    from fastw2v.training.start import no_pair_line

    if line := no_pair_line(trained.pairs, trained.kept_words, trained.words, config.sample):
        click.echo(f"Warning: {line}", err=True)


@contextlib.contextmanager
def open_display(config: TrainConfig, *, quiet: bool, verbose: bool) -> Iterator[Display]:
    """What shows progress, closed in the end so that an error gets a line of its own.

    Of a step size beyond use it is said what a useful one is, also where nothing else is.
    """
    from fastw2v.show.progress import Display
    from fastw2v.training.health import step_size_warning

    if line := step_size_warning(config):
        click.echo(f"Warning: {line}", err=True)
    display = Display(sys.stderr, quiet=quiet, verbose=verbose)
    try:
        yield display
    finally:
        display.close()


def outputs_of(
    options: dict[str, Any], config: TrainConfig, log_json: str | None
) -> tuple[Outputs, dict[str, Any]]:
    """Where a run writes, and the options that would make it again."""
    from fastw2v.system.machine import usable_cores

    target = Path(options["output"] or default_output(options["source"]))
    form = {name: options[name] for name in names_of("form")}
    outputs = Outputs(target, log_json, form, *(options[name] for name in names_of("output")))
    n_threads = 1 if config.backend == "reference" else config.threads or usable_cores()
    return outputs, resolved(options, config, target, n_threads)


def write(embeddings: Embeddings, outputs: Outputs, settings: dict[str, Any], display: Display) -> None:
    """Write the vectors, and beside them the options."""
    display.update(f"writing {outputs.target}")
    outputs.save(embeddings)
    if outputs.config:
        write_config(outputs.config, settings, click.get_current_context().command)


def check_before_reading(options: dict[str, Any], config: TrainConfig, *, resumed: bool) -> None:
    """Raise UsageError or CorpusError for options that only what follows the reading of the corpus uses.

    resumed  whether vectors to start from are those of a checkpoint
    """
    from fastw2v.backends import require_supported
    from fastw2v.training.checkpoint.checkpointer import parse_interval
    from fastw2v.training.start import require_known
    from fastw2v.vectors import formats
    from fastw2v.vectors.embeddings import with_outside

    check_judging(config, by_files=bool(options["eval_similarity"] or options["eval_analogy"]))
    parse_interval(options["checkpoint_every"])
    replicas.reading_of(options)  # lists of words, sizes
    require_supported(config)  # the processor may have no instruction for it
    center, outside = options["init_vectors"], options["init_outside"]
    if outside and not center:
        raise UsageError("--init-outside needs --init-vectors: give both files of one training")
    if resumed:
        return
    init = formats.load(Path(center), unescape=options["escape"], limit=1) if center else None
    if init and outside:
        init = with_outside(init, formats.load(Path(outside), unescape=options["escape"], limit=1))
    require_known(config, init)


def check_outputs(options: dict[str, Any], log: str | None) -> list[str]:
    """Lines on what of the corpus is left out; raises UsageError for an output that is an input."""
    context = click.get_current_context()
    named_output("--checkpoint", context.params["checkpoint"], streams=False)
    source = options["source"] or context.lookup_default("source") or ()
    if not source:
        return []  # which is told elsewhere
    named_output("-o", options["output"])
    named_output("--cache-dir", options["cache_dir"], streams=False)
    target, config = Path(options["output"] or default_output(source)), context.meta.get(CONFIG)
    beside = kept_config(config_path(target) if options["save_config"] else None, config)[0]
    inputs = inputs_of({**options, "config": config})
    return check_places(source, inputs, train_outputs(options, target, log, beside))


def load_scores(similarity: str | None, analogy: str | None) -> dict[str, Score]:
    """What to evaluate a run by beside held-out loss, from files of word pairs and of analogies."""
    from fastw2v.vectors.evaluation import (
        evaluate_analogies,
        evaluate_similarity,
        read_analogies,
        read_similarity,
    )

    scores: dict[str, Score] = {}
    if similarity:
        pairs = read_similarity(Path(similarity))
        scores["similarity"] = lambda embeddings: evaluate_similarity(embeddings, pairs).rho
    if analogy:
        questions = read_analogies(Path(analogy))
        scores["analogy"] = lambda embeddings: evaluate_analogies(embeddings, questions).accuracy
    return scores


def tell(evaluation: Evaluation, display: Display, log: RunLog) -> None:
    """Show and log an evaluation of the run."""
    from fastw2v.show.progress import evaluation_line

    display.say(evaluation_line(evaluation))
    log.record("evaluation", **evaluation._asdict())


def load_init(options: dict[str, Any], corpus: Corpus, display: Display) -> Embeddings | None:
    """The vectors to start from, if any; raises UsageError for outside vectors of other words."""
    from fastw2v.vectors import formats
    from fastw2v.vectors.embeddings import with_outside

    center, outside = options["init_vectors"], options["init_outside"]
    if not center:
        return None
    init = formats.load(Path(center), unescape=options["escape"])
    if outside:
        init = with_outside(init, formats.load(Path(outside), unescape=options["escape"]))
    words = corpus.vocabulary.words
    display.say(f"{sum(word in init for word in words):,} of {len(words):,} words start as in {center}")
    return init


def announce_compiling(display: Display) -> None:
    """Have the user told when the kernel is compiled, which is not so where its code is kept."""
    from fastw2v.kernels import jit
    from fastw2v.kernels.code_cache import CodeCache

    why = "the first run for a size takes some seconds"
    if jit.CACHE_FOLDER is None:
        why = "some seconds each time: set XDG_CACHE_HOME to a folder with space that you may write to"
    CodeCache.announce = lambda: display.update(f"compiling the kernel ({why})", final=True)


def run_training(
    trainer: replicas.Trainer,
    corpus: Corpus,
    display: Display,
    log: RunLog,
    hooks: tuple[Checkpointer | None, Evaluator | None],
    init: Embeddings | None,
) -> Trained:
    """Train, telling the user how it goes."""
    from fastw2v.show.progress import training_line
    from fastw2v.training.hooks import Callbacks

    checkpointer, _ = hooks
    if display.verbose:
        display.say(as_typed_line(trainer.config))
    if checkpointer and checkpointer.last:
        display.say(f"going on from {checkpointer.last.path}, {checkpointer.last.share:.1%} of the run")
    log.record(
        "corpus",
        words=corpus.n_words_read,
        rows=corpus.n_rows,
        tokens=trainer.n_tokens,
        vocabulary=len(corpus.vocabulary),
    )

    def on_stage(stage: str) -> None:
        if stage == "compile":
            announce_compiling(display)

    def on_progress(progress: Progress) -> None:
        display.update(training_line(progress))
        log.progress(progress)

    shown = Callbacks(on_progress=on_progress, on_stage=on_stage)
    try:
        trained = trainer.train(corpus, [shown, *(hook for hook in hooks if hook)], init)
    except DivergedError as error:
        kept = checkpointer.last if checkpointer else None
        outcome = f"the vectors in {kept.path} are good" if kept else "nothing was written"
        raise DivergedError(f"{error}; {outcome}") from None
    display.close()
    warn_of_no_pair(trained, trainer.config)
    return trained
