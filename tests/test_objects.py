"""Python objects as a corpus: the same ids, offsets and vocabulary as from a Parquet file of their rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.arrow import objects
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of, write

ROWS: list[Any] = [["the", "cat", "sat"], [], ["the", "the", "é", "longer-than-eight-bytes"], ["cat"]]
TEXTS = [" ".join(row) for row in ROWS]
TABLE = pa.table({"n": range(4), "tokens": pa.array(ROWS)})


class Stream:
    """What speaks Arrow's C stream interface and is nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Array:
    """The same of the C array interface."""

    def __init__(self, array: pa.Array | pa.RecordBatch) -> None:
        self.array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.array.__arrow_c_array__(requested_schema)


class Partitions:
    """What dask's DataFrame has of what is read."""

    npartitions = 2

    def __init__(self, table: pa.Table) -> None:
        self.parts = [table.slice(0, 1), table.slice(1)]

    def get_partition(self, number: int) -> Partition:
        return Partition(self.parts[number])


class Partition(NamedTuple):
    table: pa.Table

    def compute(self) -> Stream:
        return Stream(self.table)


class ExampleStream:
    """What Hugging Face's IterableDataset has of what is read."""

    def __init__(self, table: pa.Table, format: str = "") -> None:
        self.table, self.format = table, format

    def cast_column(self) -> None:
        """Is there."""

    def select_columns(self, names: list[str]) -> Any:
        return type(self)(self.table.select(names), self.format)

    def with_format(self, format: str) -> Any:
        return type(self)(self.table, format)

    def iter(self, batch_size: int) -> Iterator[pa.Table]:
        assert self.format == "arrow"
        yield from (self.table.slice(row, 2) for row in range(0, len(self.table), 2))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.table.to_pylist())


class Examples(ExampleStream):
    """The same of its Dataset."""

    @property
    def features(self) -> Any:
        return type("Features", (), {"arrow_schema": self.table.schema})

    def __len__(self) -> int:
        return len(self.table)


def parquet(table: pa.Table) -> pa.BufferReader:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=2)
    return pa.BufferReader(sink.getvalue())


OBJECTS: dict[str, Callable[[], Any]] = {
    "list of lists": lambda: ROWS,
    "tuples in a deque": lambda: deque(tuple(row) for row in ROWS),
    "generator of generators": lambda: ((word for word in row) for row in ROWS),
    "NumPy arrays of str": lambda: [np.array(row, object) for row in ROWS],
    "generator of texts": lambda: (text for text in TEXTS),
    "NumPy array of texts": lambda: np.array(TEXTS),
    "Table": lambda: TABLE,
    "Table in two chunks": lambda: pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3)]),
    "RecordBatchReader": lambda: TABLE.to_reader(max_chunksize=1),
    "RecordBatch": lambda: TABLE.to_batches()[0],
    "ChunkedArray": lambda: TABLE["tokens"],
    "ChunkedArray of texts": lambda: pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
    "Array": lambda: pa.array(ROWS),
    "Dataset": lambda: pyarrow.dataset.dataset(TABLE),
    "Scanner": lambda: pyarrow.dataset.dataset(TABLE).scanner(columns=["tokens"]),
    "ParquetFile": lambda: pq.ParquetFile(parquet(TABLE)),
    "LazyFrame": lambda: pytest.importorskip("polars").from_arrow(TABLE).lazy().filter(True),
    "Partitions": lambda: Partitions(TABLE),
    "Examples": lambda: Examples(TABLE),
    "Stream of examples": lambda: ExampleStream(TABLE),
    "stream": lambda: Stream(TABLE),
    "array of structs": lambda: Array(TABLE.to_batches()[0]),
    "array of lists": lambda: Array(pa.array(ROWS)),
    "pandas": lambda: pytest.importorskip("pandas", "2.2").DataFrame({"tokens": ROWS}),
    "pandas texts": lambda: pytest.importorskip("pandas", "2.2").Series(TEXTS),
    "polars": lambda: pytest.importorskip("polars").DataFrame({"tokens": ROWS}),
    "polars texts": lambda: pytest.importorskip("polars").Series(TEXTS),
    "duckdb": lambda: duckdb_relation(),
}


