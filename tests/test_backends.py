"""The seam: every combination of options trains as its plan says, or is refused with one line."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fastw2v.backends import make, plan_of, require_supported, supports
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.model.arrays import Tokens, Vectors
from fastw2v.model.plan import (
    BFLOAT16,
    FEW_LANES,
    LANES,
    Block,
    Lockstep,
    NegativeSampling,
    Pair,
    Plan,
    Schedule,
    SkipGram,
    Softmax,
    Words,
)
from fastw2v.training.start import aligned_zeros

OPTIONS: dict[str, list[Any]] = {
    "backend": ["numba", "reference"],
    "kernel": ["block", "pair"],
    "loss": ["negative-sampling", "softmax"],
    "precision": ["float32", "bfloat16"],
    "deterministic": [False, True],
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]
COUNTS = np.arange(1, 13)


def refusal(options: dict[str, Any]) -> str | None:
    """What the user is told of a combination, or None where it trains."""
    idle = {"softmax": ("kernel", "precision", "deterministic"), "pair": ("precision",)}
    for name in (*idle.get(options["loss"], ()), *idle.get(options["kernel"], ())):
        if options[name] in ("pair", "bfloat16", True):
            return f"leave {name} out"
    if options["loss"] == "softmax":
        return "add --backend reference" if options["backend"] == "numba" else None
    if options["kernel"] == "pair":
        return "deterministic needs kernel block" if options["deterministic"] else None
    if options["backend"] == "numba" and options["precision"] == "bfloat16" and not HAS_BFLOAT16:
        return "needs a processor with AVX512-BF16"
    return None


def start() -> tuple[Tokens, Vectors]:
    """A sentence of 60 words, and vectors away from zero."""
    rng = np.random.default_rng(0)
    vectors = Vectors(aligned_zeros(12, 8), aligned_zeros(12, 8))
    for matrix in vectors:
        matrix[:, :8] = rng.normal(size=(12, 8)) / 4
    return Tokens(rng.integers(0, 12, 60).astype(np.int32), np.array([0, 60])), vectors


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: " ".join(map(str, options.values())))
def test_require_supported__refuses_or_the_plan_trains(
    options: dict[str, Any],
) -> None:
    why_not = refusal(options)
    if why_not is not None:
        with pytest.raises(UsageError, match=why_not):
            require_supported(TrainConfig(dim=8, sample=0, threads=1, **options))
        return
    config = TrainConfig(dim=8, sample=0, threads=1, **options)
    require_supported(config)
    tokens, vectors = start()
    before = Vectors(*(matrix.copy() for matrix in vectors))
    backend = make(plan_of(config, COUNTS, 60), vectors, config.backend, 1)
    backend.compile(tokens)
    schedule = Schedule(np.uint64(1), 0, 120, 0.1, 0.0)
    without_step = backend.loss(tokens, 1, 1)
    assert all((now == was).all() for now, was in zip(backend.host(), before, strict=True))
    totals = backend.train(tokens, schedule, 0, 1)
    assert totals[1:] == without_step[1:]
    assert totals.n_kept == 60
    assert all(np.abs(now - was).max() > 1e-3 for now, was in zip(backend.host(), before, strict=True))


def test_plan_of__each_option_has_its_type() -> None:
    """The types, since they choose the code; the sizes and tables in their fields."""
    config = TrainConfig(window=7, negatives=3, block_size=9, shared_negatives=4, dynamic_window=False)
    plan = plan_of(config, COUNTS, 5)
    assert plan.architecture[:3] == (7, 1, 4)
    assert plan.architecture.keep_limits.shape == (12,)
    assert isinstance(plan.inputs, Words)
    assert isinstance(plan.objective, NegativeSampling)
    assert plan.objective.n_negatives == 3
    assert plan.estimator == Block(9, 4)
    kinds = {
        (("kernel", "pair"),): Pair,
        (("deterministic", True),): Lockstep,
        (("loss", "softmax"), ("backend", "reference")): Pair,
    }
    for options, kind in kinds.items():
        assert type(plan_of(TrainConfig(**dict(options)), COUNTS, 5).estimator) is kind
    lanes = [plan_of(TrainConfig(deterministic=True), np.ones(n, int), 5).estimator[-1] for n in (99, 100)]
    assert lanes == [FEW_LANES, LANES]


def test_supports__softmax_has_nothing_to_share() -> None:
    architecture = SkipGram(5, 0, 5, np.zeros(3, np.uint32))
    for estimator in (Block(8, 8), Lockstep(8, 8)):
        for backend in ("numba", "reference"):
            assert "no noise" in (supports(Plan(architecture, Words(), Softmax(), estimator), backend) or "")


def test_make__refuses_what_is_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastw2v.kernels.tiles.bfloat16.HAS_BFLOAT16", False)
    objective = NegativeSampling(5, np.zeros(12, np.uint64))
    plan = Plan(SkipGram(5, 0, 5, np.zeros(12, np.uint32)), Words(), objective, Block(8, 8, BFLOAT16))
    with pytest.raises(UsageError, match="use float32"):
        make(plan, start()[1], "numba", 1)
    assert make(plan, start()[1], "reference").plan is plan
