"""Counts of earlier texts, and those of a new one added to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.simulation import run_ranks
from fastw2v.errors import CorpusError, UsageError
from tests.parquet import write

TEXTS = st.lists(st.lists(st.sampled_from("aAbBcde"), max_size=9), min_size=1, max_size=9)


def pairs_of(words: list[str], counts: Any) -> dict[str, int]:
    return dict(zip(words, np.asarray(counts).tolist(), strict=True))


@given(st.lists(TEXTS, min_size=2, max_size=4), st.integers(1, 3), st.booleans(), st.integers(1, 2))
def test_read_corpus__counts_add_up_over_texts(
    texts: list[list[list[str]]], min_count: int, lowercase: bool, threads: int
) -> None:
    """The vocabulary of the last is that of all texts at once, rare words of each included."""
    texts[-1].append(["x", "y"] * 3)
    tally = Tally()
    options: dict[str, Any] = {"min_count": min_count, "lowercase": lowercase, "threads": threads}
    for text in texts:
        text.append(["p", "q"] * 3)  # a vocabulary needs two words
        corpus = read_corpus(text, tally=tally, **options)
    everything = [row for text in texts for row in text]
    expected = read_corpus(everything, **options).vocabulary
    assert pairs_of(corpus.vocabulary.words, corpus.vocabulary.counts) == pairs_of(
        expected.words, expected.counts
    )
    n_words = len(corpus.vocabulary)
    assert tally.words[:n_words].to_pylist() == corpus.vocabulary.words
    plain = Counter(word.lower() if lowercase else word for row in everything for word in row)
    assert pairs_of(tally.words.to_pylist(), tally.counts) == dict(plain)
    decoded = [corpus.vocabulary.words[i] for i in corpus.ids.tolist()]
    read = [word.lower() if lowercase else word for row in texts[-1] for word in row]
    assert decoded == [word for word in read if word in corpus.vocabulary.index]


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_read_shared_corpus__adds_what_the_first_process_knows(
    tmp_path: Path, n_ranks: int, grouped: bool
) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"w{word}" for word in rng.integers(0, 60, 9)] for _ in range(900)]
    path = write(tmp_path / "c.parquet", rows, row_group_size=50)
    earlier = {"w3": 2000, "old": 7, "rare": 2}
    source: Any = rows if grouped else str(path)  # of an object rank 0 reads all

    def read(communicator: Any) -> tuple[Corpus, Tally | None]:
        tally = None if communicator.rank else Tally(list(earlier), earlier.values())
        return read_shared_corpus(source, communicator, min_count=5, tally=tally).corpus, tally

    counts = Counter(word for row in rows for word in row) + Counter(earlier)
    parts = run_ranks(n_ranks, read)
    for corpus, _ in parts:
        expected = {word: n for word, n in counts.items() if n >= 5}
        assert pairs_of(corpus.vocabulary.words, corpus.vocabulary.counts) == expected
        assert corpus.vocabulary.words == parts[0][0].vocabulary.words
    tally = parts[0][1]
    assert tally is not None
    assert pairs_of(tally.words.to_pylist(), tally.counts) == dict(counts)


def test_read_corpus__earlier_words_come_first_among_equals() -> None:
    tally = Tally(["z", "y"], [1, 1])
    assert read_corpus([["a", "y", "z"]], min_count=1, tally=tally).vocabulary.words == ["z", "y", "a"]


def test_read_corpus__words_of_a_stop_list_leave_the_tally() -> None:
    tally = Tally(["a", "b"], [9, 9])
    read_corpus([["a", "b", "c"]], min_count=1, tally=tally, stop_words={"a"})
    assert tally.words.to_pylist() == ["b", "c"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrases": 1}, "phrases are found in one text"),
        ({"memory": Memory(cache_dir=Path("kept"))}, "cache_dir keeps no counts"),
        ({"vocabulary": Vocabulary(["a", "b"], np.array([2, 1]))}, "vocabulary gives the counts"),
    ],
)
def test_read_corpus__what_counts_otherwise_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_corpus([["a", "b"]], min_count=1, tally=Tally(), **options)


def test_tally__is_read_as_it_was_written(tmp_path: Path) -> None:
    words, counts = ["the", "", "two words", "über", "e\u0301\n"], [2**40, 9, 9, 3, 0]
    Tally(words, counts).write(tmp_path / "words.parquet")
    tally = Tally.read(tmp_path / "words.parquet")
    assert (tally.words.to_pylist(), tally.counts.tolist()) == (words, counts)


def test_tally__bad_utf_8_is_left_out(tmp_path: Path) -> None:
    rows = pa.array([[b"a", b"b", b"\xff"], [b"a", b"b", b"c"]], pa.list_(pa.binary()))
    tally = Tally()
    read_corpus(pa.table({"tokens": rows}), min_count=2, column="tokens", tally=tally)
    assert pairs_of(tally.words.to_pylist(), tally.counts) == {"a": 2, "b": 2, "c": 1}


@pytest.mark.parametrize(
    "table",
    [
        {"word": ["a", None], "count": [1, 2]},
        {"word": ["a", "b"], "count": [1, -2]},
        {"word": ["a", "b"], "n": [1, 2]},
        {"word": ["a", "b"], "count": ["x", "y"]},
    ],
)
def test_tally__another_table_is_an_error(tmp_path: Path, table: dict[str, Any]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table(table), tmp_path / "words.parquet")
    with pytest.raises(CorpusError, match=r"words\.parquet: "):
        Tally.read(tmp_path / "words.parquet")


def test_tally__needs_a_count_for_each_word() -> None:
    with pytest.raises(UsageError, match="2 words have 1 counts"):
        Tally(["a", "b"], [1])
    with pytest.raises(UsageError, match="a word is counted twice"):
        Tally(["a", "a"], [1, 1]).as_table()
