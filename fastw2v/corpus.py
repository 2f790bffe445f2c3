"""A corpus to ids: words counted and numbered in several threads, in one pass.

    files ─► batches of Arrow buffers ─► workers split, count and number words ─► vocabulary ─► ids, offsets

One pass over the text. A batch goes, in the order of the corpus, to whichever worker is free; the result does
not depend on which that was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.columns import common_column
from fastw2v.encoding import encode
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.layouts import Batch, as_batches
from fastw2v.objects import open_object
from fastw2v.sources import Opened, open_files
from fastw2v.tokenizer import (
    COUNT,
    FIRST_SEEN,
    Table,
    WordCounter,
    merge_tables,
    most_tokens,
    table_of,
    words_of,
)
from fastw2v.vocabulary import Vocabulary, ranked

PROGRESS_SECONDS = 0.1


class Corpus(NamedTuple):
    """Text as numbers.

    ids           int32 (n_tokens,), place of each token's word in the vocabulary; other words are left out
    offsets       int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    vocabulary    Vocabulary
    n_words_read  all tokens, also those outside the vocabulary
    n_rows        all rows, also null and empty ones
    n_null        null rows and null list items, which are skipped
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    n_words_read: int
    n_rows: int
    n_null: int


def read_corpus(
    source: Any,
    *,
    column: str | None = None,
    min_count: int = 5,
    max_vocab: int | None = None,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    on_progress: Callable[[float, int], None] | None = None,
) -> Corpus:
    """Read Parquet files, or an object that holds a corpus, into ids, one sentence a row.

    source       a file, a folder (its *.parquet, recursively), a pattern with *, or a list of these; also
                 text files of a sentence a line, by suffix: .txt, .txt.gz, .txt.zst …; or one of `objects`
    column       of strings, split at white space as str.split() does, or of lists of strings, taken as they
                 are; default: by type and usual names
    min_count    words rarer than this are left out
    max_vocab    only the so many most frequent words are kept
    vocabulary   use this one, with its counts, instead of counting; min_count and max_vocab do not apply
    threads      workers; the result does not depend on it
    on_progress  called about ten times a second with the share of rows handed out and the words read so far

    Raises UsageError for options, columns or vocabularies that cannot be used, CorpusError for files that
    cannot be read or are corrupt, OutputError when memory ends.
    """
    _check_options(min_count, max_vocab, vocabulary, threads)
    try:
        opened = open_source(source)
        shared = common_column(opened.schemas, column)
        feed = Feed(as_batches(opened.read(shared), shared), opened.n_rows)
        counters = _count(feed, threads, on_progress)
        numbering = _number(opened.name, counters, vocabulary, min_count, max_vocab)
        n_null = sum(counter.n_null for counter in counters)
        segments = [segment for counter in counters for segment in counter.segments]
        del counters  # `encode` gives the segments back one by one
        ids, offsets = encode(segments, numbering.final_ids, threads)
    except MemoryError as error:
        raise OutputError("memory ended while reading the corpus; read fewer files at a time") from error
    finally:
        pa.default_memory_pool().release_unused()
    return Corpus(ids, offsets, numbering.vocabulary, numbering.n_words_read, feed.n_rows, n_null)


def open_source(source: Any) -> Opened:
    """Names of files, or else an object that holds the corpus."""
    names = source if isinstance(source, list | tuple) else [source]
    return open_files(source) if all(isinstance(name, str | Path) for name in names) else open_object(source)


def _check_options(
    min_count: int, max_vocab: int | None, vocabulary: Vocabulary | None, threads: int
) -> None:
    if min_count < 0:
        raise UsageError(f"min_count = {min_count}: must be at least 0; 1 keeps every word")
    if max_vocab is not None and max_vocab < 2:
        raise UsageError(f"max_vocab = {max_vocab}: must be at least 2; negative sampling needs two words")
    if threads < 1:
        raise UsageError(f"threads = {threads}: must be at least 1")
    if vocabulary is not None and len(vocabulary) < 2:
        raise UsageError(
            f"the given vocabulary has {len(vocabulary)} words; negative sampling needs at least 2: add words"
        )


# ---- Counting ----------------------------------------------------------------------------------------------


class Ticket(NamedTuple):
    """A batch for a worker, its place in the corpus, and the first of the keys that order its words."""

    batch: Batch
    ordinal: int
    first_key: int


