"""Keys in names of folders are columns, as pyarrow.dataset has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import KEY_OF_FOLDER
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.files.pieces import open_files, read_footer
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import UsageError
from tests.parquet import as_plain, error_of

ROWS = {"session": [7, 7, 8, 8, 8, None], "lang": ["de", "a b/c", "de", "ü=%20", "de", "fr"]}
TABLE = pa.table(ROWS | {"n": [3, 1, 2, 1, 3, 1], "item": list("abcabd")})
GROUPED: dict[str, Any] = {"column": "item", "min_count": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pq.write_to_dataset(TABLE, tmp_path, partition_cols=["session", "lang"])
    return tmp_path


def of_dataset(folder: Path) -> pa.Table:
    """What pyarrow makes of the folder."""
    return ds.dataset(folder, partitioning="hive").to_table()


@pytest.mark.parametrize(
    "values",
    [["7", "8"], ["007", "-5"], ["3000000000", "1"], ["x", "1"], ["1.5", "2"], ["", "1"], ["true", "false"]],
)
def test_find_files__types_keys_as_pyarrow_does(tmp_path: Path, values: list[str]) -> None:
    for value in values:
        path = tmp_path / f"key={value}" / "0.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table({"item": ["a", "b"]}), path)
    expected = of_dataset(tmp_path)["key"]
    keys = [file.keys[0].value for file in find_files(tmp_path)]
    assert [key.as_py() for key in keys] == expected.to_pylist()[::2]
    assert {key.type for key in keys} == {expected.type}


OPTIONS: list[dict[str, str]] = [
    {"group_by": "session", "order_by": "n"},
    {"group_by": "lang"},
    {"group_by": "n", "order_by": "lang"},
    {"group_by": "lang", "order_by": "session"},
    {"group_by": "session", "column": "lang"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_read_corpus__reads_keys_as_columns(folder: Path, options: dict[str, str]) -> None:
    expected = as_plain(read_corpus(of_dataset(folder), **GROUPED | options))
    assert as_plain(read_corpus(folder, threads=2, **GROUPED | options)) == expected
    assert as_plain(read_corpus(f"{folder}/session=*/*/*.parquet", **GROUPED | options)) == expected


def test_read_corpus__reads_a_key_alone(folder: Path) -> None:
    """No column of the files is wanted at all."""
    corpus = read_corpus(folder, column="lang", min_count=1, group_by="session")
    assert corpus.vocabulary.words[0] == "de"
    assert read_corpus(folder, column="lang", min_count=1).n_rows == 6


def test_read_corpus__looks_for_words_in_the_files_alone(tmp_path: Path) -> None:
    """A key is read where it is named: else every folder of texts by language would have two columns."""
    pq.write_to_dataset(pa.table({"lang": ["de", "en"], "body": ["a b", "a c"]}), tmp_path, ["lang"])
    assert read_corpus(tmp_path, min_count=1).vocabulary.words == ["a", "b", "c"]
    assert read_corpus(tmp_path, min_count=1, group_by="lang").n_rows == 2


def test_read_corpus__says_where_a_key_is_a_column_as_well(tmp_path: Path) -> None:
    path = tmp_path / "key=1" / "0.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"item": ["a", "b"], "key": [2, 2], "n": [1, 1]}), path)
    message = error_of(UsageError, tmp_path, group_by="key", **GROUPED)
    assert "'key' is a column of the file and a key of its folders (key=…), which may differ" in message
    assert read_corpus(tmp_path, group_by="n", **GROUPED).n_rows == 1


def test_read_corpus__says_which_file_lacks_a_key(folder: Path) -> None:
    pq.write_table(pa.table({"item": ["a"], "n": [1]}), folder / "top.parquet")
    message = error_of(UsageError, folder, group_by="session", **GROUPED)
    assert message.startswith(f"{folder / 'top.parquet'}: no column 'session'; --group-by may be item, n")


def test_open_files__marks_keys_for_other_processes(folder: Path) -> None:
    """A schema is sent to them as bytes."""
    from fastw2v.corpus.arrow.columns import packed, unpacked

    schema = read_footer(find_files(folder)[0]).schema
    assert schema.names == ["n", "item", "session", "lang"]
    assert unpacked(packed(schema)).field("lang").metadata == KEY_OF_FOLDER
    assert open_files(folder, ReadConfig()).schemas[0][1].equals(schema, check_metadata=True)


@pytest.fixture
def remote(folder: Path) -> Iterator[str]:
    system = fsspec.filesystem("memory")
    system.put(str(folder), "/keys", recursive=True)
    yield "memory://keys"
    system.rm("/keys", recursive=True)


def test_read_corpus__reads_keys_of_remote_folders(folder: Path, remote: str) -> None:
    options = GROUPED | {"group_by": "session", "order_by": "lang"}
    assert as_plain(read_corpus(remote, **options)) == as_plain(read_corpus(folder, **options))
