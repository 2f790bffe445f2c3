"""Vectors as others publish them: packed, with a word twice, with words cut short, without a header."""

from __future__ import annotations

import bz2
import gzip
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors.formats import load

ROW = np.ones(2, np.float32).tobytes()
FORMATS = ["text", "binary"]
PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress}


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


def test_load__the_cure_for_a_file_without_header_works(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("the 0.25 -0.5\ncat 1.5 2.5\n")
    with pytest.raises(CorpusError, match="GloVe") as caught:
        load(path)
    cure = str(caught.value).rpartition("put it first: ")[2].replace("FILE", str(path))
    subprocess.run(["bash", "-c", cure], check=True)
    assert load(path).words == ["the", "cat"]


@pytest.mark.parametrize("text", ["2 2\r\na 1 2\r\nb 2 1\r\n", "2 2\na 1 2\nb 2 1"])
def test_load__any_end_of_lines(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.txt").write_bytes(text.encode())
    assert load(tmp_path / "v.txt").words == ["a", "b"]
