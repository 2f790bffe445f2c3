from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v.config import Ids
from fastw2v.corpus import count, number, workers
from fastw2v.corpus.arrow import layouts
from fastw2v.corpus.count import BatchQueue
from fastw2v.corpus.ids.memory import Budget, Memory
from fastw2v.corpus.ids.storage import pages_of
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words import table
from fastw2v.errors import CorpusError, OutputError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of, write, write_texts

texts = st.text(st.sampled_from("ab é\t\u3000"), max_size=20)
items = st.text(st.sampled_from("ab é"), max_size=4)
text_rows: st.SearchStrategy[list[Row]] = st.lists(st.none() | texts, max_size=10)
list_rows: st.SearchStrategy[list[Row]] = st.lists(
    st.none() | st.lists(st.none() | items, max_size=6), max_size=10
)


# ---- Against the plain twin --------------------------------------------------------------------------------


@pytest.fixture
def batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "BATCH_ROWS", 2)


@pytest.mark.usefixtures("batches_of_two")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=text_rows | list_rows,
    threads=st.integers(1, 3),
    min_count=st.integers(0, 3),
    max_vocab=st.none() | st.integers(2, 4),
    group=st.integers(1, 6),
)
def test_read_corpus__equals_naive(
    rows: list[Row],
    threads: int,
    min_count: int,
    max_vocab: int | None,
    group: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    is_list = any(isinstance(row, list) for row in rows)
    array = pa.array(rows, pa.list_(pa.string()) if is_list else pa.string())
    path = write(tmp_path_factory.mktemp("corpus") / "c.parquet", array, row_group_size=group)
    expected = naive_corpus(rows, min_count, max_vocab)
    options: dict[str, Any] = {"min_count": min_count, "max_vocab": max_vocab, "threads": threads}
    if len(expected.words) < 2:
        assert "negative sampling needs" in error_of(UsageError, path, **options)
    else:
        assert as_plain(read_corpus(path, **options)) == expected


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_read_corpus__does_not_depend_on_threads_or_batches(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, batch_rows: int, threads: int
) -> None:
    rows: list[Row] = [" ".join(map(str, rng.geometric(0.05, n))) for n in rng.integers(0, 40, 200)]
    path = write(tmp_path / "c.parquet", rows, row_group_size=50)
    monkeypatch.setattr(layouts, "BATCH_ROWS", batch_rows)
    actual = as_plain(read_corpus(path, min_count=3, threads=threads))
    assert actual == naive_corpus(rows, min_count=3)


def test_read_corpus__counts_without_ids(tmp_path: Path) -> None:
    write_texts(tmp_path / "c.parquet", "b a b", None, "c")
    corpus = read_corpus(tmp_path / "c.parquet", min_count=1)
    counted = read_corpus(tmp_path / "c.parquet", min_count=1, memory=Memory(keeps_ids=False))
    assert (counted.ids.tolist(), counted.offsets.tolist()) == ([], [0])
    assert counted.vocabulary.words == corpus.vocabulary.words == ["b", "a", "c"]
    assert counted.vocabulary.counts.tolist() == [2, 1, 1]
    assert counted[3:6] == corpus[3:6] == (4, 3, 1)


def test_read_corpus__types_and_shapes(tmp_path: Path) -> None:
    actual = read_corpus(write_texts(tmp_path / "c.parquet", "a b a", "c"), min_count=1)
    assert actual.ids.dtype == np.int32
    assert actual.offsets.dtype == np.int64
    assert actual.vocabulary.counts.dtype == np.int64
    assert actual.offsets.tolist() == [0, 3, 4]
    assert actual.ids.flags.writeable


def test_read_corpus__one_giant_row_among_small_ones(tmp_path: Path, rng: np.random.Generator) -> None:
    giant = " ".join(map(str, rng.integers(0, 1000, 200_000)))
    rows: list[Row] = ["a b", giant, "b 7", None]
    expected = naive_corpus(rows, min_count=2)
    assert as_plain(read_corpus(write(tmp_path / "c.parquet", rows), min_count=2, threads=3)) == expected


# ---- A given vocabulary ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_read_corpus__keeps_the_ids_and_counts_of_a_given_vocabulary(tmp_path: Path, threads: int) -> None:
    rows: list[Row] = ["new the cat", "other", "the the absent-not", "cat é"]
    vocabulary = Vocabulary(["cat", "the", "absent", "é"], np.array([900, 7, 3, 0]))
    path = write(tmp_path / "c.parquet", rows, row_group_size=1)
    actual = read_corpus(path, vocabulary=vocabulary, min_count=5, threads=threads)
    expected = naive_corpus(rows, vocabulary=vocabulary.words)
    assert actual.vocabulary.words == vocabulary.words
    assert actual.vocabulary.counts.tolist() == vocabulary.counts.tolist()
    assert actual.ids.tolist() == expected.ids == [1, 0, 1, 1, 0, 3]
    assert actual.offsets.tolist() == expected.offsets
    assert actual.n_words_read == 9


def test_read_corpus__counts_the_words_of_a_vocabulary_without_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", ["b a a c", "a b d", "c e"])
    no_counts = Vocabulary(["e", "c", "x", "b", "a"], np.zeros(5, np.int64))
    actual = read_corpus(path, vocabulary=no_counts, min_count=2, threads=2)
    assert actual.vocabulary.words == ["a", "c", "b"]
    assert actual.vocabulary.counts.tolist() == [3, 2, 2]
    assert actual.ids.tolist() == [2, 0, 0, 1, 0, 2, 1]
    assert actual.n_words_read == 9
    ids = (np.array([3, 4, 4, 1, 0]), np.array([0, 4, 5]))
    actual = read_corpus(ids, vocabulary=no_counts, min_count=1, max_vocab=2)
    assert (actual.vocabulary.words, actual.ids.tolist()) == (["a", "e"], [0, 0, 1])
    message = error_of(UsageError, path, vocabulary=no_counts, min_count=3)
    assert "1 of 5 distinct words occur at least min_count = 3 times" in message


def test_read_corpus__refuses_a_vocabulary_that_fits_nothing(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b c")
    message = error_of(UsageError, path, vocabulary=Vocabulary(["x", "y"], np.array([2, 1])))
    assert "none of its 3 words is in the given vocabulary of 2" in message
    message = error_of(UsageError, path, vocabulary=Vocabulary(["a"], np.array([2])))
    assert "the given vocabulary has 1 words; negative sampling needs at least 2" in message
    message = error_of(UsageError, path, vocabulary=Vocabulary(["a", "b", "a"], np.array([3, 2, 1])))
    assert "the given vocabulary has a word twice" in message


# ---- Bad input and interruptions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "holds no word; negative sampling needs at least 2: give more text"),
        (["one one one"], "holds only 1 distinct word; negative sampling needs at least 2"),
        (
            ["a a a b b c"],
            "0 of 3 distinct words occur at least min_count = 5 times; .* lower --min-count to 2",
        ),
        (["a a a a a b b c"], "1 of 3 distinct words occur at least min_count = 5 times"),
    ],
)
def test_read_corpus__says_why_the_vocabulary_is_too_small(
    tmp_path: Path, texts: list[str], message: str
) -> None:
    path = write_texts(tmp_path / "c.parquet", *texts)
    with pytest.raises(UsageError, match=message):
        read_corpus(path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("min_count", -1, "at least 0"), ("max_vocab", 1, "at least 2"), ("threads", 0, "from 1 to 4,096")],
)
def test_read_corpus__names_the_option_out_of_range(
    tmp_path: Path, option: str, value: int, message: str
) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b")
    with pytest.raises(UsageError, match=f"{option} is {value}: it must be {message}"):
        read_corpus(path, **{option: value})


