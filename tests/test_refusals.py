"""What is not read as a corpus is named as what it is, with the cure; folders mean what they hold."""

from __future__ import annotations

import gzip
import json
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from tests.parquet import error_of, write, write_texts

TABLE = pa.table({"text": ["the cat", "the dog"] * 5})


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("c.txt", "the cat\n")


FASTA = ">gene0 len=8\nACGTACGT\nACGT\n"
OTHER_KINDS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "caf.dat": (lambda p: p.write_bytes(b"caf\xe9 cat\n"), ["nor text in UTF-8", "--encoding latin-1"]),
    "c.parquet": (lambda p: p.write_text("the cat\n"), ["not Parquet", "give --input text"]),
    "c.csv": (lambda p: p.write_text("text\nthe cat\n"), ["CSV", "write it as Parquet", "--input text"]),
    "c.jsonl": (lambda p: p.write_text('{"text": "a"}\n'), ["JSON", "write it as Parquet"]),
    "lines": (lambda p: p.write_text('{"text": "a"}\n'), ["JSON", "write it as Parquet"]),
    "page": (lambda p: p.write_text("<!DOCTYPE html>\n"), ["HTML", "--input text"]),
    "genes.fa": (lambda p: p.write_text(FASTA), ["FASTA", "--kmers 6", "--input text"]),
    "c.feather": (lambda p: pyarrow.feather.write_feather(TABLE, p), ["Feather", "write it as Parquet"]),
    "c.orc": (lambda p: pyarrow.orc.write_table(TABLE, p), ["ORC", "write it as Parquet"]),
    "c.zip": (zipped, ["zip archive", "unzip"]),
    "c.txt": (zipped, ["zip archive", "unzip"]),
    "c.txt.gz": (lambda p: p.write_bytes(gzip.compress(zip_of(p))), ["zip archive", "packed by gzip"]),
    "table.txt": (lambda p: pq.write_table(TABLE, p), ["it is Parquet", "--input parquet"]),
    "table.gz": (lambda p: p.write_bytes(gzip.compress(parquet_of(p))), ["it is Parquet", "packed by gzip"]),
    "bits": (lambda p: p.write_bytes(bytes(range(256)) * 9), ["nor text", "--encoding"]),
    "empty": (lambda p: p.write_bytes(b""), ["empty", "leave it out"]),
    "link": (lambda p: p.symlink_to("gone"), ["is a link to gone", "not there"]),
}


def zip_of(path: Path) -> bytes:
    zipped(path)
    return path.read_bytes()


