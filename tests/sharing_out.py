"""How pytest-xdist shares tests out: those of one plan go to one worker, and those of one file.

Shared out by pytest-xdist's own ways, two workers take the same plans at the same time, from different tests,
and both compile the same kernels, for 13 to 20 s each, and both compute the same twins.
"""

from __future__ import annotations

import re

import pytest
from xdist.scheduler import LoadScopeScheduling

# A row's name begins with the parts of its plan; the backend comes in brackets behind them: `tests.rows`.
PLAN = re.compile(r"\[(?P<plan>[A-Z]\w+(?: [A-Z]\w+)+) \(")


def scope_of(test: str) -> str:
    """The plan in the name of a test, else its file."""
    found = PLAN.search(test)
    return found["plan"] if found else test.split("::", 1)[0]


class ByPlan(LoadScopeScheduling):
    """Whole scopes at a time, in the order in which they were found, to whichever worker is free."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByPlan:
    """What pytest-xdist asks for its scheduler."""
    config.option.loadscopereorder = False
    return ByPlan(config, log)  # type: ignore[arg-type]
