"""A corpus to ids: words counted and numbered in several threads, in one pass.

    files ─► batches of Arrow buffers ─► workers split, count and number words ─► vocabulary ─► ids, offsets

One pass over the text. A batch goes, in the order of the corpus, to whichever worker is free; the result does
not depend on which that was.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.checks import whole
from fastw2v.config import MAX_THREADS, ReadConfig, check_given_words
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.reading.candidates import choose, integers_of, lowered, may_stay
from fastw2v.reading.columns import Column, common_column
from fastw2v.reading.corpus_cache import Cache
from fastw2v.reading.encoding import Encoder
from fastw2v.reading.grouping import Grouping
from fastw2v.reading.layouts import Batch, Piece, as_batches, checked_places
from fastw2v.reading.memory import Memory, budget
from fastw2v.reading.objects import open_object
from fastw2v.reading.sources import Opened, find_files, open_files
from fastw2v.reading.storage import Shelf
from fastw2v.reading.tokenizer import (
    COUNT,
    FIRST_SEEN,
    Loss,
    Table,
    WordCounter,
    merge_tables,
    most_tokens,
    sum_of,
    table_of,
    words_of,
)
from fastw2v.synonyms import require_known
from fastw2v.vocabulary import Vocabulary, checked, ranked

# As `merge_tables` does: all words in one table, and the entries in it of those of each table.
Merge = Callable[[Sequence[Table]], tuple[Table, list[NDArray[np.int32]]]]

PROGRESS_SECONDS = 0.1
HALF_OF_FREE = Memory()
READING = (*ReadConfig.__dataclass_fields__, "vocabulary", "threads", "memory")


class Corpus(NamedTuple):
    """Text as numbers.

    ids           int32 (n_tokens,), place of each token's word in the vocabulary; other words are left out
    offsets       int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    vocabulary    Vocabulary
    n_words_read  all tokens, also those outside the vocabulary
    n_rows        all rows, also null and empty ones; of a table of one item a row, the groups
    n_null        null rows and null list items, which are skipped, and rows without item, group or order
    loss          what was dropped while counting, where memory did not suffice for all words
    notes         lines for the user: what was found in the cache, or dropped

    Arrays that exceed the memory limit are in a file; `storage.forget` gives back what was read of them.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    n_words_read: int
    n_rows: int
    n_null: int
    loss: Loss = Loss()
    notes: tuple[str, ...] = ()


def read_corpus(
    source: Any,
    *,
    vocabulary: Vocabulary | None = None,
    threads: int = 1,
    memory: Memory = HALF_OF_FREE,
    on_progress: Callable[[float, int], None] | None = None,
    **options: Any,
) -> Corpus:
    """Read Parquet files, or an object that holds a corpus, into ids, one sentence a row.

    source       a file, a folder (its *.parquet, recursively), a pattern with *, a URI, or a list of these;
                 also text files of a sentence a line, by suffix: .txt, .txt.gz, .txt.zst …; or one of
                 `objects`
    vocabulary   use this one, in any order, with its counts, instead of counting; min_count and max_vocab do
                 not apply. Counts of 0 alone are replaced by those of the corpus, and then both apply
    threads      workers; the result does not depend on it (but where words had to be dropped, see `loss`)
    memory       how much to use, and a folder that keeps the ids of files for the next run
    on_progress  called about ten times a second with the share of rows handed out and the words read so far
    options      of `ReadConfig`: column, min_count, max_vocab …

    Raises UsageError for options, columns or vocabularies that cannot be used, CorpusError for files that
    cannot be read or are corrupt, OutputError when memory ends.
    """
    require_known(options, READING, "read_corpus")
    config = ReadConfig(**options)
    threads = whole("threads", threads, 1, MAX_THREADS)
    vocabulary = None if vocabulary is None else checked(vocabulary)
    if vocabulary is not None and vocabulary.counts.any():
        check_given_words(config)
    with hired(threads, memory, on_progress) as workers:
        cache = _cache_of(source, config, vocabulary, memory.cache_dir)
        if cache and (kept := cache.load(threads)):
            return corpus_of(kept.ids, kept.offsets, kept.vocabulary, kept.numbers, [cache.note])
        opened = open_source(source)
        column = common_column(opened.schemas, config)
        counted = count_words(opened, column, config, vocabulary, workers)
        encoder, vocabulary = number_words(counted, config, workers)
        if cache and not counted.numbers["n_dropped"]:
            ids, offsets = cache.save(encoder, vocabulary, counted.numbers)
        else:
            ids, offsets = encoder.stored(workers.ids_bytes)
    notes = [cache.note] if cache and cache.note else []
    return corpus_of(ids, offsets, vocabulary, counted.numbers, notes)


