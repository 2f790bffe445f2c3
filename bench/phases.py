"""`kernels`: where a block's time goes, against the machine's own FMA peak and memory bandwidth."""

from __future__ import annotations

import time
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from bench.options import Session, say
from bench.peak import bandwidth, fma_peak
from bench.trainers import first_tokens
from fastw2v.backends import plan_of
from fastw2v.kernels.block.scratch import PHASES
from fastw2v.kernels.block.step import train_units
from fastw2v.kernels.compiler import compiler
from fastw2v.model.arrays import KEPT, PAIRS, UNIT, Tokens, Vectors, Work, new_totals, padded
from fastw2v.training.matrices import aligned_zeros
from fastw2v.training.start import longest_sentence, make_schedule
from fastw2v.vectors.embeddings import fill_initial

UNITS = 600  # 2.5 M tokens
DENSE = ("noise scores", "update centers", "update noise")


class Stream(NamedTuple):
    """What a clocked run came to; cycles int64 (phases,)."""

    seconds: float
    n_kept: int
    n_pairs: int
    cycles: NDArray[np.int64]


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
    dim, size = config.dim, config.block_size
    shared = config.shared_draws(len(session.material.corpus.vocabulary))
    pairs = stream.n_pairs / stream.n_kept
    flops = dict.fromkeys(PHASES, 0.0)
    flops["noise scores"] = flops["update noise"] = 2.0 * dim * shared
    flops["update centers"] = 2.0 * dim * shared
    flops["pairs"] = 6.0 * dim * pairs
    traffic = dict.fromkeys(PHASES, 0.0)
    traffic["gather rows"] = 4.0 * padded(dim) * (1 + shared / size)
    traffic["pairs"] = 4.0 * padded(dim)  # of a window, one row is new
    return np.array(list(flops.values())), np.array(list(traffic.values()))


def limits(peak: float, precision: str) -> NDArray[np.float64]:
    """GFLOP/s that no phase can exceed: an instruction of bfloat16 does the work of two."""
    return peak * np.array([2.0 if precision == "bfloat16" and phase in DENSE else 1.0 for phase in PHASES])


def require_below(most: NDArray[np.float64], rates: NDArray[np.float64]) -> None:
    """Raise ClickException for a phase that does more than can be: then it or the peak is wrong."""
    for phase, limit, rate in zip(PHASES, most, rates, strict=True):
        if rate > limit:
            raise click.ClickException(
                f"{phase}: {rate:.0f} GFLOP/s, above the core's peak of {limit:.0f}: one of them is measured "
                "wrongly, or the machine was busy while the peak was; measure again on a quiet one"
            )


def kernels(session: Session) -> None:
    """GFLOP/s of each phase on one core. The best of the rounds, as for the peak it is held against."""
    peak, copy = fma_peak(), bandwidth()
    bits = compiler().vector_bits
    say(f"one core: {peak:.0f} GFLOP/s in registers of {bits} bits, {copy:.1f} GB/s of copying")
    streams = [clocked_run(session) for _ in range(session.options.rounds + 1)][1:]  # the first compiles
    each = np.array([s.cycles / s.cycles.sum() * s.seconds / s.n_kept * 1e9 for s in streams])
    nanoseconds = each.min(axis=0)
    flops, traffic = useful_work(session, streams[0])
    require_below(limits(peak, session.options.config.precision), flops / nanoseconds)
    for phase, ns, work, moved in zip(PHASES, nanoseconds, flops, traffic, strict=True):
        session.records.add(
            bench="kernels",
            phase=phase,
            **session.settings,
            nanoseconds=float(ns),
            flops=float(work),
            row_bytes=float(moved),
            dense=phase in DENSE,
            vector_bits=bits,
            peak_gflops=peak,
            copy_gigabytes=copy,
        )
        say(f"{phase}: {ns:.0f} ns a kept word" + (f", {work / ns:.0f} GFLOP/s" if work else ""))
    own = np.array([phase in DENSE for phase in PHASES])
    rate = flops[own].sum() / nanoseconds[own].sum()
    say(f"dense products: {rate:.0f} GFLOP/s, {rate / peak:.0%} of the peak")
