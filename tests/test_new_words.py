"""Where words that join a model start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.training import new_words
from fastw2v.training.new_words import Around, mean_contexts, with_new_words
from fastw2v.vectors.embeddings import Embeddings

CONFIG = TrainConfig(dim=8, window=5, sample=0.0, seed=3)


def naive_contexts(
    corpus: Corpus, around: Around, matrix: NDArray[np.float32], most: int
) -> NDArray[np.float64]:
    """What `mean_contexts` gives for one matrix, word by word."""
    sums, totals = np.zeros((around.n_slots, matrix.shape[1])), np.zeros(around.n_slots)
    seen = [0] * around.n_slots
    for start, end in zip(corpus.offsets[:-1].tolist(), corpus.offsets[1:].tolist(), strict=True):
        for i in range(start, end):
            slot = int(around.slot_of[corpus.ids[i]])
            if slot < 0:
                continue
            seen[slot] += 1
            if seen[slot] > most:
                continue
            for j in range(max(start, i - around.window), min(end, i + around.window + 1)):
                row, weight = int(around.row_of[corpus.ids[j]]), float(around.weights[corpus.ids[j]])
                if j != i and row >= 0:
                    sums[slot] += weight * matrix[row]
                    totals[slot] += weight
    means: NDArray[np.float64] = sums / np.maximum(totals, 1e-30)[:, None]
    return means


@pytest.mark.parametrize("window", [1, 4])
def test_mean_contexts__are_those_of_a_plain_loop(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where parts of the corpus and of its occurrences end in the middle."""
    for name, size in (("PART_TOKENS", 37), ("AT_ONCE", 5), ("FIRST", 9)):
        monkeypatch.setattr(new_words, name, size)
    rng = np.random.default_rng(0)
    rows = [[f"w{i}" for i in rng.integers(0, 20, rng.integers(1, 12))] for _ in range(60)]
    corpus = read_corpus(rows, min_count=1)
    matrix = rng.normal(size=(11, 3)).astype(np.float32)
    row_of, slot_of = np.full((2, len(corpus.vocabulary)), -1, np.int64)
    row_of[4:15], slot_of[10:20] = np.arange(11), np.arange(10)
    weights = rng.random(len(corpus.vocabulary)).astype(np.float32)
    around = Around(row_of, slot_of, 10, weights, window)
    actual, is_known = mean_contexts(corpus, around, matrix)
    assert is_known.all()
    expected = naive_contexts(corpus, around, matrix, 9)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def topics(n_rows: int, seed: int) -> list[list[str]]:
    """Sentences of ten words of one of eight topics of twelve words."""
    rng = np.random.default_rng(seed)
    return [
        [f"t{topic}w{i}" for i in rng.integers(0, 12, 10)] for topic in rng.integers(0, 8, n_rows).tolist()
    ]


@pytest.fixture(scope="module")
def known() -> Embeddings:
    """Vectors of 96 words of eight topics."""
    options: dict[str, Any] = {"dim": 8, "epochs": 10, "threads": 1, "min_count": 1, "sample": 0, "lr": 0.05}
    return fastw2v.train(topics(3000, seed=1), **options)


def renamed(rows: list[list[str]]) -> list[list[str]]:
    """The first word of each topic under a new name."""
    return [[word.replace("w0", "new") if word.endswith("w0") else word for word in row] for row in rows]


def test_with_new_words__starts_where_the_same_words_are(known: Embeddings) -> None:
    """The outside vector of a word under a new name is near what it was called, far from other topics."""
    corpus = read_corpus(renamed(topics(400, seed=2)), min_count=1)
    start = with_new_words(corpus, known, CONFIG)
    assert (start.words, start.center_vectors) == (known.words, known.center_vectors)
    outside = start.of_outside()
    assert outside.words[: len(known)] == known.words
    assert sorted(outside.words[len(known) :]) == [f"t{topic}new" for topic in range(8)]
    unit = outside.center_vectors / outside.norms[:, None]
    for topic in range(8):
        cosines = unit @ unit[outside.index[f"t{topic}new"]]
        assert cosines[outside.index[f"t{topic}w0"]] > 0.85
        assert max(cosines[outside.index[f"t{other}w0"]] for other in range(8) if other != topic) < 0.5


def test_with_new_words__words_alone_among_new_ones_start_as_usual(known: Embeddings) -> None:
    rows = [*renamed(topics(400, seed=2)), ["x", "y", "x", "y"]]
    start = with_new_words(read_corpus(rows, min_count=1), known, CONFIG)
    assert "t0new" in start.of_outside()
    assert "x" not in start.of_outside()


@pytest.mark.parametrize("rows", [topics(400, seed=3), [["t0w1", "t0w2", "x"]] * 20], ids=["none new", "few"])
def test_with_new_words__without_new_words_or_teachers_nothing_is_added(
    known: Embeddings, rows: list[list[str]]
) -> None:
    assert with_new_words(read_corpus(rows, min_count=1), known, CONFIG) is known


def test_with_new_words__without_outside_vectors_nothing_is_added(known: Embeddings) -> None:
    alone = Embeddings(known.words, known.center_vectors)
    corpus = read_corpus(renamed(topics(400, seed=2)), min_count=1)
    assert with_new_words(corpus, alone, CONFIG) is alone
