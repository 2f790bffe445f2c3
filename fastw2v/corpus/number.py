"""Which words the vocabulary holds, and their numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.count import WordCounts, WorkerPool
from fastw2v.corpus.given import GivenVocabulary
from fastw2v.corpus.ids.encoding import Encoder
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.corpus.words.candidates import NotUtf8Error, bad_words, choose, integers_of, lowered, may_stay
from fastw2v.corpus.words.counter import table_of
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, Table, merge_tables, words_of
from fastw2v.errors import UsageError

# As `merge_tables` does: all words in one table, and the entries in it of those of each table.
Merge = Callable[[Sequence[Table]], tuple[Table, list[NDArray[np.int32]]]]


def number_words(
    counted: WordCounts, config: ReadConfig, workers: WorkerPool, merge: Merge = merge_tables
) -> tuple[Encoder, Vocabulary]:
    """Merge the workers' words and give those of the vocabulary their ids: what makes the ids of the text.

    The counters are gone then. Raises UsageError for too small a vocabulary, CorpusError for bad UTF-8 in it.
    """
    name, counters, given = counted.name, counted.counters, counted.given
    merged, entries = merge([counter.table for counter in counters])
    bad = bad_words(merged)
    if config.lowercase and not (given and given.are_places):
        merged, lower = lowered(merged)
        entries = [lower[of_worker] for of_worker in entries]
    number = functools.partial(_in_given, given=given) if given else _counted
    vocabulary, ids = number(name, merged, config)
    final_ids = [
        counter.final_ids(ids[of_worker]) for counter, of_worker in zip(counters, entries, strict=True)
    ]
    segments = [segment for counter in counters for segment in counter.segments]
    counted.bad.extend([bad] if bad else [])
    counters.clear()  # the encoder gives the segments back one by one
    return Encoder(segments, final_ids, workers.spill, workers.threads), vocabulary


def _in_given(
    name: str, table: Table, config: ReadConfig, given: GivenVocabulary
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
        raise NotUtf8Error(name, bytes(error.object)) from None