def test_read_corpus__refuses_words_that_are_not_utf_8_unless_left_out(tmp_path: Path) -> None:
    binary = pa.array([b"good good fine fine bad\xff"], pa.binary())
    strings = pa.Array.from_buffers(pa.string(), 1, binary.buffers())
    path = write(tmp_path / "c.parquet", strings)
    assert read_corpus(path, min_count=2).vocabulary.words == ["good", "fine"]
    assert r"c.parquet: row 0 (from 0): the word b'bad\xff' is not UTF-8" in error_of(
        CorpusError, path, min_count=1
    )


def test_read_corpus__tells_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(layouts, "BATCH_ROWS", 10)
    path = write(tmp_path / "c.parquet", ["a b c"] * 3000)
    calls: list[tuple[float, int]] = []
    read_corpus(path, on_progress=lambda share, words: calls.append((share, words)))
    assert len(calls) > 1
    assert calls == sorted(calls)
    assert calls[-1] == (1.0, 9000)


@pytest.fixture
def feeds(monkeypatch: pytest.MonkeyPatch) -> list[BatchQueue]:
    """The feeds that were made, of one row a batch."""
    made: list[BatchQueue] = []

    class WatchedFeed(BatchQueue):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(count, "BatchQueue", WatchedFeed)
    monkeypatch.setattr(layouts, "BATCH_ROWS", 1)
    return made


