"""The errors of the pairs of neighbouring centres, a line of words at a time.

As instructions, because LLVM makes no vectors of loops over so few numbers that may be those of one array:
the errors of a word's 9 pairs took 160 ns, and take 20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels import scalar
from fastw2v.kernels.tiles.registers import (
    FAST,
    I32,
    VECTOR,
    Lanes,
    address,
    counted_loop,
    multiply_add,
    splat,
    whole,
)
from fastw2v.kernels.tiles.rows import reduced
from fastw2v.model.arrays import FLOATS_PER_LINE

LINE = Lanes(FLOATS_PER_LINE)
EXPONENT_BIAS, MANTISSA_BITS = 127, 23
POWER = (scalar.E0, scalar.E1, scalar.E2, scalar.E3, scalar.E4, scalar.E5)
LOGARITHM = (scalar.L0, scalar.L1, scalar.L2, scalar.L3, scalar.L4, scalar.L5, scalar.L6, scalar.L7)


def constant(value: float) -> Any:
    """A number in all lanes."""
    return ir.Constant(VECTOR, [float(np.float32(value))] * FLOATS_PER_LINE)


def product(builder: Any, x: Any, y: Any) -> Any:
    """x·y."""
    return builder.fmul(x, y, flags=FAST)


def polynomial(builder: Any, x: Any, factors: Sequence[np.float32]) -> Any:
    """Σ_n factors[n]·xⁿ."""
    value = constant(float(factors[-1]))
    for factor in factors[-2::-1]:
        value = multiply_add(builder, value, x, constant(float(factor)))
    return value


def smaller(builder: Any, x: Any, y: Any) -> Any:
    """The smaller of two numbers, the second of NaN and a number."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def exp_minus_abs(builder: Any, x: Any) -> Any:
    """exp(−|x|), as `fastw2v.kernels.scalar.exp_minus_abs`."""
    log2_e = constant(float(scalar.LOG2_E))
    size = builder.select(builder.fcmp_ordered("<", x, constant(0)), builder.fneg(x), x)
    power = product(builder, smaller(builder, size, constant(float(scalar.LARGEST_ARGUMENT))), log2_e)
    integers = ir.VectorType(I32, FLOATS_PER_LINE)
    n = builder.fptosi(power, integers)  # of t = −power, towards 0
    f = builder.fsub(builder.sitofp(n, VECTOR), power, flags=FAST)
    bias, bits = (
        ir.Constant(integers, [value] * FLOATS_PER_LINE) for value in (EXPONENT_BIAS, MANTISSA_BITS)
    )
    power_of_two = builder.bitcast(builder.shl(builder.sub(bias, n), bits), VECTOR)
    return product(builder, power_of_two, polynomial(builder, f, POWER))


def within(builder: Any, x: Any, most: Any) -> Any:
    """x, or the end of −most to most that is next to it."""
    least = builder.fneg(most)
    below = builder.select(builder.fcmp_ordered(">", x, most), most, x)
    return builder.select(builder.fcmp_ordered("<", below, least), least, below)


def error_and_loss(builder: Any, x: Any) -> tuple[Any, Any]:
    """σ(−x) and −log σ(x) of a vector of scores; the loss of NaN is NaN, which ends a run."""
    e, one = exp_minus_abs(builder, x), constant(1)
    is_negative = builder.fcmp_ordered("<", x, constant(0))
    error = builder.fdiv(builder.select(is_negative, one, e), builder.fadd(one, e, flags=FAST), flags=FAST)
    below = builder.fneg(builder.select(builder.fcmp_ordered(">", x, constant(0)), constant(0), x))  # NaN too
    return error, multiply_add(builder, e, polynomial(builder, e, LOGARITHM), below)


@intrinsic
def pair_errors(typingctx: Any, window: Any, width: Any, center_steps: Any) -> Any:
    """Fill in pulls and steps of a `Window` from its scores, for the centres in turn; returns the loss.

    Of centre c and word p, with b the centres before c,

        score = scores[c, p] + Σ_b products[b, c]·steps[b, p], error = shares[c, p]·σ(−score),
        pulls[c, p] = center_steps[c]·error, steps[c, p] = word_steps[p]·error.

    A window with `against` is one of nodes: words of which so much leave the node by the branch where its
    score is to be low. Then error = shares·σ(−score) − against, and steps[c, p] is held within ± most[c].

    width         words of a centre, in whole lines
    center_steps  tuple of float32
    """
    fields = window.instance_class._fields
    n_centers = center_steps.count

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        arrays = {
            name: address(context, builder, kind, builder.extract_value(args[0], n))
            for n, (name, kind) in enumerate(zip(fields, signature.args[0].types, strict=True))
            if kind != types.none
        }
        against, most = arrays.get("against"), arrays.get("most")
        scores, shares, pulls, steps, word_steps, products = (
            arrays[name] for name in ("scores", "shares", "pulls", "steps", "word_steps", "products")
        )
        own_steps = [splat(builder, builder.extract_value(args[2], c)) for c in range(n_centers)]
        limits = [LINE.spread(builder, most, whole(c)) for c in range(n_centers)] if most is not None else []

        def body(q: Any, losses: list[Any]) -> list[Any]:
            place = builder.mul(q, whole(FLOATS_PER_LINE))
            of_words, loss = LINE.load(builder, word_steps, place), losses[0]
            before: list[Any] = []
            for c in range(n_centers):
                at = builder.add(builder.mul(args[1], whole(c)), place)
                score = LINE.load(builder, scores, at)
                for b, step in enumerate(before):
                    of_both = LINE.spread(builder, products, whole(b * n_centers + c))
                    score = multiply_add(builder, of_both, step, score)
                error, own_loss = error_and_loss(builder, score)
                share = LINE.load(builder, shares, at)
                error = product(builder, share, error)
                loss = multiply_add(builder, share, own_loss, loss)
                if against is not None:
                    other = LINE.load(builder, against, at)
                    error = builder.fsub(error, other, flags=FAST)
                    loss = multiply_add(builder, other, score, loss)
                step = product(builder, of_words, error)
                before.append(step if most is None else within(builder, step, limits[c]))
                LINE.store(builder, before[-1], steps, at)
                LINE.store(builder, product(builder, own_steps[c], error), pulls, at)
            return [loss]

        count = builder.sdiv(args[1], whole(FLOATS_PER_LINE))
        return reduced(builder, counted_loop(builder, count, [constant(0)], body))

    return types.float32(window, types.int64, center_steps), codegen
