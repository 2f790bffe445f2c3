"""A unit of work: its tokens subsampled, its windows and draws replayed with Python integers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import UNIT, Tokens
from fastw2v.model.plan import Sampler, Schedule, Window
from fastw2v.model.streams import token_bits

LOW_32 = 0xFFFFFFFF
Shares = tuple[float, float]  # of the learning rate, for rows of V and of U: 0 freezes a matrix
BOTH = (1.0, 1.0)


class KeptToken(NamedTuple):
    """A token that subsampling left: its word id, its sentence, its drawn window radius."""

    word: int
    sentence: int
    radius: int


def draw_noise(table: NDArray[np.uint64], bits: int) -> int:
    """One noise word from 64 random bits and an alias table (`fastw2v.model.sampling.unigram_table`)."""
    slot = ((bits >> 32) * len(table)) >> 32
    entry = int(table[slot])
    return slot if (bits & LOW_32) <= (entry >> 32) else entry & LOW_32


def draw_shared(table: NDArray[np.uint64], draws: Iterator[int], count: int) -> list[int]:
    """`count` noise words, for a block to share."""
    return [draw_noise(table, bits) for bits in islice(draws, count)]


def learning_rate_at(schedule: Schedule, position: int) -> float:
    """Linear decay over the whole run with a floor, for a unit whose first token is at `position`."""
    done = (schedule.words_before + position) / schedule.words_total
    return max(schedule.learning_rate * (1 - done), schedule.min_learning_rate)


def shares_of(schedule: Schedule) -> Shares:
    """Shares of the learning rate for rows of V and of U."""
    return schedule.center_share, schedule.outside_share


def keep_token(tokens: Tokens, sampler: Sampler, key: int, window: Window, position: int) -> KeptToken | None:
    """The token at a position with its radius, or None where subsampling drops it."""
    word = int(tokens.ids[position])
    bits = token_bits(key, position)
    if bits >> 32 > int(sampler.keep_limits[word]):
        return None
    radius = window.radius if window.fixed else 1 + (((bits & LOW_32) * window.radius) >> 32)
    sentence = int(np.searchsorted(tokens.offsets, position, side="right")) - 1
    return KeptToken(word, sentence, radius)


def keep_unit(
    tokens: Tokens, sampler: Sampler, key: int, window: Window, unit: int
) -> tuple[list[KeptToken], range]:
    """Kept tokens of a unit, `window` more of its outer sentences on either side, and the centres' range."""
    start, stop = unit * UNIT, min((unit + 1) * UNIT, len(tokens.ids))
    first, last = np.searchsorted(tokens.offsets, [start, stop - 1], side="right") - 1

    def kept_in(positions: range, at_most: int) -> list[KeptToken]:
        candidates = (keep_token(tokens, sampler, key, window, p) for p in positions)
        return list(islice((token for token in candidates if token), at_most))

    before = kept_in(range(start - 1, int(tokens.offsets[first]) - 1, -1), window.radius)[::-1]
    inside = kept_in(range(start, stop), UNIT)
    after = kept_in(range(stop, int(tokens.offsets[last + 1])), window.radius)
    return before + inside + after, range(len(before), len(before) + len(inside))


def window_of(kept: list[KeptToken], i: int) -> range:
    """The kept tokens within the drawn radius of kept token i, in its sentence, itself among them."""
    low = high = i
    while low > max(i - kept[i].radius, 0) and kept[low - 1].sentence == kept[i].sentence:
        low -= 1
    while high < min(i + kept[i].radius, len(kept) - 1) and kept[high + 1].sentence == kept[i].sentence:
        high += 1
    return range(low, high + 1)


def outside_words(kept: list[KeptToken], i: int) -> list[int]:
    """The outside words of centre i, in reading order."""
    return [kept[j].word for j in window_of(kept, i) if j != i]
