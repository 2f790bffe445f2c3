"""Delta tables are read by their log, from the command line and from Python alike."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

import fastw2v
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from tests.parquet import as_plain, error_of

OPTIONS: dict[str, Any] = {"column": "item", "group_by": "session", "min_count": 1}
FIRST = pa.table(
    {"session": [1, 1, 2, None, 4], "item": list("abcad"), "kind": ["x y/z", "%", "é", "%", "%"]}
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three writes: of five rows, of one with a column more, and without the rows of session 1."""
    path = tmp_path / "my table"
    write_deltalake(path, FIRST, partition_by=["kind"])
    more = pa.table({"session": [2], "item": ["q"], "kind": ["%"], "extra": [1.5]})
    write_deltalake(path, more, mode="append", schema_mode="merge")
    DeltaTable(path).delete("session = 1")
    return path


def items_of(files: Any) -> list[str]:
    """What is to be read, sorted."""
    return sorted(
        item for file in files for item in pq.ParquetFile(file.path).read(["item"])["item"].to_pylist()
    )


def test_find_files__of_a_delta_table_are_its_active_ones(table: Path) -> None:
    found = find_files(table)
    everything = [str(path) for path in table.rglob("*.parquet")]
    assert len(found) < len(everything)
    assert items_of(found) == ["a", "c", "d", "q"]
    assert [file.path for file in found] == sorted(file.path for file in found)
    assert {file.keys[0].value.as_py() for file in found} == {"é", "%"}


@pytest.mark.parametrize("options", [{"group_by": "kind", "order_by": "item"}, {"order_by": "kind"}])
def test_read_corpus__reads_delta_as_its_rows(table: Path, options: dict[str, Any]) -> None:
    """Keys of folders by the log, and from Python the same as by name."""
    frame = DeltaTable(table)
    expected = as_plain(read_corpus(frame.to_pyarrow_table().sort_by("item"), **OPTIONS | options))
    actual = as_plain(read_corpus(table, threads=2, **OPTIONS | options))
    assert (sorted(actual.words), actual.n_rows, actual.n_null) == (
        sorted(expected.words),
        expected.n_rows,
        expected.n_null,
    )
    assert as_plain(read_corpus(frame, **OPTIONS | options)) == actual
    assert as_plain(read_corpus(f"file://{table}", **OPTIONS | options)) == actual


def test_read_corpus__a_column_that_older_files_lack_is_null(table: Path) -> None:
    more = pa.table({"session": [2], "item": ["r"], "kind": ["%"], "extra": [0.5]})
    write_deltalake(table, more, mode="append")
    corpus = read_corpus(table, column="item", group_by="kind", order_by="extra", min_count=1)
    assert (corpus.vocabulary.words, corpus.n_null) == (["r", "q"], 3)


def test_read_corpus__an_object_keeps_its_version(table: Path) -> None:
    old = DeltaTable(table, version=0)
    assert read_corpus(old, **OPTIONS).n_words_read == 4


def test_train__a_delta_table_by_name_and_as_an_object(table: Path) -> None:
    known = OPTIONS | {"dim": 8, "threads": 1, "group_by": "kind", "sample": 0, "epochs": 20}
    by_name = fastw2v.train(table, **known)
    assert (
        by_name.center_vectors.tobytes() == fastw2v.train(DeltaTable(table), **known).center_vectors.tobytes()
    )


