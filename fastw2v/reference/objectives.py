"""What the loss of a case is: its draws, its value, and its step on rows of U.

The twin of `fastw2v.kernels.objectives`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import HierarchicalSoftmax, NegativeSampling, Objective
from fastw2v.reference.copies import row_of
from fastw2v.reference.losses import Array, naive_softmax_loss, sigmoid, softplus
from fastw2v.reference.units import LOW_32, Rates


def draw_noise(unigram_table: NDArray[np.uint64], bits: int) -> int:
    """One noise word from 64 random bits and an alias table (`fastw2v.model.sampling.unigram_table`)."""
    slot = ((bits >> 32) * len(unigram_table)) >> 32
    entry = int(unigram_table[slot])
    return slot if (bits & LOW_32) <= (entry >> 32) else entry & LOW_32


def draw_shared(objective: NegativeSampling, draws: Iterator[int], count: int) -> list[int]:
    """The rows of `count` noise words, for a block to share."""
    table, copies = objective.unigram_table, objective.copies
    return [row_of(copies, draw_noise(table, bits)) for bits in islice(draws, count)]


def draw_negatives(objective: NegativeSampling, draws: Iterator[int], outside: int) -> list[int]:
    """K noise words less those equal to the outside word."""
    words = draw_shared(objective, draws, objective.n_negatives)
    return [word for word in words if word != outside]


def path_of(objective: HierarchicalSoftmax, outside: int) -> list[int]:
    """The inner nodes on the way from the root to the outside word; nothing is drawn."""
    start, stop = objective.offsets[outside], objective.offsets[outside + 1]
    return [int(node) for node in objective.nodes[start:stop]]


def find_rows(objective: Objective, draws: Iterator[int], outside: int) -> list[int]:
    """Rows of U that the loss of output word o is made of, beside its own: noise words, or inner nodes."""
    if isinstance(objective, NegativeSampling):
        return draw_negatives(objective, draws, outside)
    return path_of(objective, outside) if isinstance(objective, HierarchicalSoftmax) else []


def sgns_step(
    vectors: Vectors, h: Array, outside: int, negatives: list[int], rates: Rates
) -> tuple[float, Array]:
    """A step on rows of U by J_neg-sample(h, o, U), in place; returns J and ∂J/∂h before it.

    Rows are stepped one after the other, so a word drawn twice meets its own first step, as in word2vec.c;
    for distinct words this is the gradient of `neg_sampling_loss` to the letter.
    """
    loss, grad_h = 0.0, np.zeros_like(h)
    for word, sign in [(outside, -1), *((word, 1) for word in negatives)]:
        u_w = vectors.outside[word]
        score = u_w @ h
        error = sign * sigmoid(sign * score).astype(h.dtype)
        loss += float(softplus(sign * score))
        grad_h += error * u_w
        if rates[1] > 0:
            vectors.outside[word] -= rates[1] * error * h
    return loss, grad_h


def hierarchical_step(
    objective: HierarchicalSoftmax, vectors: Vectors, h: Array, outside: int, nodes: list[int], rates: Rates
) -> tuple[float, Array]:
    """The same by J_hierarchical, on the nodes of the path, in its order: no node is met twice."""
    loss, grad_h = 0.0, np.zeros_like(h)
    first = objective.offsets[outside]
    for k, node in enumerate(nodes):
        sign = 1 - 2 * int(objective.codes[first + k])
        u_n = vectors.outside[node]
        score = sign * (u_n @ h)
        error = -sign * sigmoid(-score).astype(h.dtype)
        loss += float(softplus(-score))
        grad_h += error * u_n
        if rates[1] > 0:
            vectors.outside[node] -= rates[1] * error * h
    return loss, grad_h


def softmax_step(vectors: Vectors, h: Array, outside: int, rates: Rates) -> tuple[float, Array]:
    """The same by J_naive-softmax. Costs the whole vocabulary a pair."""
    loss, grad_h, grad_outside = naive_softmax_loss(h, outside, vectors.outside)
    vectors.outside[...] -= rates[1] * grad_outside
    return loss, grad_h


def step_outputs(
    objective: Objective, vectors: Vectors, h: Array, outside: int, rows: list[int], rates: Rates
) -> tuple[float, Array]:
    """A step on the rows of U that the loss of output word o is made of; returns J and ∂J/∂h before it."""
    if isinstance(objective, NegativeSampling):
        return sgns_step(vectors, h, outside, rows, rates)
    if isinstance(objective, HierarchicalSoftmax):
        return hierarchical_step(objective, vectors, h, outside, rows, rates)
    return softmax_step(vectors, h, outside, rates)
