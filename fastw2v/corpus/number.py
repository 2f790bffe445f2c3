"""Which words the vocabulary holds, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus import where
from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.count import WordCounts, count_words
from fastw2v.corpus.files.pieces import OpenSource
from fastw2v.corpus.given import GivenVocabulary
from fastw2v.corpus.ids.cache import Cache
from fastw2v.corpus.ids.encoding import Encoder
from fastw2v.corpus.ids.storage import SpillBuffer
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.targets import of_rows_alone
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.corpus.weights import Add, Load, RowWeights
from fastw2v.corpus.words.alphabets import BASES, Alphabet, alphabet_of, is_plain
from fastw2v.corpus.words.candidates import (
    NotUtf8Error,
    bad_words,
    choose,
    integers_of,
    may_stay,
    respells,
    with_spellings,
)
from fastw2v.corpus.words.counter import WordCounter, table_of
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, Table, merge_tables, words_of
from fastw2v.corpus.workers import WorkerPool
from fastw2v.errors import UsageError

# As `merge_tables` does: all words in one table, and the entries in it of those of each table.
Merge = Callable[[Sequence[Table]], tuple[Table, list[NDArray[np.int32]]]]


def numbered(
    opened: OpenSource,
    column: Column,
    config: ReadConfig,
    given: tuple[Vocabulary | None, Tally | None],
    workers: WorkerPool,
    cache: Cache | None,
) -> tuple[WordCounts, Vocabulary, NDArray[np.int32], NDArray[np.int64]]:
    """A source read: what was counted, with all notes on it, the vocabulary, ids and offsets.

    given   a vocabulary, and counts of earlier texts
    cache   where it is kept, unless words were dropped
    """
    vocabulary, tally = given
    counted = count_words(opened, column, config, vocabulary, workers)._replace(tally=tally)
    with where.places_named(opened.files, column):
        encoder, words = number_words(counted, config, workers)
    counted.notes[:0] = [where.left_out(bad, opened.name, opened.files, column) for bad in counted.bad]
    if cache and not counted.numbers["n_dropped"]:
        return counted, words, *cache.save(encoder, words, counted.numbers, counted.extra())
    return counted, words, *encoder.stored(workers.ids_bytes)


def number_words(
    counted: WordCounts,
    config: ReadConfig,
    workers: WorkerPool,
    merge: Merge = merge_tables,
    add: Add = lambda array: array,
) -> tuple[Encoder, Vocabulary]:
    """Merge the workers' words and give those of the vocabulary their ids: what makes the ids of the text.

    merge, add   of this process, or of all that read the corpus together

    The counters are gone then. Raises UsageError for too small a vocabulary, CorpusError for bad UTF-8 in it.
    """
    name, counters, given, tally = counted.name, counted.counters, counted.given, counted.tally
    earlier = [tally.as_table()] if tally else []
    merged, entries = merge([*(counter.table for counter in counters), *earlier])
    entries = entries[: len(counters)]
    bad = bad_words(merged)
    alphabet = require_alphabet(name, merged, config) if config.kmers else None
    if respells(config) and not (given and given.are_places):
        merged, respelt = with_spellings(merged, config)
        entries = [respelt[of_worker] for of_worker in entries]
    if counted.weights:
        mappings = [counter.final_ids(own) for counter, own in zip(counters, entries, strict=True)]
        weigh_counts(merged, counters, counted.weights, loader(workers.spill, mappings), add)
    if tally is not None and not given:
        tally.take(merged, config)
    if given:
        vocabulary, ids = _in_given(name, merged, config, given)
    else:
        left_out = None if alphabet is None else ~is_plain(merged, alphabet)
        vocabulary, ids = _counted(name, merged, config, left_out)
        if alphabet and left_out is not None and left_out.any():
            counted.notes.append(_left_out(merged, alphabet, left_out))
    final_ids = [
        counter.final_ids(ids[of_worker]) for counter, of_worker in zip(counters, entries, strict=True)
    ]
    segments = [segment for counter in counters for segment in counter.segments]
    load = loader(workers.spill, final_ids)
    if counted.targets:
        counted.targets.keep_sentences(segments, load)
        segments = of_rows_alone(segments)
    if counted.weights:
        counted.weights.keep_sentences(segments, load)
    counted.bad.extend([bad] if bad else [])
    counters.clear()  # the encoder gives the segments back one by one
    return Encoder(segments, final_ids, workers.spill, workers.threads), vocabulary


def weigh_counts(
    table: Table, counters: Sequence[WordCounter], weights: RowWeights, load: Load, add: Add
) -> None:
    """Put the counts by weight into the table of all words, whose entries load gives."""
    segments = [segment for counter in counters for segment in counter.segments]
    counts = table.records[: table.n_words[0], COUNT]
    counts[:] = weights.counts(counts, segments, load, add)


def loader(spill: SpillBuffer, mappings: Sequence[Sequence[NDArray[np.int32]]]) -> Load:
    """What gives the provisional ids of a segment, and what they mean to its worker."""
    return lambda segment: (spill.ids_of(segment.ids), mappings[segment.worker][segment.generation])


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
        raise UsageError(f"{name}: {_too_few(found, len(chosen), config)}")
    return chosen, np.append(ranks, np.int32(-1))[ids]


def require_alphabet(name: str, table: Table, config: ReadConfig) -> Alphabet:
    """What the k-mers of a table are of. Raises UsageError for proteins that have no other strand."""
    alphabet = alphabet_of(table)
    if config.reverse_complement and alphabet.letters != BASES:
        raise UsageError(
            f"reverse_complement is of DNA, and {name} holds proteins by its letters: leave it out",
            ["reverse_complement"],
        )
    return alphabet


def _left_out(table: Table, alphabet: Alphabet, left_out: NDArray[np.bool_]) -> str:
    """The line on k-mers that were left out."""
    counts = table.records[: table.n_words[0], COUNT]
    return (
        f"left out {counts[left_out].sum():,} of {counts.sum():,} k-mers: they have other letters than those "
        f"of {alphabet.name}, {alphabet.letters}"
    )


def _counted(
    name: str, table: Table, config: ReadConfig, left_out: NDArray[np.bool_] | None
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The vocabulary of the words that a table counted, and for each of its entries the id or -1.

    left_out   bool (n_words,), entries that are no words
    """
    records = table.records[: table.n_words[0]]
    counts = np.where(may_stay(table, config), records[:, COUNT], -1)
    if left_out is not None:
        counts[left_out] = -1
    kept = ranked(counts, records[:, FIRST_SEEN], config.min_count, config.max_vocab)
    if len(kept) < 2:
        raise UsageError(f"{name}: {_too_few(counts, len(kept), config)}")
    ids = np.full(len(counts), -1, np.int32)
    ids[kept] = np.arange(len(kept), dtype=np.int32)
    return Vocabulary(_decoded(name, table, kept), counts[kept]), ids


