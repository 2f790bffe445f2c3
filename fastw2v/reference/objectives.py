"""What the loss of a case is: its draws, its value, and its step on rows of U.

The twin of `fastw2v.kernels.objectives`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import NegativeSampling, Objective
from fastw2v.reference.losses import Array, naive_softmax_loss, sigmoid, softplus
from fastw2v.reference.units import LOW_32, Rates


def draw_noise(unigram_table: NDArray[np.uint64], bits: int) -> int:
    """One noise word from 64 random bits and an alias table (`fastw2v.model.sampling.unigram_table`)."""
    slot = ((bits >> 32) * len(unigram_table)) >> 32
    entry = int(unigram_table[slot])
    return slot if (bits & LOW_32) <= (entry >> 32) else entry & LOW_32


def draw_shared(unigram_table: NDArray[np.uint64], draws: Iterator[int], count: int) -> list[int]:
    """`count` noise words, for a block to share."""
    return [draw_noise(unigram_table, bits) for bits in islice(draws, count)]


def draw_negatives(objective: Objective, draws: Iterator[int], outside: int) -> list[int]:
    """K noise words less those equal to the outside word; none for the softmax."""
    if not isinstance(objective, NegativeSampling):
        return []
    words = draw_shared(objective.unigram_table, draws, objective.n_negatives)
    return [word for word in words if word != outside]


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


def softmax_step(vectors: Vectors, h: Array, outside: int, rates: Rates) -> tuple[float, Array]:
    """The same by J_naive-softmax. Costs the whole vocabulary a pair."""
    loss, grad_h, grad_outside = naive_softmax_loss(h, outside, vectors.outside)
    vectors.outside[...] -= rates[1] * grad_outside
    return loss, grad_h


def step_outputs(
    objective: Objective, vectors: Vectors, h: Array, outside: int, negatives: list[int], rates: Rates
) -> tuple[float, Array]:
    """A step on the rows of U that the loss of output word o is made of; returns J and ∂J/∂h before it."""
    if isinstance(objective, NegativeSampling):
        return sgns_step(vectors, h, outside, negatives, rates)
    return softmax_step(vectors, h, outside, rates)
