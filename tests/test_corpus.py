from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v import corpus as corpus_module
from fastw2v import tokenizer
from fastw2v.corpus import Corpus, Feed, find_files, read_corpus, write_text_parquet
from fastw2v.errors import CorpusError, FastW2VError, OutputError, UsageError
from fastw2v.vocabulary import Vocabulary
from tests.naive import NaiveCorpus, Row, naive_corpus

texts = st.text(st.sampled_from("ab é\t\u3000"), max_size=20)
items = st.text(st.sampled_from("ab é"), max_size=4)
text_rows: st.SearchStrategy[list[Row]] = st.lists(st.none() | texts, max_size=10)
list_rows: st.SearchStrategy[list[Row]] = st.lists(
    st.none() | st.lists(st.none() | items, max_size=6), max_size=10
)

TOKENS: list[Row] = [
    ["the", "cat", "sat"],
    None,
    [],
    ["the", None, "the", "longer-than-eight-bytes"],
    ["é", "cat", "cat"],
]
TEXTS: list[Row] = ["the cat sat", None, " ", "the\u00a0the longer-than-eight-bytes ", "é cat cat"]


def as_plain(corpus: Corpus) -> NaiveCorpus:
    return NaiveCorpus(
        ids=corpus.ids.tolist(),
        offsets=corpus.offsets.tolist(),
        words=corpus.vocabulary.words,
        counts=corpus.vocabulary.counts.tolist(),
        n_words_read=corpus.n_words_read,
        n_rows=corpus.n_rows,
        n_null=corpus.n_null,
    )


