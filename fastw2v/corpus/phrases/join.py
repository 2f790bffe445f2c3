"""Phrases joined in a text: the first of those that overlap, from left to right, within sentences."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.segments import ROW_END, Segment
from fastw2v.corpus.ids.storage import SpillBuffer
from fastw2v.corpus.phrases.chains import (
    CHAIN,
    CONNECTOR,
    CURSOR_SIZE,
    ENDS,
    POSITION,
    RANGE_TOKENS,
    SENTENCE,
    STARTS,
    Text,
    ranges_of,
)
from fastw2v.corpus.phrases.count import PROGRESS_SECONDS
from fastw2v.corpus.phrases.table import PairTable, number_of
from fastw2v.kernels.jit import bare_jit

START = (
    2  # of a cursor, where counting has the word before: where a word waits that may start a phrase, or -1
)
NEVER = 1 << 62


class PhraseTables(NamedTuple):
    """What becomes of the pairs of a text.

    chains   from a chain of connector words and the next to the longer chain
    pairs    the phrases, numbered
    word_of  int32 (n_phrases,), the id of each
    """

    chains: PairTable
    pairs: PairTable
    word_of: NDArray[np.int32]


@bare_jit
def join_range(text, tables, cursor, stop, out, n_joined):  # type: ignore[no-untyped-def]
    """Write a range of a text with its phrases joined, ROW_END after each sentence; returns the ids written.

    A word that may start a phrase waits for the next one, also in the next range.

    out       int32 (of the range, what waits before it, and its sentences,)
    n_joined  int64 (n_phrases,), counted up
    """
    position, sentence = cursor[POSITION], cursor[SENTENCE]
    start, chain = cursor[START], cursor[CHAIN]
    end = text.offsets[sentence + 1]
    n = 0
    while position < stop:
        word = np.int64(text.ids[position])
        role = text.roles[word]
        if role & CONNECTOR:
            if start < 0:
                out[n] = word
                n += 1
            elif chain >= 0:
                chain = number_of(tables.chains, chain, word, 0)
        else:
            phrase = np.int64(-1)
            if start >= 0:
                if role & ENDS and chain >= 0:
                    phrase = number_of(tables.pairs, np.int64(text.ids[start]), word, chain)
                if phrase >= 0:
                    out[n] = tables.word_of[phrase]
                    n_joined[phrase] += 1
                    n += 1
                    start = -1
                else:
                    for k in range(start, position):
                        out[n] = text.ids[k]
                        n += 1
            if phrase < 0:
                start, chain = position, 0
                if not role & STARTS:
                    out[n] = word
                    n += 1
                    start = -1
        position += 1
        if position == end:
            if start >= 0:
                for k in range(start, position):
                    out[n] = text.ids[k]
                    n += 1
            start = -1
            out[n] = ROW_END
            n += 1
            sentence += 1
            if position < text.ids.size:
                end = text.offsets[sentence + 1]
    cursor[POSITION], cursor[SENTENCE], cursor[START], cursor[CHAIN] = position, sentence, start, chain
    return n


class Task(NamedTuple):
    """Some whole sentences, from one up to below another."""

    first_sentence: int
    last_sentence: int


def tasks_of(offsets: NDArray[np.int64]) -> Iterator[Task]:
    """All sentences of a text in tasks of about RANGE_TOKENS tokens; a longer sentence is one of its own."""
    first, n_sentences = 0, len(offsets) - 1
    while first < n_sentences:
        last = int(np.searchsorted(offsets, offsets[first] + RANGE_TOKENS, "right")) - 1
        last = min(max(last, first + 1), n_sentences)
        yield Task(first, last)
        first = last


class Joiner:
    """Joins the phrases of a text, in several threads.

    n_joined  int64 (n_phrases,), how often each was, after `join`
    """

    def __init__(self, text: Text, tables: PhraseTables, spill: SpillBuffer, threads: int) -> None:
        self.text, self.tables, self.spill, self.threads = text, tables, spill, threads
        self.n_joined = np.zeros(len(tables.word_of), np.int64)
        self.n_done = 0
        self._tasks = tasks_of(text.offsets)
        self._segments: list[Segment] = []
        self._lock = threading.Lock()
        self._is_stopped = False

    def join(self, on_progress: Callable[[float], None] | None = None) -> list[Segment]:
        """The text in segments, whose ids are those of words and phrases. Raises OutputError of the spill."""
        with ThreadPoolExecutor(self.threads, "fastw2v-phrases") as pool:
            try:
                futures = [pool.submit(self._work) for _ in range(self.threads)]
                while wait(futures, PROGRESS_SECONDS).not_done:
                    if on_progress:
                        on_progress(self.n_done / max(len(self.text.ids), 1))
            finally:
                self._is_stopped = True
        for future in futures:
            future.result()
        return self._segments

    def _work(self) -> None:
        n_joined = np.zeros_like(self.n_joined)
        while True:
            with self._lock:
                task = None if self._is_stopped else next(self._tasks, None)
            if task is None:
                break
            self._join_task(task, n_joined)
        with self._lock:
            self.n_joined += n_joined

    def _join_task(self, task: Task, n_joined: NDArray[np.int64]) -> None:
        """Join the phrases of some sentences, a segment a range."""
        text, offsets = self.text, self.text.offsets
        cursor = np.zeros(CURSOR_SIZE, np.int64)
        first, last = int(offsets[task.first_sentence]), int(offsets[task.last_sentence])
        cursor[POSITION], cursor[SENTENCE], cursor[START] = first, task.first_sentence, -1
        for start, stop in ranges_of(text, first, last):
            waiting = start - int(cursor[START]) if cursor[START] >= 0 else 0
            out = self.spill.new_block(stop - start + waiting + task.last_sentence - task.first_sentence)
            n = join_range(text, self.tables, cursor, stop, out, n_joined)
            segment = Segment(start, 0, 0, self.spill.keep(out, n)[0])
            with self._lock:
                self._segments.append(segment)
                self.n_done += stop - start


@bare_jit
def note_first(provisional, first_seen, position):  # type: ignore[no-untyped-def]
    """Note of each id of a segment where it is seen first, of so many tokens before; returns those after."""
    for entry in provisional:
        if entry != ROW_END:
            if first_seen[entry] > position:
                first_seen[entry] = position
            position += 1
    return position


def first_seen(segments: Sequence[Segment], spill: SpillBuffer, n_words: int) -> NDArray[np.int64]:
    """The place of each word's first occurrence, int64 (n_words,); those of other words come after all."""
    first, position = np.arange(NEVER, NEVER + n_words), 0
    for segment in sorted(segments, key=lambda segment: segment.ordinal):
        position = note_first(spill.ids_of(segment.ids), first, position)
    return first
