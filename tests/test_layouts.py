from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.arrow import layouts
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.corpus.words.counter import WordCounter
from fastw2v.corpus.words.table import words_of
from fastw2v.errors import CorpusError, UsageError
from tests.naive import Row, naive_corpus
from tests.parquet import TEXTS, TOKENS, as_plain, error_of, write


def dictionary_of(values: list[Any], value_type: pa.DataType) -> pa.Array:
    """Dictionary-encoded, with an unused value in the dictionary."""
    distinct = ["unused", *dict.fromkeys(value for value in values if value is not None)]
    indices = [None if value is None else distinct.index(value) for value in values]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(distinct, value_type))


def lists_of(make_items: Callable[[list[Any]], pa.Array], kind: type = pa.ListArray) -> pa.Array:
    """TOKENS with items made by make_items."""
    flat = [item for row in TOKENS if isinstance(row, list) for item in row]
    plain = pa.array(TOKENS, pa.list_(pa.string()))
    offsets = pa.array(np.asarray(plain.offsets), pa.int32() if kind is pa.ListArray else pa.int64())
    return kind.from_arrays(offsets, make_items(flat), mask=plain.is_null())


def encoded(texts: list[Any]) -> list[Any]:
    return [None if text is None else text.encode() for text in texts]


def digits(rows: list[Any]) -> list[Any]:
    return [None if row is None else [None if n is None else str(n) for n in row] for row in rows]


COUPLES: list[Any] = [["a", "b"], ["b", None], None, ["c", "a"], ["a", "a"]]
IDS: list[Any] = [[30522, 1, 30522], [1], None, [], [-2, None, 30522]]


LAYOUTS: dict[str, tuple[list[Row], Callable[[], pa.Array]]] = {
    "string": (TEXTS, lambda: pa.array(TEXTS, pa.string())),
    "large_string": (TEXTS, lambda: pa.array(TEXTS, pa.large_string())),
    "string_view": (TEXTS, lambda: pa.array(TEXTS, pa.string_view())),
    "dictionary": (TEXTS, lambda: dictionary_of(TEXTS, pa.string())),
    "dictionary of large_string": (TEXTS, lambda: dictionary_of(TEXTS, pa.large_string())),
    "list": (TOKENS, lambda: pa.array(TOKENS, pa.list_(pa.string()))),
    "large_list": (TOKENS, lambda: pa.array(TOKENS, pa.large_list(pa.string()))),
    "list of large_string": (TOKENS, lambda: pa.array(TOKENS, pa.list_(pa.large_string()))),
    "list of string_view": (TOKENS, lambda: pa.array(TOKENS, pa.list_(pa.string_view()))),
    "list of dictionary": (TOKENS, lambda: lists_of(lambda flat: dictionary_of(flat, pa.string()))),
    "large_list of dictionary": (
        TOKENS,
        lambda: lists_of(lambda flat: dictionary_of(flat, pa.string()), pa.LargeListArray),
    ),
    "binary": (TEXTS, lambda: pa.array(encoded(TEXTS), pa.binary())),
    "large_binary": (TEXTS, lambda: pa.array(encoded(TEXTS), pa.large_binary())),
    "binary_view": (TEXTS, lambda: pa.array(encoded(TEXTS), pa.binary_view())),
    "dictionary of binary": (TEXTS, lambda: pa.array(encoded(TEXTS), pa.binary()).dictionary_encode()),
    "fixed_size_list": (COUPLES, lambda: pa.array(COUPLES, pa.list_(pa.string(), 2))),
    "list of int32": (digits(IDS), lambda: pa.array(IDS, pa.list_(pa.int32()))),
    "large_list of int64": (digits(IDS), lambda: pa.array(IDS, pa.large_list(pa.int64()))),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_read_corpus__reads_every_layout(tmp_path: Path, layout: str) -> None:
    rows, make = LAYOUTS[layout]
    path = write(tmp_path / "c.parquet", make(), row_group_size=3)
    if layout == "fixed_size_list" and int(pa.__version__.partition(".")[0]) < 26:
        assert error_of(CorpusError, path).endswith("nulls in such lists need pyarrow 26")
        return
    expected = naive_corpus(rows)
    assert expected.n_null == (1 if isinstance(rows[0], str) else 2)
    assert as_plain(read_corpus(path, min_count=1)) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_as_strings_and_as_lists__take_slices(layout: str) -> None:
    rows, make = LAYOUTS[layout]
    as_batch = layouts.as_strings if isinstance(rows[0], str) else layouts.as_lists
    counter = WordCounter()
    for start, stop in [(3, 5), (1, 1), (1, 2), (2, 4)]:
        counter.read(as_batch(make().slice(start, stop - start)))
    expected = naive_corpus([*rows[3:5], *rows[1:2], *rows[2:4]])
    assert counter.n_tokens == expected.n_words_read
    assert counter.n_null == expected.n_null
    entries = np.arange(counter.table.n_words[0])
    counts = dict(zip(words_of(counter.table, entries), counter.table.records[:, 2], strict=False))
    assert counts == dict(zip(expected.words, expected.counts, strict=True))


def test_arrow_errors__of_a_good_file_that_pyarrow_before_26_calls_bad() -> None:
    with (
        pytest.raises(
            CorpusError, match=r"cannot be read \(Expected .*\); nulls in such lists need pyarrow 26"
        ),
        layouts.arrow_errors("c.parquet: row group 0 is corrupt"),
    ):
        raise pa.ArrowInvalid("Expected all lists to be of size=2 but index 3 had size=0")


def test_as_strings__nulls_in_the_dictionary_are_nulls() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array([None, "a b"]))
    counter = WordCounter()
    counter.read(layouts.as_strings(array))
    assert (counter.n_tokens, counter.n_null) == (2, 3)


