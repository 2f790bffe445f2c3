"""One row after the other: dot products, sums and copies."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.intrinsics import declared
from fastw2v.kernels.tiles.products import zero_tile
from fastw2v.kernels.tiles.registers import (
    FAST,
    FLOAT,
    VECTOR,
    Matrix,
    counted_loop,
    multiply_add,
    numbers,
    splat,
    whole,
)
from fastw2v.model.arrays import FLOATS_PER_LINE


def reduced(builder: Any, vectors: list[Any]) -> Any:
    """The sum of all lanes of all vectors, a float32."""
    total = vectors[0]
    for vector in vectors[1:]:
        total = builder.fadd(total, vector, flags=FAST)
    name = f"llvm.vector.reduce.fadd.v{FLOATS_PER_LINE}f32"
    kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
    reduce_add = declared(builder, name, kind)
    return builder.call(reduce_add, [ir.Constant(FLOAT, 0.0), total], fastmath=FAST)


def split_loop(builder: Any, n_vectors: Any, ways: int, initial: list[Any], body: Any) -> list[Any]:
    """body(vector number, sums) for every vector of a row: `ways` at a time, then the rest one by one.

    body gets ways sums first and one sum for the rest; several sums hide the latency of an addition.
    """
    whole_steps = builder.sdiv(n_vectors, whole(ways))

    def many(q: Any, sums: list[Any]) -> list[Any]:
        first = builder.mul(q, whole(ways))
        return [body(builder.add(first, whole(w)), sums[w]) for w in range(ways)]

    sums = counted_loop(builder, whole_steps, initial, many)
    done = builder.mul(whole_steps, whole(ways))
    rest = counted_loop(
        builder,
        builder.sub(n_vectors, done),
        sums[:1],
        lambda q, sums: [body(builder.add(done, q), sums[0])],
    )
    return rest + sums[1:]


@intrinsic
def row_dot(typingctx: Any, a: Any, i: Any, b: Any, j: Any) -> Any:
    """a[i]ᵀ b[j], float32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = Matrix(context, builder, signature.args[0], args[0])
        right = Matrix(context, builder, signature.args[2], args[2])
        first, second = left.index(args[1], whole(0)), right.index(args[3], whole(0))

        def body(vector: Any, total: Any) -> Any:
            offset = builder.mul(vector, whole(FLOATS_PER_LINE))
            x, y = left.load(builder.add(first, offset)), right.load(builder.add(second, offset))
            return multiply_add(builder, x, y, total)

        zero = ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)
        n_vectors = builder.sdiv(left.stride, whole(FLOATS_PER_LINE))
        return reduced(builder, split_loop(builder, n_vectors, 4, [zero] * 4, body))

    return types.float32(a, types.int64, b, types.int64), codegen


@intrinsic
def row_dots(typingctx: Any, a: Any, i: Any, b: Any, places: Any) -> Any:
    """(a[i]ᵀ b[j] for j in places), places a tuple of int64: a[i] is loaded once."""
    if not isinstance(places, types.UniTuple):  # type: ignore[attr-defined]
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = Matrix(context, builder, signature.args[0], args[0])
        right = Matrix(context, builder, signature.args[2], args[2])
        first = left.index(args[1], whole(0))
        starts = [right.index(j, whole(0)) for j in numbers(context, builder, signature.args[3], args[3])]

        def body(q: Any, sums: list[Any]) -> list[Any]:
            offset = builder.mul(q, whole(FLOATS_PER_LINE))
            x = left.load(builder.add(first, offset))
            rows = [right.load(builder.add(start, offset)) for start in starts]
            return [multiply_add(builder, x, y, total) for y, total in zip(rows, sums, strict=True)]

        n_vectors = builder.sdiv(left.stride, whole(FLOATS_PER_LINE))
        sums = counted_loop(builder, n_vectors, zero_tile(len(starts), 1), body)
        return context.make_tuple(builder, signature.return_type, [reduced(builder, [x]) for x in sums])

    answer = types.UniTuple(types.float32, places.count)  # type: ignore[attr-defined]
    return answer(a, types.int64, b, places), codegen


