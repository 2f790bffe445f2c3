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
FEATURES = binding.get_host_cpu_features()
WIDE = bool(FEATURES.get("avx512f"))
# Pairs of bfloat16 multiplied and added in float32, twice the products of a float32 instruction.
HAS_BFLOAT16 = WIDE and bool(FEATURES.get("avx512bf16"))
SCORE_ROWS, SCORE_VECTORS = (8, 2) if WIDE else (4, 1)
UPDATE_ROWS, UPDATE_VECTORS = (4, 4) if WIDE else (2, 2)


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


def splat(builder: Any, scalar: Any) -> Any:
    """A float32 in all lanes."""
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(I32, 0))
    lanes = ir.Constant(ir.VectorType(I32, FLOATS_PER_LINE), None)
    return builder.shuffle_vector(single, ir.Constant(VECTOR, ir.Undefined), lanes)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, fused where the machine can."""
    return builder.fadd(builder.fmul(a, b, flags=FAST), c, flags=FAST)


def multiply_add_pairs(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a₀·b₀ + a₁·b₁ + c in every lane, a and b two bfloat16 a lane."""
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    kind = ir.FunctionType(VECTOR, [VECTOR, PAIRS, PAIRS])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, [c, builder.bitcast(a, PAIRS), builder.bitcast(b, PAIRS)])


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


@intrinsic
def transpose_tile(typingctx: Any, target: Any, d: Any, rows: Any, s: Any) -> Any:
    """target[d + e, s + r] = rows[s + r, d + e] for r, e < 16, in registers: four rounds of exchanges."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into = Matrix(context, builder, signature.args[0], args[0])
        source = Matrix(context, builder, signature.args[2], args[2])
        n = FLOATS_PER_LINE
        lanes = [source.load(source.index(builder.add(args[3], whole(r)), args[1])) for r in range(n)]
        distance = 1
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
        for e in range(n):
            into.store(lanes[e], into.index(builder.add(args[1], whole(e)), args[3]))
        return context.get_dummy_value()

    return types.void(target, types.int64, rows, types.int64), codegen


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
