"""Training without end: what a chunk comes to, words that join and leave, models to go on with."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.backends import make, plan_of
from fastw2v.config import ReadConfig, RunConfig, TrainConfig
from fastw2v.corpus import chunks
from fastw2v.corpus.chunks import Chunk, Source
from fastw2v.errors import CorpusError, DivergedError, UsageError
from fastw2v.model.arrays import Tokens, Totals, Vectors, n_units
from fastw2v.model.streams import epoch_key
from fastw2v.options import endless
from fastw2v.options.endless import EndlessConfig
from fastw2v.run.endless import Learner, settings_of
from fastw2v.run.saved_model import read_model
from fastw2v.system.machine import resident_memory
from fastw2v.training.matrices import aligned_zeros
from fastw2v.training.start import schedule_of
from fastw2v.vectors.embeddings import Embeddings, fill_initial

DIM = 8
QUICK: dict[str, Any] = {"dim": DIM, "threads": 1, "sample": 0.0, "min_count": 2}


def rows_of(seed: int, n_rows: int, n_words: int = 60, first: int = 0) -> list[list[str]]:
    """Sentences of 11 words w0, w1, ..., the low ones more frequent."""
    numbers = (n_words * np.random.default_rng(seed).random((n_rows, 11)) ** 3).astype(int) + first
    return [[f"w{number}" for number in row] for row in numbers]


ROWS = [*rows_of(1, 182), *rows_of(2, 182, first=20), *rows_of(3, 91, first=40)]  # chunks of 91 sentences
STREAM: dict[str, Any] = {**QUICK, "vocabulary_size": 50, "chunk_words": 1000}


def last(corpus: Any, **options: Any) -> Embeddings:
    """The vectors at the end of a stream."""
    *_, vectors = fastw2v.train_endless(corpus, **options)
    return vectors


def same(a: Embeddings, b: Embeddings) -> bool:
    assert a.outside_vectors is not None
    assert b.outside_vectors is not None
    return (
        a.words == b.words
        and np.array_equal(np.asarray(a.counts), np.asarray(b.counts))
        and a.center_vectors.tobytes() == b.center_vectors.tobytes()
        and a.outside_vectors.tobytes() == b.outside_vectors.tobytes()
    )


def learner_of(vocabulary_size: int = 50, min_count: int = 2, **training: Any) -> Learner:
    config = TrainConfig(**{"dim": DIM, "threads": 1, "sample": 0.0, **training})
    stream = EndlessConfig(endless=True, vocabulary_size=vocabulary_size)
    return Learner(settings_of(config, ReadConfig(min_count=min_count), stream))


def chunks_of(rows: list[list[str]]) -> list[Chunk]:
    return list(Source(iter(rows), ReadConfig()).chunks(1000))


# ---- What a chunk comes to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["block", "pair"])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_train_endless__of_one_chunk_is_an_epoch_at_one_step_size(backend: Any, kernel: Any) -> None:
    """To the byte: the same words in the same order, the same first vectors, draws, tables and steps."""
    rows, options = ROWS[:40], {**QUICK, "backend": backend, "kernel": kernel, "sample": 1e-2}
    expected = fastw2v.train(rows, epochs=1, lr=0.04, min_lr=0.04, **options)
    assert same(last(rows, lr=0.04, **options), expected)


@pytest.mark.parametrize(
    "more", [{}, {"kernel": "pair"}, {"architecture": "cbow", "lr": 0.1}, {"deterministic": True}], ids=str
)
def test_learn__is_what_the_reference_makes_of_words_by_name(more: dict[str, Any]) -> None:
    """Chunk after chunk, by words instead of rows: those that stay keep their vectors, others start anew."""
    learner = learner_of(vocabulary_size=35, **more)
    config, known = learner.settings.training, {}
    for number, chunk in enumerate(chunks_of(ROWS)):
        before = known
        learner.learn(chunk)
        words, counts = learner.words(np.arange(len(learner))), learner.counts
        n_new = len(learner.joined_last())
        assert not before.keys() & set(words[len(words) - n_new :])
        vectors = Vectors(aligned_zeros(len(words), DIM), aligned_zeros(len(words), DIM))
        fill_initial(vectors.center[len(words) - n_new :, :DIM], epoch_key(1, number) if number else 1)
        for row, word in enumerate(words[: len(words) - n_new]):
            vectors.center[row], vectors.outside[row] = before[word]
        index = {word: row for row, word in enumerate(words)}
        texts = [
            [index[chunk.words[i]] for i in chunk.ids[first:end] if chunk.words[i] in index]
            for first, end in itertools.pairwise(chunk.offsets)
        ]
        texts = [text for text in texts if text]
        ids = np.array([i for text in texts for i in text], np.int32)
        offsets = np.append(0, np.cumsum([len(text) for text in texts])).astype(np.int64)
        plan = plan_of(config, counts, max(map(len, texts)))
        schedule = schedule_of(config, len(ids), epoch_key(1, number), 0)
        make(plan, vectors, "reference").train(Tokens(ids, offsets), schedule, 0, 1)
        for actual, expected in zip(learner.rows.vectors, vectors, strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-5)
        pairs = zip(*(matrix.copy() for matrix in learner.rows.vectors), strict=True)
        known = dict(zip(words, pairs, strict=True))
    assert learner.state.left > 5
    assert learner.state.joined == learner.state.left + len(learner)


def test_settings_of__the_step_size_is_its_own_floor() -> None:
    """At the last token it is what it was at the first; CBOW's is twice as long."""
    made = settings_of(TrainConfig(), ReadConfig(), EndlessConfig(endless=True)).training
    assert (made.learning_rate, made.min_learning_rate) == (endless.CONSTANT_STEP, endless.CONSTANT_STEP)
    made = settings_of(TrainConfig(architecture="cbow"), ReadConfig(), EndlessConfig(endless=True)).training
    assert made.min_learning_rate == made.learning_rate == pytest.approx(2 * endless.CONSTANT_STEP)
    made = settings_of(TrainConfig(lr=0.07), ReadConfig(), EndlessConfig(endless=True)).training
    assert (made.learning_rate, made.min_learning_rate) == (0.07, 0.07)


