"""What is written is what word2vec's readers expect; what is read is checked, and fails with one line."""

from __future__ import annotations

import resource
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastw2v import cli
from fastw2v.errors import CorpusError, FastW2VError, OutputError, UsageError
from fastw2v.vectors.embeddings import Embeddings, fill_initial, initial_vectors
from fastw2v.vectors.formats import detect_format, load, output_paths, save
from fastw2v.vectors.formats.decimals import format_rows, parse_numbers
from fastw2v.vectors.formats.tokens import (
    MAX_WORD_CHARACTERS,
    check_tokens,
    escape_token,
    first_repeated,
    unescape_token,
)

FORMATS = ["text", "binary", "npy"]
SUFFIX = {"text": "v.txt", "binary": "v.bin", "npy": "v.npy"}
WHITE_SPACE = "".join(character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace())

# two words of dim 2, worked by hand: 1.0 is 3f800000, -0.5 bf000000, 0.1 3dcccccd, -0.0 80000000
BINARY_FIXTURE = (
    b"2 2\nthe \x00\x00\x80\x3f\x00\x00\x00\xbf\n" + b"caf\xc3\xa9 \xcd\xcc\xcc\x3d\x00\x00\x00\x80\n"
)
TEXT_FIXTURE = b"2 2\nthe 1 -0.5\n" + "café 0.1 -0\n".encode()
FIXTURE_WORDS = ["the", "café"]
FIXTURE_VECTORS = np.array([[1.0, -0.5], [0.1, -0.0]], dtype=np.float32)

EXTREMES = np.array(
    [
        [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45],  # the smallest denormal
        [1.1754942e-38, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 16777216.0, 16777217.0],
        [0.1, 0.01, 1e-3, 1e-7, 9.9999994e-8, 1.0000001e-7],
        [999.99994, 1000.0, 1000.00006, 0.99999994, 1.0000001, 2.0**-20],
        [123456789.0, 0.3333333, 5e-324, 1.5e-30, 9.5367434e-07, 0.00099999993],
    ],
    dtype=np.float32,
)


def bits(vectors: NDArray[np.float32]) -> list[int]:
    numbers: list[int] = vectors.view(np.uint32).ravel().tolist()
    return numbers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def embeddings(rng: np.random.Generator) -> Embeddings:
    words = [f"word{i}" for i in range(97)] + ["日本語", "naïve", "😀", "a\\b", "\ufeffbom"]
    center, outside = rng.normal(0, 0.2, (2, len(words), 7)).astype(np.float32)
    return Embeddings(words, center, outside, np.arange(len(words), 0, -1))


def gensim_load(path: Path, binary: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KeyedVectors = pytest.importorskip("gensim.models").KeyedVectors

        return KeyedVectors.load_word2vec_format(str(path), binary=binary)


# ---- The formats themselves --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "expected"), [("v.bin", BINARY_FIXTURE), ("v.txt", TEXT_FIXTURE)])
def test_save__writes_exactly_these_bytes(tmp_path: Path, name: str, expected: bytes) -> None:
    save(tmp_path / name, Embeddings(FIXTURE_WORDS, FIXTURE_VECTORS))
    assert (tmp_path / name).read_bytes() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ours.bin", BINARY_FIXTURE),
        ("gensim.bin", BINARY_FIXTURE.replace(b"\xbf\n", b"\xbf").removesuffix(b"\n")),
        ("ours.txt", TEXT_FIXTURE),
        ("word2vec.txt", b"2 2\nthe 1.000000 -0.500000 \ncaf\xc3\xa9 0.100000 -0.000000 \n"),
        ("windows.txt", TEXT_FIXTURE.replace(b"\n", b"\r\n")),
        ("no_end.vec", TEXT_FIXTURE.removesuffix(b"\n")),
        ("exponents.txt", b"2 2\nthe 1e0 -5E-1\ncaf\xc3\xa9 +.1 -0.\n"),
    ],
)
def test_load__reads_files_of_other_tools(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    actual = load(tmp_path / name)
    assert actual.words == FIXTURE_WORDS
    assert bits(actual.center_vectors) == bits(FIXTURE_VECTORS)
    assert actual.outside_vectors is None
    assert actual.counts is None


@pytest.mark.parametrize("format", FORMATS)
def test_load__gives_back_what_was_saved(tmp_path: Path, embeddings: Embeddings, format: str) -> None:
    path = tmp_path / "vectors.file"
    save(path, embeddings, format=format)
    actual = load(path, format=format)
    assert actual.words == embeddings.words
    assert bits(actual.center_vectors) == bits(embeddings.center_vectors)
    assert actual.center_vectors.flags.c_contiguous


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("n_words", "dim"), [(1, 1), (300, 100), (3, 20_000), (5_000, 1)])
def test_load__gives_back_any_shape(
    tmp_path: Path, rng: np.random.Generator, format: str, n_words: int, dim: int
) -> None:
    path = tmp_path / SUFFIX[format]
    expected = rng.normal(size=(n_words, dim)).astype(np.float32)
    save(path, Embeddings([f"w{i}" for i in range(n_words)], expected))
    assert bits(load(path).center_vectors) == bits(expected)


