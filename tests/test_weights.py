"""Weights of sentences: in the steps of every plan, and what a run makes of them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from corpora.small import corpus_of
from fastw2v import cli
from fastw2v.config import TrainConfig
from fastw2v.corpus.arrow import grouping
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.errors import CorpusError, UsageError
from fastw2v.kernels import units
from fastw2v.model.arrays import UNIT, Tokens, Vectors
from fastw2v.model.plan import BFloat16, Block, Float32, GivenPairs, NegativeSampling, SkipGram, Words
from fastw2v.reference.units import keep_unit
from fastw2v.training.checkpoint.manifest import fingerprints
from fastw2v.training.holdout import held_out_loss, held_out_plan, split
from fastw2v.training.last_items import without_last
from fastw2v.training.loop import train
from fastw2v.training.shuffling import in_drawn_order
from tests import test_properties
from tests.conftest import start_vectors
from tests.test_properties import ROWS, SHORT, Problem, Row, assert_agree, each_of, twin_of, uniform

problem_of = test_properties.problem_of  # a fixture


class Weighted(Problem):
    """A problem whose sentences have the weights of its corpus."""

    @property
    def tokens(self) -> Tokens:
        """The corpus with its weights, as the backend takes it."""
        return super().tokens._replace(weights=self.corpus.weights)


def weighted(problem: Problem, weights: Any) -> Weighted:
    """The same on sentences of these weights."""
    corpus = problem.corpus._replace(weights=np.asarray(weights, np.float32))
    return Weighted(*problem._replace(corpus=corpus))


DEFAULT = (SkipGram, Words, NegativeSampling, Block, Float32)


def is_on_weights(row: Row) -> bool:
    """Of sentences: given pairs have weights of their own."""
    return not row.has(GivenPairs)


def pairs_of(row: Row) -> set[frozenset[object]]:
    """Every two of the architecture, the inputs, the kernel of an objective and estimator, the precision."""
    architecture, inputs, objective, estimator, *precision = row.types()
    kernel = (row.backend, objective, estimator)
    return {frozenset(two) for two in combinations((architecture, inputs, kernel, tuple(precision)), 2)}


def covering(rows: list[Row]) -> list[Row]:
    """Some of them, in which every two parts meet that do in any: the default, then what adds most.

    Weights make a kernel of another type, which is compiled anew, and what they are for it is in functions
    that a part chooses: in one of the architecture, the inputs or the estimator.
    """
    chosen = [row for row in rows if row.types() == DEFAULT and row.backend == "numba"]
    left = set[frozenset[object]]().union(*map(pairs_of, rows)).difference(*map(pairs_of, chosen))
    while left:
        chosen.append(max(rows, key=lambda row: len(pairs_of(row) & left)))
        left -= pairs_of(chosen[-1])
    return [row for row in rows if row in chosen]


OF_REFERENCE, OF_KERNELS = (
    [row for row in ROWS if is_on_weights(row) and (row.backend == "reference") == is_it]
    for is_it in (True, False)
)
each_row_of_sentences = each_of(OF_REFERENCE + covering(OF_KERNELS))


def test_covering__has_every_two_parts_once_at_least() -> None:
    chosen = covering(OF_KERNELS)
    assert set().union(*map(pairs_of, chosen)) == set().union(*map(pairs_of, OF_KERNELS))
    assert len(chosen) < len(OF_KERNELS)
    assert (DEFAULT, "numba") in {(row.types(), row.backend) for row in chosen}
    assert {kind for row in chosen for kind in row.types()} == {
        kind for row in OF_KERNELS for kind in row.types()
    }


@each_row_of_sentences
def test_twins__agree_on_weighted_sentences(row: Row, problem_of: Any) -> None:
    """Some of weight 0, which are left out."""
    lengths = (20, 1, 0, 20) if row.has(BFloat16) else SHORT
    options: dict[str, Any] = {"block_size": 41} if row.has(BFloat16) else {}
    weights = np.resize([0.5, 3.0, 1.0, 0.25, 2.0, 1.0, 0.0], len(lengths))
    problem = weighted(problem_of(row, uniform(lengths), **options), weights)
    twin = twin_of(problem)
    actual, expected = problem.train(problem.schedule(0.03)), twin.train(problem.schedule(0.03))
    assert actual.n_pairs > 0
    assert actual.n_kept == np.dot(weights > 0, lengths)
    assert_agree(actual, expected, problem, twin.backend.host())


of_reference = each_of([row for row in OF_REFERENCE if not row.has(BFloat16)])
SMALL_STEP = 1e-6  # so that what steps do to one another is that much of them


def moved_by(row: Row, weights: Any, problem_of: Any) -> tuple[Vectors, float]:
    """How far an epoch of small steps in float64 moves the rows, by the step; and the loss."""
    plain = problem_of(row, uniform((12, 9, 14)), lanes=1, block_size=50)
    problem = twin_of(weighted(plain, weights))
    before = problem.copied()
    rate = {"learning_rate": SMALL_STEP, "min_learning_rate": SMALL_STEP}
    totals = problem.train(problem.schedule()._replace(**rate))
    after = problem.backend.host()
    moves = [(now - was) / SMALL_STEP for now, was in zip(after, before, strict=True)]
    return Vectors(*moves), totals.loss


@of_reference
def test_step__of_weight_two_is_twice_the_gradient(row: Row, problem_of: Any) -> None:
    """At the same parameters and draws: as if the sentence were there twice."""
    (once, loss), (twice, double) = (moved_by(row, [w] * 3, problem_of) for w in (1, 2))
    assert double == pytest.approx(2 * loss, rel=1e-3)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=0, atol=1e-3 * np.abs(one).max())


@of_reference
def test_step__adds_the_gradients_of_sentences_by_their_weights(row: Row, problem_of: Any) -> None:
    """(2, .5, 1) and (.5, 2, 1) come to 2.5 times the first two sentences, and twice the third."""
    parts = [moved_by(row, w, problem_of) for w in ([2, 0.5, 1], [0.5, 2, 1])]
    whole = moved_by(row, [2.5, 2.5, 2], problem_of)
    assert parts[0][1] + parts[1][1] == pytest.approx(whole[1], rel=1e-3)
    for first, second, together in zip(parts[0][0], parts[1][0], whole[0], strict=True):
        np.testing.assert_allclose(first + second, together, rtol=0, atol=1e-3 * np.abs(together).max())


def test_keep_unit__agrees_at_the_borders_of_units(make_inputs: Any) -> None:
    """Sentences over several units, one of weight 0 among them."""
    inputs = make_inputs([UNIT - 7, 3 * UNIT, 30, UNIT, 5], 9, sample=2e-3)
    tokens = inputs.tokens._replace(weights=np.array([0.5, 2, 0, 1.5, 3], np.float32))
    kept = units.new_kept(inputs.architecture, tokens.weights)
    for unit in range(-(-len(tokens.ids) // UNIT)):
        begin, end, size = units.keep_unit(tokens, inputs.architecture, np.uint64(7), unit, kept)
        expected, span = keep_unit(tokens, inputs.architecture, 7, unit)
        assert (begin, end, size) == (span.start, span.stop, len(expected))
        assert kept.ids[:size].tolist() == [token.word for token in expected]
        assert kept.weight[begin:end].tolist() == [expected[i].weight for i in span]


# ---- What is read -----------------------------------------------------------------------------------------

TEXTS = ["a b c", "a b", None, "", "c c d", "z z", "a a a", "b z"]
WEIGHTS = [1, 2, 7, 5, 0.5, 3, 0, 1]


def table(texts: Any = TEXTS, weights: Any = WEIGHTS) -> pa.Table:
    return pa.table({"text": texts, "w": weights})


def counts_of(corpus: Corpus) -> dict[str, int]:
    return dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_read_corpus__counts_by_weight_and_keeps_that_of_each_sentence(threads: int) -> None:
    """.5 is rounded to the even 0; rows without a word of the vocabulary are no sentences."""
    corpus = read_corpus(table(), weight="w", min_count=2, threads=threads)
    assert counts_of(corpus) == {"z": 7, "b": 4, "a": 3, "c": 2}
    assert corpus.weights is not None
    assert (corpus.weights.dtype, corpus.weights.tolist()) == (np.float32, [1, 2, 0.5, 3, 0, 1])
    assert np.diff(corpus.offsets).tolist() == [3, 2, 2, 2, 3, 2]


def test_read_corpus__weight_two_counts_as_the_row_twice() -> None:
    texts = [" ".join(f"w{i % 7}" for i in range(n, n + 5 + n % 3)) for n in range(30)]
    weights = [n % 4 for n in range(30)]
    corpus = read_corpus(table(texts, weights), weight="w", min_count=3)
    repeated = [text for text, weight in zip(texts, weights, strict=True) for _ in range(weight)]
    assert counts_of(corpus) == counts_of(read_corpus(pa.table({"text": repeated}), min_count=3))


def test_read_corpus__weights_are_of_the_rows_wherever_batches_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In batches of two rows, and beyond a limit of memory, by which ids are in a file."""
    monkeypatch.setattr("fastw2v.corpus.arrow.layouts.BATCH_ROWS", 2)
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 9, n % 6)) for n in range(99)]
    weights = rng.integers(1, 5, 99).tolist()
    corpus = read_corpus(table(texts, weights), weight="w", min_count=1, threads=2)
    assert corpus.weights is not None
    assert corpus.weights.tolist() == [w for text, w in zip(texts, weights, strict=True) if text]


