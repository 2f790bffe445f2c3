"""What Numba does not offer by itself: atomics, prefetch, shared arrays, and bit tricks."""

from __future__ import annotations

import functools
import sys
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj


def declared(builder: Any, name: str, kind: Any) -> Any:
    """A function that LLVM or the system has, by its name and type."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@intrinsic
def atomic_add(typingctx: Any, array: Any, amount: Any) -> Any:
    """array[0] += amount for an int64 array, atomically; returns the value before.

    Workers take the next unit of work with it, so none idles while another has work left. What a worker wrote
    before it is seen by those that find the new value.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = arrayobj.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", view.data, args[1], "seq_cst")

    return types.int64(array, types.int64), codegen


@intrinsic
def atomic_load(typingctx: Any, array: Any) -> Any:
    """array[0] of an int64 array, read anew each time, and before anything that follows."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = arrayobj.make_array(signature.args[0])(context, builder, args[0])
        return builder.load_atomic(view.data, "acquire", 8)

    return types.int64(array), codegen


@intrinsic
def yield_core(typingctx: Any) -> Any:
    """Let another thread have the core: with more threads than cores, the one that is waited for."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"  # neither takes anything
        builder.call(declared(builder, name, kind), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def sleep_briefly(typingctx: Any) -> Any:
    """Want no core for 50 microseconds, or the millisecond that is Windows' least."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name, result, least = (
            ("Sleep", ir.VoidType(), 1) if sys.platform == "win32" else ("usleep", ir.IntType(32), 50)
        )
        kind = ir.FunctionType(result, [ir.IntType(32)])
        builder.call(declared(builder, name, kind), [ir.Constant(ir.IntType(32), least)])
        return context.get_dummy_value()

    return types.void(), codegen


def without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The LLVM value with no owner in any array within."""
    if isinstance(kind, types.Array):
        view = arrayobj.make_array(kind)(context, builder, value)
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()
    if isinstance(kind, types.containers.BaseTuple):
        for n, inner in enumerate(kind.types):
            item = without_owner(context, builder, inner, builder.extract_value(value, n))
            value = builder.insert_value(value, item, n)
    return value


@intrinsic
def borrowed(typingctx: Any, value: Any) -> Any:
    """The same tuple of arrays, that counts no references: the caller keeps the arrays alive.

    Every slice of an array counts one up and down, atomically; workers that slice the same arrays would pass
    the counters' cache lines to and fro, some twenty for a block.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return without_owner(context, builder, signature.args[0], args[0])

    return value(value), codegen


@intrinsic
def prefetch_row(typingctx: Any, array: Any, row: Any, offset: Any) -> Any:
    """Ask for the cache line that holds array[row, offset] of a C-contiguous array, into the second level.

    The first level (32 KB) is full of what is being computed; measured in bench/README.md.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_type = signature.args[0]
        view = arrayobj.make_array(array_type)(context, builder, args[0])
        stride = builder.extract_value(view.strides, 0)
        item = ir.Constant(stride.type, array_type.dtype.bitwidth // 8)
        distance = builder.add(builder.mul(args[1], stride), builder.mul(args[2], item))
        byte_pointer = ir.IntType(8).as_pointer()
        address = builder.gep(builder.bitcast(view.data, byte_pointer), [distance])
        i32 = ir.IntType(32)
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte_pointer], ir.FunctionType(ir.VoidType(), [byte_pointer, i32, i32, i32])
        )
        read, second_level, data_cache = (ir.Constant(i32, value) for value in (0, 2, 1))
        builder.call(prefetch, [address, read, second_level, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def truncated(typingctx: Any, x: Any) -> Any:
    """float32 x without its fraction, for |x| < 2**31."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sitofp(builder.fptosi(args[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.float32), codegen


@intrinsic
def power_of_two(typingctx: Any, n: Any) -> Any:
    """2**n as float32 for a whole float32 n in [-126, 127]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i32 = ir.IntType(32)
        exponent = builder.add(builder.fptosi(args[0], i32), ir.Constant(i32, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(i32, 23)), ir.FloatType())

    return types.float32(types.float32), codegen


@intrinsic
def tick(typingctx: Any, clock: Any, phase: Any) -> Any:
    """clock[phase] += processor cycles since the last tick, kept in clock[-1]; nothing at all for None.

    A kernel is timed by its own code: with None, as in training, no instruction is made of this.
    """

    def idle(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_dummy_value()

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = arrayobj.make_array(signature.args[0])(context, builder, args[0])
        i64 = ir.IntType(64)
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(i64, []))
        now = builder.call(counter, [])
        size = builder.extract_value(view.shape, 0)
        last = builder.gep(view.data, [builder.sub(size, ir.Constant(i64, 1))])
        place = builder.gep(view.data, [context.cast(builder, args[1], signature.args[1], types.int64)])
        passed = builder.sub(now, builder.load(last))
        builder.store(builder.add(builder.load(place), passed), place)
        builder.store(now, last)
        return context.get_dummy_value()

    return types.void(clock, phase), idle if clock == types.none else codegen


def bytes_between(builder: Any, chunk: Any, low: int, high: int) -> Any:
    """<64 x i1>, which of 64 bytes are in [low, high]: one subtraction and one comparison a register."""
    vector = chunk.type
    shifted = builder.sub(chunk, ir.Constant(vector, [low] * 64))
    return builder.icmp_unsigned("<", shifted, ir.Constant(vector, [high - low + 1] * 64))


def bits_of_64_bytes(*ranges: tuple[int, int]) -> Any:
    """An intrinsic f(data, i): bit b of the uint64 tells whether data[i + b] is in one of the ranges.

    data is uint8 of at least i + 64 bytes. LLVM takes whatever vectors the processor has.
    """

    @intrinsic
    def bits(typingctx: Any, data: Any, start: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            view = arrayobj.make_array(signature.args[0])(context, builder, args[0])
            vector = ir.VectorType(ir.IntType(8), 64)
            address = builder.bitcast(builder.gep(view.data, [args[1]]), vector.as_pointer())
            chunk = builder.load(address, align=1)
            found = [bytes_between(builder, chunk, low, high) for low, high in ranges]
            return builder.bitcast(functools.reduce(builder.or_, found), ir.IntType(64))

        return types.uint64(data, types.int64), codegen

    return bits


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Number of the lowest bit set in a uint64 that is not 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen
