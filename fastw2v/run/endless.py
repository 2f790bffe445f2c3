"""Learning from a stream: words are counted, chunk by chunk, and frequent ones trained; models of it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import require_supported
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.chunks import Chunk
from fastw2v.corpus.summary import SpaceSaving
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.model.arrays import NOTHING, Totals
from fastw2v.options.endless import CONSTANT_STEP, IDLE, EndlessConfig
from fastw2v.options.together import refused
from fastw2v.run.continuing import kept_options
from fastw2v.run.saved_model import SavedModel, Training, write_model
from fastw2v.training.checkpoint.sealed import damage_told
from fastw2v.training.endless import (
    ChunkTokens,
    ChunkTrainer,
    GoesOn,
    GrowingVectors,
    always,
    seed_of_chunk,
)
from fastw2v.training.hooks import Hook
from fastw2v.training.step_size import times_of
from fastw2v.vectors.embeddings import Embeddings


class Settings(NamedTuple):
    """What a stream is trained with.

    training   with a step size, which is also its floor
    model      that is gone on with, if one is
    """

    training: TrainConfig
    reading: ReadConfig
    endless: EndlessConfig
    model: SavedModel | None = None


def settings_of(
    training: TrainConfig, reading: ReadConfig, endless: EndlessConfig, model: SavedModel | None = None
) -> Settings:
    """The settings of a stream with these options.

    Raises UsageError for a plan that nobody trains, and for a model that has other rows than words.
    """
    for name in ("loss", "subwords"):
        if getattr(training, name) != getattr(TrainConfig, name):
            raise refused(
                f"the model has {name} {getattr(training, name)}, and endless goes on with none of them: "
                f"{IDLE[name]}; go on with a text, without endless, or with another model",
                *(name, "endless"),
            )
    step = CONSTANT_STEP * times_of(training) if training.lr is None else training.lr
    training = replace(training, lr=step, min_lr=step)
    require_supported(training)
    return Settings(training, reading, endless, model)


def endless_with(model: SavedModel | None, endless: EndlessConfig, *, is_given: bool) -> EndlessConfig:
    """The options of a stream that goes on with a model: as many words as the stream of the model had.

    is_given   whether the number of words was asked for
    """
    size = model.stream.get("vocabulary_size") if model else None
    return endless if is_given or size is None else replace(endless, vocabulary_size=size)


@dataclasses.dataclass
class Tracked:
    """How far a stream is: words read, those of them that were not UTF-8, and words that joined and left."""

    words: int = 0
    n_bad: int = 0
    joined: int = 0
    left: int = 0


class Learner:
    """What was learned of a stream so far.

    summary   of its words; those that were seen min_count times have vectors
    rows      of these
    state     Tracked, of this run
    """

    def __init__(self, settings: Settings, hooks: tuple[Hook, ...] = ()) -> None:
        """Raises OutputError for memory, CorpusError for a damaged model to go on with."""
        training, size = settings.training, settings.endless.vocabulary_size
        self.settings, self.state = settings, Tracked()
        self.summary, self.rows = SpaceSaving(size), GrowingVectors(size, training.dim)
        self.trainer = ChunkTrainer(training, hooks)
        self.n_chunks = self._n_new = 0
        self._row_of_slot = np.full(size, -1, np.int64)
        self._slot_of_row = np.full(size, -1, np.int64)
        if settings.model:
            self._restore(settings.model)

    def __len__(self) -> int:
        return self.rows.n

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 (n_words,), how often the word of each row was surely seen."""
        return self.summary.seen[self._slot_of_row[: len(self)]]

    def words(self, rows: NDArray[np.int64]) -> list[str]:
        """The words of rows."""
        return [self.summary.words[slot] for slot in self._slot_of_row[rows].tolist()]

    def joined_last(self) -> list[str]:
        """The words that joined with the last chunk."""
        return self.words(np.arange(len(self) - self._n_new, len(self)))

    def learn(self, chunk: Chunk, goes_on: GoesOn = always) -> Totals:
        """Count a chunk, let words join and leave, and train it.

        goes_on   as of `ChunkTrainer.train`

        Raises DivergedError, and OutputError for memory.
        """
        rows = self.count(chunk)
        self.state.words += chunk.n_read
        self.state.n_bad += chunk.n_bad
        number, self.n_chunks = self.n_chunks, self.n_chunks + 1
        if not len(self):
            return NOTHING
        return self.trainer.train(self.rows.vectors, in_rows(chunk, rows, self.counts), number, goes_on)

    def count(self, chunk: Chunk) -> NDArray[np.int64]:
        """Count the words of a chunk, let words join and leave; the row of each of its words, or -1."""
        change = self.summary.add(chunk.words, chunk.counts)
        for slot in change.left.tolist():
            self._leave(slot)
        slots = change.slots[change.slots >= 0]
        seen = self.summary.seen
        new = slots[(self._row_of_slot[slots] < 0) & (seen[slots] >= self.settings.reading.min_count)]
        new = new[np.argsort(-seen[new], kind="stable")]
        first = len(self)
        self.rows.join(len(new), seed_of_chunk(self.settings.training.seed, self.n_chunks))
        self._row_of_slot[new] = np.arange(first, len(self))
        self._slot_of_row[first : len(self)] = new
        self.state.joined, self._n_new = self.state.joined + len(new), len(new)
        return np.where(change.slots >= 0, self._row_of_slot[change.slots], -1)

    def _leave(self, slot: int) -> None:
        """Give up the row of a word, if it had one."""
        row = int(self._row_of_slot[slot])
        if row < 0:
            return
        last = self.rows.leave(row)
        self._slot_of_row[row] = self._slot_of_row[last]
        self._row_of_slot[self._slot_of_row[row]] = row
        self._row_of_slot[slot] = self._slot_of_row[last] = -1
        self.state.left += 1

    def embeddings(self) -> Embeddings:
        """A copy of the vectors as they are, the most frequent words first."""
        order = self._order()
        center, outside = (matrix[order, : self.rows.dim] for matrix in self.rows.vectors)
        return Embeddings(self.words(order), center, outside, self.counts[order])

    def vocabulary(self) -> Vocabulary:
        """The words that have vectors, the most frequent first."""
        order = self._order()
        return Vocabulary(self.words(order), self.counts[order])

    def _order(self) -> NDArray[np.int64]:
        """Rows by count."""
        return np.argsort(-self.counts, kind="stable")

    def save(self, path: Path) -> None:
        """Write a model, which a stream goes on with, or a training on a text. Raises OutputError."""
        order = self._order()
        with_rows = self._slot_of_row[order]
        others = np.flatnonzero(self._row_of_slot[: len(self.summary)] < 0)
        others = others[np.argsort(-self.summary.seen[others], kind="stable")]
        slots = np.concatenate([with_rows, others])
        more = {"error": self.summary.errors[slots], "slot": slots, "row": self._row_of_slot[slots]}
        words = [self.summary.words[slot] for slot in slots.tolist()]
        tally = Tally(words, self.summary.seen[slots], more)
        training, reading, model = self.settings.training, self.settings.reading, self.settings.model
        own = Training(self.state.words, self.trainer.n_tokens, training.lr)
        trainings = [*(model.trainings if model else []), own]
        stream = {
            "vocabulary_size": self.summary.capacity,
            "threshold": self.summary.threshold,
            "n": self.summary.n,
            "chunks": self.n_chunks,
        }
        write_model(path, self.embeddings(), tally, kept_options(training, reading), trainings, stream)

    def _restore(self, model: SavedModel) -> None:
        """Be where a model was; one that is of no stream was counted without errors.

        Of fewer words than it had the most frequent are kept.
        """
        tally, known = model.tally(), model.embeddings()
        n_all, n_rows = len(tally), len(known)
        more: dict[str, Any] = {"error": np.zeros(n_all, np.int64), "slot": np.arange(n_all)}
        more["row"] = np.where(np.arange(n_all) < n_rows, np.arange(n_all), -1)
        more |= tally.more
        with damage_told(model.path, "the model"):
            by_slot, words = np.argsort(more["slot"], kind="stable"), tally.words.to_pylist()
            threshold, n = (model.stream.get(name, 0) for name in ("threshold", "n"))
            counts, errors = (tally.counts + more["error"])[by_slot], more["error"][by_slot]
            self.summary.restore(
                [words[i] for i in by_slot.tolist()], counts, errors, threshold, n or int(tally.counts.sum())
            )
            self._take_rows(words, np.asarray(more["row"]), known)
        self.n_chunks = model.stream.get("chunks", 1)

    def _take_rows(self, words: list[str], rows: NDArray[np.int64], known: Embeddings) -> None:
        """Take the vectors of the words that are counted, in the order of the rows that they had."""
        assert known.outside_vectors is not None
        slots = self.summary.slots_of(words[: len(known)])
        order = np.argsort(rows[: len(known)], kind="stable")
        order = order[slots[order] >= 0]
        self.rows.join(len(order), self.settings.training.seed)
        for matrix, own in zip(self.rows.vectors, (known.center_vectors, known.outside_vectors), strict=True):
            matrix[:, : self.rows.dim] = own[order]
        self._row_of_slot[slots[order]] = np.arange(len(order))
        self._slot_of_row[: len(order)] = slots[order]


def nothing_line(name: str, learner: Learner) -> str:
    """What to say of a stream that ended before anything was learned; name is that of its source."""
    return (
        f"{name}: of {learner.state.words:,} words no two side by side occurred --min-count "
        f"{learner.settings.reading.min_count} times: give more text, or lower --min-count"
    )


def in_rows(chunk: Chunk, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> ChunkTokens:
    """A chunk as rows of its words, those without one left out.

    rows    int64, of each word of the chunk, or -1
    counts  int64 (n_rows,), of all words so far
    """
    ids = rows.astype(np.int32)[chunk.ids]
    kept = ids >= 0
    ends = np.append(0, np.cumsum(kept))[chunk.offsets]
    offsets = np.append(0, ends[1:][np.diff(ends) > 0]).astype(np.int64)
    return ChunkTokens(counts, ids[kept], offsets)
