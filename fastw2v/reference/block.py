"""Estimator `block`: pairs window after window, the noise of T centres at once.

The twin of `fastw2v.kernels.block`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import (
    PLACES,
    RUN,
    Architecture,
    Block,
    Cbow,
    GivenPairs,
    GlobalContext,
    Lockstep,
    NegativeSampling,
    Plan,
    Schedule,
    Subwords,
)
from fastw2v.model.streams import noise_stream
from fastw2v.reference.architectures import Kept, gradient_of
from fastw2v.reference.bags import bag_step
from fastw2v.reference.copies import merge_some, place_words
from fastw2v.reference.losses import Array
from fastw2v.reference.ngrams import ngram_step
from fastw2v.reference.noise import (
    PLAIN,
    Numbers,
    Parts,
    Seen,
    limit_steps,
    noise_gradients,
    nothing_seen,
    remember,
    update_rows,
    weigh_noise,
)
from fastw2v.reference.objectives import draw_shared
from fastw2v.reference.pairs import contexts_of, neighbours_of, step_contexts
from fastw2v.reference.units import Rates, centers_in, keep_unit, rates_at


def order_centers(span: range) -> Numbers:
    """The centres of a unit in the order in which blocks take them: RUN from each of PLACES parts in turn.

    Neighbours share a topic. A draw is pushed away from all centres of its block at once, and those of one
    topic would push it far to one side: see PLACES.
    """
    length = max(1, -(-len(span) // PLACES))
    parts = [range(start, min(start + length, span.stop)) for start in range(span.start, span.stop, length)]
    order = [i for run in range(0, length, RUN) for part in parts for i in part[run : run + RUN]]
    return np.array(order, dtype=np.intp)


def list_centers(architecture: Architecture, kept: Kept, span: range) -> Numbers:
    """The centres of a unit in order; given pairs come in a drawn order as it is."""
    if isinstance(architecture, GivenPairs):
        return np.array([i for i in span if kept[i].radius > 0], dtype=np.intp)
    if isinstance(architecture, GlobalContext):
        return np.array(centers_in(architecture, kept, span), np.intp)[order_centers(span)]
    return order_centers(span)


def step_windows(
    vectors: Vectors, kept: Kept, centers: Numbers, steps: tuple[Array, Array]
) -> tuple[float, float]:
    """A step on all pairs of neighbouring centres, in place; returns (loss, pairs).

    J = Σ_ij −share_ij log σ(u_jᵀv_i), and the pairs are Σ_ij share_ij.
    """
    contexts, shares = contexts_of(kept, centers)
    words = [kept[i].word for i in centers]
    loss, grads = step_contexts(vectors.outside, contexts, shares, vectors.center[words], steps[1])
    for word, grad in zip(words, grads, strict=True):
        vectors.center[word] -= steps[0][word] * grad
    return loss, float(shares.sum())


def block_step(
    vectors: Vectors,
    kept: Kept,
    centers: Numbers,
    noise: Numbers,
    rates: Rates,
    weight: float,
    seen: Seen,
    parts: Parts = PLAIN,
) -> tuple[float, float]:
    """One step on centres that share the noise words, in place; returns (loss, pairs).

    The noise is scored at the parameters of the block's start and stepped at its end. In between, pairs are
    stepped, those of neighbouring centres together: a row meets what the neighbours before have made of it.
    """
    words = np.array([kept[i].word for i in centers], dtype=np.intp)
    weights = weigh_noise(kept, centers, noise, weight)
    block = noise_gradients(vectors.center[words], vectors.outside[noise], weights, seen, parts.operands)
    steps = (
        limit_steps(words, block.center_moves, rates[0], len(vectors.center)),
        limit_steps(noise, block.noise_moves, rates[1], len(vectors.outside)),
    )
    loss, n_pairs = block.loss, 0.0
    for group in neighbours_of(kept, centers):
        window_loss, window_pairs = step_windows(vectors, kept, centers[group], steps)
        loss += window_loss
        n_pairs += window_pairs
    update_rows(vectors.center, words, block.grad_centers, steps[0])
    update_rows(vectors.outside, noise, block.grad_noise, steps[1])
    return loss, n_pairs


def noise_of(plan: Plan) -> tuple[NegativeSampling, Block | Lockstep, float]:
    """Objective and estimator of a plan with shared draws, and K/S, what a draw stands for in a pair."""
    objective, estimator = plan.objective, plan.estimator
    assert isinstance(objective, NegativeSampling)
    assert isinstance(estimator, Block | Lockstep)
    return objective, estimator, objective.n_negatives / estimator.shared_negatives


def step_of(plan: Plan) -> Callable[..., tuple[float, float]]:
    """The step of a block of the plan's architecture and inputs."""
    if isinstance(plan.architecture, Cbow):
        return bag_step
    return ngram_step if isinstance(plan.inputs, Subwords) else block_step


def train_unit(
    vectors: Vectors, kept: Kept, span: range, plan: Plan, draws: Iterator[int], rates: Rates
) -> tuple[float, float]:
    """All blocks of one unit; returns (loss, pairs)."""
    objective, estimator, weight = noise_of(plan)
    order = list_centers(plan.architecture, kept, span)
    step = step_of(plan)
    parts = Parts(estimator.operands, plan.inputs, gradient_of(plan.architecture))
    loss, n_pairs, seen = 0.0, 0.0, nothing_seen(vectors)
    for start in range(0, len(order), estimator.block_size):
        centers = order[start : start + estimator.block_size]
        noise = np.array(draw_shared(objective, draws, estimator.shared_negatives))
        drawn = vectors.outside[noise]
        block_loss, block_pairs = step(vectors, kept, centers, noise, rates, weight, seen, parts)
        if estimator.control:
            remember(seen, drawn)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: NDArray[np.float64]
) -> None:
    """Train the units of the queue in place, as kernel `block` does."""
    epoch_key = int(schedule.epoch_key)
    for unit in range(*work.queue):
        kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        kept = place_words(plan.objective, kept)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates)
        merge_some(plan.objective, vectors)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += len(span)
