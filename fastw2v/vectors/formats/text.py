"""word2vec text: `n_words dim`, then a line `word v1 … vd` for each word; no trailing space.

Numbers are the shortest decimals that read back as the same float32.
"""

from __future__ import annotations

import numpy as np

from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import Source, VectorTable, chunks, header, read_header
from fastw2v.vectors.formats.decimals import format_rows, parse_numbers
from fastw2v.vectors.formats.tokens import MAX_WORD_BYTES

MAX_NUMBER_BYTES = 64


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
    n_words, n_read, matrix = read_header(source, bytes_per_number=2)
    words: list[str] = []
    for start, rows in chunks(matrix):
        lines = [_read_line(source, start + i + 2, rows.shape[1]) for i in range(len(rows))]
        words.extend(source.word(word, f"line {start + i + 2}") for i, (word, _) in enumerate(lines))
        numbers = b" ".join([numbers for _, numbers in lines])
        rows.reshape(-1)[:] = parse_numbers(numbers)
        if not np.isfinite(rows).all():
            place = int(np.argmin(np.isfinite(rows)))
            wrong = numbers.split(b" ")[place][:40].decode(errors="backslashreplace")
            raise source.error(f"line {start + place // rows.shape[1] + 2}: {wrong!r} is no finite float32")
    if n_read == n_words and source.file.read(1):
        raise source.error(f"goes on after the {n_words:,} words that line 1 declares; correct one of them")
    return Embeddings(words, matrix)


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
