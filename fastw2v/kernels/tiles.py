"""Small dense products on rows of float32 matrices, as LLVM vector code.

LLVM's own vectoriser turns plain loops for these products into code at 41-56 % of the machine's FMA peak
(Zen 4, 32 x 32 x 304); the tiles here reach 87-91 %, because a whole tile of sums stays in registers while
the shared dimension runs. Vectors are 16 float32: LLVM lowers them to one 512-bit register or to two of
256 bits. Nothing depends on a size known at compile time, so one compilation serves every dim and block.

Every matrix is a C-contiguous float32 array (rows, columns) with columns a multiple of 16.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj

from fastw2v.layout import FLOATS_PER_LINE

FLOAT, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, FLOATS_PER_LINE)
FAST = ("contract", "nsz", "arcp", "afn", "reassoc")

# Sums of a tile that fit the registers beside the operands: 32 of 512 bits, or 16 of 256 (two a vector).
WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
SCORE_ROWS, SCORE_VECTORS = (8, 2) if WIDE else (4, 1)
UPDATE_ROWS, UPDATE_VECTORS = (4, 5) if WIDE else (2, 2)
ROW_VECTORS = 8 if WIDE else 4


def whole(value: int) -> Any:
    """An int64 constant."""
    return ir.Constant(I64, value)


class Matrix:
    """A float32 matrix argument of an intrinsic: addresses of its vectors and scalars."""

    def __init__(self, context: Any, builder: Any, array_type: Any, value: Any) -> None:
        array = arrayobj.make_array(array_type)(context, builder, value)
        self.builder, self.data = builder, array.data
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


@intrinsic(prefer_literal=True)
def tile(
    typingctx: Any,
    target: Any,
    target_at: Any,
    factors: Any,
    factors_at: Any,
    transposed: Any,
    rows: Any,
    rows_at: Any,
    shape: Any,
    depth: Any,
    add: Any,
) -> Any:
    """target[i + r, j : j + 16·V] = (or += ) Σ_q factor(r, q)·rows[k + q, l : l + 16·V] for r < R, q < depth.

    target_at, factors_at, rows_at are (row, column) pairs of int64: (i, j), (m, n), (k, l); shape is (R, V).
    factor(r, q) is factors[m + r, n + q], or factors[m + q, n + r] where transposed. shape, transposed and
    add (start from what target holds) are compile-time constants.
    """
    constants = (transposed, add, *shape.types)
    if not all(isinstance(constant, types.IntegerLiteral) for constant in constants):
        return None
    n_rows, n_vectors = (size.literal_value for size in shape.types)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pair_at(position: int) -> list[Any]:
            kinds = signature.args[position].types
            parts = (builder.extract_value(args[position], part) for part in range(2))
            return [
                context.cast(builder, part, kind, types.int64)
                for part, kind in zip(parts, kinds, strict=True)
            ]

        into = Matrix(context, builder, signature.args[0], args[0])
        by = Matrix(context, builder, signature.args[2], args[2])
        source = Matrix(context, builder, signature.args[5], args[5])
        (i, j), (m, n), (k, column) = pair_at(1), pair_at(3), pair_at(6)
        outputs = [into.index(builder.add(i, whole(r)), j) for r in range(n_rows)]
        if transposed.literal_value:
            starts, step = [by.index(m, builder.add(n, whole(r))) for r in range(n_rows)], by.stride
        else:
            starts, step = [by.index(builder.add(m, whole(r)), n) for r in range(n_rows)], whole(1)
        first = source.index(k, column)

        def body(q: Any, sums: list[Any]) -> list[Any]:
            place = builder.add(first, builder.mul(q, source.stride))
            vectors = [source.load(place, v) for v in range(n_vectors)]
            results = []
            for r in range(n_rows):
                factor = by.splat(builder.add(starts[r], builder.mul(q, step)))
                for v in range(n_vectors):
                    results.append(multiply_add(builder, factor, vectors[v], sums[r * n_vectors + v]))
            return results

        places = [(outputs[r], v) for r in range(n_rows) for v in range(n_vectors)]
        zero = ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)
        initial = [into.load(*place) if add.literal_value else zero for place in places]
        count = context.cast(builder, args[8], signature.args[8], types.int64)
        for value, place in zip(counted_loop(builder, count, initial, body), places, strict=True):
            into.store(value, *place)
        return context.get_dummy_value()

    return types.void(
        target, target_at, factors, factors_at, transposed, rows, rows_at, shape, depth, add
    ), codegen


def reduced(builder: Any, vectors: list[Any]) -> Any:
    """The sum of all lanes of all vectors, a float32."""
    total = vectors[0]
    for vector in vectors[1:]:
        total = builder.fadd(total, vector, flags=FAST)
    name = f"llvm.vector.reduce.fadd.v{FLOATS_PER_LINE}f32"
    kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
    reduce_add = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
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
def row_dots(typingctx: Any, a: Any, i: Any, b: Any, j: Any) -> Any:
    """(a[i]ᵀ b[j], a[i]ᵀ b[j + 1], a[i]ᵀ b[j + 2], a[i]ᵀ b[j + 3]): a[i] is loaded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left = Matrix(context, builder, signature.args[0], args[0])
        right = Matrix(context, builder, signature.args[2], args[2])
        first = left.index(args[1], whole(0))
        starts = [right.index(builder.add(args[3], whole(r)), whole(0)) for r in range(4)]

        def body(q: Any, sums: list[Any]) -> list[Any]:
            offset = builder.mul(q, whole(FLOATS_PER_LINE))
            x = left.load(builder.add(first, offset))
            rows = [right.load(builder.add(start, offset)) for start in starts]
            return [multiply_add(builder, x, y, total) for y, total in zip(rows, sums, strict=True)]

        zero = ir.Constant(VECTOR, [0.0] * FLOATS_PER_LINE)
        n_vectors = builder.sdiv(left.stride, whole(FLOATS_PER_LINE))
        sums = counted_loop(builder, n_vectors, [zero] * 4, body)
        return context.make_tuple(builder, signature.return_type, [reduced(builder, [x]) for x in sums])

    four = types.UniTuple(types.float32, 4)  # type: ignore[attr-defined]
    return four(a, types.int64, b, types.int64), codegen


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
