"""`--context left|right|both`: on which side of a word its window is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import read_corpus
from fastw2v.reference.architectures import KeptToken, window_of
from fastw2v.training import train

ROWS = [["a", "b"]] * 60 + [["b", "c"]] * 60
OPTIONS: dict[str, Any] = {"dim": 8, "min_count": 1, "sample": 0, "threads": 1, "lr": 0.05}


@pytest.mark.parametrize(
    ("side", "expected"),
    [(-1, range(1, 4)), (0, range(1, 6)), (1, range(3, 6))],
    ids=["left", "both", "right"],
)
def test_window_of__is_on_the_side_of_the_run(side: int, expected: range) -> None:
    kept = [KeptToken(0, 0, 2, side) for _ in range(8)]
    assert window_of(kept, 3) == expected


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize(("context", "still"), [("left", "a"), ("right", "c")])
def test_train__a_word_without_words_on_that_side_stays(kernel: str, context: str, still: str) -> None:
    """Skip-gram: nothing is left of a, and nothing right of c."""
    runs = [
        fastw2v.train(ROWS, context=context, kernel=kernel, epochs=epochs, **OPTIONS)  # type: ignore[arg-type]
        for epochs in (1, 3)
    ]
    rows = [{word: run[word].tobytes() for word in run.words} for run in runs]
    assert {word for word in rows[0] if rows[0][word] == rows[1][word]} == {still}


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize(("context", "still"), [("left", "c"), ("right", "a")])
def test_train__a_word_that_predicts_nothing_stays(kernel: str, context: str, still: str) -> None:
    """CBOW: the words left of a word predict it, and c is left of none."""
    runs = [
        fastw2v.train(ROWS, architecture="cbow", context=context, kernel=kernel, epochs=n, **OPTIONS)  # type: ignore[arg-type]
        for n in (1, 3)
    ]
    rows = [{word: run[word].tobytes() for word in run.words} for run in runs]
    assert {word for word in rows[0] if rows[0][word] == rows[1][word]} == {still}


@pytest.mark.parametrize("context", ["left", "right"])
def test_train__left_and_right_are_half_of_the_pairs(context: str) -> None:
    rows = [[f"w{n}" for n in np.random.default_rng(k).integers(0, 9, 12)] for k in range(50)]
    corpus = read_corpus(rows, min_count=1)
    config = TrainConfig(dim=8, sample=0.0, threads=1, epochs=1, lr=0.05, dynamic_window=False)
    both, one = (train(corpus, replace(config, context=side)).pairs for side in ("both", context))
    assert both == 2 * one > 0
