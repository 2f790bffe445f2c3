"""Words that are not UTF-8: the file and the line or row is named, be they refused or left out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError

GOOD, BAD = b"good fine", b"good fine bad\xff"
KINDS = ["lines", "packed lines", "texts", "tokens", "dictionary", "items"]


def write(path: Path, kind: str, bad_row: int | None, n_rows: int = 20_000) -> Path:
    """A file of some kind whose row bad_row, from 0, ends in a word that is not UTF-8."""
    rows = [BAD if row == bad_row else GOOD for row in range(n_rows)]
    if "lines" in kind:
        path = path.with_suffix(".txt.gz" if kind == "packed lines" else ".txt")
        path.write_bytes((gzip.compress if kind == "packed lines" else bytes)(b"\n".join(rows)))
        return path
    columns = {
        "texts": lambda: pa.array(rows, pa.binary()),
        "tokens": lambda: pa.array([None, *(row.split() for row in rows[1:])], pa.list_(pa.binary())),
        "dictionary": lambda: pa.array(rows, pa.binary()).dictionary_encode(),
        "items": lambda: pa.array([row.split()[-1] for row in rows], pa.binary()),
    }
    path = path.with_suffix(".parquet")
    groups = {"session": pa.array([row // 10 for row in range(n_rows)])} if kind == "items" else {}
    pq.write_table(pa.table({"text": columns[kind](), **groups}), path, row_group_size=3_000)
    return path


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_read_corpus__names_the_place_of_a_word_that_is_not_utf_8(
    tmp_path: Path, kind: str, lowercase: bool
) -> None:
    files = [write(tmp_path / f"{number}", kind, 17_001 if number == 1 else None) for number in range(3)]
    group = "session" if kind == "items" else None
    place = "line 17,002" if "lines" in kind else "row 17,001 (from 0)"
    with pytest.raises(CorpusError) as caught:
        read_corpus(files, min_count=1, threads=3, group_by=group, lowercase=lowercase)
    expected = rf"{files[1]}: {place}: the word b'bad\xff' is not UTF-8; convert the file to UTF-8"
    assert str(caught.value) == expected
    if kind == "items":
        return  # which are of two words then
    corpus = read_corpus(files, min_count=2, threads=3, lowercase=lowercase)
    assert corpus.vocabulary.words == ["good", "fine"]
    [note] = corpus.notes
    assert note == (
        r"left out 1 word that is not UTF-8, with 1 tokens: the first, b'bad\xff', "
        f"is in {files[1]}: {place}; convert the corpus to UTF-8 to keep them"
    )


def test_read_corpus__counts_words_that_are_not_utf_8_and_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(b"a b\nb \xe9 a\n\xff \xe9 a b\n")
    [note] = read_corpus(path, min_count=3).notes
    assert note.startswith(
        rf"left out 2 words that are not UTF-8, with 3 tokens: the first, b'\xe9', is in {path}: line 2;"
    )
    path.write_bytes("a b é\n".encode() * 3)
    assert read_corpus(path, min_count=3).notes == ()


def test_read_corpus__of_arrow_names_the_word(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array([GOOD, BAD], pa.binary())})
    with pytest.raises(CorpusError, match=r"^the Arrow data: the word b'bad\\xff' is not UTF-8"):
        read_corpus(table, min_count=1)
    [note] = read_corpus(table, min_count=2).notes
    assert "is in the Arrow data;" in note