def _known(table: Table, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """The id of each entry of a table, or -1: a vocabulary's words come first in a merged table."""
    _, (_, entries) = merge_tables([table_of(vocabulary.words), table])
    return np.where(entries < len(vocabulary), entries, np.int32(-1))


def _too_few(counts: NDArray[np.int64], n_kept: int, config: ReadConfig) -> str:
    """Why there is a vocabulary of 0 words or 1; the count of a word that a list leaves out is -1."""
    if len(counts) < 2:
        found = "only 1 distinct word" if len(counts) else "no word"
        return f"holds {found}; negative sampling needs at least 2: give more text"
    second = np.sort(counts)[-2]
    if second < 0:
        n_left = int((counts >= 0).sum())
        by = "the letters of k-mers, and lists," if config.kmers else "the keep-list and the stop-list"
        return (
            f"{by} leave {n_left} of {len(counts):,} distinct words; "
            f"negative sampling needs 2: check {'the sequences' if config.kmers else 'the lists'}"
        )
    return (
        f"{n_kept} of {len(counts):,} distinct words occur at least min_count = {config.min_count} times; "
        f"negative sampling needs 2: lower --min-count to {second} or give more text"
    )


def _decoded(name: str, table: Table, entries: NDArray[np.int64]) -> list[str]:
    try:
        return words_of(table, entries)
    except UnicodeDecodeError as error:
        raise NotUtf8Error(name, bytes(error.object)) from None
