"""Zipf's frequencies, and what is drawn of uniform numbers: orders, indices, words, lengths of sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpora.planted.plan import Floats, Integers, Plan

ZIPF_OFFSET = 2.7  # Mandelbrot's: flattens the first ranks as English has them
CHUNK_TOKENS = 1_000_000
CONSONANTS, VOWELS = "bdgjklmnrstv", "aeiou"


def zipf_frequencies(n_words: int) -> Floats:
    """Shares of the tokens by rank, f ∝ 1/(rank + ZIPF_OFFSET) with rank from 1 (Mandelbrot 1953)."""
    weights: Floats = 1 / (np.arange(1, n_words + 1) + ZIPF_OFFSET)
    return weights / float(weights.sum())


def shuffled(n: int, rng: np.random.Generator) -> Integers:
    """A permutation of 0..n-1."""
    return np.argsort(rng.random(n), kind="stable")


def draw(cumulative: Floats, n: int, rng: np.random.Generator) -> Integers:
    """n indices with the probabilities whose running sums are given (their total may be other than 1)."""
    found = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    indices: Integers = np.minimum(found, len(cumulative) - 1)
    return indices


def length_chunks(plan: Plan, rng: np.random.Generator) -> Iterator[Integers]:
    """Lengths of sentences, in chunks, that add up to plan.tokens exactly; the last one is cut to fit."""
    low, high = length_range(plan)
    n = max(1, CHUNK_TOKENS // plan.sentence_length)
    missing = plan.tokens
    while missing:
        lengths = low + (rng.random(n) * (high - low + 1)).astype(np.int64)
        ends = np.minimum(np.cumsum(lengths), missing)
        lengths = np.diff(ends, prepend=0)
        missing -= int(ends[-1])
        yield lengths[lengths > 0]


def length_range(plan: Plan) -> tuple[int, int]:
    """Shortest and longest sentence; uniform between them, the mean is plan.sentence_length."""
    low = (plan.sentence_length + 1) // 2
    return low, 2 * plan.sentence_length - low


def join(tokens: NDArray[Any], lengths: Integers, order: Integers) -> list[str]:
    """Sentences of the given lengths cut from `tokens` (strings), in a new order."""
    listed = tokens.tolist()
    ends = np.cumsum(lengths)
    return [" ".join(listed[ends[i] - lengths[i] : ends[i]]) for i in order]


def invented_words(n_words: int, rng: np.random.Generator) -> list[str]:
    """Distinct pronounceable words of consonant-vowel syllables; earlier ones are not longer than later ones.

    A third of the one-syllable words and at most half of the longer ones are used, as in real languages most
    possible words are not.
    """
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    words: list[str] = []
    length = 1
    while len(words) < n_words:
        n_possible = len(syllables) ** length
        n_taken = min(n_words - len(words), n_possible // (3 if length == 1 else 2))
        words += [_spell(number, length, syllables) for number in _distinct(n_taken, n_possible, rng)]
        length += 1
    return words


def _spell(number: int, length: int, syllables: list[str]) -> str:
    """The digits of a number in base len(syllables)."""
    word = ""
    for _ in range(length):
        number, digit = divmod(number, len(syllables))
        word += syllables[digit]
    return word


def _distinct(n: int, n_possible: int, rng: np.random.Generator) -> list[int]:
    """n different numbers below n_possible, n at most half of it, in the order drawn."""
    numbers: dict[int, None] = {}
    while len(numbers) < n:
        numbers[int(rng.random() * n_possible)] = None
    return list(numbers)
