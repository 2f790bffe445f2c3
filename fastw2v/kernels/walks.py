"""Random walks on a graph, of first and second order, as sentences of ids.

The random streams are those of `fastw2v.model.streams`; the twin is `fastw2v.reference.walks`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.backend import run_workers
from fastw2v.kernels.intrinsics import borrowed
from fastw2v.kernels.jit import inner_jit, jit
from fastw2v.kernels.scalar import GAMMA, SHIFT_32, mix64
from fastw2v.model.graphs import Bias, Graph, Walks
from fastw2v.model.streams import FEISTEL_ROUNDS
from fastw2v.model.streams import WALKS as WALK_STREAMS

WALKS = np.uint64(WALK_STREAMS)
ONE = np.uint64(1)
SHIFT_11 = np.uint64(11)
UNIFORM = 2.0**-53  # of 53 random bits makes a number from 0 to below 1
# Edges that are tried, beside as many as the node has, before all are weighed: that costs about as much.
TRIES = 16
WALKS_A_CALL = 1 << 10  # 80,000 nodes: 10 to 30 ms


@inner_jit
def drawn_place(key, position, n):
    """Where a drawn permutation of 0..n − 1 puts a position (`fastw2v.model.streams.drawn_place`)."""
    half = np.uint64(1)
    while (ONE << (half + half)) < n:
        half += ONE
    low = (ONE << half) - ONE
    place = position
    while True:
        left, right = place >> half, place & low
        for turn in range(FEISTEL_ROUNDS):
            mixed = mix64(key + ((np.uint64(turn) << SHIFT_32) | right) * GAMMA) & low
            left, right = right, left ^ mixed
        place = (left << half) | right
        if place < n:
            return place


@inner_jit
def uniform(state):
    """A number from 0 to below 1, float64, from the draw that belongs to a state of the stream."""
    return np.float64(mix64(state) >> SHIFT_11) * UNIFORM


@inner_jit
def weight_of(graph, edge, first):
    """The weight of an entry of a row that starts at `first`."""
    if graph.sums.shape[0] == 0:
        return 1.0
    return graph.sums[edge] - (graph.sums[edge - 1] if edge > first else 0.0)


@inner_jit
def chosen_edge(graph, node, state):
    """The place of an entry of a node's row, drawn in proportion to the weights by one draw."""
    first, end = graph.offsets[node], graph.offsets[node + 1]
    if graph.sums.shape[0] == 0:
        return first + np.int64(((mix64(state) >> SHIFT_32) * np.uint64(end - first)) >> SHIFT_32)
    wanted = uniform(state) * graph.sums[end - 1]
    low, high = first, end - 1
    while low < high:
        middle = (low + high) // 2
        if graph.sums[middle] > wanted:
            high = middle
        else:
            low = middle + 1
    return low


@inner_jit
def is_neighbour(graph, node, other):
    """Whether there is an edge from a node to another, by halving its row."""
    low, high = graph.offsets[node], graph.offsets[node + 1]
    while low < high:
        middle = (low + high) // 2
        if graph.neighbours[middle] < other:
            low = middle + 1
        else:
            high = middle
    return low < graph.offsets[node + 1] and graph.neighbours[low] == other


@inner_jit
def bias_to(graph, bias, before, target):
    """What a step to `target` weighs beside its edge's weight, for a walk that was at `before` last."""
    if target == before:
        return bias.back
    return 1.0 if is_neighbour(graph, before, target) else bias.away


@inner_jit
def weighed_edge(graph, bias, before, node, state):
    """The place of an entry of a node's row, drawn by one draw after all were weighed."""
    first, end = graph.offsets[node], graph.offsets[node + 1]
    total = 0.0
    for edge in range(first, end):
        total += weight_of(graph, edge, first) * bias_to(graph, bias, before, graph.neighbours[edge])
    wanted = uniform(state) * total
    reached = 0.0
    for edge in range(first, end):
        reached += weight_of(graph, edge, first) * bias_to(graph, bias, before, graph.neighbours[edge])
        if reached > wanted:
            return edge
    return end - 1


