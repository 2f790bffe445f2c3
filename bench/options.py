"""What a measurement is asked to do, and the corpus, peers and judges that follow from it."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from bench import trainers
from bench.judges import Judges, find_judges
from bench.records import Records
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.system.machine import usable_cores


class Peer(NamedTuple):
    """A binary and the name it has in tables."""

    label: str
    path: Path


class Options(NamedTuple):
    """The command line.

    try_lr, try_epochs, targets   of time-to-quality: every pair of the first two, scores by judge
    best_lr   of models: each side at every try_lr, and the one of the best scores is told
    buckets   rows that n-grams share, of models with subwords, on every side
    models    of models: those to train, or all
    """

    corpus: Path | None
    column: str | None
    eval_folder: Path | None
    config: TrainConfig
    min_count: int
    rounds: int
    seeds: int
    only: tuple[str, ...]
    word2vec: tuple[Peer, ...]
    pword2vec: tuple[Peer, ...]
    fasttext: tuple[Peer, ...]
    try_lr: tuple[float, ...]
    try_epochs: tuple[int, ...]
    targets: dict[str, float]
    best_lr: bool = False
    buckets: int = TrainConfig.buckets
    models: tuple[str, ...] = ()


class Session(NamedTuple):
    """What all measurements of one command share."""

    options: Options
    records: Records
    material: trainers.Material
    judges: Judges
    folder: Path

    @property
    def settings(self) -> dict[str, object]:
        """What must be equal for two results to be compared."""
        config = self.options.config
        names = ("dim", "window", "negatives", "sample", "lr", "block_size", "precision")
        return {
            "corpus": self.material.name,
            "n_words": self.material.corpus.n_words_read,
            "min_count": self.options.min_count,
            "threads": config.threads,
            "shared_negatives": config.shared_draws(len(self.material.corpus.vocabulary)),
            **{name: getattr(config, name) for name in names},
        }


def say(text: str) -> None:
    """A line of progress."""
    click.echo(text, err=True)


@contextmanager
def open_session(options: Options, records: Records, text_needed: bool) -> Iterator[Session]:
    """Read the corpus (or generate the planted one), and write it as text where a peer needs that."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = options.corpus
        if source is None:
            from corpora.planted import Plan, generate

            generate(Plan(), folder)
            source = folder / "planted.parquet"
        corpus = read_corpus(
            source, column=options.column, min_count=options.min_count, threads=usable_cores()
        )
        text = write_text(corpus, folder / "corpus.txt") if text_needed else None
        material = trainers.Material(source.stem, corpus, text, options.min_count)
        yield Session(options, records, material, find_judges(source, options.eval_folder), folder)


def write_text(corpus: Corpus, path: Path) -> Path:
    """The corpus as the trainers see it, one sentence a line, without the words that are too rare."""
    words = corpus.vocabulary.words
    with path.open("w", encoding="utf-8") as file:
        for start, stop in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
            file.write(" ".join(words[i] for i in corpus.ids[start:stop]) + "\n")
    return path


def chosen(options: Options) -> dict[str, trainers.Trainer]:
    """Our kernels, and the peers that are there; the others are named as absent."""
    table: dict[str, trainers.Trainer] = {
        "fastw2v block": trainers.ours(kernel="block"),
        "fastw2v block, drawn windows": trainers.ours(kernel="block", window_weights="drawn"),
        "fastw2v block, deterministic": trainers.ours(kernel="block", deterministic=True),
        "fastw2v pair": trainers.ours(kernel="pair"),
    }
    absent = {}
    if HAS_BFLOAT16:
        table["fastw2v block, bfloat16"] = trainers.ours(kernel="block", precision="bfloat16")
    else:
        absent["fastw2v block, bfloat16"] = "the processor has no AVX512-BF16"
    if importlib.util.find_spec("gensim"):
        table["gensim corpus_file"] = trainers.gensim
    else:
        absent["gensim"] = "it is not installed: pip install '.[bench]'"
    for kind, make in (
        ("word2vec", trainers.word2vec_like),
        ("pword2vec", trainers.word2vec_like),
        ("fasttext", trainers.fasttext),
    ):
        peers: tuple[Peer, ...] = getattr(options, kind)
        table.update({peer.label: make(peer.path) for peer in peers})
        if not peers:
            absent[kind] = f"give --{kind} PATH of its binary"
    if options.only:
        unknown = [name for name in options.only if name not in table]
        if unknown:
            raise click.UsageError(f"--only {unknown[0]!r} is none of {', '.join(map(repr, table))}")
        return {name: trainer for name, trainer in table.items() if name in options.only}
    for name, cure in absent.items():
        say(f"{name}: not measured, {cure}")
    return table