def test_learn__threads_change_no_byte_where_it_is_deterministic() -> None:
    one, two = (last(ROWS, **{**STREAM, "threads": n, "deterministic": True}) for n in (1, 2))
    assert same(one, two)


def test_learn__ends_after_a_call_that_is_told_to_end_it() -> None:
    learner = learner_of()
    (chunk,) = Source(iter(rows_of(1, 3000)), ReadConfig()).chunks(10**6)
    seen: list[float] = []

    def goes_on(share: float, totals: Totals) -> bool:
        seen.append(share)
        return False

    learner.learn(chunk, goes_on)
    assert seen == [1 / n_units(learner.trainer.n_tokens)]
    assert learner.trainer.n_tokens > 30_000


@pytest.mark.filterwarnings("ignore::fastw2v.errors.StepSizeWarning")
def test_learn__diverges_by_name() -> None:
    with pytest.raises(DivergedError, match="lower lr"):
        last(ROWS, **STREAM, kernel="pair", lr=1e6)


# ---- Words that join and leave -----------------------------------------------------------------------------


def topics(first: int, n_rows: int, seed: int) -> list[list[str]]:
    """Sentences of twelve words of one of two topics of ten words each."""
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, 2, (n_rows, 1)) + first
    return [
        [f"{topic}-{i}" for topic, i in zip(row, rng.integers(0, 10, 12), strict=False)]
        for row in np.repeat(picked, 12, axis=1)
    ]


def test_train_endless__later_words_are_learned_and_vanished_ones_leave() -> None:
    """Room for 24 words: 20 of the first half, and 20 others of the second, which is twice as long."""
    early, late = topics(0, 600, 1), topics(2, 1500, 2)
    options: dict[str, Any] = {**STREAM, "vocabulary_size": 24, "lr": 0.1, "min_count": 5}
    first, after = last(early, **options), last([*early, *late], **options)
    for vectors, own in ((first, ("0", "1")), (after, ("2", "3"))):
        for topic in own:
            near = vectors.nearest(f"{topic}-0", n=5)
            assert {word.partition("-")[0] for word, _ in near} == {topic}
    assert len(after) == 24
    assert {f"{topic}-{i}" for topic in (2, 3) for i in range(10)} <= set(after.words)


def test_train_endless__a_word_joins_once_it_was_seen_often_enough() -> None:
    """Three times in one chunk and twice in the next pass min_count 5, as in one text."""
    rows = [["a", "b"] * 6, ["c", "a", "c", "b", "c"], ["d", "a", "b"], ["c", "b", "c", "a"]]
    found = fastw2v.train_endless(
        iter(rows), **{**STREAM, "chunk_words": 18, "save_every": 1, "min_count": 5}
    )
    assert [vectors.words for vectors in found] == [["a", "b"], ["a", "b", "c"]]