@pytest.mark.parametrize("format", FORMATS)
def test_load__gives_back_extreme_numbers(tmp_path: Path, format: str) -> None:
    path = tmp_path / SUFFIX[format]
    save(path, Embeddings(list("abcde"), EXTREMES))
    assert bits(load(path).center_vectors) == bits(EXTREMES)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("escape", [False, True])
def test_save__gensim_reads_the_same(
    tmp_path: Path, embeddings: Embeddings, binary: bool, escape: bool
) -> None:
    path = tmp_path / ("v.bin" if binary else "v.txt")
    save(path, embeddings, escape=escape)
    actual = gensim_load(path, binary)
    assert actual.index_to_key == [escape_token(w) if escape else w for w in embeddings.words]
    assert bits(actual.vectors) == bits(embeddings.center_vectors)


@pytest.mark.parametrize("binary", [False, True])
def test_save__gensim_reads_extreme_numbers(tmp_path: Path, binary: bool) -> None:
    path = tmp_path / ("v.bin" if binary else "v.txt")
    save(path, Embeddings(list("abcde"), EXTREMES))
    assert bits(gensim_load(path, binary).vectors) == bits(EXTREMES)


@pytest.mark.parametrize("binary", [False, True])
def test_load__reads_what_gensim_writes(tmp_path: Path, embeddings: Embeddings, binary: bool) -> None:
    save(tmp_path / "ours.txt", embeddings)
    path = tmp_path / ("v.bin" if binary else "v.txt")
    gensim_load(tmp_path / "ours.txt", False).save_word2vec_format(str(path), binary=binary)
    actual = load(path)
    assert actual.words == embeddings.words
    assert bits(actual.center_vectors) == bits(embeddings.center_vectors)


def test_save__npy_is_numpys_own_layout(tmp_path: Path, embeddings: Embeddings) -> None:
    save(tmp_path / "v.npy", embeddings)
    assert embeddings.counts is not None
    np.save(tmp_path / "numpy.npy", embeddings.center_vectors)
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    expected = [f"{w} {c}" for w, c in zip(embeddings.words, embeddings.counts, strict=True)]
    assert (tmp_path / "v.vocab.txt").read_text(encoding="utf-8").split("\n") == [*expected, ""]


def test_load__npy_keeps_words_with_their_vectors_when_counts_are_not_sorted(tmp_path: Path) -> None:
    counts = np.array([1, 5, 3])
    save(tmp_path / "v.npy", Embeddings(list("abc"), np.eye(3, dtype=np.float32), counts=counts))
    actual = load(tmp_path / "v.npy")
    assert actual.words == list("abc")
    assert actual.counts is not None
    assert actual.counts.tolist() == [1, 5, 3]


