"""Options take effect, or are refused with the same line, from all four places that they come from.

The command line, the environment, a configuration file and Python: each option alone, and a sample of pairs.
test_effects tries every pair, from Python only: all four ways for each would take a minute.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.commands.declared import BY_NAME
from fastw2v.commands.train.settings import shown
from fastw2v.errors import UsageError
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.vectors.embeddings import Embeddings
from tests.test_effects import (  # noqa: F401 - watched is a fixture
    OTHERS,
    ROWS,
    SMALL,
    Outcome,
    is_slow,
    needs_of,
    outcome_of,
    watched,
)

PAIRS = [
    ("window", "dynamic_window"),
    ("window", "freeze"),
    ("sample", "seed"),
    ("threads", "deterministic"),
    ("shuffle", "holdout"),
    ("eval_every", "patience"),
    ("architecture", "negatives"),
    ("block_size", "shared_negatives"),
]
REFUSED = [
    ("loss", "kernel"),
    ("minutes", "deterministic"),
    ("eval_every",),
    ("patience",),
    ("kernel", "block_size"),
    ("kernel", "precision"),
    ("kernel", "deterministic"),
    ("loss", "negatives"),
    ("threads", "backend"),
]
BASE = SMALL | {"min_count": 1}


def as_typed(options: dict[str, Any]) -> list[str]:
    """Options as words of a command line; of a switch that is off the other flag."""
    words = []
    for name, value in options.items():
        on, _, off = BY_NAME[name].flags[0].partition("/")
        flag = next(flag for flag in (on, *BY_NAME[name].flags) if flag.startswith("--"))
        words += [off] if value is False else [flag] if value is True else [flag, str(value)]
    return words


def by_command(options: dict[str, Any], patch: pytest.MonkeyPatch) -> list[str]:
    return as_typed(options)


def by_environment(options: dict[str, Any], patch: pytest.MonkeyPatch) -> list[str]:
    for name, value in options.items():
        patch.setenv(f"FASTW2V_TRAIN_{name.upper()}", str(value).lower())
    return []


def by_file(options: dict[str, Any], patch: pytest.MonkeyPatch) -> list[str]:
    lines = [f"{name} = {shown(value)}\n" for name, value in options.items()]
    Path("run.toml").write_text("".join(lines))
    return ["--config", "run.toml"]


Way = Callable[[dict[str, Any], pytest.MonkeyPatch], list[str]]
WAYS: list[Way] = [by_command, by_environment, by_file]


def run_command(way: Way, options: dict[str, Any]) -> Embeddings:
    """The vectors that the command writes; raises UsageError with all it says where it refuses them."""
    with pytest.MonkeyPatch.context() as patch:
        words = ["train", "c.txt", "-o", "v.npy", "--save-outside", "u.npy", *way(options, patch)]
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
    if stop.value.code == 2:
        raise UsageError(sys.stderr.getvalue())  # type: ignore[attr-defined]
    assert stop.value.code in (0, None)
    center, outside = (np.load(name, allow_pickle=False) for name in ("v.npy", "u.npy"))
    return Embeddings([str(i) for i in range(len(center))], center, outside)


def outcome_by(way: Way | None, options: dict[str, Any]) -> Outcome | str:
    """What a run comes to, or the line that refuses its options; from Python where no way is named."""
    try:
        if way is None:
            return outcome_of(lambda: fastw2v.train("c.txt", verbose=True, **options))
        return outcome_of(lambda: run_command(way, options))
    except UsageError as error:
        return str(error)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the working folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("c.txt")
    path.write_text("".join(f"{' '.join(row)}\n" for row in ROWS))
    return path


# All but minutes, with which the clock decides the vectors.
SINGLE = [(name,) for name in OTHERS if name != "minutes"]


@pytest.mark.slow
@pytest.mark.parametrize("names", SINGLE + PAIRS, ids=" ".join)
def test_options__take_the_same_effect_from_everywhere(names: tuple[str, ...], corpus: Path) -> None:
    """Beside what they need: vectors, judgements and workers."""
    options = BASE | needs_of(*names) | {name: OTHERS[name] for name in names}
    if is_slow(options):
        corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:20]))
    if "precision" in names and not HAS_BFLOAT16:
        pytest.skip("the processor has no AVX512-BF16")
    expected = outcome_by(None, options)
    assert isinstance(expected, Outcome)
    assert [outcome_by(way, options) for way in WAYS] == [expected] * 3


@pytest.mark.parametrize("names", REFUSED, ids=" ".join)
def test_options__are_refused_in_the_same_words_from_everywhere(names: tuple[str, ...], corpus: Path) -> None:
    """But for how an option is spelt; each in one line, before anything is written."""
    options = BASE | {name: OTHERS[name] for name in names}
    expected = outcome_by(None, options)
    assert isinstance(expected, str)
    for way in WAYS:
        actual = re.sub(r"--([a-z-]+)", lambda flag: flag[1].replace("-", "_"), str(outcome_by(way, options)))
        assert actual == f"Error: {expected}\n"
    assert sorted(path.name for path in Path().iterdir()) == ["c.txt", "run.toml"]
