"""File operations that fail, or end the process, at the n-th: of a checkpoint and of an export, for every n.

The seam is Python's own os module, so it needs no privileges and no compiler, and works in one process.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora.small import corpus_of
from fastw2v.backends import objective_of
from fastw2v.config import TrainConfig
from fastw2v.errors import OutputError
from fastw2v.model.arrays import Totals, Vectors
from fastw2v.model.ngrams import Spans
from fastw2v.system.files import LOCK, require_writable
from fastw2v.training import matrices
from fastw2v.training.checkpoint.checkpointer import Checkpointer, Interval, RunIdentity
from fastw2v.training.checkpoint.folder import Folder
from fastw2v.training.checkpoint.manifest import fingerprints, read_checkpoint
from fastw2v.training.hooks import Position, Progress
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.ngrams import InputRows

CALLS = {"open": ["open"], "write": [], "fsync": ["fsync"], "rename": ["rename", "replace", "mkdir"]}
ERRORS = (errno.ENOSPC, errno.EIO)
DIED = 77
N_WORDS, DIM = 3000, 100  # 1.2 MB a matrix: two writes


class Fault(NamedTuple):
    """The n-th of one kind of call fails with an error, or ends the process where there is none."""

    call: str
    number: int
    error: int | None


class Strikes:
    """Counts calls and lets a fault happen."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.counts, self.happened = fault, Counter[str](), False

    def __call__(self, call: str) -> None:
        self.counts[call] += 1
        if (call, self.counts[call]) == self.fault[:2]:
            self.happened = True
            if self.fault.error is None:
                os._exit(DIED)
            raise OSError(self.fault.error, os.strerror(self.fault.error))


class StrikingFile(io.FileIO):
    """A file whose writes are counted as the system sees them, below the buffer."""

    strikes: Strikes

    def write(self, data: Any) -> int:
        self.strikes("write")
        return super().write(data) or 0


@contextlib.contextmanager
def injected(fault: Fault) -> Iterator[Strikes]:
    """Let a fault happen to what runs in the block."""
    strikes = Strikes(fault)

    def counted(call: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **options: Any) -> Any:
            strikes(call)
            return plain(*arguments, **options)

        return function

    def fdopen(descriptor: int, mode: str, buffering: int = io.DEFAULT_BUFFER_SIZE) -> io.BufferedWriter:
        file = StrikingFile(descriptor, mode)
        file.strikes = strikes
        return io.BufferedWriter(file, buffering)

    before = {name: getattr(os, name) for names in CALLS.values() for name in names} | {"fdopen": os.fdopen}
    for call, names in CALLS.items():
        for name in names:
            setattr(os, name, counted(call, before[name]))
    os.fdopen = fdopen  # type: ignore[assignment]
    try:
        yield strikes
    finally:
        for name, plain in before.items():
            setattr(os, name, plain)


# ---- What is put to the test -------------------------------------------------------------------------------


class Trial(NamedTuple):
    """Something that writes to a folder: prepare it, write, and say whether the folder is as it may be."""

    prepare: Callable[[Path], None]
    write: Callable[[Path], None]
    is_sound: Callable[[Path], bool]


def small_run() -> tuple[RunIdentity, Vectors]:
    corpus = corpus_of(np.arange(N_WORDS), N_WORDS, N_WORDS)
    vectors = Vectors(*(matrices.aligned_zeros(N_WORDS, DIM) for _ in range(2)))
    return RunIdentity(TrainConfig(dim=DIM), corpus, fingerprints(corpus), {}), vectors


RUN, VECTORS = small_run()
SPANS = Spans(3, 4, 50)
OBJECTIVE = objective_of(RUN.config, RUN.corpus.vocabulary.counts)


def write_checkpoint(path: Path, words: int) -> None:
    """A checkpoint whose vectors hold the number of words done."""
    with Folder(path) as folder:
        saved = folder.newest(lambda line: None) if folder.checkpoints() else None
        checkpointer = Checkpointer(folder, Interval(), RUN, saved)
        for matrix in VECTORS:
            matrix[:, :DIM] = words
        checkpointer.save(
            VECTORS, Position(0, 1, Totals(1.0, 1, 1)), Progress(words, 100, 1.0, 0.1, 1.0), OBJECTIVE
        )


