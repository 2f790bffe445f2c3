"""Embeddings as Python and notebooks meet them: shown, compared, hashed and pickled."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastw2v.vectors.embeddings import Embeddings

WORDS = ["<script>", "a & b", "c", "d", "e", "f"]
MATRIX = np.arange(42, dtype=np.float32).reshape(6, 7)


@pytest.fixture
def vectors() -> Embeddings:
    return Embeddings(WORDS, MATRIX, -MATRIX, np.array([60_000, 5, 4, 3, 2, 1]))


def test_html__is_a_small_table(vectors: Embeddings) -> None:
    table = ET.fromstring(vectors._repr_html_())
    assert table.findtext("caption") == "6 words x 7"
    assert [cell.text for cell in table.iter("th")] == ["word", "count", *"01234", "…"]
    rows = [[cell.text for cell in row] for row in table.iterfind("tbody/tr")]
    assert [row[0] for row in rows] == WORDS[:5]
    assert rows[0] == ["<script>", "60,000", "0.0000", "1.0000", "2.0000", "3.0000", "4.0000", "…"]


def test_html__of_few_numbers_and_no_counts() -> None:
    table = ET.fromstring(Embeddings(["a"], np.ones((1, 2), np.float32))._repr_html_())
    assert [cell.text for cell in table.iter("th")] == ["word", "count", "0", "1"]
    assert [cell.text for cell in table.iter("td")] == ["a", None, "1.0000", "1.0000"]


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "copies": ({"words": list(WORDS), "center_vectors": MATRIX.copy(), "outside_vectors": -MATRIX}, True),
    "counts": ({"counts": None}, True),
    "words": ({"words": ["x", *WORDS[1:]]}, False),
    "center": ({"center_vectors": MATRIX + 1}, False),
    "outside": ({"outside_vectors": MATRIX}, False),
    "no outside": ({"outside_vectors": None}, False),
    "dim": ({"center_vectors": MATRIX[:, :3].copy(), "outside_vectors": None}, False),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_equality__is_of_words_and_vectors(vectors: Embeddings, change: Any, expected: bool) -> None:
    other = replace(vectors, **change)
    assert (vectors == other) is (other == vectors) is expected
    assert (vectors != other) is not expected
    if expected:
        assert hash(vectors) == hash(other)


def test_equality__with_what_are_no_embeddings(vectors: Embeddings) -> None:
    assert vectors == vectors
    assert (vectors == WORDS, vectors != WORDS) == (False, True)
    assert len({vectors, replace(vectors)}) == 1


def test_pickle__holds_the_fields_alone(vectors: Embeddings) -> None:
    assert (vectors.index["c"], vectors.norms.shape) == (2, (6,))  # kept from now on
    again = pickle.loads(pickle.dumps(vectors))
    assert vars(again).keys() == {
        *("words", "center_vectors", "outside_vectors", "counts", "made_of"),
        *("outside_words", "outside_counts"),
    }
    assert again == vectors
    assert np.array_equal(again.counts, vectors.counts)
    assert again.nearest("c", 1) == vectors.nearest("c", 1)
