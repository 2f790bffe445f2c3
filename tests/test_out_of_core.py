"""Rows of groups sorted on disk give what they give in memory, to the id."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow import grouping, out_of_core
from fastw2v.corpus.ids.memory import Memory, parse_size
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.rows import open_rows
from fastw2v.errors import OutputError, UsageError
from tests.parquet import as_plain, error_of

N = 600
DAY = datetime.datetime(2020, 1, 1)
LONG: dict[str, Any] = {"column": "item", "group_by": "session", "min_count": 1}


@pytest.fixture
def sorts(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """Small parts and inserts; the list gets an entry for each sort on disk."""
    found: list[int] = []
    sort = out_of_core.DiskSort.sort

    def counted(self: out_of_core.DiskSort, *arguments: Any) -> Any:
        found.append(1)
        return sort(self, *arguments)

    monkeypatch.setattr(out_of_core.DiskSort, "sort", counted)
    monkeypatch.setattr(out_of_core, "PART_ROWS", 64)
    monkeypatch.setattr(out_of_core, "INSERTED", 100)
    return found


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch, sorts: list[int]) -> pytest.MonkeyPatch:
    """What `set_room` turns: no row may be sorted in memory."""
    return monkeypatch


class Read(NamedTuple):
    """A corpus, and the keys of its groups."""

    corpus: Corpus
    keys: pa.Array


def read(source: Any, options: dict[str, Any]) -> Read:
    """What is read by the options; source is called for each reading."""
    corpus = read_corpus(source(), **LONG | options)
    own = {name: value for name, value in (LONG | options).items() if name != "threads"}
    opened = open_rows(source(), corpus.vocabulary.words, ReadConfig(**own))
    return Read(corpus, pa.concat_arrays([rows.keys for rows in opened.rows]))


def both(source: Any, no_room: pytest.MonkeyPatch, sorts: list[int], **options: Any) -> tuple[Read, Read]:
    """The corpus as read in memory and on disk; source is called for each."""
    before = len(sorts)
    in_memory = read(source, options)
    assert len(sorts) == before
    with no_room.context() as patch:
        patch.setattr(grouping, "ROW_BYTES", 1 << 60)
        on_disk = read(source, options)
    assert len(sorts) == before + 2
    return in_memory, on_disk


def require_equal(in_memory: Read, on_disk: Read) -> None:
    assert as_plain(on_disk.corpus) == as_plain(in_memory.corpus)
    assert on_disk.keys.to_pylist() == in_memory.keys.to_pylist()
    assert on_disk.keys.type == in_memory.keys.type


def drawn(values: list[Any], kind: pa.DataType, seed: int, n_nulls: int = 20) -> pa.Array:
    rng = np.random.default_rng(seed)
    chosen = [values[place] for place in rng.integers(0, len(values), N)]
    for place in rng.choice(N, n_nulls, replace=False):
        chosen[place] = None
    return pa.array(chosen, kind)


TEXTS = ["", "a", "B", "é", "a\u0000b", "longer than twelve bytes", "\U0001f600", "aa", "a b"]
DATES = [(DAY + datetime.timedelta(n * 3, n)).date() for n in range(-20, 20)]
TIMES = [DAY + datetime.timedelta(n % 3, n) for n in range(-20, 20)]
MONEY = [decimal.Decimal(n) / 100 for n in range(-30, 30)]
KEYS: dict[str, tuple[list[Any], pa.DataType]] = {
    "int8": ([-128, -1, 0, 1, 127], pa.int8()),
    "int64": ([-(2**63), -5, 0, 7, 2**63 - 1], pa.int64()),
    "uint32": ([0, 1, 2**32 - 1], pa.uint32()),
    "uint64": ([0, 1, 2**63, 2**64 - 1], pa.uint64()),
    "bool": ([True, False], pa.bool_()),
    "float": ([-1.5, 0.25, 3.0, float("inf"), float("nan")], pa.float32()),
    "double": ([-1.5, 0.0, -0.0, 1e-300, float("-inf"), float("nan")], pa.float64()),
    "decimal128": (MONEY, pa.decimal128(38, 2)),
    "decimal256": ([value * 10**40 for value in MONEY], pa.decimal256(60, 2)),
    "date32": (DATES, pa.date32()),
    "date64": (DATES, pa.date64()),
    "timestamp": (TIMES, pa.timestamp("us")),
    "timestamp with a zone": (TIMES, pa.timestamp("ns", "Europe/Berlin")),
    "time32": ([time.time() for time in TIMES], pa.time32("s")),
    "time64": ([time.time() for time in TIMES], pa.time64("us")),
    "duration": ([datetime.timedelta(n) for n in range(-3, 3)], pa.duration("ms")),
    "string": (TEXTS, pa.string()),
    "large_string": (TEXTS, pa.large_string()),
    "string_view": (TEXTS, pa.string_view()),
    "dictionary": (TEXTS, pa.dictionary(pa.int8(), pa.string())),
    "binary": ([text.encode() + b"\xff" for text in TEXTS], pa.binary()),
    "fixed": ([bytes([n] * 3) for n in (0, 7, 255)], pa.binary(3)),
}
ITEMS: dict[str, tuple[list[Any], pa.DataType]] = {
    name: KEYS[name] for name in ("int64", "uint64", "string", "string_view", "dictionary", "fixed")
}
ITEMS["fixed"] = ([b"abc", b"abd", b"xyz"], pa.binary(3))


def table(group: str, order: str, item: str = "string") -> pa.Table:
    columns = {"session": drawn(*KEYS[group], 1), "time": drawn(*KEYS[order], 2)}
    return pa.table(columns | {"item": drawn(*ITEMS[item], 3)})


def write_parts(folder: Path, rows: pa.Table, n_files: int) -> Path:
    for number in range(n_files):
        part = rows.slice(number * N // n_files, N // n_files)
        pq.write_table(part, folder / f"{number}.parquet", row_group_size=77)
    return folder


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("role", ["group", "order"])
def test_read_corpus__sorts_any_type_on_disk_as_in_memory(
    no_room: pytest.MonkeyPatch, sorts: list[int], role: str, kind: str
) -> None:
    rows = table(kind, "int8") if role == "group" else table("int8", kind)
    require_equal(*both(lambda: rows, no_room, sorts, order_by="time"))


@pytest.mark.parametrize("kind", ITEMS)
@pytest.mark.parametrize("order_by", ["time", None])
def test_read_corpus__sorts_items_of_several_files_on_disk(
    tmp_path: Path, no_room: pytest.MonkeyPatch, sorts: list[int], kind: str, order_by: str | None
) -> None:
    folder = write_parts(tmp_path, table("string", "bool", kind), 3)
    in_memory, on_disk = both(lambda: folder, no_room, sorts, order_by=order_by, threads=2)
    require_equal(in_memory, on_disk)
    assert in_memory.corpus.n_null > 0


def test_read_corpus__groups_on_disk_may_be_longer_than_a_part(
    no_room: pytest.MonkeyPatch, sorts: list[int]
) -> None:
    """One of 300 rows, some of one, in parts of 64 rows, put in by their bytes."""
    no_room.setattr(out_of_core, "INSERTED", N)
    no_room.setattr(out_of_core, "INSERTED_BYTES", 1)
    no_room.setattr("fastw2v.corpus.arrow.layouts.BATCH_ROWS", 50)
    rng = np.random.default_rng(5)
    sessions = rng.permutation([0] * 300 + [1] * 64 + [2] * 65 + [3] * 128 + list(range(4, 47)))
    rows = pa.table({"session": sessions, "time": rng.integers(0, 5, N), "item": rng.integers(0, 9, N)})
    in_memory, on_disk = both(lambda: rows, no_room, sorts, order_by="time")
    require_equal(in_memory, on_disk)
    assert np.diff(on_disk.corpus.offsets).max() == 300


def test_read_corpus__goes_to_disk_where_nobody_knew_how_many_rows_come(
    no_room: pytest.MonkeyPatch, sorts: list[int]
) -> None:
    rows = table("int8", "uint64")
    source = lambda: pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=50))  # noqa: E731
    require_equal(*both(source, no_room, sorts, order_by="time"))
    no_room.setattr(grouping, "ROW_BYTES", 90 * 2**20 // N)  # few fit: some were read before it is known
    assert as_plain(read_corpus(source(), order_by="time", **LONG)) == as_plain(
        read_corpus(rows, order_by="time", **LONG)
    )


def test_read_corpus__leaves_rows_without_an_item_out_on_disk(
    no_room: pytest.MonkeyPatch, sorts: list[int]
) -> None:
    """Not one is whole: no word, as in memory."""
    rows = pa.table({"session": [1, 2], "item": pa.array([None, None], pa.string())})
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    assert "holds no word" in error_of(UsageError, rows, **LONG)
    assert sorts


def test_train__on_disk_gives_the_same_bytes(
    tmp_path: Path, no_room: pytest.MonkeyPatch, sorts: list[int]
) -> None:
    folder = write_parts(tmp_path, table("int8", "timestamp", "int64"), 2)
    options = LONG | {"order_by": "time", "dim": 8, "threads": 1, "memory_limit": "500MB"}
    expected = fastw2v.train(folder, **options).center_vectors
    assert not sorts
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    assert fastw2v.train(folder, **options).center_vectors.tobytes() == expected.tobytes()
    assert sorts


# ---- Limits, folders, errors -------------------------------------------------------------------------------


def test_read_corpus__says_what_to_install_where_rows_exceed_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = table("int8", "int8")
    monkeypatch.setattr(grouping, "is_there", lambda: False)
    monkeypatch.setattr(grouping, "ROW_BYTES", 20_000_000)
    message = error_of(UsageError, rows, memory=Memory(500_000_000), **LONG)
    assert message.startswith("600 rows take 12.0 GB to be sorted by group in memory, and 0.")
    assert "pip install 'fastw2v[duckdb]'" in message
    assert message.endswith("or give --memory-limit 13GB")
    reader = pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=50))
    assert "rows or more take" in error_of(UsageError, reader, memory=Memory(500_000_000), **LONG)
    monkeypatch.setattr(grouping, "ROW_BYTES", 500_000)  # 300 MB, which the limit asked for allows
    assert read_corpus(rows, memory=Memory(900_000_000), **LONG).n_words_read


def test_read_corpus__the_limit_that_a_message_names_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "is_there", lambda: False)
    monkeypatch.setattr(grouping, "ROW_BYTES", 5_000_000)  # 3 GB in all
    message = error_of(UsageError, table("int8", "int8"), threads=4, memory=Memory(2_000_000_000), **LONG)
    limit = parse_size(message.rpartition(" ")[2])
    assert read_corpus(table("int8", "int8"), threads=4, memory=Memory(limit), **LONG).n_words_read


def test_read_corpus__an_old_duckdb_is_told(no_room: pytest.MonkeyPatch, sorts: list[int]) -> None:
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    no_room.setattr(duckdb, "__version__", "1.4.1")
    assert "duckdb 1.4.1 is too old" in error_of(UsageError, table("int8", "int8"), **LONG)


@pytest.mark.parametrize("cache", [True, False])
def test_read_corpus__sorts_in_a_folder_that_goes(
    tmp_path: Path, no_room: pytest.MonkeyPatch, sorts: list[int], cache: bool
) -> None:
    """Below the cache, or where temporary files go; a killed process's folder goes as well."""
    place = tmp_path / ("cache" if cache else "tmp")
    left = place / "fastw2v-sort-killed"
    left.mkdir(parents=True)
    (left / "in-use").touch()
    (tmp_path / "tmp").mkdir(exist_ok=True)
    no_room.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    seen: list[Path] = []
    insert = out_of_core.DiskSort._insert

    def looked(self: Any, *arguments: Any) -> Any:
        kind = insert(self, *arguments)
        seen.extend(place.glob("*/rows.duckdb"))
        return kind

    no_room.setattr(out_of_core.DiskSort, "_insert", looked)
    folder = write_parts(tmp_path, table("int8", "int8"), 1)
    memory = Memory(None, place if cache else None)
    read_corpus(folder / "0.parquet", memory=memory, **LONG)
    assert len(seen) == 1
    assert list(place.glob("fastw2v-sort-*")) == []