def test_load__npy_without_counts_has_none(tmp_path: Path) -> None:
    save(tmp_path / "v.npy", Embeddings(list("abc"), np.eye(3, dtype=np.float32)))
    assert load(tmp_path / "v.npy").counts is None


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4"])
def test_load__npy_of_other_floats(tmp_path: Path, dtype: str) -> None:
    save(tmp_path / "v.npy", Embeddings(FIXTURE_WORDS, FIXTURE_VECTORS))
    np.save(tmp_path / "v.npy", np.asfortranarray(FIXTURE_VECTORS.astype(dtype)))
    assert np.array_equal(load(tmp_path / "v.npy").center_vectors, FIXTURE_VECTORS.astype(dtype))


def test_save__outside_vectors(tmp_path: Path, embeddings: Embeddings) -> None:
    save(tmp_path / "u.bin", embeddings, vectors="outside")
    assert embeddings.outside_vectors is not None
    assert bits(load(tmp_path / "u.bin").center_vectors) == bits(embeddings.outside_vectors)


def test_save__outside_vectors_that_were_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="outside vectors, which were not kept"):
        save(tmp_path / "u.bin", Embeddings(FIXTURE_WORDS, FIXTURE_VECTORS), vectors="outside")


@pytest.mark.parametrize("format", FORMATS)
def test_load__limit(tmp_path: Path, embeddings: Embeddings, format: str) -> None:
    path = tmp_path / SUFFIX[format]
    save(path, embeddings)
    actual = load(path, limit=5)
    assert actual.words == embeddings.words[:5]
    assert bits(actual.center_vectors) == bits(embeddings.center_vectors[:5])
    assert len(load(path, limit=10**9)) == len(embeddings)


def test_load__limit_below_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="limit is 0: it must be at least 1"):
        load(tmp_path / "v.txt", limit=0)


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("v.txt", None, "text"),
        ("v.vec", None, "text"),
        ("v.vectors.BIN", None, "binary"),
        ("v.npy", None, "npy"),
        ("v.bin", "text", "text"),
        ("/dev/stdout", "binary", "binary"),
    ],
)
def test_detect_format__by_suffix_or_as_told(name: str, format: str | None, expected: str) -> None:
    assert detect_format(Path(name), format) == expected


@pytest.mark.parametrize(("name", "format"), [("v", None), ("v.gz", None), ("v.txt", "xml")])
def test_detect_format__unknown(name: str, format: str | None) -> None:
    with pytest.raises(UsageError, match=r"use |one of text, binary"):
        detect_format(Path(name), format)


def test_output_paths__npy_has_two() -> None:
    assert output_paths(Path("a/v.npy")) == [Path("a/v.npy"), Path("a/v.vocab.txt")]
    assert output_paths(Path("a/v.txt")) == [Path("a/v.txt")]


# ---- Decimals ----------------------------------------------------------------------------------------------


def assert_shortest(numbers: NDArray[np.float32]) -> None:
    """Each number reads back as itself, and with no more digits than numpy's shortest printing has."""
    texts = b"".join(format_rows(numbers.reshape(1, -1))).split()
    assert bits(np.array([float(text) for text in texts], dtype=np.float32)) == bits(numbers)
    expected = [np.format_float_positional(number, unique=True, trim="-") for number in numbers]
    for text, positional in zip(texts, expected, strict=True):
        assert text.decode() == positional or b"e" in text


@pytest.mark.parametrize("scale", [1e-7, 1e-5, 1e-3, 0.15, 1.0, 30.0, 999.0, 1e6, 1e30])
def test_format_rows__is_numpys_shortest_decimal(rng: np.random.Generator, scale: float) -> None:
    assert_shortest(rng.normal(0, scale, 3_000).astype(np.float32))


def test_format_rows__is_numpys_shortest_decimal_near_short_numbers(rng: np.random.Generator) -> None:
    short = (rng.integers(1, 10**5, 3_000) / 10.0 ** rng.integers(2, 9, 3_000)).astype(np.float32)
    for numbers in (short, np.nextafter(short, np.float32(0)), np.nextafter(short, np.float32(9))):
        assert_shortest(numbers)


