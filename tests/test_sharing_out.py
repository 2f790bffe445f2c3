"""Which worker gets which tests: `tests.sharing_out`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sharing_out import scope_of
from tests.test_properties import ROWS

ROOT = Path(__file__).parents[1]
SUITE = """
import os
from itertools import product
from pathlib import Path

import pytest

PLANS = ("SkipGram Words Pair", "Cbow Words Pair", "Cbow Subwords Pair", "GivenPairs Words Pair")
NAMES = product(("one block", "window 1, 300 numbers"), PLANS, ("numba", "reference"))
CASES = [pytest.param(plan, id=f"{plan} ({backend}) {case}") for case, plan, backend in NAMES]


@pytest.mark.parametrize("plan", CASES)
def test_plan(plan):
    with Path(__file__).with_name("workers.txt").open("a") as file:
        file.write(f"{plan}: {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""


def test_scope_of__is_the_plan_whatever_the_backend_and_the_case() -> None:
    scopes = {row.parts: scope_of(f"tests/test_x.py::test_y[{row.name()} one block]") for row in ROWS}
    assert len(set(scopes.values())) == len(scopes)
    for row in ROWS:
        assert scope_of(f"tests/test_z.py::test_z[{row.name()}-outside]") == scopes[row.parts]


@pytest.mark.parametrize(
    "test",
    ["tests/test_a.py::test_b", "tests/test_a.py::test_b[True (no)]", "tests/test_a.py::test_b[Line two]"],
)
def test_scope_of__is_the_file_where_the_name_has_no_plan(test: str) -> None:
    assert scope_of(test) == "tests/test_a.py"


@pytest.mark.slow
def test_workers__share_no_plan(tmp_path: Path) -> None:
    """By a run of two: each plan's four tests, however they lie among the others, are one worker's."""
    (tmp_path / "test_plans.py").write_text(SUITE, encoding="utf-8")
    hooks = "from tests.sharing_out import pytest_xdist_make_scheduler\n"
    (tmp_path / "conftest.py").write_text(hooks, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--rootdir", "."]
    ran = subprocess.run(
        [*command, "test_plans.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "16 passed" in ran.stdout, ran.stdout + ran.stderr
    lines = (tmp_path / "workers.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 16
    assert len(set(lines)) == 4
    assert {line.split(": ")[1] for line in lines} == {"gw0", "gw1"}
