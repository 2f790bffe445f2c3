"""Estimator `paths`: the paths of neighbouring centres' windows at once; twin of `fastw2v.kernels.paths`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT, Tokens, Vectors, Work
from fastw2v.model.plan import LARGEST_MOVE, HierarchicalSoftmax, Plan, Schedule
from fastw2v.reference.architectures import Kept
from fastw2v.reference.block import list_centers
from fastw2v.reference.losses import Array, matrix_times_vector, sigmoid, softplus
from fastw2v.reference.noise import Numbers
from fastw2v.reference.pairs import contexts_of, neighbours_of
from fastw2v.reference.units import Rates, keep_unit, rates_at


def list_nodes(objective: HierarchicalSoftmax, words: Numbers, shares: Array) -> tuple[Numbers, Array, Array]:
    """The nodes on the paths of some words, each once, (n,), and what they count for each centre.

    shares  (n_words, n_centers), what each word counts for each centre

    Returns (nodes, mass, against), both (n, n_centers): what the words count whose path meets the node, and
    those of them that leave it by branch 1, where its score is to be low.
    """
    of_nodes: dict[int, tuple[Array, Array]] = {}
    for word, share in zip(words, shares, strict=True):
        for step in range(objective.offsets[word], objective.offsets[word + 1]):
            node, nothing = int(objective.nodes[step]), np.zeros_like(share)
            mass, against = of_nodes.get(node, (nothing, nothing))
            of_nodes[node] = mass + share, against + int(objective.codes[step]) * share
    nodes, shape = np.array(list(of_nodes), dtype=np.intp), (len(of_nodes), shares.shape[1])
    mass, against = (np.array([pair[k] for pair in of_nodes.values()]).reshape(shape) for k in (0, 1))
    return nodes, mass, against


def take_errors(
    outside: Array, nodes: Numbers, counts: tuple[Array, Array], h: Array, rate: float
) -> tuple[float, Array, Array]:
    """J = Σ_nc −(mass − against) log σ(u_nᵀh_c) − against log σ(−u_nᵀh_c), ∂J/∂score, steps of u_n along h_c.

    Centre after centre, as `fastw2v.reference.pairs.take_errors`. No step along h_c moves its score by more
    than LARGEST_MOVE.
    """
    scores, products = outside[nodes] @ h.T, h @ h.T
    errors, steps, loss = np.zeros_like(scores), np.zeros_like(scores), 0.0
    for c in range(len(h)):
        scores[:, c] += matrix_times_vector(steps[:, :c], products[:c, c])
        mass, against = counts[0][:, c], counts[1][:, c]
        errors[:, c] = against - mass * sigmoid(-scores[:, c])
        loss += float((mass * softplus(-scores[:, c]) + against * scores[:, c]).sum())
        most = float(LARGEST_MOVE) / max(float(products[c, c]), 1e-30)
        steps[:, c] = np.clip(-rate * errors[:, c], -most, most)
    return loss, errors, steps


def paths_step(
    vectors: Vectors, kept: Kept, centers: Numbers, plan: Plan, rates: Rates
) -> tuple[float, float]:
    """One step on J of neighbouring centres; returns (J before it, pairs), both by what pairs count."""
    objective = plan.objective
    assert isinstance(objective, HierarchicalSoftmax)
    words, shares = contexts_of(kept, centers)
    nodes, *counts = list_nodes(objective, words, shares)
    rows = [kept[i].word for i in centers]
    h, outside = vectors.center[rows], vectors.outside
    loss, errors, steps = take_errors(outside, nodes, (counts[0], counts[1]), h, rates[1])
    grad_h = np.zeros_like(h)
    for node, of_node, moves in zip(nodes, errors, steps, strict=True):
        for c, error in enumerate(of_node):
            grad_h[c] += error * outside[node]
            outside[node] += moves[c] * h[c]
    vectors.center[rows] -= rates[0] * grad_h
    return loss, float(shares.sum())


def train_unit(vectors: Vectors, kept: Kept, span: range, plan: Plan, rates: Rates) -> tuple[float, float]:
    """All paths of one unit; returns (loss, pairs)."""
    centers, loss, n_pairs = list_centers(plan.architecture, kept, span), 0.0, 0.0
    for group in neighbours_of(kept, centers):
        group_loss, group_pairs = paths_step(vectors, kept, centers[group], plan, rates)
        loss += group_loss
        n_pairs += group_pairs
    return loss, n_pairs


def train_units(
    vectors: Vectors, tokens: Tokens, plan: Plan, schedule: Schedule, work: Work, totals: NDArray[np.float64]
) -> None:
    """Train the units of the queue in place, as kernel `paths` does."""
    epoch_key = int(schedule.epoch_key)
    for unit in range(*work.queue):
        kept, span = keep_unit(tokens, plan.architecture, epoch_key, unit)
        loss, n_pairs = train_unit(vectors, kept, span, plan, rates_at(schedule, unit * UNIT))
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += len(span)
