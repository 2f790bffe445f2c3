"""Tiles of the dense products: scores of rows, and steps of rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj

from fastw2v.kernels.jit import inlined_jit
from fastw2v.kernels.tiles.bfloat16 import multiply_add_pairs
from fastw2v.kernels.tiles.registers import (
    VECTOR,
    WIDE,
    Matrix,
    counted_loop,
    literals,
    multiply_add,
    numbers,
    splat,
    transposed,
    whole,
)
from fastw2v.model.arrays import FLOATS_PER_LINE


class Tile(NamedTuple):
    """The shape of the sums that a product keeps in registers: rows × vectors of 16 floats.

    rest   rows of the tiles for what is left; it divides the whole lines of rows that a scratch has
    """

    rows: int
    vectors: int
    rest: int


def tiles(wide: bool) -> tuple[Tile, Tile]:
    """Tiles of scores and of updates by the registers there are; none of them spills.

    A round of the inner loop loads V vectors and R factors for R·V multiply-adds. 8 sums hide the latency of
    4 cycles on two units; beyond that it is loads, two a cycle, that limit. The vectors are of rows that the
    first level of cache does not hold (32 × 304 floats are 39 KB), the factors are at hand: high tiles are
    better than broad ones.

    - 32 registers of 512 bits (AVX-512), a vector is one: 8 × 2 and 4 × 4 keep 16 sums, with 2 + 8 and 4 + 4
      loads for 16 multiply-adds. On Zen 4, 32 × 32 × 304 in cache, 98 and 92 % of the peak; 12 × 2, 16 × 1,
      6 × 4 and 8 × 3 have 98, 98, 90 and 90.
    - 16 of 256 bits (AVX2), a vector is two: 6 × 1 keeps 12 sums beside 2 vectors and a factor, 15 in all,
      with 2 + 6 loads for 12. 7 × 1 spills. On Zen 4, compiled for Zen 3, 92 and 89 % of the peak, 5 × 1 88
      and 86, 4 × 1 90 and 85, 2 × 2 87 and 79; on Zen 3 itself 86 and 82, 4 × 1 78 and 82, 2 × 2 65 and 67.
    - 32 of 128 bits (NEON), a vector is four: 6 × 1 keeps 24 sums beside 4 vectors, 4 to 6 loads for 24;
      7 × 1 spills.
    """
    if wide:
        return Tile(8, 2, 8), Tile(8, 2, 8)
    return Tile(6, 1, 4), Tile(6, 1, 4)


# Numba takes whole numbers of a module for constants, and parts of a tuple for variables.
(SCORE_ROWS, SCORE_VECTORS, SCORE_REST), (UPDATE_ROWS, UPDATE_VECTORS, UPDATE_REST) = tiles(WIDE)
HAS_REST = not WIDE  # whether anything is left, else nothing is compiled for it


@inlined_jit
def in_tiles(n, rows, rest):
    """How many of n rows tiles of `rows` take, and how many all tiles: n or some more, up to a whole line."""
    every = -(-n // rest) * rest
    high = every
    while high % rows:
        high -= rest
    return high, every


def outer_products(builder: Any, source: Matrix, first: Any, factor_at: Any, shape: tuple[int, int]) -> Any:
    """The body of a loop over q: sums[r, v] += factor(r, q)·source[first + q·stride + 16·v]."""
    n_rows, n_vectors = shape
    combine = multiply_add_pairs if source.halves else multiply_add

    def body(q: Any, sums: list[Any]) -> list[Any]:
        place = builder.add(first, builder.mul(q, source.stride))
        vectors = [source.load(place, v) for v in range(n_vectors)]
        results = []
        for r in range(n_rows):
            factor = factor_at(r, q)
            for v in range(n_vectors):
                results.append(combine(builder, factor, vectors[v], sums[r * n_vectors + v]))
        return results

    return body


def zero_tile(n_rows: int, n_vectors: int) -> list[Any]:
    return [ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)] * (n_rows * n_vectors)


@intrinsic(prefer_literal=True)
def product_tile(
    typingctx: Any, target: Any, place: Any, left: Any, right: Any, shape: Any, depth: Any
) -> Any:
    """target[i + r, j : j + 16·V] = Σ_q left[i + r, q]·right[q, j : j + 16·V] for r < R, q < depth.

    place is (i, j), int64; shape is (R, V), compile-time constants.
    """
    sizes = literals(*shape.types)
    if sizes is None:
        return None
    n_rows, n_vectors = sizes

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        by = Matrix(context, builder, signature.args[2], args[2])
        source = Matrix(context, builder, signature.args[3], args[3])
        i, j = numbers(context, builder, signature.args[1], args[1])
        starts = [by.index(builder.add(i, whole(r)), whole(0)) for r in range(n_rows)]
        body = outer_products(
            builder, source, j, lambda r, q: by.splat(builder.add(starts[r], q)), (n_rows, n_vectors)
        )
        count = context.cast(builder, args[5], signature.args[5], types.int64)
        sums = counted_loop(builder, count, zero_tile(n_rows, n_vectors), body)
        for r in range(n_rows):
            for v in range(n_vectors):
                into.store(sums[r * n_vectors + v], into.index(builder.add(i, whole(r)), j), v)
        return context.get_dummy_value()

    return types.void(target, place, left, right, shape, depth), codegen


@intrinsic(prefer_literal=True)
def update_tile(
    typingctx: Any, matrix: Any, words: Any, steps: Any, place: Any, terms: Any, transposed: Any, shape: Any
) -> Any:
    """matrix[words[i + r], d : d + 16·V] −= steps[i + r]·Σ factor(i + r, q)·rows[q, d : d + 16·V], r < R.

    place is (i, d), int64. The sum runs over terms (factors, rows, start, stop) and, in each, over
    start ≤ q < stop. factor(i, q) is factors[i, q], or factors[q, i] where transposed. shape (R, V) and
    transposed are compile-time constants. Rows are changed one after the other, so a word may occur twice;
    words below 0 are left out.
    """
    sizes = literals(transposed, *shape.types)
    if sizes is None:
        return None
    across, n_rows, n_vectors = sizes

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        words_data, steps_data = (
            arrayobj.make_array(signature.args[n])(context, builder, args[n]).data for n in (1, 2)
        )
        i, column = numbers(context, builder, signature.args[3], args[3])
        rows_at = [builder.add(i, whole(r)) for r in range(n_rows)]
        sums = zero_tile(n_rows, n_vectors)
        for number, kind in enumerate(signature.args[4].types):
            term = builder.extract_value(args[4], number)
            factors, rows, start, stop = (builder.extract_value(term, part) for part in range(4))
            start, stop = (
                context.cast(builder, end, kind.types[part], types.int64)
                for part, end in ((2, start), (3, stop))
            )
            by = Matrix(context, builder, kind.types[0], factors)
            source = Matrix(context, builder, kind.types[1], rows)
            starts = [by.index(start, row) if across else by.index(row, start) for row in rows_at]
            step = by.stride if across else whole(1)

            def factor_at(r: int, q: Any, by: Matrix = by, starts: Any = starts, step: Any = step) -> Any:
                return by.splat(builder.add(starts[r], builder.mul(q, step)))

            first = source.index(start, column)
            body = outer_products(builder, source, first, factor_at, (n_rows, n_vectors))
            sums = counted_loop(builder, builder.sub(stop, start), sums, body)

        for r in range(n_rows):
            word = builder.load(builder.gep(words_data, [rows_at[r]]))
            with builder.if_then(builder.icmp_signed(">=", word, whole(0))):
                step = builder.load(builder.gep(steps_data, [rows_at[r]]))
                factor = splat(builder, builder.fneg(step))
                target = into.index(word, column)
                for v in range(n_vectors):
                    moved = multiply_add(builder, factor, sums[r * n_vectors + v], into.load(target, v))
                    into.store(moved, target, v)
        return context.get_dummy_value()

    return types.void(matrix, words, steps, place, terms, transposed, shape), codegen


@intrinsic
def transpose_tile(typingctx: Any, target: Any, d: Any, rows: Any, s: Any) -> Any:
    """target[d + e, s + r] = rows[s + r, d + e] for r, e < 16."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[2], args[2])
        n = FLOATS_PER_LINE
        lanes = [source.load(source.index(builder.add(args[3], whole(r)), args[1])) for r in range(n)]
        for e, lane in enumerate(transposed(builder, lanes)):
            into.store(lane, into.index(builder.add(args[1], whole(e)), args[3]))
        return context.get_dummy_value()

    return types.void(target, types.int64, rows, types.int64), codegen
