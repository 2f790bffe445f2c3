"""The options of a run: word2vec's defaults, and one clear line for a value outside its limits."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from fastw2v import config
from fastw2v.backends import require_supported
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.errors import UsageError


def test_train_config__defaults_are_those_of_word2vec() -> None:
    """But for the kernel, which is our own, and for the step size, which is chosen."""
    expected = {
        "dim": 100,
        "window": 5,
        "negatives": 5,
        "epochs": 5,
        "lr": None,
        "min_lr": None,
        "sample": 1e-3,
        "ns_exponent": 0.75,
        "dynamic_window": True,
        "window_weights": "auto",
        "threads": None,
        "seed": 1,
        "shuffle": False,
        "deterministic": False,
        "backend": "numba",
        "architecture": "skip-gram",
        "cbow_gradient": "root",
        "context": "both",
        "kernel": "block",
        "block_size": 32,
        "shared_negatives": None,
        "precision": "float32",
        "loss": "negative-sampling",
        "subwords": None,
        "buckets": 2_000_000,
        "freeze": None,
        "holdout": 0.0,
        "eval_every": 1.0,
        "patience": None,
        "leave_last_out": False,
        "eval_next_item": False,
        "minutes": None,
    }
    assert dataclasses.asdict(TrainConfig()) == expected


def test_read_config__defaults_are_those_of_word2vec() -> None:
    expected = {
        "phrases": 0,
        "phrase_scoring": "word2phrase",
        "phrase_threshold": None,
        "phrase_min_count": 5,
        "phrase_delimiter": "_",
        "connector_words": "",
        "input": None,
        "tokenize": "whitespace",
        "lines": "sentences",
        "encoding": "utf-8",
        "errors": "strict",
        "column": None,
        "group_by": None,
        "order_by": None,
        "ids": None,
        "kmers": None,
        "stride": 1,
        "reverse_complement": False,
        "min_count": 5,
        "max_vocab": None,
        "lowercase": False,
        "keep_words": None,
        "stop_words": frozenset(),
        "weight": None,
        "global_context": None,
    }
    assert dataclasses.asdict(ReadConfig()) == expected


def test_train_config__is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().dim = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("option", "lowest", "highest"),
    [
        ("dim", 1, config.MAX_DIM),
        ("window", 1, config.MAX_WINDOW),
        ("negatives", 1, config.MAX_NEGATIVES),
        ("block_size", 1, config.MAX_BLOCK),
        ("shared_negatives", 1, config.MAX_BLOCK),
        ("epochs", 1, 1_000_000),
        ("buckets", 1, config.MAX_BUCKETS),
        ("threads", 1, config.MAX_THREADS),
        ("seed", 0, 2**64 - 1),
    ],
)
def test_train_config__whole_numbers_have_limits(option: str, lowest: int, highest: int) -> None:
    more = {"subwords": "3-6"} if option == "buckets" else {}
    for allowed in (lowest, highest):
        assert getattr(TrainConfig(**more | {option: allowed}), option) == allowed  # type: ignore[arg-type]
    for refused in (lowest - 1, highest + 1, -(10**30)):
        with pytest.raises(UsageError) as caught:
            TrainConfig(**{option: refused})  # type: ignore[arg-type]
        assert str(caught.value) == f"{option} is {refused}: it must be from {lowest:,} to {highest:,}"


@pytest.mark.parametrize(
    ("option", "name", "refused"),
    [
        ("lr", "lr", [0.0, -0.025, math.inf, -math.inf, math.nan]),
        ("min_lr", "min_lr", [-1e-9, 0.0250001, math.inf, math.nan]),
        ("sample", "sample", [-1e-9, math.inf, -math.inf, math.nan]),
        ("ns_exponent", "ns_exponent", [math.inf, -math.inf, math.nan]),
    ],
)
def test_train_config__reals_have_limits(option: str, name: str, refused: list[float]) -> None:
    for value in refused:
        with pytest.raises(UsageError) as caught:
            TrainConfig(**{option: value})  # type: ignore[arg-type]
        assert str(caught.value).startswith(f"{name} is {value}: it must be ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "allowed",
    [
        {"lr": 1e-12},
        {"lr": 10.0, "min_lr": 10.0},
        {"min_lr": 0.0},
        {"sample": 0.0},
        {"sample": 5.0},
        {"ns_exponent": -1.5},
        {"ns_exponent": 0.0},
        {"ns_exponent": 40.0},
    ],
)
def test_train_config__edge_reals_are_allowed(allowed: dict[str, Any]) -> None:
    made = TrainConfig(**allowed)
    assert {option: getattr(made, option) for option in allowed} == allowed


def test_min_learning_rate__is_a_ten_thousandth_unless_given() -> None:
    """0.05 / 10,000 = 5e-6; 0 stays 0."""
    assert TrainConfig(lr=0.05).min_learning_rate == pytest.approx(5e-6, rel=1e-12)
    assert TrainConfig(lr=0.05, min_lr=0.01).min_learning_rate == 0.01
    assert TrainConfig(lr=0.05, min_lr=0.0).min_learning_rate == 0.0


def test_require_supported__softmax_pair_by_pair_needs_the_reference() -> None:
    require_supported(TrainConfig(loss="softmax"))
    require_supported(TrainConfig(loss="softmax", backend="reference", kernel="pair"))
    with pytest.raises(UsageError, match="on the reference only"):
        require_supported(TrainConfig(loss="softmax", kernel="pair"))
