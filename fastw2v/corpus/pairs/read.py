"""Pairs to rows of numbers: two vocabularies, counted and numbered as batches come, rows in memory or a file.

batches of Arrow ─► words of both columns numbered ─► rows kept, in a file beyond the memory limit
                                                      │ counts ─► two vocabularies
                                                      └─► rows of their ids
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.graphs.columns import EdgeBatch
from fastw2v.corpus.graphs.numbers import Nodes
from fastw2v.corpus.graphs.tables import OpenEdges, open_edge_files, open_edge_object
from fastw2v.corpus.ids.storage import CorpusBuffer, Slice, SpillBuffer, StoredIds, stored
from fastw2v.corpus.pairs.lines import PAIRS, pair_lines
from fastw2v.corpus.read import names_files
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.pairs import LARGEST_WEIGHT

MOST_WORDS = 2**31 - 2
# Beyond so many pairs an epoch weights are counts of something else: at a million a second it takes a day.
MOST_PAIRS = 2**36
PART_ROWS = 1 << 18
OnPairs = Callable[[float, int], None]


class Limits(NamedTuple):
    """Which words of a column are kept: those of so many pairs at least, and of these the most frequent."""

    min_count: int
    max_vocab: int | None


class ReadPairs(NamedTuple):
    """Pairs as rows of numbers.

    rows      int32 (n_rows, 2 or 3): ids of centre and outside word and, where weights differ from 1, the
              bits of a float32, at most LARGEST_WEIGHT; in a file where they exceed the memory
    centers   Vocabulary of the first column
    outsides  Vocabulary of the second one
    n_pairs   that the rows stand for: the sum of weights, rounded
    n_rows    as they came, without those that are null
    n_null    rows that were skipped
    notes     lines for the user
    """

    rows: NDArray[np.int32]
    centers: Vocabulary
    outsides: Vocabulary
    n_pairs: int
    n_rows: int
    n_null: int
    notes: tuple[str, ...]


class Column:
    """The words of a column, numbered as they come.

    words    with their numbers
    counts   float64, the sum of weights of each, with room for more
    """

    def __init__(self) -> None:
        self.words = Nodes()
        self.counts = np.zeros(1 << 10)

    def number(self, name: str, array: pa.Array, weights: NDArray[np.float64] | None) -> NDArray[np.int32]:
        """The numbers of some words, int32 (n,), once they are counted. Raises UsageError for too many."""
        found = self.words.number_column(array)
        n_words = len(self.words)
        if n_words > MOST_WORDS:
            raise UsageError(f"{name}: a column has over {MOST_WORDS:,} words: give fewer")
        if n_words > len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros(n_words)])
        self.counts += np.bincount(found, weights, len(self.counts))
        return found

    def ranked(self, limits: Limits) -> tuple[Vocabulary, NDArray[np.int32]]:
        """The words that are kept, with their counts, and each number's place among them, −1 for none."""
        counts = np.rint(self.counts[: len(self.words)]).astype(np.int64)
        kept = ranked(counts, np.arange(len(counts)), limits.min_count, limits.max_vocab)
        places = np.full(len(counts), -1, np.int32)
        places[kept] = np.arange(len(kept), dtype=np.int32)
        words = self.words.names()
        return Vocabulary([words[i] for i in kept.tolist()], np.maximum(counts[kept], 1)), places


def read_pairs(
    source: Any,
    *,
    centers: Limits,
    outsides: Limits,
    ids_bytes: int,
    on_progress: OnPairs | None = None,
) -> ReadPairs:
    """Read pairs of words.

    source       names of files, of Parquet or text; or an object: a table, pairs or triples, an array (n, 2)
    centers, outsides   which words of either column are kept; a pair needs both of its words
    ids_bytes    that rows may take in memory; they are in a temporary file beyond
    on_progress  called with the share of rows read, 0 where it is not known, and the rows read so far

    A weight says how many pairs a row stands for; counts are sums of weights. Raises UsageError for what
    holds no pairs and where no two words are left, CorpusError for what cannot be read and for weights that
    are none.
    """
    is_named = names_files(source)
    opened = open_edge_files(source, PAIRS, pair_lines) if is_named else open_edge_object(source, PAIRS)
    kept = Kept(ids_bytes)
    try:
        kept.read(opened, on_progress)
        if not kept.n_rows:
            raise CorpusError(f"{opened.name}: holds no pair; give a centre and an outside word a row")
        vocabularies = [
            column.ranked(limits) for column, limits in zip(kept.columns, (centers, outsides), strict=True)
        ]
        require_words(opened.name, vocabularies[0][0], vocabularies[1][0], centers, outsides)
        return kept.finished(opened.name, *vocabularies)
    finally:
        kept.store.close()