def write(path: Path, column: pa.Array | list[Any], name: str = "text", **options: Any) -> Path:
    """A Parquet file of one column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: column}), path, **options)
    return path


def write_texts(path: Path, *texts: str) -> Path:
    return write(path, pa.array(texts, pa.string()))


def error_of(kind: type[FastW2VError], *arguments: Any, **options: Any) -> str:
    """The message of the error that reading must raise: always one line."""
    with pytest.raises(kind) as caught:
        read_corpus(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- Against the plain twin --------------------------------------------------------------------------------


@pytest.fixture
def batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "BATCH_ROWS", 2)


@pytest.mark.usefixtures("batches_of_two")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=text_rows | list_rows,
    threads=st.integers(1, 3),
    min_count=st.integers(0, 3),
    max_vocab=st.none() | st.integers(2, 4),
    group=st.integers(1, 6),
)
def test_read_corpus__equals_naive(
    rows: list[Row],
    threads: int,
    min_count: int,
    max_vocab: int | None,
    group: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    is_list = any(isinstance(row, list) for row in rows)
    array = pa.array(rows, pa.list_(pa.string()) if is_list else pa.string())
    path = write(tmp_path_factory.mktemp("corpus") / "c.parquet", array, row_group_size=group)
    expected = naive_corpus(rows, min_count, max_vocab)
    options: dict[str, Any] = {"min_count": min_count, "max_vocab": max_vocab, "threads": threads}
    if len(expected.words) < 2:
        assert "negative sampling needs" in error_of(UsageError, path, **options)
    else:
        assert as_plain(read_corpus(path, **options)) == expected


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_read_corpus__does_not_depend_on_threads_or_batches(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, batch_rows: int, threads: int
) -> None:
    rows: list[Row] = [" ".join(map(str, rng.geometric(0.05, n))) for n in rng.integers(0, 40, 200)]
    path = write(tmp_path / "c.parquet", rows, row_group_size=50)
    monkeypatch.setattr(corpus_module, "BATCH_ROWS", batch_rows)
    actual = as_plain(read_corpus(path, min_count=3, threads=threads))
    assert actual == naive_corpus(rows, min_count=3)


def test_read_corpus__types_and_shapes(tmp_path: Path) -> None:
    actual = read_corpus(write_texts(tmp_path / "c.parquet", "a b a", "c"), min_count=1)
    assert actual.ids.dtype == np.int32
    assert actual.offsets.dtype == np.int64
    assert actual.vocabulary.counts.dtype == np.int64
    assert actual.offsets.tolist() == [0, 3, 4]
    assert actual.ids.flags.writeable


def test_read_corpus__one_giant_row_among_small_ones(tmp_path: Path, rng: np.random.Generator) -> None:
    giant = " ".join(map(str, rng.integers(0, 1000, 200_000)))
    rows: list[Row] = ["a b", giant, "b 7", None]
    expected = naive_corpus(rows, min_count=2)
    assert as_plain(read_corpus(write(tmp_path / "c.parquet", rows), min_count=2, threads=3)) == expected


# ---- A given vocabulary ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_read_corpus__keeps_the_ids_and_counts_of_a_given_vocabulary(tmp_path: Path, threads: int) -> None:
    rows: list[Row] = ["new the cat", "other", "the the absent-not", "cat é"]
    vocabulary = Vocabulary(["cat", "the", "absent", "é"], np.array([900, 7, 3, 0]))
    path = write(tmp_path / "c.parquet", rows, row_group_size=1)
    actual = read_corpus(path, vocabulary=vocabulary, min_count=5, max_vocab=2, threads=threads)
    expected = naive_corpus(rows, vocabulary=vocabulary.words)
    assert actual.vocabulary is vocabulary
    assert actual.ids.tolist() == expected.ids == [1, 0, 1, 1, 0, 3]
    assert actual.offsets.tolist() == expected.offsets
    assert actual.n_words_read == 9


def test_read_corpus__refuses_a_vocabulary_that_fits_nothing(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b c")
    message = error_of(UsageError, path, vocabulary=Vocabulary(["x", "y"], np.array([2, 1])))
    assert "none of its 3 words is in the given vocabulary of 2" in message
    message = error_of(UsageError, path, vocabulary=Vocabulary(["a"], np.array([2])))
    assert "the given vocabulary has 1 words; negative sampling needs at least 2" in message
    message = error_of(UsageError, path, vocabulary=Vocabulary(["a", "b", "a"], np.array([3, 2, 1])))
    assert "the given vocabulary has a word twice" in message


# ---- Lines -------------------------------------------------------------------------------------------------


LINES = "the cat sat\r\n\n  \nthe the longer-than-eight-bytes\né cat cat"


@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".txt.gz", ".txt.zst", ".txt.bz2"])
def test_read_corpus__reads_lines_like_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    codec = {"gz": "gzip", "zst": "zstd", "bz2": "bz2"}.get(suffix.rpartition(".")[2])
    with pa.output_stream(str(path), compression=codec) as stream:
        stream.write(LINES.encode())
    assert as_plain(read_corpus(path, min_count=1)) == naive_corpus(LINES.split("\n"))


def test_read_corpus__lines_of_any_length_whatever_the_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{n}" for n in rng.integers(0, 50, size)) for size in rng.integers(0, 300, 60)]
    path = tmp_path / "c.txt"
    path.write_text("\n".join(lines) + "\n")
    for size in (16, 1000, 1 << 22):
        monkeypatch.setattr(corpus_module, "BATCH_BYTES", size)
        assert as_plain(read_corpus(path, min_count=1)) == naive_corpus(lines)


def test_read_corpus__refuses_broken_compression(tmp_path: Path) -> None:
    path = tmp_path / "c.txt.gz"
    with pa.output_stream(str(path), compression="gzip") as stream:
        stream.write(b"a b c\n" * 10_000)
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read as lines of text" in error_of(CorpusError, path)
    path.write_bytes(b"no gzip")
    assert "cannot be read as lines of text" in error_of(CorpusError, path)


# ---- Layouts -----------------------------------------------------------------------------------------------


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
    expected = naive_corpus(rows)
    assert expected.n_null == (1 if isinstance(rows[0], str) else 2)
    assert as_plain(read_corpus(path, min_count=1)) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_as_strings_and_as_lists__take_slices(layout: str) -> None:
    rows, make = LAYOUTS[layout]
    as_batch = corpus_module.as_strings if isinstance(rows[0], str) else corpus_module.as_lists
    counter = corpus_module.WordCounter()
    for start, stop in [(3, 5), (1, 1), (1, 2), (2, 4)]:
        counter.read(as_batch(make().slice(start, stop - start)))
    expected = naive_corpus([*rows[3:5], *rows[1:2], *rows[2:4]])
    assert counter.n_tokens == expected.n_words_read
    assert counter.n_null == expected.n_null
    entries = np.arange(counter.table.n_words[0])
    counts = dict(
        zip(corpus_module.words_of(counter.table, entries), counter.table.records[:, 2], strict=False)
    )
    assert counts == dict(zip(expected.words, expected.counts, strict=True))


def test_as_strings__nulls_in_the_dictionary_are_nulls() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array([None, "a b"]))
    counter = corpus_module.WordCounter()
    counter.read(corpus_module.as_strings(array))
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


# ---- Sources -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three shards, and what must not be read."""
    for name in ("b.parquet", "a/10.parquet", "a/9.parquet"):
        write_texts(tmp_path / "data" / name, f"{name} shard")
    for name in ("_temporary/0.parquet", ".hidden.parquet", "a/_metadata.parquet", "notes.txt"):
        write_texts(tmp_path / "data" / name, "never read")
    return tmp_path / "data"


