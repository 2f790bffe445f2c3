"""Products of bfloat16 by AMX: an instruction for 16 × 32 by 32 × 16, and what fits its operands.

A tile is 16 rows of 64 bytes. The left one holds 32 neighbours of each of 16 rows, the right one 16 rows of
pairs: two neighbours of each of 16 columns. That is how `fastw2v.kernels.tiles.bfloat16` packs, so that only
depths need be whole lines of pairs. Intel, Architecture Instruction Set Extensions, chapter 3.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.intrinsics import declared
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16, PAIRS
from fastw2v.kernels.tiles.registers import (
    FEATURES,
    I64,
    VECTOR,
    Matrix,
    counted_loop,
    literals,
    numbers,
    transposed,
    whole,
)
from fastw2v.model.arrays import FLOATS_PER_LINE

ROWS = FLOATS_PER_LINE  # of a tile; its rows are as many pairs, or sums
N_TILES, ROW_BYTES = 8, 64
ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18  # asm/unistd_64.h, asm/prctl.h, asm/fpu/types.h


def is_permitted() -> bool:
    """Ask the system for the use of tiles, for this process and all its threads; whether it was given.

    Linux keeps no room for the 8 KB of a thread's tiles unasked. An old one does not know the question, and
    one that has no room on a signal stack says no.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    return bool(call(*map(ctypes.c_long, (ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA))) == 0)


def may_use_tiles(features: dict[str, bool]) -> bool:
    """Whether the processor has tiles of bfloat16 and the system permits them."""
    return all(features.get(name) for name in ("amx-tile", "amx-bf16")) and is_permitted()


HAS_AMX = HAS_BFLOAT16 and may_use_tiles(FEATURES)
BYTE = ir.IntType(8)
BYTES = BYTE.as_pointer()
# Palette 1; from byte 16 on the width of each tile in two bytes, from 48 on the height.
CONFIGURATION = bytes([1]) + bytes(15) + bytes([ROW_BYTES, 0]) * N_TILES + bytes(16)
CONFIGURATION += bytes([ROWS]) * N_TILES + bytes(8)


def instruction(builder: Any, name: str, *arguments: Any) -> None:
    """One instruction about tiles, by LLVM's name of it."""
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    name = f"llvm.x86.{name}"
    builder.call(declared(builder, name, kind), arguments)


