"""`throughput` and `quality`: every trainer on the same corpus with the same settings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import click

from bench import reached, trainers
from bench.agreement import assert_kernels_agree
from bench.options import Session, chosen, say
from bench.rows import OURS
from fastw2v.backends import has_exact_weights
from fastw2v.config import TrainConfig

REFERENCE_TOKENS = 4 * 4096  # the reference trains some thousand words a second; a few units are enough


def run_one(
    session: Session, bench: str, name: str, trainer: trainers.Trainer, config: TrainConfig, **more: object
) -> None:
    """Train once, judge the vectors, note both, and more beside them."""
    run = trainer(session.material, config, session.folder)
    scores = {}
    if run.vectors is not None:
        scores = session.judges.scores(run.vectors, unescape=name.startswith("fastw2v"))
        run.vectors.unlink()
    words = session.material.corpus.n_words_read * config.epochs
    note(session, bench, name, config, words, run, scores, **more)
    shown = "".join(f", {judge} {score:.3f}" for judge, score in scores.items())
    settings = f"{config.epochs} epochs at lr {config.learning_rate:g}, seed {config.seed}"
    say(f"{name}, {settings}: {words / run.seconds:,.0f} words/s{shown}")


def note(
    session: Session,
    bench: str,
    name: str,
    config: TrainConfig,
    words: int,
    run: trainers.Run,
    scores: dict[str, float],
    **more: object,
) -> None:
    """One trained run as a record."""
    n_words = len(session.material.corpus.vocabulary)
    session.records.add(
        bench=bench,
        trainer=name,
        **session.settings | {"lr": config.learning_rate, "shared_negatives": config.shared_draws(n_words)},
        window_weights="exact" if has_exact_weights(config) else "drawn",
        epochs=config.epochs,
        seed=config.seed,
        words=words,
        seconds=run.seconds,
        compile_seconds=run.compile_seconds,
        scores=scores,
        **more,
    )


def throughput(session: Session) -> None:
    """One epoch, sides in alternation: every trainer runs once in each round.

    First kernels and reference must agree on the same draws.
    """
    options, config = session.options, replace(session.options.config, epochs=1)
    table = chosen(options)
    differences = assert_kernels_agree(config)
    say(f"kernels agree with the reference: largest difference {max(differences.values()):.1e}")
    for kernel in ("block", "pair"):
        if not options.only:
            run_reference(session, kernel, config)
    for number in range(options.rounds):
        for name, trainer in table.items():
            run_one(session, "throughput", name, trainer, replace(config, seed=number + 1))


def run_reference(session: Session, kernel: str, config: TrainConfig) -> None:
    """The NumPy reference on the first tokens of the corpus, in one process of one thread."""
    part = trainers.first_tokens(session.material.corpus, REFERENCE_TOKENS)
    train = trainers.ours(kernel=kernel, backend="reference", threads=1)
    run = train(session.material._replace(corpus=part), config, session.folder)
    name = f"NumPy reference, {kernel}"
    note(session, "throughput", name, config, part.n_words_read, run, {})
    say(f"{name}: {part.n_words_read / run.seconds:,.0f} words/s")


def quality(session: Session) -> None:
    """Scores at equal epochs: ours with several seeds, the others once."""
    options = session.options
    if not (session.judges.similarity or session.judges.analogy):
        say("quality: nothing to judge by, give --eval FOLDER with word pairs or analogy questions (*.txt)")
        return
    for name, trainer in chosen(options).items():
        for seed in range(1, (options.seeds if name.startswith("fastw2v") else 1) + 1):
            run_one(session, "quality", name, trainer, replace(options.config, seed=seed))


def time_to_quality(session: Session) -> None:
    """Every trainer at every step size and number of epochs, trainers in alternation; of ours only block."""
    options = session.options
    if not (session.judges.similarity or session.judges.analogy):
        say("time-to-quality: nothing to judge by, give --eval FOLDER with word pairs or analogies (*.txt)")
        return
    known = {*session.judges.similarity, *session.judges.analogy}
    if unknown := options.targets.keys() - known:
        raise click.UsageError(f"--target {min(unknown)!r} is none of {', '.join(map(repr, sorted(known)))}")
    table = chosen(options)
    if not options.only:
        table = {name: table[name] for name in table if name == OURS or not name.startswith("fastw2v")}
    for lr, epochs in itertools.product(options.try_lr, options.try_epochs):
        for name, trainer in table.items():
            config = replace(options.config, lr=lr, epochs=epochs, min_lr=None)
            run_one(session, reached.MEASURE, name, trainer, config, targets=options.targets)