@inner_jit
def next_edge(graph, bias, before, node, state):
    """The place of the entry that a walk follows from a node, and the state of its stream then.

    By rejection (KnightKing, Yang et al. 2019): an edge drawn by its weight is taken with the share that its
    bias has of the largest. Whether there is an edge from `before` is looked up only where it decides.

    before   the node one step ago; −1 at the start of a walk
    """
    state += GAMMA
    edge = chosen_edge(graph, node, state)
    if before < 0 or (bias.back == 1.0 and bias.away == 1.0):
        return edge, state
    least, most = min(bias.away, 1.0), max(bias.away, 1.0)
    for _ in range(TRIES + graph.offsets[node + 1] - graph.offsets[node]):
        state += GAMMA
        height = uniform(state) * bias.most
        target = graph.neighbours[edge]
        if target == before:
            is_taken = height < bias.back
        elif height < least or height >= most:
            is_taken = height < least
        else:
            is_taken = height < bias_to(graph, bias, before, target)
        if is_taken:
            return edge, state
        state += GAMMA
        edge = chosen_edge(graph, node, state)
    state += GAMMA
    return weighed_edge(graph, bias, before, node, state), state


@inner_jit
def make_walk(graph, bias, walks, number, ids):
    """Write the words of a walk to ids (length,); returns how many: fewer where it meets a dead end."""
    n_nodes = np.uint64(graph.offsets.shape[0] - 1)
    turn, position = number // n_nodes, number % n_nodes
    place = drawn_place(mix64(walks.key + turn * GAMMA), position, n_nodes)
    state = mix64(mix64(walks.key ^ WALKS) + (turn * n_nodes + place) * GAMMA)
    before, node = np.int64(-1), np.int64(place)
    ids[0] = graph.words[node]
    for n in range(1, walks.length):
        if graph.offsets[node] == graph.offsets[node + 1]:
            return n
        edge, state = next_edge(graph, bias, before, node, state)
        before, node = node, np.int64(graph.neighbours[edge])
        ids[n] = graph.words[node]
    return walks.length


@jit
def make_walks(graph, bias, walks, first, ids, lengths):
    """Write walks from number `first` on, as many as lengths int64 (n,) holds, each to its place in ids.

    ids   int32 (n · length,); what a walk that meets a dead end leaves of its place stays as it is
    """
    graph = borrowed(graph)
    for i in range(lengths.shape[0]):
        row = ids[i * walks.length : (i + 1) * walks.length]
        lengths[i] = make_walk(graph, bias, walks, np.uint64(first) + np.uint64(i), row)


@jit
def close_up(ids, lengths, length):
    """Move walks of these lengths together, each from its place of `length` ids; returns how many ids."""
    n = 0
    for i in range(lengths.shape[0]):
        for k in range(lengths[i]):  # a slice assigned would bring the text of its error, 2 s to compile
            ids[n + k] = ids[i * length + k]
        n += lengths[i]
    return n


def walk_in_threads(
    graph: Graph, bias: Bias, walks: Walks, first: int, ids: NDArray[np.int32], n_workers: int
) -> NDArray[np.int64]:
    """Fill ids int32 (n · length,) with walks from number `first` on; returns their lengths, int64 (n,)."""
    lengths = np.empty(len(ids) // walks.length, np.int64)
    starts = range(0, len(lengths), WALKS_A_CALL)
    n_workers = max(1, min(n_workers, len(starts)))

    def work(worker: int) -> None:
        for start in starts[worker::n_workers]:
            end = min(start + WALKS_A_CALL, len(lengths))
            part = ids[start * walks.length : end * walks.length]
            make_walks(graph, bias, walks, first + start, part, lengths[start:end])

    run_workers(work, n_workers)
    return lengths