def raising(error: Exception) -> Any:
    def insert(*arguments: Any) -> None:
        raise error

    return insert


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (duckdb.OutOfMemoryException("failed to pin block"), "are too little to sort the rows of --group-by"),
        (duckdb.IOException("Could not write: No space left on device"), "set TMPDIR to a larger folder"),
    ],
)
def test_read_corpus__says_in_one_line_what_sorting_lacks(
    no_room: pytest.MonkeyPatch, sorts: list[int], tmp_path: Path, error: Exception, message: str
) -> None:
    no_room.setattr("tempfile.tempdir", str(tmp_path))
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    no_room.setattr(out_of_core.DiskSort, "_insert", raising(error))
    assert message in error_of(OutputError, table("int8", "int8"), **LONG)
    assert list(tmp_path.iterdir()) == []


def test_read_corpus__an_interrupt_ends_sorting(
    no_room: pytest.MonkeyPatch, sorts: list[int], tmp_path: Path
) -> None:
    """Raised in the thread that waits; DuckDB is told, and its folder goes."""
    no_room.setattr("tempfile.tempdir", str(tmp_path))
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    connections: list[Any] = []
    insert = out_of_core.DiskSort._insert

    def endless(self: Any, connection: Any, parts: Any) -> Any:
        connections.append(connection)
        connection.sql("CREATE TABLE endless AS SELECT sum(a.range) FROM range(1000000000000) a, range(9) b")
        return insert(self, connection, parts)

    no_room.setattr(out_of_core.DiskSort, "_insert", endless)

    def interrupt(share: float, words: int) -> None:
        if connections:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_corpus(table("int8", "int8"), on_progress=interrupt, **LONG)
    assert list(tmp_path.iterdir()) == []


def test_read_corpus__tells_how_far_sorting_is(no_room: pytest.MonkeyPatch, sorts: list[int]) -> None:
    """Before the first word: from nothing to all of it; then the share of the words, as ever."""
    no_room.setattr(grouping, "ROW_BYTES", 1 << 60)
    no_room.setattr("fastw2v.corpus.count.PROGRESS_SECONDS", 0.001)
    told: list[tuple[float, int]] = []
    corpus = read_corpus(table("int8", "int8"), on_progress=lambda *so_far: told.append(so_far), **LONG)
    before = [share for share, words in told if not words]
    assert before == sorted(before)
    assert 0 < max(before) <= 1
    after = [share for share, words in told if words]
    assert after == sorted(after)
    assert told[-1] == (1, corpus.n_words_read)
