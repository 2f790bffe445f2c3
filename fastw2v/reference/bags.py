"""Estimator `block` of CBOW: the noise of T cases at once, each with its bag of input words.

The twin of `fastw2v.kernels.block.plain_bags` and, in tiles, `fastw2v.kernels.block.bags`. A case has one
output word beside the noise, so there are no windows of pairs: its pair is stepped once noise is scored, its
bag last. Where words are bags of rows themselves, the bag of a case is of all their rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastw2v.model.arrays import Vectors
from fastw2v.reference.architectures import Kept, step_share
from fastw2v.reference.inputs import rows_of
from fastw2v.reference.losses import Array, sigmoid, softplus
from fastw2v.reference.noise import (
    PLAIN,
    Numbers,
    Parts,
    Seen,
    limit_steps,
    noise_gradients,
    outside_words,
    update_rows,
)
from fastw2v.reference.units import Rates


class Bags(NamedTuple):
    """The rows of V of a block's cases, one case after the other.

    rows    (n,), of input words
    cases   (n,), whose they are
    reads   (n,), what of a row is in h: 1 / |P|, over the rows of its word, the row of A
    shares  (n,), what of ∂J/∂h a row takes: 1 / |P|, or more (`fastw2v.model.plan.Cbow`)
    """

    rows: Numbers
    cases: Numbers
    reads: Array
    shares: Array


def bags_of(kept: Kept, centers: Numbers, parts: Parts) -> Bags:
    """The bags of a block: of each centre the words of its window but its own."""
    return in_bags([outside_words(kept, i) for i in centers], parts)


def in_bags(words: list[Numbers], parts: Parts) -> Bags:
    """The bags of cases with these input words."""
    of_words = [(t, rows_of(parts.lookup, word), len(bag)) for t, bag in enumerate(words) for word in bag]
    rows = [row for _, own, _ in of_words for row in own]
    sizes = np.array([len(own) for _, own, _ in of_words], dtype=np.intp)
    cases = np.repeat(np.array([t for t, _, _ in of_words], dtype=np.intp), sizes)
    reads = np.repeat(np.array([1 / n for _, _, n in of_words]), sizes) / np.repeat(sizes, sizes)
    shares = np.repeat(np.array([step_share(parts.gradient, n) for _, _, n in of_words]), sizes)
    return Bags(np.array(rows, dtype=np.intp), cases, reads, shares)


def read_bags(matrix: Array, bags: Bags, n_cases: int) -> Array:
    """h of each case, the mean of its rows, (n_cases, dim); zeros for a case without input words."""
    h = np.zeros((n_cases, matrix.shape[1]), dtype=matrix.dtype)
    np.add.at(h, bags.cases, (bags.reads[:, None] * matrix[bags.rows]).astype(matrix.dtype))
    return h


def weigh_bags(bags: Bags, words: Numbers, noise: Numbers, weights: Array) -> Array:
    """w_is = weight_i where word_i ≠ n_s, (T, S); 0 for a case without input words."""
    has_bag = np.isin(np.arange(len(words)), bags.cases)
    return np.asarray(weights[:, None] * (has_bag[:, None] & (words[:, None] != noise)))


def step_output(outside: Array, word: int, h: Array, step: float, weight: float) -> tuple[float, Array]:
    """A step on the output word's row by J = −weight·log σ(uᵀh), in place; returns J and ∂J/∂h before it."""
    score = outside[word] @ h
    error = -weight * sigmoid(-score)
    grad_h = error * outside[word]
    outside[word] -= step * error * h
    return weight * float(softplus(-score)), grad_h


def bag_step(
    vectors: Vectors,
    kept: Kept,
    centers: Numbers,
    noise: Numbers,
    rates: Rates,
    weight: float,
    seen: Seen,
    parts: Parts = PLAIN,
) -> tuple[float, float]:
    """One step on cases that share the noise words, in place; returns (loss, cases), by weight.

    All is read at the start but the rows of output words, which meet the steps of the cases before; each row
    of a bag gets its share of the gradient of h.
    """
    words = np.array([kept[i].word for i in centers], dtype=np.intp)
    bags = bags_of(kept, centers, parts)
    h = read_bags(vectors.center, bags, len(words))
    own = np.array([kept[i].weight for i in centers], dtype=float)
    weights = weigh_bags(bags, words, noise, weight * own)
    block = noise_gradients(h, vectors.outside[noise], weights, seen, parts.operands)
    moves = bags.shares * block.center_moves[bags.cases]
    center_steps = limit_steps(bags.rows, moves, rates[0], len(vectors.center))
    outside_steps = limit_steps(noise, block.noise_moves, rates[1], len(vectors.outside))
    loss, grads, cases = block.loss, block.grad_centers.astype(h.dtype), np.unique(bags.cases)
    for t in cases:
        step = outside_steps[words[t]]
        case_loss, grad_h = step_output(vectors.outside, words[t], h[t], step, own[t].item())
        loss += case_loss
        grads[t] += grad_h
    update_rows(vectors.outside, noise, block.grad_noise, outside_steps)
    update_rows(vectors.center, bags.rows, bags.shares[:, None] * grads[bags.cases], center_steps)
    return loss, float(own[cases].sum())
