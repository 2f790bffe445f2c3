"""The matrices of a checkpoint, read and written in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError
from fastw2v.system.files import atomic_writer

CHUNK_ROWS = 4096


def read_matrix(path: Path, matrix: NDArray[np.float32]) -> None:
    """Fill a float32 (n_words, dim) matrix, which may be a view with padded rows, in chunks.

    Raises CorpusError for a file of another shape or type, or one that ends too early.
    """
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if (shape, dtype) != (matrix.shape, np.dtype("<f4")):
                raise ValueError(f"{dtype} of shape {shape} instead of float32 {matrix.shape}")
            for rows in _chunks(matrix):
                rows[...] = np.frombuffer(file.read(4 * rows.size), "<f4").reshape(rows.shape)
    except Exception as error:  # a damaged header fails in numpy's reader, in ast or in tokenize
        raise CorpusError(f"{path}: no matrix of this run ({str(error)[:100]})") from error


def _chunks(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (matrix[start : start + CHUNK_ROWS] for start in range(0, len(matrix), CHUNK_ROWS))


def write_matrix(path: Path, matrix: NDArray[np.float32]) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": matrix.shape}
    with atomic_writer(path, size=128 + 4 * matrix.size) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in _chunks(matrix):
            file.write(rows.astype("<f4", copy=False).tobytes())
