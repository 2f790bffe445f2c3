"""Held-out last items: worked by hand, and against a plain loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.next_item import evaluate_next_item

CIRCLE = np.array([[1, 0], [1, 0.2], [1, 0.5], [0, 1], [-1, 0]], dtype=np.float32)
FIVE = Embeddings(list("abcde"), CIRCLE)


def sequences(*rows: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return np.array([item for row in rows for item in row], dtype=np.int64), offsets


def test_evaluate_next_item__worked_by_hand() -> None:
    # nearest to a are b, c, d, e: ranks 1, 2 and 4
    actual = evaluate_next_item(FIVE, *sequences([3, 0, 1], [0, 2], [4, 4, 0, 4]), k=2)
    assert actual.hit_rate == pytest.approx(2 / 3)
    assert actual.ndcg == pytest.approx((1 + 1 / math.log2(3)) / 3)
    assert actual.mrr == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert (actual.k, actual.n_asked, actual.n_sequences) == (2, 3, 3)


def test_evaluate_next_item__asks_what_is_known_before_a_known_last_item() -> None:
    rows = [[0, 1], [0, -1, 1], [0, -1], [1], [-1, 1], [-1, -1], [], [0, 1]]
    actual = evaluate_next_item(FIVE, *sequences(*rows))
    assert (actual.n_asked, actual.n_sequences) == (3, 8)
    assert actual.mrr == 1


def test_evaluate_next_item__items_of_the_query_are_missed() -> None:
    actual = evaluate_next_item(FIVE, *sequences([0, 0]), k=100)
    assert (actual.hit_rate, actual.ndcg, actual.mrr) == (0, 0, 0)
    assert actual.n_asked == 1


def test_evaluate_next_item__ties_rank_the_true_item_last() -> None:
    alike = Embeddings(list("abcd"), np.ones((4, 2), dtype=np.float32))
    assert evaluate_next_item(alike, *sequences([0, 1])).mrr == pytest.approx(1 / 3)


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("context", [1, 3])
def test_evaluate_next_item__is_a_plain_loop(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, outside: bool, context: int
) -> None:
    monkeypatch.setattr("fastw2v.vectors.next_item.SCORE_NUMBERS", 40 * 7)
    center, other = rng.normal(size=(2, 40, 6)).astype(np.float32)
    rows = [rng.integers(-1, 40, rng.integers(0, 6)).tolist() for _ in range(60)]
    ranks = []
    for row in rows:
        known = [item for item in row if item >= 0]
        if not row or row[-1] < 0 or len(known) < 2:
            continue
        *before, target = known
        given = before[-context:]
        vectors = center if outside else center / np.linalg.norm(center, axis=1, keepdims=True)
        scores = (other if outside else vectors) @ vectors[given].mean(axis=0)
        scores[given] = -np.inf
        order = np.argsort(-scores).tolist()
        ranks.append(math.inf if target in given else order.index(target) + 1)
    embeddings = Embeddings([f"i{i}" for i in range(40)], center, other if outside else None)
    actual = evaluate_next_item(embeddings, *sequences(*rows), k=5, context=context)
    assert actual.n_asked == len(ranks) > 20
    assert actual.hit_rate == pytest.approx(np.mean([rank <= 5 for rank in ranks]))
    assert actual.ndcg == pytest.approx(np.mean([1 / math.log2(r + 1) if r <= 5 else 0 for r in ranks]))
    assert actual.mrr == pytest.approx(np.mean([1 / rank for rank in ranks]))


def test_evaluate_next_item__nothing_to_ask() -> None:
    actual = evaluate_next_item(FIVE, *sequences([-1, -1], [2]))
    assert actual.n_asked == 0
    assert math.isnan(actual.hit_rate)
    assert math.isnan(actual.mrr)


@pytest.mark.parametrize("options", [{"k": 0}, {"context": 0}, {"k": "10"}, {"context": 1.5}])
def test_evaluate_next_item__refuses(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"it must be (a whole number, )?at least 1"):
        evaluate_next_item(FIVE, *sequences([0, 1]), **options)
