"""Targets of sentences: read beside their words, predicted by all their centres, and a run with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.backends import plan_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.arrow import grouping
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import UsageError
from fastw2v.kernels import units
from fastw2v.model.arrays import UNIT, Tokens
from fastw2v.model.plan import GlobalContext
from fastw2v.reference.architectures import share_of, window_of
from fastw2v.reference.units import keep_unit
from fastw2v.run.stability import resampled
from fastw2v.training.checkpoint.manifest import fingerprints
from fastw2v.training.holdout import split
from fastw2v.training.last_items import without_last
from fastw2v.training.loop import train
from fastw2v.training.shuffling import in_drawn_order

# ---- Units ------------------------------------------------------------------------------------------------

LENGTHS = (5, 1, 0, UNIT - 3, 40, 2)


def tokens_of(lengths: tuple[int, ...] = LENGTHS, n_words: int = 9) -> Tokens:
    """Sentences of drawn words; every third has no target, others one of 0 to n_words − 1."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, n_words, sum(lengths)).astype(np.int32)
    targets = rng.integers(0, n_words, len(lengths)).astype(np.int32)
    targets[::3] = -1
    weights = rng.integers(1, 4, len(lengths)).astype(np.float32)
    return Tokens(ids, np.append(0, np.cumsum(lengths)), weights, targets)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 3},
        {"window": 3, "window_weights": "drawn"},
        {"window": 2, "context": "right", "sample": 2e-2},
        {"window": 4, "context": "left", "dynamic_window": False},
    ],
    ids=str,
)
def test_keep_unit__makes_the_groups_of_its_twin(options: dict[str, Any]) -> None:
    """At the borders of units, too: words, groups, and what each word counts."""
    tokens = tokens_of()
    plan = plan_of(TrainConfig(**{"sample": 0.0} | options), np.bincount(tokens.ids), 40, has_targets=True)
    architecture = plan.architecture
    assert isinstance(architecture, GlobalContext)
    kept = units.new_kept(architecture, tokens.weights)
    for unit in range(2):
        begin, end, size = units.keep_unit(tokens, architecture, np.uint64(7), unit, kept)
        expected, span = keep_unit(tokens, architecture, 7, unit)
        assert (begin, end, size) == (0, len(span), len(expected))
        assert kept.ids[:size].tolist() == [token.word for token in expected]
        assert kept.first[:size].tolist() == [token.sentence for token in expected]
        assert kept.radius[:size].tolist() == [token.radius for token in expected]
        np.testing.assert_allclose(kept.weight[:size], [token.weight for token in expected], rtol=1e-6)


def test_keep_unit__adds_the_target_to_each_window_and_nothing_else() -> None:
    """Groups are the windows of skip-gram on the same draws, in order, each with its sentence's target."""
    tokens, config = tokens_of(), TrainConfig(window=3, sample=2e-2)
    counts = np.bincount(tokens.ids)
    with_targets, plain = (
        plan_of(config, counts, 40, has_targets=targets).architecture for targets in (True, False)
    )
    groups, _ = keep_unit(tokens, with_targets, 7, 0)
    tokens_kept, span = keep_unit(tokens, plain, 7, 0)
    assert tokens.targets is not None
    place = 0
    for i in span:
        window = [j for j in window_of(tokens_kept, i) if j != i]
        target, own = int(tokens.targets[tokens_kept[i].sentence]), tokens_kept[i]
        expected = [(tokens_kept[j].word, share_of(tokens_kept, i, j)) for j in window]
        expected += [(target, own.weight)] if target >= 0 else []
        assert groups[place].word == own.word
        assert [j for j in window_of(groups, place) if j != place] == [
            *range(place + 1, place + 1 + len(expected))
        ]
        actual = [
            (groups[j].word, share_of(groups, place, j)) for j in range(place + 1, place + 1 + len(expected))
        ]
        assert actual == expected
        place += 1 + len(expected)
    assert place == len(groups)


# ---- What is read -----------------------------------------------------------------------------------------

ITEMS = [["a", "b", "c"], ["a", "c"], None, [], ["z", "b"], ["b", "a"]]
BOOKED = ["c", None, "q", "c", "lab el", "lab el"]


def table(items: Any = ITEMS, booked: Any = BOOKED) -> pa.Table:
    return pa.table({"items": items, "booked": booked})


def targets_of(corpus: Corpus) -> list[str | None]:
    """As words."""
    assert corpus.targets is not None
    assert corpus.targets.dtype == np.int32
    return [corpus.vocabulary.words[n] if n >= 0 else None for n in corpus.targets.tolist()]


