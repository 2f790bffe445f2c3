"""Text as it lies around: packed or not, called anything, in folders, from pipes, encoded, wrapped."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import json
import lzma
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.corpus.files import text as text_module
from fastw2v.corpus.files.find import find_files
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of, write_texts

LINES = "the cat sat\r\n\n  \nthe the longer-than-eight-bytes\né cat cat\n"
ROWS: list[Row] = list(LINES.split("\n")[:-1])


def lz4(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    ".lz4": lz4,
    ".xz": lzma.compress,
}


def packed(suffix: str, members: int) -> bytes:
    """LINES in as many members, cut in the middle of a word."""
    data = LINES.encode()
    cuts = [*(9 * part for part in range(members)), len(data)]
    return b"".join(PACKERS[suffix](data[start:stop]) for start, stop in itertools.pairwise(cuts))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Gives bytes to descriptor 0 through a pipe, as a shell does."""
    kept, writers = os.dup(0), []

    def give(data: bytes) -> None:
        reader, writer = os.pipe()
        os.dup2(reader, 0)
        os.close(reader)

        def write() -> None:
            with contextlib.suppress(BrokenPipeError), open(writer, "wb") as file:  # noqa: PTH123
                file.write(data)

        writers.append(threading.Thread(target=write))
        writers[-1].start()

    yield give
    os.dup2(kept, 0)
    os.close(kept)
    for writer in writers:
        writer.join()


PLACES = ["file", "folder", "pattern", "-", "/dev/stdin", "/dev/fd/0", "fifo"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("stem", ["c.txt", "text8", "c.log"])
@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("suffix", PACKERS)
def test_read_corpus__text_is_looked_at(
    tmp_path: Path, stdin: Callable[[bytes], None], suffix: str, members: int, stem: str, place: str
) -> None:
    data, path = packed(suffix, members), tmp_path / "in" / f"{stem}{suffix if stem != 'text8' else ''}"
    path.parent.mkdir()
    source = {"file": str(path), "folder": str(path.parent), "pattern": f"{path.parent}/*"}.get(place, place)
    if place == "fifo":
        os.mkfifo(path)
        source = str(path)
        threading.Thread(target=lambda: path.write_bytes(data)).start()
    elif source == place:
        stdin(data)
    else:
        path.write_bytes(data)
    assert as_plain(read_corpus(source, min_count=1)) == naive_corpus(ROWS)


def test_read_corpus__of_parquet_without_a_suffix(tmp_path: Path, stdin: Callable[[bytes], None]) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b", "b c").rename(tmp_path / "table")
    expected = naive_corpus(["a b", "b c"])
    assert as_plain(read_corpus(path, min_count=1)) == expected
    txt = path.rename(tmp_path / "table.txt")
    assert as_plain(read_corpus(txt, min_count=1, input="parquet")) == expected
    stdin(txt.read_bytes())
    assert error_of(CorpusError, "-") == (
        "-: Parquet is read from its end, and a pipe has none: write it to a file first"
    )


def test_read_corpus__a_pipe_is_read_once(tmp_path: Path, stdin: Callable[[bytes], None]) -> None:
    stdin(b"a b\n")
    assert "name it once" in error_of(UsageError, ["-", "-"])
    from fastw2v.corpus.ids.memory import Memory

    message = error_of(UsageError, "-", memory=Memory(cache_dir=tmp_path))
    assert message.startswith("- is a pipe, and its ids cannot be found again")
    stdin(b"")
    assert "it is empty" in error_of(CorpusError, "-")


@pytest.mark.slow
def test_read_corpus__of_a_pipe_keeps_little_in_memory(tmp_path: Path) -> None:
    """A line without an end is cut between words, so that a stream of one line is read in parts."""
    program = (
        "import sys; from fastw2v.corpus import read_corpus; c = read_corpus('-', min_count=1)\n"
        "print(c.n_words_read, c.n_rows, len(c.vocabulary))"
    )
    line = b"some words go on " * 10_000
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(60):
            process.stdin.write(line)
        process.stdin.close()
        assert process.stdout.read() == b"2400000 3 4\n"


@pytest.mark.slow
@pytest.mark.parametrize("n_lines", [0, 20_000])
def test_vocab__of_a_pipe_that_says_no_more_ends_at_a_signal(n_lines: int) -> None:
    command = [sys.executable, "-m", "fastw2v", "vocab", "-", "-q"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe) as process:
        assert process.stdin
        process.stdin.write(b"some words of text\n" * n_lines)
        process.stdin.flush()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr
        assert process.stderr.read().strip() == b"Error: interrupted: nothing was written"


def test_evaluate__reads_sequences_as_train_reads_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v.txt").write_text("3 2\nthe 1 2\ncat 2 1\nété 1 1\n")
    Path("walks").write_bytes("The\nCAT, ÉTÉ!\n\nthe cat\n".encode("latin-1"))
    options = "--tokenize simple --lines paragraphs --encoding latin-1 --input text --json"
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", "v.txt", "--next-item", "walks", *options.split()])
    assert stop.value.code == 0
    [result] = json.loads(capfd.readouterr().out)
    assert (result["next_item"]["asked"], result["next_item"]["sequences"]) == (2, 2)


@pytest.mark.parametrize("place", ["file", "-"])
def test_read_text__cuts_long_rows_between_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdin: Callable[[bytes], None], place: str
) -> None:
    monkeypatch.setattr(text_module, "LONGEST_ROW", 40)
    rng, path = np.random.default_rng(0), tmp_path / "c.txt"
    lines = [" ".join(f"w{n}" for n in rng.integers(0, 50, size)) for size in rng.integers(0, 60, 50)]
    path.write_text("\n".join(lines) + "\n")
    expected = [part for line in lines for part in cut(line, 40)]
    for size in (7, 100, 1 << 20):
        monkeypatch.setattr(text_module, "BATCH_BYTES", size)
        if place == "-":
            stdin(path.read_bytes())
        actual = as_plain(read_corpus("-" if place == "-" else path, min_count=1))
        assert actual == naive_corpus(list(expected))
    path.write_text("w" * 41)
    assert "a word is over" in error_of(CorpusError, path)