def test_find_files__of_a_folder_are_sorted(folder: Path) -> None:
    expected = [folder / name for name in ("a/10.parquet", "a/9.parquet", "b.parquet")]
    assert find_files(folder) == find_files(str(folder)) == expected


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.parquet", ["b.parquet"]),
        ("?/[0-9].parquet", ["a/9.parquet"]),
        ("**/*0.parquet", ["a/10.parquet"]),
        ("[ab]*", ["a/10.parquet", "a/9.parquet", "b.parquet"]),
    ],
)
def test_find_files__of_a_pattern(folder: Path, pattern: str, names: list[str]) -> None:
    assert find_files(str(folder / pattern)) == [folder / name for name in names]


def test_find_files__of_a_relative_pattern(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert find_files("a/*.parquet") == [Path("a/10.parquet"), Path("a/9.parquet")]
    assert find_files("b*.parquet") == [Path("b.parquet")]


def test_find_files__of_a_list_keep_its_order(folder: Path) -> None:
    assert find_files([folder / "b.parquet", str(folder / "a")]) == [
        folder / name for name in ("b.parquet", "a/10.parquet", "a/9.parquet")
    ]


def test_find_files__a_file_may_be_named_like_a_pattern(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "a[1].parquet", "a b")
    assert find_files(path) == [path]


def test_find_files__names_what_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"holds no \*\.parquet file"):
        find_files(tmp_path)
    with pytest.raises(CorpusError, match="no file matches the pattern"):
        find_files(str(tmp_path / "*.parquet"))
    with pytest.raises(CorpusError, match="cannot be read"):
        find_files("a" * 5000)
    with pytest.raises(UsageError, match="no corpus given"):
        find_files([])


def test_read_corpus__reads_shards_in_order(folder: Path) -> None:
    actual = read_corpus(folder, min_count=1, threads=2)
    assert as_plain(actual) == naive_corpus(["a/10.parquet shard", "a/9.parquet shard", "b.parquet shard"])


def test_read_corpus__shards_may_differ_in_offsets_and_encoding(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.array(["a b"], pa.string()))
    write(tmp_path / "b.parquet", pa.array(["b c"], pa.large_string()))
    write(tmp_path / "c.parquet", pa.array(["c a"]).dictionary_encode())
    assert as_plain(read_corpus(tmp_path, min_count=1)) == naive_corpus(["a b", "b c", "c a"])


@pytest.mark.parametrize("odd", ["0.parquet", "1.parquet", "3.parquet"])
def test_read_corpus__names_the_shard_that_differs(tmp_path: Path, odd: str) -> None:
    for i in range(4):
        write_texts(tmp_path / f"{i}.parquet", "a b")
    write(tmp_path / odd, [["a", "b"]])
    message = error_of(UsageError, tmp_path)
    assert message.startswith(f"{tmp_path / odd}: column 'text' holds tokens, but 3 of 4 files have text")


# ---- Bad input ---------------------------------------------------------------------------------------------