def duckdb_relation() -> Any:
    duckdb = pytest.importorskip("duckdb")
    return duckdb.connect().from_arrow(TABLE).project("tokens")


@pytest.mark.parametrize("kind", OBJECTS)
def test_read_corpus__reads_every_object_like_a_file(tmp_path: Path, kind: str) -> None:
    expected = as_plain(read_corpus(write(tmp_path / "c.parquet", pa.array(ROWS)), min_count=1))
    actual = as_plain(read_corpus(OBJECTS[kind](), min_count=1, threads=2))
    assert actual == expected == naive_corpus(ROWS)


def test_read_corpus__reads_ragged_ids() -> None:
    ids, offsets = np.array([9, 7, 8, 7, 7, 8, 9]), np.array([1, 3, 3, 6])
    rows: list[Row] = [["7", "8"], [], ["7", "7", "8"]]
    for integer in (np.int32, np.int64, np.uint16):
        actual = read_corpus((ids.astype(integer), offsets), min_count=1)
        assert as_plain(actual) == naive_corpus(rows)
    given = Vocabulary(["8", "7"], np.array([2, 1]))
    assert read_corpus((ids[::-1], offsets), vocabulary=given).ids.tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("kind", ["rows", "texts", "reader", "ids"])
def test_read_corpus__cuts_objects_into_small_batches(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, kind: str
) -> None:
    rows: list[Row] = [[f"w{n}" for n in rng.integers(0, 9, size)] for size in rng.integers(0, 30, 200)]
    lengths = [len(row) for row in rows if isinstance(row, list)]
    words = [word for row in rows if isinstance(row, list) for word in row]
    sources = {
        "rows": iter(rows),
        "texts": (" ".join(row) for row in rows if isinstance(row, list)),
        "reader": pa.table({"tokens": rows}).to_reader(),
        "ids": (np.array([int(word[1]) for word in words]), np.append(0, np.cumsum(lengths))),
    }
    pieces = []
    monkeypatch.setattr(objects, "BATCH_ROWS", 50)
    monkeypatch.setattr(objects, "BATCH_ITEMS", 400)
    monkeypatch.setattr("fastw2v.corpus.arrow.layouts.BATCH_ROWS", 50)
    for name in ("_slices", "_read_rows"):
        plain = getattr(objects, name)
        monkeypatch.setattr(objects, name, lambda *given, plain=plain: watched(plain(*given), pieces))
    actual = as_plain(read_corpus(sources[kind], min_count=1, threads=2))
    digits: list[Row] = [[word[1] for word in row] for row in rows if isinstance(row, list)]
    assert actual == naive_corpus(digits if kind == "ids" else rows)
    assert len(pieces) >= 4
    assert max(piece.rows.num_rows for piece in pieces) <= 50


def watched(pieces: Any, seen: list[Any]) -> Any:
    for piece in pieces:
        seen.append(piece)
        yield piece


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([["a"], None], "row 1 is None, not a list of str; leave it out"),
        ([["a"], ["b", None]], "row 1 holds None, not a str"),
        ([["a"], ["b", 7]], r"row 1 holds 7 (int), not a str; make it one, or give ids as NumPy's"),
        ([["a"], "cat"], "row 1 is 'cat' (str), not a list of str"),
        ([["a"], 3], "row 1 is 3 (int), not a list of str"),
        ([{"text": "a b"}], "row 0 is a dict: give one of its values, such as (row['text'] for row in rows)"),
        ([["a", float("nan")]], "row 0 holds nan (float), not a str"),
        ([["a", "\ud800"]], "row 0 is not Unicode text"),
        (iter(["a", ["b"]]), "row 1 is ['b'] (list), where the first row was a str"),
        (iter(["a", None]), "row 1 is None, where the first row was a str"),
        ([], "no corpus given"),
        (iter([]), "holds no word"),
        ({"text": ["a"]}, "a corpus cannot be read from dict: give names of files, rows"),
        (b"a b c", "cannot be read from bytes"),
        (17, "cannot be read from int"),
        (pa.table({"n": [1]}), "the Arrow data: no column of type string"),
        (pa.array([[["a"]]]), "flatten it"),
        ((np.array([1.5]), np.array([0, 1])), "ids are 1-d float64"),
        ((np.array([[1]]), np.array([0, 1])), "ids are 2-d int64"),
        ((np.array([1]), np.array([0, 2])), "offsets must rise from 0 or more to at most 1"),
        ((np.array([1]), np.array([1, 0])), "offsets must rise"),
        ((np.array([1]), np.array([], np.int64)), "offsets must rise"),
    ],
)
def test_read_corpus__says_what_is_wrong_with_an_object(source: Any, message: str) -> None:
    assert message in error_of(UsageError, source, min_count=1)


