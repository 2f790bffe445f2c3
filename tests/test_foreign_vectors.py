"""Vectors as others publish them: packed, with a word twice, with words cut short, without a header."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fastw2v import cli
from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats import load

ROW = np.ones(2, np.float32).tobytes()
FORMATS = ["text", "binary"]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def content(format: str, *words: bytes) -> bytes:
    lines = [word + (b" 1 1\n" if format == "text" else b" " + ROW + b"\n") for word in words]
    return b"%d 2\n" % len(words) + b"".join(lines)


def name(format: str) -> str:
    return "v.txt" if format == "text" else "v.bin"


@pytest.mark.parametrize("by_suffix", [True, False])
@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("format", FORMATS)
def test_load__unpacks(tmp_path: Path, format: str, suffix: str, by_suffix: bool) -> None:
    path = tmp_path / (name(format) + suffix if by_suffix else "vectors")
    path.write_bytes(PACKERS[suffix](content(format, b"a", b"b")))
    assert load(path, format=None if by_suffix else format).words == ["a", "b"]


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("format", FORMATS)
def test_load__names_what_is_cut_short(tmp_path: Path, format: str, suffix: str) -> None:
    path = tmp_path / (name(format) + suffix)
    pack: Callable[[bytes], bytes] = PACKERS[suffix]
    path.write_bytes(pack(content(format, *(b"%d" % i for i in range(999))))[:-9])
    with pytest.raises(CorpusError, match="cut short"):
        load(path)


def test_load__says_to_unpack_other_formats(tmp_path: Path) -> None:
    (tmp_path / "v.npy.gz").write_bytes(gzip.compress(b"rest"))
    with pytest.raises(CorpusError, match="gunzip"):
        load(tmp_path / "v.npy.gz")


@pytest.mark.parametrize("format", FORMATS)
def test_load__keeps_the_first_of_a_word_twice_and_says_so(
    tmp_path: Path, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name(format)
    path.write_bytes(content(format, b"a", b"b", b"a", b"b", b"c"))
    with caplog.at_level(logging.WARNING, "fastw2v"):
        actual = load(path)
    assert (actual.words, actual.center_vectors.shape) == (["a", "b", "c"], (3, 2))
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 'a' is word 1 and again word 3; the first of equal words is kept, 2 left out"
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_load__a_word_cut_within_a_character(tmp_path: Path, format: str) -> None:
    path = tmp_path / name(format)
    path.write_bytes(content(format, b"a", "привет".encode()[:-1]))
    with pytest.raises(CorpusError, match=r"errors='replace'\)\.save"):
        load(path)
    load(path, errors="replace").save(tmp_path / f"other-{name(format)}")
    assert load(tmp_path / f"other-{name(format)}").words == ["a", "приве\ufffd"]
    with pytest.raises(UsageError, match="errors is 'ignored'"):
        load(path, errors="ignored")


GLOVE = "the 0.25 -0.5\n. . . 1 2.5e-1\n3 0 0\ncat 1.5 2.5"


@pytest.mark.parametrize("suffix", ["", *PACKERS])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_load__without_a_first_line(tmp_path: Path, suffix: str, mark: str, end: str) -> None:
    path = tmp_path / f"glove.txt{suffix}"
    path.write_bytes(PACKERS.get(suffix, bytes)(f"{mark}{GLOVE}{end}".encode()))
    actual = load(path)
    assert actual.words == ["the", ". . .", "3", "cat"]
    assert actual.center_vectors.tolist() == [[0.25, -0.5], [1, 0.25], [0, 0], [1.5, 2.5]]
    assert load(path, limit=2).words == ["the", ". . ."]
    assert load(path, limit=1).words == ["the"]


def test_load__without_a_first_line_is_what_it_is_with_one(tmp_path: Path, rng: np.random.Generator) -> None:
    matrix = rng.normal(size=(3000, 30)).astype(np.float32)
    Embeddings([f"w{i}" for i in range(3000)], matrix).save(tmp_path / "v.txt")
    lines = (tmp_path / "v.txt").read_text().partition("\n")[2]
    (tmp_path / "glove.txt").write_text(lines)
    actual = load(tmp_path / "glove.txt")
    assert actual.words == load(tmp_path / "v.txt").words
    assert (actual.center_vectors == matrix).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 0.5 1\nb 1\n", "line 2 has 2 fields, a word and 2 numbers are needed as in line 1"),
        ("a 0.5 1\nb 1 x\n", "line 2: 'x' is no finite float32"),
        ("a 0.5 nan\n", "line 1: 'nan' is no finite float32"),
        ("a 0.5 1\n 1 2\n", "line 2: the word is missing"),
        ("words and more\n", "line 1 is b'words and more"),
    ],
)
def test_load__names_what_is_wrong_without_a_first_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(CorpusError) as caught:
        load(tmp_path / "v.txt")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "command", ["nearest v.txt a", "export v.txt w.bin", "evaluate v.txt --similarity p"]
)
def test_commands__tell_words_that_are_repeated_or_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_bytes(b"a 1.5 1\nb 1 1.5\nc\xff 1 1\na 1 1\n")
    Path("p").write_text("a b 1\na c 2\n")
    with pytest.raises(SystemExit) as stop, caplog.at_level(logging.WARNING, "fastw2v"):
        cli.main(command.split())
    assert stop.value.code == 0
    assert [record.getMessage() for record in caplog.records] == [
        "v.txt: 1 word is not UTF-8, such as 'c\ufffd': U+FFFD stands for what is wrong",
        "v.txt: 'a' is word 1 and again word 4; the first of equal words is kept, 1 left out",
    ]


@pytest.mark.parametrize("text", ["2 2\r\na 1 2\r\nb 2 1\r\n", "2 2\na 1 2\nb 2 1"])
def test_load__any_end_of_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.txt").write_bytes(text.encode())
    assert load(tmp_path / "v.txt").words == ["a", "b"]
