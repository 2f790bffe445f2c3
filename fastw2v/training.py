"""The training loop: epochs × calls of at most half a second; the only place that knows their order."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.corpus import Corpus
from fastw2v.embeddings import Embeddings, fill_initial
from fastw2v.errors import DivergedError, OutputError, UsageError
from fastw2v.layout import (
    BFLOAT16,
    FEW_LANES,
    FEW_WORDS,
    FLOATS_PER_LINE,
    LANES,
    UNIT,
    Estimator,
    Sampler,
    Schedule,
    Tokens,
    Totals,
    Vectors,
    Window,
    n_units,
    padded,
)
from fastw2v.machine import free_memory
from fastw2v.reading.storage import forget, in_parts
from fastw2v.sampling import as_limits, keep_probabilities, noise_probabilities, unigram_table
from fastw2v.shuffling import epoch_parts
from fastw2v.vocabulary import Vocabulary

CALL_SECONDS = 0.4  # a kernel cannot be interrupted, so no call may last longer than a user waits for Ctrl-C
COPIED_ROWS = 65_536  # at once, so that copying takes little memory beside the matrices
CHECKED_ROWS = 1024  # vectors looked at after each call, of the most frequent words and in turn of the others
EXPLODED = 1e5  # no component of a healthy vector comes near
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
    """

    epoch: int = 0
    unit: int = 0
    totals: Totals = Totals(0.0, 0, 0)
    seconds: float = 0.0


START = Position()


class Keeper(Protocol):
    """Keeps a run safe from what may end it: `fastw2v.checkpoint.Checkpoints` does so on disk."""

    def restore(self, vectors: Vectors) -> Position | None:
        """Fill the matrices and say where to go on; None, and nothing filled, for a new run."""

    def after_call(self, vectors: Vectors, position: Position, progress: Progress) -> None:
        """Told after each call of the backend where the run stands; may raise to end it."""


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


Callback = Callable[[Moment], bool | None]  # True, which `STOP` is, ends the run


class Watchers(NamedTuple):
    """Callbacks of a run: after each call of the backend, at most half a second apart, and each epoch."""

    on_chunk: Callback | None = None
    on_epoch: Callback | None = None


NOBODY = Watchers()


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


class Backend(Protocol):
    """Trains units first ≤ u < end in place.

    units_at_once  how many a call takes together: calls begin at multiples of it
    """

    units_at_once: int

    def __call__(self, schedule: Schedule, first: int, end: int) -> Totals: ...


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def aligned_zeros(n_words: int, dim: int) -> NDArray[np.float32]:
    """Zeros (n_words, padded dim) whose rows start on cache lines; NumPy alone aligns to 16 bytes."""
    width = padded(dim)
    flat = np.zeros(n_words * width + FLOATS_PER_LINE, np.float32)
    skip = (-flat.ctypes.data % 64) // 4
    return flat[skip : skip + n_words * width].reshape(n_words, width)


