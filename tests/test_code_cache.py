"""Machine code on disk: damaged, unreadable or kept by others, it is never a reason to fail."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba import njit, typeof
from numba.core import event

from fastw2v.kernels import jit
from fastw2v.kernels.code_cache import CodeCache


def double(x: int) -> int:
    return 2 * x


def compiled(folder: Path | None, *readable: Path) -> tuple[int, int]:
    """What a new dispatcher computes, and how many functions were compiled for it."""
    before = CodeCache.compiled
    dispatcher: Any = njit(double)
    dispatcher._cache = CodeCache(double, folder and str(folder), [str(name) for name in readable])
    return dispatcher(21), CodeCache.compiled - before


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-40]),
    "flipped": lambda file: file.write_bytes(flip(file.read_bytes())),
    "garbage": lambda file: file.write_bytes(b"\x80garbage" * 99),
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_code_cache__compiles_damaged_code_anew_once(tmp_path: Path, damage: str, suffix: str) -> None:
    assert compiled(tmp_path) == (42, 1)
    assert compiled(tmp_path) == (42, 0)
    (file,) = tmp_path.rglob(f"*.{suffix}")
    DAMAGE[damage](file)
    assert compiled(tmp_path) == (42, 1)
    assert compiled(tmp_path) == (42, 0)


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_code_cache__works_beside_a_folder_in_the_way(tmp_path: Path, suffix: str) -> None:
    compiled(tmp_path)
    (file,) = tmp_path.rglob(f"*.{suffix}")
    file.unlink()
    file.mkdir()
    assert compiled(tmp_path) == (42, 1)


def test_code_cache__uses_what_it_may_only_read(tmp_path: Path) -> None:
    compiled(tmp_path / "kept")
    for file in (tmp_path / "kept").rglob("*"):
        file.chmod(0o555)
    assert compiled(None, tmp_path / "absent", tmp_path / "kept") == (42, 0)
    assert compiled(tmp_path / "own", tmp_path / "kept") == (42, 0)
    assert compiled(None, tmp_path / "absent") == (42, 1)


def test_code_cache__does_not_take_code_of_another_signature(tmp_path: Path) -> None:
    """Two processes that compile at once may give two signatures one file."""
    compiled(tmp_path)
    (file,) = tmp_path.rglob("*.nbc")
    cache = CodeCache(double, str(tmp_path), [])
    index = cache._cache_file._load_index()
    cache._cache_file._save_index({"another": file.name, **index})
    assert cache._cache_file.load("another") is None


def test_code_cache__knows_what_it_holds_without_loading_it(tmp_path: Path) -> None:
    cache = CodeCache(double, str(tmp_path), [])
    signature = (typeof(21),)
    assert not cache.holds(signature)
    compiled(tmp_path)
    assert CodeCache(double, None, [str(tmp_path)]).holds(signature)
    assert not cache.holds((typeof(0.5),))
    (index,) = tmp_path.rglob("*.nbi")
    index.write_bytes(flip(index.read_bytes()))
    assert not cache.holds(signature)


class Collected(event.Listener):  # type: ignore[misc]
    """Whether Python searched for cycles while passes of Numba ran."""

    def __init__(self) -> None:
        self.states: set[bool] = set()

    def on_start(self, event: Any) -> None:
        self.states.add(gc.isenabled())

    def on_end(self, event: Any) -> None:
        pass


@pytest.mark.parametrize("is_enabled", [True, False])
def test_decorator__compiles_without_the_search_for_cycles(tmp_path: Path, is_enabled: bool) -> None:
    listener, dispatcher = Collected(), jit.jit(double)
    dispatcher._cache = CodeCache(double, None, [str(tmp_path)])
    try:
        (gc.enable if is_enabled else gc.disable)()
        with event.install_listener("numba:run_pass", listener):
            assert dispatcher(21) == 42
        actual = listener.states, gc.isenabled()
    finally:
        gc.enable()
    assert actual == ({False}, is_enabled)
