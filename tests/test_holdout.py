"""Judging a run as it goes on: what is kept out, what its loss is, when to stop, what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from corpora.small import corpus_of
from fastw2v import cli
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus, read_corpus
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import Vectors
from fastw2v.training.holdout import Evaluator, evaluator_of, held_out_loss, held_out_plan, split
from fastw2v.training.hooks import Evaluation, Trained
from fastw2v.training.loop import train

QUICK: dict[str, Any] = {"dim": 8, "sample": 0.0, "threads": 1}


def noise_rows(n_rows: int = 60) -> list[list[str]]:
    """Words without any order: what is learnt of them is wrong elsewhere."""
    draw = np.random.default_rng(0)
    return [[f"w{word}" for word in draw.integers(0, 40, 12)] for _ in range(n_rows)]


@pytest.fixture
def corpus() -> Corpus:
    return read_corpus(noise_rows(), min_count=1)


def sentences(corpus: Corpus) -> list[bytes]:
    return [part.tobytes() for part in np.split(corpus.ids, corpus.offsets[1:-1])]


def run_evaluated(
    corpus: Corpus, config: TrainConfig, **scores: Any
) -> tuple[Corpus, list[Evaluation], Trained]:
    """Training corpus, evaluations, and what came of a judged run."""
    found: list[Evaluation] = []
    training, held_out = split(corpus, config.holdout, config.seed) if config.holdout else (corpus, None)
    evaluator = evaluator_of(config, held_out, scores, found.append)
    assert evaluator is not None
    trained = train(training, config, [evaluator])
    return training, found, trained


def as_trained(trained: Trained) -> Vectors:
    """The vectors with rows of 16 numbers, as in training."""
    assert trained.embeddings.outside_vectors is not None
    matrices = (trained.embeddings.center_vectors, trained.embeddings.outside_vectors)
    return Vectors(*(np.pad(matrix, ((0, 0), (0, 8))) for matrix in matrices))


def test_split__parts_the_sentences_in_their_order(corpus: Corpus) -> None:
    kept, out = split(corpus, 0.1, seed=1)
    whole, kept_rows, out_rows = sentences(corpus), sentences(kept), sentences(out)
    assert (len(kept_rows), len(out_rows)) == (54, 6)
    assert sorted(kept_rows + out_rows) == sorted(whole)
    assert kept_rows == [row for row in whole if row in set(kept_rows)]
    assert kept.vocabulary is out.vocabulary is corpus.vocabulary
    assert (kept.n_words_read, out.n_words_read) == (54 * 12, 6 * 12)


def test_split__is_drawn_from_the_seed(corpus: Corpus) -> None:
    first, again, other = (sentences(split(corpus, 0.1, seed)[1]) for seed in (1, 1, 2))
    assert first == again != other


def test_split__leaves_something_on_either_side(corpus: Corpus) -> None:
    two = read_corpus([["a", "b"], ["b", "a"]], min_count=1)
    for share in (0.001, 0.5):
        assert [len(part.offsets) - 1 for part in split(two, share, 1)] == [1, 1]
    with pytest.raises(UsageError, match="holdout needs 2 sentences"):
        split(read_corpus([["a", "b"]], min_count=1), 0.1, 1)


def test_split__shares_out_words_that_are_not_in_the_vocabulary(corpus: Corpus) -> None:
    kept, out = split(corpus._replace(n_words_read=corpus.n_words_read + 100), 0.1, 1)
    assert (kept.n_words_read, out.n_words_read) == (54 * 12 + 90, 6 * 12 + 10)


@pytest.mark.parametrize("kernel", ["block", "pair"])
def test_evaluator__loss_is_that_of_the_vectors_and_takes_no_step(corpus: Corpus, kernel: str) -> None:
    """Judged or not, the run is the same; the last evaluation is of the vectors that come out."""
    config = TrainConfig(**QUICK, epochs=3, lr=0.025, holdout=0.2, kernel=kernel)  # type: ignore[arg-type]
    training, found, trained = run_evaluated(corpus, config)
    plain = train(training, config)
    assert trained.embeddings.center_vectors.tobytes() == plain.embeddings.center_vectors.tobytes()
    assert [evaluation.epochs for evaluation in found] == [1.0, 2.0, 3.0]
    held_out = split(corpus, 0.2, 1)[1]
    plan = held_out_plan(held_out, config)
    again = [held_out_loss(as_trained(trained), held_out, config, plan) for _ in range(2)]
    assert again == [found[-1].loss] * 2
    untrained = (config.negatives + 1) * np.log(2)
    assert 0.8 * untrained < found[0].loss < 1.1 * untrained


def test_evaluator__stops_when_it_gets_no_better_and_keeps_the_best(corpus: Corpus) -> None:
    """Learning noise by heart makes the loss on other noise rise."""
    config = TrainConfig(**QUICK, epochs=60, lr=0.3, holdout=0.2, patience=3)
    _, found, trained = run_evaluated(corpus, config)
    losses = [evaluation.loss for evaluation in found]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 60
    assert [evaluation.is_best for evaluation in found[best:]] == [True, False, False, False]
    assert trained.words == len(losses) * 48 * 12
    held_out = split(corpus, 0.2, 1)[1]
    plan = held_out_plan(held_out, config)
    assert held_out_loss(as_trained(trained), held_out, config, plan) == min(losses)


def test_evaluator__every_so_many_epochs_and_at_the_end(corpus: Corpus) -> None:
    config = TrainConfig(**QUICK, epochs=5, eval_every=2)
    _, found, _ = run_evaluated(corpus, config, size=lambda vectors: float(len(vectors)))
    assert [evaluation.epochs for evaluation in found] == [2.0, 4.0, 5.0]
    assert all(np.isnan(evaluation.loss) and evaluation.scores == {"size": 40.0} for evaluation in found)


def test_evaluator_of__nothing_to_judge_by(corpus: Corpus) -> None:
    assert evaluator_of(TrainConfig(), None, {}, print) is None
    assert isinstance(evaluator_of(TrainConfig(holdout=0.1), corpus, {}, print), Evaluator)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"holdout": 0.6}, "holdout is 0.6: it must be from 0"),
        ({"eval_every": 0.0}, "eval_every is 0.0"),
        ({"patience": 0, "holdout": 0.1}, "patience is 0"),
        ({"patience": 2}, "set holdout to 0.01"),
    ],
)
def test_train_config__limits_of_judging(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**options)


def test_train__from_python_stops_early() -> None:
    epochs: list[int] = []
    options = {"holdout": 0.2, "patience": 2, "lr": 0.3, "epochs": 60, "min_count": 1} | QUICK
    fastw2v.train(noise_rows(), on_epoch=lambda run: epochs.append(run.epoch), **options)  # type: ignore[arg-type]
    assert 2 < len(epochs) < 60


def test_train__command_shows_and_logs_evaluations(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text("".join(" ".join(row) + "\n" for row in noise_rows()))
    (tmp_path / "pairs.txt").write_text("w1\tw2\t3\nw3\tw4\t5\nw5\tw6\t1\n")
    (tmp_path / "questions.txt").write_text(": all\nw1 w2 w3 w4\n")
    log = tmp_path / "log.jsonl"
    arguments = ["--holdout", "0.2", "--epochs", "2", "--min-count", "1", "--dim", "8", "--threads", "1"]
    arguments += ["--eval-similarity", str(tmp_path / "pairs.txt"), "--log-json", str(log)]
    arguments += ["--eval-analogy", str(tmp_path / "questions.txt"), "-o", str(tmp_path / "v.txt")]
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", str(tmp_path / "c.txt"), *arguments])
    assert not stop.value.code
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("after")]
    assert [line.split(":")[0] for line in lines] == ["after 1 epoch", "after 2 epochs"]
    assert all("held-out loss" in line and "similarity" in line for line in lines)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    logged = [record for record in records if record["event"] == "evaluation"]
    assert [record["epochs"] for record in logged] == [1.0, 2.0]
    assert logged[0]["scores"].keys() == {"similarity", "analogy"}


def test_split__refuses_held_out_sentences_without_a_pair() -> None:
    corpus = read_corpus([["a", "b"]] + [["a"], ["b"]] * 20, min_count=1)
    with pytest.raises(CorpusError, match="none with two words"):
        split(corpus, 0.05, 1)


@pytest.mark.parametrize(
    ("kernel", "eval_every"),
    [("block", 0.25), ("block", 0.5), ("block", 1.5), ("lockstep", 0.5), ("lockstep", 1.0)],
)
def test_train__evaluates_as_often_as_is_asked(kernel: str, eval_every: float) -> None:
    """Also where a call would last for several evaluations, and at the same places however long calls are.

    Eight units in lockstep are a third of an epoch here, so that halves come as late as that.
    """
    corpus = corpus_of(np.random.default_rng(0).integers(0, 50, 100_000), 50, 100)
    options: dict[str, Any] = {"deterministic": kernel == "lockstep"}
    config = TrainConfig(dim=8, epochs=3, threads=1, holdout=0.01, eval_every=eval_every, **options)
    _, evaluations, trained = run_evaluated(corpus, config)
    places = [evaluation.epochs for evaluation in evaluations]
    expected = np.arange(1, 3 / eval_every + 1) * eval_every
    assert len(places) == len(expected)
    np.testing.assert_allclose(places, expected, atol=0.35)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastw2v.training.spans.CALL_SECONDS", 0.0)
        _, again, whole = run_evaluated(corpus, config)
    assert again == evaluations
    assert whole.embeddings.center_vectors.tobytes() == trained.embeddings.center_vectors.tobytes()
