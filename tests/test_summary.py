"""Space-saving counts: what they bound, whatever the text, and what becomes of words that are rare."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.summary import SpaceSaving

TEXTS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=40), min_size=1, max_size=25)


def add(summary: SpaceSaving, numbers: list[int]) -> None:
    """Count a chunk, its words in the order in which chunks have them."""
    counts = Counter(f"w{number}" for number in numbers)
    words = sorted(counts, key=lambda word: -counts[word])
    summary.add(words, np.array([counts[word] for word in words]))


@given(chunks=TEXTS, capacity=st.integers(1, 40))
def test_add__counts_are_within_their_errors_and_frequent_words_are_in(
    chunks: list[list[int]], capacity: int
) -> None:
    """count − error ≤ truth ≤ count after each chunk, and no word above the threshold is missing."""
    summary, truth = SpaceSaving(capacity), Counter[str]()
    for chunk in chunks:
        add(summary, chunk)
        truth.update(f"w{number}" for number in chunk)
        n = truth.total()
        assert (summary.n, len(set(summary.words)) == len(summary) <= capacity) == (n, True)
        assert summary.threshold * (capacity + 1) <= n
        for slot, word in enumerate(summary.words):
            assert summary.seen[slot] <= truth[word] <= summary.counts[slot]
        missing = [truth[word] for word in truth.keys() - set(summary.words)]
        assert max(missing, default=0) <= summary.threshold


@given(chunks=TEXTS, capacity=st.integers(1, 40))
def test_add__says_where_each_word_is(chunks: list[list[int]], capacity: int) -> None:
    """A word keeps its slot as long as it stays; slots that were left are told."""
    summary, before = SpaceSaving(capacity), dict[str, int]()
    for chunk in chunks:
        words = sorted({f"w{number}" for number in chunk})
        change = summary.add(words, np.ones(len(words), np.int64))
        now = {word: slot for slot, word in enumerate(summary.words)}
        assert change.slots.tolist() == [now.get(word, -1) for word in words]
        gone = {slot for word, slot in before.items() if word not in now}
        assert set(change.left.tolist()) == gone
        assert all(now[word] == slot for word, slot in before.items() if word in now)
        before = now


@given(chunks=TEXTS)
def test_add__is_exact_where_all_words_have_room(chunks: list[list[int]]) -> None:
    summary = SpaceSaving(31)
    for chunk in chunks:
        add(summary, chunk)
    expected = Counter(f"w{number}" for chunk in chunks for number in chunk)
    actual = dict(zip(summary.words, summary.counts[: len(summary)].tolist(), strict=True))
    assert actual == dict(expected)
    assert (summary.threshold, int(summary.errors.sum())) == (0, 0)


def test_add__of_one_word_at_a_time_is_metwallys() -> None:
    """By hand, m = 2: a a b c: c may be as frequent as b, and of equal ones the one that is here stays."""
    summary = SpaceSaving(2)
    for word in "aab":
        summary.add([word], np.array([1]))
    summary.add(["c"], np.array([1]))
    assert (summary.words, summary.threshold) == (["a", "b"], 1)
    summary.add(["c"], np.array([1]))  # at most 2 of them, and surely 1
    assert (summary.words, summary.threshold) == (["a", "c"], 1)
    assert (summary.counts.tolist(), summary.errors.tolist(), summary.seen.tolist()) == (
        [2, 2],
        [0, 1],
        [2, 1],
    )


def test_add__words_that_vanish_leave_for_words_that_come() -> None:
    summary = SpaceSaving(10)
    add(summary, [number for number in range(10) for _ in range(5)])
    for first in range(10, 200, 10):
        add(summary, [number for number in range(first, first + 10) for _ in range(9)])
    assert not {f"w{number}" for number in range(10)} & set(summary.words)


@given(chunks=TEXTS, capacity=st.integers(1, 40), less=st.integers(0, 10))
def test_restore__goes_on_as_the_other_would(chunks: list[list[int]], capacity: int, less: int) -> None:
    """And with less room within the same bounds."""
    summary, truth = SpaceSaving(capacity), Counter[str]()
    for chunk in chunks:
        add(summary, chunk)
        truth.update(f"w{number}" for number in chunk)
    other = SpaceSaving(max(capacity - less, 1))
    n = len(summary)
    other.restore(summary.words, summary.counts[:n], summary.errors[:n], summary.threshold, summary.n)
    for each in (summary, other) if other.capacity == capacity else (other,):
        add(each, [1, 2, 3, 3, 7])
    truth.update(["w1", "w2", "w3", "w3", "w7"])
    if other.capacity == capacity:
        assert other.words == summary.words
        assert other.counts.tolist() == summary.counts.tolist()
        assert other.threshold == summary.threshold
    for slot, word in enumerate(other.words):
        assert other.seen[slot] <= truth[word] <= other.counts[slot]
    missing = [truth[word] for word in truth.keys() - set(other.words)]
    assert max(missing, default=0) <= other.threshold


def test_restore__refuses_what_is_no_summary() -> None:
    ones = np.ones(2, np.int64)
    with pytest.raises(ValueError, match="distinct"):
        SpaceSaving(3).restore(["a", "a"], ones, ones, 0, 2)
