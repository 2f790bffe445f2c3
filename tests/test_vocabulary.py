from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastw2v.corpus.vocabulary import (
    Vocabulary,
    ranked,
    read_counts,
    read_vocabulary,
    read_words,
    write_vocabulary,
)
from fastw2v.errors import CorpusError, OutputError, UsageError

counts_lists = st.lists(st.integers(0, 5) | st.integers(0, 2**62), max_size=30)


def vocabulary_of(**counts: int) -> Vocabulary:
    return Vocabulary.from_counts(list(counts), list(counts.values()))


def as_pairs(vocabulary: Vocabulary) -> list[tuple[str, int]]:
    return list(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))


def test_from_counts__orders_by_count_then_first_seen() -> None:
    actual = vocabulary_of(rare=1, tie_a=3, most=7, tie_b=3)
    assert as_pairs(actual) == [("most", 7), ("tie_a", 3), ("tie_b", 3), ("rare", 1)]
    assert actual.counts.dtype == np.int64
    assert actual.index == {"most": 0, "tie_a": 1, "tie_b": 2, "rare": 3}


def test_from_counts__min_count_first_then_max_vocab() -> None:
    words, counts = ["a", "b", "c", "d", "e"], [5, 4, 9, 5, 1]
    assert Vocabulary.from_counts(words, counts, min_count=5).words == ["c", "a", "d"]
    assert Vocabulary.from_counts(words, counts, min_count=5, max_vocab=2).words == ["c", "a"]
    assert Vocabulary.from_counts(words, counts, min_count=1, max_vocab=99).words == ["c", "a", "d", "b", "e"]
    assert len(Vocabulary.from_counts(words, counts, min_count=10)) == 0


def test_from_counts__no_words() -> None:
    assert as_pairs(Vocabulary.from_counts([], [])) == []


@given(counts=counts_lists, min_count=st.integers(0, 6), max_vocab=st.none() | st.integers(0, 40))
def test_from_counts__equals_sorting(counts: list[int], min_count: int, max_vocab: int | None) -> None:
    words = [f"w{i}" for i in range(len(counts))]
    frequent = [(word, count) for word, count in zip(words, counts, strict=True) if count >= min_count]
    expected = sorted(frequent, key=lambda pair: -pair[1])[:max_vocab]
    assert as_pairs(Vocabulary.from_counts(words, counts, min_count, max_vocab)) == expected


@given(counts=counts_lists, data=st.data())
def test_ranked__does_not_depend_on_the_order_of_words(counts: list[int], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(counts))))
    shuffled, first_seen = np.array(counts, np.int64)[order], np.array(order, np.int64)
    expected = ranked(np.array(counts, np.int64), np.arange(len(counts)), 1, None)
    assert first_seen[ranked(shuffled, first_seen, 1, None)].tolist() == expected.tolist()


def test_write_vocabulary__writes_word_space_count_lines(tmp_path: Path) -> None:
    write_vocabulary(tmp_path / "v.txt", vocabulary_of(b=2, a=30, é=2))
    assert (tmp_path / "v.txt").read_bytes() == "a 30\nb 2\né 2\n".encode()


words = st.text(min_size=1, max_size=8).filter(lambda word: word.strip() == word and "\n" not in word)


@given(counts=st.dictionaries(words, st.integers(0, 2**63 - 1), max_size=8))
def test_read_vocabulary__gives_back_what_was_written(
    counts: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = vocabulary_of(**counts)
    path = tmp_path_factory.mktemp("vocabulary") / "v.txt"
    write_vocabulary(path, expected)
    assert as_pairs(read_vocabulary(path)) == as_pairs(expected)


def test_read_vocabulary__takes_what_other_programs_write(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes("</s> 0\r\nNew York 5\r\nthe\t7 \na\u00a0b 5".encode())
    expected = [("the", 7), ("New York", 5), ("a\u00a0b", 5), ("</s>", 0)]
    assert as_pairs(read_vocabulary(tmp_path / "v.txt")) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", r"line 2: '\\n' is not two fields"),
        (b"word", r"line 2: 'word\\n' is not two fields"),
        (b" 12", r"line 2: ' 12\\n' is not two fields"),
        (b"word -3", r"line 2: the count '-3' is not a whole number"),
        (b"word 3.5", r"line 2: the count '3.5' is not a whole number"),
        (b"word 1_000", r"line 2: the count '1_000' is not a whole number"),
        ("word ³".encode(), r"line 2: the count '³' is not a whole number"),
        (b"word 9223372036854775808", r"line 2: the count '9223372036854775808' is not a whole number"),
        (b"word " + b"9" * 5000, r"line 2: the count '9+\.\.\. is not a whole number"),
        (b"\xff 3", r"line 2: b'\\xff 3\\n' is not UTF-8"),
        (b"a 4", r"line 2: 'a' is on line 1 already"),
    ],
)
def test_read_vocabulary__names_the_corrupt_line(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"a 5\n" + line + b"\nb 1\n")
    with pytest.raises(CorpusError, match=message) as caught:
        read_vocabulary(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_read_vocabulary__ends_at_a_file_without_lines() -> None:
    with pytest.raises(CorpusError, match="/dev/zero: line 1: it is longer than 16,777,216 bytes"):
        read_vocabulary("/dev/zero")


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_read_vocabulary__names_the_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        read_vocabulary(tmp_path / name)


@pytest.mark.parametrize("word", ["", " a", "a\t", "a\nb", "a\u2028", "\ud800"])
def test_write_vocabulary__names_the_word_it_cannot_carry(tmp_path: Path, word: str) -> None:
    path = tmp_path / "v.txt"
    path.write_text("old 1\n")
    with pytest.raises(UsageError, match="a vocabulary file cannot carry it") as caught:
        write_vocabulary(path, Vocabulary(["fine", word], np.array([2, 1])))
    assert repr(word) in str(caught.value)
    assert path.read_text() == "old 1\n"


def test_write_vocabulary__reports_a_place_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"v\.txt"):
        write_vocabulary(tmp_path / "missing" / "v.txt", vocabulary_of(a=1))
    assert list(tmp_path.iterdir()) == []


def test_read_counts__adds_files_up_in_the_order_of_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x 1\ny 5\n")
    (tmp_path / "b").write_text("z 2\nx 7\n")
    expected = {"x": 8, "y": 5, "z": 2}
    assert list(read_counts([tmp_path / "a", tmp_path / "b"]).items()) == list(expected.items())
    (tmp_path / "c").write_text(f"x {2**63 - 1}\n")
    with pytest.raises(CorpusError, match="add up to more than 9223372036854775807"):
        read_counts([tmp_path / "c", tmp_path / "a"])


def test_read_words__is_one_word_a_line(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_bytes("\ufeffthe\r\nnew york \n\n\té\nthe".encode())
    assert read_words(path) == {"the", "new york", "é"}


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "holds no word"), (b"\n \n", "holds no word"), (b"\xff", "not UTF-8")]
)
def test_read_words__says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "words").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        read_words(tmp_path / "words")
    with pytest.raises(CorpusError, match="missing: cannot be read"):
        read_words(tmp_path / "missing")
