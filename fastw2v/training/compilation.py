"""A run's kernel made machine code: in a process of its own beside the reading, or before training.

Numba compiles one function at a time in a process, holding Python's lock for half of it. A second process
shares neither lock, and hands the code over through the cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastw2v.backends import Backend, as_compiled, make, needs_compiling, plan_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.model.arrays import Tokens, Vectors
from fastw2v.model.plan import Block, Lockstep, Pair, Panels, Plan, Whole
from fastw2v.system import interrupts
from fastw2v.system.machine import usable_cores
from fastw2v.training.hooks import Hook
from fastw2v.training.matrices import aligned_zeros

# Seconds that a kernel takes to compile for one of a loop of Python: both are of one core, the loop's 0.02 s
# long enough to meet those who use it too.
LOOP = 1_000_000
LOOPS: dict[type, int] = {Pair: 220, Whole: 330, Panels: 330, Block: 470, Lockstep: 880}
OTHER_LOOPS = 300
WAIT_SECONDS = 0.2
CHILD = """
import json, sys
path, config, kinds = json.loads(sys.stdin.readline())
sys.path[:] = path
from fastw2v.training.compilation import compile_told
compile_told(config, kinds)
"""


def smallest(
    config: TrainConfig, *, weighted: bool = False, pairs: bool = False, targets: bool = False
) -> tuple[Plan, Vectors, Tokens]:
    """What the kernel for config takes, as small as can be: of the same types for every corpus and dim.

    weighted   whether sentences have weights
    pairs      whether the corpus is of given pairs
    targets    whether sentences have targets, and so weights
    """
    counts = np.ones(2, np.int64)
    plan = plan_of(config, counts, 2, outside_counts=counts if pairs else None, has_targets=targets)
    plan = as_compiled(plan, config.backend, config.threads)
    vectors = Vectors(aligned_zeros(2, config.dim), aligned_zeros(2, config.dim))
    weights = np.zeros(0, np.float32) if weighted or targets else None
    words = np.zeros(0, np.int32) if targets else None
    return plan, vectors, Tokens(np.zeros(0, np.int32), np.zeros(1, np.int64), weights, words)


def compile_kernel(config: TrainConfig, **kinds: bool) -> None:
    """Compile what a run with config needs, or load it from the cache; kinds are those of `smallest`."""
    plan, vectors, tokens = smallest(config, **kinds)
    make(plan, vectors, config.backend, 1).compile(tokens)


def expected_seconds(plan: Plan) -> float:
    """About how long the kernel of a plan takes to compile here, now, as a short loop of Python shows."""
    started, n = time.perf_counter(), 0
    for i in range(LOOP):
        n += i
    return LOOPS.get(type(plan.estimator), OTHER_LOOPS) * (time.perf_counter() - started)


def tell_seconds(hooks: Sequence[Hook], seconds: float) -> None:
    """Tell hooks that a kernel is being compiled, and for how long."""
    for hook in hooks:
        hook.on_compiling(seconds)


def compile_kernels(backend: Backend, corpus: Corpus, hooks: Sequence[Hook]) -> float:
    """Compile the kernels of a run or load them from the cache; returns the seconds it took.

    Hooks are told where code is not in the cache.
    """
    from fastw2v.kernels.code_cache import CodeCache

    started, usual = time.perf_counter(), CodeCache.announce
    CodeCache.announce = lambda: tell_seconds(hooks, expected_seconds(backend.plan))
    try:
        backend.compile(corpus.tokens)
    finally:  # what is compiled after the run is not of its hooks
        CodeCache.announce = usual
    return time.perf_counter() - started


class Compilation:
    """A process that compiles the kernel for config and ends, at the latest with this process.

    Where it comes to nothing, the kernel is compiled before training as if it had not been.
    """

    def __init__(self, config: TrainConfig, **kinds: bool) -> None:
        """Start it. Raises OSError where the system gives no process."""
        self.expected = expected_seconds(smallest(config, **kinds)[0])
        self.started = time.perf_counter()
        command, pipe = [sys.executable, "-P", "-c", CHILD], subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.stop = weakref.finalize(self, _stop, self.process)
        with contextlib.suppress(OSError):  # it ended already
            told: IO[bytes] = self.process.stdin  # type: ignore[assignment]
            told.write(json.dumps([sys.path, asdict(config), kinds]).encode() + b"\n")
            told.flush()

    def wait(self, hooks: Sequence[Hook]) -> float:
        """Wait for its end, telling hooks how long that still takes; returns the seconds it compiled for.

        Raises Interrupted for a signal.
        """
        while self.process.poll() is None:
            tell_seconds(hooks, max(self.expected - (time.perf_counter() - self.started), 0.0))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(WAIT_SECONDS)
            if signum := interrupts.received():
                raise interrupts.Interrupted(signum)
        answer: IO[bytes] = self.process.stdout  # type: ignore[assignment]
        seconds = answer.read()
        self.stop()
        return float(seconds or 0)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that may have ended."""
    process.kill()
    with contextlib.suppress(OSError):  # of what it did not read
        process.communicate()


def compile_beside(config: TrainConfig, **kinds: bool) -> Compilation | None:
    """A process that compiles; None where that is not needed, or would not be quicker.

    One core would have to do both. A program that is no Python interpreter's cannot be started as one.
    """
    is_interpreter = "python" in Path(sys.executable or "").name and not hasattr(sys, "frozen")
    needed = smallest(config, **kinds)
    if usable_cores() < 2 or not is_interpreter or not needs_compiling(*needed, config.backend):
        return None
    with contextlib.suppress(OSError):
        return Compilation(config, **kinds)
    return None


def compile_told(config: dict[str, Any], kinds: dict[str, bool]) -> None:
    """What the process does: compile, say how long it took, and end, but at once where the other one ends."""

    def end_with_other() -> None:
        os.read(0, 1)  # nothing comes
        os._exit(1)

    threading.Thread(target=end_with_other, daemon=True).start()
    started = time.perf_counter()
    compile_kernel(TrainConfig(**config), **kinds)
    os.write(1, f"{time.perf_counter() - started:.3f}".encode())
    os._exit(0)  # without clearing up
