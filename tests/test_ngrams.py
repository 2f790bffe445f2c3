"""The n-grams of words and the rows that they are hashed to, as fastText and gensim have them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.model import ngrams
from fastw2v.model.ngrams import Spans, bags_of_words, buckets_of

WORDS = ["where", "a", "", "é", "日本語", "naïve", "x" * 300, "𝄞clef", "abcabc", "<", "ß>"]


def naive_hash(ngram: str) -> int:
    """FNV-1a with bytes extended by their sign, in Python integers."""
    h = 2166136261
    for byte in ngram.encode(errors="surrogatepass"):
        h = ((h ^ (byte | (0xFFFFFF00 if byte >= 128 else 0))) * 16777619) & 0xFFFFFFFF
    return h


def naive_buckets(word: str, spans: Spans) -> list[int]:
    """By the definition: every run of characters of <word>, but a bracket alone."""
    spelt = f"<{word}>"
    if word == "</s>":
        return []
    found = [
        spelt[i : i + n]
        for i in range(len(spelt))
        for n in range(spans.shortest, spans.longest + 1)
        if i + n <= len(spelt) and not (n == 1 and i in (0, len(spelt) - 1))
    ]
    return [naive_hash(ngram) % spans.n_buckets for ngram in found]


def split(words: list[str], spans: Spans) -> list[list[int]]:
    """The buckets of each word."""
    buckets, counts = buckets_of(words, spans)
    ends = np.cumsum(counts).tolist()
    return [buckets[end - n : end].tolist() for end, n in zip(ends, counts.tolist(), strict=True)]


@given(
    st.lists(st.text(st.characters(exclude_categories=[]), max_size=9), max_size=6),
    st.integers(1, 5),
    st.integers(0, 4),
    st.sampled_from([1, 7, 2_000_000, 2**31 - 1]),
)
def test_buckets_of__are_those_of_the_definition(
    words: list[str], shortest: int, more: int, n_buckets: int
) -> None:
    spans = Spans(shortest, shortest + more, n_buckets)
    assert split(words, spans) == [naive_buckets(word, spans) for word in words]


@pytest.mark.parametrize("lengths", [(3, 6), (1, 3), (2, 2), (5, 9), (1, 1)])
def test_buckets_of__are_those_of_gensim(lengths: tuple[int, int]) -> None:
    fasttext = pytest.importorskip("gensim.models.fasttext")
    spans = Spans(*lengths, 1_000)
    assert split(WORDS, spans) == [fasttext.ft_ngram_hashes(word, *spans) for word in WORDS]


def test_buckets_of__hand_worked() -> None:
    """<is> of lengths 3 and 4: `<is`, `<is>`, `is>`."""
    expected = [naive_hash(ngram) % 1_000 for ngram in ("<is", "<is>", "is>")]
    assert split(["is", "</s>"], Spans(3, 4, 1_000)) == [expected, []]


def test_bags_of_words__begin_with_the_own_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where words are taken a few at a time."""
    spans, words = Spans(3, 6, 50), ["</s>", *WORDS]
    monkeypatch.setattr(ngrams, "WORDS_AT_ONCE", 5)
    offsets, rows = bags_of_words(words, spans)
    assert (offsets.dtype, rows.dtype) == (np.int64, np.int32)
    for i, (start, stop) in enumerate(itertools.pairwise(offsets.tolist())):
        expected = [len(words) + bucket for bucket in naive_buckets(words[i], spans)]
        assert rows[start:stop].tolist() == [i, *expected]
    assert [array.tolist() for array in bags_of_words([], spans)] == [[0], []]
