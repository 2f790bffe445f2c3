"""Registers of floats, and the loops over them, as LLVM instructions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba.core import config, types
from numba.np import arrayobj

from fastw2v.model.arrays import FLOATS_PER_LINE

FLOAT, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, FLOATS_PER_LINE)
FAST = ("contract", "nsz", "arcp", "afn", "reassoc")


def features(cpu: str | None, told: str | None) -> dict[str, bool]:
    """What the processor that Numba compiles for has: this one's features, but for what is told of it.

    Those of another processor are those that are told, as far as they are.

    cpu, told   NUMBA_CPU_NAME and NUMBA_CPU_FEATURES
    """
    is_another = told is not None and cpu not in (None, binding.get_host_cpu_name())
    own = {} if is_another else dict(binding.get_host_cpu_features())
    return own | {name[1:]: name[0] == "+" for name in (told or "").split(",") if name}


FEATURES = features(config.CPU_NAME, config.CPU_FEATURES)
WIDE = bool(FEATURES.get("avx512f"))
# Processors with vectors of 128 bits at least. Where these are all there is (SSE2) a vector is four registers
# and most sums of a tile are in memory, and yet tiles take half the time of plain loops.
IS_ARM = platform.machine().lower() in ("arm64", "aarch64")
HAS_32_REGISTERS = WIDE or IS_ARM
HAS_TILES = IS_ARM or platform.machine().lower() in ("x86_64", "amd64")


def whole(value: int) -> Any:
    """An int64 constant."""
    return ir.Constant(I64, value)


class Matrix:
    """A matrix argument of an intrinsic: addresses of its vectors and scalars.

    float32, or uint32 that each hold two bfloat16, the lower half the first.
    """

    def __init__(self, context: Any, builder: Any, array_type: Any, value: Any) -> None:
        array = arrayobj.make_array(array_type)(context, builder, value)
        self.builder, self.data = builder, builder.bitcast(array.data, FLOAT.as_pointer())
        self.halves = array_type.dtype == types.uint32
        self.stride = builder.sdiv(builder.extract_value(array.strides, 0), whole(4))

    def index(self, row: Any, column: Any) -> Any:
        """Place of an element, in floats from the start."""
        return self.builder.add(self.builder.mul(row, self.stride), column)

    def pointer(self, index: Any, vector: int = 0) -> Any:
        """Address of the vector-th whole vector after an element."""
        place = self.builder.gep(self.data, [self.builder.add(index, whole(FLOATS_PER_LINE * vector))])
        return self.builder.bitcast(place, VECTOR.as_pointer())

    def load(self, index: Any, vector: int = 0) -> Any:
        return self.builder.load(self.pointer(index, vector), align=4)

    def store(self, value: Any, index: Any, vector: int = 0) -> None:
        self.builder.store(value, self.pointer(index, vector), align=4)

    def splat(self, index: Any) -> Any:
        """One element in all lanes."""
        return splat(self.builder, self.builder.load(self.builder.gep(self.data, [index])))


def address(context: Any, builder: Any, array_type: Any, value: Any, element: Any = FLOAT) -> Any:
    """Where the numbers of an array begin."""
    data = arrayobj.make_array(array_type)(context, builder, value).data
    return builder.bitcast(data, element.as_pointer())


class Lanes(NamedTuple):
    """Registers of n floats."""

    n: int

    @property
    def kind(self) -> Any:
        return ir.VectorType(FLOAT, self.n)

    @property
    def zero(self) -> Any:
        return ir.Constant(self.kind, [0.0] * self.n)

    def _at(self, builder: Any, data: Any, place: Any) -> Any:
        return builder.bitcast(builder.gep(data, [place]), self.kind.as_pointer())

    def load(self, builder: Any, data: Any, place: Any) -> Any:
        return builder.load(self._at(builder, data, place), align=4)

    def store(self, builder: Any, value: Any, data: Any, place: Any) -> None:
        builder.store(value, self._at(builder, data, place), align=4)

    def spread(self, builder: Any, data: Any, place: Any) -> Any:
        """One number in all lanes."""
        undefined, number = ir.Constant(self.kind, ir.Undefined), builder.load(builder.gep(data, [place]))
        single = builder.insert_element(undefined, number, ir.Constant(I32, 0))
        return builder.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(I32, self.n), None))

    def sums_of(self, builder: Any, vectors: Sequence[Any]) -> Any:
        """The sums over the lanes of n vectors, as one vector, in their order.

        Each round halves the vectors: of two the lanes of each segment are added to those half of it away.
        """
        segment = self.n
        while len(vectors) > 1:
            half = segment // 2
            firsts = [start + lane for start in range(0, 2 * self.n, segment) for lane in range(half)]
            masks = [
                ir.Constant(ir.VectorType(I32, self.n), [lane + part for lane in firsts])
                for part in (0, half)
            ]
            vectors = [
                builder.fadd(*(builder.shuffle_vector(x, y, mask) for mask in masks), flags=FAST)
                for x, y in zip(vectors[::2], vectors[1::2], strict=True)
            ]
            segment = half
        return vectors[0]


def splat(builder: Any, scalar: Any) -> Any:
    """A float32 in all lanes."""
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(I32, 0))
    lanes = ir.Constant(ir.VectorType(I32, FLOATS_PER_LINE), None)
    return builder.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), lanes)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, fused where the machine can."""
    return builder.fadd(builder.fmul(a, b, flags=FAST), c, flags=FAST)


