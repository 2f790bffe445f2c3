"""int8: X.int8.npy, int8 (n_words, dim); X.int8.scales.npy, float32 (n_words,); words in X.int8.vocab.txt.

A vector is its row times its scale, the largest of its numbers by 127, so that each row uses all of the 8
bits whatever its length; a row of zeros has the scale 0. Rounding moves a number by at most half a scale.
Cosines need no scales, so that NumPy, usearch and faiss take the matrix as it lies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import Source, VectorTable, allocate, check_finite, chunks
from fastw2v.vectors.formats.npy import (
    array_writer,
    map_npy,
    vocabulary_path,
    words_beside,
    write_array,
    write_words,
)

LARGEST = 127  # of int8, on both sides of 0: -128 has no counterpart


def int8_paths(path: Path) -> list[Path]:
    """The matrix, the scales and the words."""
    return [path, scales_path(path), vocabulary_path(path)]


def scales_path(path: Path) -> Path:
    """Where the scales of a matrix are."""
    return path.with_suffix(".scales.npy")


def write_int8(table: VectorTable) -> None:
    """Write the three files, the small ones once the matrix has found room."""
    numbers, scales = quantised(table.matrix)
    with array_writer(table.path, numbers) as file:
        file.flush()
        write_array(scales_path(table.path), scales)
        write_words(table)


def quantised(matrix: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 (n_words, dim) and float32 scales (n_words,) of a matrix of floats.

    A number is the nearest multiple of its row's scale, max|x| / 127.
    """
    numbers = np.empty(matrix.shape, np.int8)
    scales = np.empty(len(matrix), np.float32)
    for start, rows in chunks(matrix):
        part = slice(start, start + len(rows))
        scales[part] = np.abs(rows).max(axis=1) / np.float32(LARGEST)
        # In float64: of the smallest floats the scale is rounded down, and the quotient is then over 127.
        divisors = np.where(scales[part] > 0, scales[part], 1).astype(np.float64)
        exact = rows / divisors[:, np.newaxis]
        numbers[part] = np.rint(exact).clip(-LARGEST, LARGEST)
    return numbers, scales


def read_int8(source: Source) -> Embeddings:
    """Read the three files; raises CorpusError where they do not fit together or a number is not finite."""
    stored = map_npy(source, source.path, "i")
    scales = map_npy(source, scales_path(source.path), axes=1)
    if len(scales) != len(stored):
        raise source.error(
            f"has {len(stored):,} vectors but {scales_path(source.path)} {len(scales):,} scales; give the "
            "one written with it"
        )
    words, counts = words_beside(source, len(stored))
    matrix = allocate(len(words), stored.shape[1])
    for start, rows in chunks(matrix):
        part = slice(start, start + len(rows))
        with np.errstate(over="ignore"):  # found on the next line
            rows[...] = stored[part] * scales[part, np.newaxis].astype(np.float32)
        check_finite(source, words, start, rows)
    return Embeddings(words, matrix, counts=counts)