def is_sound_checkpoint(path: Path) -> bool:
    """One complete old or new checkpoint is the newest, no other is damaged, and nothing else is there."""
    with Folder(path) as folder:
        saved = [read_checkpoint(own) for own in folder.checkpoints()]
        center = np.load(saved[-1].path / "center.npy", allow_pickle=False)
        is_whole = bool((center == saved[-1].words).all()) and saved[-1].words in (2, 3)
        return (
            is_whole
            and len(saved) == len([own for own in path.iterdir() if own.name != LOCK])
            and len(saved) in (2, 3)
        )


def name_of(format: str) -> str:
    """A file name that means the format."""
    suffix = next(suffix for suffix, own in formats.SUFFIXES.items() if own == format)
    return f"model{suffix}"


def export(format: str) -> Trial:
    """Vectors of one format, written over older ones; each of its files must be the old or the new one."""
    name = name_of(format)

    def write(path: Path, number: float) -> None:
        matrix = np.full((N_WORDS, DIM), number, np.float32)
        made_of = None
        if format == "fasttext":  # which is of words that are made of their n-grams
            made_of = InputRows(SPANS, np.full((N_WORDS + SPANS.n_buckets, DIM), number, np.float32))
        words = RUN.corpus.vocabulary.words
        formats.save(path / name, Embeddings(words, matrix, matrix, made_of=made_of), format=format)

    @cache
    def contents(number: float) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), number)
            return {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    def is_sound(path: Path) -> bool:
        for own in formats.output_paths(path / name, format):
            require_writable(own)  # as the next run does: removes what a dead process left
        found = {own.name: own.read_bytes() for own in path.iterdir()}
        old, new = contents(1.0), contents(2.0)
        return found.keys() == old.keys() and all(found[key] in (old[key], new[key]) for key in found)

    return Trial(lambda path: write(path, 1.0), lambda path: write(path, 2.0), is_sound)


def prepare_checkpoints(path: Path) -> None:
    for words in (1, 2):
        write_checkpoint(path, words)


TRIALS = {
    "checkpoint": Trial(prepare_checkpoints, lambda path: write_checkpoint(path, 3), is_sound_checkpoint),
    **{str(format): export(format) for format in formats.KINDS},
}


# ---- Every n -----------------------------------------------------------------------------------------------


class Swept(NamedTuple):
    """Faults that happened, and what was wrong after some of them."""

    n_faults: int
    wrong: list[str]


def sweep(name: str, folder: Path, error: int | None, calls: tuple[str, ...] = tuple(CALLS)) -> Swept:
    """Let every n-th call fail, or be the last of a process, and look at the folder after each."""
    trial, n_faults, wrong = TRIALS[name], 0, []
    prepared, path = folder / "prepared", folder / "path"
    prepared.mkdir()
    trial.prepare(prepared)
    for call in calls:
        for number in count(1):
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(prepared, path)
            fault = Fault(call, number, error)
            happened, complaint = dies(trial, path, fault) if error is None else fails(trial, path, fault)
            if complaint or not trial.is_sound(path):
                wrong.append(f"{name}, {fault}: {complaint or 'not sound'}")
            if not happened:
                break
            n_faults += 1
    shutil.rmtree(prepared)
    return Swept(n_faults, wrong)


def fails(trial: Trial, path: Path, fault: Fault) -> tuple[bool, str]:
    """Whether the fault happened, and what is wrong with the error it became."""
    with injected(fault) as strikes:
        try:
            trial.write(path)
        except OutputError as error:
            strays = [own.name for own in path.rglob(".fastw2v-*")]
            is_clear = str(path) in str(error) and "\n" not in str(error)
            return strikes.happened, "" if is_clear and not strays else f"{strays} left, error: {error}"
        except Exception as error:
            return strikes.happened, f"{type(error).__name__}: {error}"
    return strikes.happened, ""


def dies(trial: Trial, path: Path, fault: Fault) -> tuple[bool, str]:
    """The same in a child process that ends there."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), injected(fault):
            trial.write(path)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code == DIED, "" if code in (0, DIED) else f"exit code {code}"


def main(folder: Path, names: Iterable[str]) -> None:
    """Sweep trials with processes that end: run by itself, for forks need a process without threads."""
    for name in names:
        swept = sweep(name, folder, None)
        sys.stdout.write(f"{swept.n_faults}\t{'; '.join(swept.wrong)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or TRIALS)
