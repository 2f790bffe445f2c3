"""What a core can do: multiply-adds in registers, and copying."""

from __future__ import annotations

import platform
import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from fastw2v.kernels.tiles.registers import WIDE

FLOATS = 16  # of a vector: one register of AVX-512, two of AVX2, four of NEON
SPIN_LENGTH = 1_000_000  # a few milliseconds: some of many such runs are whole, on a busy machine too
SPINS = 60
COLUMN_BYTES = 256 << 20  # far over the last level of cache


def n_chains(wide: bool, machine: str) -> int:
    """Independent chains that hide the latency of multiply-adds and fit the registers beside their factor.

    4 cycles of latency on two units want 8 registers in flight. Of 32 with 512 bits, 12 are taken; of 16 with
    256 bits, 10 (with 12 LLVM spills three of them, and halves the speed); of 32 with 128 bits, 16.
    """
    if wide:
        return 12
    return 5 if machine.lower() in ("x86_64", "amd64") else 4


CHAINS = n_chains(WIDE, platform.machine())


def multiply_adds(builder: Any, count: Any, chains: int) -> Any:
    """So many chains of FLOATS-wide fused multiply-adds x·½ + ½, `count` long; the sum of their ends.

    They start at 2, 3, …: at 1, the fixed point, LLVM would leave a chain out.
    """
    vector, i64 = ir.VectorType(ir.FloatType(), FLOATS), ir.IntType(64)
    name = f"llvm.fma.v{FLOATS}f32"
    fma = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(vector, [vector] * 3), name
    )
    before = builder.block
    loop, done = builder.append_basic_block("fma"), builder.append_basic_block("fma.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    i = builder.phi(i64)
    i.add_incoming(ir.Constant(i64, 0), before)
    half = ir.Constant(vector, [0.5] * FLOATS)
    sums = [builder.phi(vector) for _ in range(chains)]
    for n, total in enumerate(sums):
        total.add_incoming(ir.Constant(vector, [n + 2.0] * FLOATS), before)
        total.add_incoming(builder.call(fma, [total, half, half]), loop)
    after = builder.add(i, ir.Constant(i64, 1))
    i.add_incoming(after, loop)
    builder.cbranch(builder.icmp_signed("<", after, count), loop, done)
    builder.position_at_end(done)
    total = sums[0]
    for other in sums[1:]:
        total = builder.fadd(total, other)
    return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))


@intrinsic
def spin_fma(typingctx: Any, count: Any) -> Any:
    """`multiply_adds` of as many chains as suit this machine."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return multiply_adds(builder, args[0], CHAINS)

    return types.float32(types.int64), codegen


@njit(nogil=True)
def spin(count):
    return spin_fma(count)


@njit(nogil=True, fastmath=True)
def copy_column(target, source):
    for i in range(len(source)):
        target[i] = source[i]


def best_seconds(function: Any, *arguments: Any, rounds: int = 5) -> float:
    """The shortest of some runs: what the machine can do, not what it did meanwhile."""
    function(*arguments)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - started)
    return min(times)


def fma_peak() -> float:
    """GFLOP/s of one core in independent multiply-adds that never leave the registers."""
    return 2 * FLOATS * CHAINS * SPIN_LENGTH / best_seconds(spin, SPIN_LENGTH, rounds=SPINS) / 1e9


def bandwidth() -> float:
    """GB/s of one core that copies an array: bytes read plus bytes written."""
    source = np.ones(COLUMN_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    return 2 * source.nbytes / best_seconds(copy_column, target, source) / 1e9
