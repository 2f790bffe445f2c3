"""Sentences as a Parquet file of lists of tokens, which a corpus is read from; phrases as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.phrases.find import Phrase
from fastw2v.corpus.phrases.join import tasks_of
from fastw2v.errors import UsageError
from fastw2v.system.files import atomic_writer

COLUMN = "tokens"  # of the usual names, so that a corpus of this file needs no --column
TOKENS = pa.large_list(
    pa.large_string()
)  # a sentence may hold more than 2 GB; in the file it is list<string>


def write_sentences(
    path: Path,
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    words: Sequence[str],
    on_progress: Callable[[float], None] | None = None,
) -> None:
    """Write a corpus, a sentence a row, in row groups of a million tokens; complete or not at all.

    on_progress   called with the share written after each row group

    Raises OutputError.
    """
    spelt = pa.array(words, pa.large_string())
    schema = pa.schema([(COLUMN, TOKENS)])
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True, "store_schema": False}
    with atomic_writer(path) as file, pq.ParquetWriter(file, schema, **options) as writer:
        for first, last in tasks_of(offsets):
            ends = offsets[first : last + 1]
            tokens = spelt.take(pa.array(ids[ends[0] : ends[-1]]))
            lists = pa.LargeListArray.from_arrays(pa.array(ends - ends[0]), tokens)
            writer.write_table(pa.table([lists], schema=schema))
            forget(ids[ends[0] : ends[-1]])
            if on_progress:
                on_progress(int(ends[-1]) / len(ids))
    forget(offsets)


def write_phrases(path: Path, phrases: Sequence[Phrase]) -> None:
    """Write a line for each phrase in UTF-8; complete or not at all. Raises OutputError."""
    with atomic_writer(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines_of(phrases))


def lines_of(phrases: Sequence[Phrase]) -> Iterator[str]:
    """Phrase, count and score of each, parted by tabs."""
    for phrase, count, score in phrases:
        yield f"{phrase}\t{count}\t{score!r}"


def require_lines(phrases: Sequence[Phrase]) -> None:
    """Raise UsageError for a phrase that a line cannot hold."""
    for phrase, _, _ in phrases:
        if "\t" in phrase or "\n" in phrase:
            raise UsageError(
                f"the phrase {phrase[:60]!r} holds a tab or a line break, which part the list of phrases: "
                "clean the corpus, or leave out --save-phrases"
            )
