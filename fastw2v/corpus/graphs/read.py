"""A graph from edges of every kind: nodes numbered as they come, rows compressed, none of them isolated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from fastw2v.corpus.graphs.columns import EdgeBatch
from fastw2v.corpus.graphs.matrices import Matrix, matrix_of
from fastw2v.corpus.graphs.numbers import Nodes
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
    """Edges between numbered nodes, in parts as they came, and their names; n_null rows were skipped."""

    parts: list[Edges]
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
    n_edges, n_nodes = sum(len(part.sources) for part in numbered.parts), len(numbered.names)
    if not n_edges:
        raise CorpusError(f"{opened.name}: holds no edge; give a source and a target a row")
    notes = [f"skipped {numbered.n_null:,} rows with a null"] if numbered.n_null else []
    pa.default_memory_pool().release_unused()  # what it would keep of the batches
    rows = rows_of(numbered.parts, n_nodes, directed=directed)
    return finished(opened.name, rows, numbered, n_edges, notes)


def number_nodes(opened: OpenEdges, on_progress: OnEdges | None) -> Numbered:
    """Number nodes in the order in which they come, source before target.

    Raises UsageError where only some of the edges have a weight, and for too many nodes.
    """
    nodes, parts = Nodes(), list[Edges]()
    n_edges = n_null = 0
    for batch in opened.batches:
        if len(batch.sources):
            parts.append(numbered_part(opened.name, batch, nodes, parts))
        n_edges, n_null = n_edges + len(batch.sources), n_null + batch.n_null
        if on_progress:
            on_progress(n_edges / opened.n_rows if opened.n_rows else 0.0, n_edges)
    return Numbered(parts, nodes.names(), n_null)


def numbered_part(name: str, batch: EdgeBatch, nodes: Nodes, before: list[Edges]) -> Edges:
    """The edges of a batch by the numbers of their nodes.

    Raises UsageError where only one side has weights, and for too many nodes.
    """
    if before and (batch.weights is None) != (before[0].weights is None):
        raise UsageError(f"{name}: only some of its edges have a weight: give one to all of them, or to none")
    numbers = nodes.number(batch.sources, batch.targets)
    if len(nodes) > MOST_NODES:
        raise UsageError(f"{name}: has {len(nodes):,} nodes: there may be {MOST_NODES:,}")
    return Edges(numbers[0], numbers[1], batch.weights)


def read_matrix(matrix: Matrix, directed: bool) -> ReadGraph:
    """The graph of a matrix, whose rows are the sources.

    Raises UsageError for one that is not symmetric and not said to be directed.
    """
    n_nodes = len(matrix.offsets) - 1
    sources = np.repeat(np.arange(n_nodes, dtype=np.int32), np.diff(matrix.offsets))
    rows = rows_of([Edges(sources, matrix.neighbours, matrix.weights)], n_nodes, directed=True)
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
    named = Numbered([], [str(i) for i in range(n_nodes)], 0)
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
