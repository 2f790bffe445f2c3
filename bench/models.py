"""`models`: every model that words are trained by, beside the peers and the reference that have it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from bench.judges import Judges
from bench.options import Options, Session, chosen, say
from bench.reached import finite_scores, mean_score, scored
from bench.rows import MACHINE, OURS, SETTINGS, Row, groups, judges_of, newest_run, of_bench, speed
from bench.runs import run_one
from bench.trainers import Trainer, first_tokens, most_frequent, ours
from fastw2v.config import TrainConfig
from fastw2v.training.step_size import with_learning_rate

MEASURE = "models"
# A tree draws no noise, so these may only have their defaults.
NOISE = ("negatives", "ns_exponent", "block_size", "shared_negatives", "precision")
CBOW: dict[str, Any] = {"architecture": "cbow"}
TREE = {"loss": "hierarchical-softmax", **{name: getattr(TrainConfig, name) for name in NOISE}}
MODELS: dict[str, dict[str, Any]] = {
    "skip-gram, negative sampling": {},
    "CBOW, negative sampling": CBOW,
    "skip-gram, hierarchical softmax": TREE,
    "CBOW, hierarchical softmax": CBOW | TREE,
    "skip-gram, subwords 3-6": {"subwords": "3-6"},
}
# The softmax over all words stands beside negative sampling on the same tokens, those of so many words, and
# beside its twin in NumPy on the first of them.
SOFTMAX = {"loss": "softmax", **{name: value for name, value in TREE.items() if name != "loss"}}
SOFTMAX_WORDS = (2_000, 5_000)
REFERENCE = "NumPy reference"
REFERENCE_TOKENS = 4_096
ALL_WORDS = "softmax"
OTHERS_STEP = 2.0  # times --lr for CBOW of others: word2vec.c's defaults are .025 and .05


def jobs(session: Session) -> Iterator[tuple[str, str, Trainer, TrainConfig]]:
    """Every model, trainer and configuration: ours at the step size that it chooses, others at theirs.

    pWord2Vec has the first model alone, word2vec.c no subwords.
    """
    options, n_tokens = session.options, len(session.material.corpus.ids)
    others = {name: one for name, one in chosen(options).items() if not name.startswith("fastw2v")}
    with_one = {peer.label for peer in options.pword2vec}
    with_words = {peer.label for peer in options.word2vec}
    for model, changes in MODELS.items():
        if model not in (options.models or MODELS):
            continue
        config, label = replace(options.config, **changes), model
        if config.subwords:
            config, label = replace(config, buckets=options.buckets), f"{model}, {options.buckets:,} buckets"
        for own in at_steps(options, with_learning_rate(replace(config, lr=None), n_tokens)):
            yield label, OURS, ours(), own
        times = OTHERS_STEP if config.architecture == "cbow" else 1.0
        for name, trainer in others.items():
            if (changes and name in with_one) or (config.subwords and name in with_words):
                continue
            for own in at_steps(options, replace(config, lr=times * config.learning_rate)):
                yield label, name, trainer, own


def at_steps(options: Options, config: TrainConfig) -> list[TrainConfig]:
    """The configuration, and where each side's best step size is asked for, at every one to try."""
    others = [lr for lr in options.try_lr if lr != config.learning_rate] if options.best_lr else []
    return [config, *(replace(config, lr=lr, min_lr=None) for lr in others)]


def models(session: Session) -> None:
    """Train each once, so many epochs, and judge it. Raises UsageError for a model that is none."""
    if unknown := set(session.options.models or ()) - {*MODELS, ALL_WORDS}:
        raise click.UsageError(f"--model {min(unknown)!r} is none of {', '.join([*MODELS, ALL_WORDS])}")
    if not session.judges.similarity and not session.judges.analogy:
        if session.options.best_lr:
            raise click.UsageError("--best-lr: there is nothing to judge by, give --eval FOLDER")
        say("models: nothing to judge by, speeds alone; give --eval FOLDER")
    for model, name, trainer, config in jobs(session):
        run_one(session, MEASURE, name, trainer, config, model=model)
    sizes = SOFTMAX_WORDS if ALL_WORDS in (session.options.models or [ALL_WORDS]) else ()
    for n_words in (n for n in sizes if n <= len(session.material.corpus.vocabulary)):
        few = most_frequent(session.material.corpus, n_words)
        softmax(session._replace(material=session.material._replace(corpus=few)))


def softmax(session: Session) -> None:
    """The softmax over the words of a corpus, negative sampling on it, and the reference on its start."""
    corpus, options = session.material.corpus, session.options
    start = session.material._replace(corpus=first_tokens(corpus, REFERENCE_TOKENS))
    words = f"{len(corpus.vocabulary):,} words"
    for model, changes in (("negative sampling", {}), ("softmax", SOFTMAX)):
        config = with_learning_rate(replace(options.config, lr=None, **changes), len(corpus.ids))
        run_one(session, MEASURE, OURS, ours(), config, model=f"{model}, {words}")
    trainer, once = ours(backend="reference", threads=1), replace(config, epochs=1)
    in_numpy = session._replace(material=start, judges=Judges({}, {}))
    run_one(in_numpy, MEASURE, REFERENCE, trainer, once, model=f"softmax, {words}")


def score(row: Row) -> float:
    """By which the best step size of a trainer is told; −∞ where nothing was judged."""
    scores = finite_scores(row)
    return mean_score({"scores": scores}) if scores else -math.inf


def lines(rows: list[Row]) -> Iterator[tuple[list[str], list[list[str]], list[Row]]]:
    """Of each corpus and settings the head and the lines of its table, and its rows.

    Each model of the last command that trained it.
    """
    names = (*(name for name in SETTINGS if name != "lr"), "threads", *MACHINE)
    newest = [row for own in newest_run(of_bench(rows, MEASURE), *names, "model") for row in own]
    for own in groups(newest, *names).values():
        judges, cells = judges_of({"": own}), []
        for (model,), of_model in groups(own, "model").items():
            best = [max(own, key=score) for own in groups(of_model, "trainer").values()]
            first = next((row for row in best if row["trainer"] == OURS), None)
            for row in best:
                ratio = f"{speed(first) / speed(row):.1f} x" if first and row is not first else ""
                told = row["scores"]
                scores = [scored(told[judge], judge) if judge in told else "–" for judge in judges]
                cells.append([model, row["trainer"], f"{row['lr']:g}", f"{speed(row):,.0f}", ratio, *scores])
        yield ["model", "trainer", "lr", "words/s", "ours is faster by", *judges], cells, own
