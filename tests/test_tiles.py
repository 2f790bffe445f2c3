"""Tiles and row operations against NumPy: the shapes that kernels use, odd sizes, both precisions."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from llvmlite import binding, ir
from numba import njit
from numpy.typing import NDArray

from fastw2v.kernels.tiles import registers, several
from fastw2v.kernels.tiles import rows as row_operations
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16, pack_across, pack_along, products_in
from fastw2v.kernels.tiles.products import (
    SCORE_REST,
    SCORE_ROWS,
    SCORE_VECTORS,
    UPDATE_REST,
    UPDATE_ROWS,
    UPDATE_VECTORS,
    in_tiles,
    outer_products,
    product_tile,
    tiles,
    transpose_tile,
    update_tile,
    zero_tile,
)
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.model.plan import BFLOAT16
from fastw2v.reference.noise import rounded
from tests.assembly import ARM, FMA, STACK, X86, assembly_for, hot_loop
from tests.tiled import LINES, PLACE, PROCESSORS, close, jitted, random

Matrix = NDArray[Any]
SHAPES = sorted({*product((SCORE_ROWS, SCORE_REST), (SCORE_VECTORS, 1)), (1, 1), (3, 2)})
UPDATES = sorted(product({UPDATE_ROWS, UPDATE_REST}, {UPDATE_VECTORS, min(UPDATE_VECTORS, 2), 1}))
needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="the processor has no AVX512-BF16")
precisions = pytest.mark.parametrize("packed", [False, pytest.param(True, marks=needs_bfloat16)])


def packed_along(matrix: Matrix) -> Matrix:
    """Neighbours in a row as two bfloat16 of a uint32, by the tile's own packing; padded to whole lines."""

    def pack(target: Any, matrix: Any) -> None:
        for i in range(len(matrix)):
            pack_along(target, matrix, i)

    width = -(-matrix.shape[1] // 2 // FLOATS_PER_LINE) * FLOATS_PER_LINE
    target = np.zeros((len(matrix), width), np.uint32)
    jitted(pack)(target, matrix)
    return target


def packed_across(matrix: Matrix) -> Matrix:
    """Neighbours in a column."""

    def pack(target: Any, matrix: Any) -> None:
        for q in range(len(target)):
            pack_across(target, matrix, q)

    target = np.zeros((len(matrix) // 2, matrix.shape[1]), np.uint32)
    jitted(pack)(target, matrix)
    return target


@cache
def product_of(shape: tuple[int, int]) -> Any:
    """product_tile of a shape, which it must know when it is compiled."""
    n_rows, n_vectors = shape

    def multiply(target: Any, i: Any, j: Any, left: Any, right: Any, depth: Any) -> None:
        product_tile(target, (i, j), left, right, (n_rows, n_vectors), depth)

    return njit(multiply)


@cache
def update_of(shape: tuple[int, int], transposed: int) -> Any:
    """update_tile of a shape."""
    n_rows, n_vectors = shape

    def update(matrix: Any, words: Any, steps: Any, i: Any, d: Any, terms: Any) -> None:
        update_tile(matrix, words, steps, (i, d), terms, transposed, (n_rows, n_vectors))

    return njit(update)


# --- products ----------------------------------------------------------------------------------------------


@precisions
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("depth", [0, 1, 16, 37, 320])
def test_product_tile__is_the_product_of_its_corner(shape: Any, depth: int, packed: bool) -> None:
    """Rows 2… of the left, columns 16… of the right, and nothing beside the tile."""
    n_rows, width = shape[0], shape[1] * FLOATS_PER_LINE
    depth -= depth % 2 if packed else 0
    left, right = random(n_rows + 5, 336), random(depth, width + 32)
    target = np.full((n_rows + 5, width + 32), np.float32(7))
    operands = (packed_along(left), packed_across(right)) if packed else (left, right)
    product_of(shape)(target, 2, FLOATS_PER_LINE, *operands, depth // 2 if packed else depth)
    x, y = (rounded(m, BFLOAT16) if packed else m for m in (left[2 : 2 + n_rows, :depth], right))
    expected = np.full_like(target, 7)
    expected[2 : 2 + n_rows, 16 : 16 + width] = x.astype(np.float64) @ y[:, 16 : 16 + width]
    close(target, expected)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("shape", UPDATES, ids=str)
@pytest.mark.parametrize("bounds", [((0, 9),), ((3, 3),), ((0, 5), (4, 11))], ids=str)
def test_update_tile__steps_rows_by_sums_of_terms(shape: Any, transposed: int, bounds: Any) -> None:
    """One or two sums of any length, none too; a word that occurs twice is stepped twice, −1 is left out."""
    n_rows, width = shape[0], shape[1] * FLOATS_PER_LINE
    matrix = random(6, width + 32)
    words = np.array([9, 4, 2, 4, -1, 0, 5, 1, 3], np.int64)[: n_rows + 1]
    steps = random(len(words))
    terms = tuple(
        (random(20, 20), random(20, width + 32) * (n + 1), first, last)
        for n, (first, last) in enumerate(bounds)
    )
    expected = matrix.astype(np.float64)
    for r in range(1, n_rows + 1):
        total = 0
        for factors, rows, first, last in terms:
            weights = factors[first:last, r] if transposed else factors[r, first:last]
            total = total + weights @ rows[first:last, 16 : 16 + width]
        if words[r] >= 0:
            expected[words[r], 16 : 16 + width] -= steps[r] * total
    update_of(shape, transposed)(matrix, words, steps, 1, FLOATS_PER_LINE, terms)
    close(matrix, expected)


def test_features__are_those_that_numba_compiles_for() -> None:
    here = dict(binding.get_host_cpu_features())
    assert registers.features(None, None) == registers.features("znver5", None) == here
    assert registers.features(None, "-avx512f,+sse2") == here | {"avx512f": False, "sse2": True}
    assert registers.features(binding.get_host_cpu_name(), "-fma") == here | {"fma": False}
    assert registers.features("i486", "+avx2") == {"avx2": True}
    assert registers.features("generic", "") == {}


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("n", [*range(1, 34), 64])
def test_in_tiles__every_row_is_in_one_and_none_beyond_a_line(wide: bool, n: int) -> None:
    for tile in tiles(wide):
        high, every = in_tiles.py_func(n, tile.rows, tile.rest)
        assert high % tile.rows == (every - high) % tile.rest == 0
        assert n <= every <= -(-n // FLOATS_PER_LINE) * FLOATS_PER_LINE
        assert every - high < tile.rows * tile.rest
        assert tile.rows == tile.rest or not wide  # `HAS_REST`


def matrix_at(builder: Any, data: Any, stride: Any) -> registers.Matrix:
    """What the tiles take of an array, without Numba."""
    matrix = registers.Matrix.__new__(registers.Matrix)
    matrix.builder, matrix.data, matrix.halves, matrix.stride = builder, data, False, stride
    return matrix


def tile_for(triple: str, cpu: str, shape: tuple[int, int], across: bool) -> str:
    """The inner loop of a tile for a processor; its factors lie along a row or across rows."""

    def build(builder: Any, function: Any) -> None:
        for argument in function.args[:3]:
            argument.add_attribute("noalias")
        target, by, source = (matrix_at(builder, *function.args[n::3]) for n in range(3))

        def factor_at(r: int, q: Any) -> Any:
            row, column = (q, registers.whole(r)) if across else (registers.whole(r), q)
            return by.splat(by.index(row, column))

        body = outer_products(builder, source, registers.whole(0), factor_at, shape)
        sums = registers.counted_loop(builder, target.stride, zero_tile(*shape), body)
        for n, total in enumerate(sums):
            target.store(total, registers.whole(0), n)
        builder.ret_void()

    takes = [PLACE] * 3 + [registers.I64] * 3
    return hot_loop(assembly_for(triple, cpu, takes, ir.VoidType(), build))


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize(("triple", "cpu", "floats", "wide"), PROCESSORS)
def test_tiles__fill_the_registers_and_stay_there(
    triple: str, cpu: str, floats: int, wide: bool, across: bool
) -> None:
    """As many multiply-adds a round as the tile has sums, enough to hide their latency, none on the stack."""
    for tile in tiles(wide):
        for rows in (tile.rows, tile.rest):
            loop = tile_for(triple, cpu, (rows, tile.vectors), across)
            n_sums = rows * tile.vectors * FLOATS_PER_LINE // floats
            assert len(FMA.findall(loop)) % n_sums == 0 != len(FMA.findall(loop))
            assert n_sums >= 8
            assert not STACK.findall(loop)


def test_tiles__are_as_high_as_the_registers_allow() -> None:
    """One row more is spilled with 16 registers of 256 bits, and with 32 of 128."""
    high = tiles(False)[0].rows + 1
    assert STACK.findall(tile_for(X86, "znver3", (high, 1), False))
    assert STACK.findall(tile_for(ARM, "neoverse-n1", (high, 1), False))


@needs_bfloat16
@pytest.mark.parametrize("transposed", [0, 1])
def test_update_tile__multiplies_packed_factors(transposed: int) -> None:
    """What the centres' and the noise's steps are made of: errors by rows, both rounded, sums in float32."""
    shape, depth = UPDATES[-1], 32
    n_rows, width = shape[0], shape[1] * FLOATS_PER_LINE
    factors, rows = random(32, 32), random(depth, width)
    matrix, words, steps = np.zeros((n_rows, width), np.float32), np.arange(n_rows), random(n_rows)
    packed = packed_across(factors) if transposed else packed_along(factors)
    terms = ((packed, packed_across(rows), 0, depth // 2),)
    update_of(shape, transposed)(matrix, words, steps, 0, 0, terms)
    x, y = rounded(factors, BFLOAT16).astype(np.float64), rounded(rows, BFLOAT16)
    close(matrix, -steps[:, None] * ((x.T if transposed else x)[:n_rows] @ y))


@pytest.mark.parametrize("lines", LINES)
def test_transpose_tile__exchanges_rows_and_columns(lines: int) -> None:
    def transpose(target: Any, matrix: Any) -> None:
        for s in range(0, matrix.shape[0], FLOATS_PER_LINE):
            for d in range(0, matrix.shape[1], FLOATS_PER_LINE):
                transpose_tile(target, d, matrix, s)

    matrix = random(32, lines * FLOATS_PER_LINE)
    target = np.zeros(matrix.shape[::-1], np.float32)
    jitted(transpose)(target, matrix)
    np.testing.assert_array_equal(target, matrix.T)


# --- packing -----------------------------------------------------------------------------------------------


def unpacked(packed: Matrix) -> Matrix:
    """The lower halves and the upper halves of uint32 as float32, on a last axis of two."""
    halves = np.stack([packed << np.uint32(16), packed & np.uint32(0xFFFF0000)], axis=-1)
    return halves.view(np.float32)


@needs_bfloat16
@pytest.mark.parametrize("lines", LINES)
def test_pack_along__rounds_neighbours_in_a_row(lines: int) -> None:
    matrix = random(5, lines * FLOATS_PER_LINE)
    actual = unpacked(packed_along(matrix)).reshape(5, -1)
    np.testing.assert_array_equal(actual[:, : matrix.shape[1]], rounded(matrix, BFLOAT16))
    assert not actual[:, matrix.shape[1] :].any()


@needs_bfloat16
@pytest.mark.parametrize("lines", LINES)
def test_pack_across__rounds_neighbours_in_a_column(lines: int) -> None:
    matrix = random(6, lines * FLOATS_PER_LINE)
    actual = unpacked(packed_across(matrix))
    np.testing.assert_array_equal(actual.transpose(0, 2, 1).reshape(6, -1), rounded(matrix, BFLOAT16))


def test_pack__does_nothing_for_float32_and_products_are_counted() -> None:
    def pack(target: Any, matrix: Any) -> Any:
        pack_along(target, matrix, 0)
        pack_across(target, matrix, 0)
        return products_in(target)

    target = random(2, 16)
    before = target.copy()
    assert jitted(pack)(target, random(4, 16)) == 1
    np.testing.assert_array_equal(target, before)
    assert njit(lambda matrix: products_in(matrix))(np.zeros((1, 16), np.uint32)) == 2


# --- rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", LINES)
def test_row_dot__and_row_dots(lines: int) -> None:
    def dots(a: Any, b: Any) -> Any:
        one = row_operations.row_dot(a, 1, b, 2)
        return one, row_operations.row_dots(a, 1, b, (4, 0)), row_operations.row_dots(a, 1, b, (0, 3, 3, 1))

    a, b = random(3, lines * FLOATS_PER_LINE), random(5, lines * FLOATS_PER_LINE)
    one, two, four = jitted(dots)(a, b)
    expected = b.astype(np.float64) @ a[1]
    close(np.array([one, *two, *four]), expected[[2, 4, 0, 0, 3, 3, 1]])


@pytest.mark.parametrize("lines", LINES)
def test_copy_row__copies_and_tells_the_squared_length(lines: int) -> None:
    def copy(target: Any, rows: Any) -> Any:
        return row_operations.copy_row(target, 1, rows, 3)

    target, rows = random(3, lines * FLOATS_PER_LINE), random(4, lines * FLOATS_PER_LINE)
    expected = target.copy()
    expected[1] = rows[3]
    close(jitted(copy)(target, rows), (rows[3].astype(np.float64) ** 2).sum())
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("lines", LINES)
def test_add_row__adds_a_multiple(lines: int) -> None:
    def add(target: Any, factor: Any, rows: Any) -> None:
        row_operations.add_row(target, 2, factor, rows, 0)

    target, rows = random(3, lines * FLOATS_PER_LINE), random(4, lines * FLOATS_PER_LINE)
    expected = target.astype(np.float64)
    expected[2] += np.float32(0.3) * rows[0]
    jitted(add)(target, np.float32(0.3), rows)
    close(target, expected)


@pytest.mark.parametrize("lines", LINES)
def test_push_row__sums_what_was_there_before_the_push(lines: int) -> None:
    def push(target: Any, factor: Any, rows: Any, sums: Any) -> None:
        row_operations.push_row(target, 1, factor, rows, 2, sums, 0)

    width = lines * FLOATS_PER_LINE
    target, rows, sums = random(2, width), random(3, width), random(4, width)
    moved, total = target.astype(np.float64), sums.astype(np.float64)
    total[0] += np.float32(-0.7) * target[1]
    moved[1] += np.float32(-0.7) * rows[2]
    jitted(push)(target, np.float32(-0.7), rows, sums)
    close(target, moved)
    close(sums, total)


def score_and_pull(*arrays: Any) -> None:
    scores, target, pulls, matrix, places, steps, source = arrays
    n = len(places) - 1
    several.score_several(scores, source, 0, matrix, places, n)
    several.pull_several(target, 1, pulls, matrix, places, steps, source, n)


@pytest.mark.parametrize("n", range(8))
def test_several__are_one_row_after_the_other(n: int) -> None:
    """Of any number of rows, some of them twice; the one beyond is neither read nor written."""
    places = np.array([5, 0, 3, 0, 2, 7, 2, 8])[: n + 1]
    target, matrix, source = (random(rows, 3 * FLOATS_PER_LINE) for rows in (2, 9, 1))
    pulls, steps = random(2, 8)
    scores = np.full(n + 1, 9, np.float32)
    expected, moved, x = matrix.astype(np.float64), target.astype(np.float64), source[0].astype(np.float64)
    dots = np.append(expected[places[:n]] @ x, 9)
    for p in range(n):
        moved[1] += pulls[p] * expected[places[p]]
        expected[places[p]] += steps[p] * x
    jitted(score_and_pull)(scores, target, pulls, matrix, places, steps, source)
    close(scores, dots)
    close(target, moved)
    close(matrix, expected)
