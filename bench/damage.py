"""Damaged files for every reader: each must be read as before, or be refused with one line."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.injection import RUN, TRIALS, name_of
from corpora.parquet import write_text_parquet
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import read_vocabulary, write_vocabulary
from fastw2v.errors import FastW2VError
from fastw2v.training.checkpoint.manifest import fingerprints, read_checkpoint
from fastw2v.vectors import formats

SECONDS = 20.0  # for one file; more is a hang
ROOT = Path(__file__).parent.parent


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One of: cut, bit flipped, run of zeros, two parts swapped, part doubled, first number changed."""
    place, other = sorted(rng.randrange(len(content)) for _ in range(2))
    kind = rng.randrange(6)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
    if kind == 2:
        return content[:place] + bytes(other - place) + content[other:]
    if kind == 3:
        middle = (place + other) // 2
        return content[:place] + content[middle:other] + content[place:middle] + content[other:]
    if kind == 4:
        return content[:other] + content[place:]
    return str(rng.randrange(10 ** rng.randrange(1, 18))).encode() + content[content.find(b" ") :]


class Reader(NamedTuple):
    """A reader and its victims: make the files in a folder, read them, giving what must not change unnoticed.

    Files that have no checksums may be read as something else; their `read` gives nothing to compare.
    """

    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]


def make_parquet(folder: Path) -> list[Path]:
    rng = random.Random(0)
    rows = [" ".join(f"w{int(rng.paretovariate(0.7)) % 500}" for _ in range(20)) for _ in range(300)]
    write_text_parquet(folder / "c.parquet", rows, rows_per_group=64)
    return [folder / "c.parquet"]


def make_vocabulary(folder: Path) -> list[Path]:
    write_vocabulary(folder / "words.txt", RUN.corpus.vocabulary)
    return [folder / "words.txt"]


def make_checkpoint(folder: Path) -> list[Path]:
    TRIALS["checkpoint"].prepare(folder)
    return sorted((folder / "checkpoint-000002").iterdir())


def read_vectors(path: Path) -> None:
    embeddings = formats.load(path)
    assert np.isfinite(embeddings.center_vectors).all()
    assert len(set(embeddings.words)) == len(embeddings) == len(embeddings.center_vectors)


def vectors_reader(format: str) -> Reader:
    name = name_of(format)

    def make(folder: Path) -> list[Path]:
        TRIALS[format].prepare(folder)
        return formats.output_paths(folder / name, format)

    return Reader(make, lambda folder: read_vectors(folder / name))


VECTORS = [str(format) for format, kind in formats.KINDS.items() if kind.read]


def make_kept_corpus(folder: Path) -> list[Path]:
    make_parquet(folder)
    read_kept_corpus(folder)
    return list((folder / "cache").iterdir())


def read_kept_corpus(folder: Path) -> object:
    """Read the corpus that was kept; where that is damaged, the files it was made from are read again."""
    return fingerprints(
        read_corpus(folder / "c.parquet", min_count=1, memory=Memory(cache_dir=folder / "cache"))
    )


READERS = {
    "Parquet": Reader(
        make_parquet, lambda folder: fingerprints(read_corpus(folder / "c.parquet", min_count=1, threads=2))
    ),
    **{format: vectors_reader(format) for format in VECTORS},
    "kept corpus": Reader(make_kept_corpus, read_kept_corpus),
    "vocabulary": Reader(make_vocabulary, lambda folder: len(read_vocabulary(folder / "words.txt")) * 0),
    "checkpoint": Reader(make_checkpoint, lambda folder: read_checkpoint(folder / "checkpoint-000002")),
}


def outcome(reader: Reader, folder: Path, expected: object) -> str:
    """What a reader made of damaged files: `refused` and `alike` are right."""
    try:
        return "alike" if reader.read(folder) == expected else "different"
    except FastW2VError as error:
        return "refused" if "\n" not in str(error) else f"two lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def outcomes_of(reader: Reader, folder: Path, numbers: Iterable[int]) -> Iterator[str]:
    """Damage the reader's files in ways that go by number, one after the other, and read them."""
    victims = reader.make(folder)
    contents = [victim.read_bytes() for victim in victims]
    expected = reader.read(folder)
    for number in numbers:
        rng = random.Random(number)
        which = rng.randrange(len(victims))
        victims[which].write_bytes(mutated(contents[which], rng))
        yield outcome(reader, folder, expected)
        victims[which].write_bytes(contents[which])


def count_outcomes(name: str, folder: Path, n_files: int) -> Counter[str]:
    """Outcomes by kind, in processes of their own: one that ends or hangs is `crash` or `hang`."""
    outcomes: Counter[str] = Counter()
    first = 0
    while first < n_files:
        own = folder / f"{name}-{first}"
        own.mkdir()
        command = [sys.executable, "-m", "bench.damage", name, str(own), str(first), str(n_files)]
        timeout = SECONDS + 0.5 * (n_files - first)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=timeout, env=environment, check=False, cwd=ROOT
            )
            output, ended = done.stdout, f"crash, exit code {done.returncode}"
        except subprocess.TimeoutExpired as error:
            output, ended = error.stdout or b"", "hang"
        lines = output.rpartition(b"\n")[0].decode().splitlines()
        outcomes.update(lines)
        first += len(lines)
        if first < n_files:
            outcomes[f"{ended} at file {first}"] += 1
            first += 1
    return outcomes


def main(name: str, folder: str, first: str, end: str) -> None:
    """Print a line for each number first ≤ number < end as it comes."""
    for kind in outcomes_of(READERS[name], Path(folder), range(int(first), int(end))):
        sys.stdout.write(kind.partition("\n")[0] + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
