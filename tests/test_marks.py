"""Byte order marks in every text that is read: UTF-8's is no word's, others are told with the cure."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fastw2v import cli
from fastw2v.commands.train.settings import read_toml
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import read_counts, read_vocabulary, read_words
from fastw2v.errors import CorpusError, FastW2VError
from fastw2v.system.marks import without_mark
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.evaluation import read_analogies, read_similarity

TEXT = "b a\nb c\n"
READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "corpus": (TEXT, lambda path: read_corpus(path, min_count=1).vocabulary.words),
    "vocabulary": ("b 2\na 1\n", lambda path: read_vocabulary(path).words),
    "sum of vocabularies": ("b 2\na 1\n", lambda path: read_counts([path])),
    "list": ("b\na\n", read_words),
    "vectors": ("2 1\nb 1\na 2\n", lambda path: formats.load(path).words),
    "pairs": ("b a 1\n", read_similarity),
    "analogies": ("b a c d\n", read_analogies),
    "options": ('source = "b.txt"\n', read_toml),
}


@pytest.mark.parametrize("kind", READERS)
def test_readers__pass_over_the_mark_of_utf_8(tmp_path: Path, kind: str) -> None:
    text, read = READERS[kind]
    plain, marked = tmp_path / "plain.txt", tmp_path / "marked.txt"
    plain.write_text(text)
    marked.write_text(text, encoding="utf-8-sig")
    assert read(marked) == read(plain)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("kind", READERS)
def test_readers__name_the_cure_for_other_marks(tmp_path: Path, kind: str, encoding: str) -> None:
    text, read = READERS[kind]
    path = tmp_path / "wide.txt"
    path.write_bytes(f"\ufeff{text}".encode(encoding))
    with pytest.raises(FastW2VError, match=rf"iconv -f {encoding[:6]} -t utf-8") as caught:
        read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ],
)
@pytest.mark.parametrize("text", ["", "a", "a\nb\n", TEXT])
def test_read_corpus__each_of_several_files_may_have_a_mark(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes], text: str
) -> None:
    for name in ("1", "2"):
        (tmp_path / f"{name}.txt{suffix}").write_bytes(pack(f"\ufeff{text}".encode()))
    rest = tmp_path / "3.txt"
    rest.write_text("a b c\n")
    corpus = read_corpus([tmp_path / f"1.txt{suffix}", tmp_path / f"2.txt{suffix}", rest], min_count=1)
    assert set(corpus.vocabulary.words) == {"a", "b", "c"}
    assert corpus.n_rows == 2 * len(text.splitlines()) + 1


def test_read_corpus__a_mark_elsewhere_is_text(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a b\n\ufeffa b\n")
    assert read_corpus(tmp_path / "c.txt", min_count=1).vocabulary.words == ["b", "a", "\ufeffa"]


def test_load__passes_over_the_mark_of_a_vocabulary_beside_npy(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    formats.save(path, Embeddings(["b", "a"], np.eye(2, dtype=np.float32)))
    [words] = [other for other in tmp_path.iterdir() if other != path]
    words.write_bytes(b"\xef\xbb\xbf" + words.read_bytes())
    assert formats.load(path).words == ["b", "a"]


def test_nearest__passes_over_the_mark_of_questions(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    formats.save(tmp_path / "v.txt", Embeddings(["b", "a"], np.ones((2, 2), dtype=np.float32)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\ufeffa\n".encode())))
    with pytest.raises(SystemExit) as stop:
        cli.main(["nearest", str(tmp_path / "v.txt")])
    assert (stop.value.code, capfd.readouterr().out) == (0, "a\tb\t1.0000\n")


def test_without_mark__leaves_what_only_looks_like_one() -> None:
    assert without_mark(b"\xef\xbb", "c") == b"\xef\xbb"
    assert without_mark(b"\xff", "c") == b"\xff"
    with pytest.raises(CorpusError, match=r"^c: is UTF-16 text"):
        without_mark(b"\xff\xfe", "c")