def counts_of(corpus: Corpus) -> dict[str, int]:
    return dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_read_corpus__counts_a_target_as_a_word_and_keeps_it_for_its_sentence(threads: int) -> None:
    """Null rows have none; the words of an empty row's target count, though there is no sentence."""
    corpus = read_corpus(table(), global_context="booked", min_count=1, threads=threads)
    assert targets_of(corpus) == ["c", None, "lab el", "lab el"]
    assert counts_of(corpus) == {"c": 4, "a": 3, "b": 3, "lab el": 2, "z": 1}
    assert np.diff(corpus.offsets).tolist() == [3, 2, 2, 2]
    assert (corpus.n_rows, corpus.n_null, corpus.n_words_read) == (6, 1, 9)
    assert corpus.notes == (
        "global context: 3 of 4 sentences have one, 2 words in all; 1 of them in no sentence: they have "
        "outside vectors, and center vectors untrained",
    )


def test_read_corpus__drops_rare_targets_and_spells_them_as_words() -> None:
    rows, targets = [["A", "b", "c"]] * 3, ["a", "rare", None]
    corpus = read_corpus(table(rows, targets), global_context="booked", min_count=2, lowercase=True)
    assert targets_of(corpus) == ["a", None, None]
    assert counts_of(corpus) == {"a": 4, "b": 3, "c": 3}


def test_read_corpus__simple_cuts_texts_and_no_targets() -> None:
    texts = pa.table({"text": ["Big cat, small cat!"] * 2, "label": ["About Cats", "About Cats"]})
    corpus = read_corpus(texts, tokenize="simple", global_context="label", min_count=1)
    assert set(corpus.vocabulary.words) == {"big", "small", "cat", "About Cats"}


def test_read_corpus__targets_are_of_the_rows_wherever_batches_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.corpus.arrow.layouts.BATCH_ROWS", 2)
    rng = np.random.default_rng(0)
    rows = [[f"w{word}" for word in rng.integers(0, 9, n % 6)] for n in range(99)]
    targets = [f"t{n % 5}" if n % 4 else None for n in range(99)]
    weights = rng.integers(1, 4, 99).tolist()
    source = pa.table({"t": rows, "target": targets, "w": weights})
    corpus = read_corpus(source, column="t", global_context="target", weight="w", min_count=1, threads=2)
    assert targets_of(corpus) == [target for row, target in zip(rows, targets, strict=True) if row]
    assert corpus.weights is not None
    assert corpus.weights.tolist() == [weight for row, weight in zip(rows, weights, strict=True) if row]
    counts = counts_of(corpus)
    for n in range(5):
        assert counts[f"t{n}"] == sum(w for w, t in zip(weights, targets, strict=True) if t == f"t{n}")


def test_read_corpus__takes_an_array_for_any_rows(tmp_path: Path) -> None:
    rows = [["a", "b"], [], ["c", "a"]]
    for source in (rows, iter(rows), pa.table({"t": rows})):
        for given in (["a", "b", None], np.array(["a", "b", None], object), pa.array(["a", "b", None])):
            if source is not rows and not isinstance(given, list):
                continue
            assert targets_of(read_corpus(source, global_context=given, min_count=1)) == ["a", None]
    path = tmp_path / "lines.txt"
    path.write_text("a 7\nc a\n")
    assert targets_of(read_corpus(path, global_context=[7, 7], min_count=1)) == ["7", "7"]


SESSIONS = {"s": [1, 2, 1, 2, 3], "i": ["x", "y", "z", "x", "y"], "t": [2, 1, 1, 2, 1]}


