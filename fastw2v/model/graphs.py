"""A graph as walks see it, and how they choose their steps: arrays and numbers, NumPy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Graph(NamedTuple):
    """Compressed rows: the neighbours of node v are neighbours[offsets[v]:offsets[v + 1]], ascending.

    offsets     int64 (n_nodes + 1,)
    neighbours  int32 (n_entries,); an undirected edge has an entry in the rows of both its nodes
    sums        float64 (n_entries,), running sums of the weights within each row; empty where all are equal
    words       int32 (n_nodes,), the id that each node has in the vocabulary
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    sums: NDArray[np.float64]
    words: NDArray[np.int32]

    @property
    def n_nodes(self) -> int:
        """Of which none is without an edge."""
        return len(self.offsets) - 1

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        return sum(array.nbytes for array in self)


class Bias(NamedTuple):
    """What a step from v to x weighs beside the edge's weight, for a walk that came to v from t.

    node2vec (Grover & Leskovec 2016, section 3.2): 1/p where x is t, 1 where there is an edge from t to x,
    1/q elsewhere; in a directed graph too the distance is from t to x. With p = q = 1 that is DeepWalk.

    back     1/p
    away     1/q
    most     the largest of all three
    """

    back: float
    away: float
    most: float


def bias_of(p: float, q: float) -> Bias:
    """The weights for a return parameter p and an in-out parameter q."""
    return Bias(1 / p, 1 / q, max(1 / p, 1.0, 1 / q))


class Walks(NamedTuple):
    """The walks of an epoch, which have numbers: walk i of n_nodes · walks starts in round i // n_nodes.

    key      uint64, of the epoch
    length   nodes of a walk that meets no dead end
    """

    key: np.uint64
    length: int
