"""Libraries that another one imports where they are installed, left out where it needs none of them."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any


class _Absent:
    """First of Python's finders: to one thread it says of some libraries that they are not installed."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.thread = frozenset(names), threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """None for all others, which the next finder looks for. Raises ModuleNotFoundError for these."""
        if name in self.names and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def absent(*names: str) -> Iterator[None]:
    """Within the block an import of these libraries fails in this thread, as where they are not installed.

    One that is loaded already is found. Other threads import as ever, which None in `sys.modules` would not
    let them.
    """
    finder: Any = _Absent(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
