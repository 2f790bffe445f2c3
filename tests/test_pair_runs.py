"""Runs on given pairs: to two files of vectors, by the command and by Python, stopped and gone on with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.ids.memory import Memory
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.pairs import CHUNK_ROWS
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.run.pairs import require_pairs
from fastw2v.run.request import Request
from fastw2v.training import pairing, spans

CLASSES, RELATIONS = ("noun", "verb", "adjective", "adverb"), ("nsubj", "dobj", "amod", "advmod")
SMALL: dict[str, Any] = {
    "pairs": True,
    "dim": 16,
    "threads": 1,
    "min_count": 1,
    "kernel": "pair",
    "epochs": 2,
}


def parsed(n: int = 6_000, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Pairs as a parser gives them: a word and its relation to another, which tells the word's class.

    Of ten pairs eight have a relation of the word's own class, the others any; which word is at the other end
    of it tells nothing. Word and context do not share a vocabulary: `noun_3` is never a context.
    """
    draw = np.random.default_rng(seed)
    for _ in range(n):
        kind = draw.integers(len(CLASSES))
        word = f"{CLASSES[kind]}_{draw.integers(25)}"
        relation = RELATIONS[kind if draw.random() < 0.8 else draw.integers(len(RELATIONS))]
        yield word, f"{relation}_{draw.integers(20)}"


@pytest.fixture
def pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of pairs in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("deps.txt").write_text("".join(f"{word} {context}\n" for word, context in parsed()))
    return "deps.txt"


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are cut into as many calls and parts as can be."""
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(pairing, "BUFFER_ROWS", CHUNK_ROWS)


def matrices(embeddings: fastw2v.Embeddings) -> bytes:
    assert embeddings.outside_vectors is not None
    return embeddings.center_vectors.tobytes() + embeddings.outside_vectors.tobytes()


def shares_of_own_class(words: list[str], vectors: np.ndarray[Any, Any]) -> float:
    """How many of the 10 nearest words are of a word's own class, of all words."""
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kinds = np.array([word.partition("_")[0] for word in words])
    cosines = rows @ rows.T - 2 * np.eye(len(rows))
    return float((kinds[np.argsort(-cosines)[:, :10]] == kinds[:, None]).mean())


def test_train__finds_planted_classes_of_words_and_of_contexts(pairs: str) -> None:
    vectors = fastw2v.train(pairs, **SMALL | {"epochs": 20, "lr": 0.05})
    assert (len(vectors.words), len(vectors.outside_words or ())) == (100, 80)
    assert vectors.outside_vectors is not None
    assert vectors.outside_words is not None
    assert shares_of_own_class(vectors.words, vectors.center_vectors) > 0.9
    assert shares_of_own_class(vectors.outside_words, vectors.outside_vectors) > 0.9
    word, own = vectors["noun_3"], RELATIONS[0]
    scores = dict(zip(vectors.outside_words, vectors.outside_vectors @ word, strict=True))
    best = sorted(scores, key=lambda context: -scores[context])[:10]
    assert sum(context.startswith(own) for context in best) >= 9