def test_format_rows__is_numpys_shortest_decimal_around_powers_of_ten_and_two() -> None:
    powers = np.concatenate([10.0 ** np.arange(-9, 6), 2.0 ** np.arange(-30, 12)]).astype(np.float32)
    for numbers in (powers, np.nextafter(powers, np.float32(0)), np.nextafter(powers, np.float32(1e9))):
        assert_shortest(numbers)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_parse_numbers__reverses_format_rows(numbers: list[float]) -> None:
    expected = np.array(numbers, dtype=np.float32)
    assert bits(parse_numbers(format_rows(expected.reshape(1, -1))[0][1:])) == bits(expected)


@pytest.mark.slow
@given(st.from_regex(r"[+-]?[0-9]{0,4}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,2})?", fullmatch=True))
@example("0.00000000000000009")
@example("9.9999999999999999")
@example("2.8506242036819461")  # another float32 when 28506242036819461 is rounded to float64 first
@example("1.5e39")
@example("1e-60")
@example("0." + "0" * 40 + "1")
def test_parse_numbers__agrees_with_float(text: str) -> None:
    with np.errstate(over="ignore"):
        try:
            expected = np.float32(float(text))
        except ValueError:
            expected = np.float32(np.nan)
    for actual in parse_numbers(f"0.5 {text} {text}".encode())[1:]:
        assert np.array_equal(actual, expected, equal_nan=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "x",
        "1.x",
        "0.1234x678",
        "0.12345678x",
        "1_0",
        "0x10",
        "1,5",
        "--1",
        "1.2.3",
        "٣",
        "0.\x00",
        "nan",
    ],
)
def test_parse_numbers__is_nan_where_there_is_no_number(text: str) -> None:
    actual = parse_numbers(f"0.25 {text} 0.75".encode())
    assert actual[[0, 2]].tolist() == [0.25, 0.75]
    assert np.isnan(actual[1])


# ---- Tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", WHITE_SPACE)
def test_check_tokens__refuses_white_space_anywhere(character: str) -> None:
    for token in (character, f"{character}a", f"a{character}", f"a{character}b"):
        with pytest.raises(UsageError, match="--escape") as caught:
            check_tokens(["good", token])
        assert repr(token) in str(caught.value)
        assert "\n" not in str(caught.value)
        check_tokens(["good", token], escape=True)
        check_tokens(["good", escape_token(token)])


@pytest.mark.parametrize("token", ["", "half \ud83d", "\ud83d"])
def test_check_tokens__refuses_what_has_no_bytes(token: str) -> None:
    with pytest.raises(UsageError, match="--escape"):
        check_tokens([token])
    check_tokens([token], escape=True)


def test_check_tokens__refuses_repeated_words_and_endless_ones() -> None:
    with pytest.raises(UsageError, match="'a' occurs twice"):
        check_tokens(["a", "b", "a"], escape=True)
    with pytest.raises(UsageError, match="131,073 characters, at most 131,072"):
        check_tokens(["x" * (MAX_WORD_CHARACTERS + 1)], escape=True)


