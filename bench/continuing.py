"""`continue`: a corpus cut in two by position, and what going on with the second half comes to.

    first half ─► model ─► continued with the second half, new words from their contexts or at random
    both halves at once          second half alone

Scores of old words and of those that joined are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

import fastw2v
from bench.judges import Judges
from bench.options import Session, say
from bench.reached import scored
from bench.rows import SETTINGS, Row, newest_run, of_bench
from bench.tables import caption, table
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.run.saved_model import read_model
from fastw2v.vectors import evaluation
from fastw2v.vectors.embeddings import Embeddings

MEASURE = "continue"
FIRST = "first half alone"
LEAST = 50  # pairs or questions that a score is of
SETTING_NAMES = ("dim", "window", "negatives", "sample", "block_size", "shared_negatives", "precision")
WORDS = {"old": "old words alone", "joined": "a word that joined"}


class Trained(NamedTuple):
    """One of the trainings: its name in the table, its vectors, its step size at the start."""

    name: str
    vectors: Embeddings
    lr: float


def halves(source: Path, folder: Path) -> list[Path]:
    """The rows of a Parquet file, the first half and the rest, as files in a folder."""
    rows = pq.read_table(source)
    middle = len(rows) // 2
    paths = [folder / "first.parquet", folder / "second.parquet"]
    for path, part in zip(paths, (rows.slice(0, middle), rows.slice(middle)), strict=True):
        pq.write_table(part, path)
    return paths


def trainings(texts: list[Path], folder: Path, options: dict[str, Any]) -> Iterator[Trained]:
    """All of them, as a user makes them; each at the step size that it chooses."""
    first, second = texts
    places = {name: folder / name for name in ("old", "continued", "both", "second")}

    def train(corpus: Any, name: str, **more: Any) -> Trained:
        vectors = fastw2v.train(corpus, save_model=places[name], **options, **more)
        lr = read_model(places[name]).trainings[-1].lr
        return Trained("", vectors, lr or 0.0)

    old = train(first, "old")
    yield old._replace(name=FIRST)
    continued = train(second, "continued", continue_from=places["old"])
    yield continued._replace(name="continued with the second half")
    counts = continued.vectors.counts
    assert counts is not None
    own = {name: value for name, value in options.items() if name != "min_count"}
    given: dict[str, Any] = {"vocabulary": Vocabulary(continued.vectors.words, counts), "lr": continued.lr}
    at_random = fastw2v.train(second, init=old.vectors, **own, **given)
    yield Trained("the same, new words at random", at_random, continued.lr)
    yield train([first, second], "both")._replace(name="both halves at once")
    yield train(second, "second")._replace(name="second half alone")


def words_of(case: Any) -> list[str]:
    """The words of a pair or a question, as judges fold them."""
    fields = case[:2] if isinstance(case, evaluation.SimilarityPair) else case[1:]
    return [word.upper() for word in fields]


def split(judges: Judges, old: Iterable[str], known: Iterable[str]) -> dict[str, Judges]:
    """Pairs and questions of known words: those of old words alone, and those with one that joined.

    Sets of fewer than LEAST are left out.
    """
    folded, everything = ({word.upper() for word in words} for words in (old, known))
    parts = {name: Judges({}, {}) for name in WORDS}
    for kind in ("similarity", "analogy"):
        for name, cases in getattr(judges, kind).items():
            own = [case for case in cases if everything.issuperset(words_of(case))]
            for part in WORDS:
                chosen = [case for case in own if folded.issuperset(words_of(case)) == (part == "old")]
                if len(chosen) >= LEAST:
                    getattr(parts[part], kind)[name] = chosen
    return parts


def scores_of(vectors: Embeddings, judges: Judges) -> dict[str, float]:
    """Spearman's ρ, and analogies answered in per cent among all words: those that joined are rare."""
    scores = {
        name: evaluation.evaluate_similarity(vectors, pairs).rho for name, pairs in judges.similarity.items()
    }
    for name, questions in judges.analogy.items():
        accuracy = evaluation.evaluate_analogies(vectors, questions, restrict=None).accuracy
        scores[name] = 100 * accuracy
    return scores


def continuing(session: Session) -> None:
    """Train, judge old words and those that joined, and note it."""
    if not (session.judges.similarity or session.judges.analogy):
        say("continue: nothing to judge by, give --eval FOLDER with word pairs or analogy questions (*.txt)")
        return
    config, folder = session.options.config, session.folder
    options: dict[str, Any] = {name: getattr(config, name) for name in SETTING_NAMES}
    options |= {"epochs": config.epochs, "threads": config.threads, "seed": config.seed}
    options |= {"column": session.options.column, "min_count": session.options.min_count}
    source = session.options.corpus or folder / "planted.parquet"
    trained = list(trainings(halves(source, folder), folder, options))
    old = set(trained[0].vectors.words)
    known = set.intersection(*(set(one.vectors.words) for one in trained[1:]))
    parts = split(session.judges, old, known)
    for one in trained:
        scores = {
            part: scores_of(one.vectors, judges)
            for part, judges in parts.items()
            if part == "old" or one.name != FIRST
        }
        session.records.add(
            bench=MEASURE,
            trainer=one.name,
            **session.settings | {"lr": one.lr},
            epochs=config.epochs,
            seed=config.seed,
            scores=scores,
            n_cases={part: n_cases(judges) for part, judges in parts.items()},
            vocabulary=len(one.vectors),
            n_joined=int(np.sum([word not in old for word in one.vectors.words])),
        )
        say(f"{one.name}, lr {one.lr:g}: {scores}")


def n_cases(judges: Judges) -> dict[str, int]:
    """How many pairs or questions each set has."""
    sizes = {name: len(pairs) for name, pairs in judges.similarity.items()}
    return sizes | {name: len(questions) for name, questions in judges.analogy.items()}


def report(rows: list[Row]) -> str:
    """A line for each training: its vocabulary, and the scores of old words and of those that joined."""
    parts = []
    for own in newest_run(of_bench(rows, MEASURE), *(name for name in SETTINGS if name != "lr"), "threads"):
        sets = [(part, judge, n) for part in WORDS for judge, n in own[0]["n_cases"][part].items()]
        head = ["training", "lr", "words", *(f"{judge}, {WORDS[part]} ({n:,})" for part, judge, n in sets)]
        lines = [
            [
                *(row["trainer"], f"{row['lr']:g}", f"{row['vocabulary']:,}"),
                *(
                    scored(row["scores"][part][judge], judge) if part in row["scores"] else "–"
                    for part, judge, _ in sets
                ),
            ]
            for row in own
        ]
        epochs = f"{own[0]['epochs']} epochs of each text, a run each"
        parts.append(f"{table(head, lines)}\n\n{caption(own[-1], epochs)}")
    return "\n\n".join(parts)