@intrinsic
def configure_tiles(typingctx: Any) -> Any:
    """Make this thread's eight tiles what they are for all products here, until `release_tiles`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name = "fastw2v.tiles"
        place = builder.module.globals.get(name)
        if place is None:
            kind = ir.ArrayType(BYTE, len(CONFIGURATION))
            place = ir.GlobalVariable(builder.module, kind, name)
            place.linkage, place.global_constant, place.align = "internal", True, ROW_BYTES
            place.initializer = ir.Constant(kind, bytearray(CONFIGURATION))
        instruction(builder, "ldtilecfg", builder.bitcast(place, BYTES))
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def release_tiles(typingctx: Any) -> Any:
    """Leave the tiles: nobody saves them any more, and the core may rest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        instruction(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic(prefer_literal=True)
def multiply_tiles(
    typingctx: Any, target: Any, place: Any, left: Any, right: Any, shape: Any, depth: Any
) -> Any:
    """target[h : h + 16·R, g : g + 16·V] = left[i : i + 16·R, :depth]·right[:depth, j : j + 16·V].

    target is float32; left and right are uint32, pairs of bfloat16 along and across; depth, in pairs, goes up
    to a multiple of 16. place is (h, g, i, j), int64; shape is (R, V), compile-time constants with
    R·V + R + V ≤ 8.
    """
    sizes = literals(*shape.types)
    if sizes is None:
        return None
    n_rows, n_columns = sizes
    n_sums = n_rows * n_columns

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, by, source = (Matrix(context, builder, signature.args[n], args[n]) for n in (0, 2, 3))
        h, g, i, j = numbers(context, builder, signature.args[1], args[1])

        def move(name: str, tile: int, matrix: Matrix, row: Any, column: Any) -> None:
            address = builder.bitcast(builder.gep(matrix.data, [matrix.index(row, column)]), BYTES)
            stride = builder.mul(matrix.stride, whole(4))
            instruction(builder, name, ir.Constant(BYTE, tile), address, stride)

        def body(q: Any, nothing: list[Any]) -> list[Any]:
            first = builder.mul(q, whole(ROWS))
            for r in range(n_rows):
                move("tileloadd64", n_sums + r, by, builder.add(i, whole(ROWS * r)), first)
            for v in range(n_columns):
                move("tileloadd64", n_sums + n_rows + v, source, first, builder.add(j, whole(ROWS * v)))
            for tile in range(n_sums):
                r, v = divmod(tile, n_columns)
                numbers_of = (tile, n_sums + r, n_sums + n_rows + v)
                instruction(builder, "tdpbf16ps", *(ir.Constant(BYTE, number) for number in numbers_of))
            return []

        for tile in range(n_sums):
            instruction(builder, "tilezero", ir.Constant(BYTE, tile))
        pairs = context.cast(builder, args[5], signature.args[5], types.int64)
        counted_loop(builder, builder.sdiv(builder.add(pairs, whole(ROWS - 1)), whole(ROWS)), [], body)
        for tile in range(n_sums):
            r, v = divmod(tile, n_columns)
            row, column = builder.add(h, whole(ROWS * r)), builder.add(g, whole(ROWS * v))
            move("tilestored64", tile, into, row, column)
        return context.get_dummy_value()

    return types.void(target, place, left, right, shape, depth), codegen


def halves_of(builder: Any, first: Any, second: Any) -> Any:
    """32 floats rounded to bfloat16, as int16: in each quarter four of the first, then four of the second.

    So `interleaved` needs but one instruction for each half.
    """
    name = "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
    kind = ir.FunctionType(PAIRS, [VECTOR, VECTOR])
    round_both = declared(builder, name, kind)
    fours = builder.bitcast(builder.call(round_both, [second, first]), ir.VectorType(I64, 8))
    order = ir.Constant(ir.VectorType(ir.IntType(32), 8), [0, 4, 1, 5, 2, 6, 3, 7])
    return builder.bitcast(builder.shuffle_vector(fours, fours, order), ir.VectorType(ir.IntType(16), 32))


def interleaved(builder: Any, upper: Any, lower: Any, half: int) -> Any:
    """Pairs of 16 columns, those of the first floats of `halves_of` or of the second."""
    lanes = [8 * (n // 8) + 4 * half + n % 8 // 2 + 32 * (n % 2) for n in range(32)]
    mask = ir.Constant(ir.VectorType(ir.IntType(32), 32), lanes)
    return builder.bitcast(builder.shuffle_vector(upper, lower, mask), VECTOR)


def each_32(builder: Any, source: Matrix, pack: Any) -> None:
    """pack(first column, lines of 16 that there are) for every 32 columns of a matrix."""
    n = FLOATS_PER_LINE

    def body(step: Any, nothing: list[Any]) -> list[Any]:
        pack(builder.mul(step, whole(2 * n)), 2)
        return []

    counted_loop(builder, builder.sdiv(source.stride, whole(2 * n)), [], body)
    lines = builder.sdiv(source.stride, whole(n))
    with builder.if_then(builder.trunc(lines, ir.IntType(1))):
        pack(builder.sub(source.stride, whole(n)), 1)


def pack_rows(builder: Any, across: Matrix, source: Matrix, rows: list[Any], at: Any, n_lines: int) -> Any:
    """Pack 32 columns of an even number of rows: across is stored, along is returned, a vector a row."""
    packed = []
    for row in rows:
        place = source.index(row, at)
        zeros = ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)
        second = source.load(place, 1) if n_lines == 2 else zeros
        packed.append(halves_of(builder, source.load(place), second))
    for upper, lower, row in zip(packed[::2], packed[1::2], rows[::2], strict=True):
        place = across.index(builder.sdiv(row, whole(2)), at)
        for half in range(n_lines):
            across.store(interleaved(builder, upper, lower, half), place, half)
    return [builder.bitcast(halves, VECTOR) for halves in packed]


@intrinsic
def pack_both(typingctx: Any, along: Any, across: Any, rows: Any, q: Any) -> Any:
    """Pack rows[2q] and rows[2q + 1] along each, and across both to across[q], which has whole lines.

    Along, 32 neighbours lie in an order of their own (`halves_of`), the same for `pack_columns`.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, pairs, source = (Matrix(context, builder, signature.args[n], args[n]) for n in range(3))
        upper = builder.mul(args[3], whole(2))
        both = [upper, builder.add(upper, whole(1))]

        def pack(at: Any, n_lines: int) -> None:
            packed = pack_rows(builder, pairs, source, both, at, n_lines)
            for row, vector in zip(both, packed, strict=True):
                into.store(vector, into.index(row, builder.sdiv(at, whole(2))))

        each_32(builder, source, pack)
        return context.get_dummy_value()

    return types.void(along, across, rows, types.int64), codegen


@intrinsic
def pack_columns(typingctx: Any, columns: Any, across: Any, rows: Any, s: Any) -> Any:
    """Pack rows[s : s + 16] along and transposed, to columns[:, s : s + 16], and across two and two."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, pairs, source = (Matrix(context, builder, signature.args[n], args[n]) for n in range(3))
        sixteen = [builder.add(args[3], whole(r)) for r in range(ROWS)]

        def pack(at: Any, n_lines: int) -> None:
            packed = pack_rows(builder, pairs, source, sixteen, at, n_lines)
            first = builder.sdiv(at, whole(2))
            for e, vector in enumerate(transposed(builder, packed)):
                into.store(vector, into.index(builder.add(first, whole(e)), args[3]))

        each_32(builder, source, pack)
        return context.get_dummy_value()

    return types.void(columns, across, rows, types.int64), codegen