@pytest.mark.parametrize("kind", [str, int])
@pytest.mark.parametrize("on_disk", [False, True])
def test_read_corpus__a_session_has_the_target_of_its_events(
    on_disk: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its events that have one; two in a session are refused, by its name."""
    if on_disk:
        pytest.importorskip("duckdb")
        monkeypatch.setattr(grouping, "ROW_BYTES", 1 << 50)
    one, two = kind(1), kind(2)
    options: dict[str, Any] = {"column": "i", "group_by": "s", "order_by": "t", "min_count": 1}
    corpus = read_corpus(
        pa.table(SESSIONS | {"b": [None, one, two, one, None]}), global_context="b", **options
    )
    assert targets_of(corpus) == ["2", "1", None]
    assert counts_of(corpus) == {"x": 2, "y": 2, "z": 1, "1": 1, "2": 1}
    with pytest.raises(UsageError, match=r"the rows of 2 have the targets '1' and '2', and a sentence has"):
        read_corpus(pa.table(SESSIONS | {"b": [None, one, two, two, None]}), global_context="b", **options)


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "numbers": (table(booked=[0.5] * 6), {"global_context": "booked"}, "'booked' is double, and targets are"),
    "absent": (
        table(),
        {"global_context": "v", "column": "items"},
        "no column 'v'; --global-context may be items, booked",
    ),
    "no columns": (
        [["a", "b"]],
        {"global_context": "w"},
        "no columns, so that --global-context does nothing",
    ),
    "phrases": (table(), {"global_context": "booked", "phrases": 1}, "phrases counts words once more"),
    "k-mers": (table(), {"global_context": "booked", "kmers": 3}, "kmers cuts a row"),
    "too few": ([["a", "b"]] * 3, {"global_context": ["a"]}, "1 words, and there are more rows"),
    "too many": ([["a", "b"]] * 3, {"global_context": ["a"] * 4}, "4 words for 3 rows"),
    "no words": ([["a", "b"]], {"global_context": [{"a": 1}]}, "global_context is no list of words"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_read_corpus__refuses_in_a_line(name: str) -> None:
    source, options, message = REFUSED[name]
    with pytest.raises(UsageError, match=message) as caught:
        read_corpus(source, min_count=1, **options)
    assert "\n" not in str(caught.value)


def test_read_corpus__places_are_no_words() -> None:
    vocabulary = Vocabulary(["a", "b", "c"], np.array([3, 2, 1]))
    source = pa.table({"ids": [[0, 1], [2, 0]], "target": [1, 2]})
    with pytest.raises(UsageError, match="ids are places in the given vocabulary, and global_context is of"):
        read_corpus(source, vocabulary=vocabulary, column="ids", global_context="target")
    words = pa.table({"t": [["a", "b"], ["c", "a"]], "target": ["c", "absent"]})
    known = read_corpus(words, vocabulary=vocabulary, column="t", global_context="target")
    assert targets_of(known) == ["c", None]


def test_read_corpus__finds_targets_in_a_cache(tmp_path: Path) -> None:
    path, memory = tmp_path / "corpus.parquet", Memory(cache_dir=tmp_path / "cache")
    pq.write_table(table(), path)
    expected = read_corpus(path, global_context="booked", min_count=1)
    for _ in range(2):
        corpus = read_corpus(path, global_context="booked", min_count=1, memory=memory)
        assert (targets_of(corpus), counts_of(corpus)) == (targets_of(expected), counts_of(expected))
        assert corpus.notes[-1] == expected.notes[-1]
    assert corpus.notes[0].startswith("nothing to read")
    with pytest.raises(UsageError, match="global_context is an array, and cache_dir keeps what files hold"):
        read_corpus(path, global_context=["a"] * 6, memory=memory)


def test_phrases__refuse_a_corpus_with_targets() -> None:
    corpus = read_corpus(table(), global_context="booked", min_count=1)
    with pytest.raises(UsageError, match="phrases are of words alone: leave global_context out"):
        fastw2v.phrases(corpus)


# ---- A run ------------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {"dim": 4, "epochs": 2, "sample": 0.0, "backend": "reference", "lr": 0.05}
RUN_ROWS = [[f"w{word}" for word in np.random.default_rng(n).integers(0, 6, 8)] for n in range(12)]
RUN_TARGETS = ["w1", "label", None, "w3"] * 3


@pytest.fixture
def corpus() -> Corpus:
    return read_corpus(table(RUN_ROWS, RUN_TARGETS), global_context="booked", min_count=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "cbow"}, "global_context is of skip-gram, .* and architecture is cbow"),
        ({"subwords": "2-3"}, "global_context is of whole words: leave subwords out"),
        ({"loss": "softmax"}, "loss softmax takes no global_context"),
        ({"graph": True}, "global_context is 'booked': that is of texts, and graph reads edges"),
        ({"pairs": True}, "global_context is 'booked': that is of texts, and pairs takes rows"),
    ],
)
def test_train__refuses_before_anything_is_read(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fastw2v.train("absent.parquet", global_context="booked", **options)


def test_train__takes_a_column_an_array_and_a_corpus_alike(corpus: Corpus) -> None:
    runs = [
        fastw2v.train(table(RUN_ROWS, RUN_TARGETS), global_context="booked", min_count=1, **QUICK),
        fastw2v.train(RUN_ROWS, global_context=RUN_TARGETS, min_count=1, **QUICK),
        fastw2v.train(corpus, **QUICK),
        train(corpus._replace(targets=np.asarray(corpus.targets, ">i8")), TrainConfig(**QUICK)).embeddings,
    ]
    assert len({run.center_vectors.tobytes() for run in runs}) == 1
    without = train(corpus._replace(targets=None), TrainConfig(**QUICK)).embeddings
    assert without.center_vectors.tobytes() != runs[0].center_vectors.tobytes()


@pytest.mark.parametrize("options", [{}, {"kernel": "pair"}, {"loss": "hierarchical-softmax"}], ids=str)
def test_train__trains_the_outside_vector_of_a_label(corpus: Corpus, options: dict[str, Any]) -> None:
    """A label that no sentence holds is never a centre: its row of V is as it started."""
    trained = train(corpus, TrainConfig(**{"threads": 1, **QUICK, **options}))
    without = train(corpus._replace(targets=None), TrainConfig(**{"threads": 1, **QUICK, **options}))
    assert trained.pairs == pytest.approx(without.pairs + 2 * 8 * 9)
    assert trained.kept_words == without.kept_words == 2 * 96
    label = trained.embeddings.words.index("label")
    assert (trained.embeddings.center_vectors[label] == without.embeddings.center_vectors[label]).all()
    if not options.get("loss"):  # whose rows of U are inner nodes
        assert trained.embeddings.outside_vectors is not None
        assert trained.embeddings.outside_vectors[label].any()


def test_train__sentences_of_one_word_have_a_target() -> None:
    """Without targets there would be no pair at all."""
    rows, targets = [["a"], ["b"]] * 4, ["x", "y"] * 4
    trained = train(read_corpus(rows, global_context=targets, min_count=1), TrainConfig(**QUICK))
    assert trained.pairs == 16


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0] * 11, "shape \\(11,\\): each of 12 sentences"),
        ([0] * 11 + [99], "targets are from 0 to 99: they are places"),
        ([-2] * 12, "targets are from -2 to -2"),
        ([0.5] * 12, "targets are float64"),
    ],
)
def test_train__refuses_targets_of_a_corpus(corpus: Corpus, targets: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(corpus._replace(targets=np.array(targets)), TrainConfig(**QUICK))


def test_targets__go_with_their_sentences(corpus: Corpus) -> None:
    """To what is kept out, to a corpus without its last items, and to a shuffled epoch."""
    named = {part.tobytes(): target for part, target in sentences(corpus)}
    for part in split(corpus, 0.3, 1):
        assert {part.tobytes(): target for part, target in sentences(part)}.items() <= named.items()
    assert without_last(corpus).targets is corpus.targets
    shuffled = in_drawn_order(corpus.tokens, np.arange(12), len(corpus.ids), 3)
    again = corpus._replace(ids=shuffled.ids, offsets=shuffled.offsets, targets=shuffled.targets)
    assert {part.tobytes(): target for part, target in sentences(again)} == named
    assert shuffled.ids.tobytes() != corpus.ids.tobytes()


def sentences(corpus: Corpus) -> list[tuple[Any, int]]:
    """The ids and the target of each."""
    assert corpus.targets is not None
    return list(zip(np.split(corpus.ids, corpus.offsets[1:-1]), corpus.targets.tolist(), strict=True))


def test_fingerprints__tell_targets_apart(corpus: Corpus) -> None:
    assert corpus.targets is not None
    others = [corpus.targets, None, corpus.targets[::-1]]
    assert len({fingerprints(corpus._replace(targets=targets)).corpus for targets in others}) == 3


def test_resampled__counts_targets_by_the_weights_of_their_sentences(corpus: Corpus) -> None:
    """As read: a label that no sentence holds keeps a count, with which noise is drawn."""
    sample = resampled(corpus, seed=1, sample=1)
    assert sample.weights is not None
    assert corpus.targets is not None
    label = corpus.vocabulary.words.index("label")
    assert sample.vocabulary.counts[label] == sample.weights[corpus.targets == label].sum() > 0


def test_command__trains_a_table_and_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(RUN_ROWS, RUN_TARGETS), "corpus.parquet")
    options = ["--global-context", "booked", "--min-count", "1", "--dim", "4", "--sample", "0"]
    command = ["train", "corpus.parquet", *options, "--lr", "0.05", "--backend", "reference", "--epochs", "2"]

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            cli.main([*arguments])
        assert stop.value.code in (0, 2, 3)
        return capfd.readouterr().err

    assert "global context: 9 of 12 sentences have one, 3 words" in run(
        *command, "-o", "whole.npy", "--checkpoint", "kept"
    )
    whole = fastw2v.load("whole.npy").center_vectors
    expected = fastw2v.train("corpus.parquet", global_context="booked", min_count=1, **QUICK)
    assert whole.tobytes() == expected.center_vectors.tobytes()
    run("train", "--resume", "kept")
    assert fastw2v.load("whole.npy").center_vectors.tobytes() == whole.tobytes()
    pq.write_table(table(RUN_ROWS, ["w1", "label", "w2", "w3"] * 3), "corpus.parquet")
    assert "is not that of the run in kept" in run("train", "--resume", "kept")
    run("vocab", "corpus.parquet", "--global-context", "booked", "--min-count", "1", "-o", "v.txt")
    assert "label 3" in Path("v.txt").read_text()