def test_command__writes_one_file_of_vectors_for_each_vocabulary(
    pairs: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--dim", "8", "--kernel", "pair", "--threads", "1", "--epochs", "1", "--min-count", "40"]
    with pytest.raises(SystemExit) as stop:
        cli.main(
            ["train", "--pairs", pairs, *arguments, "--save-outside", "c.bin", "--outside-min-count", "60"]
        )
    assert stop.value.code == 0
    err = capfd.readouterr().err
    words, contexts = fastw2v.load("deps.vectors.txt"), fastw2v.load("c.bin")
    expected = fastw2v.train(
        pairs, pairs=True, dim=8, kernel="pair", threads=1, epochs=1, min_count=40, outside_min_count=60
    )
    assert words.words == expected.words
    assert contexts.words == expected.outside_words
    assert expected.outside_counts is not None
    assert expected.outside_counts.min() >= 60
    assert contexts.center_vectors == pytest.approx(expected.outside_vectors, abs=1e-6)
    assert "read 6,000 pairs in" in err
    *_, trained = err.splitlines()
    n_pairs = trained.split()[1]
    assert trained.startswith(f"trained {n_pairs} pairs in ")
    assert trained.endswith(" pairs/s")
    assert f"lr 0.1, for {n_pairs} pairs in all epochs" in err
    assert f"{n_pairs} pairs are few for 1 epochs" in err
    assert f"{len(words):,} centre words and {len(contexts):,} outside words" in err
    expected.save("again.bin", vectors="outside")
    assert Path("again.bin").read_bytes() == Path("c.bin").read_bytes()


def test_train__is_the_same_from_a_file_and_from_objects(pairs: str) -> None:
    expected = fastw2v.train(pairs, **SMALL)
    centers, others = zip(*parsed(), strict=True)
    table = pa.table({"center": centers, "outside": others})
    pq.write_table(table, "pairs.parquet")
    for source in ("pairs.parquet", table, parsed()):
        actual = fastw2v.train(source, **SMALL)
        assert actual == expected
        assert matrices(actual) == matrices(expected)
    ones = table.append_column("weight", pa.array(np.ones(len(table))))
    assert matrices(fastw2v.train(ones, **SMALL)) == matrices(expected)


def test_train__weight_2_is_the_pair_twice_in_counts_and_steps(pairs: str) -> None:
    rows = list(parsed(2_000))
    twice = fastw2v.train([*rows, *rows], **SMALL)
    weighed = fastw2v.train([(*row, 2.0) for row in rows], **SMALL)
    assert twice.words == weighed.words
    assert twice.counts is not None
    assert twice.counts.tolist() == weighed.counts.tolist()  # type: ignore[union-attr]
    nearness = [
        np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(twice.center_vectors, weighed.center_vectors, strict=True)
    ]
    assert np.mean(nearness) > 0.9


def test_train__kernel_block_finds_the_classes_too(pairs: str) -> None:
    vectors = fastw2v.train(pairs, **SMALL | {"kernel": "block", "epochs": 20, "lr": 0.05, "threads": 2})
    assert shares_of_own_class(vectors.words, vectors.center_vectors) > 0.9


def test_train__deterministic_gives_the_same_bytes_for_any_threads_and_cuts(
    pairs: str, request: pytest.FixtureRequest
) -> None:
    options = SMALL | {"kernel": "block", "deterministic": True, "sample": 1e-2}
    expected = matrices(fastw2v.train(pairs, **options))
    request.getfixturevalue("monkeypatch").setattr(spans, "CALL_SECONDS", 0.0)
    assert matrices(fastw2v.train(pairs, **options | {"threads": 3})) == expected


@pytest.mark.parametrize("weighted", [False, True])
def test_train__goes_on_to_the_same_bytes(pairs: str, weighted: bool, cut: None) -> None:
    if weighted:
        rows = [f"{word}\t{context}\t{i % 5 / 2}\n" for i, (word, context) in enumerate(parsed())]
        Path(pairs).write_text("".join(rows))
    options = SMALL | {"sample": 1e-2}
    expected = fastw2v.train(pairs, **options)
    calls = itertools.count()

    def stop(moment: fastw2v.Moment) -> None:
        if moment.epoch == 2 and next(calls) == 1:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        fastw2v.train(pairs, **options, checkpoint="kept", checkpoint_every="1 words", on_chunk=stop)
    assert matrices(fastw2v.train(resume="kept")) == matrices(expected)
    with pytest.raises(UsageError, match="outside-min-count is 2, but the run to go on with has None"):
        fastw2v.train(resume="kept", pairs=True, outside_min_count=2)
    text = Path(pairs).read_text()
    Path(pairs).write_text(text.replace("nsubj_1", "nsubj_x"))
    with pytest.raises(UsageError, match="the vocabulary is not that of the run in kept"):
        fastw2v.train(resume="kept")


def test_train__beyond_the_memory_limit_gives_the_same_bytes(
    pairs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastw2v.corpus.ids import memory

    expected = fastw2v.train(pairs, **SMALL)
    monkeypatch.setattr(memory, "budget", lambda *given, **more: memory.Budget(1_000, 1_000))
    told: list[fastw2v.Moment] = []
    actual = fastw2v.train(pairs, **SMALL, memory_limit="1GB", on_chunk=lambda moment: told.append(moment))
    assert matrices(actual) == matrices(expected)
    assert told


def test_train__progress_ends_where_it_says_and_lr_falls(pairs: str, cut: None) -> None:
    told: list[fastw2v.Moment] = []
    fastw2v.train(pairs, **SMALL | {"lr": 0.05}, on_chunk=lambda moment: told.append(moment))
    rates = [moment.progress.learning_rate for moment in told]
    assert rates == sorted(rates, reverse=True)
    assert (told[-1].progress.share, told[-1].progress.epochs, rates[-1]) == (1.0, 2.0, 0.05e-4)
    assert told[-1].progress.words_total == 12_000
    seen = told[0].embeddings()
    assert len(seen.outside_words or ()) == 80


def test_train__starts_from_vectors_of_both_vocabularies(pairs: str) -> None:
    first = fastw2v.train(pairs, **SMALL)
    again = fastw2v.train(pairs, **SMALL | {"lr": 1e-9}, init=first)
    np.testing.assert_allclose(again.center_vectors, first.center_vectors, atol=1e-5)
    np.testing.assert_allclose(again.outside_vectors, first.outside_vectors, atol=1e-5)  # type: ignore[arg-type]
    frozen = fastw2v.train(pairs, **SMALL | {"freeze": "outside"}, init=first)
    assert frozen.outside_vectors is not None
    assert frozen.outside_vectors.tobytes() == first.outside_vectors.tobytes()  # type: ignore[union-attr]
    assert frozen.center_vectors.tobytes() != first.center_vectors.tobytes()


@pytest.mark.parametrize(("name", "value"), [("outside_min_count", 70), ("outside_max_vocab", 20)])
def test_train__every_option_of_pairs_takes_effect_or_is_refused(pairs: str, name: str, value: int) -> None:
    actual = fastw2v.train(pairs, **SMALL | {name: value})
    assert 2 <= len(actual.outside_words or ()) < 80
    assert len(actual) == 100
    with pytest.raises(
        UsageError, match=f"{name} is {value}: that is for pairs: set pairs, or leave {name} out"
    ):
        fastw2v.train([["a", "b"]] * 9, **{name: value})


def test_train__presets_give_no_window(pairs: str) -> None:
    vectors = fastw2v.train(pairs, preset="relatedness", **SMALL)
    assert len(vectors) == 100
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--pairs", pairs, "--preset", "relatedness", "--dry-run", "-q"])
    assert stop.value.code == 0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "window": (
        {"window": 3},
        "window is 3: a row is a pair, and none is made of neighbours; leave",
    ),
    "dynamic_window": ({"dynamic_window": False}, "dynamic_window is False: a row is a pair"),
    "context": ({"context": "left"}, "context is 'left': a row is a pair"),
    "architecture": ({"architecture": "cbow"}, "architecture is 'cbow': a centre predicts"),
    "loss": ({"loss": "softmax"}, "loss softmax is of windows, and rows of pairs have none"),
    "subwords": ({"subwords": "3-6"}, "subwords is '3-6': that is of texts"),
    "holdout": ({"holdout": 0.1}, "holdout is 0.1: rows of a sentence are not told from others"),
    "leave_last_out": ({"leave_last_out": True}, "leave_last_out does nothing with pairs"),
    "shuffle": ({"shuffle": True}, "shuffle does nothing with pairs: rows come in a drawn order"),
    "column": ({"column": "text"}, "column is 'text': that is of texts, and pairs takes rows of two words"),
    "lowercase": ({"lowercase": True}, "lowercase does nothing with pairs"),
    "cache_dir": ({"cache_dir": "cache"}, "cache_dir is 'cache': it keeps ids of texts"),
    "graph": ({"graph": True}, "graph walks on edges, and pairs takes rows of two words"),
    "save_model": ({"save_model": "m"}, "save_model keeps one vocabulary, and pairs have two"),
    "outside_max_vocab": ({"outside_max_vocab": 1}, "outside_max_vocab is 1: it must be"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_train__refuses_what_means_nothing_to_pairs(pairs: str, name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(UsageError, match=message) as caught:
        fastw2v.train("absent.parquet", **{"pairs": True} | options)
    assert name in caught.value.options
    assert "\n" not in str(caught.value)
    assert not Path("cache").exists()


def test_train__refuses_a_vocabulary_a_corpus_and_several_processes(pairs: str) -> None:
    from fastw2v.corpus import read_corpus
    from fastw2v.corpus.vocabulary import Vocabulary

    with pytest.raises(UsageError, match="the words of pairs are counted in them"):
        fastw2v.train(pairs, pairs=True, vocabulary=Vocabulary(["a", "b"], np.array([1, 1])))
    with pytest.raises(UsageError, match="this corpus is read"):
        fastw2v.train(read_corpus([["a", "b"]], min_count=1), pairs=True)
    given = PairConfig(pairs=True)
    request = Request(pairs, TrainConfig(), ReadConfig(), ReplicaConfig(), None, Memory(), pairs=given)
    require_pairs(request, 1)
    with pytest.raises(UsageError, match="start it without mpirun, or with alone"):
        require_pairs(request, 2)
    require_pairs(request._replace(pairs=replace(given, pairs=False)), 2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--window", "3"], 2, "--window is 3: a row is a pair"),
        (["--vectors", "sum"], 2, "--vectors sum is of both vectors of a word"),
        (["--read-vocab", "deps.txt"], 3, "deps.txt: line 1"),
        (["--min-count", "99999"], 2, "centre words have at least --min-count = 99999"),
    ],
)
def test_command__refuses_in_one_line(
    pairs: str, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--pairs", pairs, *arguments, "-q"])
    err = capfd.readouterr().err
    assert message in err
    assert stop.value.code == code
    assert err.count("\n") == 1
    assert not list(Path().glob("deps.vectors*"))


def test_command__errors_of_pairs_have_their_exit_code(pairs: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("a x 1\nb y -2\n")
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--pairs", "bad.txt"])
    assert stop.value.code == CorpusError.exit_code == 3
    assert "the pair from 'b' to 'y' has weight -2" in capfd.readouterr().err


def test_command__tells_of_the_pairs_without_training(pairs: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--pairs", pairs, "--dry-run"])
    out, _ = capfd.readouterr()
    assert "vocabulary  100 words, 80 outside words" in out
    assert "training    6,000 pairs an epoch; " in out
    assert "(100 + 80) x 100 float32" in out
    assert "pairs       0.0 MB of memory, or of disk beyond --memory-limit" in out
