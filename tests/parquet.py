"""What the tests of reading share: small Parquet files, and what must come out of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.errors import FastW2VError
from tests.naive import NaiveCorpus, Row

TOKENS: list[Row] = [
    ["the", "cat", "sat"],
    None,
    [],
    ["the", None, "the", "longer-than-eight-bytes"],
    ["é", "cat", "cat"],
]
TEXTS: list[Row] = ["the cat sat", None, " ", "the\u00a0the longer-than-eight-bytes ", "é cat cat"]


def as_plain(corpus: Corpus) -> NaiveCorpus:
    return NaiveCorpus(
        ids=corpus.ids.tolist(),
        offsets=corpus.offsets.tolist(),
        words=corpus.vocabulary.words,
        counts=corpus.vocabulary.counts.tolist(),
        n_words_read=corpus.n_words_read,
        n_rows=corpus.n_rows,
        n_null=corpus.n_null,
    )


def write(path: Path, column: pa.Array | list[Any], name: str = "text", **options: Any) -> Path:
    """A Parquet file of one column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: column}), path, **options)
    return path


def write_texts(path: Path, *texts: str | None) -> Path:
    return write(path, pa.array(texts, pa.string()))


def error_of(kind: type[FastW2VError], *arguments: Any, **options: Any) -> str:
    """The message of the error that reading must raise: always one line."""
    with pytest.raises(kind) as caught:
        read_corpus(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
