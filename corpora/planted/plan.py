"""What is to be generated, and what is known of it: sizes, seeds and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

N_FUNCTION = 20  # most frequent words, as likely in one kind of sentence as in any other
MAX_CELLS = 30_000_000  # of θ, in float64: the generator's memory is about four times that
MODEL, SENTENCES, TRUTH = 0, 1, 2  # streams of one seed: more tokens do not change the language


@dataclass(frozen=True)
class Plan:
    """What is to be generated.

    words            distinct words, or items
    sentence_length  mean; lengths are uniform between about half and one and a half of it
    pairs            of words in each relation
    topics           or categories of items
    """

    items: bool = False
    words: int = 4_000
    tokens: int = 1_500_000
    sentence_length: int = 20
    relations: int = 4
    pairs: int = 50
    topics: int = 20
    seed: int = 1

    @property
    def name(self) -> str:
        """Of the output files."""
        return "items" if self.items else "planted"

    def stream(self, purpose: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, purpose])


ITEM_PLAN = Plan(items=True, words=10_000, sentence_length=12, relations=0, pairs=0, topics=100)


class Counts(NamedTuple):
    """What a corpus holds; `words` are distinct ones."""

    tokens: int
    words: int
    sentences: int
    pairs: int
    questions: int


EXPECTED = {
    Plan(): Counts(1_500_000, 4_000, 74_961, 500, 800),
    ITEM_PLAN: Counts(1_500_000, 10_000, 124_940, 500, 0),
}


class Pair(NamedTuple):
    """Two words and their true similarity."""

    first: str
    second: str
    similarity: float


class Section(NamedTuple):
    """A relation by name, and questions: b is to a as d is to c."""

    name: str
    questions: list[tuple[str, str, str, str]]


class Material(NamedTuple):
    """All that goes into the files: words by rank, their frequencies, the truth, and the text in batches."""

    words: list[str]
    frequencies: Floats
    pairs: list[Pair]
    sections: list[Section]
    batches: Iterator[tuple[Integers, list[str]]]
