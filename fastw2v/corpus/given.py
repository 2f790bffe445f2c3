"""A vocabulary that is given, and what a run keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.layouts import Piece, checked_places
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words.candidates import choose, respells
from fastw2v.corpus.words.counter import table_of
from fastw2v.corpus.words.table import Table
from fastw2v.errors import UsageError


def checked_pieces(pieces: Iterator[Piece], column: Column, given: GivenVocabulary | None) -> Iterator[Piece]:
    return checked_places(pieces, column.name, len(given.ranks)) if given and given.are_places else pieces


class GivenVocabulary(NamedTuple):
    """A given vocabulary.

    vocabulary  in the order of ids, without the words that are left out
    ranks       int32 (n_words,), id of each word as it was given, or -1
    are_places  whether integers in the corpus are places in it as it was given
    """

    vocabulary: Vocabulary
    ranks: NDArray[np.int32]
    are_places: bool


def given_vocabulary(
    vocabulary: Vocabulary | None, column: Column, config: ReadConfig
) -> GivenVocabulary | None:
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
    is_place = config.ids == "places" or (config.ids is None and not are_integers and not vocabulary.is_sum)
    return GivenVocabulary(chosen, ranks, column.layout == "integers" and is_place)


def words_to_keep(given: GivenVocabulary | None, config: ReadConfig) -> Table | None:
    """The words that must not be dropped while counting; their forms before lower case are not known."""
    if given is None or (respells(config) and not given.are_places):
        return None
    places = map(str, np.flatnonzero(given.ranks >= 0).tolist())
    return table_of(list(places) if given.are_places else given.vocabulary.words)