class Colliding(str):
    """A word whose hash is that of every other."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1


def test_first_repeated__takes_words_of_one_hash_for_what_they_are() -> None:
    assert first_repeated([Colliding("a"), Colliding("b")]) is None
    assert first_repeated([Colliding("a"), Colliding("b"), Colliding("a")]) == (0, 2)


@pytest.mark.parametrize("format", FORMATS)
def test_save__refuses_tokens_before_touching_the_file(tmp_path: Path, format: str) -> None:
    path = tmp_path / SUFFIX[format]
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="'New York'"):
        save(path, Embeddings(["the", "New York"], FIXTURE_VECTORS))
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("New York", r"New\sYork"),
        ("a\tb\nc\rd\\e", r"a\tb\nc\rd\\e"),
        ("\u00a0\u2028", r"\u00a0\u2028"),
        ("", r"\e"),
        (r"\e", r"\\e"),
        (r"\u00a0", r"\\u00a0"),
        ("café", "café"),
    ],
)
def test_escape_token__writes_these(word: str, expected: str) -> None:
    assert escape_token(word) == expected
    assert unescape_token(expected) == word


ANY_WORD = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\\ \t\n\r\u00a0estnru\ud83d"))


@given(ANY_WORD)
def test_escape_token__is_reversible_and_safe(word: str) -> None:
    escaped = escape_token(word)
    assert unescape_token(escaped) == word  # so that no two words share an escape
    check_tokens([escaped])
    assert escaped.encode()


@given(st.text("\\estnru0a9 "))
def test_unescape_token__gives_a_word_or_an_error(text: str) -> None:
    try:
        assert isinstance(unescape_token(text), str)
    except CorpusError as error:
        assert "no escape" in str(error)  # noqa: PT017


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=25)
@given(words=st.lists(ANY_WORD, min_size=1, max_size=8, unique=True))
def test_load__gives_back_escaped_words(
    tmp_path_factory: pytest.TempPathFactory, format: str, words: list[str]
) -> None:
    path = tmp_path_factory.mktemp("escaped") / SUFFIX[format]
    save(path, Embeddings(words, np.ones((len(words), 2), dtype=np.float32)), escape=True)
    assert load(path, unescape=True).words == words


# ---- What cannot be written --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_save__refuses_numbers_that_are_not_finite(tmp_path: Path, format: str, value: float) -> None:
    vectors = FIXTURE_VECTORS.copy()
    vectors[1, 0] = value
    path = tmp_path / SUFFIX[format]
    with pytest.raises(OutputError, match="not finite") as caught:
        save(path, Embeddings(["the", "cafe"], vectors))
    assert "'cafe'" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["text", "binary"])
def test_save__full_disk(embeddings: Embeddings, format: str) -> None:
    with pytest.raises(OutputError, match="/dev/full: disk full"):
        save(Path("/dev/full"), embeddings, format=format)


def test_save__npy_on_a_full_disk_leaves_the_old_pair(tmp_path: Path, embeddings: Embeddings) -> None:
    save(tmp_path / "v.npy", embeddings)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))  # as on a full disk
    try:
        with pytest.raises(OutputError, match=r"v\.npy: disk full .* bytes missing"):
            save(tmp_path / "v.npy", Embeddings(["a", "b"], np.ones((2, 10_000), dtype=np.float32)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_save__npy_to_a_folder_that_is_missing(tmp_path: Path, embeddings: Embeddings) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        save(tmp_path / "no" / "v.npy", embeddings)


# ---- What cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1 is b''"),
        (b"the first 0.2\n", "line 1 is .*'n_words dim' is needed"),
        (b"2 2 2\n", "line 1 is"),
        (b"-2 2\n", "line 1 is"),
        (b"1000000000000 300\nthe 1 2\n", "1,000,000,000,000 words of dim 300, which .* bytes cannot hold"),
        (b"999999999999999999 999999999999999999\nthe 1 2\n", "bytes cannot hold"),
        (b"2 0\nthe\nof\n", "dim 0"),
        (b"0 2\n", "0 words of dim 2, .* is empty"),
        (b"0 999999999999999999\n", "0 words"),
        (b"2 2\nthe 1 2\n        \n", "line 3 has 1 fields"),
        (b"2 2\nthe 1 2.0000\n", "ends before line 3"),
        (b"2 2\nthe 1 2\nof 1\n    \n", "line 3 has 2 fields, a word and 2 numbers are needed; .*cut short"),
        (b"2 2\nthe 1 2\nNew York 1 2\n", "line 3 has 4 fields.* 'New York' a word with a space"),
        (b"2 2\nthe 1 2\n 1 2    \n", "line 3: the word is missing"),
        (b"2 2\nthe 1 2\nof 1 x\n", "line 3: 'x' is no finite float32"),
        (b"2 2\nthe 1 2\nof nan 2\n", "line 3: 'nan' is no finite float32"),
        (b"2 2\nthe 1 2\nof 1e39 2\n", "line 3: '1e39' is no finite float32"),
        (b"2 2\nthe 1 2\nof 1  2\n", "line 3 has 4 fields"),
        (b"2 2\nthe 1 2\n\xff\xfe 1 2\n", "line 3: .* is not UTF-8"),
        (b"2 2\nthe 1 2\nof 1 2\nto 1 2\n", "goes on after the 2 words"),
        (b"1 2\n" + b"x" * 2_000_000, "line 2 is longer than .* is this a text file"),
    ],
)
def test_load__names_what_is_wrong_with_a_text_file(tmp_path: Path, content: bytes, reason: str) -> None:
    assert_unreadable(tmp_path / "v.txt", content, reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BINARY_FIXTURE[:-1].replace(b"2 2", b"3 2"), "3 words of dim 2, which 31 bytes cannot hold"),
        (b"2 2\n" + b"the " + bytes(8) + b"\nlonger " + bytes(5), "ends within word 2 of 2"),
        (BINARY_FIXTURE + b"more", "goes on after the 2 words"),
        (BINARY_FIXTURE + BINARY_FIXTURE[4:17], "goes on after the 2 words"),
        (BINARY_FIXTURE.replace(b"\xc3\xa9", b"\xa9\xc3"), "word 2: .* is not UTF-8"),
        (BINARY_FIXTURE.replace(b"\x80\x3f", b"\x80\x7f"), "vector of 'the' is not finite"),
        (b"2 2\n " + bytes(8) + b"\na " + bytes(8) + b"\n", "word 1: the word is missing"),
        (b"1 2\n" + b"x" * 2_000_000, "a word of over 786,432 bytes"),
    ],
)
def test_load__names_what_is_wrong_with_a_binary_file(tmp_path: Path, content: bytes, reason: str) -> None:
    assert_unreadable(tmp_path / "v.bin", content, reason)


def npy(array: NDArray[Any]) -> Callable[[Path], None]:
    return lambda path: np.save(path, array, allow_pickle=True)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (npy(np.array([["a", {}], [1, 2]], dtype=object)), "not a readable npy file"),
        (npy(np.zeros((2, 2), dtype=np.int64)), "holds int64 of shape"),
        (npy(np.zeros(4, dtype=np.float32)), r"of shape \(4,\); a matrix"),
        (npy(np.zeros((3, 2), dtype=np.float32)), "3 vectors but .* 2 words"),
        (npy(np.array([[1, 2], [3, np.nan]])), "vector of 'caf.*' is not finite"),
        (npy(np.array([[1, 2], [3, 1e300]])), "vector of 'caf.*' is not finite in float32"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "not a readable npy file"),
        (lambda path: path.write_bytes(b""), "not a readable npy file"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)), "not a readable npy file"),
        (lambda path: path.with_name("v.vocab.txt").unlink(), "cannot be read .*word count"),
        (lambda path: path.with_name("v.vocab.txt").write_bytes(b"the\n"), "2 vectors but .* 1 words"),
    ],
)
def test_load__names_what_is_wrong_with_an_npy_file(
    tmp_path: Path, write: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "v.npy"
    save(path, Embeddings(FIXTURE_WORDS, FIXTURE_VECTORS))
    write(path)
    assert_unreadable(path, None, reason)


def assert_unreadable(path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=reason) as caught:
        load(path)
    assert str(path.with_suffix("")) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_load__npy_is_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.write_bytes, (tmp_path / "sprung", b"")

    save(tmp_path / "v.npy", Embeddings(["the"], np.ones((1, 1), dtype=np.float32)))
    np.save(tmp_path / "v.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(CorpusError):
        load(tmp_path / "v.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["missing.txt", "folder.txt", "/dev/zero"])
def test_load__what_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(CorpusError, match=r"cannot be read|is not a file"):
        load(tmp_path / name, format="text")


def test_load__escapes_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"1 1\na\\qb 1\n")
    assert load(tmp_path / "v.txt").words == ["a\\qb"]
    with pytest.raises(CorpusError, match=r"line 2: .*no escape"):
        load(tmp_path / "v.txt", unescape=True)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One of: cut, byte changed, run of zeros, two parts swapped, part doubled, header number changed."""
    kind, place, other = rng.integers(6), *sorted(rng.integers(len(content), size=2).tolist())
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + bytes([rng.integers(256)]) + content[place + 1 :]
    if kind == 2:
        return content[:place] + bytes(other - place) + content[other:]
    if kind == 3:
        return content[other:] + content[:other]
    if kind == 4:
        return content[:other] + content[place:]
    return str(rng.integers(10 ** rng.integers(1, 18))).encode() + content[content.find(b" ") :]


