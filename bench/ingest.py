"""`ingest`: how fast a corpus is read, beside gensim and word2vec.c; its share of a run, its memory."""

from __future__ import annotations

import importlib.util
import logging
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.options import Session, say, write_text
from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import common_column
from fastw2v.corpus.read import read_corpus

ROW_GROUP_BYTES = 400_000_000
ROW_WORDS = 2_000
RUN_OPTIONS: tuple[str, ...] = ()  # beside those below, the defaults
Reader = Callable[[], None]

# In a process of its own that has loaded everything before; peaks of a process never fall.
PEAK = """
import pathlib, re, sys
from fastw2v.corpus import read_corpus
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
small, large, threads = sys.argv[1:]
read_corpus(small, threads=int(threads))
before = peak()
corpus = read_corpus(large, threads=int(threads))
print(peak() - before - corpus.ids.nbytes - corpus.offsets.nbytes)
"""


def ingest(session: Session) -> None:
    """Every reader in each round, in alternation; then a whole run, and one large row group."""
    options = session.options
    source = options.corpus or session.folder / "planted.parquet"
    readers = readers_of(session, source)
    words = session.material.corpus.n_words_read
    for number in range(1, options.rounds + 1):
        for name, read in readers.items():
            started = time.perf_counter()
            read()
            seconds = time.perf_counter() - started
            note(session, reader=name, seed=number, words=words, seconds=seconds)
            say(f"{name}, round {number}: {words / seconds:,.0f} words/s")
    wall, training = seconds_of_a_run(session, source)
    note(session, epochs=options.config.epochs, wall_seconds=wall, training_seconds=training)
    say(f"a run of {options.config.epochs} epochs: {wall:.1f} s, training {training:.1f} s")
    if Path("/proc/self/status").exists():
        peak = peak_bytes(session)
        note(session, row_group_bytes=ROW_GROUP_BYTES, peak_bytes=peak)
        say(f"one row group of {ROW_GROUP_BYTES / 1e6:,.0f} MB: {peak / 1e6:,.0f} MB beyond the ids")


def note(session: Session, **result: Any) -> None:
    session.records.add(bench="ingest", **session.settings, **result)


def readers_of(session: Session, source: Path) -> dict[str, Reader]:
    """Ours, and the peers that are there; the others are named as absent."""
    options = session.options
    table = {
        f"fastw2v, {threads} thread{'s' * (threads > 1)}": ours(session, source, threads)
        for threads in dict.fromkeys((options.config.threads or 1, 1))
    }
    table["fastw2v vocab, its start included"] = command(session, source)
    if importlib.util.find_spec("gensim"):
        table["gensim build_vocab"] = gensim(session, source)
    else:
        say("gensim: not measured, it is not installed: pip install '.[bench]'")
    if options.word2vec:
        everything = read_corpus(
            source, column=options.column, min_count=0, threads=options.config.threads or 1
        )
        text = write_text(everything, session.folder / "everything.txt")
        table.update(
            {f"{peer.label}, reading": word2vec(session, peer.path, text) for peer in options.word2vec}
        )
    else:
        say("word2vec: not measured, give --word2vec PATH of its binary")
    return table


def ours(session: Session, source: Path, threads: int) -> Reader:
    """Vocabulary and ids."""
    options = session.options

    def read() -> None:
        read_corpus(source, column=options.column, min_count=options.min_count, threads=threads)

    return read


def command(session: Session, source: Path) -> Reader:
    """The vocabulary alone, by a process of its own: imports and the loading of machine code count."""
    options = session.options
    words = [sys.executable, "-m", "fastw2v", "vocab", str(source), "--threads", str(options.config.threads)]
    words += ["--min-count", str(options.min_count), "-o", str(session.folder / "words.vocab.txt"), "-q"]
    words += ["--column", options.column] if options.column else []

    def read() -> None:
        subprocess.run(words, capture_output=True, check=True)

    return read


class Sentences:
    """Rows of a Parquet file as lists of words, as gensim's LineSentence gives the lines of a text."""

    def __init__(self, source: Path, column: str | None) -> None:
        self.source, self.column = source, column

    def __iter__(self) -> Iterator[list[str]]:
        with pq.ParquetFile(self.source) as file:
            column = common_column([(str(self.source), file.schema_arrow)], ReadConfig(column=self.column))
            for batch in file.iter_batches(1024, columns=[column.name]):
                for row in batch.column(0).to_pylist():
                    yield row.split() if isinstance(row, str) else row or []


def gensim(session: Session, source: Path) -> Reader:
    """The vocabulary alone: gensim looks words up again in every epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gensim.models import Word2Vec
    logging.getLogger("gensim").setLevel(logging.ERROR)
    options = session.options

    def read() -> None:
        model = Word2Vec(sg=1, vector_size=1, min_count=options.min_count)
        model.build_vocab(Sentences(source, options.column))

    return read


def word2vec(session: Session, binary: Path, text: Path) -> Reader:
    """The vocabulary alone: without -output word2vec.c stops there, and it reads the text in every epoch."""
    command = [str(binary.resolve()), "-train", str(text), "-save-vocab", str(session.folder / "words.txt")]
    command += ["-min-count", str(session.options.min_count)]

    def read() -> None:
        subprocess.run(command, capture_output=True, check=True)

    return read


def seconds_of_a_run(session: Session, source: Path) -> tuple[float, float]:
    """Wall-clock seconds of the command with default options, and those that it trained."""
    options = session.options
    command = [sys.executable, "-m", "fastw2v", "train", str(source), "-o", str(session.folder / "run.bin")]
    command += [*RUN_OPTIONS, "--threads", str(options.config.threads), "--min-count", str(options.min_count)]
    command += ["--column", options.column] if options.column else []
    subprocess.run([*command, "--epochs", "1"], capture_output=True, check=True)  # compiles for this size
    command += ["--epochs", str(options.config.epochs)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - started
    [seconds] = re.findall(r"^trained [\d,]+ words in ([\d.]+) s", done.stderr, re.MULTILINE)
    return wall, float(seconds)


def peak_bytes(session: Session) -> int:
    """Peak memory of reading one large row group, beyond the ids and what is loaded before."""
    row = " ".join(map(str, np.random.default_rng(0).integers(0, 10_000, ROW_WORDS)))
    n_rows = ROW_GROUP_BYTES // len(row) + 1
    with tempfile.TemporaryDirectory(dir=session.folder) as name:
        small, large = Path(name) / "small.parquet", Path(name) / "large.parquet"
        for path, n in ((small, 2), (large, n_rows)):
            table = pa.table({"text": pa.array([row] * n, pa.large_string())})
            pq.write_table(table, path, row_group_size=n, use_dictionary=False)
        command = [sys.executable, "-c", PEAK, str(small), str(large), str(session.options.config.threads)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