def test_read_corpus__takes_an_array_for_any_rows(tmp_path: Path) -> None:
    rows = [["a", "b"], [], ["c", "a"]]
    for source in (rows, iter(rows), pa.table({"t": rows}), (np.array([0, 1, 2, 0]), np.array([0, 2, 2, 4]))):
        corpus = read_corpus(source, weight=np.array([2, 9, 0.5]), min_count=1)
        assert corpus.weights is not None
        assert corpus.weights.tolist() == [2, 0.5]
        assert sorted(corpus.vocabulary.counts.tolist()) == [0, 2, 2] or len(corpus.vocabulary) == 2
    path = tmp_path / "lines.txt"
    path.write_text("a b\nc a\n")
    lines = read_corpus(path, weight=[2, 1], min_count=1)
    assert counts_of(lines) == {"a": 3, "b": 2, "c": 1}


SESSIONS = {"s": [1, 2, 1, 2, 3], "i": ["x", "y", "z", "x", "y"], "t": [2, 1, 1, 2, 1]}


@pytest.mark.parametrize("on_disk", [False, True])
def test_read_corpus__a_session_has_the_weight_of_its_events(
    on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_disk:
        pytest.importorskip("duckdb")
        monkeypatch.setattr(grouping, "ROW_BYTES", 1 << 50)
    events = pa.table(SESSIONS | {"w": [2, 1, 2, 1, 4]})
    options: dict[str, Any] = {"column": "i", "group_by": "s", "order_by": "t", "min_count": 1}
    corpus = read_corpus(events, weight="w", **options)
    assert corpus.weights is not None
    assert corpus.weights.tolist() == [2, 1, 4]
    assert counts_of(corpus) == {"y": 5, "x": 3, "z": 2}
    with pytest.raises(UsageError, match="the rows of 1 have weights from 1 to 2, and a sentence has one"):
        read_corpus(pa.table(SESSIONS | {"w": [2, 1, 1, 1, 4]}), weight="w", **options)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "below 0": (table(weights=[1, -1] * 4), {"weight": "w"}, "row 1 of the corpus .* has weight -1"),
    "NaN": (table(weights=[1.0, 1, np.nan] + [1] * 5), {"weight": "w"}, "row 2 .* has weight nan"),
    "infinite": (table(weights=[np.inf] * 8), {"weight": "w"}, "row 0 .* has weight inf"),
    "beyond float32": (table(weights=[1e300] * 8), {"weight": "w"}, "row 0 .* has weight 1e\\+300"),
    "null": (table(weights=[1, None] * 4), {"weight": "w"}, "row 1 .* has weight null"),
    "huge": (table(weights=[1e20] * 8), {"weight": "w"}, "counts .* times by the weights"),
    "text": (table(weights=["1"] * 8), {"weight": "w"}, "'w' is string, and weights are numbers"),
    "absent": (table(), {"weight": "v"}, "no column 'v'; --weight may be text, w"),
    "no columns": ([["a", "b"]], {"weight": "w"}, "no columns, so that --weight does nothing"),
    "phrases": (table(), {"weight": "w", "phrases": 1}, "phrases counts words once more"),
    "k-mers": (table(), {"weight": "w", "kmers": 3}, "kmers cuts a row"),
    "too few": ([["a", "b"]] * 3, {"weight": [1, 2]}, "2 numbers, and there are more rows"),
    "too many": ([["a", "b"]] * 3, {"weight": [1] * 4}, "4 numbers for 3 rows"),
    "no numbers": ([["a", "b"]], {"weight": ["x"]}, "give a number for each row"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_read_corpus__refuses_in_a_line(name: str) -> None:
    source, options, message = REFUSED[name]
    with pytest.raises((UsageError, CorpusError), match=message) as caught:
        read_corpus(
            source, min_count=1, column="text" if name != "absent" else None, **options
        ) if isinstance(source, pa.Table) else read_corpus(source, min_count=1, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ([1, 0, 3, 0], "from 0 to 3, 1 in the mean; 2 of weight 0 are left out"),
        (
            [8, 8, 2, 2],
            "from 2 to 8, 5 in the mean; steps are so many times --lr: divide the weights by 5 to keep it",
        ),
    ],
)
def test_read_corpus__tells_of_weights(weights: list[float], line: str) -> None:
    corpus = read_corpus(table(["a b"] * 4, weights), weight="w", min_count=1)
    assert corpus.notes == (f"weights of sentences {line}",)


def test_phrases__refuse_a_corpus_with_weights() -> None:
    corpus = read_corpus(table(), weight="w", min_count=1)
    with pytest.raises(UsageError, match="phrases are of words alone: leave weight out"):
        fastw2v.phrases(corpus)


def test_read_corpus__finds_weights_in_a_cache(tmp_path: Path) -> None:
    path, memory = tmp_path / "corpus.parquet", Memory(cache_dir=tmp_path / "cache")
    pq.write_table(table(), path)
    expected = read_corpus(path, weight="w", min_count=2)
    for note in ((), (f"nothing to read: found the encoded corpus in {tmp_path / 'cache'}",)):
        corpus = read_corpus(path, weight="w", min_count=2, memory=memory)
        assert counts_of(corpus) == counts_of(expected)
        assert [own.tolist() for own in corpus.beside] == [own.tolist() for own in expected.beside]
        assert (corpus.ids.tolist(), corpus.notes[-1]) == (expected.ids.tolist(), expected.notes[-1])
        assert [line.rpartition("/")[0] for line in corpus.notes[:-1]] == [*note]
    plain = read_corpus(path, min_count=2, memory=memory)  # is another file
    assert plain.weights is None
    with pytest.raises(UsageError, match="weight is an array, and cache_dir keeps what files hold: "):
        read_corpus(path, weight=WEIGHTS, memory=memory)


# ---- A run ------------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {"dim": 4, "epochs": 2, "sample": 0.0, "backend": "reference", "lr": 0.05}
RUN_TEXTS = [" ".join(f"w{word}" for word in np.random.default_rng(n).integers(0, 6, 8)) for n in range(12)]
RUN_WEIGHTS = [0.5, 2.0, 0.0, 1.0] * 3


@pytest.fixture
def corpus() -> Corpus:
    return read_corpus(table(RUN_TEXTS, RUN_WEIGHTS), weight="w", min_count=1)


def test_train__weights_of_one_change_no_byte() -> None:
    plain = fastw2v.train(table(RUN_TEXTS, RUN_WEIGHTS), min_count=1, **QUICK)
    ones = fastw2v.train(table(RUN_TEXTS, [1] * 12), weight="w", min_count=1, **QUICK)
    weighted_ones = fastw2v.train(table(RUN_TEXTS, RUN_WEIGHTS), weight=np.ones(12), min_count=1, **QUICK)
    assert plain.center_vectors.tobytes() == ones.center_vectors.tobytes()
    assert plain.center_vectors.tobytes() == weighted_ones.center_vectors.tobytes()


def test_train__takes_a_column_an_array_and_a_corpus_alike(corpus: Corpus) -> None:
    runs = [
        fastw2v.train(table(RUN_TEXTS, RUN_WEIGHTS), weight="w", min_count=1, **QUICK),
        fastw2v.train([text.split() for text in RUN_TEXTS], weight=RUN_WEIGHTS, min_count=1, **QUICK),
        fastw2v.train(corpus, **QUICK),
    ]
    assert len({run.center_vectors.tobytes() for run in runs}) == 1
    without = fastw2v.train(table(RUN_TEXTS, RUN_WEIGHTS), min_count=1, **QUICK)
    assert without.center_vectors.tobytes() != runs[0].center_vectors.tobytes()


def test_train__leaves_out_what_has_weight_0() -> None:
    """A word of such a sentence alone is in no pair: its row of U stays zero, its count is 0."""
    rows = [["a", "b", "c"] * 3] * 4 + [["a", "never", "b"]]
    corpus = read_corpus(rows, weight=[1] * 4 + [0], min_count=0)
    trained = train(corpus, TrainConfig(**QUICK))
    never = trained.embeddings.words.index("never")
    assert corpus.vocabulary.counts[never] == 0
    assert trained.embeddings.outside_vectors is not None
    assert not trained.embeddings.outside_vectors[never].any()
    assert trained.kept_words == 2 * 36


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 11, "shape \\(11,\\): each of 12 sentences"),
        ([1.0] * 11 + [-1], "the weight of sentence 11 is -1"),
        ([np.nan] * 12, "the weight of sentence 0 is nan"),
        ([0.0] * 12, "all 12 sentences are 0"),
        (["x"] * 12, "weights are <U1"),
    ],
)
def test_train__refuses_weights_of_a_corpus(corpus: Corpus, weights: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(corpus._replace(weights=np.array(weights)), TrainConfig(**QUICK))


def test_train__takes_weights_of_any_number_type(corpus: Corpus) -> None:
    """As of a bootstrap, whose weights are counts."""
    runs = [
        train(corpus._replace(weights=np.tile([0, 1, 2, 3], 3).astype(dtype)), TrainConfig(**QUICK))
        for dtype in (np.int64, np.uint8, np.float64, np.float32, ">f4")
    ]
    assert len({run.embeddings.center_vectors.tobytes() for run in runs}) == 1


def test_held_out_loss__is_the_mean_by_weight(corpus: Corpus) -> None:
    """Of two sentences by (2, 1) and (1, 2) the sums are three times those of both alike."""
    held_out = corpus_of(np.arange(14) % 6, 6, (6, 8))
    config = TrainConfig(**QUICK)
    plan, vectors = held_out_plan(held_out, config), start_vectors(6, 4)

    def loss(*weights: float) -> float:
        of_weights = held_out._replace(weights=np.array(weights, np.float32))
        return held_out_loss(vectors, of_weights, config, plan)

    both, first, second = loss(1, 1), loss(1, 1e-9), loss(1e-9, 1)
    assert both == held_out_loss(vectors, held_out, config, plan)
    assert min(first, second) < both < max(first, second)
    share = (both - second) / (first - second)  # of the pairs that are the first sentence's
    assert loss(2, 1) == pytest.approx((2 * share * first + (1 - share) * second) / (1 + share), rel=1e-5)


def test_weights__go_with_their_sentences(corpus: Corpus) -> None:
    """To what is kept out, to a corpus without its last items, and to a shuffled epoch."""
    assert corpus.weights is not None
    named = {part.tobytes(): weight for part, weight in sentences(corpus)}
    for part in split(corpus, 0.3, 1):
        assert {part.tobytes(): weight for part, weight in sentences(part)}.items() <= named.items()
    assert without_last(corpus).weights is corpus.weights
    tokens = Tokens(corpus.ids, corpus.offsets, corpus.weights)
    shuffled = in_drawn_order(tokens, np.arange(12), len(corpus.ids), 3)
    again = corpus._replace(ids=shuffled.ids, offsets=shuffled.offsets, weights=shuffled.weights)
    assert {part.tobytes(): weight for part, weight in sentences(again)} == named
    assert shuffled.ids.tobytes() != corpus.ids.tobytes()


def sentences(corpus: Corpus) -> list[tuple[Any, float]]:
    """The ids and the weight of each."""
    assert corpus.weights is not None
    return list(zip(np.split(corpus.ids, corpus.offsets[1:-1]), corpus.weights.tolist(), strict=True))


def test_fingerprints__tell_weights_apart(corpus: Corpus) -> None:
    assert corpus.weights is not None
    others = [corpus.weights, None, corpus.weights[::-1], np.ones(12, np.float32)]
    assert len({fingerprints(corpus._replace(weights=weights)).corpus for weights in others}) == 4


def test_command__weights_a_table_and_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(RUN_TEXTS, RUN_WEIGHTS), "corpus.parquet")
    options = ["--weight", "w", "--min-count", "1", "--dim", "4", "--sample", "0", "--lr", "0.05"]
    command = ["train", "corpus.parquet", *options, "--backend", "reference", "--epochs", "2"]

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            cli.main([*arguments])
        assert stop.value.code in (0, 2, 3)
        return capfd.readouterr().err

    run(*command, "-o", "whole.npy", "--checkpoint", "kept")
    whole = fastw2v.load("whole.npy").center_vectors
    expected = fastw2v.train("corpus.parquet", weight="w", min_count=1, **QUICK)
    assert whole.tobytes() == expected.center_vectors.tobytes()
    run("train", "--resume", "kept")
    assert fastw2v.load("whole.npy").center_vectors.tobytes() == whole.tobytes()
    more = ["--cache-dir", "found", "--checkpoint", "kept too"]
    run(*command, "-o", "cached.npy", *more)
    assert "nothing to read: found the encoded corpus in" in run("train", "--resume", "kept too")
    assert fastw2v.load("cached.npy").center_vectors.tobytes() == whole.tobytes()
    pq.write_table(table(RUN_TEXTS, RUN_WEIGHTS[::-1]), "corpus.parquet")
    assert "is not that of the run in kept" in run("train", "--resume", "kept")
    assert "weight" in run(*command, "--weight", "v")


def test_continue__adds_counts_by_weight(tmp_path: Path) -> None:
    """Weights are of one text: the next one may have none."""
    first = fastw2v.train(
        table(RUN_TEXTS, RUN_WEIGHTS), weight="w", min_count=1, save_model=tmp_path / "m", **QUICK
    )
    rows = [text.split() for text in RUN_TEXTS]
    options: dict[str, Any] = {"continue_from": tmp_path / "m", "backend": "reference"}
    for weights, times in (([2.0] * 12, 2), (None, 1)):
        second = fastw2v.train(rows, weight=weights, **options)
        for word, count in zip(second.words, second.counts.tolist(), strict=True):  # type: ignore[union-attr]
            before = first.counts[first.index[word]]  # type: ignore[index]
            assert count == before + times * sum(row.count(word) for row in rows)


def test_vocab__counts_by_weight(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pq.write_table(table(), tmp_path / "corpus.parquet")
    with pytest.raises(SystemExit):
        cli.main(["vocab", str(tmp_path / "corpus.parquet"), "--weight", "w", "--min-count", "2"])
    assert "z\t7\nb\t4\na\t3\nc\t2" in capfd.readouterr().out