def _cache_of(
    source: Any, config: ReadConfig, vocabulary: Vocabulary | None, folder: Path | None
) -> Cache | None:
    """The place of a corpus in the cache; None without a folder, and for an object."""
    if folder is None or not names_files(source):
        return None
    options = vars(config) | {
        "keep_words": None if config.keep_words is None else sorted(config.keep_words),
        "stop_words": sorted(config.stop_words),
        "vocabulary": vocabulary and [vocabulary.words, vocabulary.counts.tolist()],
    }
    return Cache(folder, find_files(source), options)


def corpus_of(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    vocabulary: Vocabulary,
    numbers: Mapping[str, int],
    notes: Sequence[str] = (),
) -> Corpus:
    """A Corpus from its arrays and its numbers, those of its Loss included; a note says what was dropped."""
    loss = Loss(*(numbers[name] for name in Loss._fields))
    if loss.n_dropped:
        notes = [
            *notes,
            f"the words exceeded the memory limit: dropped {loss.n_dropped:,} rare ones with "
            f"{loss.n_dropped_tokens:,} tokens while counting; a word's count may be short by up to "
            f"{loss.short_by:,}: raise --memory-limit to count exactly",
        ]
    n_words_read, n_rows, n_null = (numbers[name] for name in ("n_words_read", "n_rows", "n_null"))
    return Corpus(ids, offsets, vocabulary, n_words_read, n_rows, n_null, loss, tuple(notes))


def names_files(source: Any) -> bool:
    """Whether a source is names of files, not an object that holds a corpus."""
    names = source if isinstance(source, list | tuple) else [source]
    return all(isinstance(name, str | Path) for name in names)


def open_source(source: Any) -> Opened:
    """Names of files, or else an object that holds the corpus."""
    return open_files(source) if names_files(source) else open_object(source)


def _checked(pieces: Iterator[Piece], column: Column, given: Given | None) -> Iterator[Piece]:
    return checked_places(pieces, column.name, len(given.ranks)) if given and given.are_places else pieces


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
        self._is_stopped = False
        self._lock = threading.Lock()
        self._next = (0, 0)

    def take(self) -> Ticket | None:
        """The next batch, or None after the last one and after `stop`."""
        with self._lock:
            batch = None if self._is_stopped else next(self._batches, None)
            if batch is None:
                if not self._is_stopped:  # the end; what was expected may be a guess
                    self._expected_rows = max(self.n_rows, 1)
                return None
            ordinal, first_key = self._next
            self._next = ordinal + 1, first_key + most_tokens(batch)
            self.n_rows += len(batch.offsets) - 1
            return Ticket(batch, ordinal, first_key)

    @property
    def n_keys(self) -> int:
        """The first key that no batch handed out has."""
        return self._next[1]

    @property
    def share(self) -> float:
        """Share of the rows handed out."""
        return min(1.0, self.n_rows / self._expected_rows)

    def stop(self) -> None:
        """Let no worker start another batch."""
        with self._lock:
            self._is_stopped = True


class Workers(NamedTuple):
    """How a corpus is read.

    threads      of them
    shelf        where provisional ids go
    ids_bytes    of ids in memory
    table_bytes  of each worker's table of words
    on_progress  whom to tell
    """

    threads: int
    shelf: Shelf
    ids_bytes: int
    table_bytes: int
    on_progress: Callable[[float, int], None] | None

    def counters(self, known: Table | None) -> list[WordCounter]:
        """A counter for each, that never drops the known words."""
        return [
            WordCounter(worker, shelf=self.shelf, known=known, table_bytes=self.table_bytes)
            for worker in range(self.threads)
        ]