def parquet_of(path: Path) -> bytes:
    pq.write_table(TABLE, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_read_corpus__names_what_a_file_is(tmp_path: Path, name: str) -> None:
    make, expected = OTHER_KINDS[name]
    make(tmp_path / name)
    message = error_of(CorpusError, tmp_path / name)
    assert message.startswith(str(tmp_path / name))
    assert [part for part in expected if part not in message] == []
    assert "download it again" not in message


def test_read_corpus__names_a_socket_and_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert "is a socket" in error_of(CorpusError, "s")
    assert "is a device" in error_of(CorpusError, "/dev/null")


@pytest.mark.parametrize("name", ["c.csv", "c.parquet", "lines", "page", "genes.fa"])
def test_read_corpus__text_is_read_with_the_option_that_the_message_names(tmp_path: Path, name: str) -> None:
    OTHER_KINDS[name][0](tmp_path / name)
    assert "--input text" in error_of(CorpusError, tmp_path / name)
    expected = dict.fromkeys((tmp_path / name).read_text().split())
    assert set(read_corpus(tmp_path / name, min_count=0, input="text").vocabulary.words) == set(expected)


@pytest.mark.parametrize("suffix", [".PARQUET", ".Parquet", ".parq", ".pq"])
def test_find_files__of_a_folder_in_any_spelling(tmp_path: Path, suffix: str) -> None:
    path = write_texts(tmp_path / f"a{suffix}", "a b")
    assert [file.name for file in find_files(tmp_path)] == [str(path)]


def test_find_files__of_a_folder_follow_links_and_read_a_file_once(tmp_path: Path) -> None:
    other = write_texts(tmp_path / "other" / "x.parquet", "a b")
    path = write_texts(tmp_path / "data" / "a.parquet", "a b")
    (tmp_path / "data" / "b.parquet").symlink_to(path)
    (tmp_path / "data" / "c.parquet").symlink_to(other)
    (tmp_path / "data" / "d").symlink_to(tmp_path / "data")
    assert [file.name for file in find_files(tmp_path / "data")] == [
        str(tmp_path / "data" / name) for name in ("a.parquet", "c.parquet")
    ]
    (tmp_path / "data" / "e.parquet").symlink_to("gone")
    with pytest.raises(CorpusError, match="is a link to gone"):
        find_files(tmp_path / "data")


def test_find_files__a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = write_texts(tmp_path / "c.parquet", "a b")
    assert [file.name for file in find_files("~/*.parquet")] == [str(path)]


LOGS = ["_delta_log/0.json", ".hoodie/hoodie.properties", "metadata/v1.metadata.json"]


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("source", ["", "*.parquet", "data", "**/*.parquet", "data/k=1", "d*", "../t*"])
def test_find_files__refuses_tables_with_a_log(tmp_path: Path, log: str, source: str) -> None:
    table = tmp_path / "table"
    for name in (log, "a.parquet", "data/k=1/b.parquet"):
        write_texts(table / name, "a b")
    kind = {"_": "Delta", ".": "Hudi", "m": "Iceberg"}[log[0]]
    with pytest.raises(CorpusError, match=f"is an? {kind} table"):
        find_files(f"{table}/{source}")
    assert len(find_files(table / "a.parquet")) == 1


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("source", ["", "*.parquet", "data", "data/k=1", "d*"])
def test_find_files__refuses_remote_tables_with_a_log(log: str, source: str) -> None:
    system = fsspec.filesystem("memory")
    for name in (log, "a.parquet", "data/k=1/b.parquet"):
        system.pipe(f"/logged/table/{name}", json.dumps({}).encode())
    try:
        with pytest.raises(CorpusError, match="its log says"):
            find_files(f"memory://logged/table/{source}")
    finally:
        system.rm("/logged", recursive=True)


# ---- Columns -----------------------------------------------------------------------------------------------


EMPTY = {
    "nulls": pa.nulls(2),
    "lists": pa.array([[], None]),
    "lists of nulls": pa.array([[None], []]),
    "large": pa.array([[], None], pa.large_list(pa.null())),
}
WORDS = {
    "text": pa.array(["a b"] * 5),
    "tokens": pa.array([["a", "b"]] * 5),
    "integers": pa.array([[1, 2]] * 5),
}


@pytest.mark.parametrize("column", [None, "text"])
@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("words", WORDS)
def test_read_corpus__a_column_of_null_type_holds_no_word(
    tmp_path: Path, words: str, empty: str, first: int, column: str | None
) -> None:
    if words == "text" and empty != "nulls":
        pytest.skip("lists beside text are refused")
    write(tmp_path / "1.parquet", WORDS[words])
    write(tmp_path / f"{first}.parquet", EMPTY[empty])
    corpus = read_corpus(tmp_path, min_count=1, column=column)
    assert (len(corpus.vocabulary), corpus.n_rows, corpus.n_words_read) == (2, 7, 10)


@pytest.mark.parametrize("null", ["item", "key", "time"])
@pytest.mark.parametrize("first", [0, 2])
def test_read_corpus__groups_beside_columns_of_null_type(tmp_path: Path, null: str, first: int) -> None:
    rows = pa.table({"item": ["a", "b"], "key": [1, 1], "time": [2, 1]})
    pq.write_table(rows, tmp_path / "1.parquet")
    missing = rows.set_column(rows.schema.get_field_index(null), null, pa.nulls(2))
    pq.write_table(missing, tmp_path / f"{first}.parquet")
    corpus = read_corpus(tmp_path, min_count=1, column="item", group_by="key", order_by="time")
    assert (corpus.vocabulary.words, corpus.n_null) == (["b", "a"], 2)


def fixed(*words: str) -> pa.Array:
    return pa.array([word.encode() for word in words], pa.binary(3))


FIXED = {
    "text": fixed("a b", "b a"),
    "dictionary": fixed("a b", "b a").dictionary_encode(),
    "lists": pa.ListArray.from_arrays([0, 2], fixed("aaa", "bbb")),
    "large lists": pa.LargeListArray.from_arrays([0, 2], fixed("aaa", "bbb")),
    "fixed lists": pa.FixedSizeListArray.from_arrays(fixed("aaa", "bbb"), 2),
    "lists of dictionary": pa.ListArray.from_arrays([0, 2], fixed("aaa", "bbb").dictionary_encode()),
}


@pytest.mark.parametrize("as_table", [True, False])
@pytest.mark.parametrize("layout", FIXED)
def test_read_corpus__reads_bytes_of_fixed_size(tmp_path: Path, layout: str, as_table: bool) -> None:
    array = FIXED[layout]
    source = pa.table({"text": array}) if as_table else write(tmp_path / "c.parquet", array)
    assert len(read_corpus(source, min_count=1).vocabulary) == 2


def test_read_corpus__groups_by_bytes_of_fixed_size(tmp_path: Path) -> None:
    table = pa.table({"item": fixed("aaa", "bbb"), "key": fixed("kkk", "kkk")})
    corpus = read_corpus(table, min_count=1, column="item", group_by="key")
    assert (corpus.vocabulary.words, corpus.n_rows) == (["aaa", "bbb"], 1)


def test_read_corpus__names_what_is_wrong_with_what_promises_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", [1, 2])
    with pq.ParquetFile(path) as file:
        assert "no column of type string" in error_of(UsageError, file)
    assert "no column 'x'; --column may be text" in error_of(
        UsageError, pyarrow.dataset.dataset(path), column="x"
    )
    splits = type("DatasetDict", (dict,), {"cast_column": None})(train=1, test=2)
    assert error_of(UsageError, splits) == "a DatasetDict is several corpora: give one of train, test"
