"""Which rows of V stand for a word: its own, or a bag of them; the twin of `fastw2v.kernels.inputs`."""

from __future__ import annotations

import numpy as np

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Inputs, Subwords
from fastw2v.reference.losses import Array


def rows_of(lookup: Inputs, word: int) -> list[int]:
    """The rows of V that a word is the mean of."""
    if not isinstance(lookup, Subwords):
        return [word]
    start, stop = lookup.starts[word], lookup.starts[word + 1]
    return [int(row) for row in lookup.rows[start:stop]]


def read_input(lookup: Inputs, vectors: Vectors, word: int) -> Array:
    """The mean of the word's rows, (dim,)."""
    return np.asarray(vectors.center[rows_of(lookup, word)].mean(axis=0))


def step_input(lookup: Inputs, vectors: Vectors, word: int, share: float, grad: Array) -> None:
    """A step on each of the word's rows, in place: share · grad, not divided by their number."""
    np.subtract.at(vectors.center, rows_of(lookup, word), share * grad)
