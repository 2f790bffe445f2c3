"""The library as a Python program uses it: corpora of every kind, callbacks, warm starts, methods."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.api import Options, configure
from fastw2v.config import ReadConfig, RunConfig, TrainConfig
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import NoPairWarning, UsageError
from fastw2v.options.endless import EndlessConfig
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.training.hooks import Moment
from fastw2v.vectors.embeddings import Embeddings

QUICK: dict[str, Any] = {"dim": 8, "epochs": 3, "min_count": 1, "sample": 0, "threads": 1}
TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial.md"


@pytest.fixture
def rows() -> list[list[str]]:
    draw = np.random.default_rng(0)
    return [[f"w{word}" for word in draw.integers(0, 20, 30)] for _ in range(100)]


def same(a: Embeddings, b: Embeddings) -> bool:
    return a.words == b.words and a.center_vectors.tobytes() == b.center_vectors.tobytes()


@pytest.mark.slow
def test_import__is_light_and_shows_its_names() -> None:
    """And no others: none of what the module imports."""
    code = "import sys, fastw2v; print(dir(fastw2v)); print('numpy' in sys.modules); fastw2v.train"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, is_heavy = done.stdout.splitlines()
    assert is_heavy == "False"
    shown = {name for name in ast.literal_eval(names) if not name.startswith("_")}
    assert shown == {name for name in fastw2v.__all__ if not name.startswith("_")}
    code = "import fastw2v; print(fastw2v.errors.UsageError.exit_code, fastw2v.corpus.read_corpus.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 read_corpus\n"
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        fastw2v.trian  # noqa: B018


def test_train__the_same_from_lists_generators_tables_and_frames(rows: list[list[str]]) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = fastw2v.train(rows, **QUICK)
    table = pa.table({"tokens": rows})
    for corpus in (iter(rows), table, pandas.DataFrame({"tokens": rows}), polars.DataFrame({"tokens": rows})):
        assert same(fastw2v.train(corpus, **QUICK), expected)
    assert expected.counts is not None
    assert expected.counts.sum() == 3_000


def test_options__are_the_fields_of_all_configurations() -> None:
    """The types for editors and checkers are written out, as a TypedDict needs."""
    names = [
        field.name
        for kind in (
            TrainConfig,
            ReadConfig,
            GraphConfig,
            PairConfig,
            EndlessConfig,
            ReplicaConfig,
            RunConfig,
        )
        for field in fields(kind)
    ]
    assert list(Options.__annotations__) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dims": 3}, "dims is no option of train; did you mean dim"),
        ({"zzz": 3}, "zzz is no option of train; use dim, window"),
        ({"preset": "txt"}, "preset is 'txt': it must be one of text, relatedness, similarity, items, graph"),
        ({"dim": 0}, "dim is 0"),
        ({"freeze": "outside"}, "freeze outside would leave the outside vectors zero"),
    ],
)
def test_train__bad_options_are_one_line(
    rows: list[list[str]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        fastw2v.train(rows, **options)
    assert "\n" not in str(caught.value)


def test_configure__options_go_before_the_preset() -> None:
    training, reading, *_ = configure("graph", {"window": 3}, None)
    assert (training.window, training.dim, training.sample, reading.min_count) == (3, 128, 0.0, 1)


def test_train__verbose_shows_progress(rows: list[list[str]], capfd: pytest.CaptureFixture[str]) -> None:
    fastw2v.train(rows, **QUICK)
    assert capfd.readouterr() == ("", "")
    fastw2v.train(rows, verbose=True, **QUICK)
    assert "reading 100.0%  3,000 words" in capfd.readouterr().err


# --- callbacks ---------------------------------------------------------------------------------------------


def test_callbacks__see_every_epoch_and_chunk(rows: list[list[str]]) -> None:
    chunks: list[Moment] = []
    epochs: list[tuple[int, float]] = []
    fastw2v.train(
        rows,
        on_chunk=chunks.append,
        on_epoch=lambda run: epochs.append((run.epoch, run.progress.share)),
        **QUICK,
    )
    assert epochs == [(1, 1 / 3), (2, 2 / 3), (3, 1.0)]
    assert [run.progress.words for run in chunks] == [3_000, 6_000, 9_000]


def test_callbacks__stop_the_run_where_it_is(rows: list[list[str]]) -> None:
    """The vectors are those of that moment, and the other callback is still told of it."""
    seen: list[Embeddings] = []

    def after_two(run: Moment) -> bool:
        seen.append(run.embeddings())
        return run.epoch == 2

    epochs: list[int] = []
    vectors = fastw2v.train(rows, on_chunk=after_two, on_epoch=lambda run: epochs.append(run.epoch), **QUICK)
    assert (len(seen), epochs) == (2, [1, 2])
    assert same(vectors, seen[1])
    assert not same(vectors, seen[0])
    assert fastw2v.STOP is True


@pytest.mark.parametrize("value", [None, False, 1, 8, 0.0, "text", [1], np.int64(1), np.False_, np.zeros(3)])
@pytest.mark.parametrize("callback", ["on_chunk", "on_epoch"])
def test_callbacks__go_on_for_all_but_true(rows: list[list[str]], callback: str, value: Any) -> None:
    """One that logs returns the number of characters, or whatever else it has."""
    epochs: list[int] = []

    def called(run: Moment) -> Any:
        epochs.append(run.epoch)
        return value

    fastw2v.train(rows, **{callback: called}, **QUICK)
    assert epochs == [1, 2, 3]


@pytest.mark.parametrize("value", [True, fastw2v.STOP, np.True_])
def test_callbacks__true_ends_the_run(rows: list[list[str]], value: Any) -> None:
    epochs: list[int] = []

    def called(run: Moment) -> Any:
        epochs.append(run.epoch)
        return value

    fastw2v.train(rows, on_epoch=called, **QUICK)
    assert epochs == [1]


def test_callbacks__errors_come_through(rows: list[list[str]]) -> None:
    def called(run: Moment) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fastw2v.train(rows, on_epoch=called, **QUICK)


def test_callbacks__are_looked_at_before_anything_is_read() -> None:
    def rows() -> Iterator[list[str]]:
        pytest.fail("was read")
        yield ["a"]

    for name in ("on_chunk", "on_epoch"):
        with pytest.raises(UsageError, match=f"{name} is 5: it must be a function of one argument"):
            fastw2v.train(rows(), **{name: 5}, **QUICK)  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [8, 16])
def test_moment__embeddings_are_a_copy(rows: list[list[str]], dim: int) -> None:
    """Also where rows need no padding and the matrix itself would do."""
    seen: list[Embeddings] = []
    fastw2v.train(rows, on_epoch=lambda run: seen.append(run.embeddings()), **(QUICK | {"dim": dim}))
    assert not same(seen[0], seen[1])


# --- warm starts -------------------------------------------------------------------------------------------


def test_init__words_start_where_they_were(rows: list[list[str]]) -> None:
    """With next to no learning rate they stay there; new words start as without init."""
    known = fastw2v.train(rows, **QUICK)
    still = QUICK | {"lr": 1e-12}
    more_rows = [*rows, ["new1", "new2", "new1"]]
    actual, fresh = fastw2v.train(more_rows, init=known, **still), fastw2v.train(more_rows, **still)
    assert known.outside_vectors is not None
    assert actual.outside_vectors is not None
    for word in actual.words:
        start = known if word in known else fresh
        np.testing.assert_allclose(actual[word], start[word], atol=1e-7)
    row, known_row = actual.index["w3"], known.index["w3"]
    np.testing.assert_allclose(actual.outside_vectors[row], known.outside_vectors[known_row], atol=1e-7)


def test_init__dim_is_taken_over_and_must_fit(rows: list[list[str]]) -> None:
    known = fastw2v.train(rows, **QUICK)
    options = {name: value for name, value in QUICK.items() if name != "dim"}
    assert fastw2v.train(rows, init=known, **options).dim == 8
    with pytest.raises(UsageError, match="have dim 8: set dim to it, not to 9"):
        fastw2v.train(rows, init=known, dim=9, **options)
    with pytest.raises(UsageError, match="none of the 2 words is among the 20"):
        fastw2v.train([["a", "b"]] * 3, init=known, **options)


def test_init__lowers_the_first_loss(rows: list[list[str]]) -> None:
    losses: list[float] = []

    def note(run: Moment) -> None:
        losses.append(run.progress.mean_loss)

    known = fastw2v.train(rows, on_epoch=note, lr=0.025, **QUICK)
    fastw2v.train(rows, init=known, on_epoch=note, lr=0.025, **QUICK)
    assert losses[3] < losses[0] - 0.1


def test_train__command_starts_from_files(rows: list[list[str]], tmp_path: Path) -> None:
    """The same bytes as from Python: both matrices, and the center alone."""
    (tmp_path / "c.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
    known = fastw2v.train(rows, **QUICK)
    known.save(tmp_path / "v.bin")
    known.save(tmp_path / "u.bin", vectors="outside")
    options = ["--dim", "8", "--epochs", "3", "--min-count", "1", "--sample", "0", "--threads", "1", "-q"]
    for extra, init in (
        (["--init-outside", str(tmp_path / "u.bin")], known),
        ([], Embeddings(known.words, known.center_vectors)),
    ):
        arguments = [str(tmp_path / "c.txt"), "-o", str(tmp_path / "w.bin"), *options, *extra]
        with pytest.raises(SystemExit) as stop:
            cli.main(["train", *arguments, "--init-vectors", str(tmp_path / "v.bin")])
        assert not stop.value.code
        assert same(fastw2v.load(tmp_path / "w.bin"), fastw2v.train(rows, init=init, **QUICK))


def test_train__outside_vectors_alone_are_refused(
    rows: list[list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", str(tmp_path / "c.txt"), "-o", str(tmp_path / "w.bin"), "--init-outside", "x"])
    assert stop.value.code == 2
    assert "--init-outside needs --init-vectors" in capfd.readouterr().err


# --- methods -----------------------------------------------------------------------------------------------


def test_embeddings__methods_pass_on(rows: list[list[str]], tmp_path: Path) -> None:
    from fastw2v.vectors import query

    vectors = fastw2v.train(rows, **QUICK)
    assert vectors.nearest("w1", 3) == query.nearest(vectors, "w1", 3)
    assert vectors.analogy("w1", "w2", "w3", 2) == query.analogy(vectors, "w1", "w2", "w3", 2)
    assert vectors.similarity("w1", "w2") == query.similarity(vectors, "w1", "w2")
    for name in ("v.bin", "v.parquet"):
        vectors.save(tmp_path / name)
        assert same(Embeddings.load(tmp_path / name), vectors)
        assert same(fastw2v.load(str(tmp_path / name)), vectors)
    fastw2v.save(tmp_path / "u.bin", vectors, vectors="outside")
    assert vectors.outside_vectors is not None
    assert (fastw2v.load(tmp_path / "u.bin").center_vectors == vectors.outside_vectors).all()


def test_repr__is_short() -> None:
    """A notebook shows it after each cell; the words may be a million."""
    words = ["the", "x" * 1000, *map(str, range(100_000))]
    vectors = Embeddings(words, np.zeros((len(words), 2), np.float32))
    expected = f"<Embeddings of 100,002 words x 2: 'the', '{'x' * 56}..., '0', '1', '2', …>"
    assert repr(vectors) == expected
    vocabulary = Vocabulary(words, np.ones(len(words), np.int64))
    assert repr(vocabulary) == expected.replace("Embeddings", "Vocabulary").replace(" x 2", "")
    few = Embeddings(["a", "b"], np.zeros((2, 3), np.float32))
    assert repr(few) == "<Embeddings of 2 words x 3: 'a', 'b'>"


def test_embeddings__are_a_collection_of_words() -> None:
    vectors = Embeddings(["a", "b", "c"], np.arange(6, dtype=np.float32).reshape(3, 2))
    assert list(vectors) == ["a", "b", "c"]
    assert [word in vectors for word in ("a", "z", 0, None, ["a"])] == [True, False, False, False, False]
    assert vectors[["c", "a"]].tolist() == [[4, 5], [0, 1]]
    assert vectors[[]].shape == (0, 2)
    for missing in ("z", ["a", "z"]):
        with pytest.raises(KeyError, match="z"):
            vectors[missing]


def test_nearest__takes_a_vector() -> None:
    """The word itself is among the answers, as nothing says that it is that word's vector."""
    vectors = Embeddings(["a", "b", "c"], np.array([[1, 0], [1, 1], [0, 1]], np.float32))
    assert [word for word, _ in vectors.nearest(vectors["b"], 2)] == ["b", "a"]
    assert vectors.nearest(np.array([0, 3]), 1) == [("c", 1.0)]