def test_read_corpus__names_what_is_missing_or_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    assert error_of(CorpusError, path) == f"{path}: no such file; check the name"
    for content in (b"", b"just text", b"PAR1" * 20):
        path.write_bytes(content)
        assert error_of(CorpusError, path).startswith(f"{path}: cannot be read as Parquet (")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_read_corpus__names_what_it_may_not_read(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b")
    path.chmod(0)
    assert str(path) in error_of(CorpusError, path)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "holds no word; negative sampling needs at least 2: give more text"),
        (["one one one"], "holds only 1 distinct word; negative sampling needs at least 2"),
        (
            ["a a a b b c"],
            "0 of 3 distinct words occur at least min_count = 5 times; .* lower --min-count to 2",
        ),
        (["a a a a a b b c"], "1 of 3 distinct words occur at least min_count = 5 times"),
    ],
)
def test_read_corpus__says_why_the_vocabulary_is_too_small(
    tmp_path: Path, texts: list[str], message: str
) -> None:
    path = write_texts(tmp_path / "c.parquet", *texts)
    with pytest.raises(UsageError, match=message):
        read_corpus(path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("min_count", -1, "at least 0"), ("max_vocab", 1, "at least 2"), ("threads", 0, "at least 1")],
)
def test_read_corpus__names_the_option_out_of_range(
    tmp_path: Path, option: str, value: int, message: str
) -> None:
    path = write_texts(tmp_path / "c.parquet", "a b")
    with pytest.raises(UsageError, match=rf"{option} = {value}: must be {message}"):
        read_corpus(path, **{option: value})


def test_read_corpus__refuses_words_that_are_not_utf_8_unless_left_out(tmp_path: Path) -> None:
    binary = pa.array([b"good good fine fine bad\xff"], pa.binary())
    strings = pa.Array.from_buffers(pa.string(), 1, binary.buffers())
    path = write(tmp_path / "c.parquet", strings)
    assert read_corpus(path, min_count=2).vocabulary.words == ["good", "fine"]
    assert r"c.parquet: the word b'bad\xff' is not UTF-8" in error_of(CorpusError, path, min_count=1)


def test_read_corpus__names_the_row_group_that_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, [f"word{i} again" for i in range(4000)], rows_per_group=1000)
    content = bytearray(path.read_bytes())
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 4] ^= 1
    path.write_bytes(content)
    for threads in (1, 3):
        message = error_of(CorpusError, path, min_count=1, threads=threads)
        assert message.startswith(f"{path}: row group 2 (of 4, from 0) is corrupt (")


def test_read_corpus__every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_text_parquet(path, ["a b c", "d e f"], rows_per_group=1)
    content = path.read_bytes()
    for size in range(0, len(content), 7):
        path.write_bytes(content[:size])
        error_of(CorpusError, path, min_count=1)


@pytest.mark.parametrize("with_checksums", [True, False])
def test_read_corpus__damaged_files_are_errors_or_read_alike(tmp_path: Path, with_checksums: bool) -> None:
    """With page checksums damage never passes for text; without them it may, but never as a crash."""
    path, rows = tmp_path / "c.parquet", [f"w{i % 7} w{i % 11} w{i % 3}" for i in range(100)]
    write_text_parquet(path, rows, rows_per_group=40)
    if not with_checksums:
        write(path, rows, row_group_size=40)
    content, expected = path.read_bytes(), as_plain(read_corpus(path, min_count=1))
    generator, silent = random.Random(0), 0
    for _ in range(150):
        damaged = bytearray(content)
        place = generator.randrange(len(content))
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            actual = as_plain(read_corpus(path, min_count=1, threads=2))
        except (CorpusError, UsageError):
            continue
        else:
            silent += actual != expected
    assert (silent == 0) == with_checksums


def test_read_corpus__a_damaged_footer_never_ends_the_process(tmp_path: Path) -> None:
    """Some metadata that pyarrow reads without complaint ends the process when it is asked for."""
    path = write(tmp_path / "c.parquet", ["a b", "c d"], compression="none")
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little")
    for place in range(len(content) - 8 - footer, len(content) - 8):
        for bit in (0, 2):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            with contextlib.suppress(CorpusError, UsageError):
                read_corpus(path, min_count=1)


