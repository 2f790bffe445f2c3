"""Estimator `pair`: one pair after the other, as the textbook has it; the twin of `fastw2v.kernels.pair`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import UNIT, Tokens, Totals, Vectors
from fastw2v.model.plan import Estimator, Sampler, Schedule, Window
from fastw2v.model.streams import noise_stream
from fastw2v.reference.losses import naive_softmax_loss, sigmoid, softplus
from fastw2v.reference.units import (
    BOTH,
    Shares,
    draw_shared,
    keep_unit,
    learning_rate_at,
    outside_words,
    shares_of,
)


def draw_negatives(table: NDArray[np.uint64], draws: Iterator[int], outside: int, count: int) -> list[int]:
    """`count` noise words less those equal to the outside word."""
    return [word for word in draw_shared(table, draws, count) if word != outside]


def sgns_step(
    vectors: Vectors,
    center: int,
    outside: int,
    negatives: list[int],
    learning_rate: float,
    shares: Shares = BOTH,
) -> float:
    """One step of stochastic gradient descent on J_neg-sample(v_c, o, U), in place; returns J before it.

    Rows of U are stepped one after the other, so a word drawn twice meets its own first step, as in
    word2vec.c; for distinct words this is the gradient of `neg_sampling_loss` to the letter.
    """
    v_c = vectors.center[center].copy()
    grad_center = np.zeros_like(v_c)
    loss = 0.0
    for word, sign in [(outside, -1), *((word, 1) for word in negatives)]:
        u_w = vectors.outside[word]
        score = u_w @ v_c
        error = sign * sigmoid(sign * score).astype(v_c.dtype)
        loss += float(softplus(sign * score))
        grad_center += error * u_w
        vectors.outside[word] -= v_c.dtype.type(learning_rate * shares[1]) * error * v_c
    vectors.center[center] -= v_c.dtype.type(learning_rate * shares[0]) * grad_center
    return loss


def softmax_step(
    vectors: Vectors, center: int, outside: int, learning_rate: float, shares: Shares = BOTH
) -> float:
    """One step on J_naive-softmax, in place; returns J before it. Costs the whole vocabulary a pair."""
    step = naive_softmax_loss(vectors.center[center], outside, vectors.outside)
    vectors.center[center] -= learning_rate * shares[0] * step.grad_center
    vectors.outside[...] -= learning_rate * shares[1] * step.grad_outside
    return step.loss


def train_unit_pair(
    vectors: Vectors,
    tokens: Tokens,
    sampler: Sampler,
    schedule: Schedule,
    window: Window,
    estimator: Estimator,
    unit: int,
) -> Totals:
    """Train one unit in place, as kernel `pair` does; no negatives means the naive-softmax loss."""
    key = int(schedule.epoch_key)
    learning_rate, shares = learning_rate_at(schedule, unit * UNIT), shares_of(schedule)
    draws = noise_stream(key, unit)
    kept, centers = keep_unit(tokens, sampler, key, window, unit)
    loss, n_pairs = 0.0, 0
    for i in centers:
        for outside in outside_words(kept, i):
            center = kept[i].word
            if estimator.n_negatives:
                negatives = draw_negatives(sampler.unigram_table, draws, outside, estimator.n_negatives)
                loss += sgns_step(vectors, center, outside, negatives, learning_rate, shares)
            else:
                loss += softmax_step(vectors, center, outside, learning_rate, shares)
            n_pairs += 1
    return Totals(loss, n_pairs, len(centers))
