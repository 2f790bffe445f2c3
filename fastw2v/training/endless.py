"""Training on a text without end: rows of words that join and leave, and one step size for all of it.

Kaji and Kobayashi 2017, "Incremental skip-gram model with negative sampling" (arXiv 1704.03956): words are
counted as they come, and noise and subsampling follow the counts so far. There each word renews them; here a
chunk does, whose words are counted first and then trained by the kernels of any other run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import make, plan_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.model.arrays import NOTHING, Tokens, Totals, Vectors, n_units
from fastw2v.model.streams import epoch_key
from fastw2v.training.compilation import compile_kernels, smallest
from fastw2v.training.health import require_healthy
from fastw2v.training.hooks import Hook
from fastw2v.training.matrices import aligned_zeros, require_memory
from fastw2v.training.spans import next_size
from fastw2v.training.start import longest_sentence, schedule_of
from fastw2v.vectors.embeddings import fill_initial

GoesOn = Callable[[float, Totals], bool]


def always(share: float, totals: Totals) -> bool:
    """Whether to go on, where nothing ends a chunk before its end."""
    return True


class ChunkTokens(NamedTuple):
    """A chunk as the rows of its words.

    counts   int64 (n_rows,), of the word of each row, so far
    ids      int32 (n_tokens,), rows
    offsets  int64 (n_sentences + 1,)
    """

    counts: NDArray[np.int64]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]


class GrowingVectors:
    """Both matrices, with room for `capacity` words, of which the first `n` rows are in use.

    Rows that nobody used take no memory. A word that joins takes the next row: its centre vector is drawn,
    its outside vector zero, as in the beginning of any run. One that leaves gives its row to the last word.
    """

    def __init__(self, capacity: int, dim: int) -> None:
        """Raises OutputError where so many rows would not fit the memory."""
        require_memory(capacity, dim)
        self.dim, self.n = dim, 0
        self._all = Vectors(aligned_zeros(capacity, dim), aligned_zeros(capacity, dim))

    @property
    def vectors(self) -> Vectors:
        """The rows in use, float32 (n, padded dim) each; what is trained there stays."""
        return Vectors(*(matrix[: self.n] for matrix in self._all))

    def join(self, n_more: int, seed: int) -> None:
        """Take so many rows more, drawn from the seed."""
        rows = slice(self.n, self.n + n_more)
        for matrix in self._all:
            matrix[rows] = 0
        fill_initial(self._all.center[rows, : self.dim], seed)
        self.n += n_more

    def leave(self, row: int) -> int:
        """Give up a row; the last one comes in its place, and its number until now is returned."""
        self.n -= 1
        for matrix in self._all:
            matrix[row] = matrix[self.n]
        return self.n


def seed_of_chunk(seed: int, chunk: int) -> int:
    """What the rows of words that join with a chunk are drawn from; those of the first as in any run."""
    return epoch_key(seed, chunk) if chunk else seed


class ChunkTrainer:
    """Trains chunk after chunk, in calls of at most half a second, all with one step size.

    totals   of all chunks
    n_tokens  of them in the vocabulary
    seconds  spent on them, compiling not counted
    """

    def __init__(self, config: TrainConfig, hooks: Sequence[Hook] = ()) -> None:
        self.config, self.hooks = config, hooks
        self.totals, self.n_tokens, self.seconds, self.compile_seconds = NOTHING, 0, 0.0, 0.0
        self._call_size, self._n_calls = 1, 0

    def compile(self) -> None:
        """Compile the kernel, or load it from the cache; hooks are told where that takes long."""
        plan, vectors, tokens = smallest(self.config)
        backend = make(plan, vectors, self.config.backend, 1)
        nothing = Corpus(tokens.ids, tokens.offsets, Vocabulary([], np.zeros(0, np.int64)), 0, 0, 0)
        self.compile_seconds = compile_kernels(backend, nothing, self.hooks)

    def train(
        self,
        vectors: Vectors,
        chunk: ChunkTokens,
        number: int,
        goes_on: GoesOn = always,
    ) -> Totals:
        """Train a chunk on these rows; nothing where it has no two words side by side.

        number   of the chunk, of which and of the seed all draws are functions
        goes_on  told after each call of the share that is done, and of what it came to; False ends it

        Raises DivergedError, OutputError for memory.
        """
        longest = longest_sentence(chunk.offsets)
        if len(chunk.counts) < 2 or longest < 2:
            return NOTHING
        config, tokens = self.config, Tokens(chunk.ids, chunk.offsets)
        plan = plan_of(config, chunk.counts, longest)
        backend = make(plan, vectors, config.backend, config.threads)
        schedule = schedule_of(config, len(tokens.ids), epoch_key(config.seed, number), 0)
        end, first, totals, at_once = n_units(len(tokens.ids)), 0, NOTHING, backend.units_at_once
        self.n_tokens += len(tokens.ids)
        while first < end:
            last = min(first + self._call_size * at_once, end)
            started = time.perf_counter()
            called = backend.train(tokens, schedule, first, last)
            seconds = time.perf_counter() - started
            size = next_size(-(-(last - first) // at_once), seconds, backend.least_groups)
            self._call_size = size if last < end else max(size, self._call_size)
            totals, self.totals = totals.plus(called), self.totals.plus(called)
            self.seconds, self._n_calls = self.seconds + seconds, self._n_calls + 1
            require_healthy(vectors, called.mean_loss, plan.objective, config.learning_rate, self._n_calls)
            if not goes_on(last / end, called):
                break
            first = last
        return totals