@contextlib.contextmanager
def hired(
    threads: int, memory: Memory, on_progress: Callable[[float, int], None] | None
) -> Iterator[Workers]:
    """Workers to read with, and the memory that they may use.

    Raises UsageError for options out of range, OutputError when memory ends.
    """
    threads = whole("threads", threads, 1, MAX_THREADS)
    room = budget(memory.limit, threads, memory.n_sharing)
    try:
        with contextlib.closing(Shelf(room.ids)) as shelf:
            yield Workers(threads, shelf, room.ids, room.table, on_progress)
    except MemoryError as error:
        raise OutputError("memory ended while reading the corpus; read fewer files at a time") from error
    finally:
        pa.default_memory_pool().release_unused()


class Counted(NamedTuple):
    """A source whose words are counted and not yet numbered.

    name      as a message shows it
    counters  the workers' words and provisional ids; `number_words` takes them
    given     the vocabulary that was given
    numbers   those of a Corpus and of its Loss
    n_keys    keys that order the first occurrences of words are below it
    """

    name: str
    counters: list[WordCounter]
    given: Given | None
    numbers: dict[str, int]
    n_keys: int


def count_words(
    opened: Opened, column: Column, config: ReadConfig, vocabulary: Vocabulary | None, workers: Workers
) -> Counted:
    """Read a source: count its words and number them provisionally.

    Raises what `read_corpus` does, but for too small a vocabulary.
    """
    given, grouping = _given(vocabulary, column, config), Grouping(column)
    pieces = _checked(opened.read(column), column, given)
    lists = grouping.lists(pieces) if column.group_by else pieces
    feed = Feed(as_batches(lists, column), opened.n_rows)
    counters = workers.counters(_to_keep(given, config))
    _count(feed, counters, workers.on_progress)
    numbers = {
        "n_words_read": sum(counter.n_tokens for counter in counters),
        "n_rows": feed.n_rows,
        "n_null": grouping.n_skipped + sum(counter.n_null for counter in counters),
        **sum_of(counter.loss for counter in counters)._asdict(),
    }
    return Counted(opened.name, counters, given, numbers, feed.n_keys)


def _count(
    feed: Feed, counters: Sequence[WordCounter], on_progress: Callable[[float, int], None] | None
) -> None:
    """Split, count and number all words, each counter in a thread."""

    def report() -> None:
        if on_progress:
            on_progress(feed.share, sum(counter.n_tokens for counter in counters))

    with ThreadPoolExecutor(len(counters), "fastw2v-reader") as pool:
        try:
            futures = [pool.submit(_work, feed, counter) for counter in counters]
            while wait(futures, PROGRESS_SECONDS).not_done:
                report()
        finally:
            feed.stop()
    for future in futures:
        future.result()
    report()


def _work(feed: Feed, counter: WordCounter) -> None:
    try:
        while ticket := feed.take():
            counter.read(*ticket)
    finally:
        feed.stop()


# ---- Numbering ---------------------------------------------------------------------------------------------


class Given(NamedTuple):
    """A given vocabulary.

    vocabulary  in the order of ids, without the words that are left out
    ranks       int32 (n_words,), id of each word as it was given, or -1
    are_places  whether integers in the corpus are places in it as it was given
    """

    vocabulary: Vocabulary
    ranks: NDArray[np.int32]
    are_places: bool


def _given(vocabulary: Vocabulary | None, column: Column, config: ReadConfig) -> Given | None:
    """Raises UsageError for a vocabulary of 0 words or 1, and for ids that cannot be places."""
    if config.ids == "places" and (vocabulary is None or column.layout != "integers"):
        reason = "needs a vocabulary" if vocabulary is None else f"takes integers, {column.name!r} has none"
        raise UsageError(f"ids = places {reason}; leave it out or give one whose places these ids are")
    if vocabulary is None:
        return None
    chosen, ranks = choose(vocabulary, config)
    if len(chosen) < 2:
        raise UsageError(
            f"the given vocabulary has {len(chosen)} words; negative sampling needs at least 2: add words"
        )
    are_integers = all(word.removeprefix("-").isdecimal() for word in vocabulary.words)
    is_place = config.ids == "places" or (config.ids is None and not are_integers)
    return Given(chosen, ranks, column.layout == "integers" and is_place)


def _to_keep(given: Given | None, config: ReadConfig) -> Table | None:
    """The words that must not be dropped while counting; their forms before lower case are not known."""
    if given is None or (config.lowercase and not given.are_places):
        return None
    places = map(str, np.flatnonzero(given.ranks >= 0).tolist())
    return table_of(list(places) if given.are_places else given.vocabulary.words)


