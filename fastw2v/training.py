"""The training loop: epochs × calls of at most half a second; the only place that knows their order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastw2v.checks import unwrapped
from fastw2v.config import TrainConfig
from fastw2v.corpus import Corpus
from fastw2v.embeddings import Embeddings, fill_initial
from fastw2v.errors import CorpusError, DivergedError
from fastw2v.layout import UNIT, Tokens, Totals, Vectors, n_units
from fastw2v.parts import (
    Backend,
    aligned_zeros,
    fill_known,
    longest_sentence,
    make_backend,
    make_schedule,
    require_known,
    require_memory,
    require_usable,
    settled,
    unpadded,
)
from fastw2v.reading.storage import forget
from fastw2v.shuffling import epoch_parts
from fastw2v.vocabulary import Vocabulary

CALL_SECONDS = 0.4  # a kernel cannot be interrupted, so no call may last longer than a user waits for Ctrl-C
CHECKED_ROWS = 1024  # vectors looked at after each call, of the most frequent words and in turn of the others
EXPLODED = 1e5  # no component of a healthy vector comes near
LARGE_STEP = 0.5  # kernel block bounds its steps: above, its loss stays finite and vectors only get worse
SMALL_STEP = 1e-12  # no step of it shows in a component of an untrained vector
EXPLODED_LOSS = 10  # times the loss of untrained vectors, which a healthy run only falls below


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
    """Keeps a run safe from what may end it: `fastw2v.checkpoint.Checkpoints` does so on disk."""

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


def require_healthy(
    vectors: Vectors, mean_loss: float, config: TrainConfig, n_calls: int | None = None
) -> None:
    """Raise DivergedError where the loss or a looked-at vector is not finite, or is huge.

    After call number n_calls the most frequent words' vectors and some of the others, in turn, are looked at:
    a vector that is not finite makes the loss so when it is next used, this finds it where it is not. Every
    vector is looked at where n_calls is None.
    """
    parts = vectors if n_calls is None else looked_at(vectors, n_calls)
    size = float(np.max([np.maximum(part.max(), -part.min()) for part in parts]))  # NaN if any is
    untrained = max((config.negatives + 1) * math.log(2), math.log(len(vectors.center)))
    if not (mean_loss < EXPLODED_LOSS * untrained and size < EXPLODED):
        raise DivergedError(
            f"training diverged: mean loss {mean_loss:.3g}, largest component {size:.3g} "
            f"at lr {config.lr:g}: lower --lr, or --window and --negatives"
        )


def step_size_warning(config: TrainConfig) -> str | None:
    """What to tell of a step size beyond use, which a run may survive; None for a useful one.

    The loss cannot tell: with bounded steps that of a ruined run lies below that of untrained vectors.
    """
    if config.lr > LARGE_STEP:
        return (
            f"lr {config.lr:g} is above {LARGE_STEP:g}: rows overshoot, or are held back; "
            "a useful lr is 0.025, up to 0.1 for a small corpus"
        )
    if config.lr < SMALL_STEP:
        return f"lr {config.lr:g} is below {SMALL_STEP:g}: vectors stay as they start; a useful lr is 0.025"
    return None


def require_neighbours(longest: int) -> None:
    """Raise CorpusError where the longest sentence has no two tokens: there is no pair to train."""
    if longest < 2:
        raise CorpusError(
            "no word has a neighbour: every sentence holds one word of the vocabulary at most; where a row "
            "is one word of a sequence, name the sequence with --group-by COLUMN, else give longer rows or "
            "lower --min-count"
        )


def looked_at(vectors: Vectors, n_calls: int) -> list[NDArray[np.float32]]:
    """Rows of both matrices to look at after a call: all have had their turn after n_words/1024 calls."""
    start = n_calls * CHECKED_ROWS % len(vectors.center)
    turns = (slice(CHECKED_ROWS), slice(start, start + CHECKED_ROWS))
    return [matrix[rows] for matrix in vectors for rows in turns]


def train(
    corpus: Corpus,
    config: TrainConfig,
    on_progress: Callable[[Progress], None] | None = None,
    on_stage: Callable[[str], None] | None = None,
    keeper: Keeper | None = None,
    init: Embeddings | None = None,
    watchers: Watchers = NOBODY,
) -> Trained:
    """Train vectors on an encoded corpus.

    on_progress is called after each call of the backend (at most half a second apart for the kernels),
    on_stage with "compile" and "train" as they begin, keeper before the first call and after each. Words of
    init start with their vectors there, other words as usual. What the watchers get is a Moment; where one
    returns True the run ends after that call.

    Raises UsageError (vocabulary under two words, arrays that are no corpus), CorpusError (no word with a
    neighbour), DivergedError, OutputError (memory), and what keeper raises.
    """
    corpus = settled(corpus)
    require_usable(corpus)
    longest = longest_sentence(corpus.offsets)
    require_neighbours(longest)
    vectors, start = begin(corpus, config, keeper, init)
    backend_on = make_backend(config, vectors, corpus.vocabulary.counts, longest)
    stage = on_stage or (lambda name: None)
    stage("compile")
    compile_seconds = compile_kernels(backend_on, corpus, config)

    words = corpus.n_words_read * config.epochs

    def after_call(position: Position, progress: Progress) -> bool:
        if on_progress:
            on_progress(progress)
        if keeper:
            keeper.after_call(vectors, position, progress)
        nonlocal words
        words = progress.words
        moment = Moment(position.epoch + 1, progress, corpus.vocabulary, vectors, config.dim)
        is_epoch = words == moment.epoch * corpus.n_words_read
        called = [watchers.on_chunk, watchers.on_epoch if is_epoch else None]
        return is_stopped(called, moment)

    stage("train")
    end = run_epochs(backend_on, vectors, corpus, config, after_call, start)
    return finish(corpus, config, vectors, end, words, compile_seconds)


def begin(
    corpus: Corpus, config: TrainConfig, keeper: Keeper | None, init: Embeddings | None, n_copies: int = 1
) -> tuple[Vectors, Position]:
    """The matrices as they start, and where: as the keeper has them, as init has them, or drawn.

    Raises OutputError where so many copies of them do not fit the memory.
    """
    n_words = len(corpus.vocabulary)
    require_memory(n_words, config.dim, n_copies)
    vectors = Vectors(aligned_zeros(n_words, config.dim), aligned_zeros(n_words, config.dim))
    if keeper and (start := keeper.restore(vectors)):
        return vectors, start
    fill_initial(vectors.center[:, : config.dim], config.seed)
    require_known(config, init)
    if init:
        fill_known(vectors, corpus.vocabulary.words, init, config.dim)
    return vectors, START


def compile_kernels(backend_on: Callable[[Tokens], Backend], corpus: Corpus, config: TrainConfig) -> float:
    """Compile the kernels of a run or load them from the cache; returns the seconds it took."""
    started = time.perf_counter()
    backend_on(Tokens(corpus.ids, corpus.offsets))(make_schedule(config, len(corpus.ids)), 0, 0)
    return time.perf_counter() - started


def finish(
    corpus: Corpus,
    config: TrainConfig,
    vectors: Vectors,
    end: Position,
    words: int,
    compile_seconds: float,
) -> Trained:
    """What a run that ended there came to.

    Raises DivergedError where a vector is not finite or is huge, CorpusError where no pair was trained.
    """
    if not end.totals.n_pairs:
        raise CorpusError(
            f"no pair was trained: subsampling left {end.totals.n_kept:,} of {words:,} words read, and none "
            f"of them a neighbour, at --sample {config.sample:g}; raise --sample, or set it to 0 to keep all"
        )
    mean_loss = end.totals.loss / max(end.totals.n_pairs, 1)
    require_healthy(vectors, mean_loss, config)
    center, outside = (unpadded(matrix, config.dim) for matrix in vectors)
    return Trained(
        embeddings=Embeddings(corpus.vocabulary.words, center, outside, corpus.vocabulary.counts),
        words=words,
        kept_words=end.totals.n_kept,
        pairs=end.totals.n_pairs,
        mean_loss=mean_loss,
        compile_seconds=compile_seconds,
        train_seconds=end.seconds,
    )


def run_epochs(
    backend_on: Callable[[Tokens], Backend],
    vectors: Vectors,
    corpus: Corpus,
    config: TrainConfig,
    after_call: Callable[[Position, Progress], bool],
    position: Position = START,
) -> Position:
    """Every epoch from a position on, in calls of about CALL_SECONDS; returns where it ends.

    That is where after_call, told of each call, returns True, or at the end of the last epoch.

    Where it is cut into calls does not change what is trained.
    """
    tokens, n_tokens = Tokens(corpus.ids, corpus.offsets), len(corpus.ids)
    started = time.perf_counter() - position.seconds
    size, n_calls = 1, 0
    for epoch in range(position.epoch, config.epochs):
        resumed = position.unit if epoch == position.epoch else 0
        for part in epoch_parts(tokens, config.seed, epoch, config.shuffle, resumed):
            backend = backend_on(part.tokens)
            words_before = epoch * n_tokens + part.first_token
            schedule = make_schedule(config, n_tokens, part.key, words_before)
            first, end = max(0, resumed - part.first_unit), n_units(len(part.tokens.ids))
            while first < end:
                last = min(first + size * backend.units_at_once, end)
                call_started = time.perf_counter()
                totals = backend(schedule, first, last)
                now = time.perf_counter()
                forget(corpus.ids)
                forget(corpus.offsets)
                mean_loss = totals.loss / max(totals.n_pairs, 1)
                require_healthy(vectors, mean_loss, config, n_calls)
                unit = part.first_unit + last
                position = Position(epoch, unit, position.totals.plus(totals), now - started)
                n_done = words_before + min(last * UNIT, len(part.tokens.ids))
                sizes = (n_tokens, corpus.n_words_read)
                if after_call(position, progress_at(position, n_done, mean_loss, sizes, config)):
                    return position
                n_groups = -(-(last - first) // backend.units_at_once)
                size = next_size(n_groups, now - call_started)
                first, n_calls = last, n_calls + 1
    return position


def progress_at(
    position: Position, n_done: int, mean_loss: float, corpus_words: tuple[int, int], config: TrainConfig
) -> Progress:
    """What is told after n_done tokens, of all epochs, and a call whose pairs had that mean loss.

    corpus_words   of one epoch: tokens in the vocabulary, and all
    """
    n_tokens, n_words = corpus_words
    decayed = config.lr * (1 - n_done / (config.epochs * n_tokens))
    return Progress(
        words=round(n_done * n_words / n_tokens),
        words_total=n_words * config.epochs,
        seconds=position.seconds,
        learning_rate=max(decayed, config.min_learning_rate),
        mean_loss=mean_loss,
    )


def next_size(size: int, seconds: float) -> int:
    """Units for the next call so that it lasts about CALL_SECONDS; grows at most fourfold at a time."""
    return max(1, min(4 * size, round(size * CALL_SECONDS / max(seconds, 1e-6))))
