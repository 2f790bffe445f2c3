"""All-but-the-top: vectors without what all of them share, their mean and their first principal components.

Mu, Bhat and Viswanath 2018 (arXiv 1702.01417): v' = (v - μ) - Σ_i (u_iᵀ(v - μ)) u_i over the first N
principal components u_i of the vectors less their mean μ, all words alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options import checks

CHUNK_NUMBERS = 1 << 20  # 8 MB of float64 at a time


def require_components(n: int | None, dim: int) -> int | None:
    """The number of components to remove from vectors of dim; raises UsageError for one that cannot be."""
    if n is None:
        return None
    n = checks.whole("remove_components", n, 0, checks.NO_LIMIT)
    if n >= dim:
        raise UsageError(
            f"remove_components is {n}, and the vectors have dim {dim}: give 0 (the mean alone) to {dim - 1}",
            ("remove_components",),
        )
    return n


def without_components(matrix: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """A copy of float32 (n_words, dim) less the mean of all rows and the first n principal components.

    Beside the copy it takes dim x dim float64 and a few chunks of rows. Rows that are not finite have no
    mean: the matrix is returned as it is, for others to find them. MemoryError when the memory cannot be had.
    """
    rows = max(1, CHUNK_NUMBERS // matrix.shape[1])
    chunks = range(0, len(matrix), rows)
    changed: NDArray[np.float32] = np.empty(matrix.shape, np.float32)
    sums = [matrix[start : start + rows].sum(axis=0, dtype=np.float64) for start in chunks]
    mean: NDArray[np.float64] = np.sum(sums, axis=0) / len(matrix)
    if not np.isfinite(mean).all():
        return matrix
    top = principal_components(matrix, mean, n, rows)
    for start in chunks:
        centred = matrix[start : start + rows] - mean
        changed[start : start + rows] = centred - (centred @ top) @ top.T
    return changed


def principal_components(
    matrix: NDArray[np.float32], mean: NDArray[np.float64], n: int, rows: int
) -> NDArray[np.float64]:
    """The directions in which rows differ most from their mean, float64 (dim, n), of length 1 each.

    rows   to take at a time
    """
    dim = matrix.shape[1]
    scatter = np.zeros((dim, dim))
    for start in range(0, len(matrix) if n else 0, rows):
        centred = matrix[start : start + rows] - mean
        scatter += centred.T @ centred
    components: NDArray[np.float64] = np.linalg.eigh(scatter)[1][:, dim - n :]
    return components
