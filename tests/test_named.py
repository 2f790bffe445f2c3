"""Files that cannot be read or have no usable name, and values that are none: one line each."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.files.pieces import read_pieces
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings

TABLE = pa.table({"text": ["a b a b"] * 9})


class PlainKeys(pe.KmsClient):
    """Keys that are not wrapped: enough to write an encrypted file."""

    def __init__(self, config: Any) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_read_corpus__says_that_a_file_is_encrypted(tmp_path: Path, plaintext_footer: bool) -> None:
    settings = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["text"]}, plaintext_footer=plaintext_footer
    )
    factory = pe.CryptoFactory(PlainKeys)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    path = tmp_path / "c.parquet"
    with pq.ParquetWriter(path, TABLE.schema, encryption_properties=properties) as writer:
        writer.write_table(TABLE)
    with pytest.raises(CorpusError, match="encrypted") as caught:
        read_corpus(path, min_count=1)
    assert "write it without encryption" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"PAR1" + bytes(99),
            "is damaged (its end is missing: it was cut, or is still being written); write it",
        ),
        (b"\x01\x00\x02" * 99, "it is not Parquet, nor text"),
    ],
)
def test_read_corpus__says_what_a_file_is_plainly(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "c.parquet").write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        read_corpus(tmp_path / "c.parquet")
    assert message in str(caught.value)
    assert "magic" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "message"), [("gone", "was there and is gone"), ("closed", "may not be read")]
)
@pytest.mark.parametrize("name", ["c.txt", "c.txt.gz", "c.parquet"])
def test_read_pieces__of_a_file_that_vanishes_or_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: str, message: str
) -> None:
    path = tmp_path / name
    pq.write_table(TABLE, path)
    files = find_files(path)
    path.unlink()
    if error == "closed":
        path.touch()
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("root reads everything")
    with pytest.raises(CorpusError) as caught:
        list(read_pieces(files, Column("text", "text")))
    assert str(caught.value).startswith(f"{path}: {message}")


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    return stop.value.code, capfd.readouterr().err


LONG = "x" * 5000
NAMES = [
    ["train", LONG],
    ["train", f"{LONG}.parquet"],
    ["train", f"{LONG}.txt", "-o", "v.txt"],
    ["train", f"{LONG}/*.txt"],
    ["train", "c.txt", "-o", f"{LONG}.txt"],
    ["train", "c.txt", "--read-vocab", LONG],
    ["train", "c.txt", "--log-json", LONG],
    ["vocab", f"{LONG}.txt"],
    ["vocab", "c.txt", "-o", f"{LONG}.txt"],
    ["nearest", f"{LONG}.txt", "a"],
    ["export", f"{LONG}.txt", "v.bin"],
    ["map", f"{LONG}.txt", "-o", "m.html"],
]


@pytest.mark.parametrize("arguments", NAMES, ids=lambda names: " ".join(names).replace(LONG, "LONG"))
def test_commands__names_that_are_too_long_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("a b a b\n" * 9)
    code, err = run(capfd, *arguments)
    assert code in (2, 3, 5)
    assert (err.count("\n"), err[:7]) == (1, "Error: ")


def test_train__names_a_file_whose_name_is_not_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"\xff.txt")
    Path(name).write_text("a b a b\n" * 9)
    assert run(capfd, "train", name) == (3, "Error: \\udcff.txt: the name is not UTF-8; rename the file\n")


def test_load__some_unknown_counts_are_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    formats.save(path, Embeddings(["a", "b"], np.eye(2, dtype=np.float32), counts=np.array([3, 2])))
    assert formats.load(path).counts.tolist() == [3, 2]  # type: ignore[union-attr]
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "count", pa.array([3, None], pa.int64())), path)
    assert formats.load(path).counts is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("matrix", ["center_vectors", "outside_vectors"])
def test_train__refuses_vectors_to_start_from_that_are_no_numbers(matrix: str, value: float) -> None:
    zeros = {name: np.zeros((2, 4), np.float32) for name in ("center_vectors", "outside_vectors")}
    options: dict[str, Any] = {"min_count": 1, "sample": 0, "epochs": 1, "threads": 1, "backend": "reference"}
    texts = ["a b a b"] * 9
    assert len(fastw2v.train(iter(texts), init=Embeddings(["a", "b"], **zeros), **options)) == 2
    zeros[matrix][1, 2] = value
    with pytest.raises(UsageError, match="init holds NaN or infinity in the vector of 'b'"):
        fastw2v.train(iter(texts), init=Embeddings(["a", "b"], **zeros), **options)


def test_evaluate__says_that_letters_differ_in_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    formats.save("v.txt", Embeddings(["a", "b", "c"], np.eye(3, dtype=np.float32)))
    Path("pairs.txt").write_text("A B 1\nA C 2\nB C 3\n")
    _, err = run(capfd, "evaluate", "v.txt", "--similarity", "pairs.txt", "--case-sensitive", "--no-cache")
    assert "no pair is known as it is spelt: leave out --case-sensitive" in err
    _, err = run(capfd, "evaluate", "v.txt", "--similarity", "pairs.txt", "--no-cache")
    assert "as it is spelt" not in err