def cut(line: str, longest: int) -> list[str]:
    """A line, before its line feed, in parts of at most `longest` bytes, each but the last up to a space."""
    parts = []
    while len(line) + 1 > longest:
        stop = line.rindex(" ", 0, longest) + 1
        parts.append(line[:stop])
        line = line[stop:]
    return [*parts, line]


# ---- Folders -----------------------------------------------------------------------------------------------


def made(folder: Path, *names: str) -> Path:
    """A folder of files: text but for pictures and Parquet."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("parquet"):
            write_texts(path, f"{path.stem} table")
        else:
            path.write_bytes(b"\x89PNG\0\r\n" * 9 if name.endswith("png") else f"{path.stem} text\n".encode())
    return folder


@pytest.mark.parametrize(
    ("names", "options", "read", "note"),
    [
        (["b.txt", "a/c.TXT", "z.md"], {}, ["a/c.TXT", "b.txt"], "left out 1 file of"),
        (["b.txt", "a.txt.gz"], {}, ["a.txt.gz", "b.txt"], ""),
        (["20news/1", "20news/2", "cover.png"], {}, ["20news/1", "20news/2"], "left out 1 file of"),
        (["a.md", "b.csv", "c.rst"], {}, ["a.md", "c.rst"], "left out 1 file of"),
        (["a.txt", "b.parquet", "c.txt"], {}, ["b.parquet"], "left out 2 text files of"),
        (["a.txt", "b.parquet"], {"input": "text"}, ["a.txt"], "left out 1 Parquet file of"),
        (["a.txt", "b.parquet"], {"input": "parquet"}, ["b.parquet"], "left out 1 text file of"),
        ([".git/a.txt", "_x/b.txt", "c.txt", ".d.txt"], {}, ["c.txt"], ""),
    ],
    ids=lambda value: ",".join(map(str, value)) if isinstance(value, list) else None,
)
@pytest.mark.parametrize("kind", ["folder", "pattern"])
def test_read_corpus__of_a_folder_of_texts(
    tmp_path: Path, names: list[str], options: Any, read: list[str], note: str, kind: str
) -> None:
    made(tmp_path / "in", *names)
    for path in tmp_path.rglob("*.gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    source = str(tmp_path / "in") if kind == "folder" else f"{tmp_path}/i*"
    corpus = read_corpus(source, min_count=1, **options)
    stems = [Path(name).name.partition(".")[0] if "gz" not in name else "a.txt" for name in read]
    kinds = ["table" if name.endswith("parquet") else "text" for name in read]
    expected = naive_corpus([f"{stem} {what}" for stem, what in zip(stems, kinds, strict=True)])
    assert as_plain(corpus) == expected
    if kind == "folder":
        assert [line[: len(note)] for line in corpus.notes] == [note] * bool(note)


@pytest.mark.parametrize("options", [{}, {"input": "text"}, {"input": "parquet"}])
def test_read_corpus__of_a_folder_without_text(tmp_path: Path, options: Any) -> None:
    made(tmp_path / "in", "a.png")
    wanted = {"text": "no text", "parquet": "no *.parquet file"}.get(
        options.get("input"), "no Parquet and no text"
    )
    assert error_of(CorpusError, tmp_path / "in", **options).startswith(
        f"{tmp_path / 'in'}: the folder holds {wanted};"
    )


def test_find_files__leaves_out_what_fastw2v_wrote_into_a_folder_of_texts(tmp_path: Path) -> None:
    made(tmp_path / "in", "a.txt")
    fastest = {"dim": 2, "epochs": 1, "min_count": 1, "backend": "reference", "sample": 0.0}
    options = [
        word for name, value in fastest.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            cli.main(["train", str(tmp_path / "in"), "-o", str(tmp_path / "in" / "v.txt"), "-q", *options])
        assert stop.value.code == 0
    assert [file.name for file in find_files(tmp_path / "in")] == [str(tmp_path / "in" / "a.txt")]


# ---- Encodings and paragraphs ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".xz"])
@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "UTF8"]
)
@pytest.mark.parametrize("size", [5, 1 << 20])
def test_read_corpus__of_an_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, suffix: str, size: int
) -> None:
    monkeypatch.setattr(text_module, "BATCH_BYTES", size)
    path = tmp_path / f"c{suffix}"
    path.write_bytes(PACKERS[suffix](LINES.encode(encoding)))
    assert as_plain(read_corpus(path, min_count=1, encoding=encoding)) == naive_corpus(ROWS)


@pytest.mark.parametrize(
    ("errors", "words"), [("replace", ["caf\ufffd", "a", "b"]), ("ignore", ["caf", "a", "b"])]
)
def test_read_corpus__of_bytes_that_are_not_utf_8(tmp_path: Path, errors: Any, words: list[str]) -> None:
    path = tmp_path / "c.txt"
    path.write_bytes(b"caf\xe9 a\nb\n")
    assert read_corpus(path, min_count=1, errors=errors).vocabulary.words == words
    assert error_of(CorpusError, path, min_count=1).startswith(f"{path}: line 1: the word b'caf\\xe9' is not")
    path.write_bytes(b"a\nb\n" * 9 + b"\x81 \n")
    assert error_of(CorpusError, path, encoding="cp1252") == (
        f"{path}: line 19: b'\\x81' is not cp1252; give its --encoding, or --errors replace"
    )
    unnamed = path.rename(tmp_path / "c")
    assert read_corpus(unnamed, min_count=1, errors=errors).vocabulary.words[:2] == ["a", "b"]


PARAGRAPHS = "\n\nIt was the\nbest of\n\n \n\ntimes, it\nwas\n\t\nthe worst"


@pytest.mark.parametrize("size", [3, 1 << 20])
@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n\n"])
@pytest.mark.parametrize("feed", ["\n", "\r\n"])
def test_read_corpus__of_paragraphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, feed: str, size: int
) -> None:
    monkeypatch.setattr(text_module, "BATCH_BYTES", size)
    path = tmp_path / "c.txt"
    path.write_bytes((PARAGRAPHS + end).replace("\n", feed).encode())
    actual = read_corpus(path, min_count=1, lines="paragraphs")
    expected = naive_corpus(["It was the best of", "times, it was", "the worst"])
    assert as_plain(actual) == expected
    path.write_bytes(b"a b\nb\n\nc \xff\n")
    message = error_of(CorpusError, path, min_count=1, lines="paragraphs")
    assert message.startswith(f"{path}: line 4: the word")


# ---- Options take effect or are refused --------------------------------------------------------------------

OBJECTS: dict[str, Any] = {
    "rows": lambda: [["a", "b"]],
    "texts": lambda: iter(["a b"]),
    "table": lambda: pa.table({"text": ["a b"]}),
    "lists": lambda: pa.table({"text": [["a", "b"]]}),
    "ids": lambda: (np.array([1, 2]), np.array([0, 2])),
}


@pytest.mark.parametrize("kind", [*OBJECTS, "parquet", "parquet lists"])
@pytest.mark.parametrize(
    "options",
    [
        {"input": "text"},
        {"lines": "paragraphs"},
        {"encoding": "latin-1"},
        {"errors": "ignore"},
        {"tokenize": "simple"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_read_corpus__options_of_text_are_refused_elsewhere(tmp_path: Path, kind: str, options: Any) -> None:
    source = OBJECTS.get(kind, lambda: tmp_path / "c.parquet")()
    if "parquet" in kind:
        pq.write_table(OBJECTS["lists" if "lists" in kind else "table"](), tmp_path / "c.parquet")
    name = next(iter(options))
    if name == "tokenize" and kind in ("texts", "table", "parquet"):
        message = error_of(UsageError, source, min_count=1, **options)
        assert "holds no word" in message  # letters alone are too short
        return
    kind_of_error = CorpusError if name == "input" and "parquet" in kind else UsageError
    message = error_of(kind_of_error, source, min_count=1, **options)
    assert name == "input" or message.startswith(f"{name} {options[name]} is for text")


def test_read_config__refuses_what_is_no_encoding() -> None:
    for encoding in ("klingon", "base64", "rot13", ""):
        with pytest.raises(
            UsageError, match=f"encoding is '{encoding}': it must be a name that Python knows"
        ):
            read_corpus([["a"]], encoding=encoding)
    with pytest.raises(UsageError, match="lowercase does nothing with tokenize simple"):
        read_corpus([["a"]], lowercase=True, tokenize="simple")


def test_train__takes_options_of_text(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes("Le café,\nle THÉ; le café!\n".encode("latin-1"))
    options: Any = {"encoding": "latin-1", "tokenize": "simple", "lines": "paragraphs"}
    trained = fastw2v.train(
        str(path), dim=2, epochs=1, min_count=1, sample=0.0, backend="reference", **options
    )
    assert trained.words == ["le", "café", "thé"]