@intrinsic
def add_row(typingctx: Any, target: Any, i: Any, factor: Any, rows: Any, j: Any) -> Any:
    """target[i] += factor · rows[j]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[3], args[3])
        first, second = into.index(args[1], whole(0)), source.index(args[4], whole(0))
        factors = splat(builder, args[2])

        def body(q: Any, sums: list[Any]) -> list[Any]:
            offset = builder.mul(q, whole(FLOATS_PER_LINE))
            x, place = source.load(builder.add(second, offset)), builder.add(first, offset)
            into.store(multiply_add(builder, factors, x, into.load(place)), place)
            return []

        counted_loop(builder, builder.sdiv(into.stride, whole(FLOATS_PER_LINE)), [], body)
        return context.get_dummy_value()

    return types.void(target, types.int64, types.float32, rows, types.int64), codegen


@intrinsic
def add_part(typingctx: Any, target: Any, place: Any, terms: Any) -> Any:
    """target[i, d : d + 16] += Σ factor · rows[j, e : e + 16] over terms (factor, rows, j, e).

    place is (i, d), int64.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        first = into.index(*numbers(context, builder, signature.args[1], args[1]))
        total = into.load(first)
        for number, kind in enumerate(signature.args[2].types):
            term = builder.extract_value(args[2], number)
            factor, rows, *ends = (builder.extract_value(term, part) for part in range(4))
            j, e = (
                context.cast(builder, end, kind.types[part], types.int64)
                for part, end in zip((2, 3), ends, strict=True)
            )
            source = Matrix(context, builder, kind.types[1], rows)
            total = multiply_add(builder, splat(builder, factor), source.load(source.index(j, e)), total)
        into.store(total, first)
        return context.get_dummy_value()

    return types.void(target, place, terms), codegen


@intrinsic
def push_row(typingctx: Any, target: Any, i: Any, factor: Any, rows: Any, j: Any, sums: Any, k: Any) -> Any:
    """sums[k] += factor · target[i] and target[i] += factor · rows[j], both from the values before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, source, total = (Matrix(context, builder, signature.args[n], args[n]) for n in (0, 3, 5))
        starts = [m.index(args[n], whole(0)) for m, n in ((into, 1), (source, 4), (total, 6))]
        factors = splat(builder, args[2])

        def body(q: Any, nothing: list[Any]) -> list[Any]:
            offset = builder.mul(q, whole(FLOATS_PER_LINE))
            i_at, j_at, k_at = (builder.add(start, offset) for start in starts)
            before = into.load(i_at)
            total.store(multiply_add(builder, factors, before, total.load(k_at)), k_at)
            into.store(multiply_add(builder, factors, source.load(j_at), before), i_at)
            return []

        counted_loop(builder, builder.sdiv(into.stride, whole(FLOATS_PER_LINE)), [], body)
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(target, i64, types.float32, rows, i64, sums, i64), codegen


@intrinsic
def pull_rows(
    typingctx: Any, target: Any, i: Any, pulls: Any, rows: Any, places: Any, steps: Any, source: Any
) -> Any:
    """For each j of places in turn: target[i] += pull·rows[j], then rows[j] += step·source[0].

    pulls and steps are tuples of float32, places one of int64, all as long; source has the stride of rows.
    """
    if not isinstance(places, types.UniTuple):  # type: ignore[attr-defined]
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, table, given = (Matrix(context, builder, signature.args[n], args[n]) for n in (0, 3, 6))
        first = into.index(args[1], whole(0))
        starts = [table.index(j, whole(0)) for j in numbers(context, builder, signature.args[4], args[4])]
        scales = [
            [splat(builder, builder.extract_value(args[part], n)) for part in (2, 5)]
            for n in range(len(starts))
        ]

        def body(q: Any, nothing: list[Any]) -> list[Any]:
            offset = builder.mul(q, whole(FLOATS_PER_LINE))
            place = builder.add(first, offset)
            total, x = into.load(place), given.load(offset)
            for (pull, step), start in zip(scales, starts, strict=True):
                at = builder.add(start, offset)
                y = table.load(at)
                total = multiply_add(builder, pull, y, total)
                table.store(multiply_add(builder, step, x, y), at)
            into.store(total, place)
            return []

        counted_loop(builder, builder.sdiv(into.stride, whole(FLOATS_PER_LINE)), [], body)
        return context.get_dummy_value()

    return types.void(target, types.int64, pulls, rows, places, steps, source), codegen


@intrinsic
def copy_row(typingctx: Any, target: Any, i: Any, rows: Any, j: Any) -> Any:
    """target[i] = rows[j]; returns ‖rows[j]‖², float32, which costs nothing beside the copy."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[2], args[2])
        first, second = into.index(args[1], whole(0)), source.index(args[3], whole(0))

        def body(vector: Any, total: Any) -> Any:
            offset = builder.mul(vector, whole(FLOATS_PER_LINE))
            x = source.load(builder.add(second, offset))
            into.store(x, builder.add(first, offset))
            return multiply_add(builder, x, x, total)

        zero = ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)
        n_vectors = builder.sdiv(into.stride, whole(FLOATS_PER_LINE))
        return reduced(builder, split_loop(builder, n_vectors, 4, [zero] * 4, body))

    return types.float32(target, types.int64, rows, types.int64), codegen