def unpadded(matrix: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The first dim columns moved together in place: contiguous (n_words, dim), without a second matrix."""
    n_words, width = matrix.shape
    if width == dim:
        return matrix
    flat = matrix.reshape(-1)
    for start in range(0, n_words, 4096):  # a block's copy lands before the rows still to be read
        rows = matrix[start : start + 4096, :dim].reshape(-1)
        flat[start * dim : start * dim + len(rows)] = rows
    return flat[: n_words * dim].reshape(n_words, dim)


def matrix_bytes(n_words: int, dim: int) -> int:
    """Bytes of the two matrices in training."""
    return 2 * n_words * padded(dim) * 4


def require_memory(n_words: int, dim: int) -> None:
    """Raise OutputError where the two matrices cannot fit the memory that is free."""
    need, free = matrix_bytes(n_words, dim), free_memory()
    if free is not None and need > free:
        raise OutputError(
            f"two matrices of {n_words:,} x {dim} need {need / 1e9:.1f} GB and {free / 1e9:.1f} GB are free: "
            "lower --dim or --max-vocab, or raise --min-count"
        )


def make_sampler(counts: NDArray[np.int64], config: TrainConfig) -> Sampler:
    """Keep limits and noise table of a vocabulary."""
    return Sampler(
        as_limits(keep_probabilities(counts, config.sample)),
        unigram_table(noise_probabilities(counts, config.ns_exponent)),
    )


def make_backend(config: TrainConfig, vectors: Vectors, corpus: Corpus) -> Callable[[Tokens], Backend]:
    """The trainer that config names, for tokens of this corpus in any order."""
    sampler = make_sampler(corpus.vocabulary.counts, config)
    options = (sampler, make_window(config, corpus), make_estimator(config, len(corpus.vocabulary)))
    if config.backend == "reference":
        from fastw2v.reference import ReferenceBackend

        return lambda tokens: ReferenceBackend(vectors, tokens, *options)
    from fastw2v.kernels.run import KernelBackend, LockstepBackend

    n_workers = config.threads or usable_cores()
    kind = LockstepBackend if config.deterministic else KernelBackend
    return lambda tokens: kind(vectors, tokens, *options, n_workers)


def make_window(config: TrainConfig, corpus: Corpus) -> Window:
    """The window that config names, reaching no farther than the longest sentence does."""
    longest = max(int(np.diff(part).max(initial=1)) for part in in_parts(corpus.offsets, overlap=1))
    return Window(config.window, int(not config.dynamic_window), max(1, min(config.window, longest - 1)))


def make_estimator(config: TrainConfig, n_words: int) -> Estimator:
    """The estimator that config names, for a vocabulary of so many words.

    Raises UsageError for bfloat16 kernels on a processor that has no instruction for them.
    """
    if config.loss == "softmax":
        return Estimator(0)
    if config.kernel == "pair":
        return Estimator(config.negatives)
    lanes = (FEW_LANES if n_words < FEW_WORDS else LANES) if config.deterministic else 1
    sizes = (config.negatives, config.block_size, config.shared_negatives)
    if config.precision == "float32":
        return Estimator(*sizes, lanes=lanes)
    if config.backend == "numba":
        from fastw2v.kernels.tiles import HAS_BFLOAT16

        if not HAS_BFLOAT16:
            raise UsageError("precision bfloat16 needs a processor with AVX512-BF16: use float32")
    return Estimator(*sizes, BFLOAT16, lanes)


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

    Raises UsageError (vocabulary under two words, arrays that are no corpus), DivergedError, OutputError
    (memory), and what keeper raises.
    """
    require_usable(corpus)
    n_words = len(corpus.vocabulary)
    require_memory(n_words, config.dim)
    vectors = Vectors(aligned_zeros(n_words, config.dim), aligned_zeros(n_words, config.dim))
    start = keeper.restore(vectors) if keeper else None
    if start is None:
        fill_initial(vectors.center[:, : config.dim], config.seed)
        require_known(config, init)
        if init:
            fill_known(vectors, corpus.vocabulary.words, init, config.dim)
    backend_on = make_backend(config, vectors, corpus)
    stage = on_stage or (lambda name: None)

    stage("compile")
    started = time.perf_counter()
    backend_on(Tokens(corpus.ids, corpus.offsets))(make_schedule(config, len(corpus.ids)), 0, 0)
    compile_seconds = time.perf_counter() - started

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
        stops = [callback(moment) for callback in called if callback]
        return any(stops)

    stage("train")
    end = run_epochs(backend_on, vectors, corpus, config, after_call, start or START)
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


def require_known(config: TrainConfig, init: Embeddings | None) -> None:
    """Raise UsageError for vectors to start from that do not fit the run."""
    if init is not None and init.dim != config.dim:
        raise UsageError(f"the vectors to start from have dim {init.dim}: set dim to it, not to {config.dim}")
    if config.freeze == "outside" and (init is None or init.outside_vectors is None):
        raise UsageError(
            "freeze outside would leave the outside vectors zero: start from vectors with outside ones"
        )


def fill_known(vectors: Vectors, words: Sequence[str], init: Embeddings, dim: int) -> None:
    """Copy the vectors of the words that init has; its outside vectors only if it has them.

    Raises UsageError where it has none of them.
    """
    rows = np.array([i for i, word in enumerate(words) if word in init], np.int64)
    if not len(rows):
        raise UsageError(f"none of the {len(words):,} words is among the {len(init):,} to start from")
    places = np.array([init.index[words[i]] for i in rows], np.int64)
    for matrix, known in ((vectors.center, init.center_vectors), (vectors.outside, init.outside_vectors)):
        for start in range(0, len(rows) if known is not None else 0, COPIED_ROWS):
            part = slice(start, start + COPIED_ROWS)
            matrix[rows[part], :dim] = known[places[part]]  # type: ignore[index]


def require_usable(corpus: Corpus) -> None:
    """Raise UsageError for a corpus that the kernels, which check nothing, must not see."""
    words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
    if len(words) < 2:
        raise UsageError(f"the vocabulary has {len(words)} words: negative sampling needs at least 2")
    if counts.shape != (len(words),) or not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise UsageError(
            f"counts are {counts.dtype} of shape {counts.shape}: each of {len(words):,} words needs one, "
            "0 or more"
        )
    if not counts.any():
        raise UsageError(
            f"all {len(words):,} words of the vocabulary have count 0: noise words need counts; count again"
        )
    for name, array, dtype in (("ids", corpus.ids, np.int32), ("offsets", corpus.offsets, np.int64)):
        if array.dtype != dtype or array.ndim != 1 or not array.flags.c_contiguous:
            raise UsageError(
                f"{name} are {array.dtype} of shape {array.shape}: a contiguous array of {np.dtype(dtype)} "
                "with one axis is needed"
            )
    for part in in_parts(corpus.ids):
        if not (part.min() >= 0 and part.max() < len(words)):
            raise UsageError(
                f"ids are from {part.min()} to {part.max()}: they are places in the vocabulary, "
                f"from 0 to {len(words) - 1}"
            )
    ends = corpus.offsets[[0, -1]].tolist() if len(corpus.offsets) else []
    if ends != [0, len(corpus.ids)] or any(
        (part[1:] < part[:-1]).any() for part in in_parts(corpus.offsets, overlap=1)
    ):
        raise UsageError(
            f"offsets must rise from 0 to the number of ids, {len(corpus.ids):,}: sentence s is "
            "ids[offsets[s]:offsets[s + 1]]"
        )


def make_schedule(config: TrainConfig, n_tokens: int, key: int = 0, words_before: int = 0) -> Schedule:
    """What the units of one part of an epoch share; n_tokens are those of the corpus."""
    return Schedule(
        epoch_key=np.uint64(key),
        words_before=words_before,
        words_total=config.epochs * n_tokens,
        learning_rate=config.lr,
        min_learning_rate=config.min_learning_rate,
        center_share=float(config.freeze != "center"),
        outside_share=float(config.freeze != "outside"),
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
                if after_call(position, progress_at(position, n_done, mean_loss, corpus, config)):
                    return position
                n_groups = -(-(last - first) // backend.units_at_once)
                size = next_size(n_groups, now - call_started)
                first, n_calls = last, n_calls + 1
    return position


def progress_at(
    position: Position, n_done: int, mean_loss: float, corpus: Corpus, config: TrainConfig
) -> Progress:
    """What is told after n_done tokens, of all epochs, and a call whose pairs had that mean loss."""
    n_tokens = len(corpus.ids)
    decayed = config.lr * (1 - n_done / (config.epochs * n_tokens))
    return Progress(
        words=round(n_done * corpus.n_words_read / n_tokens),
        words_total=corpus.n_words_read * config.epochs,
        seconds=position.seconds,
        learning_rate=max(decayed, config.min_learning_rate),
        mean_loss=mean_loss,
    )


def next_size(size: int, seconds: float) -> int:
    """Units for the next call so that it lasts about CALL_SECONDS; grows at most fourfold at a time."""
    return max(1, min(4 * size, round(size * CALL_SECONDS / max(seconds, 1e-6))))
