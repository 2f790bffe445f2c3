"""A source in chunks: the words of each, where it ends, and what may come of reading it in a thread."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.config import ReadConfig
from fastw2v.corpus import chunks
from fastw2v.corpus.ahead import Ahead
from fastw2v.corpus.chunks import Chunk, Source
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError

ROWS = [[f"w{i}" for i in row] for row in (60 * np.random.default_rng(0).random((400, 11)) ** 3).astype(int)]


def sentences(found: list[Chunk]) -> list[list[str]]:
    """The words of all chunks, sentence by sentence."""
    return [
        [chunk.words[i] for i in chunk.ids[first:end]]
        for chunk in found
        for first, end in zip(chunk.offsets[:-1], chunk.offsets[1:], strict=True)
    ]


def read(source: Any, chunk_words: int = 1000, **options: Any) -> list[Chunk]:
    return list(Source(source, ReadConfig(**options)).chunks(chunk_words))


def test_chunks__are_the_text_cut_at_the_sentences() -> None:
    """Each ends with the sentence that has its 1,000th word: after 91 sentences of 11."""
    found = read(iter(ROWS))
    assert [chunk.n_read for chunk in found] == [1001, 1001, 1001, 1001, 396]
    assert sentences(found) == ROWS
    for chunk in found:
        assert chunk.counts.tolist() == sorted(chunk.counts.tolist(), reverse=True)
        assert np.bincount(chunk.ids).tolist() == chunk.counts.tolist()
        assert (chunk.ids.dtype, chunk.offsets.dtype, chunk.counts.dtype) == (np.int32, np.int64, np.int64)


def test_chunks__of_one_chunk_are_the_corpus() -> None:
    """Words in the order of a vocabulary: the most frequent first, then the first."""
    (found,), corpus = read(iter(ROWS), 10**6), read_corpus(iter(ROWS), min_count=1)
    assert found.words == corpus.vocabulary.words
    assert found.ids.tobytes() == corpus.ids.tobytes()
    assert found.offsets.tobytes() == corpus.offsets.tobytes()


def test_chunks__are_the_same_from_text_parquet_and_rows(tmp_path: Path) -> None:
    texts = [" ".join(row) for row in ROWS]
    (tmp_path / "c.txt").write_text("\n".join(texts) + "\n\n")
    pq.write_table(pa.table({"text": texts}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"tokens": ROWS}), tmp_path / "l.parquet", row_group_size=37)
    expected = read(iter(ROWS))
    for source in (tmp_path / "c.txt", tmp_path / "c.parquet", tmp_path / "l.parquet", iter(texts)):
        actual = read(source if not isinstance(source, Path) else str(source))
        assert [(chunk.words, chunk.ids.tolist()) for chunk in actual] == [
            (chunk.words, chunk.ids.tolist()) for chunk in expected
        ]


def test_chunks__words_forgotten_between_them_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of words begins anew with each batch, also within a chunk."""
    expected = read(iter(ROWS))
    monkeypatch.setattr(chunks, "MOST_WORDS", 5)
    monkeypatch.setattr("fastw2v.corpus.arrow.objects.BATCH_ROWS", 13)
    actual = read(iter(ROWS))
    assert [chunk.words for chunk in actual] == [chunk.words for chunk in expected]
    assert sentences(actual) == ROWS


def test_chunks__lists_of_words_and_lower_case_hold() -> None:
    rows = [["A", "b", "the"], ["the"], [], ["B", "c"]]
    (found,) = read(iter(rows), lowercase=True, stop_words={"the"})
    assert sentences([found]) == [["a", "b"], ["b", "c"]]
    assert (found.words, found.counts.tolist(), found.n_read) == (["b", "a", "c"], [2, 1, 1], 6)
    (found,) = read(iter(rows), keep_words={"A", "b"})
    assert sentences([found]) == [["A", "b"]]


def test_chunks__bytes_that_are_not_utf8_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"a \xff b\n\xfe\xff\nc a\n")
    (found,) = read(str(tmp_path / "c.txt"))
    assert (sentences([found]), found.n_bad, found.n_read) == ([["a", "b"], ["c", "a"]], 2, 6)


def test_chunks__a_long_sentence_is_a_chunk() -> None:
    found = read(iter([["a"] * 10, ["b"] * 5000, ["c"] * 3]), 100)
    assert [chunk.n_read for chunk in found] == [5010, 3]


def test_source__bad_ones_are_told_at_once() -> None:
    with pytest.raises(UsageError, match="cannot be read from int"):
        Source(3, ReadConfig())
    with pytest.raises(CorpusError, match="no such file"):
        Source("absent.txt", ReadConfig())


def test_ahead__gives_the_chunks_and_what_reading_raises() -> None:
    def rows() -> Iterator[list[str]]:
        yield from ROWS
        raise ValueError("the line broke")

    ahead = Ahead(Source(iter(ROWS), ReadConfig()), 1000)
    assert sentences(list(ahead.chunks(lambda: False, lambda: None))) == ROWS
    found = []
    with pytest.raises(ValueError, match="the line broke"):
        found.extend(Ahead(Source(rows(), ReadConfig()), 1000).chunks(lambda: False, lambda: None))
    assert found == []  # rows of Python are taken 8,192 at a time


@pytest.mark.skipif(os.name != "posix", reason="a pipe by its descriptor")
def test_ahead__a_pipe_that_brings_nothing_more_is_left_when_it_is_stopped() -> None:
    """What came of the next chunk is given, though the pipe never ends: neither block nor chunk is full."""
    reading, writing = os.pipe()
    os.write(writing, "".join(" ".join(row) + "\n" for row in ROWS[:200]).encode())
    ahead = Ahead(Source(f"/dev/fd/{reading}", ReadConfig()), 1000)
    waited = threading.Event()

    def wait() -> None:
        if ahead.n_waiting:
            waited.set()

    found = list(ahead.chunks(waited.is_set, wait))
    os.close(writing)
    os.close(reading)
    assert [chunk.n_read for chunk in found] == [1001, 1001, 198]
    assert sentences(found) == ROWS[:200]


def test_ahead__reads_one_chunk_ahead_and_no_further() -> None:
    """Memory is bounded where reading is faster than training; and the thread ends with who asks."""
    taken = Counter[str]()

    def rows() -> Iterator[list[str]]:
        while True:
            taken["rows"] += 1
            yield ROWS[0]

    ahead = Ahead(Source(rows(), ReadConfig()), 1000)
    found = ahead.chunks(lambda: False, lambda: None)
    next(found)
    time.sleep(0.3)
    before = taken["rows"]
    time.sleep(0.3)
    assert taken["rows"] == before
    found.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while any(thread.name == "fastw2v-stream" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
