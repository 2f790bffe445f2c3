"""`stability`: how wide intervals of cosines are by the number of samples, of frequent and of rare words.

one training, as ever     20 samples     intervals and shares of each word's 10 nearest, by 5, 10 and 20
"""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v
from bench.options import Session, say
from bench.rows import SETTINGS, Row, newest_run, of_bench
from bench.tables import caption, table
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.stability import Stability, level_of, sureness

MEASURE = "stability"
COUNTS = (5, 10, 20)
NEAREST = 10
ASKED = 100  # words of each band
SETTING_NAMES = ("dim", "window", "negatives", "sample", "lr", "block_size", "shared_negatives", "precision")
BANDS = {"frequent": (0.0, 0.02), "middle": (0.3, 0.4), "rare": (0.9, 1.0)}  # shares of the ranks


def asked_of(n_words: int) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Ranks of ASKED words of each band, evenly spaced, or of all that it has."""
    found = {}
    for name, (first, last) in BANDS.items():
        start, end = int(first * n_words), max(int(last * n_words), int(first * n_words) + 1)
        found[name] = np.unique(np.linspace(start, end - 1, min(ASKED, end - start)).astype(np.int64))
    return found


def first_of(stability: Stability, n: int) -> Stability:
    """The first samples alone."""
    fewer = copy.copy(stability)
    fewer.samples = stability.samples[:n]
    return fewer


def judged(vectors: Embeddings, stability: Stability) -> dict[str, dict[str, float]]:
    """Of each band: the mean width of the intervals of the nearest words, and the mean share of samples."""
    scores = {}
    for band, ranks in asked_of(len(vectors)).items():
        near = [[word for word, _ in vectors.nearest(vectors.words[rank], NEAREST)] for rank in ranks]
        rows = stability.rows_of([vectors.words[rank] for rank in ranks])
        others = np.array([stability.rows_of(words) for words in near])
        sure = sureness(stability, rows, others, NEAREST)
        scores[band] = {"width": float((sure.highs - sure.lows).mean()), "share": float(sure.shares.mean())}
    return scores


def stability(session: Session) -> None:
    """Train once and in samples, ask, and note it."""
    config, folder = session.options.config, session.folder
    options: dict[str, Any] = {name: getattr(config, name) for name in SETTING_NAMES}
    options |= {"epochs": config.epochs, "threads": config.threads, "seed": config.seed}
    options |= {"column": session.options.column, "min_count": session.options.min_count}
    source = session.options.corpus or folder / "planted.parquet"
    started = time.perf_counter()
    vectors = fastw2v.train(source, **options)
    of_training = time.perf_counter() - started
    started = time.perf_counter()
    found = fastw2v.stability(source, folder / "samples.stability", samples=max(COUNTS), **options)
    of_samples = (time.perf_counter() - started) / max(COUNTS)
    for n_samples in COUNTS:
        fewer = first_of(found, n_samples)
        started = time.perf_counter()
        for word in vectors.words[:NEAREST]:
            fewer.nearest(word, NEAREST, vectors)
        of_question = (time.perf_counter() - started) / NEAREST
        scores = judged(vectors, fewer)
        session.records.add(
            bench=MEASURE,
            trainer="fastw2v",
            **session.settings,
            epochs=config.epochs,
            seed=config.seed,
            n_samples=n_samples,
            level=level_of(n_samples),
            scores=scores,
            vocabulary=len(vectors),
            seconds={"training": of_training, "sample": of_samples, "question": of_question},
            bytes=n_samples * size_of(found.path),
        )
        say(f"{n_samples} samples: {scores}")


def size_of(folder: Path) -> int:
    """Bytes of a sample."""
    return next(folder.glob("sample-*.npy")).stat().st_size


def report(rows: list[Row]) -> str:
    """A line for each number of samples: what they take, and how sure neighbours are."""
    parts = []
    for own in newest_run(of_bench(rows, MEASURE), *SETTINGS, "threads"):
        head = ["samples", "level", "MB", "seconds", "a question, ms"]
        head += [f"{what}, {band}" for band in BANDS for what in ("width", "share")]
        lines = [
            [
                f"{row['n_samples']}",
                f"{row['level']:.1%}",
                f"{row['bytes'] / 1e6:,.1f}",
                f"{row['n_samples'] * row['seconds']['sample']:,.0f}",
                f"{1000 * row['seconds']['question']:,.0f}",
                *(f"{row['scores'][band][what]:.3f}" for band in BANDS for what in ("width", "share")),
            ]
            for row in sorted(own, key=lambda row: int(row["n_samples"]))
        ]
        last = own[-1]
        told = f"{last['epochs']} epochs; {NEAREST} nearest of {ASKED} words a band; one training takes "
        told += f"{last['seconds']['training']:,.0f} s"
        parts.append(f"{table(head, lines)}\n\n{caption(last, told)}")
    return "\n\n".join(parts)
