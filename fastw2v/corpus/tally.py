"""How often every word occurred in all texts so far: what the counts of a new text are added to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.layouts import as_lists
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.errors import CorpusError, UsageError
from fastw2v.system.files import atomic_writer

if TYPE_CHECKING:  # with its functions comes Numba, for which a command that opens its corpus does not wait
    from fastw2v.corpus.words.table import Table


class Tally:
    """All words that were counted, also those that are too rare for a vocabulary, in the order of ids.

    words   Arrow large_string (n,), distinct; those of a vocabulary come first
    counts  int64 (n,), descending

    more    of each word more numbers by name, int64 (n,), which are kept beside and not added to

    Reading a text adds it: its words that were seen before keep their places among words of one count.
    """

    def __init__(
        self,
        words: Iterable[str] | pa.Array = (),
        counts: Iterable[int] = (),
        more: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> None:
        """Raises UsageError where there are not as many counts as words."""
        self.more = dict(more or {})
        self.words = pa.array(words, pa.large_string()) if not isinstance(words, pa.Array) else words
        self.counts = np.array(list(counts) if not isinstance(counts, np.ndarray) else counts, np.int64)
        if len(self.words) != len(self.counts):
            raise UsageError(f"{len(self.words):,} words have {len(self.counts):,} counts: each needs one")

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Tally:
        """The words of a vocabulary, where no others are known."""
        return cls(vocabulary.words, np.asarray(vocabulary.counts, np.int64))

    def as_table(self) -> Table:
        """A table of the words with their counts, whose first occurrences are before those of any text."""
        from fastw2v.corpus.words.counter import WordCounter
        from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, LENGTH_BITS

        n_words, counter = len(self), WordCounter()
        ends = pa.array([0, n_words], pa.int64())
        words = self.words.cast(pa.large_binary())
        counter.read(as_lists(pa.LargeListArray.from_arrays(ends, words)))
        if counter.table.n_words[0] < n_words:
            raise UsageError("a word is counted twice; count again")
        counter.table.records[:n_words, COUNT] = self.counts
        counter.table.records[:n_words, FIRST_SEEN] -= n_words << LENGTH_BITS
        return counter.table

    def take(self, table: Table, config: ReadConfig) -> None:
        """Hold the words of a table, those that lists of words leave out and bad UTF-8 excepted."""
        from fastw2v.corpus.words.candidates import may_stay, valid_words
        from fastw2v.corpus.words.table import COUNT, FIRST_SEEN

        records = table.records[: table.n_words[0]]
        words, is_valid = valid_words(table)
        counts: NDArray[np.int64] = np.where(may_stay(table, config) & is_valid, records[:, COUNT], -1)
        order = ranked(counts, records[:, FIRST_SEEN], 0, None)
        self.words, self.counts = words.take(pa.array(order)).cast(pa.large_string()), counts[order]
        self.more = {}

    def write(self, path: Path) -> None:
        """Write a Parquet file of the columns word and count, and more. Raises OutputError."""
        columns = {"count": self.counts, **self.more}
        numbers = {name: pa.array(column, pa.int64()) for name, column in columns.items()}
        table = pa.table({"word": self.words, **numbers})
        with atomic_writer(path) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    @classmethod
    def read(cls, path: Path) -> Tally:
        """What `write` wrote. Raises CorpusError for a file that cannot be read or is of another kind."""
        try:
            with path.open("rb") as file:
                table = pq.read_table(file, page_checksum_verification=True)
            words = table["word"].combine_chunks().cast(pa.large_string())
            names = [name for name in table.column_names if name != "word"]
            numbers = {name: np.asarray(table[name].combine_chunks().cast(pa.int64())) for name in names}
            counts = numbers.pop("count")
        except (OSError, KeyError, pa.ArrowException) as error:
            raise CorpusError(
                f"{path}: no words and counts ({' '.join(str(error).split())[:120]})"
            ) from error
        if words.null_count or table["count"].null_count or counts.min(initial=0) < 0:
            raise CorpusError(f"{path}: holds a word or a count that is none")
        return cls(words, counts, numbers)