def test_read_corpus__stops_at_an_exception_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feeds: list[BatchQueue]
) -> None:
    monkeypatch.setattr(count, "PROGRESS_SECONDS", 0.0)
    path = write(tmp_path / "c.parquet", ["a b c"] * 30_000)

    def interrupt(share: float, words: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_corpus(path, threads=2, on_progress=interrupt)
    assert feeds[0].share < 1


def test_read_corpus__stops_all_workers_when_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feeds: list[BatchQueue]
) -> None:
    monkeypatch.setattr(table, "FIRST_WORDS", 4)
    monkeypatch.setattr(table, "MAX_WORDS", 7)
    path = write(tmp_path / "c.parquet", ["a b c d e f g h i", *["x y"] * 30_000])
    assert "more than 8 distinct words" in error_of(UsageError, path, threads=2)
    assert feeds[0].share < 1


def test_read_corpus__turns_the_end_of_memory_into_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(number, "Encoder", no_memory)
    path = write_texts(tmp_path / "c.parquet", "a b")
    assert "memory ended while reading the corpus; read fewer" in error_of(OutputError, path, min_count=1)


# ---- Memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ids_bytes", [0, 1000])
def test_read_corpus__is_the_same_in_files(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, threads: int, ids_bytes: int
) -> None:
    rows: list[Row] = [" ".join(map(str, rng.geometric(0.05, n))) for n in rng.integers(0, 40, 200)]
    path = write(tmp_path / "c.parquet", rows, row_group_size=50)
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(ids_bytes, 1 << 30))
    monkeypatch.setattr(layouts, "BATCH_ROWS", 7)
    corpus = read_corpus(path, min_count=3, threads=threads)
    assert pages_of(corpus.ids) is not None
    assert as_plain(corpus) == naive_corpus(rows, min_count=3)
    assert corpus.notes == ()


def test_read_corpus__leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(0, 1 << 30))
    corpus = read_corpus(write_texts(tmp_path / "c.parquet", "a b a", "b"), min_count=1)
    assert corpus.ids.tolist() == [0, 1, 0, 1]
    assert list(folder.iterdir()) == []


def test_read_corpus__says_what_was_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FIRST_WORDS", 4)
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(1 << 30, 0))
    rows = ["a a a", " ".join(f"rare{i}" for i in range(100)), "a a"]
    corpus = read_corpus(write_texts(tmp_path / "c.parquet", *rows), min_count=1)
    assert corpus.vocabulary.words[0] == "a"
    assert corpus.vocabulary.counts[0] == 5
    assert corpus.n_words_read == 105
    assert corpus.dropped.n_dropped_tokens == 105 - len(corpus.ids) > 50
    [note] = corpus.notes
    assert (
        f"dropped {corpus.dropped.n_dropped} rare ones with {corpus.dropped.n_dropped_tokens} tokens" in note
    )
    assert f"may be short by up to {corpus.dropped.short_by}: raise --memory-limit to count exactly" in note


@pytest.mark.parametrize("ids", ["words", "places"])
def test_read_corpus__never_drops_words_of_a_given_vocabulary(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, ids: Ids
) -> None:
    monkeypatch.setattr(table, "FIRST_WORDS", 4)
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(1 << 30, 0))
    rows = [[int(n) for n in rng.permutation(60)] for _ in range(3)]
    given = Vocabulary([str(n) for n in range(60)], np.arange(60, 0, -1))
    options: dict[str, Any] = {"ids": ids, "threads": 2, "keep_words": frozenset(["7", "9", "30"])}
    path = write(tmp_path / "c.parquet", pa.array(rows, pa.list_(pa.int32())))
    corpus = read_corpus(path, vocabulary=given, **options)
    assert corpus.dropped.n_dropped > 50
    assert corpus.vocabulary.words == ["7", "9", "30"]
    assert corpus.ids.tolist() == [{7: 0, 9: 1, 30: 2}[n] for row in rows for n in row if n in (7, 9, 30)]
