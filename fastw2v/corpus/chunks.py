"""A source read once, chunk by chunk: each has words of its own, and nothing is kept of those before.

Where a chunk ends depends on the sentences alone, not on how a pipe delivers them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import common_column
from fastw2v.corpus.arrow.layouts import Batch, as_batches
from fastw2v.corpus.count import tokenizer_of
from fastw2v.corpus.files.pipes import taking_what_comes
from fastw2v.corpus.ids.segments import ROW_END
from fastw2v.corpus.read import open_source
from fastw2v.corpus.vocabulary import ranked
from fastw2v.corpus.words.candidates import lower
from fastw2v.corpus.words.counter import WordCounter

MOST_WORDS = 1 << 20  # distinct ones whose numbers are remembered between chunks: some 100 MB


class Chunk(NamedTuple):
    """A part of a text, as numbers of its own.

    words    distinct, the most frequent first, then the first
    counts   int64 (n_words,), occurrences in the chunk
    ids      int32 (n_tokens,), places in words
    offsets  int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    n_read   words that were read for it, those that were left out, too
    n_bad    of these, such as are not UTF-8
    """

    words: list[str]
    counts: NDArray[np.int64]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_read: int
    n_bad: int = 0


class Numbered:
    """Words by the number of their entry; None for those that lists leave out, BAD for bytes not UTF-8."""

    def __init__(self) -> None:
        self.words: list[str | None] = []


BAD = "\udcff"  # half of a pair, which no text in UTF-8 holds


class Part(NamedTuple):
    """Some rows: the entries of their words, int32 (n_tokens,), and how many each has, int64 (n_rows,)."""

    numbered: Numbered
    entries: NDArray[np.int32]
    lengths: NDArray[np.int64]


class PartReader:
    """Numbers the words of batch after batch, and forgets the words where they become too many."""

    def __init__(self, config: ReadConfig) -> None:
        self._config, self._tokenize = config, tokenizer_of(config)
        self._counter, self._numbered = WordCounter(), Numbered()

    def read(self, batch: Batch) -> Iterator[Part]:
        """The parts of a batch."""
        for tokens in self._tokenize(batch):
            if len(self._numbered.words) > MOST_WORDS:
                self._counter, self._numbered = WordCounter(), Numbered()
            self._counter.read(tokens)
            segments = [np.asarray(segment.ids) for segment in self._counter.segments]
            self._counter.segments.clear()
            self._name_new_words()
            entries = np.concatenate([np.empty(0, np.int32), *segments])
            ends = np.flatnonzero(entries == ROW_END)
            lengths = np.diff(ends, prepend=-1) - 1
            yield Part(self._numbered, entries[entries != ROW_END], lengths[lengths > 0])

    def _name_new_words(self) -> None:
        table, first = self._counter.table, len(self._numbered.words)
        ends = table.ends[first : int(table.n_words[0]) + 1].tolist()
        data = table.arena[ends[0] : ends[-1]].tobytes()
        start = ends[0]
        words = [_decoded(data[a - start : b - start]) for a, b in itertools.pairwise(ends)]
        if self._config.lowercase:
            words = lower(words)
        self._numbered.words.extend(map(self._if_allowed, words))

    def _if_allowed(self, word: str) -> str | None:
        kept, config = self._config.keep_words, self._config
        is_allowed = (kept is None or word in kept) and word not in config.stop_words
        return word if is_allowed or word == BAD else None


def _decoded(word: bytes) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return BAD


class Gatherer:
    """Makes chunks of parts; what is there so far may be asked for from another thread.

    chunk_words   a chunk ends with the sentence that has its chunk_words-th word
    n_waiting     words that make no whole chunk yet
    n_made        whole chunks so far
    """

    def __init__(self, chunk_words: int) -> None:
        self.chunk_words = chunk_words
        self.n_waiting = self.n_made = 0
        self._parts: list[Part] = []
        self._lock = threading.Lock()

    def add(self, part: Part) -> list[Chunk]:
        """Take a part; returns the chunks that are complete with it."""
        with self._lock:
            chunks = []
            while self.n_waiting + len(part.entries) >= self.chunk_words:
                ends = np.cumsum(part.lengths)
                n_rows = int(np.searchsorted(ends, self.chunk_words - self.n_waiting)) + 1
                first, part = cut(part, n_rows, int(ends[n_rows - 1]))
                chunks.append(chunk_of([*self._parts, first]))
                self._parts, self.n_waiting, self.n_made = [], 0, self.n_made + 1
            if len(part.entries):
                self._parts.append(part)
                self.n_waiting += len(part.entries)
            return chunks

    def rest(self) -> Chunk | None:
        """What is there and makes no whole chunk; it is gone then."""
        with self._lock:
            parts, self._parts, self.n_waiting = self._parts, [], 0
        return chunk_of(parts) if parts else None


def cut(part: Part, n_rows: int, n_tokens: int) -> tuple[Part, Part]:
    """The first rows of a part, which have so many tokens, and the others."""
    numbered, entries, lengths = part
    return (
        Part(numbered, entries[:n_tokens], lengths[:n_rows]),
        Part(numbered, entries[n_tokens:].copy(), lengths[n_rows:].copy()),
    )


def chunk_of(parts: list[Part]) -> Chunk:
    """Parts as a chunk: their words numbered anew, by count and then by place, those left out gone."""
    index: dict[str, int] = {}
    n_bad, numbered_ids = 0, []
    for numbered, entries in joined(parts):
        found = np.bincount(entries, minlength=1)
        used = np.flatnonzero(found).tolist()
        new_ids = np.full(len(found), -1, np.int32)
        for entry in used:
            word = numbered.words[entry]
            if word == BAD:
                n_bad += int(found[entry])
            elif word is not None:
                new_ids[entry] = index.setdefault(word, len(index))
        numbered_ids.append(new_ids[entries])
    ids = np.concatenate(numbered_ids)
    lengths = np.concatenate([part.lengths for part in parts])
    kept = ids >= 0
    ends = np.append(0, np.cumsum(kept))[np.cumsum(lengths)]
    offsets = np.append(0, ends[np.diff(ends, prepend=0) > 0]).astype(np.int64)
    ids, n_read = ids[kept], len(ids)
    counts, order = ranked_by_count(ids, len(index))
    names, places = list(index), np.empty(len(order), np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    return Chunk([names[i] for i in order.tolist()], counts[order], places[ids], offsets, n_read, n_bad)


def joined(parts: list[Part]) -> Iterator[tuple[Numbered, NDArray[np.int32]]]:
    """The entries of parts that are numbered alike, together."""
    first = 0
    for i in range(1, len(parts) + 1):
        if i == len(parts) or parts[i].numbered is not parts[first].numbered:
            yield parts[first].numbered, np.concatenate([part.entries for part in parts[first:i]])
            first = i


def ranked_by_count(ids: NDArray[np.int32], n_words: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Occurrences of each word, int64 (n_words,), and the words by these and then by their first places."""
    counts = np.bincount(ids, minlength=n_words).astype(np.int64)
    first_places = np.empty(n_words, np.int64)
    first_places[ids[::-1]] = np.arange(len(ids) - 1, -1, -1)
    return counts, ranked(counts, first_places, 0, None)


class Source:
    """A source that is open, and read once.

    name   as a message shows it
    """

    def __init__(self, source: Any, config: ReadConfig) -> None:
        """Raises UsageError and CorpusError as `read_corpus` does."""
        with taking_what_comes():
            opened = open_source(source, config)
        self._column = common_column(opened.schemas, config)
        self.name, self._opened, self._reader = opened.name, opened, PartReader(config)

    def parts(self) -> Iterator[Part]:
        """Its rows, some at a time. Raises CorpusError for what cannot be read."""
        for batch in as_batches(self._opened.read(self._column), self._column):
            yield from self._reader.read(batch)

    def chunks(self, chunk_words: int) -> Iterator[Chunk]:
        """Its rows as chunks, the last one shorter. Raises CorpusError for what cannot be read."""
        gatherer = Gatherer(chunk_words)
        for part in self.parts():
            yield from gatherer.add(part)
        if last := gatherer.rest():
            yield last
