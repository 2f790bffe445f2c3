"""An encoded corpus is found again; what is not as written is noticed and made anew."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from corpora.parquet import write_text_parquet
from fastw2v.config import ReadConfig
from fastw2v.corpus import read as read_module
from fastw2v.corpus import workers
from fastw2v.corpus.ids.cache import MAGIC, sealed
from fastw2v.corpus.ids.memory import Budget, Memory
from fastw2v.corpus.ids.storage import HEADER_BYTES, pages_of
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, OutputError

ROWS = ["the cat sat on the mat", "the dog", "é dog dog cat", "", "rare"]


@pytest.fixture(name="source")
def write_source(tmp_path: Path) -> Path:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, ROWS)
    return path


def read(source: Any, folder: Path, **options: Any) -> Corpus:
    return read_corpus(source, threads=2, memory=Memory(None, folder), **{"min_count": 1, **options})


def assert_same(actual: Corpus, expected: Corpus) -> None:
    """All but the notes."""
    assert actual.ids.tolist() == expected.ids.tolist()
    assert actual.offsets.tolist() == expected.offsets.tolist()
    assert actual.vocabulary.words == expected.vocabulary.words
    assert actual.vocabulary.counts.tolist() == expected.vocabulary.counts.tolist()
    assert actual[3:7] == expected[3:7]
    assert [array.tolist() for array in actual.beside] == [array.tolist() for array in expected.beside]


def only_file(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def test_cache__the_second_run_need_not_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "cache"
    expected = read_corpus(source, min_count=1)
    first = read(source, folder)
    assert first.notes == ()
    assert_same(first, expected)
    assert pages_of(first.ids) is not None
    monkeypatch.setattr(read_module, "open_source", lambda *source: pytest.fail("read again"))
    second = read(source, folder)
    assert_same(second, expected)
    assert second.notes == (f"nothing to read: found the encoded corpus in {only_file(folder)}",)


def test_cache__other_options_are_other_files(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    vocabulary = Vocabulary(["the", "dog"], np.array([9, 3]))
    options: list[dict[str, Any]] = [{}, {"min_count": 2}, {"max_vocab": 3}, {"vocabulary": vocabulary}]
    for n_files, given in enumerate(options, 1):
        read(source, folder, **given)
        assert len(list(folder.iterdir())) == n_files
        again = read(source, folder, **given)
        assert again.notes[0].startswith("nothing to read")
        assert_same(again, read_corpus(source, **{"min_count": 1, **given}))


def test_cache__a_changed_source_is_read_again(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    read(source, folder)
    size, changed = source.stat().st_size, [row.replace("cat", "cow") for row in ROWS]
    write_text_parquet(source, changed)
    assert source.stat().st_size == size
    corpus = read(source, folder)
    assert corpus.notes == (f"{only_file(folder)}: the corpus has changed; reading the corpus again",)
    assert "cow" in corpus.vocabulary.words
    os.utime(source, (1, 1))
    assert "the corpus has changed" in read(source, folder).notes[0]
    assert read(source, folder).notes[0].startswith("nothing to read")


@pytest.mark.parametrize("beside", [{}, {"weight": "w", "global_context": "t"}], ids=["words", "beside"])
def test_cache__every_damaged_byte_is_noticed(source: Path, tmp_path: Path, beside: dict[str, Any]) -> None:
    folder = tmp_path / "cache"
    if beside:
        pq.write_table(pa.table({"text": ROWS, "w": [1, 2, 3, 4, 0.5], "t": list("abcde")}), source)
        beside["column"] = "text"
    expected = read_corpus(source, min_count=1, **beside)
    read(source, folder, **beside)
    path = only_file(folder)
    good = path.read_bytes()
    n_header = len(good[:HEADER_BYTES].rstrip(b"\0"))
    places = [*range(0, n_header, 7), *range(HEADER_BYTES, len(good))]
    cache = read_module.cache_of(source, ReadConfig(min_count=1, **beside), None, folder)
    assert cache is not None
    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert cache.load(1) is None, place
        assert "\n" not in cache.note
        assert cache.note.endswith("; reading the corpus again")
    path.write_bytes(good)
    assert cache.load(1) is not None
    path.write_bytes(good[:-1])
    assert_same(read(source, folder, **beside), expected)
    assert path.read_bytes() == good


@pytest.mark.parametrize("size", [0, 10, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 50])
def test_cache__a_cut_file_is_noticed(source: Path, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "cache"
    expected = read_corpus(source, min_count=1)
    read(source, folder)
    path = only_file(folder)
    path.write_bytes(path.read_bytes()[:size])
    again = read(source, folder)
    assert again.notes[0].startswith(f"{path}: ")
    assert_same(again, expected)


def forged(data: bytes, position: int, array: NDArray[Any], **changes: Any) -> bytes:
    """A file with other data and the right checksums, as an attacker would make it."""
    header = json.loads(data.split(b"\n", 2)[1]) | changes
    data = data[:position] + array.tobytes() + data[position + array.nbytes :]
    first = len(data) - 24 * header["n_pieces"]
    pieces = np.frombuffer(data[first:], np.uint64).reshape(-1, 3).copy()
    for piece in pieces:
        start, n_bytes = int(piece[0]), int(piece[1])
        piece[2] = zlib.crc32(data[start : start + n_bytes])
    header["pieces_checksum"] = zlib.crc32(pieces.data)
    return sealed(header) + data[HEADER_BYTES:first] + pieces.tobytes()


@pytest.mark.parametrize(
    ("position", "array", "changes", "reason"),
    [
        (HEADER_BYTES, np.array([99], np.int32), {}, "an id is out of range"),
        (HEADER_BYTES, np.array([-1], np.int32), {}, "an id is out of range"),
        (HEADER_BYTES + 4 * 14, np.array([1], np.int64), {}, "offsets do not fit the ids"),
        (HEADER_BYTES + 4 * 14 + 8, np.array([0], np.int64), {}, "offsets do not rise"),
        (HEADER_BYTES, np.empty(0, np.int32), {"n_ids": -1}, "n_ids is out of range"),
        (HEADER_BYTES, np.empty(0, np.int32), {"n_ids": True}, "n_ids is out of range"),
        (HEADER_BYTES, np.empty(0, np.int32), {"n_words": 2**40}, "n_words is out of range"),
        (HEADER_BYTES, np.empty(0, np.int32), {"n_sentences": 3}, "it was cut, or more was added"),
    ],
)
def test_cache__kernels_never_see_forged_ids(
    source: Path, tmp_path: Path, position: int, array: NDArray[Any], changes: dict[str, Any], reason: str
) -> None:
    folder = tmp_path / "cache"
    expected = read_corpus(source, min_count=1)
    read(source, folder)
    assert len(expected.ids) == 13
    path = only_file(folder)
    path.write_bytes(forged(path.read_bytes(), position, array, **changes))
    again = read(source, folder)
    assert reason in again.notes[0]
    assert_same(again, expected)


@pytest.mark.parametrize(
    ("back", "array", "reason"),
    [
        (40, np.array([-1], np.float32), "a weight is out of range"),
        (24, np.array([np.nan], np.float32), "a weight is out of range"),
        (20, np.array([99], np.int32), "a target is out of range"),
        (4, np.array([-2], np.int32), "a target is out of range"),
    ],
)
def test_cache__kernels_never_see_forged_weights(
    tmp_path: Path, back: int, array: NDArray[Any], reason: str
) -> None:
    source, folder = tmp_path / "c.parquet", tmp_path / "cache"
    pq.write_table(pa.table({"text": ["a b"] * 5, "w": [1] * 5, "t": ["c"] * 5}), source)
    options: dict[str, Any] = {"column": "text", "weight": "w", "global_context": "t"}
    expected = read(source, folder, **options)
    path = only_file(folder)
    data = path.read_bytes()
    end = len(data) - 24 * json.loads(data.split(b"\n", 2)[1])["n_pieces"]
    path.write_bytes(forged(data, end - back, array))
    again = read(source, folder, **options)
    assert reason in again.notes[0]
    assert_same(again, expected)


def test_cache__large_arrays_are_several_pieces(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastw2v.corpus.ids.cache.MAX_PIECE", 64)
    expected = read(source, tmp_path / "cache")
    assert_same(read(source, tmp_path / "cache"), expected)
    assert read(source, tmp_path / "cache").notes[0].startswith("nothing to read")


def test_cache__is_no_pickle_and_has_one_line_of_json(source: Path, tmp_path: Path) -> None:
    read(source, tmp_path / "cache")
    first, line, _ = only_file(tmp_path / "cache").read_bytes().split(b"\n", 2)
    assert first.startswith(MAGIC.encode())
    assert json.loads(line)["n_ids"] == 13


def test_cache__says_where_it_cannot_be(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"c\.parquet: cannot be made .*; give another --cache-dir"):
        read(source, source)
    with pytest.raises(CorpusError, match=r"missing\.parquet: "):
        read(tmp_path / "missing.parquet", tmp_path / "cache")


def test_cache__keeps_no_corpus_with_dropped_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later run with more memory counts exactly."""
    source = tmp_path / "c.parquet"
    write_text_parquet(
        source, [" ".join(f"w{i}" for i in range(n, n + 20_000)) for n in range(0, 60_000, 9_000)]
    )
    monkeypatch.setattr(workers, "budget", lambda limit, threads, *_, **__: Budget(1 << 30, 4 << 20))
    corpus = read(source, tmp_path / "cache")
    assert corpus.dropped.n_dropped > 1000
    assert f"dropped {corpus.dropped.n_dropped:,} rare ones" in corpus.notes[0]
    assert list((tmp_path / "cache").iterdir()) == []
