"""Words counted by several workers, piece after piece."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.grouping import Grouping
from fastw2v.corpus.arrow.layouts import Batch, as_batches
from fastw2v.corpus.files.pieces import GUESSED_LINE, OpenSource
from fastw2v.corpus.given import GivenVocabulary, checked_pieces, given_vocabulary, words_to_keep
from fastw2v.corpus.ids.cache import NO_SHARDS, Extra
from fastw2v.corpus.ids.segments import sum_of
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.targets import RowTargets
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.weights import RowWeights, checked_weights
from fastw2v.corpus.words.candidates import InvalidWords
from fastw2v.corpus.words.counter import WordCounter
from fastw2v.corpus.words.cut import Cut
from fastw2v.corpus.words.kmers import in_parts, kmers_of
from fastw2v.corpus.words.queue import most_tokens
from fastw2v.corpus.words.simple import simple
from fastw2v.corpus.words.strings import Strings
from fastw2v.corpus.workers import WorkerPool
from fastw2v.errors import UsageError

PROGRESS_SECONDS = 0.1
Tokenizer = Callable[[Any], Iterable[Batch]]
NOT_YET = 0.999  # of the rows handed out: the last are still being read


class Task(NamedTuple):
    """A batch for a worker, its place in the corpus, and the first of the keys that order its words."""

    batch: Batch
    ordinal: int
    first_key: int


class BatchQueue:
    """Hands batches to workers, one by one, in the order of the corpus.

    Whoever asks decodes: a worker that splits and one that decodes keep two cores busy without a queue.
    """

    def __init__(self, batches: Iterator[Batch], expected_rows: int, row_bytes: int = 0) -> None:
        """row_bytes   bytes that count as a row for the share, where rows may be of any length"""
        self.n_rows = 0
        self._n_done, self._row_bytes = 0.0, row_bytes
        self._expected_rows: float = expected_rows
        self._batches = batches
        self._is_stopped = False
        self._lock = threading.Lock()
        self._next = (0, 0)

    def take(self) -> Task | None:
        """The next batch, or None after the last one and after `stop`."""
        with self._lock:
            batch = None if self._is_stopped else next(self._batches, None)
            if batch is None:
                if not self._is_stopped:  # the end; what was expected may be a guess
                    self._expected_rows = max(self._n_done, 1)
                return None
            ordinal, first_key = self._next
            self._next = ordinal + 1, first_key + most_tokens(batch)
            n_rows = len(batch.offsets) - 1
            self.n_rows += n_rows
            self._n_done += most_tokens(batch) / self._row_bytes if self._row_bytes else n_rows
            return Task(batch, ordinal, first_key)

    @property
    def n_keys(self) -> int:
        """The first key that no batch handed out has."""
        return self._next[1]

    @property
    def share(self) -> float:
        """Share of the rows handed out; 0 where nobody knows how many there are."""
        return min(1.0, self._n_done / self._expected_rows) if self._expected_rows else 0.0

    def stop(self) -> None:
        """Let no worker start another batch."""
        with self._lock:
            self._is_stopped = True


class WordCounts(NamedTuple):
    """A source whose words are counted and not yet numbered.

    name      as a message shows it
    counters  the workers' words and provisional ids; `number_words` takes them
    given     the vocabulary that was given
    numbers   those of a Corpus and of its Loss
    n_keys    keys that order the first occurrences of words are below it
    bad       words that are not UTF-8 and were left out; `number_words` puts them there
    notes     lines for the user; the same
    tally     counts of earlier texts, to add these to; `number_words` puts the sum there
    weights   of the rows, where they have some
    targets   likewise
    """

    name: str
    counters: list[WordCounter]
    given: GivenVocabulary | None
    numbers: dict[str, int]
    n_keys: int
    bad: list[InvalidWords]
    notes: list[str]
    tally: Tally | None = None
    weights: RowWeights | None = None
    targets: RowTargets | None = None

    def extra(self, shard_ends: NDArray[np.int64] = NO_SHARDS) -> Extra:
        """What the corpus has beside words and sentences, once `number_words` knows these."""
        weights = self.weights.sentences if self.weights else None
        return Extra(shard_ends, weights, self.targets.sentences if self.targets else None)


def count_words(
    opened: OpenSource,
    column: Column,
    config: ReadConfig,
    vocabulary: Vocabulary | None,
    workers: WorkerPool,
) -> WordCounts:
    """Read a source: count its words and number them provisionally.

    Raises what `read_corpus` does, but for too small a vocabulary.
    """
    given = given_vocabulary(vocabulary, column, config)
    if given and given.are_places and column.target:
        raise UsageError(
            "ids are places in the given vocabulary, and global_context is of words: give ids words, or "
            "leave one of them out",
            ["global_context", "ids"],
        )
    grouping = Grouping(column, opened.n_rows, workers.sorting)
    pieces = checked_pieces(opened.read(column), column, given)
    weights = RowWeights(column) if column.weight else None
    targets = RowTargets(column) if column.target else None
    if weights:
        pieces = checked_weights(pieces, column, opened.rows_before)
    known = words_to_keep(given, config)
    counters = [
        WordCounter(worker, spill=workers.spill, known=known, table_bytes=workers.table_bytes)
        for worker in range(workers.threads)
    ]
    of_letters = config.kmers and any(file.text for file in opened.files)
    row_bytes = GUESSED_LINE if of_letters else 0  # a record of FASTA may be a chromosome
    with contextlib.closing(grouping.lists(pieces)) as lists:
        rows = weights.taken(lists) if weights else lists
        batches = targets.batches(rows) if targets else as_batches(rows, column)
        queue = BatchQueue(batches, opened.n_rows * (2 if targets else 1), row_bytes)
        _count(queue, counters, workers.on_progress, tokenizer_of(config), grouping)
    numbers = {
        "n_words_read": sum(counter.n_tokens for counter in counters) - (targets.n_targets if targets else 0),
        "n_rows": queue.n_rows - (targets.n_rows if targets else 0),
        "n_null": grouping.n_skipped + sum(counter.n_null for counter in counters),
        **sum_of(counter.dropped for counter in counters)._asdict(),
    }
    return WordCounts(opened.name, counters, given, numbers, queue.n_keys, [], [], None, weights, targets)


def tokenizer_of(config: ReadConfig) -> Tokenizer:
    """What makes a batch ready to be split at white space; of long sequences parts, one after the other."""
    cut = Cut.of(config.kmers, config.stride)
    if cut:
        return lambda texts: (kmers_of(part, cut) for part, _ in in_parts(texts, cut))
    if config.tokenize == "simple":  # of targets, which are lists, each is a word as it is
        return lambda batch: [simple(batch) if isinstance(batch, Strings) else batch]
    return lambda batch: [batch]


def _count(
    queue: BatchQueue,
    counters: Sequence[WordCounter],
    on_progress: Callable[[float, int], None] | None,
    tokenize: Tokenizer,
    grouping: Grouping,
) -> None:
    """Split, count and number all words, each counter in a thread; tokenize makes texts ready to be split."""

    def report(highest: float) -> None:
        if on_progress:
            n_tokens = sum(counter.n_tokens for counter in counters)
            share = queue.share if grouping.given is None else grouping.given
            on_progress(min(share, highest) if n_tokens else grouping.share, n_tokens)

    with ThreadPoolExecutor(len(counters), "fastw2v-reader") as pool:
        try:
            futures = [pool.submit(_work, queue, counter, tokenize) for counter in counters]
            while wait(futures, PROGRESS_SECONDS).not_done:
                report(NOT_YET)
        except BaseException:
            grouping.stop()
            raise
        finally:
            queue.stop()
    for future in futures:
        future.result()
    report(1.0)


def _work(queue: BatchQueue, counter: WordCounter, tokenize: Tokenizer) -> None:
    try:
        while task := queue.take():
            n_before = counter.n_tokens
            for batch in tokenize(task.batch):
                counter.read(batch, task.ordinal, task.first_key + counter.n_tokens - n_before)
    finally:
        queue.stop()
