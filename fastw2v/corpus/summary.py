"""The frequent words of a text without end, counted in memory of bounded size.

Space-saving (Metwally, Agrawal, El Abbadi 2005) keeps m words with a count that is too high by at most an
error. Here it takes the counts of a whole chunk of text at once, as summaries are merged in Agarwal et al.
2012 ("Mergeable summaries", section 3): the m highest counts stay, and what a word that is not kept may have
come to is the threshold, the highest count that was ever dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Change(NamedTuple):
    """What became of the words of a chunk.

    slots  int64 (n,), where each word of the chunk is kept now, or -1
    left   int64 (n_left,), slots whose words were dropped; others may be there now
    """

    slots: NDArray[np.int64]
    left: NDArray[np.int64]


class SpaceSaving:
    """Counts of at most `capacity` words at a time.

    words      of the slots in use, each of which a word keeps as long as it is there
    counts     int64 (capacity,), at least the occurrences of each word
    errors     int64 (capacity,), by how much the count may be too high: counts − errors were surely seen
    threshold  what any word that is not here occurred at most; never over n / (capacity + 1)
    n          words that were counted, with repetitions

    So each word that makes up more than 1 / (capacity + 1) of the text is here.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.words: list[str] = []
        self.counts, self.errors = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self.threshold = self.n = 0
        self._index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def seen(self) -> NDArray[np.int64]:
        """int64 (n_words,): how often the word of each slot has surely occurred since it is here."""
        return (self.counts - self.errors)[: len(self)]

    def slots_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """int64 (n,): where words are kept, or -1."""
        return np.fromiter((self._index.get(word, -1) for word in words), np.int64, len(words))

    def add(self, words: Sequence[str], counts: NDArray[np.int64]) -> Change:
        """Count a chunk of text.

        words   distinct; of those that are new and as frequent the first ones stay
        counts  int64 (n,), occurrences in the chunk, 1 or more
        """
        slots = self.slots_of(words)
        is_known = slots >= 0
        self.counts[slots[is_known]] += counts[is_known]
        self.n += int(counts.sum())
        new, before = np.flatnonzero(~is_known), self.threshold
        stays, dropped = self._choose(counts[new] + before)
        n_more = len(stays) - len(dropped)
        taken = np.concatenate([dropped, np.arange(len(self), len(self) + n_more)])
        self.words.extend("" for _ in range(n_more))
        for slot in dropped.tolist():
            del self._index[self.words[slot]]
        for slot, place in zip(taken.tolist(), new[stays].tolist(), strict=True):
            self.words[slot] = words[place]
            self._index[words[place]] = slot
        slots[np.isin(slots, dropped)] = -1  # a word of the chunk may have to go, too
        slots[new[stays]] = taken
        self.counts[taken], self.errors[taken] = counts[new[stays]] + before, before
        return Change(slots, dropped)

    def _choose(self, uppers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which new words stay, of counts at most `uppers`, and which slots they take from others.

        Raises the threshold to the highest count that is dropped.
        """
        n_known = len(self)
        everyone = np.concatenate([self.counts[:n_known], uppers])
        if len(everyone) <= self.capacity:
            return np.arange(len(uppers)), np.empty(0, np.int64)
        order = np.argsort(-everyone, kind="stable")  # of equal ones those that are here stay
        gone = order[self.capacity :]
        self.threshold = max(self.threshold, int(everyone[gone[0]]))
        stays = np.sort(order[: self.capacity])
        return stays[stays >= n_known] - n_known, np.sort(gone[gone < n_known])

    def restore(
        self,
        words: Sequence[str],
        counts: NDArray[np.int64],
        errors: NDArray[np.int64],
        threshold: int,
        n: int,
    ) -> None:
        """Be what another summary was, of words in the order of their slots; the rarest may not fit.

        Raises ValueError for arrays that are not of the words, and for words that are not distinct.
        """
        if not len(words) == len(counts) == len(errors) == len(set(words)):
            raise ValueError(f"{len(words)} words, not all distinct or without counts")
        self.threshold, self.n = threshold, n
        kept = np.argsort(-counts, kind="stable")[: self.capacity]
        if len(kept) < len(words):
            self.threshold = max(threshold, int(np.sort(counts)[::-1][self.capacity]))
        kept = np.sort(kept)
        self.words = [words[place] for place in kept.tolist()]
        self._index = {word: slot for slot, word in enumerate(self.words)}
        self.counts[: len(kept)], self.errors[: len(kept)] = counts[kept], errors[kept]
