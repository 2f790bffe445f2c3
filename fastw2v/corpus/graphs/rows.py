"""Edges to compressed rows: each node's neighbours in one stretch, ascending, none twice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError
from fastw2v.kernels.jit import bare_jit


class Edges(NamedTuple):
    """Edges between numbered nodes, as they came.

    sources, targets   int32 (n_edges,)
    weights            float64 (n_edges,), none below 0; None where there are none
    """

    sources: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float64] | None


class Rows(NamedTuple):
    """Compressed rows (CSR): the neighbours of node v are neighbours[offsets[v]:offsets[v + 1]].

    offsets     int64 (n_nodes + 1,)
    neighbours  int32 (n_entries,)
    weights     float64 (n_entries,); None where all are equal
    n_repeated  edges that were there before, in either direction of an undirected graph
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float64] | None
    n_repeated: int


def rows_of(edges: Edges, n_nodes: int, *, directed: bool) -> Rows:
    """The rows of edges, each of an undirected graph in both directions.

    An edge that is repeated counts once, or where there are weights with the sum of them: edges of weight 0
    do not count. Equal weights are none.
    """
    sources, targets, weights = edges
    if weights is not None and not weights.all():
        is_there = weights != 0
        sources, targets, weights = sources[is_there], targets[is_there], weights[is_there]
    keys, weights = keys_of(Edges(sources, targets, weights), n_nodes, directed=directed)
    n_given, n_loops = len(keys), int(np.count_nonzero(sources == targets))
    if weights is None:
        keys.sort()
    else:
        order = np.argsort(keys, kind="stable")
        keys, weights = keys[order], weights[order]
        del order
    is_first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    if not is_first.all():
        weights = None if weights is None else np.add.reduceat(weights, np.flatnonzero(is_first))
        keys = keys[is_first]
    if weights is not None and len(weights) and weights.min() == weights.max():
        weights = None
    offsets = np.searchsorted(keys, np.arange(n_nodes + 1, dtype=np.int64) * n_nodes)
    n_repeated = n_given - len(keys)
    if not directed:
        n_kept_loops = int((keys // n_nodes == keys % n_nodes).sum()) if n_loops else 0
        n_repeated = (n_given - n_loops - len(keys) + n_kept_loops) // 2 + n_loops - n_kept_loops
    keys %= n_nodes
    return Rows(offsets.astype(np.int64), keys.astype(np.int32), weights, n_repeated)


def keys_of(
    edges: Edges, n_nodes: int, *, directed: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Row and column of each entry in one number, int64 (n_entries,), and its weight.

    Written in place: of ten million edges every further copy of both ends would be 160 MB.
    """
    sources, targets, weights = edges
    n_edges = len(sources)
    mirrored = np.empty(0, np.int64) if directed else np.flatnonzero(sources != targets)
    keys = np.empty(n_edges + len(mirrored), np.int64)
    keys[:n_edges] = sources
    keys[n_edges:] = targets[mirrored]
    keys *= n_nodes
    keys[:n_edges] += targets
    keys[n_edges:] += sources[mirrored]
    return keys, None if weights is None else np.concatenate([weights, weights[mirrored]])


def without_isolated(rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """The rows without nodes that no edge leaves or enters, and the numbers that the others had."""
    has_edge = np.diff(rows.offsets) > 0
    has_edge[rows.neighbours] = True
    kept = np.flatnonzero(has_edge)
    if len(kept) == len(has_edge):
        return rows, kept
    numbers = np.cumsum(has_edge, dtype=np.int32) - np.int32(1)
    offsets = np.append(rows.offsets[kept], rows.offsets[-1])
    return rows._replace(offsets=offsets, neighbours=numbers[rows.neighbours]), kept


def running_sums(rows: Rows) -> NDArray[np.float64]:
    """The running sums of the weights within each row, float64 (n_entries,); empty where all are equal.

    Raises CorpusError where they exceed the finite numbers.
    """
    if rows.weights is None:
        return np.empty(0)
    add_up(rows.offsets, rows.weights)
    if not np.isfinite(rows.weights).all():
        raise CorpusError("the weights of a node's edges add up to infinity: divide all by the largest")
    return rows.weights


@bare_jit
def add_up(offsets, weights):  # type: ignore[no-untyped-def]
    """Replace weights by their running sums within each row: one sum over all rows would round small ones."""
    for node in range(offsets.shape[0] - 1):
        total = 0.0
        for entry in range(offsets[node], offsets[node + 1]):
            total += weights[entry]
            weights[entry] = total


def is_symmetric(rows: Rows, n_nodes: int) -> bool:
    """Whether each entry has its mirror, of the same weight."""
    sources = np.repeat(np.arange(n_nodes, dtype=np.int32), np.diff(rows.offsets))
    mirrored = rows_of(Edges(rows.neighbours, sources, rows.weights), n_nodes, directed=True)
    if not np.array_equal(mirrored.offsets, rows.offsets):
        return False
    if not np.array_equal(mirrored.neighbours, rows.neighbours):
        return False
    if mirrored.weights is None or rows.weights is None:
        return mirrored.weights is rows.weights
    return bool(np.allclose(mirrored.weights, rows.weights, rtol=1e-6, atol=0))
