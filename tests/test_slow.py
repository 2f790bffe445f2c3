"""A test that takes long and is not marked so fails; one that is marked, quick, or compiled does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow import is_traced

CONFTEST = """
from tests import slow
from tests.slow import pytest_runtest_setup, pytest_runtest_teardown
slow.LIMIT = 0.02
slow.has_compiled = lambda since: False
"""
TESTS = """
import os, subprocess, sys, time
from pathlib import Path
import pytest

def burn(seconds=0.5):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

@pytest.fixture
def prepared():
    burn()

def test_quick(): time.sleep(0.2)
def test_here(): burn()
@pytest.mark.slow
def test_marked(): burn()
def test_fixture(prepared): pass
def test_child(): subprocess.run([sys.executable, "-S", "-c", "sum(range(4 * 10**7))"])
"""


@pytest.mark.slow
def test_slow__is_held_by_processor_time(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if is_traced(request.config):
        pytest.skip("a tracer, which children have too, excuses all")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: x\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    root = Path(__file__).parent.parent
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = untraced | {"PYTHONPATH": str(root), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    arguments = ["-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith(("ERROR", "FAILED"))]
    assert [line.split("::")[-1].split()[0] for line in said] == [
        "test_here",
        "test_fixture",
        "test_child",
    ], done.stdout
    assert done.stdout.count("mark it @pytest.mark.slow") >= 3
