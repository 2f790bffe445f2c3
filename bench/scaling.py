"""`scaling`: words a second against threads, dim, k, vocabulary and sentence length."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.options import Session, say
from bench.trainers import first_tokens
from corpora.small import corpus_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.system.machine import usable_cores
from fastw2v.training.loop import train

TOKENS = 6_000_000  # some seconds for each point
DIMS = (50, 100, 200, 300, 500)
NEGATIVES = (5, 10, 15, 25)
VOCABULARIES = (10_000, 100_000, 1_000_000)
LENGTHS = (5, 50, 1_000, TOKENS)


def cut(corpus: Corpus, length: int) -> Corpus:
    """The same tokens in sentences of one length."""
    n = len(corpus.ids)
    return corpus._replace(offsets=np.append(np.arange(0, n, length), n).astype(np.int64))


def zipf_corpus(n_words: int, n_tokens: int) -> Corpus:
    """Independent draws from Zipf's law (Mandelbrot's shift 2.7), in sentences of 1,000."""
    rng = np.random.default_rng(1)
    edges = np.cumsum(1 / (np.arange(n_words) + 2.7))
    ids = np.searchsorted(edges, rng.random(n_tokens) * edges[-1])
    return corpus_of(ids, n_words, 1_000, least_count=1)


def points(session: Session, part: Corpus) -> Iterator[tuple[str, int, Corpus, TrainConfig]]:
    """Every (axis, value) to measure, with its corpus and settings."""
    config = replace(session.options.config, epochs=1)
    for dim in DIMS:
        yield "dim", dim, part, replace(config, dim=dim)
    for negatives in NEGATIVES:
        yield "k", negatives, part, replace(config, negatives=negatives)
    for length in LENGTHS:
        yield "sentence length", min(length, len(part.ids)), cut(part, length), config
    for n_words in VOCABULARIES:
        yield "vocabulary", n_words, zipf_corpus(n_words, TOKENS), config


def note(session: Session, axis: str, value: int, words: int, seconds: float) -> None:
    session.records.add(
        bench="scaling", axis=axis, value=value, **session.settings, words=words, seconds=seconds
    )
    say(f"{axis} {value:,}: {words / seconds:,.0f} words/s")


def scaling(session: Session) -> None:
    """Kernel `block`, all else as the options say; rounds alternate over the points of an axis."""
    part = first_tokens(session.material.corpus, TOKENS)
    warm_up(session)
    for _ in range(session.options.rounds):
        for axis, value, corpus, config in points(session, part):
            trained = train(corpus, config)
            note(session, axis, value, trained.words, trained.train_seconds)
        threads_and_processes(session, part)


def warm_up(session: Session) -> None:
    """Compile, so that no point does."""
    train(first_tokens(session.material.corpus, 8192), replace(session.options.config, epochs=1))


def threads_and_processes(session: Session, part: Corpus) -> None:
    """1, 2, 4 … threads, and as many processes of one thread, started together."""
    config = replace(session.options.config, epochs=1)
    cores = usable_cores()
    for threads in sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores}):
        trained = train(part, replace(config, threads=threads))
        note(session, "threads", threads, trained.words, trained.train_seconds)
    speeds = speeds_of_processes(part, replace(config, threads=1), cores)
    # Their sum as if one had trained the words of all in the time that this speed takes.
    note(session, "processes", cores, part.n_words_read, part.n_words_read / sum(speeds))


def train_alone(part: Corpus, config: TrainConfig, gate: Any, answers: Any) -> None:
    """One process of `speeds_of_processes`: waits until all have compiled."""
    train(first_tokens(part, 8192), config)
    gate.wait()
    trained = train(part, config)
    answers.put(trained.words / trained.train_seconds)


def speeds_of_processes(part: Corpus, config: TrainConfig, n: int) -> list[float]:
    """Words a second of n processes that train at the same time, each its own vectors with one thread."""
    spawn = multiprocessing.get_context("spawn")  # never fork after a kernel has run
    gate, answers = spawn.Barrier(n), spawn.Queue()
    processes = [spawn.Process(target=train_alone, args=(part, config, gate, answers)) for _ in range(n)]
    for process in processes:
        process.start()
    speeds = [answers.get(timeout=600) for _ in processes]
    for process in processes:
        process.join()
    return speeds
