"""What a run tells of itself, and whom: progress, position, and the one protocol of hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.model.arrays import Totals, Vectors
from fastw2v.model.ngrams import Rows
from fastw2v.model.plan import WORDS, Inputs, Objective, Subwords, outside_is_of_words
from fastw2v.options.checks import unwrapped

if TYPE_CHECKING:  # which `fastw2v vocab` does not need
    from fastw2v.vectors.embeddings import Embeddings


class Progress(NamedTuple):
    """State of a run after a call: corpus words (repeated each epoch, out-of-vocabulary ones counted too).

    words_total   of the whole run; by the clock those to expect, and at its end those that were trained
    epochs        passes made so far, with a fraction
    """

    words: int
    words_total: int
    seconds: float
    learning_rate: float
    mean_loss: float
    epochs: float = 0.0

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


def embeddings_of(
    vocabulary: Vocabulary,
    vectors: Vectors,
    inputs: Inputs,
    objective: Objective,
    outsides: Vocabulary | None = None,
) -> Embeddings:
    """Matrices of rows without padding as vectors of words: means where words are bags of rows.

    outsides   the vocabulary of the outside words, where it is another one
    """
    from fastw2v.vectors.embeddings import Embeddings

    center, outside = vectors.center, vectors.outside if outside_is_of_words(objective) else None
    if not isinstance(inputs, Subwords):
        own = (None, None) if outsides is None or outside is None else (outsides.words, outsides.counts)
        return Embeddings(vocabulary.words, center, outside, vocabulary.counts, None, *own)
    from fastw2v.vectors.ngrams import InputRows, mean_rows

    means, made_of = mean_rows(center, Rows(inputs.starts, inputs.rows)), InputRows(inputs.spans, center)
    return Embeddings(vocabulary.words, means, outside, vocabulary.counts, made_of)


@dataclass(frozen=True)
class Moment:
    """A run between two calls of the backend, as callbacks see it.

    epoch      of how many epochs something is trained, from 1
    progress   Progress
    objective  of the run
    inputs     of the run: which rows of vectors.center stand for a word
    outside_vocabulary   of the outside words, where it is another one
    """

    epoch: int
    progress: Progress
    vocabulary: Vocabulary
    vectors: Vectors
    dim: int
    objective: Objective
    inputs: Inputs = WORDS
    outside_vocabulary: Vocabulary | None = None

    def embeddings(self) -> Embeddings:
        """A copy of the vectors as they are now; takes the memory of both matrices."""
        center, outside = (np.ascontiguousarray(matrix[:, : self.dim]) for matrix in self.vectors)
        if np.shares_memory(center, self.vectors.center):  # dim is whole cache lines: nothing was copied
            center, outside = center.copy(), outside.copy()
        vectors = Vectors(center, outside)
        return embeddings_of(self.vocabulary, vectors, self.inputs, self.objective, self.outside_vocabulary)


Callback = Callable[[Moment], object]  # True, which `STOP` is, ends the run; nothing else does


def is_stopped(returned: Sequence[object]) -> bool:
    """Whether one of the values that callbacks returned ends the run: True, Python's or NumPy's.

    No other value does: a callback that logs may return the number of characters it wrote.
    """
    return any(unwrapped(value) is True for value in returned)


class Hook:
    """What a run tells of itself, at each of these moments; a hook overrides those that it waits for.

    In a run of several processes `restore`, and the callbacks of a user, are rank 0's. What returns True ends
    the run, as `is_stopped` says, after this call of the backend or, in several processes, where they meet.

    defers_signals  a signal does not end the run before `when_due` was called once more
    may_stop        something may return True
    """

    defers_signals = False
    may_stop = False

    def on_stage(self, stage: str) -> None:
        """Told that "compile" or "train" begins."""

    def on_compiling(self, seconds: float) -> None:
        """Told now and then that a kernel is being compiled, for about so many seconds more.

        Not told where its code is kept. It may begin before the stage "compile": beside the reading.
        """

    def restore(self, vectors: Vectors) -> Position | None:
        """Fill the matrices and say where to go on; None, and nothing filled, for a new run."""
        return None

    def after_call(self, moment: Moment) -> object:
        """Told after each call of the backend, at most half a second apart.

        Where several processes train, the rarer words' vectors are those of this one since all were combined.
        """
        return None

    def is_due(self, progress: Progress) -> bool:
        """Whether `when_due` is to be called now."""
        return False

    def due_at(self) -> float:
        """The share of the run at which `when_due` is next wanted, if it is known; 1 is its end."""
        return 1.0

    def when_due(self, moment: Moment, position: Position) -> object:
        """Told where the run stands, if it is due: the vectors are those that all processes agree on."""
        return None

    def on_epoch(self, moment: Moment) -> object:
        """Told after each epoch, with vectors that all processes agree on."""
        return None

    def on_end(self, trained: Trained) -> Trained:
        """What the run came to, as it is handed on."""
        return trained


class Callbacks(Hook):
    """A hook of functions: on_progress gets Progress after each call, the others what those of a Hook get."""

    def __init__(
        self,
        *,
        on_progress: Callable[[Progress], object] | None = None,
        on_stage: Callable[[str], object] | None = None,
        on_chunk: Callback | None = None,
        on_epoch: Callback | None = None,
    ) -> None:
        self._on_progress, self._on_stage = on_progress, on_stage
        self._on_chunk, self._on_epoch = on_chunk, on_epoch
        self.may_stop = on_chunk is not None or on_epoch is not None

    def on_stage(self, stage: str) -> None:
        """Call on_stage."""
        if self._on_stage:
            self._on_stage(stage)

    def after_call(self, moment: Moment) -> object:
        """Call on_progress, and on_chunk, which may end the run."""
        if self._on_progress:
            self._on_progress(moment.progress)
        return self._on_chunk(moment) if self._on_chunk else None

    def on_epoch(self, moment: Moment) -> object:
        """Call on_epoch, which may end the run."""
        return self._on_epoch(moment) if self._on_epoch else None


class Evaluation(NamedTuple):
    """What a run was worth at a moment.

    epochs    passes made so far, with a fraction
    loss      mean of J over the pairs of held-out sentences; NaN without any
    scores    by name
    is_best   no earlier loss was lower
    """

    epochs: float
    loss: float
    scores: dict[str, float]
    is_best: bool


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
