"""What the readers and writers of several formats share: chunks of rows, sources, checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, OutputError
from fastw2v.system.marks import without_mark
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.tokens import shown, unescape_token

READ_BYTES = 1 << 20
CHUNK_NUMBERS = 12_288  # the dozen arrays of a chunk stay in the second-level cache: 100 ns a number, not 150


class VectorTable(NamedTuple):
    """What is written where.

    path     the file, or the main one of several
    words    n_words strings, escaped if they are to be
    matrix   (n_words, dim), float32; float16 where the format can hold it
    counts   int64 (n_words,), or None when unknown
    embeddings  that these are of
    pq_bytes    of a word's code, in format pq; None for the format's own choice
    """

    path: Path
    words: list[str]
    matrix: NDArray[Any]
    counts: NDArray[np.int64] | None
    embeddings: Embeddings
    pq_bytes: int | None = None


def chunks(matrix: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Consecutive rows, about CHUNK_NUMBERS numbers at a time, each with the index of its first row."""
    rows = max(1, CHUNK_NUMBERS // matrix.shape[1])
    for start in range(0, len(matrix), rows):
        yield start, matrix[start : start + rows]


def first_not_finite(matrix: NDArray[np.floating]) -> int | None:
    """The first row of a matrix (n_words, dim) with NaN or infinity in it; None where all are finite."""
    for start, chunk in chunks(matrix):
        finite = np.isfinite(chunk).all(axis=1)
        if not finite.all():
            return start + int(np.argmin(finite))
    return None


def header(matrix: NDArray[Any]) -> bytes:
    """The first line of word2vec's files: `n_words dim`."""
    return b"%d %d\n" % matrix.shape


class Source(NamedTuple):
    """A file being read, and how to read its words."""

    path: Path
    file: BinaryIO
    size: int
    unescape: bool
    limit: int | None
    errors: str = "strict"

    def word(self, raw: bytes, place: str) -> str:
        """The word in the raw bytes; `place` says where they are."""
        word = self.decoded(raw, place)
        if not word:
            raise self.error(f"{place}: the word is missing; give each vector one")
        return self.unescaped(word, place)

    def decoded(self, raw: bytes, place: str) -> str:
        """The raw bytes as text, escapes and all."""
        try:
            return raw.decode(errors=self.errors)
        except UnicodeDecodeError as error:
            raise self.error(
                f"{place}: {raw[:60]!r} is not UTF-8 ({error.reason}); convert the file or, where "
                "word2vec.c cut a word, in Python: fastw2v.load(path, errors='replace').save(other_path)"
            ) from error

    def unescaped(self, word: str, place: str) -> str:
        """The word without its escapes, if they are to be undone."""
        if not self.unescape:
            return word
        try:
            return unescape_token(word)
        except CorpusError as error:
            raise self.error(f"{place}: {error}") from error

    def error(self, message: str) -> CorpusError:
        """The error to raise, with the path before the message."""
        return CorpusError(f"{self.path}: {message}")


FIRST_BYTES = 64  # of a first line: two numbers are shorter


def read_header(
    source: Source, bytes_per_number: int, line: bytes | None = None
) -> tuple[int, int, NDArray[np.float32]]:
    """n_words as declared, the number to read, and a matrix for them, once the file proves big enough.

    line   the first, up to FIRST_BYTES of it, if it was read already
    """
    line = without_mark(source.file.readline(FIRST_BYTES) if line is None else line, source.path)
    match = re.fullmatch(rb"([0-9]{1,18}) +([0-9]{1,18}) *\r?\n", line)
    if match is None:
        raise source.error(
            f"line 1 is {line[:40]!r}; 'n_words dim' is needed, and --format where it is not text"
        )
    n_words, dim = map(int, match.groups())
    smallest = n_words * (2 + dim * bytes_per_number) - 1  # one-byte words, no end of the last line
    if n_words < 1 or dim < 1 or smallest > source.size - len(line):
        raise source.error(
            f"line 1 declares {n_words:,} words of dim {dim:,}, which {source.size:,} bytes cannot hold; "
            "the file is empty, cut short or of another format"
        )
    n_read = n_words if source.limit is None else min(n_words, source.limit)
    return n_words, n_read, allocate(n_read, dim)


def allocate(n_words: int, dim: int) -> NDArray[np.float32]:
    """An empty float32 (n_words, dim). Raises OutputError when the memory cannot be had."""
    try:
        return np.empty((n_words, dim), dtype=np.float32)
    except MemoryError as error:
        raise out_of_memory(n_words, dim) from error


def out_of_memory(n_words: int, dim: int) -> OutputError:
    """What is said where there is no memory for a matrix."""
    return OutputError(f"{4 * n_words * dim:,} bytes of memory cannot be had; read fewer words with a limit")


def check_finite(source: Source, words: Sequence[str], start: int, rows: NDArray[np.float32]) -> None:
    """Raise CorpusError naming the first word, of those from `start`, whose row is not finite."""
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        word = shown(words[start + int(np.argmin(finite))])
        raise source.error(f"the vector of {word} is not finite in float32; the file is damaged")
