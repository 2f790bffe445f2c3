"""The yardstick of the kernels: the multiply-adds that a core does, and no phase above them."""

from __future__ import annotations

import platform
import time
from typing import Any

import click
import numpy as np
import pytest
from llvmlite import ir

from bench import peak
from bench.peak import CHAINS, FLOATS, fma_peak, multiply_adds, n_chains, spin
from bench.phases import limits, require_below
from fastw2v.kernels.block.scratch import PHASES
from fastw2v.kernels.tiles.registers import FEATURES, WIDE
from tests.assembly import ARM, FMA, STACK, X86, assembly_for, hot_loop

HAS_FMA = bool(FEATURES.get("fma")) or platform.machine().lower() in ("arm64", "aarch64")


def chains_for(triple: str, cpu: str, chains: int) -> str:
    """The loop of the chains."""

    def build(builder: Any, function: Any) -> None:
        builder.ret(multiply_adds(builder, function.args[0], chains))

    return hot_loop(assembly_for(triple, cpu, [ir.IntType(64)], ir.FloatType(), build))


@pytest.mark.parametrize(
    ("triple", "cpu", "wide", "floats"),
    [
        (X86, "znver4", True, 16),
        (X86, "znver5", True, 16),
        (X86, "znver3", False, 8),
        (X86, "haswell", False, 8),
        (ARM, "neoverse-n1", False, 4),
        (ARM, "apple-m1", False, 4),
    ],
)
def test_multiply_adds__are_as_many_as_claimed_and_stay_in_registers(
    triple: str, cpu: str, wide: bool, floats: int
) -> None:
    chains = n_chains(wide, triple.partition("-")[0])
    loop = chains_for(triple, cpu, chains)
    n_a_round = chains * FLOATS // floats  # the loop holds some rounds
    assert len(FMA.findall(loop)) >= n_a_round
    assert len(FMA.findall(loop)) % n_a_round == 0
    assert not STACK.findall(loop)
    assert n_a_round >= 8  # that hide the latency


def test_hot_loop__shows_what_was_wrong() -> None:
    """Twelve chains in 16 registers of 256 bits are spilled."""
    assert STACK.findall(chains_for(X86, "znver3", 12))


@pytest.mark.skipif(not HAS_FMA, reason="no fused multiply-add")
def test_spin__is_what_the_machine_runs() -> None:
    spin(1)
    (assembly,) = spin.inspect_asm().values()
    loop = hot_loop(assembly)
    n_a_round = CHAINS * (1 if WIDE else 2 if FEATURES.get("avx") else 4)
    assert len(FMA.findall(loop)) % n_a_round == 0 != len(FMA.findall(loop))
    assert not STACK.findall(loop)


@pytest.mark.skipif(not HAS_FMA, reason="no fused multiply-add")
def test_fma_peak__is_of_the_work_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SPIN_LENGTH", 1000)
    monkeypatch.setattr(peak, "best_seconds", lambda *given, rounds: 1e-6)
    assert fma_peak() == pytest.approx(2 * FLOATS * CHAINS)


def test_best_seconds__is_the_shortest_of_some() -> None:
    pauses = iter([0.0, 0.05, 0.001, 0.05])
    assert peak.best_seconds(lambda: time.sleep(next(pauses)), rounds=3) < 0.04


def test_require_below__no_phase_is_above_the_peak() -> None:
    rates = np.full(len(PHASES), 99.0)
    require_below(limits(100.0, "float32"), rates)
    rates[PHASES.index("noise scores")] = 101.0
    require_below(limits(100.0, "bfloat16"), rates)
    with pytest.raises(
        click.ClickException, match=r"noise scores: 101 GFLOP/s, above the core's peak of 100"
    ):
        require_below(limits(100.0, "float32"), rates)
    rates[PHASES.index("pairs")] = 101.0
    with pytest.raises(click.ClickException, match="pairs"):
        require_below(limits(100.0, "bfloat16"), rates)