@pytest.mark.parametrize(
    ("format", "victim"), [("text", "v.txt"), ("binary", "v.bin"), ("npy", "v.npy"), ("npy", "v.vocab.txt")]
)
def test_load__damaged_files_give_an_error_line_or_fit_vectors(
    tmp_path: Path, embeddings: Embeddings, rng: np.random.Generator, format: str, victim: str
) -> None:
    path = tmp_path / SUFFIX[format]
    save(path, embeddings)
    content, n_errors = (tmp_path / victim).read_bytes(), 0
    for _ in range(200):
        (tmp_path / victim).write_bytes(mutated(content, rng))
        try:
            actual = load(path, unescape=bool(rng.integers(2)))
        except FastW2VError as error:
            n_errors += 1
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert np.isfinite(actual.center_vectors).all()
            assert len(set(actual.words)) == len(actual) == len(actual.center_vectors)
    assert n_errors > 50


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=100)
@given(content=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"2 3\n" + tail))
def test_load__any_bytes_give_an_error_line_or_vectors(
    tmp_path_factory: pytest.TempPathFactory, format: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any-{SUFFIX[format]}"
    path.write_bytes(content)
    path.with_suffix(".vocab.txt").write_bytes(b"a 2\nb 1\n")
    try:
        load(path)
    except FastW2VError as error:
        assert "\n" not in str(error)  # noqa: PT017


# ---- Embeddings --------------------------------------------------------------------------------------------


def test_embeddings__behaves_as_a_collection_of_words(embeddings: Embeddings) -> None:
    assert len(embeddings) == 102
    assert embeddings.dim == 7
    assert "naïve" in embeddings
    assert "absent" not in embeddings
    assert bits(embeddings["naïve"]) == bits(embeddings.center_vectors[98])
    with pytest.raises(KeyError):
        embeddings["absent"]
    expected = np.linalg.norm(embeddings.center_vectors.astype(np.float64), axis=1)
    np.testing.assert_allclose(embeddings.norms, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"center_vectors": np.ones((2, 3))}, "center_vectors are float64"),
        ({"center_vectors": np.ones((3, 3), dtype=np.float32)}, "2 words need one row each"),
        ({"center_vectors": np.ones((3, 2), dtype=np.float32).T}, "C-contiguous"),
        ({"center_vectors": np.ones((2, 0), dtype=np.float32)}, "dim >= 1"),
        ({"outside_vectors": np.ones((2, 4), dtype=np.float32)}, "outside_vectors have dim 4"),
        ({"counts": np.ones(3, dtype=np.int64)}, "2 words need one each"),
    ],
)
def test_embeddings__refuses_parts_that_do_not_fit(fields: dict[str, Any], reason: str) -> None:
    parts = {"words": FIXTURE_WORDS, "center_vectors": np.ones((2, 3), dtype=np.float32), **fields}
    with pytest.raises(UsageError, match=reason):
        Embeddings(**parts)


