"""What a run tells those who follow it: progress, position, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.model.arrays import Totals, Vectors
from fastw2v.options.checks import unwrapped
from fastw2v.vectors.embeddings import Embeddings


class Progress(NamedTuple):
    """State of a run after a call: corpus words (repeated each epoch, out-of-vocabulary ones counted too)."""

    words: int
    words_total: int
    seconds: float
    learning_rate: float
    mean_loss: float

    @property
    def share(self) -> float:
        """Of the run that is done, 0 to 1."""
        return self.words / max(self.words_total, 1)

    @property
    def rate(self) -> float:
        """Words a second."""
        return self.words / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """At this rate."""
        return (self.words_total - self.words) / max(self.rate, 1e-9)


class Position(NamedTuple):
    """Where a run stands between two calls; with the two matrices that is all of its state.

    epoch, unit  the next unit to train is `unit` of `epoch`, or the first of the next epoch after the last
    totals       of the units trained so far
    seconds      spent on them, wall-clock
    legs         of a run in several processes instead of `unit`: for each number of processes that worked on
                 the epoch one after the other, that number and the units that each of them trained
    """

    epoch: int = 0
    unit: int = 0
    totals: Totals = Totals(0.0, 0, 0)
    seconds: float = 0.0
    legs: tuple[tuple[int, int], ...] = ()


START = Position()


class Keeper(Protocol):
    """Keeps a run safe from what may end it: `Checkpoints` does so on disk."""

    def restore(self, vectors: Vectors) -> Position | None:
        """Fill the matrices and say where to go on; None, and nothing filled, for a new run."""

    def after_call(self, vectors: Vectors, position: Position, progress: Progress) -> None:
        """Told after each call of the backend where the run stands; may raise to end it."""

    def is_due(self, progress: Progress) -> bool:
        """Whether it is time to write."""

    def save(self, vectors: Vectors, position: Position, progress: Progress) -> None:
        """Write what a run can go on from."""


@dataclass(frozen=True)
class Moment:
    """A run between two calls of the backend, as callbacks see it.

    epoch      of how many epochs something is trained, from 1
    progress   Progress
    """

    epoch: int
    progress: Progress
    vocabulary: Vocabulary
    vectors: Vectors
    dim: int

    def embeddings(self) -> Embeddings:
        """A copy of the vectors as they are now; takes the memory of both matrices."""
        center, outside = (np.ascontiguousarray(matrix[:, : self.dim]) for matrix in self.vectors)
        if np.shares_memory(center, self.vectors.center):  # dim is whole cache lines: nothing was copied
            center, outside = center.copy(), outside.copy()
        return Embeddings(self.vocabulary.words, center, outside, self.vocabulary.counts)


Callback = Callable[[Moment], object]  # True, which `STOP` is, ends the run; nothing else does


def is_stopped(callbacks: Sequence[Callback | None], moment: Moment) -> bool:
    """Call those that there are, all of them, and say whether one returned True, Python's or NumPy's.

    No other value ends a run: a callback that logs may return the number of characters it wrote.
    """
    returned = [callback(moment) for callback in callbacks if callback is not None]
    return any(unwrapped(value) is True for value in returned)


class Watchers(NamedTuple):
    """Callbacks of a run: after each call of the backend, at most half a second apart, and each epoch."""

    on_chunk: Callback | None = None
    on_epoch: Callback | None = None


NOBODY = Watchers()


class Listeners(NamedTuple):
    """Whom a run tells how it goes on."""

    on_progress: Callable[[Progress], None] | None = None
    keeper: Keeper | None = None
    watchers: Watchers = NOBODY


NO_LISTENERS = Listeners()


@dataclass(frozen=True)
class Trained:
    """What a run came to; seconds are wall-clock, words count every corpus word once an epoch."""

    embeddings: Embeddings
    words: int
    kept_words: int
    pairs: int
    mean_loss: float
    compile_seconds: float
    train_seconds: float
