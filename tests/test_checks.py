"""Values of every option, of every type: made plain, or refused in one line that names the option."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pytest

import fastw2v
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.read import read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import UsageError
from fastw2v.options import checks
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.fields import option, settle
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.options.spelling import as_called, as_typed
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.evaluation import (
    AnalogyQuestion,
    SimilarityPair,
    evaluate_analogies,
    evaluate_similarity,
)
from fastw2v.vectors.next_item import evaluate_next_item

ROWS = [["a", "b", "c", "d"]] * 5
QUICK: dict[str, Any] = {"dim": 8, "epochs": 1, "min_count": 1, "sample": 0, "threads": 1}
FIELDS = [
    (kind, field.name, get_type_hints(kind)[field.name])
    for kind in (TrainConfig, ReadConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig)
    for field in dataclasses.fields(kind)
]
NO_NUMBERS = ["8", "", b"8", [8], {8}, {}, object(), True, np.True_, np.array([8]), np.array([8, 9]), 8j]
NO_NUMBERS += [math.nan, math.inf, -math.inf, np.float32(np.nan), Decimal("NaN"), np.datetime64(8, "ns")]
NO_FLAGS = ["no", "false", "True", "", 0, 1, 1.0, [], np.int64(1), np.array([True])]
NO_TEXTS = [8, b"text", ["text"], True, 1.5, object()]
NO_WORDS = ["word", b"word", 8, [8], [b"word"], {"word": 3}, object()]
# More than a field takes beside its type: other options that it needs.
BESIDE = {"patience": {"holdout": 0.1}, "order_by": {"group_by": "g"}, "loss": {"backend": "reference"}}
BESIDE |= {"phrase_threshold": {"phrases": 1}, "phrase_min_count": {"phrases": 1}}
BESIDE |= {"buckets": {"subwords": "3-6"}, "stride": {"kmers": 6}}
BESIDE |= {field.name: {"graph": True} for field in dataclasses.fields(GraphConfig) if field.name != "graph"}
BESIDE |= {
    field.name: {"endless": True} for field in dataclasses.fields(EndlessConfig) if field.name != "endless"
}
BESIDE |= {field.name: {"pairs": True} for field in dataclasses.fields(PairConfig) if field.name != "pairs"}


def bad_values(hint: Any) -> list[Any]:
    """What a field of this type must refuse; an unknown type fails the test."""
    is_optional = type(None) in get_args(hint)
    kind = next(part for part in get_args(hint) if part is not type(None)) if is_optional else hint
    nothing = [] if is_optional else [None]
    if get_origin(kind) is Literal:
        return [*nothing, "", "no-such-choice", "Block", 1, True, b"block", ["block"]]
    by_type = {int: [*NO_NUMBERS, 8.5, "eight", -1], float: NO_NUMBERS, bool: NO_FLAGS, str: NO_TEXTS}
    return [*nothing, *(by_type[kind] if kind in by_type else {frozenset[str]: NO_WORDS}[kind])]


BAD = [
    (kind, name, value)
    for kind, name, hint in FIELDS
    for value in bad_values(hint)
    if (name, value) != ("connector_words", ["text"])  # a list is made one text
]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    BAD,
    ids=[f"{n}-{type(v).__name__}-{v!r}".partition(" at 0x")[0][:40] for _, n, v in BAD],
)
def test_configs__refuse_values_of_other_types(kind: type, name: str, value: Any) -> None:
    """The same from Python and, with the option as a flag, from the command."""
    with pytest.raises(UsageError) as caught:
        kind(**{name: value})
    subject = str(caught.value).split(" is ")[0]
    assert subject in (name, f"a word of {name}")
    assert "it must be " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert "--" in as_typed(caught.value).split(" is ")[0] or subject != name


def same_number(number: int) -> list[Any]:
    """A whole number in the types that it may come in."""
    others = [np.int64(number), np.uint8(number), np.float64(number), np.float32(number), np.array(number)]
    return [*others, float(number), Fraction(number), Decimal(number), np.array(float(number))]


NUMBERS = [(kind, name, hint) for kind, name, hint in FIELDS if {int, float} & {hint, *get_args(hint)}]


@pytest.mark.parametrize(("kind", "name", "hint"), NUMBERS, ids=[name for _, name, _ in NUMBERS])
def test_configs__make_numbers_plain(kind: type, name: str, hint: Any) -> None:
    """What kernels get is int or float, or they would be compiled anew."""
    plain = int if int in (hint, *get_args(hint)) else float
    number = 0 if name in ("holdout", "min_lr", "sync_words") else 2
    for value in [number, *same_number(number)]:
        actual = getattr(kind(**{name: value}, **BESIDE.get(name, {})), name)
        assert actual == number
        assert type(actual) is plain


@pytest.mark.parametrize(("name", "value"), [("shuffle", np.True_), ("dynamic_window", np.False_)])
def test_configs__make_flags_plain(name: str, value: Any) -> None:
    actual = getattr(TrainConfig(**{name: value}), name)
    assert actual is bool(value)


def test_configs__make_texts_and_words_plain() -> None:
    """A NumPy text is a choice or a name, and any collection of words a set."""
    made = ReadConfig(column=np.str_("c"), keep_words=["a", np.str_("b")], stop_words=np.array(["x"]))
    assert (made.column, made.keep_words, made.stop_words) == ("c", {"a", "b"}, {"x"})
    assert type(made.column) is str
    assert {type(word) for word in made.keep_words or ()} == {str}
    assert type(TrainConfig(kernel=np.str_("pair")).kernel) is str  # type: ignore[arg-type]


def test_limits__are_of_every_number_and_of_nothing_else() -> None:
    with_limits = {
        field.name
        for kind in (TrainConfig, ReadConfig, GraphConfig, PairConfig, EndlessConfig, ReplicaConfig)
        for field in dataclasses.fields(kind)
        if "limits" in field.metadata
    }
    assert with_limits == {name for _, name, _ in NUMBERS}


@dataclasses.dataclass(frozen=True)
class Forgetful:
    """A configuration whose number was declared without its limits."""

    size: int = option(3, "Model", "A size.")


def test_settle__a_number_without_limits_fails_when_first_made() -> None:
    with pytest.raises(TypeError, match="size is declared without limits"):
        settle(Forgetful())


def test_described__shows_each_field_with_its_text() -> None:
    assert "    dim               Length of a vector.\n" in (TrainConfig.__doc__ or "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 10**6, 60),
        ([["the", "cat"]] * 10**6, 60),
        (10**5000, len("of type int")),
        (np.zeros((100, 100)), 60),
        ("two\nlines", len(r"'two\nlines'")),
    ],
    ids=["text", "list", "digits", "array", "lines"],
)
def test_shown__is_one_short_line(value: Any, expected: int) -> None:
    actual = checks.shown(value)
    assert len(actual) == expected
    assert "\n" not in actual


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("lower --min-count to 3 or --dim", "lower min_count to 3 or dim"),
        ("leave it out (--read-vocab)", "leave it out (vocabulary)"),
        ("a--b.txt: the word '--dim' and x/--lr", "a--b.txt: the word '--dim' and x/--lr"),
    ],
)
def test_as_called__has_flags_as_names(message: str, expected: str) -> None:
    assert as_called(message) == expected


def test_python__messages_of_the_library_spell_options_as_python_does() -> None:
    """They are written for the command, which most come from."""
    with pytest.raises(UsageError, match=r"lower min_count to 5 or"):
        fastw2v.train(ROWS, min_count=9)


# ---- Wherever else Python takes a value --------------------------------------------------------------------


class Broken:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


def unreadable() -> Iterator[list[str]]:
    """A corpus that must not be read."""
    pytest.fail("was read")
    yield []


@pytest.fixture(scope="module")
def vectors() -> Embeddings:
    return Embeddings(list("abcdef"), np.eye(6, 4, dtype=np.float32) + 0.1)


CALLS: list[tuple[str, Callable[[Embeddings, Path], Any]]] = [
    ("preset is 'txt'", lambda v, p: fastw2v.train(ROWS, preset="txt")),  # type: ignore[arg-type]
    ("preset is 3", lambda v, p: fastw2v.train(ROWS, preset=3)),  # type: ignore[arg-type]
    ("init is 'v.bin'", lambda v, p: fastw2v.train(ROWS, init="v.bin")),  # type: ignore[arg-type]
    ("vocabulary is {'a': 3}", lambda v, p: fastw2v.train(ROWS, vocabulary={"a": 3})),  # type: ignore[arg-type]
    ("counts of float64", lambda v, p: fastw2v.train(ROWS, vocabulary=Vocabulary(["a"], np.ones(1)))),
    ("on_epoch is 5", lambda v, p: fastw2v.train(ROWS, on_epoch=5)),  # type: ignore[arg-type]
    ("on_chunk is 'log'", lambda v, p: fastw2v.train(ROWS, on_chunk="log")),  # type: ignore[arg-type]
    ("verbose is 'no'", lambda v, p: fastw2v.train(ROWS, verbose="no")),  # type: ignore[arg-type]
    ("dim is of type Broken", lambda v, p: fastw2v.train(ROWS, dim=Broken())),  # type: ignore[arg-type]
    ("no corpus was given", lambda v, p: fastw2v.train(None)),
    ("did you mean corpus", lambda v, p: fastw2v.train(sentences=ROWS)),  # type: ignore[call-arg]
    ("did you mean dim", lambda v, p: fastw2v.train(ROWS, vector_size=8)),  # type: ignore[call-arg]
    ("loss hierarchical-softmax", lambda v, p: fastw2v.train(ROWS, hs=1)),  # type: ignore[call-arg]
    ("'the cat sat' is no file", lambda v, p: fastw2v.train("the cat sat")),
    ("'the cat sat' is no file", lambda v, p: fastw2v.train(["the cat sat", "mat.txt"])),
    ("s.split", lambda v, p: fastw2v.train("the cat sat on the mat? " * 1000)),
    ("'' is no file", lambda v, p: fastw2v.train("")),
    ("min_count is of reading", lambda v, p: fastw2v.train(read_corpus(ROWS, min_count=1), min_count=1)),
    ("threads is 0.5", lambda v, p: read_corpus(ROWS, threads=0.5)),  # type: ignore[arg-type]
    ("did you mean min_count", lambda v, p: read_corpus(ROWS, mincount=1)),
    ("vocabulary is 'v.txt'", lambda v, p: read_corpus(ROWS, vocabulary="v.txt")),  # type: ignore[arg-type]
    ("path is None", lambda v, p: fastw2v.load(None)),  # type: ignore[arg-type]
    ("format is 'word2vec'", lambda v, p: fastw2v.load("v.bin", format="word2vec")),
    ("format is 3", lambda v, p: fastw2v.load("v.bin", format=3)),
    ("unescape is 'no'", lambda v, p: fastw2v.load("v.bin", unescape="no")),
    ("limit is '5'", lambda v, p: fastw2v.load("v.bin", limit="5")),
    ("binary is no option of load; did you mean format?", lambda v, p: fastw2v.load("v.bin", binary=True)),
    ("no option of load", lambda v, p: Embeddings.load("v.bin", colour=True)),
    ("fp16 is no option of save", lambda v, p: v.save(p / "v.bin", fp16=True)),
    ("have dim 4: set dim to it", lambda v, p: fastw2v.train(unreadable(), init=v, dim=5)),
    ("freeze outside", lambda v, p: fastw2v.train(unreadable(), freeze="outside")),
    ("x is no option of train", lambda v, p: fastw2v.train(ROWS, **{"x" * 900: 1})),  # type: ignore[arg-type]
    ("no column 'xxx", lambda v, p: fastw2v.train(pa.table({"text": ["a b"]}), column="x" * 900)),
    ("row 1 holds [[[[", lambda v, p: fastw2v.train([["a"], [[[[[0] * 900]]]]])),
    ("limit is 0", lambda v, p: fastw2v.load("v.bin", limit=0)),
    ("path is 3", lambda v, p: v.save(3)),  # type: ignore[arg-type]
    ("format is 'bin'", lambda v, p: v.save(p / "v", format="bin")),
    ("vectors is 'centre'", lambda v, p: v.save(p / "v.bin", vectors="centre")),
    ("normalize is 'no'", lambda v, p: v.save(p / "v.bin", normalize="no")),
    ("escape is 1", lambda v, p: v.save(p / "v.bin", escape=1)),
    ("float16 is 'false'", lambda v, p: v.save(p / "v.npy", float16="false")),
    ("embeddings is None", lambda v, p: fastw2v.save(p / "v.bin", None)),  # type: ignore[arg-type]
    ("n is 0", lambda v, p: v.nearest("a", 0)),
    ("n is '5'", lambda v, p: v.nearest("a", "5")),  # type: ignore[arg-type]
    ("n is None", lambda v, p: v.analogy("a", "b", "c", None)),  # type: ignore[arg-type]
    ("n is 2.5", lambda v, p: v.nearest("a", 2.5)),  # type: ignore[arg-type]
    ("words is 3", lambda v, p: v.nearest(3)),  # type: ignore[arg-type]
    ("a word is 3", lambda v, p: v.nearest(["a", 3])),  # type: ignore[list-item]
    ("a word is None", lambda v, p: v.similarity("a", None)),  # type: ignore[arg-type]
    ("a word is ['b']", lambda v, p: v.analogy("a", ["b"], "c")),  # type: ignore[arg-type]
    ("of shape (3,)", lambda v, p: v.nearest(np.ones(3))),
    ("of shape (4,)", lambda v, p: v.nearest(np.full(4, np.nan))),
    ("0 is no word", lambda v, p: v[0]),  # type: ignore[index]
    ("is no word", lambda v, p: v[1:3]),  # type: ignore[index]
    ("restrict is '9'", lambda v, p: evaluate_similarity(v, [], restrict="9")),  # type: ignore[arg-type]
    ("case_insensitive is 'no'", lambda v, p: evaluate_similarity(v, [], "no")),  # type: ignore[arg-type]
    ("pairs is 'f.tsv'", lambda v, p: evaluate_similarity(v, "f.tsv")),  # type: ignore[arg-type]
    ("one of pairs is ('a', 'b')", lambda v, p: evaluate_similarity(v, [("a", "b")])),  # type: ignore[list-item]
    ("embeddings is 'v.bin'", lambda v, p: evaluate_similarity("v.bin", [])),  # type: ignore[arg-type]
    ("method is 'cos'", lambda v, p: evaluate_analogies(v, [], method="cos")),  # type: ignore[arg-type]
    ("restrict is True", lambda v, p: evaluate_analogies(v, [], True)),
    ("k is '1'", lambda v, p: evaluate_next_item(v, np.zeros(2, int), np.array([0, 2]), k="1")),  # type: ignore[arg-type]
    ("context is 0", lambda v, p: evaluate_next_item(v, np.zeros(2, int), np.array([0, 2]), context=0)),
    ("ids are from 0 to 6", lambda v, p: evaluate_next_item(v, np.array([0, 6]), np.array([0, 2]))),
    ("ids are 1-d float64", lambda v, p: evaluate_next_item(v, np.ones(2), np.array([0, 2]))),
    ("center_vectors are [[1.0]]", lambda v, p: Embeddings(["a"], [[1.0]])),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("message", "call"), CALLS, ids=[message for message, _ in CALLS])
def test_python__wrong_values_are_one_line(
    message: str, call: Callable[[Embeddings, Path], Any], vectors: Embeddings, tmp_path: Path
) -> None:
    """And nothing is written."""
    with pytest.raises(UsageError) as caught:
        call(vectors, tmp_path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1_200
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_python__numbers_and_paths_of_other_types_are_taken(vectors: Embeddings, tmp_path: Path) -> None:
    """NumPy's numbers and texts, plain tuples for rows, str for paths."""
    assert vectors.nearest(np.str_("a"), np.int32(2)) == vectors.nearest("a", 2)
    assert vectors.nearest(np.array(["a", "b"])) == vectors.nearest(["a", "b"])  # type: ignore[arg-type]
    pairs = [("a", "b", 1.0), ("c", "d", 2.0)]
    actual = evaluate_similarity(vectors, pairs, restrict=np.int64(5))  # type: ignore[arg-type]
    assert actual == evaluate_similarity(vectors, [SimilarityPair(*pair) for pair in pairs], restrict=5)
    questions = [("s", "a", "b", "c", "d")]
    asked = evaluate_analogies(vectors, questions, None)  # type: ignore[arg-type]
    assert asked == evaluate_analogies(vectors, [AnalogyQuestion(*questions[0])], None)
    vectors.save(str(tmp_path / "v.txt"), normalize=np.True_)
    assert fastw2v.load(str(tmp_path / "v.txt"), limit=np.int64(2)).words == ["a", "b"]


@pytest.mark.parametrize("option", ["dim", "window", "negatives", "block_size", "threads", "seed", "epochs"])
def test_train__types_of_numbers_do_not_change_a_byte(option: str) -> None:
    expected = fastw2v.train(ROWS, **(QUICK | {option: 2}))
    for value in (np.int64(2), 2.0, np.float32(2)):
        actual = fastw2v.train(ROWS, **(QUICK | {option: value}))
        assert actual.center_vectors.tobytes() == expected.center_vectors.tobytes()
