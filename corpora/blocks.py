"""A planted graph: a degree-corrected stochastic block model, whose blocks are known.

Karrer & Newman 2011: an edge takes its first end in proportion to a node's propensity, and its second so
too, within the first one's block, or with a share of MIXED anywhere. Propensities have a heavy tail, as
degrees have.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

MIXED = 0.4  # edges that do not ask for the block
TAIL = 2.5  # of the propensities, a Pareto's exponent
AT_ONCE = 1 << 20


class PlantedGraph(NamedTuple):
    """Edges and truth.

    sources, targets   int32 (n_edges,), neither loops nor edges that are there twice are left out
    blocks             int32 (n_nodes,)
    """

    sources: NDArray[np.int32]
    targets: NDArray[np.int32]
    blocks: NDArray[np.int32]


def planted_graph(n_nodes: int, n_edges: int, n_blocks: int, seed: int = 1) -> PlantedGraph:
    """A graph of so many edges drawn."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, n_blocks, n_nodes).astype(np.int32)
    order = np.argsort(blocks, kind="stable").astype(np.int32)  # nodes of a block together
    sums = np.cumsum(rng.pareto(TAIL, n_nodes)[order] + 1)
    bounds = np.concatenate([[0.0], sums[np.cumsum(np.bincount(blocks, minlength=n_blocks)) - 1]])
    sources, targets = np.empty(n_edges, np.int32), np.empty(n_edges, np.int32)
    for start in range(0, n_edges, AT_ONCE):
        n = min(AT_ONCE, n_edges - start)
        first = order[np.searchsorted(sums, rng.random(n) * sums[-1], "right")]
        low, high = bounds[blocks[first]], bounds[blocks[first] + 1]
        is_mixed = rng.random(n) < MIXED
        low, high = np.where(is_mixed, 0.0, low), np.where(is_mixed, sums[-1], high)
        second = np.searchsorted(sums, low + rng.random(n) * (high - low), "right")
        sources[start : start + n] = first
        targets[start : start + n] = order[np.minimum(second, n_nodes - 1)]
    return PlantedGraph(sources, targets, blocks)


def write_edges(graph: PlantedGraph, folder: Path) -> tuple[Path, Path]:
    """The edges as Parquet, and as lines parted by tabs."""
    table, lines = folder / "edges.parquet", folder / "edges.tsv"
    pq.write_table(pa.table({"source": graph.sources, "target": graph.targets}), table)
    with lines.open("w") as file:
        for start in range(0, len(graph.sources), AT_ONCE):
            ends = (part[start : start + AT_ONCE].tolist() for part in (graph.sources, graph.targets))
            file.writelines(f"{source}\t{target}\n" for source, target in zip(*ends, strict=True))
    return table, lines
