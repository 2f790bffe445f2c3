from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpora.parquet import write_text_parquet
from fastw2v.corpus.files import text
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from tests.naive import naive_corpus
from tests.parquet import as_plain, error_of, write, write_texts

# ---- Files -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards, and what must not be read."""
    for name in ("b.parquet", "a/10.parquet", "a/9.parquet"):
        write_texts(tmp_path / "data" / name, f"{name} shard")
    for name in ("_temporary/0.parquet", ".hidden.parquet", "a/_metadata.parquet", "notes.txt"):
        write_texts(tmp_path / "data" / name, "never read")
    return tmp_path / "data"


def found(source: Any) -> list[Path]:
    return [Path(file.path) for file in find_files(source)]


def test_find_files__of_a_folder_are_sorted(folder: Path) -> None:
    expected = [folder / name for name in ("a/10.parquet", "a/9.parquet", "b.parquet")]
    assert found(folder) == found(str(folder)) == expected


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.parquet", ["b.parquet"]),
        ("?/[0-9].parquet", ["a/9.parquet"]),
        ("**/*0.parquet", ["a/10.parquet"]),
        ("[ab]*", ["a/10.parquet", "a/9.parquet", "b.parquet"]),
    ],
)
def test_find_files__of_a_pattern(folder: Path, pattern: str, names: list[str]) -> None:
    assert found(str(folder / pattern)) == [folder / name for name in names]


