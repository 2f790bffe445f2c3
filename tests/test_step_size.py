"""`--lr auto`: which step size a run takes, and where it is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.backends import plan_of
from fastw2v.config import TrainConfig
from fastw2v.training.budget import Clock, Sizes
from fastw2v.training.step_size import auto_learning_rate, few_epochs_line, with_learning_rate

ROWS = [[f"w{(i * j) % 17}" for j in range(1, 9)] for i in range(40)]  # 320 tokens


def command(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command says, once it has ended well."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert not ended.value.code
    return capfd.readouterr().err


@pytest.mark.parametrize(
    ("n_tokens", "expected"),
    [
        (1, 0.1),
        (5_000_000, 0.1),
        (17_000_000, 0.075),
        (85_000_000, 0.05),
        (2_000_000_000, 0.025),
        (1e15, 0.025),
    ],
)
def test_auto_learning_rate__falls_with_the_root_of_the_tokens(n_tokens: float, expected: float) -> None:
    assert auto_learning_rate(n_tokens) == expected


def test_with_learning_rate__leaves_what_is_given_and_what_a_clock_decides() -> None:
    assert with_learning_rate(TrainConfig(lr=0.3), 10).lr == 0.3
    assert with_learning_rate(TrainConfig(minutes=1.0), 10).lr is None
    assert with_learning_rate(TrainConfig(epochs=5), 17_000_000).lr == 0.05
    assert with_learning_rate(TrainConfig(epochs=5, architecture="cbow"), 17_000_000).lr == 0.1
    tree = TrainConfig(epochs=5, architecture="cbow", loss="hierarchical-softmax")
    assert with_learning_rate(tree, 17_000_000).lr == 0.05
    assert with_learning_rate(replace(tree, cbow_gradient="exact"), 17_000_000).lr == 0.075
    assert with_learning_rate(replace(tree, architecture="skip-gram"), 17_000_000).lr == 0.05


@pytest.mark.parametrize("value", [None, "auto"])
def test_train__auto_is_the_number_that_the_rule_gives(value: str | None) -> None:
    options = {"dim": 8, "min_count": 1, "threads": 1}
    auto, given = (fastw2v.train(ROWS, lr=lr, **options) for lr in (value, auto_learning_rate(5 * 320)))
    assert auto.center_vectors.tobytes() == given.center_vectors.tobytes()


def test_command__shows_and_keeps_what_auto_is(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    corpus = tmp_path / "c.txt"
    corpus.write_text("".join(" ".join(row) + "\n" for row in ROWS))
    output, log = tmp_path / "c.bin", tmp_path / "log"
    arguments = [str(corpus), "--min-count", "1", "--dim", "8", "--threads", "1", "-o", str(output)]
    shown = command(capfd, "train", *arguments, "--log-json", log)
    assert "lr 0.1 and 32 shared negatives, for 1,600 tokens in all epochs" in shown
    assert "320 tokens are few for 5 epochs" in shown
    config = tmp_path / "c.config.toml"
    assert 'lr = "auto"  # 0.1 in this run\n' in config.read_text()
    assert 'shared-negatives = "auto"  # 32 in this run\n' in config.read_text()
    assert json.loads(log.read_text().splitlines()[1])["lr"] == 0.1
    first = output.read_bytes()
    command(capfd, "train", "--config", config, "-o", output)  # auto, read from the file
    assert output.read_bytes() == first


def test_command__goes_on_with_what_auto_was(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Also where the rule has changed since: the checkpoint has the number."""
    corpus, kept = tmp_path / "c.txt", tmp_path / "kept"
    corpus.write_text("".join(" ".join(row) + "\n" for row in ROWS))
    arguments = ["--min-count", "1", "--dim", "8", "--threads", "1", "-o", str(tmp_path / "c.bin")]
    command(capfd, "train", corpus, *arguments, "--checkpoint", kept)
    manifest = max(kept.rglob("*.json"), key=lambda path: path.stat().st_size).read_text()
    assert '"lr": 0.1' in manifest


def test_clock__takes_the_step_size_for_what_it_will_train() -> None:
    config = TrainConfig(minutes=1.0)
    clock = Clock(config, Sizes(1_000_000, 1_000_000))
    assert clock.schedule(0, 0, 0).learning_rate == 0.025  # no speed is known
    clock.spend(1_500_000, 1.0, 1.0)
    assert clock.schedule(0, 0, 0).learning_rate == auto_learning_rate(90e6)
    assert clock.config == replace(config, lr=0.049)


@pytest.mark.parametrize(
    ("options", "n_tokens", "expected"),
    [
        ({}, 1_000_000, "such as --epochs 20"),
        ({}, 1_000, "such as --epochs 50"),
        ({"epochs": 50}, 1_000, None),
        ({}, 17_000_000, None),
        ({"minutes": 1.0}, 1_000, None),
    ],
)
def test_few_epochs_line__names_a_number_that_helps(
    options: dict[str, float], n_tokens: int, expected: str | None
) -> None:
    line = few_epochs_line(TrainConfig(**options), n_tokens)  # type: ignore[arg-type]
    assert (line or "").endswith(expected or "")
    assert (line is None) == (expected is None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 32),
        ({"lr": 0.05}, 32),
        ({"lr": 0.051}, 64),
        ({"lr": 0.2, "shared_negatives": 32}, 32),
        ({"lr": 0.02, "shared_negatives": "auto"}, 32),
        ({"lr": 0.2, "architecture": "cbow"}, 32),
        ({"minutes": 1.0}, 32),
    ],
)
def test_shared_draws__are_more_for_larger_steps(options: dict[str, Any], expected: int) -> None:
    config = TrainConfig(**options)
    assert plan_of(config, np.full(10_000, 100), 50).estimator.shared_negatives == expected
    few = plan_of(config, np.full(400, 100), 50).estimator.shared_negatives
    assert few == (config.shared_negatives or 32)


def test_train__shares_what_auto_chooses() -> None:
    rows = [[f"w{(i * j) % 1009}" for j in range(1, 9)] for i in range(1009)]
    options = {"dim": 8, "min_count": 1, "threads": 1, "lr": 0.1}
    auto, given, fewer = (
        fastw2v.train(rows, shared_negatives=draws, **options).center_vectors.tobytes()
        for draws in ("auto", 64, 32)
    )
    assert auto == given != fewer
