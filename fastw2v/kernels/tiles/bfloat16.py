"""Factors of 16 bits: packed two in 32 bits, and multiplied in pairs."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.intrinsics import declared
from fastw2v.kernels.tiles.registers import (
    FEATURES,
    FLOAT,
    I32,
    VECTOR,
    WIDE,
    Matrix,
    counted_loop,
    whole,
)
from fastw2v.model.arrays import FLOATS_PER_LINE

# Pairs of bfloat16 multiplied and added in float32, twice the products of a float32 instruction.
HAS_BFLOAT16 = WIDE and bool(FEATURES.get("avx512bf16"))


class BFloatVector(ir.Type):  # type: ignore[misc]
    """n bfloat16, which llvmlite has no type for."""

    def __init__(self, n: int) -> None:
        self.n = n

    def _to_string(self) -> str:
        return f"<{self.n} x bfloat>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloatVector) and self.n == other.n

    def __hash__(self) -> int:
        return hash(("bfloat", self.n))


HALVES, PAIRS = BFloatVector(FLOATS_PER_LINE), BFloatVector(2 * FLOATS_PER_LINE)


def multiply_add_pairs(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a₀·b₀ + a₁·b₁ + c in every lane, a and b two bfloat16 a lane."""
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    kind = ir.FunctionType(VECTOR, [VECTOR, PAIRS, PAIRS])
    function = declared(builder, name, kind)
    return builder.call(function, [c, builder.bitcast(a, PAIRS), builder.bitcast(b, PAIRS)])


@intrinsic
def pack_along(typingctx: Any, target: Any, rows: Any, i: Any) -> Any:
    """target[i] = rows[i] rounded to bfloat16, two neighbours a uint32, as far as both go.

    Nothing where target is float32.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[1], args[1])
        if into.halves:
            first, second = into.index(args[2], whole(0)), source.index(args[2], whole(0))

            def body(q: Any, nothing: list[Any]) -> list[Any]:
                x = source.load(builder.add(second, builder.mul(q, whole(FLOATS_PER_LINE))))
                half = ir.VectorType(FLOAT, FLOATS_PER_LINE // 2)
                place = builder.add(first, builder.mul(q, whole(FLOATS_PER_LINE // 2)))
                pointer = builder.bitcast(builder.gep(into.data, [place]), half.as_pointer())
                builder.store(builder.bitcast(builder.fptrunc(x, HALVES), half), pointer, align=4)
                return []

            given = builder.sdiv(source.stride, whole(FLOATS_PER_LINE))
            room = builder.sdiv(into.stride, whole(FLOATS_PER_LINE // 2))
            fewer = builder.select(builder.icmp_signed("<", given, room), given, room)
            counted_loop(builder, fewer, [], body)
        return context.get_dummy_value()

    return types.void(target, rows, types.int64), codegen


@intrinsic
def pack_across(typingctx: Any, target: Any, rows: Any, q: Any) -> Any:
    """target[q] = rows[2q] and rows[2q + 1] rounded to bfloat16, a uint32 of both in each column.

    Nothing where target is float32. The columns of target are packed, rows may have more.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[1], args[1])
        if into.halves:
            first = into.index(args[2], whole(0))
            upper = builder.mul(args[2], whole(2))
            starts = [source.index(row, whole(0)) for row in (upper, builder.add(upper, whole(1)))]
            n = FLOATS_PER_LINE
            shorts = ir.VectorType(ir.IntType(16), n)
            mask = ir.Constant(
                ir.VectorType(I32, 2 * n), [lane // 2 + n * (lane % 2) for lane in range(2 * n)]
            )

            def body(vector: Any, nothing: list[Any]) -> list[Any]:
                offset = builder.mul(vector, whole(n))
                pair = [
                    builder.bitcast(builder.fptrunc(source.load(builder.add(start, offset)), HALVES), shorts)
                    for start in starts
                ]
                mixed = builder.shuffle_vector(pair[0], pair[1], mask)
                into.store(builder.bitcast(mixed, VECTOR), builder.add(first, offset))
                return []

            counted_loop(builder, builder.sdiv(into.stride, whole(n)), [], body)
        return context.get_dummy_value()

    return types.void(target, rows, types.int64), codegen


@intrinsic
def products_in(typingctx: Any, matrix: Any) -> Any:
    """How many products an element of a factor matrix stands for: 1 a float32, 2 a uint32 of bfloat16."""
    count = 2 if matrix.dtype == types.uint32 else 1
    return types.int64(matrix), lambda context, builder, signature, args: whole(count)
