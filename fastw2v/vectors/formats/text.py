"""word2vec text: `n_words dim`, then a line `word v1 … vd` for each word; no trailing space.

Numbers are the shortest decimals that read back as the same float32. GloVe's files lack the first line; they
are read all the same, and their words may hold spaces.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastw2v.system.files import atomic_writer
from fastw2v.system.marks import without_mark
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import (
    CHUNK_NUMBERS,
    FIRST_BYTES,
    Source,
    VectorTable,
    allocate,
    chunks,
    header,
    out_of_memory,
    read_header,
)
from fastw2v.vectors.formats.decimals import format_rows, parse_numbers
from fastw2v.vectors.formats.tokens import MAX_WORD_BYTES

MAX_NUMBER_BYTES = 64
MAX_DIM = 65_536
# A first line that is no `n_words dim`: its second field is a number with a decimal point or exponent.
HEADERLESS = re.compile(rb"\S+ [-+]?(?:[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)(?:\s|$)")


def write_text(table: VectorTable) -> None:
    """Write a text file of a table."""
    with atomic_writer(table.path) as file:
        file.write(header(table.matrix))
        for start, chunk in chunks(table.matrix):
            words = table.words[start : start + len(chunk)]
            for word, numbers in zip(words, format_rows(chunk), strict=True):
                file.write(word.encode() + numbers + b"\n")


def read_text(source: Source) -> Embeddings:
    """Read a text file; raises CorpusError naming the line that does not fit."""
    first = without_mark(source.file.readline(FIRST_BYTES), source.path)
    if HEADERLESS.match(first):
        return _read_headerless(source, first)
    n_words, n_read, matrix = read_header(source, 2, first)
    words: list[str] = []
    for start, rows in chunks(matrix):
        lines = [_read_line(source, start + i + 2, rows.shape[1]) for i in range(len(rows))]
        words += _take(source, lines, rows, start + 2)
    if n_read == n_words and source.file.read(1):
        raise source.error(f"goes on after the {n_words:,} words that line 1 declares; correct one of them")
    return Embeddings(words, matrix)


def _take(
    source: Source, lines: Sequence[tuple[bytes, bytes]], rows: NDArray[np.float32], number: int
) -> list[str]:
    """The words of some lines, the first of which has this number; their vectors are put into rows."""
    words = [source.word(word, f"line {number + i}") for i, (word, _) in enumerate(lines)]
    numbers = b" ".join([numbers for _, numbers in lines])
    rows.reshape(-1)[:] = parse_numbers(numbers)
    if not np.isfinite(rows).all():
        place = int(np.argmin(np.isfinite(rows)))
        wrong = numbers.split(b" ")[place][:40].decode(errors="backslashreplace")
        raise source.error(f"line {number + place // rows.shape[1]}: {wrong!r} is no finite float32")
    return words


def _read_headerless(source: Source, first: bytes) -> Embeddings:
    """Read a file of lines alone, whose dim is that of the first; the matrix grows as they come."""
    if not first.endswith(b"\n"):
        first += source.file.readline(MAX_WORD_BYTES + MAX_DIM * MAX_NUMBER_BYTES)
    dim = len(first.split()) - 1
    words: list[str] = []
    matrix, n_chunk = allocate(1, dim), max(1, CHUNK_NUMBERS // dim)
    lines = [_split(source, first, 1, dim)]
    while lines:
        start = len(words)
        if start + len(lines) > len(matrix):
            try:
                matrix.resize((2 * start + n_chunk, dim), refcheck=False)  # in place, where the system can
            except MemoryError:
                raise out_of_memory(2 * start + n_chunk, dim) from None
        words += _take(source, lines, matrix[start : start + len(lines)], start + 1)
        n_wanted = n_chunk if source.limit is None else min(n_chunk, source.limit - len(words))
        longest = MAX_WORD_BYTES + dim * MAX_NUMBER_BYTES
        found = (source.file.readline(longest) for _ in range(n_wanted))
        following = itertools.takewhile(bool, found)
        lines = [_split(source, line, len(words) + i, dim) for i, line in enumerate(following, 1)]
    matrix.resize((len(words), dim), refcheck=False)
    return Embeddings(words, matrix)


def _split(source: Source, line: bytes, number: int, dim: int) -> tuple[bytes, bytes]:
    """Word and numbers of a line; the word may hold spaces."""
    parts = line.rstrip(b" \r\n").rsplit(b" ", dim)
    if len(parts) <= dim:
        raise source.error(
            f"line {number} has {len(parts)} fields, a word and {dim} numbers are needed as in line 1; the "
            "file is cut short or damaged"
        )
    return parts[0], b" ".join(parts[1:])


def _read_line(source: Source, number: int, dim: int) -> tuple[bytes, bytes]:
    """Word and numbers of a line, once it has the right number of fields."""
    longest = MAX_WORD_BYTES + dim * MAX_NUMBER_BYTES
    line = source.file.readline(longest)
    if not line:
        raise source.error(
            f"ends before line {number}; the file is cut short or line 1 declares too many words"
        )
    if len(line) == longest:
        raise source.error(f"line {number} is longer than {longest:,} bytes; is this a text file?")
    line = line.rstrip(b" \r\n")
    word, _, numbers = line.partition(b" ")
    n_fields = numbers.count(b" ") + 2
    if n_fields == dim + 1 and numbers:
        return word, numbers
    if n_fields > dim + 1:
        spaced = line.rsplit(b" ", dim)[0][:60].decode(errors="backslashreplace")
        cure = f"is {spaced!r} a word with a space? Write it with --escape"
    else:
        cure = "the line is cut short or line 1 declares another dim"
    raise source.error(
        f"line {number} has {line.count(b' ') + 1} fields, a word and {dim} numbers are needed; {cure}"
    )
