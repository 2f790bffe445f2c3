"""Walks: kernel and reference on the same draws, and the chances of every step against enumeration."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from fastw2v.corpus.graphs.read import read_graph
from fastw2v.kernels import walks as kernels
from fastw2v.model.graphs import Graph, Walks, bias_of
from fastw2v.model.streams import drawn_place
from fastw2v.reference import walks as reference

LENGTH = 11
# DeepWalk; the paper's two corners; and what makes rejection fail, so that all edges are weighed.
PARAMETERS = [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (0.01, 100.0), (100.0, 0.01)]


@functools.cache
def small_graph(weighted: bool, directed: bool, n_nodes: int = 12, n_edges: int = 30) -> Graph:
    """Drawn edges, with a loop and, if it is directed, a node that none leaves."""
    rng = np.random.default_rng(3)
    ends = rng.integers(0, n_nodes, (n_edges, 2)).tolist()
    rows: list[tuple[Any, ...]] = [(int(source), int(target)) for source, target in [*ends, [2, 2]]]
    if weighted:
        rows = [(*row, weight) for row, weight in zip(rows, rng.exponential(1, len(rows)), strict=True)]
    if directed:
        rows = [row for row in rows if row[0] != 5] + [(1, 5, 2.0)[: len(rows[0])]]
    return read_graph(rows, directed=directed).graph


def walked(
    graph: Graph, p: float, q: float, first: int, n: int, length: int = LENGTH, workers: int = 2
) -> Any:
    """So many walks by the kernel, moved together: ids and lengths."""
    ids = np.empty(n * length, np.int32)
    walks = Walks(np.uint64(99), length)
    lengths = kernels.walk_in_threads(graph, bias_of(p, q), walks, first, ids, workers)
    return ids[: kernels.close_up(ids, lengths, length)], lengths


@pytest.mark.parametrize(("p", "q"), PARAMETERS)
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_make_walks__kernel_and_reference_agree_on_the_same_draws(
    weighted: bool, directed: bool, p: float, q: float
) -> None:
    graph = small_graph(weighted, directed)
    n = 2 * graph.n_nodes
    walks = Walks(np.uint64(99), LENGTH)
    expected_ids, expected_lengths = reference.make_walks(graph, bias_of(p, q), walks, 3, n)
    ids, lengths = walked(graph, p, q, 3, n)
    assert lengths.tolist() == expected_lengths.tolist()
    assert ids.tolist() == expected_ids.tolist()
    assert bool((lengths < LENGTH).any()) == directed


@pytest.mark.parametrize(("p", "q"), PARAMETERS)
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_steps__have_the_chances_of_enumeration(weighted: bool, directed: bool, p: float, q: float) -> None:
    """Every step from v, of every walk that came from t, against node2vec's π: χ² within five deviations."""
    graph, length = small_graph(weighted, directed), 40
    ids, lengths = walked(graph, p, q, 0, 1000 * graph.n_nodes, length)
    n, bias = graph.n_nodes, bias_of(p, q)
    counts = np.zeros((n + 1, n, n))  # of t, v, x; t = n at the start of a walk
    ends = np.cumsum(lengths)
    is_first = np.zeros(len(ids) + 1, bool)
    is_first[[0, *ends]] = True
    steps = np.flatnonzero(~is_first[1 : len(ids)])  # from each of these positions to the next
    before = np.where(is_first[steps], n, ids[steps - 1])
    np.add.at(counts, (before, ids[steps], ids[steps + 1]), 1)
    chi_square = freedom = 0.0
    for t, v in np.argwhere(counts.sum(axis=2) > 0):
        expected = np.zeros(n)
        own = reference.step_probabilities(graph, bias, -1 if t == n else int(t), int(v))
        expected[reference.neighbours_of(graph, int(v))] = own * counts[t, v].sum()
        assert not counts[t, v][expected == 0].any()
        common = expected >= 5
        chi_square += float((((counts[t, v] - expected) ** 2)[common] / expected[common]).sum())
        freedom += max(common.sum() - 1, 0)
    assert freedom > n
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


def test_step_probabilities__are_those_of_the_paper() -> None:
    """Figure 2 of Grover & Leskovec: from t to v; x1 is near t, x2 and x3 are not."""
    read = read_graph([("t", "v"), ("t", "x1"), ("v", "x1"), ("v", "x2"), ("v", "x3")])
    nodes = {name: i for i, name in enumerate(read.names)}
    actual = reference.step_probabilities(read.graph, bias_of(0.5, 4.0), nodes["t"], nodes["v"])
    neighbours = reference.neighbours_of(read.graph, nodes["v"]).tolist()
    by_name = {read.names[x]: actual[i] for i, x in enumerate(neighbours)}
    total = 1 / 0.5 + 1 + 2 / 4
    expected = {"t": 2 / total, "x1": 1 / total, "x2": 0.25 / total, "x3": 0.25 / total}
    assert by_name == pytest.approx(expected)


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_make_walks__do_not_depend_on_workers_or_cuts(n_workers: int) -> None:
    graph, n = small_graph(True, True), 3 * kernels.WALKS_A_CALL + 17
    whole, lengths = walked(graph, 0.5, 2.0, 0, n, workers=n_workers)
    one, _ = walked(graph, 0.5, 2.0, 0, n, workers=1)
    assert whole.tobytes() == one.tobytes()
    second, _ = walked(graph, 0.5, 2.0, 100, n - 100, workers=n_workers)
    assert whole[lengths[:100].sum() :].tobytes() == second.tobytes()


def test_make_walks__begin_at_each_node_once_a_round_in_another_order() -> None:
    graph = small_graph(False, False)
    ids, _ = walked(graph, 1.0, 1.0, 0, 3 * graph.n_nodes)
    starts = ids[::LENGTH].reshape(3, -1)
    assert [sorted(row) for row in starts.tolist()] == [list(range(graph.n_nodes))] * 3
    assert len({tuple(row) for row in starts.tolist()}) == 3


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 1000])
def test_drawn_place__is_a_permutation_that_the_key_decides(n: int) -> None:
    places = [drawn_place(7, position, n) for position in range(n)]
    assert sorted(places) == list(range(n))
    assert n < 5 or places != [drawn_place(8, position, n) for position in range(n)]


def test_drawn_place__puts_every_position_everywhere() -> None:
    """Over many keys, within five deviations of as often."""
    n, n_keys = 6, 6000
    counts = np.zeros((n, n))
    for key in range(n_keys):
        for position in range(n):
            counts[position, drawn_place(key * 0x9E3779B97F4A7C15, position, n)] += 1
    expected = n_keys / n
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)