def test_initial_vectors__are_uniform_and_small() -> None:
    center, outside = initial_vectors(2_000, 50, seed=1)
    assert center.dtype == outside.dtype == np.float32
    assert center.shape == outside.shape == (2_000, 50)
    assert not outside.any()
    scaled = np.sort(center.ravel().astype(np.float64)) * 50
    assert -0.5 <= scaled[0] < -0.4999
    assert 0.4999 < scaled[-1] < 0.5
    expected = (np.arange(scaled.size) + 0.5) / scaled.size - 0.5
    assert np.abs(scaled - expected).max() < 0.006  # Kolmogorov's distance, 1 % level: 1.63/sqrt(100,000)


def test_initial_vectors__depend_on_the_seed_alone() -> None:
    expected = initial_vectors(30, 20, seed=7).center_vectors
    assert bits(initial_vectors(30, 20, seed=7).center_vectors) == bits(expected)
    assert bits(initial_vectors(30, 20, seed=8).center_vectors) != bits(expected)


def test_fill_initial__ignores_padding_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = initial_vectors(31, 21, seed=7).center_vectors
    padded = np.zeros((31, 32), dtype=np.float32)
    monkeypatch.setattr("fastw2v.vectors.embeddings.CHUNK_NUMBERS", 100)
    fill_initial(padded[:, :21], seed=7)
    assert bits(np.ascontiguousarray(padded[:, :21])) == bits(expected)
    assert not padded[:, 21:].any()


