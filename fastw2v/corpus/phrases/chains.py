"""Chains of connector words, which may stand within a phrase: `of`, `of the`; each has a number, `` is 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.phrases.table import (
    KEY,
    MOST_CHAINS,
    NUMBER,
    NUMBER_BITS,
    find_pair,
    grown,
    hash_pair,
    insert_pair,
    key_of,
    new_pairs,
)
from fastw2v.errors import UsageError
from fastw2v.kernels.jit import bare_jit

CONNECTOR, RARE, STARTS, ENDS = 1, 2, 4, 8  # bits of a word's role
POSITION, SENTENCE, PREVIOUS, CHAIN, CURSOR_SIZE = 0, 1, 2, 3, 4
RANGE_TOKENS = 1 << 20  # of a call: under a tenth of a second


class Text(NamedTuple):
    """An encoded corpus, and what is known of its words.

    ids      int32 (n_tokens,)
    offsets  int64 (n_sentences + 1,): sentence s is ids[offsets[s]:offsets[s + 1]], never empty
    roles    uint8 (n_words,), CONNECTOR, or RARE in no phrase, or STARTS and ENDS of some phrase
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    roles: NDArray[np.uint8]


class Chains:
    """The chains of connector words that a text has after another word.

    table  from a chain and the word after it to the longer chain
    """

    def __init__(self, text: Text) -> None:
        """Find them. Raises UsageError where there are too many."""
        self.table = new_pairs()
        self._steps: dict[int, tuple[int, int]] = {}
        if not (text.roles & CONNECTOR).any():
            return
        cursor = new_cursor()
        for _, stop in ranges_of(text):
            while cursor[POSITION] < stop:
                collect_chains(text, self.table, cursor, stop)
                if cursor[POSITION] < stop:
                    self._make_room()

    def _make_room(self) -> None:
        """A table for twice as many. Raises UsageError where their numbers end."""
        if 2 * self.table.n_pairs[0] >= MOST_CHAINS:
            raise UsageError(
                f"the connector words follow each other in more than {MOST_CHAINS // 2:,} ways: give fewer "
                "connector_words",
                ("connector_words",),
            )
        self.table = grown(self.table)

    def words_of(self, chain: int) -> list[int]:
        """The ids of the words of a chain."""
        if not chain:
            return []
        if not self._steps:
            records = self.table.records[self.table.records[:, KEY] > 0]
            keys, numbers = records[:, KEY] - 1, records[:, NUMBER] & ((1 << NUMBER_BITS) - 1)
            steps = zip((keys >> 32).tolist(), (keys & 0xFFFFFFFF).tolist(), strict=True)
            self._steps = dict(zip(numbers.tolist(), steps, strict=True))
        before, word = self._steps[chain]
        return [*self.words_of(before), word]


def new_cursor(position: int = 0, sentence: int = 0) -> NDArray[np.int64]:
    """Where a walk through a text begins: at a sentence, without a word before."""
    cursor = np.zeros(CURSOR_SIZE, np.int64)
    cursor[POSITION], cursor[SENTENCE], cursor[PREVIOUS] = position, sentence, -1
    return cursor


def ranges_of(text: Text, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int]]:
    """Ranges of positions, for a call of a kernel each; what is in a file leaves memory after it."""
    stop = len(text.ids) if stop is None else stop
    for first in range(start, stop, RANGE_TOKENS):
        last = min(first + RANGE_TOKENS, stop)
        yield first, last
        forget(text.ids[first:last])


@bare_jit
def collect_chains(text, table, cursor, stop):  # type: ignore[no-untyped-def]
    """Number the chains up to a position; ends before it where the table is full."""
    position, sentence = cursor[POSITION], cursor[SENTENCE]
    previous, chain = cursor[PREVIOUS], cursor[CHAIN]
    end = text.offsets[sentence + 1]
    most = table.records.shape[0] // 2
    while position < stop:
        if position == end:
            sentence += 1
            end, previous = text.offsets[sentence + 1], -1
        word = np.int64(text.ids[position])
        if not text.roles[word] & CONNECTOR:
            previous, chain = word, 0
        elif previous >= 0:
            key = key_of(chain, word)
            slot = find_pair(table, key, 0, hash_pair(key, 0))
            if slot >= 0:
                chain = table.records[slot, NUMBER]
            else:
                longer = table.n_pairs[0] + 1
                if longer > most:
                    break
                insert_pair(table, -1 - slot, key, 0, longer)
                chain = longer
        position += 1
    cursor[POSITION], cursor[SENTENCE] = position, sentence
    cursor[PREVIOUS], cursor[CHAIN] = previous, chain