def number_words(
    counted: Counted, config: ReadConfig, workers: Workers, merge: Merge = merge_tables
) -> tuple[Encoder, Vocabulary]:
    """Merge the workers' words and give those of the vocabulary their ids: what makes the ids of the text.

    The counters are gone then. Raises UsageError for too small a vocabulary, CorpusError for bad UTF-8 in it.
    """
    name, counters, given = counted.name, counted.counters, counted.given
    merged, entries = merge([counter.table for counter in counters])
    if config.lowercase and not (given and given.are_places):
        merged, lower = lowered(name, merged)
        entries = [lower[of_worker] for of_worker in entries]
    number = functools.partial(_in_given, given=given) if given else _counted
    vocabulary, ids = number(name, merged, config)
    final_ids = [
        counter.final_ids(ids[of_worker]) for counter, of_worker in zip(counters, entries, strict=True)
    ]
    segments = [segment for counter in counters for segment in counter.segments]
    counters.clear()  # the encoder gives the segments back one by one
    return Encoder(segments, final_ids, workers.shelf, workers.threads), vocabulary


def _in_given(
    name: str, table: Table, config: ReadConfig, given: Given
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The given vocabulary, and for each entry of a table the id in it or -1.

    Where all its counts are 0, as of a word list, the table's are taken; then min_count and max_vocab apply.
    """
    vocabulary = given.vocabulary
    ids = given.ranks[integers_of(table)] if given.are_places else _known(table, vocabulary)
    counts = table.records[: table.n_words[0], COUNT]
    if not counts[ids >= 0].any():
        raise UsageError(
            f"{name}: none of its {counts.sum():,} words is in the given vocabulary of {len(vocabulary):,}; "
            "give the vocabulary of this corpus or none"
        )
    if vocabulary.counts.any():
        return vocabulary, ids
    found = np.zeros(len(vocabulary), np.int64)
    np.add.at(found, ids[ids >= 0], counts[ids >= 0])
    recounted = Vocabulary(vocabulary.words, found)
    chosen, ranks = choose(recounted, ReadConfig(), config.min_count, config.max_vocab)
    if len(chosen) < 2:
        raise UsageError(f"{name}: {_too_few(found, len(chosen), config.min_count)}")
    return chosen, np.append(ranks, np.int32(-1))[ids]


def _counted(name: str, table: Table, config: ReadConfig) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The vocabulary of the words that a table counted, and for each of its entries the id or -1."""
    records = table.records[: table.n_words[0]]
    counts = np.where(may_stay(table, config), records[:, COUNT], -1)
    kept = ranked(counts, records[:, FIRST_SEEN], config.min_count, config.max_vocab)
    if len(kept) < 2:
        raise UsageError(f"{name}: {_too_few(counts, len(kept), config.min_count)}")
    ids = np.full(len(counts), -1, np.int32)
    ids[kept] = np.arange(len(kept), dtype=np.int32)
    return Vocabulary(_decoded(name, table, kept), counts[kept]), ids


def _known(table: Table, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """The id of each entry of a table, or -1: a vocabulary's words come first in a merged table."""
    _, (_, entries) = merge_tables([table_of(vocabulary.words), table])
    return np.where(entries < len(vocabulary), entries, np.int32(-1))


def _too_few(counts: NDArray[np.int64], n_kept: int, min_count: int) -> str:
    """Why there is a vocabulary of 0 words or 1; the count of a word that a list leaves out is -1."""
    if len(counts) < 2:
        found = "only 1 distinct word" if len(counts) else "no word"
        return f"holds {found}; negative sampling needs at least 2: give more text"
    second = np.sort(counts)[-2]
    if second < 0:
        n_left = int((counts >= 0).sum())
        return (
            f"the keep-list and the stop-list leave {n_left} of {len(counts):,} distinct words; "
            "negative sampling needs 2: check the lists"
        )
    return (
        f"{n_kept} of {len(counts):,} distinct words occur at least min_count = {min_count} times; "
        f"negative sampling needs 2: lower --min-count to {second} or give more text"
    )


def _decoded(name: str, table: Table, entries: NDArray[np.int64]) -> list[str]:
    try:
        return words_of(table, entries)
    except UnicodeDecodeError as error:
        word = bytes(error.object)[:40]
        raise CorpusError(f"{name}: the word {word!r} is not UTF-8; convert the corpus to UTF-8") from None
