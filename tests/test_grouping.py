"""A table of one item a row gives what a file of its groups as lists gives."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.parquet import write_text_parquet
from fastw2v.corpus.arrow import layouts, sorting
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, UsageError
from tests.naive import NaiveCorpus, Row, naive_corpus
from tests.parquet import as_plain, error_of, write_texts

LONG: dict[str, Any] = {"column": "item", "group_by": "session", "order_by": "time", "min_count": 1}


def naive_groups(table: dict[str, list[Any]]) -> NaiveCorpus:
    """The groups in the order in which they begin, sorted by time; rows that lack anything are counted."""
    groups: dict[Any, list[tuple[Any, str]]] = {}
    rows = list(zip(table["session"], table["time"], table["item"], strict=True))
    whole = [row for row in rows if not any(cell is None or cell != cell for cell in row)]
    for session, time, item in whole:
        groups.setdefault(session, []).append((time, item))
    in_time = [sorted(group, key=lambda row: row[0]) for group in groups.values()]
    lists: list[Row] = [[str(item) for _, item in group] for group in in_time]
    return naive_corpus(lists)._replace(n_null=len(rows) - len(whole))


table_rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 4),
        st.none() | st.just(float("nan")) | st.floats(-2, 2, width=16),
        st.none() | st.sampled_from(["a", "b", "new york", ""]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=table_rows, threads=st.integers(1, 3), n_files=st.integers(1, 2))
def test_read_corpus__groups_like_its_naive_twin(
    rows: list[tuple[Any, Any, Any]], threads: int, n_files: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("session", "time", "item"))}
    types = pa.schema([("session", pa.int64()), ("time", pa.float64()), ("item", pa.string())])
    table, folder = pa.table(columns, schema=types), tmp_path_factory.mktemp("corpus")
    for i in range(n_files):
        part = table.take(np.array_split(np.arange(len(rows)), n_files)[i])
        pq.write_table(part, folder / f"{i}.parquet", row_group_size=7)
    expected = naive_groups(columns)
    if len(expected.words) < 2:
        assert "negative sampling needs" in error_of(UsageError, folder, **LONG)
    else:
        assert as_plain(read_corpus(folder, threads=threads, **LONG)) == expected


SESSIONS = [3, 1, 3, 2, 1, 3, 1]
TIMES = [5, 2, 1, 9, 2, 1, 0]
ITEMS = ["a", "b", "c", "a", "d", "e", "a"]
EXPECTED = [["c", "e", "a"], ["a", "b", "d"], ["a"]]  # c before e and b before d: ties stay as they come
DAY = datetime.datetime(2020, 1, 1)
BYTES = [b"0", b"1", b"2", b"3"]

GROUPS: dict[str, pa.Array] = {
    "int32": pa.array(SESSIONS, pa.int32()),
    "string": pa.array([f"user {n}" for n in SESSIONS]),
    "string_view": pa.array([f"user {n}" for n in SESSIONS], pa.string_view()),
    "dictionary": pa.array([f"user {n}" for n in SESSIONS]).dictionary_encode(),
    "binary": pa.array([BYTES[n] for n in SESSIONS]),
    "uuid": pa.array([BYTES[n] * 16 for n in SESSIONS], pa.uuid()),
    "date": pa.array([DAY.date() + datetime.timedelta(n) for n in SESSIONS]),
    "double": pa.array([n / 2 for n in SESSIONS]),
}
ORDERS: dict[str, pa.Array] = {
    "uint8": pa.array(TIMES, pa.uint8()),
    "timestamp": pa.array([DAY + datetime.timedelta(0, n) for n in TIMES], pa.timestamp("ms", "UTC")),
    "string": pa.array([f"at {n}" for n in TIMES]),
    "string_view": pa.array([f"at {n}" for n in TIMES], pa.string_view()),
    "dictionary": pa.array([f"at {n}" for n in TIMES]).dictionary_encode(),
    "decimal": pa.array(TIMES, pa.decimal128(5, 1)),
}
ITEM_TYPES: dict[str, pa.Array] = {
    "string": pa.array(ITEMS),
    "large_string": pa.array(ITEMS, pa.large_string()),
    "string_view": pa.array(ITEMS, pa.string_view()),
    "binary": pa.array([item.encode() for item in ITEMS]),
    "dictionary": pa.array(ITEMS).dictionary_encode(),
}


def write_table(path: Path, group: pa.Array, order: pa.Array, item: pa.Array) -> Path:
    pq.write_table(pa.table({"time": order, "item": item, "session": group}), path, row_group_size=3)
    return path


@pytest.mark.parametrize("kind", GROUPS)
def test_read_corpus__groups_by_any_sortable_type(tmp_path: Path, kind: str) -> None:
    path = write_table(tmp_path / "c.parquet", GROUPS[kind], ORDERS["uint8"], ITEM_TYPES["string"])
    assert as_plain(read_corpus(path, **LONG)) == naive_corpus(list(EXPECTED))


@pytest.mark.parametrize("kind", ORDERS)
def test_read_corpus__orders_by_any_sortable_type(tmp_path: Path, kind: str) -> None:
    path = write_table(tmp_path / "c.parquet", GROUPS["int32"], ORDERS[kind], ITEM_TYPES["string"])
    assert as_plain(read_corpus(path, **LONG)) == naive_corpus(list(EXPECTED))


@pytest.mark.parametrize("kind", ITEM_TYPES)
def test_read_corpus__groups_items_of_any_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(layouts, "BATCH_ROWS", 2)
    path = write_table(tmp_path / "c.parquet", GROUPS["string"], ORDERS["uint8"], ITEM_TYPES[kind])
    assert as_plain(read_corpus(path, threads=2, **LONG)) == naive_corpus(list(EXPECTED))


def test_read_corpus__groups_items_that_are_integers(tmp_path: Path) -> None:
    numbers = pa.array([ord(item) - ord("a") for item in ITEMS], pa.int32())
    path = write_table(tmp_path / "c.parquet", GROUPS["int32"], ORDERS["uint8"], numbers)
    digits: list[Row] = [[str(ord(item) - ord("a")) for item in group] for group in EXPECTED]
    assert as_plain(read_corpus(path, **LONG)) == naive_corpus(digits)
    vocabulary = Vocabulary(list("abcde"), np.array([5, 4, 3, 2, 1]))
    actual = read_corpus(path, vocabulary=vocabulary, **LONG)
    assert actual.ids.tolist() == naive_corpus(list(EXPECTED), vocabulary=list("abcde")).ids
    small = Vocabulary(list("abcd"), np.array([5, 4, 3, 2]))
    message = error_of(UsageError, path, vocabulary=small, **LONG)
    assert message.startswith(f"{path}: row group 1 (of 3, from 0): id 4 is no place in the given vocabulary")


def test_read_corpus__groups_without_an_order_stay_as_they_come(tmp_path: Path) -> None:
    path = write_table(tmp_path / "c.parquet", GROUPS["int32"], ORDERS["uint8"], ITEM_TYPES["string"])
    actual = as_plain(read_corpus(path, column="item", group_by="session", min_count=1))
    assert actual == naive_corpus([["a", "c", "e"], ["b", "d", "a"], ["a"]])
    table = pq.read_table(path)
    assert as_plain(read_corpus(table, **LONG)) == naive_corpus(list(EXPECTED))
    only_item = table.drop_columns(["time"])
    assert as_plain(read_corpus(only_item, group_by="session", min_count=1)) == actual


def test_read_corpus__keeps_ties_among_many_rows(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "PENDING", 2_000)
    size = 20_000
    columns = {
        "session": rng.integers(0, 50, size).tolist(),
        "time": rng.integers(0, 10, size).tolist(),
        "item": [f"i{n}" for n in range(size)],
    }
    pq.write_table(pa.table(columns), tmp_path / "c.parquet", row_group_size=3_000)
    assert as_plain(read_corpus(tmp_path / "c.parquet", threads=2, **LONG)) == naive_groups(columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"order_by": None, "group_by": None, "column": None},
            "no column of type string or list<string> among",
        ),
        ({"group_by": None}, "order_by is 'time': it orders the rows of a group, set group_by too"),
        ({"group_by": "user"}, "no column 'user'; --group-by may be session, time, item, tags"),
        ({"order_by": "date"}, "no column 'date'; --order-by may be session"),
        ({"group_by": "tags"}, "column 'tags' is list<element: string>, which cannot be sorted"),
        ({"order_by": "nothing"}, "column 'nothing' is null, which cannot be sorted"),
        ({"column": "thing"}, "no column 'thing'; --column may be"),
        (
            {"column": "tags"},
            "tags: list<element: string> is no string or integer that could be a row's item",
        ),
        ({"column": None}, "item: int64, other: string could each be a row's item; choose with --column"),
    ],
)
def test_read_corpus__says_what_cannot_be_grouped(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    columns = {"session": [1, 1], "time": [1.0, 2.0], "item": [1, 2], "tags": [["a"], ["b"]]}
    if "could each be" in message:
        columns["other"] = ["a", "b"]  # type: ignore[assignment]
    if "nothing" in message:
        columns["nothing"] = [None, None]  # type: ignore[list-item]
    if "no column of type" in message:
        columns = {"time": [1.0, 2.0]}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert message in error_of(UsageError, tmp_path / "c.parquet", **{**LONG, **options})


def test_read_corpus__names_the_file_whose_keys_have_another_type(tmp_path: Path) -> None:
    for name in "abc":
        times = ORDERS["decimal" if name == "b" else "uint8"]
        write_table(tmp_path / f"{name}.parquet", GROUPS["int32"], times, ITEM_TYPES["string"])
    expected = f"{tmp_path / 'b.parquet'}: column 'time' is decimal128(5, 1), but 2 of 3 files have uint8; "
    assert error_of(UsageError, tmp_path, **LONG).startswith(expected)


def test_read_corpus__no_rows_to_group(tmp_path: Path) -> None:
    empty = pa.table({"session": pa.array([], pa.int64()), "item": pa.array([], pa.string())})
    pq.write_table(empty, tmp_path / "c.parquet")
    assert "holds no word" in error_of(UsageError, tmp_path / "c.parquet", group_by="session")
    text = write_texts(tmp_path / "t.parquet", "a b")
    assert "no columns" not in error_of(UsageError, text, group_by="text")


def test_read_corpus__names_the_row_group_whose_rows_are_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, [f"word{i}" for i in range(4000)], column="item", rows_per_group=1000)
    content = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 4] ^= 1
    path.write_bytes(content)
    message = error_of(CorpusError, path, column="item", group_by="item")
    assert message.startswith(f"{path}: row group 1 (of 4, from 0) is corrupt (")


def test_read_corpus__progress_of_groups_ends_at_all_of_them(tmp_path: Path) -> None:
    """There are fewer groups than the rows that were expected."""
    path = write_table(tmp_path / "c.parquet", GROUPS["int32"], ORDERS["uint8"], ITEM_TYPES["string"])
    shares: list[float] = []
    read_corpus(path, on_progress=lambda share, words: shares.append(share), **LONG)
    assert shares[-1] == 1.0
