"""Edges to compressed rows: each node's neighbours in one stretch, ascending, none twice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import new_pages
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


def rows_of(parts: list[Edges], n_nodes: int, *, directed: bool) -> Rows:
    """The rows of edges, each of an undirected graph in both directions; the parts are given back meanwhile.

    An edge that is repeated counts once, or where there are weights with the sum of them: edges of weight 0
    do not count. Equal weights are none.
    """
    if parts and parts[0].weights is not None:
        edges = joined(parts)
        parts.clear()
        return rows_by_weight(edges, n_nodes, directed=directed)
    offsets, columns = columns_of(parts, n_nodes, directed=directed)
    n_given, n_loops = len(columns), sum(int(np.count_nonzero(part[0] == part[1])) for part in parts)
    if directed:
        counts = np.zeros(n_nodes + 1, np.int64)
        for part in parts:
            count_ends(counts, part.sources)
        row_offsets = np.cumsum(counts)
    else:
        row_offsets = offsets.copy()
    parts.clear()
    neighbours, filled = np.empty(n_given, np.int32), row_offsets[:-1].copy()
    n_kept_loops = fill_rows(row_offsets, filled, neighbours, offsets, columns)
    del columns
    n_kept = close_up(row_offsets, filled, neighbours)
    neighbours.resize(n_kept, refcheck=False)  # in place
    n_repeated = n_given - n_kept
    if not directed:
        n_repeated = (n_repeated - n_loops + n_kept_loops) // 2 + n_loops - n_kept_loops
    return Rows(row_offsets, neighbours, None, n_repeated)


def columns_of(
    parts: list[Edges], n_nodes: int, *, directed: bool
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """By its target each entry's source, as they come: offsets int64 (n_nodes + 1,) and sources int32."""
    counts = np.zeros(n_nodes + 1, np.int64)
    for part in parts:
        count_ends(counts, part.targets)
        if not directed:
            count_mirrored(counts, part.sources, part.targets)
    offsets = np.cumsum(counts)
    columns, places = new_pages(int(offsets[-1]), np.int32)[: offsets[-1]], offsets[:-1].copy()
    for part in parts:
        fill_columns(places, columns, part.sources, part.targets, not directed)
    return offsets, columns


@bare_jit
def count_ends(counts, ends):  # type: ignore[no-untyped-def]
    """Add to counts[v + 1] how many of the ends are v."""
    for end in ends:
        counts[end + 1] += 1


@bare_jit
def count_mirrored(counts, sources, targets):  # type: ignore[no-untyped-def]
    """The same of the entries by which undirected edges go back: a loop has one entry in all."""
    for i in range(sources.shape[0]):
        if sources[i] != targets[i]:
            counts[sources[i] + 1] += 1


@bare_jit
def fill_columns(places, columns, sources, targets, mirrored):  # type: ignore[no-untyped-def]
    """Put the source of each entry to those of its target, whose next place is places[target]."""
    for i in range(sources.shape[0]):
        source, target = sources[i], targets[i]
        columns[places[target]] = source
        places[target] += 1
        if mirrored and source != target:
            columns[places[source]] = target
            places[source] += 1


@bare_jit
def fill_rows(row_offsets, filled, neighbours, offsets, columns):  # type: ignore[no-untyped-def]
    """Put the target of each entry to those of its source, whose next place is filled[source], none twice.

    Targets come in their order, so rows need no sorting: no keys of 8 bytes an entry, and a repeated one
    is the last of its row. Returns how many nodes have an edge to themselves.
    """
    n_loops = 0
    for target in range(offsets.shape[0] - 1):
        for entry in range(offsets[target], offsets[target + 1]):
            source = columns[entry]
            place = filled[source]
            if place == row_offsets[source] or neighbours[place - 1] != target:
                neighbours[place] = target
                filled[source] = place + 1
                n_loops += source == target
    return n_loops


@bare_jit
def close_up(offsets, filled, neighbours):  # type: ignore[no-untyped-def]
    """Move rows together that end at filled[v]; offsets become theirs. Returns how many entries there are."""
    n = 0
    for node in range(filled.shape[0]):
        first = offsets[node]
        offsets[node] = n
        for entry in range(first, filled[node]):
            neighbours[n] = neighbours[entry]
            n += 1
    offsets[filled.shape[0]] = n
    return n


def joined(parts: list[Edges]) -> Edges:
    """Weighted edges in one."""
    sources, targets, weights = zip(*parts, strict=True)
    return Edges(np.concatenate(sources), np.concatenate(targets), np.concatenate(weights))


def rows_by_weight(edges: Edges, n_nodes: int, *, directed: bool) -> Rows:
    """The rows of weighted edges, by sorting: the weights of a repeated one are added as they came."""
    sources, targets, weights = edges
    assert weights is not None
    if not weights.all():
        is_there = weights != 0
        sources, targets, weights = sources[is_there], targets[is_there], weights[is_there]
    keys, weights = keys_of(Edges(sources, targets, weights), n_nodes, directed=directed)
    n_given, n_loops = len(keys), int(np.count_nonzero(sources == targets))
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    del order
    is_first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    if not is_first.all():
        weights = np.add.reduceat(weights, np.flatnonzero(is_first))
        keys = keys[is_first]
    equal = len(weights) > 0 and weights.min() == weights.max()
    offsets = np.searchsorted(keys, np.arange(n_nodes + 1, dtype=np.int64) * n_nodes)
    n_repeated = n_given - len(keys)
    if not directed:
        n_kept_loops = int((keys // n_nodes == keys % n_nodes).sum()) if n_loops else 0
        n_repeated = (n_given - n_loops - len(keys) + n_kept_loops) // 2 + n_loops - n_kept_loops
    keys %= n_nodes
    return Rows(offsets.astype(np.int64), keys.astype(np.int32), None if equal else weights, n_repeated)


def keys_of(edges: Edges, n_nodes: int, *, directed: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row and column of each entry in one number, int64 (n_entries,), and its weight.

    Written in place: of ten million edges every further copy of both ends would be 160 MB.
    """
    sources, targets, weights = edges
    assert weights is not None
    n_edges = len(sources)
    mirrored = np.empty(0, np.int64) if directed else np.flatnonzero(sources != targets)
    keys = np.empty(n_edges + len(mirrored), np.int64)
    keys[:n_edges] = sources
    keys[n_edges:] = targets[mirrored]
    keys *= n_nodes
    keys[:n_edges] += targets
    keys[n_edges:] += sources[mirrored]
    return keys, np.concatenate([weights, weights[mirrored]])


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
    mirrored = rows_of([Edges(rows.neighbours, sources, rows.weights)], n_nodes, directed=True)
    if not np.array_equal(mirrored.offsets, rows.offsets):
        return False
    if not np.array_equal(mirrored.neighbours, rows.neighbours):
        return False
    if mirrored.weights is None or rows.weights is None:
        return mirrored.weights is rows.weights
    return bool(np.allclose(mirrored.weights, rows.weights, rtol=1e-6, atol=0))