def test_read_corpus__a_plain_text_is_taken_for_a_file() -> None:
    assert error_of(CorpusError, "the cat sat") == "the cat sat: no such file; check the name"


def test_read_corpus__names_the_first_wrong_row_of_a_later_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "BATCH_ROWS", 3)
    rows: list[Any] = [["a", "b"]] * 10
    assert "row 10 holds 5 (int)" in error_of(UsageError, [*rows, [5], None], min_count=1)


def test_read_corpus__errors_of_a_generator_are_its_own() -> None:
    def broken() -> Any:
        yield ["a", "b"]
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        read_corpus(broken(), min_count=1)


def test_read_corpus__refuses_arrow_data_that_is_not_what_it_says() -> None:
    """Offsets beyond the bytes would be read as other memory."""
    buffers = [None, pa.py_buffer(np.array([0, 900, 6], np.int32)), pa.py_buffer(b"abcdef")]
    batch = pa.record_batch([pa.Array.from_buffers(pa.string(), 2, buffers)], ["text"])
    reader = pa.RecordBatchReader.from_batches(batch.schema, [batch])
    assert error_of(CorpusError, reader).startswith("the Arrow data: batch 0 (from 0) is corrupt (")


def test_read_corpus__names_the_batch_that_cannot_be_read() -> None:
    def batches() -> Any:
        yield TABLE.to_batches()[0]
        raise OSError("line\nbroken")

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    assert "batch 1 (from 0) is corrupt (IOError: line broken" in error_of(CorpusError, reader, min_count=1)


WALKS = [[3, 1, 2], [1, 1, 3], [2, 3, 3]]


@pytest.mark.parametrize(
    "make",
    [
        lambda: WALKS,
        lambda: [[], *WALKS],
        lambda: (list(walk) for walk in WALKS),
        lambda: [np.array(walk, np.uint16) for walk in WALKS],
        lambda: np.array(WALKS),
        lambda: np.array(WALKS, np.int32, order="F"),
        lambda: np.array(WALKS, ">u2"),
    ],
)
def test_read_corpus__of_walks(make: Callable[[], Any]) -> None:
    expected = naive_corpus([[str(node) for node in walk] for walk in WALKS])
    assert as_plain(read_corpus(make(), min_count=1))._replace(n_rows=3) == expected
    given = Vocabulary(list("abcd"), np.ones(4, np.int64))
    assert read_corpus(make(), vocabulary=given).ids.tolist() == [node for walk in WALKS for node in walk]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2], ["a"]], "row 1 holds 'a' (str), where rows before held integers"),
        ([[1, 2], [1.5]], "row 1 holds 1.5 (float), where rows before held integers"),
        ([[1, 2], [None]], "row 1 holds None, where rows before held integers"),
        ([[1, 2], 3], "row 1 is 3 (int), not a list of integers"),
    ],
)
def test_read_corpus__names_a_row_that_holds_no_integers(rows: Any, message: str) -> None:
    assert message in error_of(UsageError, rows, min_count=1)


@pytest.mark.parametrize("texts", [TEXTS, tuple(TEXTS), ["the cat [sat]", "", "3.5", "it is at www.x.org"]])
def test_read_corpus__a_list_of_texts_is_what_its_words_are(texts: list[str]) -> None:
    expected = read_corpus([text.split() for text in texts], min_count=1)
    assert as_plain(read_corpus(texts, min_count=1)) == as_plain(expected)


@pytest.mark.parametrize("names", [["a cat.txt"], ["the cat", "b.parquet"], ["a cat", "s3://b/c d"], ["the"]])
def test_are_texts__not_what_may_be_files(names: list[str]) -> None:
    assert not objects.are_texts(names)


def test_are_texts__not_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert objects.are_texts(["my text", "another one"])
    Path("my text").write_text("a b c\n")
    assert not objects.are_texts(["my text", "another one"])