def test_read_corpus__all_null_or_empty_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", pa.array([None, "", " \t"], pa.string()))
    assert "holds no word" in error_of(UsageError, path)
    path = write(tmp_path / "c.parquet", pa.array([None, [], [None]], pa.list_(pa.string())))
    assert "holds no word" in error_of(UsageError, path)


# ---- Columns -----------------------------------------------------------------------------------------------

STRINGS, NUMBERS = pa.array(["a b", "b"]), pa.array([1, 2])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id", "body"], "body"),
        (["body", "sentence", "text"], "text"),
        (["body", "sentence", "words"], "words"),
        (["words", "tokens"], "tokens"),
        (["body", "sentence"], "sentence"),
    ],
)
def test_read_corpus__finds_the_column(tmp_path: Path, names: list[str], expected: str) -> None:
    columns = {name: NUMBERS if name == "id" else pa.array([f"{name} x"] * 2) for name in names}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet", min_count=1).vocabulary.words == [expected, "x"]


def test_read_corpus__passes_over_usual_names_of_other_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": NUMBERS, "tokens": STRINGS, "b": STRINGS}), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet", min_count=1).n_words_read == 3


def test_read_corpus__prefers_strings_to_bytes_and_numbers(tmp_path: Path) -> None:
    columns = {"image": pa.array([b"a", b"b"]), "shape": pa.array([[1], [2]]), "body": STRINGS}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet", min_count=1).n_words_read == 3
    pq.write_table(pa.table(columns).drop_columns(["body", "image"]), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet", min_count=1).vocabulary.words == ["1", "2"]


def test_read_corpus__reads_the_named_column(tmp_path: Path) -> None:
    columns = {"text": ["x", "y"], "my.text": ["a", "b"], "my.text2": ["c", "d"]}
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert read_corpus(tmp_path / "c.parquet", column="my.text", min_count=1).vocabulary.words == ["a", "b"]


def test_read_corpus__lists_the_candidates(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    pq.write_table(pa.table({"title": STRINGS, "body": STRINGS, "n": NUMBERS}), path)
    assert "title, body could each be the text; choose with --column" in error_of(UsageError, path)
    assert "no column 'txt'; --column may be title, body, n" in error_of(UsageError, path, column="txt")
    pq.write_table(pa.table({"n": NUMBERS, "m": NUMBERS}), path)
    assert "no column of type string or list<string> among n: int64, m: int64" in error_of(UsageError, path)


@pytest.mark.parametrize(
    ("column", "shown", "cure"),
    [
        (NUMBERS, "int64", "cast it to string"),
        (pa.array([True, False]), "bool", "cast it to string"),
        (pa.array([1.5, 2.5]), "double", "cast it to string"),
        (pa.array([[True], [False]]), "list<element: bool>", "cast it to list<string>"),
        (pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())), "map<string, string", "list<string>"),
        (pa.array([None, None]), "null", "cast it to string"),
        (pa.array([[1.5], [2.5]]), "list<element: double>", "cast it to list<string>"),
        (pa.array([[["a"]], [["b"]]]), "list<element: list<element: string>>", "flatten it"),
        (pa.array([[{"a": "b"}]]), "list<element: struct<a: string>>", "flatten it"),
        (pa.array([{"a": "b"}]), "struct<a: string>", "make a column of the field"),
        (
            pa.array([{c * 9: "b" for c in "abcdefgh"}]),
            "struct<aaaaaaaaa: string",
            "make a column of the field",
        ),
    ],
)
def test_read_corpus__names_the_type_it_cannot_read(
    tmp_path: Path, column: pa.Array, shown: str, cure: str
) -> None:
    path = write(tmp_path / "c.parquet", column)
    for message in (error_of(UsageError, path), error_of(UsageError, path, column="text")):
        assert shown in message
        assert cure in message
        assert len(message) < 250 + len(str(path))