def test_train_endless__memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred chunks of words that never come again take no more than the first twenty."""
    monkeypatch.setattr(chunks, "MOST_WORDS", 20_000)

    def rows() -> Iterator[list[str]]:
        for number in itertools.count():
            yield [f"n{number * 9 + i}" for i in range(9)] + ["the", "of"]

    options = {**STREAM, "vocabulary_size": 500, "chunk_words": 20_000, "save_every": 1, "min_count": 1}
    found, held = fastw2v.train_endless(rows(), **options), []
    for vectors in itertools.islice(found, 100):
        assert len(vectors) == 500
        held.append(resident_memory())
    if held[0] is not None:
        assert held[99] - held[19] < 30e6


# ---- Models ------------------------------------------------------------------------------------------------


def test_continue_from__a_stream_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """Where it stopped at the end of a chunk: counts, errors, rows and draws are those of one stream."""
    expected = last(ROWS, **STREAM)
    assert last(ROWS[:182], save_model=tmp_path / "m", **STREAM).dim == DIM
    more = {name: value for name, value in STREAM.items() if name != "vocabulary_size"}
    actual = last(ROWS[182:], continue_from=tmp_path / "m", save_model=tmp_path / "m", **more)
    assert same(actual, expected)
    model = read_model(tmp_path / "m")
    assert [training.words for training in model.trainings] == [2002, 3003]
    assert (model.stream["n"], model.stream["chunks"], model.stream["vocabulary_size"]) == (5005, 5, 50)


def test_continue_from__with_less_room_the_frequent_words_stay(tmp_path: Path) -> None:
    before = last(ROWS[:182], save_model=tmp_path / "m", **STREAM)
    options = {**STREAM, "vocabulary_size": 12, "continue_from": tmp_path / "m", "lr": 1e-9}
    after = last(ROWS[182:190], **options)
    assert len(after) <= 12
    stayed = set(after.words) & set(before.words[:8])
    assert len(stayed) == 8
    for word in stayed:
        np.testing.assert_allclose(after[word], before[word], atol=1e-5)


def test_continue_from__a_stream_goes_on_from_a_text_and_a_text_from_a_stream(tmp_path: Path) -> None:
    fastw2v.train(ROWS[:182], save_model=tmp_path / "text", epochs=1, **QUICK)
    own: dict[str, Any] = {name: STREAM[name] for name in ("threads", "chunk_words")}
    after = last(
        ROWS[182:],
        continue_from=tmp_path / "text",
        save_model=tmp_path / "stream",
        vocabulary_size=200,
        **own,
    )
    counts = {word: sum(row.count(word) for row in ROWS) for word in after.words}
    assert counts == dict(zip(after.words, np.asarray(after.counts).tolist(), strict=True))
    again = fastw2v.train(ROWS[:91], continue_from=tmp_path / "stream", threads=1, epochs=1)
    assert again.counts is not None
    assert int(again.counts.sum()) == sum(counts.values()) + 91 * 11


def test_continue_from__a_damaged_model_is_one_line(tmp_path: Path) -> None:
    last(ROWS, save_model=tmp_path / "m", **STREAM)
    with pytest.raises(UsageError, match="dim is 9, but the model"):
        last(ROWS, continue_from=tmp_path / "m", **{**STREAM, "dim": 9})
    words = tmp_path / "m" / "words.parquet"
    words.write_bytes(words.read_bytes()[:-9])
    with pytest.raises(CorpusError, match="the model is damaged"):
        last(ROWS, continue_from=tmp_path / "m", **STREAM)


# ---- From Python -------------------------------------------------------------------------------------------


def test_train_endless__gives_copies_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    """After 3,000 words and more of chunks of 1,001, and at the end of 5,005; of an endless one for ever."""
    log = tmp_path / "log"
    given = list(fastw2v.train_endless(iter(ROWS), save_every=3000, log_json=log, **STREAM))
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(given) == 2
    assert not np.shares_memory(given[0].center_vectors, given[1].center_vectors)
    assert records[0]["settings"]["vocabulary_size"] == 50
    end = records[-1]
    assert (end["event"], end["words"], end["vocabulary"]) == ("end", 5005, len(given[1]))
    assert end["joined"] - end["left"] == end["vocabulary"]
    forever = fastw2v.train_endless(itertools.cycle(ROWS), save_every=1, **STREAM)
    assert len(list(itertools.islice(forever, 20))) == 20
    forever.close()  # type: ignore[attr-defined]


def test_train_endless__verbose_says_that_no_end_is_in_sight(capfd: pytest.CaptureFixture[str]) -> None:
    last(ROWS, verbose=True, **STREAM)
    err = capfd.readouterr().err
    assert "no end in sight" in err
    assert "joined" in err
    assert "read and trained 5,005 words in" in err


def test_train_endless__keeps_the_model_where_an_iterator_is_interrupted(tmp_path: Path) -> None:
    def rows() -> Iterator[list[str]]:
        yield from itertools.islice(itertools.cycle(ROWS), 8192)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        last(rows(), save_model=tmp_path / "m", **STREAM)
    assert read_model(tmp_path / "m").trainings[0].words == 90 * 1001


def test_train_endless__of_nothing_says_so() -> None:
    with pytest.raises(CorpusError, match="of 4 words no two side by side occurred min_count 2 times"):
        last([["a", "b"], ["c", "d"]], **STREAM)
    with pytest.raises(CorpusError, match="of 0 words"):
        last(iter([]), **STREAM)


# What no option has by default.
OTHER: dict[str, Any] = {
    "epochs": 9,
    "minutes": 1.0,
    "min_lr": 0.001,
    "loss": "softmax",
    "subwords": "3-6",
    "freeze": "center",
    "holdout": 0.1,
    "patience": 2,
    "eval_every": 0.5,
    "eval_similarity": "p.txt",
    "eval_analogy": "q.txt",
    "phrases": 1,
    "group_by": "g",
    "kmers": 6,
    "weight": "w",
    "ids": "places",
    "max_vocab": 9,
    "sync_words": 8192,
    "combine": "mean",
    "memory_limit": "2GB",
    "cache_dir": "c",
    "checkpoint": "k",
    "checkpoint_every": "9m",
    "resume": "k",
}
BESIDE = {"patience": {"holdout": 0.1}, "eval_next_item": {"leave_last_out": True}}
NOT_OF_PYTHON = ("vocabulary", "init", "init_vectors", "init_outside", "read_vocab", "dry_run")


@pytest.mark.parametrize("name", [name for name in endless.IDLE if name not in NOT_OF_PYTHON])
def test_train_endless__what_means_nothing_is_refused_by_name(name: str) -> None:
    value = OTHER.get(name, True)
    with pytest.raises(UsageError) as caught:
        fastw2v.train_endless(ROWS, **{name: value, **BESIDE.get(name, {})})
    message = str(caught.value)
    assert "\n" not in message
    assert "endless" in message
    assert name in message or next(iter(BESIDE.get(name, {"-": 0}))) in message


def test_idle__are_options_that_there_are() -> None:
    known = {*fastw2v.api.Options.__annotations__, "vocabulary", "init", *NOT_OF_PYTHON}
    assert set(endless.IDLE) <= known
    assert "seed" not in endless.IDLE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary_size": 1}, "vocabulary_size is 1: it must be from 2"),
        ({"save_every": 0}, "save_every is 0: it must be at least 1"),
        ({"chunk_words": 0}, "chunk_words is 0: it must be from 1"),
        ({"kernel": "pair", "deterministic": True}, "deterministic needs kernel block"),
        ({"vocabulry_size": 9}, "did you mean vocabulary_size"),
        ({"verbose": 1}, "verbose is 1"),
        ({"preset": "graph", "continue_from": "m"}, "preset does not go with continue_from"),
        ({"continue_from": "absent"}, "absent holds no model"),
    ],
)
def test_train_endless__bad_options_are_one_line_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        fastw2v.train_endless(ROWS, **options)
    assert "\n" not in str(caught.value)


def test_train_endless__takes_presets_and_no_corpus_that_is_read() -> None:
    assert last(ROWS, preset="items", **STREAM).dim == DIM
    with pytest.raises(UsageError, match="is read already"):
        fastw2v.train_endless(fastw2v.corpus.read_corpus(ROWS))
    with pytest.raises(UsageError, match="call train_endless"):
        fastw2v.train(ROWS, endless=True)
    with pytest.raises(UsageError, match="vocabulary_size is 9: that is for a stream"):
        fastw2v.train(ROWS, vocabulary_size=9)
    assert RunConfig().save_model is None
