"""A graph from edges of every kind: nodes numbered as they come, rows compressed, none of them isolated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.graphs.columns import TEXT, EdgeBatch, in_turn
from fastw2v.corpus.graphs.matrices import Matrix, matrix_of
from fastw2v.corpus.graphs.rows import Edges, Rows, is_symmetric, rows_of, running_sums, without_isolated
from fastw2v.corpus.graphs.tables import OpenEdges, open_edge_files, open_edge_object
from fastw2v.corpus.read import names_files
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.graphs import Graph

MOST_NODES = 2**31 - 2
OnEdges = Callable[[float, int], None]


class ReadGraph(NamedTuple):
    """A graph with the names of its nodes.

    graph     Graph, whose words are the nodes themselves
    names     of its nodes
    n_edges   as they came, without those that are null
    n_null    rows that were skipped
    notes     lines for the user
    """

    graph: Graph
    names: list[str]
    n_edges: int
    n_null: int
    notes: tuple[str, ...]


class Numbered(NamedTuple):
    """Edges between numbered nodes, and the names of these, which are their numbers where there are none."""

    edges: Edges
    names: list[str]
    n_null: int


def read_graph(source: Any, *, directed: bool = False, on_progress: OnEdges | None = None) -> ReadGraph:
    """Read edges into compressed rows.

    source       names of files, of Parquet or text; or an object: a table, pairs, an array (n, 2), a matrix
    directed     edges lead from source to target only
    on_progress  called with the share of rows read, 0 where it is not known, and the edges read so far

    An edge that is repeated counts once, or where there are weights with their sum. Raises UsageError for
    what holds no edges, CorpusError for what cannot be read and for weights that are none.
    """
    if not names_files(source) and (matrix := matrix_of(source)):
        return read_matrix(matrix, directed)
    opened = open_edge_files(source) if names_files(source) else open_edge_object(source)
    numbered = number_nodes(opened, on_progress)
    n_edges, n_nodes = len(numbered.edges.sources), len(numbered.names)
    if not n_edges:
        raise CorpusError(f"{opened.name}: holds no edge; give a source and a target a row")
    notes = [f"skipped {numbered.n_null:,} rows with a null"] if numbered.n_null else []
    pa.default_memory_pool().release_unused()  # 150 MB of ten million edges, which it would keep
    rows = rows_of(numbered.edges, n_nodes, directed=directed)
    return finished(opened.name, rows, numbered._replace(edges=Edges(*no_ends(), None)), n_edges, notes)


def no_ends() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """No edges: those that rows are made of are given back before more is made of the rows."""
    return np.empty(0, np.int32), np.empty(0, np.int32)


def number_nodes(opened: OpenEdges, on_progress: OnEdges | None) -> Numbered:
    """Number nodes in the order in which they come, source before target.

    Raises UsageError where only some of the edges have a weight.
    """
    chunks: list[pa.Array] = []
    weights: list[NDArray[np.float64]] = []
    n_edges = n_null = 0
    for batch in opened.batches:
        keep_batch(opened.name, batch, chunks, weights)
        n_edges, n_null = n_edges + len(batch.sources), n_null + batch.n_null
        if on_progress:
            on_progress(n_edges / opened.n_rows if opened.n_rows else 0.0, n_edges)
    if len({chunk.type for chunk in chunks}) > 1:
        chunks = [chunk.cast(TEXT) for chunk in chunks]
    if not n_edges:
        return Numbered(Edges(*no_ends(), None), [], n_null)
    encoded = pa.chunked_array(chunks).dictionary_encode().unify_dictionaries()
    chunks.clear()
    ends = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    names = encoded.chunk(0).dictionary.cast(TEXT).to_numpy(zero_copy_only=False).tolist()
    if len(names) > MOST_NODES:
        raise UsageError(f"{opened.name}: has {len(names):,} nodes: there may be {MOST_NODES:,}")
    joined = np.concatenate(weights) if weights else None
    return Numbered(Edges(ends[0::2], ends[1::2], joined), names, n_null)


def keep_batch(
    name: str, batch: EdgeBatch, chunks: list[pa.Array], weights: list[NDArray[np.float64]]
) -> None:
    """Put a batch to those before. Raises UsageError where only one side has weights."""
    if not len(batch.sources):
        return
    if chunks and (batch.weights is None) == bool(weights):
        raise UsageError(f"{name}: only some of its edges have a weight: give one to all of them, or to none")
    chunks.append(in_turn(batch.sources, batch.targets))
    if batch.weights is not None:
        weights.append(batch.weights)


def read_matrix(matrix: Matrix, directed: bool) -> ReadGraph:
    """The graph of a matrix, whose rows are the sources.

    Raises UsageError for one that is not symmetric and not said to be directed.
    """
    n_nodes = len(matrix.offsets) - 1
    sources = np.repeat(np.arange(n_nodes, dtype=np.int32), np.diff(matrix.offsets))
    rows = rows_of(Edges(sources, matrix.neighbours, matrix.weights), n_nodes, directed=True)
    del sources
    if not len(rows.neighbours):
        raise CorpusError(f"{matrix.name} holds no edge: all its entries are 0")
    if not directed and not is_symmetric(rows, n_nodes):
        raise UsageError(
            f"{matrix.name} is not symmetric, as an undirected graph's is: set directed, or give A + A.T",
            ("directed",),
        )
    n_loops = int((np.repeat(np.arange(n_nodes), np.diff(rows.offsets)) == rows.neighbours).sum())
    n_edges = len(rows.neighbours) if directed else (len(rows.neighbours) - n_loops) // 2 + n_loops
    named = Numbered(Edges(*no_ends(), None), [str(i) for i in range(n_nodes)], 0)
    return finished(matrix.name, rows._replace(n_repeated=0), named, n_edges, [])


def finished(name: str, rows: Rows, numbered: Numbered, n_edges: int, notes: list[str]) -> ReadGraph:
    """The graph of compressed rows, without isolated nodes, which are told.

    Raises UsageError where fewer than two nodes are left.
    """
    n_nodes, names = len(numbered.names), numbered.names
    rows, kept = without_isolated(rows)
    if len(kept) < n_nodes:
        names = [names[i] for i in kept.tolist()]
        notes = [*notes, f"left out {n_nodes - len(kept):,} nodes without an edge: they get no vector"]
    if len(names) < 2:
        raise UsageError(f"{name}: has {len(names)} nodes with an edge; negative sampling needs at least 2")
    if rows.n_repeated:
        how = "count once" if rows.weights is None else "add their weights"
        notes = [*notes, f"{rows.n_repeated:,} edges are there already, and {how}"]
    words = np.arange(len(names), dtype=np.int32)
    graph = Graph(rows.offsets, rows.neighbours, running_sums(rows), words)
    return ReadGraph(graph, names, n_edges, numbered.n_null, tuple(notes))
