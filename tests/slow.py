"""The mark `slow`, and what holds it: a test that works for much longer than LIMIT must have it.

What counts is processor time, of this process and of those that it waited for, fixtures included: seconds on
the clock depend on what else the machine does. Other machines, load (two threads of a core share it) and
ranks that wait by spinning change processor time too, up to threefold; so a test fails from FACTOR times it.
One that compiled is excused, as it is slow only once; so are all under a tracer (coverage, a debugger).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

LIMIT = 1.0  # seconds; all that take longer are marked: the others take less than a minute on two cores
FACTOR = 5.0
GRACE = 30.0  # seconds

STARTED = pytest.StashKey[tuple[float, float]]()


def processor_seconds() -> float:
    """Of this process, and of all those that ended and were waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def has_compiled(since: float) -> bool:
    """Whether machine code was written since then, in seconds since 1970.

    Or GRACE before: a process that compiled beside the test before this one may be waited for in this one,
    which its time then counts for.
    """
    from fastw2v.kernels.jit import CACHE_FOLDER

    found = Path(CACHE_FOLDER or "/none").rglob("*.nb?")
    return any(path.stat().st_mtime >= since - GRACE for path in found)


def is_traced(config: pytest.Config) -> bool:
    """Whether tests run under coverage or a debugger, which make them slow."""
    return sys.gettrace() is not None or bool(config.getoption("cov_source", None))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Note when the test begins, before its fixtures do."""
    item.stash[STARTED] = processor_seconds(), time.time()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail where the test took too long for one without the mark."""
    yield
    before, since = item.stash[STARTED]
    seconds = processor_seconds() - before
    if seconds <= FACTOR * LIMIT or item.get_closest_marker("slow") or is_traced(item.config):
        return
    if not has_compiled(since):
        pytest.fail(
            f"{seconds:.1f} s of processor time, and over {LIMIT:g} s is slow: mark it @pytest.mark.slow, "
            "or make it quick",
            pytrace=False,
        )
