"""Matrix tiles against NumPy, and when they are used: asked for, permitted, told apart on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from fastw2v.kernels import jit
from fastw2v.kernels.tiles import amx
from fastw2v.kernels.tiles.amx import HAS_AMX
from fastw2v.kernels.tiles.rows import add_part
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import BFLOAT16
from fastw2v.reference.noise import rounded

needs_amx = pytest.mark.skipif(not HAS_AMX, reason="the processor has no AMX, or the system keeps it")
Matrix = NDArray[Any]
HAS_BOTH = {"amx-tile": True, "amx-bf16": True}


def random(*shape: int) -> Matrix:
    """Small float32 numbers, the same in every run."""
    return (np.random.default_rng(sum(shape)).random(shape) - 0.5).astype(np.float32)


def close(actual: Matrix, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-6)


def pairs_along(matrix: Matrix) -> Matrix:
    """Neighbours in a row rounded and packed by NumPy, the first in the lower half of a uint32."""
    halves = rounded(matrix, BFLOAT16).view(np.uint32) >> np.uint32(16)
    return halves[:, ::2] | (halves[:, 1::2] << np.uint32(16))


def pairs_across(matrix: Matrix) -> Matrix:
    """Neighbours in a column."""
    return np.ascontiguousarray(pairs_along(np.ascontiguousarray(matrix.T)).T)


@cache
def product_of(n_rows: int, n_columns: int) -> Any:
    """multiply_tiles of a shape, which it must know when it is compiled."""

    def multiply(target: Any, place: Any, left: Any, right: Any, depth: Any) -> None:
        amx.configure_tiles()
        amx.multiply_tiles(target, place, left, right, (n_rows, n_columns), depth)
        amx.release_tiles()

    return njit(multiply)


@cache
def packer(name: str) -> Any:
    pack = getattr(amx, name)
    return njit(lambda target, across, rows, n: pack(target, across, rows, n))


# --- products ----------------------------------------------------------------------------------------------


@needs_amx
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("depth", [0, 1, 16, 17, 160])
def test_multiply_tiles__is_the_product_of_its_corner(shape: tuple[int, int], depth: int) -> None:
    """Rows 3… and columns 16… of the operands, to rows 2… and columns 16… of the target, nothing beside."""
    height, width, whole = 16 * shape[0], 16 * shape[1], -(-depth // 16) * 16
    left, right = random(height + 5, 2 * whole + 32), random(2 * whole + 32, width + 32)
    target = np.full((height + 5, width + 32), np.float32(7))
    operands = np.ascontiguousarray(pairs_along(left)), pairs_across(right)
    product_of(*shape)(target, (2, 16, 3, 16), *operands, depth)
    x, y = rounded(left, BFLOAT16).astype(np.float64), rounded(right, BFLOAT16)
    expected = np.full_like(target, 7)
    corner = x[3 : 3 + height, : 2 * whole] @ y[: 2 * whole, 16 : 16 + width]
    expected[2 : 2 + height, 16 : 16 + width] = corner
    close(target, expected)


@needs_amx
@pytest.mark.parametrize("lines", [1, 2, 3, 19, 20])
def test_pack__both_sides_multiply_to_the_product_of_rows(lines: int) -> None:
    """Along and columns share an order of their own; across is that of NumPy, and nothing else is written."""
    width, depth = lines * FLOATS_PER_LINE, -(-lines // 2) * FLOATS_PER_LINE
    centers, noise = random(18, width), random(32, width + 16)[:, :width].copy()
    along, columns = np.zeros((18, depth), np.uint32), np.zeros((depth, 32), np.uint32)
    center_pairs, noise_pairs = np.zeros((9, width), np.uint32), np.zeros((16, width), np.uint32)
    for q in range(1, 9):
        packer("pack_both")(along, center_pairs, centers, q)
    packer("pack_columns")(columns, noise_pairs, noise, 16)
    np.testing.assert_array_equal(center_pairs[1:], pairs_across(centers[2:]))
    np.testing.assert_array_equal(noise_pairs[8:], pairs_across(noise[16:]))
    assert not along[:2].any()
    assert not center_pairs[0].any()
    assert not columns[:, :16].any()
    assert not noise_pairs[:8].any()
    scores = np.zeros((16, 16), np.float32)
    product_of(1, 1)(scores, (0, 0, 2, 16), along, columns, depth)
    x, y = (rounded(matrix, BFLOAT16).astype(np.float64) for matrix in (centers[2:], noise[16:]))
    close(scores, x @ y.T)


def test_add_part__adds_multiples_of_parts_of_rows() -> None:
    def add(target: Any, first: Any, second: Any, factor: Any) -> None:
        add_part(target, (2, 16), ((factor, first, 1, 0), (-factor, second, 0, 32)))

    target, first, second = random(3, 48), random(2, 16), random(1, 48)
    expected = target.astype(np.float64)
    expected[2, 16:32] += np.float32(0.3) * (first[1].astype(np.float64) - second[0, 32:])
    njit(add)(target, first, second, np.float32(0.3))
    close(target, expected)


# --- use ---------------------------------------------------------------------------------------------------


def test_configuration__is_eight_tiles_of_sixteen_whole_lines() -> None:
    assert len(amx.CONFIGURATION) == 64
    assert amx.CONFIGURATION[0] == 1
    widths = np.frombuffer(amx.CONFIGURATION, np.uint16, 16, offset=16)
    heights = np.frombuffer(amx.CONFIGURATION, np.uint8, 16, offset=48)
    assert widths.tolist() == [64] * 8 + [0] * 8
    assert heights.tolist() == [16] * 8 + [0] * 8


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "x86_64"), ("win32", "x86_64"), ("linux", "aarch64")]
)
def test_is_permitted__asks_linux_alone(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    """The number of the call means something else elsewhere."""
    monkeypatch.setattr(amx.sys, "platform", system)
    monkeypatch.setattr(amx.platform, "machine", lambda: machine)
    monkeypatch.setattr(amx.ctypes, "CDLL", pytest.fail)
    assert not amx.is_permitted()


def test_may_use_tiles__asks_for_a_processor_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool] = []
    monkeypatch.setattr(amx, "is_permitted", lambda: answers.pop())
    for missing in HAS_BOTH:
        assert not amx.may_use_tiles(HAS_BOTH | {missing: False})
    for answer in (True, False):
        answers.append(answer)
        assert amx.may_use_tiles(HAS_BOTH) is answer


def test_has_amx__where_the_processor_says_so_and_it_may() -> None:
    flags = Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
    if not {"amx_tile", "amx_bf16", "avx512_bf16"} <= set(flags):
        assert not HAS_AMX
    elif "NUMBA_CPU_FEATURES" not in os.environ and "NUMBA_CPU_NAME" not in os.environ:
        assert amx.is_permitted() == HAS_AMX


def test_build__is_another_without_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may not use them must not find the code of one that may."""
    before = jit.build()
    monkeypatch.setattr(jit, "HAS_AMX", not HAS_AMX)
    assert jit.build() != before


@needs_amx
@pytest.mark.slow
def test_without_tiles__bfloat16_agrees_with_the_reference_too() -> None:
    """The tests of bfloat16 once more, for a processor that has AVX512-BF16 alone."""
    test = "tests/test_block.py::test_train_units__bfloat16_agrees_with_the_reference_for_a_block"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", test]
    environment = os.environ | {"NUMBA_CPU_FEATURES": "-amx-tile"}
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout
