"""A kernel is compiled once, beside the reading where that helps, and never in the way of a run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import typeof

from corpora.small import corpus_of
from fastw2v.backends import needs_compiling
from fastw2v.config import TrainConfig
from fastw2v.kernels import jit
from fastw2v.kernels.backend import KernelBackend
from fastw2v.model.arrays import Tokens
from fastw2v.run import processes
from fastw2v.run.processes import Run
from fastw2v.show.listener import Listener
from fastw2v.show.progress import Display
from fastw2v.show.run_log import RunLog
from fastw2v.system import interrupts
from fastw2v.training import compilation, loop
from fastw2v.training.compilation import (
    Compilation,
    compile_beside,
    expected_seconds,
    smallest,
)
from fastw2v.training.hooks import Hook

KERNELS: list[dict[str, Any]] = [
    {"kernel": "pair"},
    {"kernel": "block"},
    {"deterministic": True},
    {"kernel": "pair", "architecture": "cbow"},
    {"architecture": "cbow"},
    {"loss": "hierarchical-softmax"},
    {"holdout": 0.2, "shuffle": True, "dim": 33, "freeze": "center"},
]
TOLD = "import sys; sys.stdin.readline(); "


def typeof_twice(value: Any) -> Any:
    return typeof(typeof(value))


class Stop(Exception):
    """Ends a run where it would compile."""


class Seconds(Hook):
    """What hooks are told."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def on_compiling(self, seconds: float) -> None:
        self.told.append(seconds)


@pytest.mark.parametrize("options", KERNELS)
def test_smallest__has_the_types_of_a_run(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Code for other types would be compiled in vain."""
    met: list[Any] = []

    def compile_nothing(self: KernelBackend, tokens: Tokens) -> None:
        met.append((self.plan, self.vectors, tokens))
        raise Stop

    monkeypatch.setattr(KernelBackend, "compile", compile_nothing)
    monkeypatch.setattr("fastw2v.kernels.lockstep.new_lanes", lambda vectors, plan, weights: None)
    config = TrainConfig(**options)
    with pytest.raises(Stop):
        loop.train(corpus_of(np.arange(400) % 37, 37, 20), config)
    (actual,) = met
    assert [typeof(part) for part in actual] == [typeof(part) for part in smallest(config)]


def test_compilation__tells_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "CHILD", f"{TOLD}import time; time.sleep(0.3); print(1.5)")
    hook = Seconds()
    assert Compilation(TrainConfig()).wait([hook]) == 1.5
    assert hook.told == sorted(hook.told, reverse=True) != []


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import no_such_module", f"{TOLD}1 / 0"])
def test_compilation__that_fails_is_as_if_there_were_none(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "CHILD", code)
    assert Compilation(TrainConfig()).wait([]) == 0.0


def test_compilation__ends_where_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a run that ends with an error while it reads."""
    monkeypatch.setattr(compilation, "CHILD", f"{TOLD}import time; time.sleep(60)")
    started = Compilation(TrainConfig())
    process = started.process
    del started
    assert process.poll() == -9


def test_compilation__is_left_at_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "CHILD", f"{TOLD}import time; time.sleep(60)")
    monkeypatch.setattr(interrupts, "received", lambda: 2)
    with pytest.raises(interrupts.Interrupted):
        Compilation(TrainConfig()).wait([])


@pytest.mark.slow
def test_compilation__ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Also where that one is killed: it would use a core and 400 MB for nobody."""
    code = """
import os
from fastw2v.backends import needs_compiling
from fastw2v.config import TrainConfig
from fastw2v.training.compilation import Compilation
print(Compilation(TrainConfig()).process.pid, flush=True)
os._exit(0)
"""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    place = Path("/proc", done.stdout.strip(), "cmdline")
    until = time.monotonic() + 60
    while place.exists() and place.read_bytes() and time.monotonic() < until:
        time.sleep(0.05)
    assert not place.exists() or not place.read_bytes()  # gone, or waiting for init to take note
    assert not list(tmp_path.rglob("train_units*.nbc"))


def test_needs_compiling__is_false_for_what_is_kept_and_for_the_reference() -> None:
    loop.train(corpus_of(np.arange(400) % 37, 37, 20), TrainConfig(kernel="pair", dim=4, epochs=1))
    assert not needs_compiling(*smallest(TrainConfig(kernel="pair", dim=7)), "numba")
    assert not needs_compiling(*smallest(TrainConfig(backend="reference")), "reference")


def test_needs_compiling__is_false_where_numba_is_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    monkeypatch.setattr("fastw2v.kernels.backend.is_compiled", lambda *given: False)
    for options in ({}, {"deterministic": True}):
        assert not needs_compiling(*smallest(TrainConfig(**options)), "numba")
    assert jit.jit(typeof_twice) is typeof_twice


def test_compile_beside__starts_nothing_that_would_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "Compilation", str)
    monkeypatch.setattr(compilation, "usable_cores", lambda: 2)
    monkeypatch.setattr(compilation, "needs_compiling", lambda *given: True)
    config = TrainConfig()
    assert compile_beside(config) is not None
    with monkeypatch.context() as patch:
        patch.setattr(compilation, "usable_cores", lambda: 1)
        assert compile_beside(config) is None
    with monkeypatch.context() as patch:
        patch.setattr(compilation, "needs_compiling", lambda *given: False)
        assert compile_beside(config) is None
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/opt/program")
        assert compile_beside(config) is None


def test_expected_seconds__are_of_this_machine() -> None:
    pair, block = (expected_seconds(smallest(TrainConfig(kernel=name))[0]) for name in ("pair", "block"))
    assert 0.5 < pair < 300
    assert 0.5 < block < 600


def test_run__counts_what_was_compiled_beside_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastw2v.api import request_of
    from fastw2v.distributed.communicator import open_communicator
    from fastw2v.run.arguments import configure

    class Beside:
        def wait(self, hooks: Any) -> float:
            return 1234.0

    monkeypatch.setattr(processes, "compile_beside", lambda config, **kinds: Beside())
    options = {"min_count": 1, "dim": 4, "epochs": 1, "kernel": "pair", "sample": 0.0}
    sentences = [["a", "b", "c"]] * 50
    for limit, expected in ((None, True), ("1GB", False)):
        configs = configure(None, options | ({"memory_limit": limit} if limit else {}), None)
        run = Run(request_of(sentences, configs, None), open_communicator())
        run.read()
        run.settle()
        assert (run.train().compile_seconds > 1234) == expected


def test_listener__says_how_long_compiling_takes_once_where_lines_stay() -> None:
    stream = io.StringIO()
    listener = Listener(Display(stream), RunLog(None), 1)
    for seconds in (8.4, 7.0, 0.3):
        listener.on_compiling(seconds)
    assert stream.getvalue() == "compiling the kernel, about 8 s (this first time)\n"
