"""Trainers to compare: each turns a corpus and settings into seconds of training and a vectors file.

Seconds are those of training alone, wall clock; the words are the corpus's words, out-of-vocabulary ones too,
times epochs, for every trainer alike.
"""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.options.subwords import lengths_of
from fastw2v.system.machine import usable_cores
from fastw2v.training import loop
from fastw2v.vectors import formats


class Material(NamedTuple):
    """A named corpus: ids for our trainers, a text file of one sentence a line for the others."""

    name: str
    corpus: Corpus
    text: Path | None
    min_count: int


def first_tokens(corpus: Corpus, n: int) -> Corpus:
    """The first n tokens, with the whole vocabulary."""
    n = min(n, len(corpus.ids))
    offsets = np.append(corpus.offsets[corpus.offsets < n], n)
    words = round(corpus.n_words_read * n / max(1, len(corpus.ids)))
    return corpus._replace(ids=corpus.ids[:n], offsets=offsets, n_words_read=words)


def most_frequent(corpus: Corpus, n: int) -> Corpus:
    """The tokens of the n most frequent words alone, as if there were no others."""
    known = np.asarray(corpus.ids) < n
    offsets = np.unique(np.append(0, np.cumsum(known))[corpus.offsets])  # sentences without any are left out
    words, counts = corpus.vocabulary.words[:n], corpus.vocabulary.counts[:n]
    return corpus._replace(
        ids=corpus.ids[known],
        offsets=offsets,
        vocabulary=Vocabulary(words, counts),
        n_words_read=int(known.sum()),
    )


class Run(NamedTuple):
    """Seconds of training, of compilation before it, and where the vectors are."""

    seconds: float
    compile_seconds: float
    vectors: Path | None


Trainer = Callable[[Material, TrainConfig, Path], Run]


def has_tree(config: TrainConfig) -> bool:
    """Whether the loss is the hierarchical softmax."""
    return config.loss == "hierarchical-softmax"


def ours(**changes: object) -> Trainer:
    """fastw2v with some options changed."""

    def run(material: Material, config: TrainConfig, folder: Path) -> Run:
        trained = loop.train(material.corpus, replace(config, **changes))  # type: ignore[arg-type]
        vectors = folder / "fastw2v.bin"
        formats.save(vectors, trained.embeddings, escape=True)
        return Run(trained.train_seconds, trained.compile_seconds, vectors)

    return run


def gensim(material: Material, config: TrainConfig, folder: Path) -> Run:
    """gensim in corpus_file mode: its Word2Vec, or its FastText where words are made of n-grams."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gensim.models import FastText, Word2Vec
    logging.getLogger("gensim").setLevel(logging.ERROR)
    of_ngrams = {}
    if config.subwords:
        shortest, longest = lengths_of(config.subwords)
        of_ngrams = {"min_n": shortest, "max_n": longest, "bucket": config.buckets}
    model = (FastText if config.subwords else Word2Vec)(
        **of_ngrams,
        sg=int(config.architecture == "skip-gram"),
        hs=int(has_tree(config)),
        vector_size=config.dim,
        window=config.window,
        negative=0 if has_tree(config) else config.negatives,
        sample=config.sample,
        min_count=material.min_count,
        alpha=config.learning_rate,
        min_alpha=config.min_learning_rate,
        workers=config.threads or usable_cores(),
        seed=config.seed,
        ns_exponent=config.ns_exponent,
    )
    text = str(material.text)
    model.build_vocab(corpus_file=text)
    started = time.perf_counter()
    model.train(
        corpus_file=text,
        epochs=config.epochs,
        total_words=model.corpus_total_words,
        total_examples=model.corpus_count,
    )
    seconds = time.perf_counter() - started
    vectors = folder / "gensim.bin"
    model.wv.save_word2vec_format(str(vectors), binary=True)
    return Run(seconds, 0.0, vectors)


def watched(command: list[str], begin: str, progress: str) -> float:
    """Seconds from the line that says the vocabulary is done to the last progress report of a program."""
    master, slave = pty.openpty()  # on a pipe the C library would hold its lines back
    first = last = None
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=subprocess.DEVNULL) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not data:
                break
            now = time.perf_counter()
            seen = (seen + data)[-200_000:]
            if first is None and re.search(begin.encode(), seen):
                first = now
            if re.search(progress.encode(), data):
                last = now
    os.close(master)
    if process.returncode or first is None or last is None:
        tail = seen.decode(errors="replace").splitlines()[-3:]
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {' / '.join(tail)}")
    return last - first


def word2vec_like(binary: Path) -> Trainer:
    """word2vec.c, or pWord2Vec, which takes the same options."""

    def run(material: Material, config: TrainConfig, folder: Path) -> Run:
        vectors = folder / f"{binary.name}.bin"
        options = {
            "-train": material.text,
            "-output": vectors,
            "-size": config.dim,
            "-window": config.window,
            "-negative": 0 if has_tree(config) else config.negatives,
            "-sample": config.sample,
            "-min-count": material.min_count,
            "-iter": config.epochs,
            "-alpha": config.learning_rate,
            "-threads": config.threads or usable_cores(),
            "-hs": int(has_tree(config)),
            "-binary": 1,
        }
        help_text = subprocess.run(
            [str(binary.resolve())], capture_output=True, text=True, check=False
        ).stdout
        if "-cbow" in help_text:
            options["-cbow"] = int(config.architecture == "cbow")
        command = [str(binary.resolve()), *(str(part) for option in options.items() for part in option)]
        return Run(watched(command, r"Words in train file", r"Progress|Words/sec"), 0.0, vectors)

    return run


def fasttext(binary: Path) -> Trainer:
    """fastText, without n-grams where config has none."""

    def run(material: Material, config: TrainConfig, folder: Path) -> Run:
        vectors = folder / "fasttext"
        shortest, longest = lengths_of(config.subwords) if config.subwords else (0, 0)
        options = {
            "-input": material.text,
            "-output": vectors,
            "-dim": config.dim,
            "-ws": config.window,
            "-neg": config.negatives,
            "-t": config.sample,
            "-minCount": material.min_count,
            "-epoch": config.epochs,
            "-lr": config.learning_rate,
            "-thread": config.threads or usable_cores(),
            "-loss": "hs" if has_tree(config) else "ns",
            "-minn": shortest,
            "-maxn": longest,
            "-bucket": config.buckets if config.subwords else 0,
        }
        command = [
            str(binary.resolve()),
            "cbow" if config.architecture == "cbow" else "skipgram",
            *(str(part) for option in options.items() for part in option),
        ]
        seconds = watched(command, r"Number of labels", r"Progress")
        vectors.with_suffix(".bin").unlink(missing_ok=True)  # both matrices, gigabytes with many buckets
        return Run(seconds, 0.0, vectors.with_suffix(".vec"))

    return run
