"""Lower case, keep-list and stop-list: what is left out leaves the text, as rare words do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v.config import ReadConfig
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words.candidates import choose, lower
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import as_plain, error_of, write

words = st.text(st.sampled_from("aAbB éÉß"), max_size=3)
token_rows: st.SearchStrategy[list[Any]] = st.lists(
    st.none() | st.lists(st.none() | words, max_size=8), max_size=8
)


def lower_row(row: Any) -> Row:
    return row and [word and word.lower() for word in row]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=token_rows,
    lowercase=st.booleans(),
    keep=st.none() | st.frozensets(words),
    stop=st.frozensets(words, max_size=3),
    min_count=st.integers(0, 3),
    threads=st.integers(1, 3),
)
def test_read_corpus__chooses_words_like_its_naive_twin(
    rows: list[Any],
    lowercase: bool,
    keep: frozenset[str] | None,
    stop: frozenset[str],
    min_count: int,
    threads: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    array = pa.array(rows, pa.list_(pa.string()))
    path = write(tmp_path_factory.mktemp("corpus") / "c.parquet", array, row_group_size=2)
    fold = str.lower if lowercase else str
    read_rows: list[Row] = [lower_row(row) for row in rows] if lowercase else rows
    kept = None if keep is None else {fold(word) for word in keep}
    stopped = {fold(word) for word in stop}
    frequent = naive_corpus(read_rows, min_count).words
    allowed = [word for word in frequent if (kept is None or word in kept) and word not in stopped]
    expected = naive_corpus(read_rows, vocabulary=allowed)
    options: dict[str, Any] = {"lowercase": lowercase, "keep_words": keep, "stop_words": stop}
    if len(allowed) < 2:
        assert "negative sampling needs" in error_of(UsageError, path, min_count=min_count, **options)
    else:
        assert as_plain(read_corpus(path, min_count=min_count, threads=threads, **options)) == expected


def test_lower__is_the_simple_mapping_of_each_character() -> None:
    """Against Python's tables for letters that have been in Unicode for long."""
    letters = [chr(code) for code in range(0x1C80) if chr(code).isalpha() and chr(code) != "İ"]
    assert lower(letters) == [letter.lower() for letter in letters]
    assert lower(["İ", "ΣΑΣ", "STRASSE", "Straße", "ǅ"]) == ["i", "σασ", "strasse", "straße", "ǆ"]
    assert lower([]) == []


def test_read_corpus__lowercase_leaves_the_rest_of_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", ["The cat THE", "Éa the éa 1A\u00a0x", None])
    expected = naive_corpus(["the cat the", "éa the éa 1a x", None])
    assert as_plain(read_corpus(path, lowercase=True, min_count=1)) == expected


def test_read_corpus__lowercase_names_a_word_that_is_not_utf_8(tmp_path: Path) -> None:
    binary = pa.array([b"good Good bad\xff"], pa.binary())
    path = write(tmp_path / "c.parquet", binary)
    message = error_of(CorpusError, path, lowercase=True, min_count=1)
    assert message == rf"{path}: row 0 (from 0): the word b'bad\xff' is not UTF-8; convert the file to UTF-8"


def test_read_corpus__says_that_the_lists_leave_too_little(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", ["a b c d"])
    message = error_of(UsageError, path, keep_words=frozenset("abx"), stop_words=frozenset("b"))
    assert "the keep-list and the stop-list leave 1 of 4 distinct words; negative sampling needs 2" in message


def test_read_corpus__a_given_vocabulary_may_be_in_any_order_and_is_folded(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", ["The cat THE dog"])
    given_words = Vocabulary(["dog", "Cat", "the", "cat", "The"], np.array([1, 2, 3, 4, 5]))
    actual = read_corpus(path, vocabulary=given_words, lowercase=True, stop_words=frozenset(["DOG"]))
    assert actual.vocabulary.words == ["the", "cat"]
    assert actual.vocabulary.counts.tolist() == [8, 6]
    assert actual.ids.tolist() == [0, 1, 0]


def test_choose__gives_words_that_are_one_in_lower_case_one_id() -> None:
    vocabulary = Vocabulary(["b", "A", "a", "c", "B"], np.array([1, 2, 3, 9, 0]))
    chosen, ids = choose(vocabulary, ReadConfig(lowercase=True), min_count=2)
    assert (chosen.words, chosen.counts.tolist(), ids.tolist()) == (["c", "a"], [9, 5], [-1, 1, 1, 0, -1])
    chosen, ids = choose(vocabulary, ReadConfig(keep_words=frozenset("bcx")), max_vocab=2)
    assert (chosen.words, chosen.counts.tolist(), ids.tolist()) == (["c", "b"], [9, 1], [1, -1, -1, 0, -1])