def test_find_files__of_a_relative_pattern(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert found("a/*.parquet") == [Path("a/10.parquet"), Path("a/9.parquet")]
    assert found("b*.parquet") == [Path("b.parquet")]


def test_find_files__of_a_list_keep_its_order(folder: Path) -> None:
    assert found([folder / "b.parquet", str(folder / "a")]) == [
        folder / name for name in ("b.parquet", "a/10.parquet", "a/9.parquet")
    ]


def test_find_files__a_file_may_be_named_like_a_pattern(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "a[1].parquet", "a b")
    assert found(path) == [path]


def test_find_files__names_what_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no Parquet and no text"):
        find_files(tmp_path)
    with pytest.raises(CorpusError, match="no file matches the pattern"):
        find_files(str(tmp_path / "*.parquet"))
    with pytest.raises(UsageError, match="no corpus given"):
        find_files([])


@pytest.mark.parametrize("name", ["a" * 5000, "loop.txt", "loop.parquet", "plain.txt/b.txt", "plain.txt/b"])
def test_find_files__names_what_cannot_be_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pythons differ in which of these `exists` denies, and for which it raises."""
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("a b")
    for loop in ("loop.txt", "loop.parquet"):
        Path(loop).symlink_to(loop)
    with pytest.raises(CorpusError) as refused:
        read_corpus(name, min_count=1)
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


def test_read_corpus__reads_shards_in_order(folder: Path) -> None:
    actual = read_corpus(folder, min_count=1, threads=2)
    assert as_plain(actual) == naive_corpus(["a/10.parquet shard", "a/9.parquet shard", "b.parquet shard"])


def test_read_corpus__shards_may_differ_in_offsets_and_encoding(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.array(["a b"], pa.string()))
    write(tmp_path / "b.parquet", pa.array(["b c"], pa.large_string()))
    write(tmp_path / "c.parquet", pa.array(["c a"]).dictionary_encode())
    assert as_plain(read_corpus(tmp_path, min_count=1)) == naive_corpus(["a b", "b c", "c a"])


@pytest.mark.parametrize("odd", ["0.parquet", "1.parquet", "3.parquet"])
def test_read_corpus__names_the_shard_that_differs(tmp_path: Path, odd: str) -> None:
    for i in range(4):
        write_texts(tmp_path / f"{i}.parquet", "a b")
    write(tmp_path / odd, [["a", "b"]])
    message = error_of(UsageError, tmp_path)
    assert message.startswith(f"{tmp_path / odd}: column 'text' holds tokens, but 3 of 4 files have text")


# ---- Lines -------------------------------------------------------------------------------------------------


LINES = "the cat sat\r\n\n  \nthe the longer-than-eight-bytes\né cat cat"


@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".txt.gz", ".txt.zst", ".txt.bz2"])
def test_read_corpus__reads_lines_like_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    codec = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}.get(suffix.rpartition(".")[2])
    with pa.output_stream(str(path), compression=codec) as stream:
        stream.write(LINES.encode())
    assert as_plain(read_corpus(path, min_count=1)) == naive_corpus(LINES.split("\n"))


def test_read_corpus__a_local_name_may_hold_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "why?.txt").write_text(LINES)
    assert as_plain(read_corpus(tmp_path / "why?.txt", min_count=1)) == naive_corpus(list(LINES.split("\n")))


def test_read_corpus__lines_of_any_length_whatever_the_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{n}" for n in rng.integers(0, 50, size)) for size in rng.integers(0, 300, 60)]
    path = tmp_path / "c.txt"
    path.write_text("\n".join(lines) + "\n")
    for size in (16, 1000, 1 << 22):
        monkeypatch.setattr(text, "BATCH_BYTES", size)
        assert as_plain(read_corpus(path, min_count=1)) == naive_corpus(lines)


def test_read_corpus__refuses_broken_compression(tmp_path: Path) -> None:
    path = tmp_path / "c.txt.gz"
    with pa.output_stream(str(path), compression="gzip") as stream:
        stream.write(b"a b c\n" * 10_000)
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read as lines of text" in error_of(CorpusError, path)
    path.write_bytes(b"no gzip")
    assert "cannot be read as lines of text" in error_of(CorpusError, path)


# ---- Bad input ---------------------------------------------------------------------------------------------


def test_read_corpus__names_what_is_missing_or_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    assert error_of(CorpusError, path) == f"{path}: no such file; check the name"
    for content in (b"", b"just text", b"PAR1" * 20):
        path.write_bytes(content)
        assert error_of(CorpusError, path).startswith(f"{path}: cannot be read as Parquet (")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_read_corpus__names_what_it_may_not_read(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b")
    path.chmod(0)
    assert str(path) in error_of(CorpusError, path)


def test_read_corpus__names_the_row_group_that_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, [f"word{i} again" for i in range(4000)], rows_per_group=1000)
    content = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 4] ^= 1
    path.write_bytes(content)
    for threads in (1, 3):
        message = error_of(CorpusError, path, min_count=1, threads=threads)
        assert message.startswith(f"{path}: row group 2 (of 4, from 0) is corrupt (")


def test_read_corpus__every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, ["a b c", "d e f"], rows_per_group=1)
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        error_of(CorpusError, path, min_count=1)


@pytest.mark.slow
@pytest.mark.parametrize("with_checksums", [True, False])
def test_read_corpus__damaged_files_are_errors_or_read_alike(tmp_path: Path, with_checksums: bool) -> None:
    """With page checksums damage never passes for text; without them it may, but never as a crash."""
    path, rows = tmp_path / "c.parquet", [f"w{i % 7} w{i % 11} w{i % 3}" for i in range(100)]
    write_text_parquet(path, rows, rows_per_group=40)
    if not with_checksums:
        write(path, rows, row_group_size=40)
    content, expected = path.read_bytes(), as_plain(read_corpus(path, min_count=1))
    generator, silent = random.Random(0), 0
    for _ in range(150):
        damaged = bytearray(content)
        place = generator.randrange(len(content))
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            actual = as_plain(read_corpus(path, min_count=1, threads=2))
        except (CorpusError, UsageError):
            continue
        else:
            silent += actual != expected
    assert (silent == 0) == with_checksums


@pytest.mark.slow
def test_read_corpus__a_damaged_footer_never_ends_the_process(tmp_path: Path) -> None:
    """Some metadata that pyarrow reads without complaint ends the process when it is asked for."""
    path = write(tmp_path / "c.parquet", ["a b", "c d"], compression="none")
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little")
    for place in range(len(content) - 8 - footer, len(content) - 8):
        for bit in (0, 2):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            with contextlib.suppress(CorpusError, UsageError):
                read_corpus(path, min_count=1)


MEASURE = """
import pathlib, re, sys
from fastw2v.corpus import read_corpus
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
read_corpus(sys.argv[1], threads=2)
before = peak()
corpus = read_corpus(sys.argv[2], threads=2)
print(peak() - before - corpus.ids.nbytes - corpus.offsets.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak memory of one process here")
def test_read_corpus__one_large_row_group_in_little_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    """Peak memory beyond ids and offsets, in a process that has loaded everything before."""
    row = " ".join(map(str, rng.integers(0, 10_000, 2_000)))
    small, large = write(tmp_path / "s.parquet", [row] * 2), tmp_path / "l.parquet"
    write(large, [row] * 20_000, row_group_size=20_000, use_dictionary=False)
    assert pq.ParquetFile(large).metadata.row_group(0).total_byte_size > 180e6
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 120e6  # 42 to 79 MB measured, with groups of 100 to 400 MB