class Feed:
    """Hands batches to workers, one by one, in the order of the corpus.

    Whoever asks decodes: a worker that splits and one that decodes keep two cores busy without a queue.
    """

    def __init__(self, batches: Iterator[Batch], expected_rows: int) -> None:
        self.n_rows = 0
        self._expected_rows = max(expected_rows, 1)
        self._batches = batches
        self._lock = threading.Lock()
        self._next = (0, 0)

    def take(self) -> Ticket | None:
        """The next batch, or None after the last one and after `stop`."""
        with self._lock:
            batch = next(self._batches, None)
            if batch is None:
                return None
            ordinal, first_key = self._next
            self._next = ordinal + 1, first_key + most_tokens(batch)
            self.n_rows += len(batch.offsets) - 1
            return Ticket(batch, ordinal, first_key)

    @property
    def share(self) -> float:
        """Share of the rows handed out."""
        return min(1.0, self.n_rows / self._expected_rows)

    def stop(self) -> None:
        """Let no worker start another batch."""
        with self._lock:
            self._batches = iter(())


def _count(feed: Feed, threads: int, on_progress: Callable[[float, int], None] | None) -> list[WordCounter]:
    """Split, count and number all words in the given number of threads, one table each."""
    counters = [WordCounter(worker) for worker in range(threads)]

    def report() -> None:
        if on_progress:
            on_progress(feed.share, sum(counter.n_tokens for counter in counters))

    with ThreadPoolExecutor(threads, "fastw2v-reader") as pool:
        try:
            futures = [pool.submit(_work, feed, counter) for counter in counters]
            while wait(futures, PROGRESS_SECONDS).not_done:
                report()
        finally:
            feed.stop()
    for future in futures:
        future.result()
    report()
    return counters


def _work(feed: Feed, counter: WordCounter) -> None:
    try:
        while ticket := feed.take():
            counter.read(*ticket)
    finally:
        feed.stop()


# ---- Numbering ---------------------------------------------------------------------------------------------


class Numbering(NamedTuple):
    """What the words' numbers are.

    vocabulary    Vocabulary
    final_ids     for each worker int32 (n_words,): entry of its table to id, or -1
    n_words_read  tokens
    """

    vocabulary: Vocabulary
    final_ids: list[NDArray[np.int32]]
    n_words_read: int


def _number(
    name: str,
    counters: Sequence[WordCounter],
    vocabulary: Vocabulary | None,
    min_count: int,
    max_vocab: int | None,
) -> Numbering:
    """Merge the workers' words and give those of the vocabulary their ids."""
    tables = [counter.table for counter in counters]
    if vocabulary is not None:
        return _number_known(name, tables, vocabulary)
    merged, entries = merge_tables(tables)
    records = merged.records[: merged.n_words[0]]
    counts = records[:, COUNT]
    kept = ranked(counts, records[:, FIRST_SEEN], min_count, max_vocab)
    _check_counts(name, counts, len(kept), min_count)
    vocabulary = Vocabulary(_decoded(name, merged, kept), counts[kept])
    final = np.full(len(counts), -1, np.int32)
    final[kept] = np.arange(len(kept), dtype=np.int32)
    final_ids = [final[of_worker] for of_worker in entries]
    return Numbering(vocabulary, final_ids, int(counts.sum()))


def _number_known(name: str, tables: Sequence[Table], vocabulary: Vocabulary) -> Numbering:
    """Number the words of a given vocabulary: they come first in the merged table, so entries are ids."""
    merged, (_, *entries) = merge_tables([table_of(vocabulary.words), *tables])
    counts = merged.records[: merged.n_words[0], COUNT]
    if not counts[: len(vocabulary)].any():
        raise UsageError(
            f"{name}: none of its {counts.sum():,} words is in the given vocabulary of {len(vocabulary):,}; "
            "give the vocabulary of this corpus or none"
        )
    final_ids = [np.where(of_worker < len(vocabulary), of_worker, np.int32(-1)) for of_worker in entries]
    return Numbering(vocabulary, final_ids, int(counts.sum()))


def _check_counts(name: str, counts: NDArray[np.int64], n_kept: int, min_count: int) -> None:
    """Raises UsageError for a vocabulary of 0 words or 1."""
    if n_kept >= 2:
        return
    if len(counts) < 2:
        found = "only 1 distinct word" if len(counts) else "no word"
        raise UsageError(f"{name}: holds {found}; negative sampling needs at least 2: give more text")
    second = np.sort(counts)[-2]
    raise UsageError(
        f"{name}: {n_kept} of {len(counts):,} distinct words occur at least min_count = {min_count} times; "
        f"negative sampling needs 2: lower --min-count to {second} or give more text"
    )


def _decoded(name: str, table: Table, entries: NDArray[np.int64]) -> list[str]:
    try:
        return words_of(table, entries)
    except UnicodeDecodeError as error:
        word = bytes(error.object)[:40]
        raise CorpusError(f"{name}: the word {word!r} is not UTF-8; convert the corpus to UTF-8") from None
