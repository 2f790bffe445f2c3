"""Functions that only become part of others: inlined, and neither kept nor machine code by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba.core import event

from fastw2v.kernels import jit
from fastw2v.kernels.code_cache import CodeCache


class Added(NamedTuple):
    n: int


class Multiplied(NamedTuple):
    n: int


class Lowerings(event.Listener):  # type: ignore[misc]
    """Names of functions by the pass that lowered them."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {"native_lowering": [], "inlined_lowering": []}

    def on_start(self, event: Any) -> None:
        kind = event.data["name"].split()[0]
        if kind in self.names:
            self.names[kind].append(event.data["qualname"].split(".")[-1])

    def on_end(self, event: Any) -> None:
        pass


@pytest.fixture
def lowered() -> Iterator[dict[str, list[str]]]:
    listener = Lowerings()
    with event.install_listener("numba:run_pass", listener):
        yield listener.names


def outer(folder: Path) -> Any:
    """Sums what two levels of inlined functions, and one that is not, make of an array's elements."""

    @jit.inner_jit
    def squared(x: Any) -> Any:
        return x * x

    @jit.inlined_jit
    def shifted(x: Any) -> Any:
        return squared(x) + 1

    def sum_up(kind: Any, values: Any) -> Any:
        total = 0
        for i in range(len(values)):
            total += shifted(values[i]) if values[i] > 1 else kind.n
        return total

    def multiply_up(kind: Any, values: Any) -> Any:
        return kind.n * len(values)

    chosen = jit.by_type({Added: sum_up, Multiplied: multiply_up})

    def result(kind: Any, values: Any) -> Any:
        return chosen(kind, values)

    squared._cache = CodeCache(squared.py_func, str(folder), [])
    dispatcher: Any = jit.jit(result)
    dispatcher._cache = CodeCache(result, str(folder), [])
    return dispatcher


def test_inlined__is_part_of_its_callers_alone(tmp_path: Path, lowered: dict[str, list[str]]) -> None:
    dispatcher, values = outer(tmp_path), np.arange(4)
    assert dispatcher(Added(7), values) == 7 + 7 + 5 + 10
    assert dispatcher(Multiplied(7), values) == 28
    assert set(lowered["inlined_lowering"]) == {"sum_up", "shifted", "multiply_up"}
    assert {"result", "squared"} <= set(lowered["native_lowering"])
    code = dispatcher.overloads[dispatcher.signatures[0]].library._final_module
    defined = [function.name for function in code.functions if not function.is_declaration]
    assert not [name for name in defined if "sum_up" in name or "shifted" in name]


def test_inlined__is_not_kept_and_its_callers_are(tmp_path: Path) -> None:
    outer(tmp_path)(Added(7), np.arange(4))
    names = {file.name.split("-")[0].split(".")[-1] for file in tmp_path.rglob("*.nbi")}
    assert names == {"result", "squared"}
    before = CodeCache.compiled
    assert outer(tmp_path)(Added(7), np.arange(4)) == 29
    assert CodeCache.compiled == before