def counted_loop(builder: Any, count: Any, initial: list[Any], body: Any) -> list[Any]:
    """sums = initial; for q < count: sums = body(q, sums). Returns the sums, kept in registers."""
    before = builder.block
    loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, whole(0)), loop, done)
    builder.position_at_end(loop)
    q = builder.phi(I64)
    q.add_incoming(whole(0), before)
    sums = [builder.phi(value.type) for value in initial]
    results = body(q, sums)
    after = builder.add(q, whole(1))
    q.add_incoming(after, builder.block)
    for value, start, result in zip(sums, initial, results, strict=True):
        value.add_incoming(start, before)
        value.add_incoming(result, builder.block)
    last = builder.block
    builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
    builder.position_at_end(done)
    finals = [builder.phi(value.type) for value in initial]
    for final, start, result in zip(finals, initial, results, strict=True):
        final.add_incoming(start, before)
        final.add_incoming(result, last)
    return finals


def transposed(builder: Any, lanes: list[Any]) -> list[Any]:
    """16 vectors of 16 with rows and columns exchanged, in registers: four rounds of exchanges."""
    n, distance = FLOATS_PER_LINE, 1
    while distance < n:
        low = [lane if not lane & distance else n + lane - distance for lane in range(n)]
        high = [lane + distance if not lane & distance else n + lane for lane in range(n)]
        kind = ir.VectorType(I32, n)
        exchanged = list(lanes)
        for r in range(n):
            if not r & distance:
                a, b = lanes[r], lanes[r + distance]
                exchanged[r] = builder.shuffle_vector(a, b, ir.Constant(kind, low))
                exchanged[r + distance] = builder.shuffle_vector(a, b, ir.Constant(kind, high))
        lanes, distance = exchanged, 2 * distance
    return lanes


def literals(*values: Any) -> list[int] | None:
    """The values of compile-time integers; None while Numba has not made them so."""
    known = all(isinstance(value, types.IntegerLiteral) for value in values)
    return [value.literal_value for value in values] if known else None


def numbers(context: Any, builder: Any, kinds: Any, value: Any) -> list[Any]:
    """The parts of a tuple argument as int64."""
    return [
        context.cast(builder, builder.extract_value(value, part), kind, types.int64)
        for part, kind in enumerate(kinds.types)
    ]
