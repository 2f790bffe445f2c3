"""word2vec binary: `n_words dim` as text, then for each word its bytes, a space, dim little-endian float32, a
line break.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import (
    READ_BYTES,
    Source,
    VectorTable,
    check_finite,
    chunks,
    header,
    read_header,
)
from fastw2v.vectors.formats.tokens import MAX_WORD_BYTES


def write_binary(table: VectorTable) -> None:
    """Write a binary file of a table."""
    n_words, dim = table.matrix.shape
    first_line = header(table.matrix)
    size = len(first_line) + n_words * (4 * dim + 2) + sum(len(word.encode()) for word in table.words)
    with atomic_writer(table.path, size=size) as file:
        file.write(first_line)
        for word, row in zip(table.words, table.matrix, strict=True):
            file.write(b"%b %b\n" % (word.encode(), row.astype("<f4", copy=False).tobytes()))


def read_binary(source: Source) -> Embeddings:
    """Read a binary file; raises CorpusError naming the word that does not fit."""
    n_words, n_read, matrix = read_header(source, bytes_per_number=4)
    records = _binary_records(source, 4 * matrix.shape[1])
    words: list[str] = []
    for start, rows in chunks(matrix):
        chunk = [record for record in itertools.islice(records, len(rows)) if record.vector]
        if len(chunk) < len(rows):
            last = start + len(chunk) + 1
            raise source.error(f"ends within word {last:,} of {n_words:,}; the file is cut short")
        words.extend(source.word(record.word, f"word {i:,}") for i, record in enumerate(chunk, start + 1))
        rows.reshape(-1)[:] = np.frombuffer(b"".join([record.vector for record in chunk]), dtype="<f4")
        check_finite(source, words, start, rows)
    if n_read == n_words and next(records) != _Record(b"", b""):
        raise source.error(f"goes on after the {n_words:,} words that line 1 declares; correct one of them")
    return Embeddings(words, matrix)


class _Record(NamedTuple):
    """Bytes of a word and of its vector."""

    word: bytes
    vector: bytes


def _binary_records(source: Source, vector_bytes: int) -> Iterator[_Record]:
    """The records of a binary file, and at its end what is left, as a word: empty when all is well.

    word2vec.c ends a record with a line break, gensim does not: one is taken off the front of a word.
    """
    buffer, start = b"", 0
    while True:
        space = buffer.find(b" ", start, start + MAX_WORD_BYTES + 2)
        end = space + 1 + vector_bytes
        if space >= 0 and end <= len(buffer):
            yield _Record(buffer[start:space].removeprefix(b"\n"), buffer[space + 1 : end])
            start = end
            continue
        if space < 0 and len(buffer) - start > MAX_WORD_BYTES:
            raise source.error(
                f"holds a word of over {MAX_WORD_BYTES:,} bytes; is this a binary vector file?"
            )
        more = source.file.read(max(READ_BYTES, vector_bytes))
        if not more:
            yield _Record(buffer[start:].removeprefix(b"\n"), b"")
            return
        buffer, start = buffer[start:] + more, 0
