"""Answers worked by hand, and the same as gensim's on random vectors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fastw2v.errors import UsageError
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.query import analogy, nearest, odd_one_out, similarity


@pytest.fixture
def plane() -> Embeddings:
    """Words at known angles: right 0°, up 90°, between 45°, left 180°, nothing at all, and long right."""
    vectors = [[1, 0], [0, 2], [3, 3], [-1, 0], [0, 0], [100, 0]]
    return Embeddings(
        ["right", "up", "between", "left", "nothing", "far"], np.array(vectors, dtype=np.float32)
    )


@pytest.fixture
def many() -> Embeddings:
    rng = np.random.default_rng(0)
    return Embeddings([f"w{i}" for i in range(500)], rng.normal(size=(500, 20)).astype(np.float32))


def in_gensim(embeddings: Embeddings) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors
    vectors = KeyedVectors(embeddings.dim)
    vectors.add_vectors(embeddings.words, embeddings.center_vectors)
    return vectors


def assert_same(actual: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in actual] == [word for word, _ in expected]
    np.testing.assert_allclose([x for _, x in actual], [x for _, x in expected], atol=1e-6)


def test_nearest__by_angle_not_length_without_the_word_itself(plane: Embeddings) -> None:
    expected = [("far", 1.0), ("between", 0.5**0.5), ("up", 0.0), ("nothing", 0.0), ("left", -1.0)]
    assert_same(nearest(plane, "right"), expected)
    assert_same(nearest(plane, "right", n=2), expected[:2])


def test_nearest__of_several_words_is_the_mean_of_unit_vectors(plane: Embeddings) -> None:
    expected = [("between", 1.0), ("right", 0.5**0.5), ("nothing", 0.0), ("left", -(0.5**0.5))]
    assert_same(nearest(plane, ["far", "up"]), expected)


def test_nearest__zero_vectors_are_near_to_nothing(plane: Embeddings) -> None:
    expected = [(word, 0.0) for word in ("right", "up", "between", "left", "far")]
    assert_same(nearest(plane, "nothing"), expected)
    assert [cosine for _, cosine in nearest(plane, ["left", "right"])] == [0.0] * 4


def test_nearest__is_gensims_most_similar(many: Embeddings) -> None:
    gensim = in_gensim(many)
    assert_same(nearest(many, "w7", n=25), gensim.most_similar("w7", topn=25))
    assert_same(nearest(many, ["w7", "w8"], n=25), gensim.most_similar(["w7", "w8"], topn=25))


def test_nearest__more_neighbours_than_words(many: Embeddings) -> None:
    assert len(nearest(many, "w7", n=10_000)) == 499
    assert nearest(Embeddings(["alone"], np.ones((1, 2), dtype=np.float32)), "alone") == []


def test_nearest__repeated_words_count_once_as_excluded(plane: Embeddings) -> None:
    assert len(nearest(plane, ["up", "up"], n=100)) == 5


def test_nearest__huge_and_tiny_vectors() -> None:
    vectors = np.array([[1e38, 1e38], [1e-44, 1e-44], [1, -1]], dtype=np.float32)
    assert_same(nearest(Embeddings(list("abc"), vectors), "a"), [("b", 1.0), ("c", 0.0)])


def test_analogy__adds_the_difference(plane: Embeddings) -> None:
    # up - right + left = (-2, 1): the cosine with between is -1/sqrt(10)
    expected = [("nothing", 0.0), ("between", -(10**-0.5)), ("far", -2 * 5**-0.5)]
    assert_same(analogy(plane, "right", "up", "left"), expected)


def test_analogy__is_gensims_3cosadd(many: Embeddings) -> None:
    expected = in_gensim(many).most_similar(positive=["w2", "w3"], negative=["w1"], topn=10)
    assert_same(analogy(many, "w1", "w2", "w3"), expected)


def test_similarity__is_the_cosine(plane: Embeddings, many: Embeddings) -> None:
    assert similarity(plane, "right", "far") == 1.0
    assert similarity(plane, "right", "left") == -1.0
    assert similarity(plane, "up", "nothing") == 0.0
    assert similarity(many, "w1", "w2") == pytest.approx(in_gensim(many).similarity("w1", "w2"), abs=1e-6)


@pytest.mark.parametrize("number", [0, -1])
def test_nearest__number_below_one(plane: Embeddings, number: int) -> None:
    with pytest.raises(UsageError, match=f"n is {number}: it must be at least 1"):
        nearest(plane, "up", n=number)


def test_nearest__no_word(plane: Embeddings) -> None:
    with pytest.raises(UsageError, match="no word was given"):
        nearest(plane, [])


def test_nearest__unknown_word_with_close_spellings(plane: Embeddings) -> None:
    with pytest.raises(UsageError, match=r"'rihgt' is not among the 6 words; did you mean right\?$"):
        nearest(plane, "rihgt")


def test_nearest__unknown_word_unlike_any(plane: Embeddings) -> None:
    with pytest.raises(UsageError, match="'xyz' is not among the 6 words; check its spelling"):
        analogy(plane, "up", "xyz", "left")


def test_similarity__at_most_three_close_spellings() -> None:
    words = ["word1", "word2", "word3", "word4"]
    with pytest.raises(UsageError) as caught:
        similarity(Embeddings(words, np.ones((4, 1), dtype=np.float32)), "word1", "word")
    assert str(caught.value).count("word") == 5  # quoted once, "4 words", three spellings


def test_odd_one_out__is_farthest_from_the_mean(plane: Embeddings, many: Embeddings) -> None:
    # right, between and left: the mean is (0.236, 0.236), 135° from left
    assert_same([odd_one_out(plane, ["right", "between", "left"])], [("left", -(0.5**0.5))])
    for start in range(0, 50, 5):
        words = many.words[start : start + 5]
        assert odd_one_out(many, words)[0] == in_gensim(many).doesnt_match(words)


def test_odd_one_out__of_words_that_cancel(plane: Embeddings) -> None:
    assert odd_one_out(plane, ["nothing", "nothing", "nothing"]) == ("nothing", 0.0)


def test_odd_one_out__too_few_words(plane: Embeddings) -> None:
    with pytest.raises(UsageError, match="2 words were given; the odd one out is of at least 3"):
        odd_one_out(plane, ["up", "left"])


@pytest.mark.parametrize("n_words", [1, 7, 40, 100])
@pytest.mark.parametrize("n", [1, 3, 7, 8, 50])
def test_nearest__in_blocks_is_a_stable_sort(monkeypatch: pytest.MonkeyPatch, n_words: int, n: int) -> None:
    monkeypatch.setattr("fastw2v.vectors.query.BLOCK_SCORES", 4)
    directions = np.array([[1, 0], [0, 2], [-1, 0], [0, -3]], dtype=np.float32)  # many ties, all exact
    vectors = directions[np.random.default_rng(n).integers(0, 4, n_words)]
    cosines = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    expected = [i for i in np.argsort(-cosines, kind="stable").tolist() if i][:n]
    actual = nearest(Embeddings([f"w{i}" for i in range(n_words)], vectors), "w0", n=n)
    assert actual == [(f"w{i}", cosines[i]) for i in expected]


def test_reversed__gives_the_words_from_the_last_one() -> None:
    embeddings = Embeddings(["a", "b", "c"], np.eye(3, dtype=np.float32))
    assert list(reversed(embeddings)) == ["c", "b", "a"]
