"""Matrices whose entries are edges: SciPy's sparse ones, and NumPy's compressed rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, UsageError

ROWS = "the given (indptr, indices)"


class Matrix(NamedTuple):
    """Compressed rows as they were given: entry (v, w) is an edge from v to w.

    name        as a message shows it
    offsets     int64 (n_nodes + 1,)
    neighbours  int32 (n_entries,), in any order
    weights     float64 (n_entries,); None where there are none
    """

    name: str
    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float64] | None


def matrix_of(source: Any) -> Matrix | None:
    """What an object holds, if it is a matrix: SciPy's, by its methods, or a tuple of two or three arrays.

    Raises UsageError for one that is not square, and arrays that are no compressed rows, CorpusError for
    weights below 0.
    """
    if hasattr(source, "tocsr") and hasattr(source, "shape"):
        name = f"the {source.shape[0]:,} x {source.shape[-1]:,} matrix"
        if len(source.shape) != 2 or source.shape[0] != source.shape[1]:
            raise UsageError(f"{name} is not square: entry (v, w) is an edge from node v to node w")
        rows = source.tocsr()
        return checked(name, rows.indptr, rows.indices, None if rows.dtype == bool else rows.data)
    is_tuple = isinstance(source, tuple) and len(source) in (2, 3)
    if is_tuple and all(isinstance(part, np.ndarray) and part.ndim == 1 for part in source):
        return checked(ROWS, *source, *([None] if len(source) == 2 else []))
    return None


def checked(
    name: str, offsets: NDArray[Any], neighbours: NDArray[Any], weights: NDArray[Any] | None
) -> Matrix:
    """Compressed rows of the types that they are read in."""
    for array, what in ((offsets, "indptr"), (neighbours, "indices")):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise UsageError(f"{what} of {name} is {array.ndim}-d {array.dtype}: give a 1-d one of integers")
    n_nodes = len(offsets) - 1
    if n_nodes < 1 or offsets[0] != 0 or offsets[-1] != len(neighbours) or (np.diff(offsets) < 0).any():
        raise UsageError(
            f"indptr of {name} must rise from 0 to the {len(neighbours):,} indices: give (indptr, indices), "
            "or (indptr, indices, weights)"
        )
    if len(neighbours) and not 0 <= neighbours.min() <= neighbours.max() < n_nodes:
        wrong = neighbours.min() if neighbours.min() < 0 else neighbours.max()
        raise UsageError(f"indices of {name} hold {wrong}: nodes are from 0 to {n_nodes - 1:,}")
    plain = offsets.astype(np.int64), neighbours.astype(np.int32)
    if weights is None:
        return Matrix(name, *plain, None)
    if weights.shape != neighbours.shape or weights.dtype.kind not in "iufb":
        raise UsageError(
            f"weights of {name} are {weights.dtype} of shape {weights.shape}: each of the "
            f"{len(neighbours):,} indices has one number"
        )
    numbers = weights.astype(np.float64)
    is_bad = ~(np.isfinite(numbers) & (numbers >= 0))
    if is_bad.any():
        entry = int(np.flatnonzero(is_bad)[0])
        row = int(np.searchsorted(plain[0], entry, "right")) - 1
        raise CorpusError(
            f"{name}: the edge from {row} to {neighbours[entry]} has weight {numbers[entry]:g}: weights are "
            "finite and 0 or more; correct it or leave it out"
        )
    return Matrix(name, *plain, numbers)