def test_read_corpus__refuses_two_columns_of_one_name(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([STRINGS, STRINGS], ["text", "text"]), tmp_path / "c.parquet")
    assert "2 columns are named 'text'" in error_of(UsageError, tmp_path / "c.parquet")


# ---- Integers that are places in a vocabulary --------------------------------------------------------------

GIVEN = Vocabulary(["cat", "[PAD]", "the", "é", "sat"], np.array([5, 0, 9, 2, 5]))
PLACES: list[Any] = [[2, 0, 4], None, [], [2, None, 2], [3, 0, 0]]
PLACE_WORDS: list[Row] = [row and [n if n is None else GIVEN.words[n] for n in row] for row in PLACES]


@pytest.mark.parametrize("integer", [pa.int32(), pa.int64(), pa.uint16()])
@pytest.mark.parametrize("make_list", [pa.list_, pa.large_list])
def test_read_corpus__reads_places_like_their_words(
    tmp_path: Path, integer: pa.DataType, make_list: Callable[[pa.DataType], pa.DataType]
) -> None:
    path = write(tmp_path / "c.parquet", pa.array(PLACES, make_list(integer)), "input_ids", row_group_size=2)
    of_words = write(tmp_path / "w.parquet", pa.array(PLACE_WORDS, pa.list_(pa.string())))
    expected = read_corpus(of_words, vocabulary=GIVEN)
    assert expected.vocabulary.words == ["the", "cat", "sat", "é", "[PAD]"]
    for ids in (None, "places"):
        assert as_plain(read_corpus(path, vocabulary=GIVEN, ids=ids)) == as_plain(expected)
    places = (np.array([2, 0, 4, 2, 2, 3, 0, 0]), np.array([0, 3, 5, 8]))
    assert read_corpus(places, vocabulary=GIVEN).ids.tolist() == expected.ids.tolist()


def test_read_corpus__places_without_the_words_of_a_stop_list(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", PLACES, "input_ids")
    actual = read_corpus(path, vocabulary=GIVEN, stop_words=frozenset(["cat", "[PAD]"]))
    assert actual.vocabulary.words == ["the", "sat", "é"]
    assert actual.ids.tolist() == [0, 1, 0, 0, 2]


def test_read_corpus__integers_are_words_of_a_vocabulary_of_integers(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", [[1, 0, 7], [7, 1]])
    numbers = Vocabulary(["7", "1"], np.array([2, 2]))
    assert read_corpus(path, vocabulary=numbers).ids.tolist() == [1, 0, 0, 1]
    assert "id 7 is no place" in error_of(UsageError, path, vocabulary=numbers, ids="places")
    words = Vocabulary(["7", "1", "x"], np.array([3, 2, 1]))
    assert read_corpus(path, vocabulary=words, ids="words").ids.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("wrong", [5, -1, 2**40])
def test_read_corpus__names_the_row_group_of_an_id_outside_the_vocabulary(tmp_path: Path, wrong: int) -> None:
    path = write(tmp_path / "c.parquet", [[0, 1], [2], [3, wrong], [4]], row_group_size=1)
    expected = f"{path}: row group 2 (of 4, from 0): id {wrong} is no place in the given vocabulary, 0 to 4; "
    assert error_of(UsageError, path, vocabulary=GIVEN).startswith(expected)


def test_read_corpus__places_need_integers_and_a_vocabulary(tmp_path: Path) -> None:
    path = write(tmp_path / "c.parquet", [[0, 1]])
    assert "ids = places needs a vocabulary" in error_of(UsageError, path, ids="places")
    path = write(tmp_path / "c.parquet", ["a b"])
    message = error_of(UsageError, path, ids="places", vocabulary=GIVEN)
    assert "ids = places takes integers, 'text' has none" in message


def test_read_corpus__names_the_shard_whose_items_are_integers(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.parquet", [[1, 2]] if name == "b" else [["1", "2"]])
    message = error_of(UsageError, tmp_path)
    assert message.startswith(
        f"{tmp_path / 'b.parquet'}: column 'text' holds integers, but 2 of 3 files have"
    )