class Kept:
    """Rows as they come, of the numbers that their words have so far.

    n_rows, n_null   so far
    has_weights      whether rows have a third number; None before the first
    """

    def __init__(self, ids_bytes: int) -> None:
        self.ids_bytes, self.store = ids_bytes, SpillBuffer(ids_bytes // 2)
        self.blocks: list[StoredIds] = []
        self.columns = (Column(), Column())
        self.n_rows = self.n_null = 0
        self.has_weights: bool | None = None

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return 3 if self.has_weights else 2

    def read(self, opened: OpenEdges, on_progress: OnPairs | None) -> None:
        """Read all of it."""
        for batch in opened.batches:
            self.n_null += batch.n_null
            if len(batch.sources):
                self.add(opened.name, batch)
            if (total := float(self.columns[0].counts.sum())) > MOST_PAIRS:
                raise UsageError(
                    f"{opened.name}: its weights add up to {total:.3g} pairs and more, and {MOST_PAIRS:.0e} "
                    "are the most that an epoch may have: divide all of them"
                )
            if on_progress:
                on_progress(self.n_rows / opened.n_rows if opened.n_rows else 0.0, self.n_rows)

    def add(self, name: str, batch: EdgeBatch) -> None:
        """Number and keep a batch. Raises UsageError where only some pairs have a weight."""
        has_weights = batch.weights is not None
        if self.has_weights not in (None, has_weights):
            raise UsageError(f"{name}: only some of its pairs have a weight: give one to all or to none")
        self.has_weights = has_weights
        n_rows = len(batch.sources)
        block = self.store.new_block(n_rows * self.width)
        rows = block[: n_rows * self.width].reshape(n_rows, self.width)
        for place, array in enumerate((batch.sources, batch.targets)):
            rows[:, place] = self.columns[place].number(name, array, batch.weights)
        if batch.weights is not None:
            rows[:, 2] = batch.weights.astype(np.float32).view(np.int32)
        self.blocks.append(self.store.keep(block, rows.size)[0])
        self.n_rows += n_rows

    def known(self, places: tuple[NDArray[np.int32], NDArray[np.int32]]) -> Iterator[NDArray[np.int32]]:
        """The rows, batch by batch, by the ids of their words, without those that have none."""
        for block in self.blocks:
            rows = self.store.ids_of(block).reshape(-1, self.width)
            ids = np.stack([places[0][rows[:, 0]], places[1][rows[:, 1]]], axis=1)
            has_part = (ids >= 0).all(axis=1)
            if not self.has_weights:
                yield ids[has_part]
                continue
            weights = weights_of(rows)
            has_part &= weights > 0
            yield from with_weights(ids[has_part], weights[has_part])

    def finished(
        self,
        name: str,
        centers: tuple[Vocabulary, NDArray[np.int32]],
        outsides: tuple[Vocabulary, NDArray[np.int32]],
    ) -> ReadPairs:
        """The rows that are left. Raises UsageError where none is, or they stand for too many pairs."""
        places = centers[1], outsides[1]
        n_rows, total = 0, 0.0
        for rows in self.known(places):
            n_rows += len(rows)
            total += float(weights_of(rows).sum(dtype=np.float64)) if self.has_weights else len(rows)
        if total < 1 or not n_rows:
            raise UsageError(
                f"{name}: its weights add up to {total:g}, and a weight is how many pairs a row stands for: "
                "multiply all of them"
                if n_rows
                else f"{name}: no pair has both of its words in the vocabularies: lower min_count"
            )

        def fill(buffer: CorpusBuffer) -> None:
            first = 0
            for rows in self.known(places):
                place = Slice(first, rows.size, 0, 0, False)
                ids, ends = buffer.open(place)
                ids[:] = rows.reshape(-1)
                buffer.close(place, ids, ends)
                first += rows.size

        flat, _ = stored(n_rows * self.width, 0, self.ids_bytes // 2, fill)
        notes = [f"skipped {self.n_null:,} rows with a null"] if self.n_null else []
        return ReadPairs(
            flat.reshape(n_rows, self.width),
            centers[0],
            outsides[0],
            max(1, round(total)),
            self.n_rows,
            self.n_null,
            tuple(notes),
        )


def weights_of(rows: NDArray[np.int32]) -> NDArray[np.float32]:
    """The third number of rows as what it is, float32 (n,)."""
    return rows.view(np.float32)[:, 2]


def with_weights(ids: NDArray[np.int32], weights: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
    """Rows of ids and weights, int32 (n, 3), some at a time.

    One over LARGEST_WEIGHT becomes several, as equal as can be: there may be many more than were given.
    """
    n_each = np.maximum(np.ceil(weights.astype(np.float64) / LARGEST_WEIGHT), 1).astype(np.int64)
    ends, each = np.cumsum(n_each), (weights / n_each).astype(np.float32)
    n_rows = int(ends[-1]) if len(ends) else 0
    for start in range(0, n_rows, PART_ROWS):
        places = np.searchsorted(ends, np.arange(start, min(start + PART_ROWS, n_rows)), "right")
        rows = np.empty((len(places), 3), np.int32)
        rows[:, :2], rows[:, 2] = ids[places], each[places].view(np.int32)
        yield rows


def require_words(
    name: str, centers: Vocabulary, outsides: Vocabulary, of_centers: Limits, of_outsides: Limits
) -> None:
    """Raise UsageError where there are not two words of either kind."""
    found = (
        ("centre", centers, "min_count", of_centers),
        ("outside", outsides, "outside_min_count", of_outsides),
    )
    for kind, vocabulary, option, limits in found:
        if len(vocabulary) < 2:
            raise UsageError(
                f"{name}: {len(vocabulary)} {kind} words have at least {option} = {limits.min_count} pairs; "
                f"training needs 2: lower {option}",
                (option,),
            )
