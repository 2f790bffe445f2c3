"""The seam: which plan options name, and which combinations are refused with one line."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fastw2v.backends import centers_at_once, make, plan_of, require_supported, supports
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.kernels.tiles.bfloat16 import HAS_BFLOAT16
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import (
    BFLOAT16,
    FEW_LANES,
    LANES,
    Block,
    Lockstep,
    NegativeSampling,
    Pair,
    Panels,
    Paths,
    Plan,
    SkipGram,
    Softmax,
    Whole,
    Words,
)
from fastw2v.training.matrices import aligned_zeros

OPTIONS: dict[str, list[Any]] = {
    "backend": ["numba", "reference"],
    "kernel": ["block", "pair"],
    "loss": ["negative-sampling", "hierarchical-softmax", "softmax"],
    "precision": ["float32", "bfloat16"],
    "deterministic": [False, True],
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]
COUNTS = np.arange(1, 13)


def refusal(options: dict[str, Any]) -> str | None:
    """What the user is told of a combination, or None where it trains."""
    idle = {
        "softmax": ("precision",),
        "hierarchical-softmax": ("precision", "deterministic"),
        "pair": ("precision",),
    }
    for name in (*idle.get(options["loss"], ()), *idle.get(options["kernel"], ())):
        if options[name] in ("pair", "bfloat16", True):
            return f"leave {name} out" + ".*with threads 1 it comes to" * (name == "deterministic")
    if options["loss"] == "softmax":
        if options["kernel"] == "pair" and options["deterministic"]:
            return "deterministic needs kernel block"
        is_pair = (options["backend"], options["kernel"]) == ("numba", "pair")
        return "pair by pair on the reference only" if is_pair else None
    if options["loss"] == "hierarchical-softmax":
        return None
    if options["kernel"] == "pair":
        return "deterministic needs kernel block" if options["deterministic"] else None
    if options["backend"] == "numba" and options["precision"] == "bfloat16" and not HAS_BFLOAT16:
        return "needs a processor with AVX512-BF16"
    return None


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: " ".join(map(str, options.values())))
def test_require_supported__refuses_or_passes(options: dict[str, Any]) -> None:
    """What passes trains: test_properties has a row for it."""
    why_not = refusal(options)
    if why_not is None:
        require_supported(TrainConfig(**options))
        return
    with pytest.raises(UsageError, match=why_not):
        require_supported(TrainConfig(**options))


def test_plan_of__each_option_has_its_type() -> None:
    """The types, since they choose the code; the sizes and tables in their fields."""
    config = TrainConfig(window=7, negatives=3, block_size=9, shared_negatives=4, dynamic_window=False)
    plan = plan_of(config, COUNTS, 5)
    assert plan.architecture[:3] == (7, 1, 4)
    assert plan.architecture.keep_limits.shape == (12,)
    assert isinstance(plan.inputs, Words)
    assert isinstance(plan.objective, NegativeSampling)
    assert plan.objective.n_negatives == 3
    assert plan.estimator == Block(centers_at_once(config, COUNTS), 4, control=0)
    kinds = {
        (("kernel", "pair"),): Pair,
        (("deterministic", True),): Lockstep,
        (("loss", "softmax"),): Whole,
        (("loss", "softmax"), ("deterministic", True)): Panels,
        (("loss", "softmax"), ("backend", "reference"), ("kernel", "pair")): Pair,
        (("loss", "hierarchical-softmax"),): Paths,
        (("loss", "hierarchical-softmax"), ("kernel", "pair")): Pair,
        (("loss", "hierarchical-softmax"), ("architecture", "cbow")): Pair,
        (("loss", "hierarchical-softmax"), ("subwords", "3-6")): Pair,
    }
    for options, kind in kinds.items():
        assert type(plan_of(TrainConfig(**dict(options)), COUNTS, 5).estimator) is kind
    lanes = [plan_of(TrainConfig(deterministic=True), np.ones(n, int), 5).estimator[-1] for n in (999, 1_000)]
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
    vectors = Vectors(aligned_zeros(12, 8), aligned_zeros(12, 8))
    with pytest.raises(UsageError, match="use float32"):
        make(plan, vectors, "numba", 1)
    assert make(plan, vectors, "reference").plan is plan
