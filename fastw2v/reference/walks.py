"""Random walks on a graph, of first and second order, as sentences of ids, and the chances of their steps.

The twin of `fastw2v.kernels.walks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.graphs import Bias, Graph, Walks
from fastw2v.model.streams import GAMMA, MASK, drawn_place, mix64, walk_stream

TRIES = 16


def uniform(bits: int) -> float:
    """A number from 0 to below 1 from a draw of 64 bits, of which 53 count."""
    return (bits >> 11) * 2.0**-53


def weights_of(graph: Graph, node: int) -> NDArray[np.float64]:
    """The weights of a node's row, float64 (degree,)."""
    row = slice(*graph.offsets[node : node + 2])
    return np.diff(graph.sums[row], prepend=0.0) if len(graph.sums) else np.ones(row.stop - row.start)


def neighbours_of(graph: Graph, node: int) -> NDArray[np.int32]:
    """A node's row, int32 (degree,), ascending."""
    return graph.neighbours[slice(*graph.offsets[node : node + 2])]


def step_probabilities(graph: Graph, bias: Bias, before: int, node: int) -> NDArray[np.float64]:
    """The chances of the steps from a node to each of its row, float64 (degree,), by enumeration.

    node2vec (Grover & Leskovec 2016, section 3.2): π_vx = α(t, x) · w_vx, made to add up to 1, with t the
    node before, v the node and x the target; α = 1/p where x = t, 1 where there is an edge from t to x, else
    1/q.

    before   −1 at the start of a walk, where α is 1
    """
    weights = weights_of(graph, node)
    if before >= 0:
        weights = weights * [bias_to(graph, bias, before, target) for target in neighbours_of(graph, node)]
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def chosen_edge(graph: Graph, node: int, bits: int) -> int:
    """The place of an entry in a node's row, drawn in proportion to the weights by one draw."""
    first, end = map(int, graph.offsets[node : node + 2])
    if not len(graph.sums):
        return ((bits >> 32) * (end - first)) >> 32
    wanted = uniform(bits) * graph.sums[end - 1]
    return min(int(np.searchsorted(graph.sums[first:end], wanted, "right")), end - first - 1)


def is_neighbour(graph: Graph, node: int, other: int) -> bool:
    """Whether there is an edge from a node to another."""
    return bool((neighbours_of(graph, node) == other).any())


def bias_to(graph: Graph, bias: Bias, before: int, target: int) -> float:
    """What a step to `target` weighs beside its edge's weight, for a walk that was at `before` last."""
    if target == before:
        return bias.back
    return 1.0 if is_neighbour(graph, before, target) else bias.away


def weighed_edge(graph: Graph, bias: Bias, before: int, node: int, bits: int) -> int:
    """The place of an entry in a node's row, drawn by one draw after all were weighed."""
    weights = weights_of(graph, node)
    reached = np.cumsum(
        weights * [bias_to(graph, bias, before, target) for target in neighbours_of(graph, node)]
    )
    wanted = uniform(bits) * reached[-1]
    return min(int(np.searchsorted(reached, wanted, "right")), len(reached) - 1)


def next_edge(graph: Graph, bias: Bias, before: int, node: int, draws: Iterator[int]) -> int:
    """The place in a node's row of the entry that a walk follows, by rejection.

    before   the node one step ago; −1 at the start of a walk
    """
    edge = chosen_edge(graph, node, next(draws))
    if before < 0 or (bias.back == 1 and bias.away == 1):
        return edge
    neighbours = neighbours_of(graph, node)
    for _ in range(TRIES + len(neighbours)):
        height = uniform(next(draws)) * bias.most
        if height < bias_to(graph, bias, before, neighbours[edge]):
            return edge
        edge = chosen_edge(graph, node, next(draws))
    return weighed_edge(graph, bias, before, node, next(draws))


def make_walk(graph: Graph, bias: Bias, walks: Walks, number: int) -> list[int]:
    """The words of a walk; fewer than its length where it meets a dead end."""
    key, n_nodes = int(walks.key), graph.n_nodes
    turn, position = divmod(number, n_nodes)
    place = drawn_place(mix64((key + turn * GAMMA) & MASK), position, n_nodes)
    draws = walk_stream(key, turn * n_nodes + place)
    before, node = -1, place
    ids = [int(graph.words[node])]
    while len(ids) < walks.length and len(neighbours_of(graph, node)):
        edge = next_edge(graph, bias, before, node, draws)
        before, node = node, int(neighbours_of(graph, node)[edge])
        ids.append(int(graph.words[node]))
    return ids


def make_walks(
    graph: Graph, bias: Bias, walks: Walks, first: int, n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """So many walks from number `first` on, together: ids int32 (n_tokens,), lengths int64 (n,)."""
    made = [make_walk(graph, bias, walks, number) for number in range(first, first + n)]
    return np.array(list(chain(*made)), np.int32), np.array([len(ids) for ids in made], np.int64)
