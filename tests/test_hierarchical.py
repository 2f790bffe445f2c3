"""The hierarchical softmax: its tree, its probabilities, its gradient, its kernel, and what it learns."""

from __future__ import annotations

import heapq
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastw2v
from corpora.small import grouped
from fastw2v import cli
from fastw2v.backends import objective_of
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import Tokens, Vectors
from fastw2v.model.huffman import huffman_tree
from fastw2v.model.plan import (
    LARGEST_MOVE,
    WORDS,
    Estimator,
    HierarchicalSoftmax,
    Pair,
    Paths,
    Plan,
    Schedule,
    SkipGram,
)
from fastw2v.reference.backend import ReferenceBackend
from fastw2v.reference.losses import hierarchical_softmax_loss
from fastw2v.reference.objectives import path_of
from fastw2v.reference.pair import pair_step
from fastw2v.reference.paths import take_errors
from fastw2v.training import train
from tests.gradients import numerical_gradient
from tests.parquet import write_texts

counts_of_words = st.lists(st.integers(0, 50), min_size=2, max_size=40)


def paths(counts: list[int]) -> list[tuple[list[int], list[int]]]:
    """Nodes and codes of each word."""
    tree = huffman_tree(np.array(counts, np.int64))
    return [
        (tree.nodes[start:stop].tolist(), tree.codes[start:stop].tolist())
        for start, stop in itertools.pairwise(tree.offsets.tolist())
    ]


