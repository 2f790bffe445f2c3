"""After `fastw2v warm-up` nothing is left to compile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fastw2v.cli import cli
from fastw2v.config import TrainConfig
from fastw2v.errors import OutputError
from fastw2v.kernels.tiles import bfloat16
from fastw2v.run import warm_up
from fastw2v.training.compilation import expected_seconds, smallest
from tests.parquet import write

READ = """
import sys
from fastw2v.corpus.ids import encoding
from fastw2v.corpus.phrases import chains, count, join, table as phrases
from fastw2v.corpus.words import queue, table
from fastw2v.corpus.read import read_corpus
from fastw2v.run.warm_up import compile_reading

def known():
    modules = (encoding, queue, table, chains, count, join, phrases)
    named = [(f"{module.__name__}.{name}", f) for module in modules for name, f in vars(module).items()]
    return {name: list(f.overloads) for name, f in named if hasattr(f, "overloads")}

compile_reading()
before = known()
for path in sys.argv[1:]:
    for options in ({}, {"threads": 3, "min_count": 2, "stop_words": frozenset(["w1"])}, {"lowercase": True},
                    {"phrases": 2, "phrase_threshold": 1, "phrase_min_count": 2, "connector_words": "w3 w5"}):
        read_corpus(path, **options)
assert sum(map(len, before.values())) > 4, before
assert known() == before, {name: new for name, new in known().items() if new != before[name]}
"""


@pytest.mark.slow
def test_compile_reading__leaves_nothing_to_compile_for_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [[f"w{word}" for word in draw.integers(0, 90, 30)] for _ in range(300)]
    texts = [" ".join(row) for row in rows]
    (tmp_path / "lines.txt").write_text("\n".join(texts))
    paths = [
        write(tmp_path / "a.parquet", rows),
        write(tmp_path / "b.parquet", texts),
        tmp_path / "lines.txt",
    ]
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_kernels__are_one_for_each_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bfloat16, "HAS_BFLOAT16", True)
    configs = [TrainConfig(**options) for options in warm_up.kernels()]
    plans = [smallest(config)[0] for config in configs]
    assert len({warm_up.types_in(plan) for plan in plans}) == len(plans)
    estimators = {type(plan.estimator).__name__ for plan in plans}
    assert estimators >= {"Pair", "Block", "Lockstep"}
    assert all(expected_seconds(plan) > 0 for plan in plans)
    assert {config.precision for config in configs} == {"float32", "bfloat16"}
    monkeypatch.setattr(bfloat16, "HAS_BFLOAT16", False)
    assert {options["precision"] for options in warm_up.kernels()} == {"float32"}


def test_warm_up__compiles_each_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    lines: list[str] = []
    monkeypatch.setattr(warm_up, "compile_kernel", lambda config, **kinds: compiled.append((config, kinds)))
    monkeypatch.setattr(warm_up, "compile_reading", lambda: compiled.append("reading"))
    assert warm_up.warm_up(lines.append) == 0
    plain = [(TrainConfig(**options), {}) for options in warm_up.kernels()]
    of_pairs = [one for one in compiled[1:] if one[1]]
    assert [one for one in compiled if one not in of_pairs] == ["reading", *plain]
    assert [kinds for _, kinds in of_pairs] == [{"pairs": True}] * len(of_pairs) != []
    assert len(lines) == len(compiled)
    assert lines[1] == "the kernel of the default options"
    assert "the kernel of --architecture cbow --kernel pair" in lines
    assert "the kernel of --deterministic" in lines


def test_command__says_where_the_code_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.run.warm_up.warm_up", lambda on_kernel: 3)
    result = CliRunner().invoke(cli, ["warm-up"])
    assert result.exit_code == 0, result.output
    assert "compiled 3 functions for" in result.output
    assert "fastw2v/kernels-" in result.output
    assert CliRunner().invoke(cli, ["warm-up", "-q"]).output == ""


def test_command__is_refused_where_code_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.kernels.jit.CACHE_FOLDER", None)
    result = CliRunner().invoke(cli, ["warm-up"])
    assert isinstance(result.exception, OutputError)
    assert "XDG_CACHE_HOME" in str(result.exception)
