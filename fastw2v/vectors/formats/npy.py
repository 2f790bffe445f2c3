"""npy: X.npy, float32 or float16 (n_words, dim), with the words in X.vocab.txt, `word count` a line,
or the words alone where counts are unknown.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.vocabulary import Vocabulary, read_vocabulary, write_vocabulary
from fastw2v.system.files import atomic_writer
from fastw2v.system.marks import without_mark
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import (
    CHUNK_NUMBERS,
    READ_BYTES,
    Source,
    VectorTable,
    allocate,
    check_finite,
    chunks,
)


def vocabulary_path(path: Path) -> Path:
    """Where the words of an npy file are."""
    return path.with_suffix(".vocab.txt")


def write_npy(table: VectorTable) -> None:
    """Both files, the words once the matrix has found room, so that a full disk leaves an old pair a pair."""
    with array_writer(table.path, table.matrix) as file:
        file.flush()
        write_words(table)


def write_words(table: VectorTable) -> None:
    """The words of a table beside its file, with their counts where they are known."""
    path = vocabulary_path(table.path)
    if table.counts is not None:
        write_vocabulary(path, Vocabulary(table.words, table.counts))
        return
    with atomic_writer(path) as words:
        words.writelines(f"{word}\n".encode() for word in table.words)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a C-contiguous array alone as an npy file."""
    with array_writer(path, array):
        pass


@contextlib.contextmanager
def array_writer(path: Path, array: NDArray[Any]) -> Iterator[BinaryIO]:
    """A file that holds the array, to be finished on leaving the block.

    Without numpy's tofile, whose error on a full disk hides that it is one.
    """
    with atomic_writer(path, size=128 + array.nbytes) as file:
        description = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, description)
        numbers = array.reshape(-1)
        for start in range(0, len(numbers), CHUNK_NUMBERS):
            file.write(numbers[start : start + CHUNK_NUMBERS].tobytes())
        yield file


def read_npy(source: Source) -> Embeddings:
    """Read both files; raises CorpusError where they do not fit together or hold no finite float32."""
    stored = map_npy(source, source.path)
    words, counts = words_beside(source, len(stored))
    n_read = len(words)
    matrix = allocate(n_read, stored.shape[1])
    for start, rows in chunks(matrix):
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, found below
            rows[...] = stored[start : start + len(rows)]
        check_finite(source, words, start, rows)
    return Embeddings(words, matrix, counts=counts)


def words_beside(source: Source, n_vectors: int) -> tuple[list[str], NDArray[np.int64] | None]:
    """The words to read, of those in the file beside, without escapes, and their counts if they are known.

    Raises CorpusError where they are not one a vector.
    """
    words, counts = _read_words(source, n_vectors)
    n_read = n_vectors if source.limit is None else min(n_vectors, source.limit)
    words = [source.unescaped(word, f"word {i:,}") for i, word in enumerate(words[:n_read], 1)]
    is_known = counts is not None and counts.any()  # zeros alone are what versions before wrote for unknown
    return words, counts[:n_read] if counts is not None and is_known else None


def _read_words(source: Source, n_vectors: int) -> tuple[list[str], NDArray[np.int64] | None]:
    """Words and counts in the order of the lines, as the vectors are; a Vocabulary is ordered by count."""
    path = vocabulary_path(source.path)
    if (alone := _words_alone(source, path)) is not None:
        if len(alone) != n_vectors:
            raise source.error(
                f"has {n_vectors:,} vectors but {path} {len(alone):,} words; give the one written with it"
            )
        return alone, None
    vocabulary = read_vocabulary(path)
    if len(vocabulary) != n_vectors:
        raise source.error(
            f"has {n_vectors:,} vectors but {path} {len(vocabulary):,} words; give the one written with it"
        )
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        words = [line.rsplit(maxsplit=1)[0] for line in file]
    return words, vocabulary.counts[[vocabulary.index[word] for word in words]]


def _words_alone(source: Source, path: Path) -> list[str] | None:
    """The words of a file whose lines are all one field, without counts; None for any other."""
    try:
        with path.open("rb") as file:
            if len(file.readline(READ_BYTES).split()) != 1:
                return None
            file.seek(0)
            lines = [line.rstrip(b"\r\n") for line in io.BytesIO(without_mark(file.read(), path))]
    except OSError:
        return None  # read_vocabulary says why
    if any(len(line.split()) != 1 for line in lines):
        return None
    return [source.decoded(line, f"{path.name} line {i:,}") for i, line in enumerate(lines, 1)]


def map_npy(source: Source, path: Path, kind: str = "f", axes: int = 2) -> NDArray[Any]:
    """A stored array, memory-mapped: numpy checks its size against the file, and nothing is unpickled.

    kind   f for floats, i for int8
    axes   of the array; the last is not empty

    Raises CorpusError for a file that is none, or holds another array.
    """
    name = "" if path == source.path else f"{path.name} beside it "
    try:
        stored = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header fails in numpy's reader, in ast or in tokenize
        reason = str(error).partition("\n")[0][:100]
        raise source.error(f"{name}is not a readable npy file ({reason}); the file is damaged") from error
    is_kind = stored.dtype == np.int8 if kind == "i" else stored.dtype.kind == kind
    if not is_kind or stored.ndim != axes or stored.shape[-1] < 1:
        needed = {"f": "floats", "i": "int8"}[kind]
        shape = "a matrix" if axes == 2 else "a vector"
        raise source.error(
            f"{name}holds {stored.dtype} of shape {stored.shape}; {shape} of {needed} is needed"
        )
    return cast(NDArray[Any], stored)