def test_read_corpus__tells_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(corpus_module, "BATCH_ROWS", 10)
    path = write(tmp_path / "c.parquet", ["a b c"] * 3000)
    calls: list[tuple[float, int]] = []
    read_corpus(path, on_progress=lambda share, words: calls.append((share, words)))
    assert len(calls) > 1
    assert calls == sorted(calls)
    assert calls[-1] == (1.0, 9000)


@pytest.fixture
def feeds(monkeypatch: pytest.MonkeyPatch) -> list[Feed]:
    """The feeds that were made, of one row a batch."""
    made: list[Feed] = []

    class WatchedFeed(Feed):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(corpus_module, "Feed", WatchedFeed)
    monkeypatch.setattr(corpus_module, "BATCH_ROWS", 1)
    return made


def test_read_corpus__stops_at_an_exception_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feeds: list[Feed]
) -> None:
    monkeypatch.setattr(corpus_module, "PROGRESS_SECONDS", 0.0)
    path = write(tmp_path / "c.parquet", ["a b c"] * 30_000)

    def interrupt(share: float, words: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_corpus(path, threads=2, on_progress=interrupt)
    assert feeds[0].share < 0.5


def test_read_corpus__stops_all_workers_when_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, feeds: list[Feed]
) -> None:
    monkeypatch.setattr(tokenizer, "FIRST_WORDS", 4)
    monkeypatch.setattr(tokenizer, "MAX_WORDS", 7)
    path = write(tmp_path / "c.parquet", ["a b c d e f g h i", *["x y"] * 30_000])
    assert "more than 8 distinct words" in error_of(UsageError, path, threads=2)
    assert feeds[0].share < 0.5


def test_read_corpus__turns_the_end_of_memory_into_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(corpus_module, "encode", no_memory)
    path = write_texts(tmp_path / "c.parquet", "a b")
    assert "memory ended while reading the corpus; read fewer" in error_of(OutputError, path, min_count=1)


MEASURE = """
import pathlib, re, sys
from fastw2v.corpus import read_corpus
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
read_corpus(sys.argv[1], threads=2)
before = peak()
corpus = read_corpus(sys.argv[2], threads=2)
print(peak() - before - corpus.ids.nbytes - corpus.offsets.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak memory of one process here")
def test_read_corpus__one_large_row_group_in_little_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    """Peak memory beyond ids and offsets, in a process that has loaded everything before."""
    row = " ".join(map(str, rng.integers(0, 10_000, 2_000)))
    small, large = write(tmp_path / "s.parquet", [row] * 2), tmp_path / "l.parquet"
    write(large, [row] * 10_000, row_group_size=10_000, use_dictionary=False)
    assert pq.ParquetFile(large).metadata.row_group(0).total_byte_size > 90e6
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 80e6  # 37 to 61 MB measured


# ---- Writing -----------------------------------------------------------------------------------------------


def test_write_text_parquet__streams_rows_into_groups(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    rows = [f"row {i}" for i in range(25)]
    write_text_parquet(path, iter(rows), column="words", rows_per_group=10)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert file.read().to_pydict() == {"words": rows}
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [10, 10, 5]


def test_write_text_parquet__takes_no_rows_at_all(tmp_path: Path) -> None:
    write_text_parquet(tmp_path / "c.parquet", [])
    assert "holds no word" in error_of(UsageError, tmp_path / "c.parquet")


def failing_rows(error: Exception) -> Iterator[str]:
    yield from ["a"] * 20
    raise error


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        (["fine", "\ud800"], UsageError, "a row is not Unicode text"),
        (["fine", 3], UsageError, "a row is not Unicode text"),
        (failing_rows(OSError("disk gone")), CorpusError, r"the rows cannot be read \(disk gone\)"),
        (failing_rows(RuntimeError("bug")), RuntimeError, "bug"),
    ],
)
def test_write_text_parquet__leaves_the_old_file_on_failure(
    tmp_path: Path, rows: Any, kind: type[Exception], message: str
) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"old")
    with pytest.raises(kind, match=message):
        write_text_parquet(path, rows, rows_per_group=8)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_text_parquet__names_the_place_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        write_text_parquet(tmp_path / "missing" / "c.parquet", ["a"])
