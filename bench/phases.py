"""`kernels`: where a block's time goes, against the machine's own FMA peak and memory bandwidth."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from bench.options import Session, say
from bench.trainers import first_tokens
from fastw2v.backends import plan_of
from fastw2v.kernels.block.scratch import PHASES
from fastw2v.kernels.block.step import train_units
from fastw2v.model.arrays import KEPT, PAIRS, UNIT, Tokens, Vectors, Work, new_totals, padded
from fastw2v.training.start import aligned_zeros, longest_sentence, make_schedule
from fastw2v.vectors.embeddings import fill_initial

CHAINS = 12  # independent sums: 4 cycles of latency on two units are hidden by 8
UNITS = 600  # 2.5 M tokens
COLUMN_BYTES = 256 << 20  # far over the last level of cache
DENSE = ("noise scores", "update centers", "update noise")


class Stream(NamedTuple):
    """What a clocked run came to; cycles int64 (phases,)."""

    seconds: float
    n_kept: int
    n_pairs: int
    cycles: NDArray[np.int64]


@intrinsic
def spin_fma(typingctx: Any, count: Any) -> Any:
    """CHAINS independent chains of 16-float fused multiply-adds, `count` long; returns their sum."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), 16)
        name = "llvm.fma.v16f32"
        fma = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(vector, [vector] * 3), name
        )
        start = builder.block
        loop, done = builder.append_basic_block("fma"), builder.append_basic_block("fma.done")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(ir.IntType(64))
        i.add_incoming(ir.Constant(ir.IntType(64), 0), start)
        scale = ir.Constant(vector, [0.5] * 16)
        sums = [builder.phi(vector) for _ in range(CHAINS)]
        for n, total in enumerate(sums):
            total.add_incoming(ir.Constant(vector, [float(n)] * 16), start)
            total.add_incoming(builder.call(fma, [total, scale, scale]), loop)
        after = builder.add(i, ir.Constant(ir.IntType(64), 1))
        i.add_incoming(after, loop)
        builder.cbranch(builder.icmp_signed("<", after, args[0]), loop, done)
        builder.position_at_end(done)
        total = sums[0]
        for other in sums[1:]:
            total = builder.fadd(total, other)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

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
    """GFLOP/s of one core in independent multiply-adds of 16 floats that never leave the registers."""
    count = 20_000_000
    return 2 * 16 * CHAINS * count / best_seconds(spin, count) / 1e9


def bandwidth() -> float:
    """GB/s of one core that copies an array: bytes read plus bytes written."""
    source = np.ones(COLUMN_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    return 2 * source.nbytes / best_seconds(copy_column, target, source) / 1e9


def clocked_run(session: Session) -> Stream:
    """Train the corpus's first units on one core with the clock on, the second half of them counted."""
    config = session.options.config
    corpus = first_tokens(session.material.corpus, UNITS * UNIT)
    vectors = Vectors(*(aligned_zeros(len(corpus.vocabulary), config.dim) for _ in range(2)))
    fill_initial(vectors.center[:, : config.dim], config.seed)
    schedule = make_schedule(config, len(session.material.corpus.ids))
    plan = plan_of(config, corpus.vocabulary.counts, longest_sentence(corpus.offsets))
    arguments = (vectors, Tokens(corpus.ids, corpus.offsets), plan, schedule)
    clock = np.zeros(len(PHASES) + 1, np.int64)
    units = -(-len(corpus.ids) // UNIT)
    half, totals = max(1, units // 2), new_totals(1)
    train_units(*arguments, Work(np.array([0, half]), clock=clock), totals)
    clock[:-1], totals[:] = 0, 0
    started = time.perf_counter()
    train_units(*arguments, Work(np.array([units // 2, units]), clock=clock), totals)
    seconds = time.perf_counter() - started
    return Stream(seconds, int(totals[0, KEPT]), int(totals[0, PAIRS]), clock[:-1].copy())


def useful_work(session: Session, stream: Stream) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Floating-point operations and bytes of rows from and to memory that each phase needs, a kept word.

    Padding, the tiles' corners that belong to no pair, and copies within the cache are not counted as work.
    """
    config = session.options.config
    dim, shared, size = config.dim, config.shared_negatives, config.block_size
    pairs = stream.n_pairs / stream.n_kept
    flops = dict.fromkeys(PHASES, 0.0)
    flops["noise scores"] = flops["update noise"] = 2.0 * dim * shared
    flops["update centers"] = 2.0 * dim * shared
    flops["pairs"] = 6.0 * dim * pairs
    traffic = dict.fromkeys(PHASES, 0.0)
    traffic["gather rows"] = 4.0 * padded(dim) * (1 + shared / size)
    traffic["pairs"] = 4.0 * padded(dim)  # of a window, one row is new
    return np.array(list(flops.values())), np.array(list(traffic.values()))


def kernels(session: Session) -> None:
    """GFLOP/s of each phase on one core. The best of the rounds, as for the peak it is held against."""
    peak, copy = fma_peak(), bandwidth()
    say(f"one core: {peak:.0f} GFLOP/s of multiply-adds in registers, {copy:.1f} GB/s of copying")
    streams = [clocked_run(session) for _ in range(session.options.rounds + 1)][1:]  # the first compiles
    each = np.array([s.cycles / s.cycles.sum() * s.seconds / s.n_kept * 1e9 for s in streams])
    nanoseconds = each.min(axis=0)
    flops, traffic = useful_work(session, streams[0])
    for phase, ns, work, moved in zip(PHASES, nanoseconds, flops, traffic, strict=True):
        session.records.add(
            bench="kernels",
            phase=phase,
            **session.settings,
            nanoseconds=float(ns),
            flops=float(work),
            row_bytes=float(moved),
            dense=phase in DENSE,
            peak_gflops=peak,
            copy_gigabytes=copy,
        )
        say(f"{phase}: {ns:.0f} ns a kept word" + (f", {work / ns:.0f} GFLOP/s" if work else ""))