def test_cache__knows_a_delta_table_by_its_active_files(table: Path, tmp_path: Path) -> None:
    memory = Memory(None, tmp_path / "cache")
    assert read_corpus(table, memory=memory, **OPTIONS).notes == ()
    assert "nothing to read" in read_corpus(table, memory=memory, **OPTIONS).notes[0]
    DeltaTable(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert "nothing to read" in read_corpus(table, memory=memory, **OPTIONS).notes[0]
    write_deltalake(table, FIRST.slice(4), mode="append", schema_mode="merge")
    assert read_corpus(table, memory=memory, **OPTIONS).notes == ()


# ---- What is refused ---------------------------------------------------------------------------------------


def test_find_files__says_what_to_install_for_delta(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "deltalake" else find_spec(name)
    )
    message = error_of(CorpusError, table)
    assert message.startswith(f"{table}: is a Delta table: its log says which files and rows count")
    assert message.endswith("pip install 'fastw2v[deltalake]' to have it read by its log")


def test_find_files__of_a_folder_of_delta_tables_says_to_name_one(table: Path) -> None:
    message = error_of(CorpusError, table.parent)
    assert message.startswith(f"{table}: is a Delta table")
    assert message.endswith("name the table itself, to have it read by its log")


def test_find_files__says_why_a_log_cannot_be_read(table: Path) -> None:
    for log in (table / "_delta_log").glob("*.json"):
        log.write_text("{")
    assert "it cannot be read (" in error_of(CorpusError, table)


def test_find_files__of_an_empty_delta_table(tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "t", pa.schema([("item", pa.string())]))
    assert "the Delta table holds no file" in error_of(CorpusError, tmp_path / "t")


def with_feature(table: Path, feature: str, configuration: dict[str, str], more: list[Any]) -> None:
    """Say in the log that a reader must know the feature."""
    number = len(list((table / "_delta_log").glob("*.json")))
    first = (table / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    [metadata] = [json.loads(line) for line in first if '"metaData"' in line]
    metadata["metaData"]["configuration"] = configuration
    schema = json.loads(metadata["metaData"]["schemaString"])
    for number_of, field in enumerate(schema["fields"]):
        named = {"delta.columnMapping.id": number_of + 1, "delta.columnMapping.physicalName": field["name"]}
        field["metadata"] = named if "delta.columnMapping.mode" in configuration else {}
    metadata["metaData"]["schemaString"] = json.dumps(schema)
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7} | features
    lines = [json.dumps(action) for action in [{"protocol": protocol}, metadata, *more]]
    (table / "_delta_log" / f"{number:020}.json").write_text("\n".join(lines) + "\n")


Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(data: bytes) -> str:
    """The alphabet that Delta's log writes bitmaps in."""
    padded = data.ljust(-(-len(data) // 4) * 4, b"\0")
    numbers = [int.from_bytes(padded[start : start + 4], "big") for start in range(0, len(padded), 4)]
    return "".join(Z85[number // 85**power % 85] for number in numbers for power in (4, 3, 2, 1, 0))


def without_its_first_row(table: Path) -> list[Any]:
    """The actions that give one file a deletion vector: a bitmap of row 0, in the log itself."""
    bitmap = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, 0)
    data = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    vector = {"storageType": "i", "pathOrInlineDv": z85(data), "sizeInBytes": len(data), "cardinality": 1}
    first = (table / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    [add, *_] = [json.loads(line)["add"] for line in first if line.startswith('{"add"')]
    path = {"path": add["path"], "dataChange": True}
    return [
        {"remove": path | {"deletionTimestamp": 1}},
        {"add": add | {"deletionVector": vector, "dataChange": True}},
    ]


def test_find_files__a_deletion_vector_is_refused_and_a_table_that_might_have_one_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t"
    write_deltalake(path, FIRST.select(["item"]))
    with_feature(path, "deletionVectors", {"delta.enableDeletionVectors": "true"}, [])
    assert read_corpus(path, min_count=1).n_rows == 5
    with_feature(path, "deletionVectors", {}, without_its_first_row(path))
    message = error_of(CorpusError, path)
    assert message.startswith(
        f"{path}: the Delta table has deletion vectors, so that its files are not its rows"
    )
    assert f"fastw2v.train(deltalake.DeltaTable({str(path)!r}).scan())" in message
    assert message == error_of(CorpusError, DeltaTable(path)).replace(f"{path}/", str(path))
    assert read_corpus(DeltaTable(path).scan(), min_count=1).n_rows == 4  # the cure


@pytest.mark.parametrize(
    ("feature", "configuration", "what"),
    [
        ("columnMapping", {"delta.columnMapping.mode": "name"}, "mapped columns"),
        ("typeWidening", {"delta.enableTypeWidening": "true"}, "the feature typeWidening"),
    ],
)
def test_find_files__refuses_features_that_files_do_not_show(
    tmp_path: Path, feature: str, configuration: dict[str, str], what: str
) -> None:
    write_deltalake(tmp_path / "t", FIRST.select(["item"]))
    with_feature(tmp_path / "t", feature, configuration, [])
    assert what in error_of(CorpusError, tmp_path / "t")


def test_find_files__input_of_a_delta_table_is_no_text(table: Path) -> None:
    assert "is a Delta table: leave it out" in error_of(UsageError, table, input="text")
    assert read_corpus(table, input="parquet", **OPTIONS).n_words_read == 3