def test_initial_vectors__memory_that_cannot_be_had() -> None:
    with pytest.raises(OutputError, match=r"bytes of memory.*lower --dim"):
        initial_vectors(10**9, 10**6, seed=1)


def test_binary_fixture__is_what_struct_packs() -> None:
    the, cafe = (struct.pack("<2f", *row) for row in FIXTURE_VECTORS.tolist())
    assert b"2 2\nthe " + the + b"\ncaf\xc3\xa9 " + cafe + b"\n" == BINARY_FIXTURE


def exit_code(*arguments: str) -> int:
    """What the command ends with."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(ended.value.code or 0)


HOLDS_COUNTS = {"v.txt": False, "v.bin": False, "v.npy": True, "v.parquet": True, "model.safetensors": False}


@pytest.mark.parametrize("is_given", [False, True])
@pytest.mark.parametrize("target", [*HOLDS_COUNTS, "v.tsv"])
@pytest.mark.parametrize("source", HOLDS_COUNTS)
def test_export__known_counts_stay_known(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], source: str, target: str, is_given: bool
) -> None:
    origin, goal, vocabulary = tmp_path / "a" / source, tmp_path / "b" / target, tmp_path / "words"
    origin.parent.mkdir()
    goal.parent.mkdir()
    save(origin, Embeddings(list("abc"), np.eye(3, dtype=np.float32), counts=np.array([7, 0, 3])))
    vocabulary.write_text("x 9\na 7\nc 3\nb 0\n")
    given = ["--read-vocab", str(vocabulary)] if is_given else []
    code = exit_code("export", str(origin), str(goal), *given)
    err = capfd.readouterr().err
    holds = HOLDS_COUNTS.get(target, True)
    if is_given and not holds:
        assert (code, goal.exists(), "holds no counts" in err) == (2, False, True)
        return
    is_known = is_given or HOLDS_COUNTS[source]
    assert code == 0
    assert ("counts of words are" in err) == (is_known != holds)
    if target == "v.tsv":
        lines = goal.with_suffix(".metadata.tsv").read_text()
        assert lines == ("word\tcount\na\t7\nb\t0\nc\t3\n" if is_known else "a\nb\nc\n")
        return
    actual = load(goal)
    expected = [7, 0, 3] if is_known and holds else None
    assert (None if actual.counts is None else actual.counts.tolist()) == expected


def test_export__refuses_a_vocabulary_without_one_of_the_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "v.bin", Embeddings(list("abc"), np.eye(3, dtype=np.float32)))
    (tmp_path / "words").write_text("a 7\n")
    paths = [str(tmp_path / name) for name in ("v.bin", "v.npy", "words")]
    assert exit_code("export", *paths[:2], "--read-vocab", paths[2]) == 2
    assert "has no count of 'b'" in capfd.readouterr().err
    assert not (tmp_path / "v.npy").exists()
