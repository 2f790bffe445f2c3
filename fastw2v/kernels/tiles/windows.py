"""The scores of neighbouring centres with the words of their windows, and the steps for them.

Neighbours share most of their windows. Loaded twice and stored once for each pair, rows keep a processor
waiting for its stores: on an Emerald Rapids, where a load waits for any store before it with the same low
12 bits of its address, the 9 pairs of a word took 1,065 ns. Here each row is loaded twice and stored once
for all of four centres, with the same result: 410 ns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.tiles.registers import (
    FAST,
    FEATURES,
    FLOAT,
    HAS_32_REGISTERS,
    I32,
    I64,
    WIDE,
    Lanes,
    Matrix,
    address,
    counted_loop,
    multiply_add,
    numbers,
    whole,
)
from fastw2v.model.arrays import FLOATS_PER_LINE


class Shape(NamedTuple):
    """What of the windows of four centres is in registers at once.

    A tile of scores keeps a sum for each of its rows and centres, beside a vector of each; a strip of a step
    keeps some vectors of each centre's row and as many sums, beside that of a word's row and
    a factor: 32 registers hold 16 + 8 and 8 + 8 + 2 + 1, and 16 hold 8 + 6 and 4 + 4 + 1 + 1.
    """

    rows: int
    vectors: int


def shape(has_32_registers: bool) -> Shape:
    """That of a processor, which spills nothing."""
    return Shape(4, 2) if has_32_registers else Shape(2, 1)


LANES = Lanes(FLOATS_PER_LINE if WIDE else 8 if FEATURES.get("avx") else 4)
SCORE_ROWS, STRIP = shape(HAS_32_REGISTERS)


def score_sums(
    builder: Any, lanes: Lanes, outside: Any, rows: list[Any], source: Any, centers: list[Any], n_floats: Any
) -> list[Any]:
    """Sums whose lanes add up to the score of each row with each centre, those of a centre together.

    outside, source  pointers; rows, centers begin at these places of them
    """

    def body(q: Any, sums: list[Any]) -> list[Any]:
        offset = builder.mul(q, whole(lanes.n))
        given = [lanes.load(builder, source, builder.add(start, offset)) for start in centers]
        words = [lanes.load(builder, outside, builder.add(start, offset)) for start in rows]
        factors = [(u, h) for h in given for u in words]
        return [multiply_add(builder, *pair, total) for pair, total in zip(factors, sums, strict=True)]

    count = builder.sdiv(n_floats, whole(lanes.n))
    return counted_loop(builder, count, [lanes.zero] * (len(rows) * len(centers)), body)


def step_strip(
    builder: Any,
    lanes: Lanes,
    places: list[Any],
    outside: Any,
    starts: tuple[Any, Any, Any],
    given: list[list[Any]],
    factors: list[list[tuple[Any, Any]]],
) -> list[Any]:
    """Step some columns of the rows of words, one after the other; returns the sums for each centre.

    places   of the columns in a row
    starts   (pointer to the numbers of the rows, how many, floats of a row)
    given    those columns of each centre's row
    factors  of each centre, (pointer, place) of the first row's pull and of its step
    """
    words, n_rows, stride = starts
    width = len(places)

    def body(r: Any, totals: list[Any]) -> list[Any]:
        start = builder.mul(builder.load(builder.gep(words, [r])), stride)
        at = [builder.add(start, place) for place in places]
        moved, results = [lanes.load(builder, outside, place) for place in at], []
        for c, h in enumerate(given):
            pull, step = (lanes.spread(builder, data, builder.add(first, r)) for data, first in factors[c])
            sums = totals[c * width : (c + 1) * width]
            results += [multiply_add(builder, pull, u, total) for u, total in zip(moved, sums, strict=True)]
            moved = [multiply_add(builder, step, v, u) for v, u in zip(h, moved, strict=True)]
        for value, place in zip(moved, at, strict=True):
            lanes.store(builder, value, outside, place)
        return results

    return counted_loop(builder, n_rows, [lanes.zero] * (len(given) * width), body)


@intrinsic
def score_rows(
    typingctx: Any, scores: Any, place: Any, width: Any, table: Any, rows: Any, source: Any, centers: Any
) -> Any:
    """scores[c·width + place + r] = table[rows[r]]ᵀ source[centers[c]] for all rows and centres.

    rows and centers are tuples of int64, as long as powers of two.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        outside, inside = (Matrix(context, builder, kinds[n], args[n]) for n in (3, 5))
        row_starts = [outside.index(row, whole(0)) for row in numbers(context, builder, kinds[4], args[4])]
        starts = [inside.index(row, whole(0)) for row in numbers(context, builder, kinds[6], args[6])]
        stride, n_rows = outside.stride, len(row_starts)
        sums = score_sums(builder, LANES, outside.data, row_starts, inside.data, starts, stride)
        data = address(context, builder, kinds[0], args[0])
        for first in range(0, len(sums), LANES.n):
            some = LANES.sums_of(builder, sums[first : first + LANES.n])
            for part in range(0, LANES.n, n_rows):
                mask = ir.Constant(ir.VectorType(I32, n_rows), list(range(part, part + n_rows)))
                line = builder.mul(args[2], whole((first + part) // n_rows))
                of_center = builder.shuffle_vector(some, some, mask)
                Lanes(n_rows).store(builder, of_center, data, builder.add(line, args[1]))
        return context.get_dummy_value()

    i64 = types.int64
    return types.void(scores, i64, i64, table, rows, source, centers), codegen


@intrinsic
def step_rows(
    typingctx: Any, target: Any, source: Any, centers: Any, table: Any, size: Any, pairs: Any
) -> Any:
    """For each row r in turn, of table[rows[r]] for r < n, and for each c in turn:

        total_c += pulls[c·width + r]·row, then row += steps[c·width + r]·source[centers[c]];

    and in the end target[centers[c]] += total_c, one after the other: two of them may be one row.

    size   (n, width)
    pairs  (rows, pulls, steps), an array of int64 and two of float32
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        into, inside, outside = (Matrix(context, builder, kinds[n], args[n]) for n in (0, 1, 3))
        centers = numbers(context, builder, kinds[2], args[2])
        n_rows, width = (builder.extract_value(args[4], n) for n in (0, 1))
        words, pull_data, step_data = (
            address(context, builder, kind, builder.extract_value(args[5], n), element)
            for n, (kind, element) in enumerate(zip(kinds[5].types, (I64, FLOAT, FLOAT), strict=True))
        )
        starts = words, n_rows, outside.stride
        lines = [builder.mul(width, whole(c)) for c in range(len(centers))]
        factors = [[(pull_data, line), (step_data, line)] for line in lines]

        def strips(begin: Any, count: Any, n_vectors: int) -> None:
            def body(q: Any, nothing: list[Any]) -> list[Any]:
                first = builder.add(begin, builder.mul(q, whole(LANES.n * n_vectors)))
                places = [builder.add(first, whole(LANES.n * v)) for v in range(n_vectors)]
                given = [
                    [LANES.load(builder, inside.data, inside.index(center, place)) for place in places]
                    for center in centers
                ]
                totals = iter(step_strip(builder, LANES, places, outside.data, starts, given, factors))
                for center in centers:
                    for at in [into.index(center, place) for place in places]:
                        moved = builder.fadd(LANES.load(builder, into.data, at), next(totals), flags=FAST)
                        LANES.store(builder, moved, into.data, at)
                return []

            counted_loop(builder, count, [], body)

        vectors = builder.sdiv(outside.stride, whole(LANES.n))
        n_strips = builder.sdiv(vectors, whole(STRIP))
        done = builder.mul(n_strips, whole(STRIP))
        strips(whole(0), n_strips, STRIP)
        if STRIP > 1:
            strips(builder.mul(done, whole(LANES.n)), builder.sub(vectors, done), 1)
        return context.get_dummy_value()

    return types.void(target, source, centers, table, size, pairs), codegen
