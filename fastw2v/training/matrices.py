"""The two matrices of a run in memory: how they lie there, and whether they fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import OutputError
from fastw2v.model.arrays import FLOATS_PER_LINE, padded
from fastw2v.system.machine import free_memory


def aligned_zeros(n_words: int, dim: int, n_behind: int = 0) -> NDArray[np.float32]:
    """Zeros (n_words, padded dim) whose rows start on cache lines; NumPy alone aligns to 16 bytes.

    n_behind   rows that its memory has more, for the copies of cache domains
    """
    width = padded(dim)
    flat = np.zeros((n_words + n_behind) * width + FLOATS_PER_LINE, np.float32)
    skip = (-flat.ctypes.data % 64) // 4
    return flat[skip : skip + n_words * width].reshape(n_words, width)


def unpadded(matrix: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The first dim columns moved together in place: contiguous (n_words, dim), without a second matrix."""
    n_words, width = matrix.shape
    if width == dim:
        return matrix
    flat = matrix.reshape(-1)
    for start in range(0, n_words, 4096):  # a block's copy lands before the rows still to be read
        rows = matrix[start : start + 4096, :dim].reshape(-1)
        flat[start * dim : start * dim + len(rows)] = rows
    return flat[: n_words * dim].reshape(n_words, dim)


def matrix_bytes(n_words: int, dim: int, n_buckets: int = 0, n_outside: int | None = None) -> int:
    """Bytes of the two matrices in training, of which V has rows for buckets of n-grams too.

    n_outside   rows of U, where they are not as many as words
    """
    return (n_words + (n_words if n_outside is None else n_outside) + n_buckets) * padded(dim) * 4


def require_memory(
    n_words: int, dim: int, n_copies: int = 1, n_buckets: int = 0, n_outside: int | None = None
) -> None:
    """Raise OutputError where so many copies of the two matrices cannot fit the memory that is free."""
    need, free = n_copies * matrix_bytes(n_words, dim, n_buckets, n_outside), free_memory()
    if n_buckets:
        need += 4 * n_words * dim  # the vectors of words, which are made of rows in the end
    if free is not None and need > free:
        more, cure = (f" and {n_buckets:,} buckets", "--buckets, ") if n_buckets else ("", "")
        if n_outside is not None:
            more, cure = f" and {n_outside:,} x {dim}", "--outside-max-vocab, "
        raise OutputError(
            f"{('two', 'four')[n_copies > 1]} matrices of {n_words:,} x {dim}{more} need {need / 1e9:.1f} GB "
            f"and {free / 1e9:.1f} GB are free: lower {cure}--dim or --max-vocab, or raise --min-count"
        )
