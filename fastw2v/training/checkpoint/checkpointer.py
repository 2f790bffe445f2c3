"""Checkpoints: a run between two calls of the backend, on disk, complete or not there at all.

    DIR/checkpoint-000017/   center.npy  outside.npy   float32 (n_words, dim), V and U of CS224n
                             center.vocab.txt          so that center.npy reads as a vectors file
                             manifest.json             options, fingerprints, position, sizes and checksums

Every random draw is a function of (seed, epoch, position), so the two matrices and the position are the whole
state. Files are read back only if they are what the manifest says they were; nothing is ever unpickled.
"""

from __future__ import annotations

import math
import re
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, write_vocabulary
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Objective
from fastw2v.system import interrupts
from fastw2v.system.files import atomic_folder, remove_folder
from fastw2v.system.portable import quoted
from fastw2v.training.checkpoint.folder import Folder, number_of
from fastw2v.training.checkpoint.manifest import (
    Fingerprints,
    Saved,
    earlier_fingerprint,
    write_manifest,
)
from fastw2v.training.checkpoint.matrices import read_matrix, write_matrix
from fastw2v.training.health import require_healthy
from fastw2v.training.hooks import Hook, Moment, Position, Progress
from fastw2v.vectors.formats.tokens import check_tokens, escape_token

SECONDS = {"s": 1, "m": 60, "h": 3600}
_INTERVAL = re.compile(r"([0-9]{1,15}) ?(s|m|h|words)")


class Interval(NamedTuple):
    """Time or corpus words between two checkpoints; the other one is infinite."""

    seconds: float = math.inf
    words: float = math.inf


def parse_interval(text: str) -> Interval:
    """`30s`, `5m`, `2h`, or `1000000 words` (repeated each epoch, out-of-vocabulary ones counted too).

    Raises UsageError for anything else, and for 0.
    """
    match = _INTERVAL.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise UsageError(
            f"checkpoint_every is {text!r}: it must be like 30s, 5m (minutes), 2h or '1000000 words'",
            ("checkpoint_every",),
        )
    number, unit = int(match[1]), match[2]
    return Interval(words=number) if unit == "words" else Interval(seconds=number * SECONDS[unit])


class RunIdentity(NamedTuple):
    """What must be the same when a run goes on, and what else is needed to start it again.

    options  names and JSON values, those of TrainConfig among them
    """

    config: TrainConfig
    corpus: Corpus
    fingerprints: Fingerprints
    options: dict[str, Any]


class Checkpointer(Hook):
    """Writes checkpoints of a run as it goes on, the last one at its end or where a signal ends it.

    folder    Folder, open
    interval  at least this between two
    run       RunIdentity
    saved     the checkpoint to go on from, or None for a new run

    Raises UsageError where the corpus or vocabulary is not that of the checkpoint.
    """

    defers_signals = True

    def __init__(
        self, folder: Folder, interval: Interval, run: RunIdentity, saved: Saved | None = None
    ) -> None:
        if saved:
            _require_same(saved, run)
        self.folder, self.interval, self.run, self.last = folder, interval, run, saved
        self.written_at = time.monotonic()
        self.words = saved.words if saved else 0
        self.vocabulary = Vocabulary(_carried(run.corpus.vocabulary.words), run.corpus.vocabulary.counts)
        interrupts.set_outcome(self.outcome)

    @property
    def outcome(self) -> str:
        """What is there of the run if it ends now."""
        if self.last is None:
            return "nothing was written"
        folder = quoted(self.folder.path)
        return f"{self.last.share:.1%} of the run is kept, go on by: fastw2v train --resume {folder}"

    def restore(self, vectors: Vectors) -> Position | None:
        """Fill the matrices and say where to go on; None for a new run."""
        if self.last is None:
            return None
        for name, matrix in self._files(vectors).items():
            read_matrix(self.last.path / name, matrix)
        return self.last.position

    def is_due(self, progress: Progress) -> bool:
        """Whether it is time to write, or the run ends."""
        return (
            time.monotonic() - self.written_at >= self.interval.seconds
            or progress.words - self.words >= self.interval.words
            or progress.words == progress.words_total
        )

    def when_due(self, moment: Moment, position: Position) -> None:
        """Write a checkpoint; raises OutputError, and DivergedError instead of keeping vectors not finite."""
        self.save(moment.vectors, position, moment.progress, moment.objective)

    def save(self, vectors: Vectors, position: Position, progress: Progress, objective: Objective) -> None:
        """Write a checkpoint, then remove all but it and the one before."""
        require_healthy(vectors, progress.mean_loss, objective, self.run.config.learning_rate)
        numbers = map(number_of, self.folder.checkpoints())
        path = self.folder.path / f"checkpoint-{max(numbers, default=0) + 1:06}"
        saved = Saved(
            path, self.run.options, self.run.fingerprints, position, progress.words, progress.words_total
        )
        with atomic_folder(path) as temporary:
            for name, matrix in self._files(vectors).items():
                write_matrix(temporary / name, matrix)
            write_vocabulary(temporary / "center.vocab.txt", self.vocabulary)
            write_manifest(temporary, saved)
        for old in self.folder.checkpoints():
            if old != path and (self.last is None or old != self.last.path):
                remove_folder(old)
        self.folder.remove_leftovers()
        self.last, self.words, self.written_at = saved, progress.words, time.monotonic()
        interrupts.set_outcome(self.outcome)

    def _files(self, vectors: Vectors) -> dict[str, NDArray[np.float32]]:
        dim = self.run.config.dim
        return {"center.npy": vectors.center[:, :dim], "outside.npy": vectors.outside[:, :dim]}


def _require_same(saved: Saved, run: RunIdentity) -> None:
    for name in Fingerprints._fields:
        found = getattr(saved.fingerprints, name)
        if found != getattr(run.fingerprints, name) and found != earlier_fingerprint(run.corpus):
            raise UsageError(
                f"the {name} is not that of the run in {saved.path.parent}: give what that run was started "
                "with, or start a new one without --resume"
            )


def _carried(words: list[str]) -> list[str]:
    """The words as a vocabulary file can hold them: as they are, or all of them escaped."""
    try:
        check_tokens(words)
    except UsageError:
        return [escape_token(word) for word in words]
    return words