def naive_cost(counts: list[int]) -> int:
    """Σ count·length of Huffman's code by a heap: each merge adds the weight of the node it makes."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


@given(counts_of_words)
def test_huffman_tree__is_a_best_prefix_code(counts: list[int]) -> None:
    found = paths(counts)
    codes = ["".join(map(str, bits)) for _, bits in found]
    assert sum(count * len(code) for count, code in zip(counts, codes, strict=True)) == naive_cost(counts)
    for first, second in itertools.permutations(codes, 2):
        assert not second.startswith(first)
    # A node is one place in the tree: it stands for the bits before it, and every one of them is used.
    prefixes: dict[int, str] = {}
    for nodes, bits in found:
        for step, node in enumerate(nodes):
            prefix = "".join(map(str, bits[:step]))
            assert prefixes.setdefault(node, prefix) == prefix
        assert nodes == sorted(nodes)
    assert sorted(prefixes) == list(range(len(counts) - 1))
    assert prefixes[0] == ""


def test_huffman_tree__hand_worked() -> None:
    """Counts 5, 2, 1, 1: the rarest meet at node 2, that, before its equal, and the second at 1, all at 0."""
    assert paths([5, 2, 1, 1]) == [
        ([0], [0]),
        ([0, 1], [1, 0]),
        ([0, 1, 2], [1, 1, 0]),
        ([0, 1, 2], [1, 1, 1]),
    ]


def test_huffman_tree__of_a_large_vocabulary_is_near_the_entropy() -> None:
    counts = (1e7 / np.arange(1, 100_001)).astype(np.int64)
    tree = huffman_tree(counts)
    share = counts / counts.sum()
    entropy = -(share * np.log2(share)).sum()
    mean = (np.diff(tree.offsets) * share).sum()
    assert entropy <= mean < entropy + 1


def objective(counts: list[int]) -> HierarchicalSoftmax:
    found = objective_of(TrainConfig(loss="hierarchical-softmax"), np.array(counts))
    assert isinstance(found, HierarchicalSoftmax)
    return found


@given(counts_of_words, st.integers(0, 2**32))
def test_loss__probabilities_sum_to_1(counts: list[int], seed: int) -> None:
    rng, n_words = np.random.default_rng(seed), len(counts)
    U, v = rng.normal(0, 2, (n_words, 5)), rng.normal(0, 2, 5)
    losses = [hierarchical_softmax_loss(v, nodes, codes, U).loss for nodes, codes in paths(counts)]
    assert math.fsum(math.exp(-loss) for loss in losses) == pytest.approx(1, rel=1e-12)


def test_loss__gradients_by_finite_differences(rng: Any) -> None:
    counts = [9, 5, 4, 3, 1, 1]
    U, v = rng.normal(size=(6, 7)), rng.normal(size=7)
    for nodes, codes in paths(counts):
        found = hierarchical_softmax_loss(v, nodes, codes, U)

        def loss(v: Any, U: Any, nodes: Any = nodes, codes: Any = codes) -> float:
            return hierarchical_softmax_loss(v, nodes, codes, U).loss

        for_U = numerical_gradient(lambda changed: loss(v, changed), U)
        for_v = numerical_gradient(lambda changed: loss(changed, U), v)
        assert found.grad_outside == pytest.approx(for_U, abs=1e-8)
        assert found.grad_center == pytest.approx(for_v, abs=1e-8)


@pytest.mark.parametrize("inputs", [[4], [4, 1, 4]], ids=["skip-gram", "cbow"])
def test_pair_step__is_the_gradient(inputs: list[int], rng: Any) -> None:
    counts = [9, 5, 4, 3, 1, 1]
    V, U, kind = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), objective(counts)
    for outside, (nodes, codes) in enumerate(paths(counts)):
        assert path_of(kind, outside) == nodes
        vectors, h = Vectors(V.copy(), U.copy()), V[inputs].mean(axis=0)
        expected = hierarchical_softmax_loss(h, nodes, codes, U)
        assert pair_step(vectors, inputs, outside, nodes, kind, (0.3, 0.3)) == pytest.approx(expected.loss)
        np.testing.assert_allclose(vectors.outside, U - 0.3 * expected.grad_outside, rtol=1e-12, atol=1e-14)
        moved = V.copy()
        np.subtract.at(moved, inputs, 0.3 / len(inputs) * expected.grad_center)
        np.testing.assert_allclose(vectors.center, moved, rtol=1e-12, atol=1e-14)


def test_untrained_loss__is_of_the_mean_path() -> None:
    """A third of the tokens take one step, the others 2 and 3 of them: 2·1 + 1·2 + 1·2 over 4."""
    assert objective([2, 1, 1]).untrained_loss(3) == pytest.approx(1.5 * math.log(2))


@pytest.mark.parametrize("architecture", ["skip-gram", "cbow"])
def test_train__finds_the_groups(architecture: Any) -> None:
    corpus = grouped(8, 4000)
    options: dict[str, Any] = {"architecture": architecture, "kernel": "block"}
    if architecture == "cbow":
        options["lr"] = 0.1
    config = TrainConfig(
        dim=16, loss="hierarchical-softmax", sample=0, epochs=5, threads=2, **{"lr": 0.05, **options}
    )
    trained = train(corpus, config)
    assert trained.mean_loss < objective(corpus.vocabulary.counts.tolist()).untrained_loss(40) / 2
    found = [word for word, _ in trained.embeddings.nearest("w0", n=4)]
    assert sorted(found) == ["w1", "w2", "w3", "w4"]
    assert trained.embeddings.outside_vectors is None


def test_train__outside_vectors_are_of_no_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_texts(tmp_path / "c.parquet", *["a b c d"] * 50)
    line = [
        "train",
        str(corpus),
        "-o",
        str(tmp_path / "v.txt"),
        "--loss",
        "hierarchical-softmax",
        "--dim",
        "4",
    ]
    for given_ in (
        ["--save-outside", str(tmp_path / "u.txt")],
        ["--vectors", "sum"],
        ["--freeze", "outside"],
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main([*line, *given_])
        assert caught.value.code == 2
        assert "leave" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main([*line, "--min-count", "1", "--holdout", "0.1", "--sample", "0"])
    assert caught.value.code == 0
    init = fastw2v.train([["a", "b"]] * 20, dim=4, min_count=1, sample=0)
    vectors = fastw2v.train(
        [["a", "b"]] * 20, init=init, min_count=1, sample=0, loss="hierarchical-softmax", lr=1e-9
    )
    np.testing.assert_allclose(vectors.center_vectors, init.center_vectors, atol=1e-5)
    with pytest.raises(UsageError, match="negatives is 9, but loss hierarchical-softmax draws no noise"):
        TrainConfig(loss="hierarchical-softmax", negatives=9)


SENTENCES = [[0, 1, 2, 0, 3, 4, 1], [5, 0], [1, 1, 2]]


def whole_windows(estimator: Estimator) -> tuple[Plan, Tokens]:
    """Skip-gram with windows of two words on either side, of which the near one counts twice as much."""
    counts = np.bincount(np.concatenate(SENTENCES))
    limits = np.full(len(counts), 2**32 - 1, np.uint32)
    plan = Plan(SkipGram(2, 1, 2, limits, weighted=1), WORDS, objective(counts.tolist()), estimator)
    offsets = np.cumsum([0, *map(len, SENTENCES)])
    return plan, Tokens(np.concatenate(SENTENCES).astype(np.int32), offsets.astype(np.int64))


def trained_by(estimator: Estimator, V: Any, U: Any, rate: float) -> tuple[Vectors, Any]:
    """Copies of the matrices after a step of the reference at every centre, and its totals."""
    plan, tokens = whole_windows(estimator)
    backend = ReferenceBackend(plan, Vectors(V.copy(), U.copy()))
    return backend.host(), backend.train(tokens, Schedule(np.uint64(3), 0, 1, rate, rate), 0, 1)


def test_paths__take_the_steps_of_pairs(rng: Any) -> None:
    """By so short steps that none meets another, and to the same loss: each node once is each pair's once."""
    V, U, rate = rng.normal(size=(6, 7)), rng.normal(size=(6, 7)), 1e-7
    (by_pairs, expected), (by_paths, totals) = (trained_by(kind, V, U, rate) for kind in (Pair(), Paths()))
    assert totals.n_pairs == pytest.approx(expected.n_pairs)
    assert totals.loss == pytest.approx(expected.loss, rel=1e-6)
    for ours, theirs, start in zip(by_paths, by_pairs, (V, U), strict=True):
        np.testing.assert_allclose((ours - start) / rate, (theirs - start) / rate, atol=1e-4)


def test_paths__no_step_moves_a_score_too_far(rng: Any) -> None:
    """Rows that are 30 long and rates of 5: the root's score with a centre moves by LARGEST_MOVE at most."""
    outside, h = rng.normal(size=(6, 7)), 30 * rng.normal(size=(1, 7))
    mass = np.full((6, 1), 9.0)
    _, errors, steps = take_errors(outside, np.arange(6), (mass, 0.5 * mass), h, 5.0)
    moved = np.abs(steps) * float(h[0] @ h[0])
    assert moved.max() == pytest.approx(LARGEST_MOVE)
    assert (np.sign(steps) == -np.sign(errors)).all()