def test_to_arrow__holds_words_counts_and_vectors() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    table = Embeddings(["a", "b", "c"], matrix, counts=np.array([3, 2, 1])).to_arrow()
    assert table.to_pylist()[1] == {"word": "b", "count": 2, "vector": [2.0, 3.0]}
    assert Embeddings(["a", "b", "c"], matrix).to_arrow()["count"].null_count == 3


def test_to_gensim__has_the_vectors_and_counts() -> None:
    pytest.importorskip("gensim")
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    vectors = Embeddings(["a", "b", "c"], matrix, counts=np.array([3, 2, 1])).to_gensim()
    assert vectors.index_to_key == ["a", "b", "c"]
    np.testing.assert_array_equal(vectors.vectors, matrix)
    assert vectors.get_vecattr("b", "count") == 2


def test_tutorial__runs_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gensim")
    monkeypatch.chdir(tmp_path)
    flags = doctest.IGNORE_EXCEPTION_DETAIL
    failed, attempted = doctest.testfile(str(TUTORIAL), module_relative=False, optionflags=flags)
    assert (failed, attempted > 25) == (0, True)


def test_train__few_words_that_left_no_pair_warn() -> None:
    """Subsampling may well leave none of sixty words a neighbour: no error, but not silence either."""
    rows = [["ACG", "CGT", "GTA"]] * 20
    with pytest.warns(NoPairWarning, match="no pair was trained.*raise sample"):
        vectors = fastw2v.train(rows, dim=8, min_count=1, threads=1)
    assert len(vectors) == 3
