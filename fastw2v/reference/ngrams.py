"""Estimator `block` of skip-gram where words are bags of rows, of their own and of their n-grams.

The twin of `fastw2v.kernels.block.plain_ngrams` and, in tiles, `fastw2v.kernels.block.ngrams`. As in
`fastw2v.reference.block`, but a bag is read once, at the block's start, and stepped once, at its end: its
rows are a dozen and more, and others of the block share them.
"""

from __future__ import annotations

import numpy as np

from fastw2v.model.arrays import Vectors
from fastw2v.reference.architectures import shares_of
from fastw2v.reference.bags import in_bags, read_bags
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
    weigh_noise,
)
from fastw2v.reference.units import Kept, Rates


def step_contexts(
    outside: Array, words: Numbers, shares: Array, h: Array, steps: Array
) -> tuple[float, Array]:
    """A step on the rows of a window's contexts by J = Σ_j −share_j log σ(u_jᵀh); returns J and ∂J/∂h.

    Their errors are taken before it; a word that the window holds twice meets its own first step.
    """
    scores, grad_h = outside[words] @ h, np.zeros_like(h)
    errors = -(shares * sigmoid(-scores)).astype(h.dtype)
    for word, error in zip(words, errors, strict=True):
        grad_h += error * outside[word]
        outside[word] -= steps[word] * error * h
    return float((shares * softplus(-scores)).sum()), grad_h


def ngram_step(
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

    Rows of U meet the steps of the windows before, and those of noise are stepped last. Each row of a bag
    takes ∂J/∂h whole (`fastw2v.model.plan.Subwords`). How far a row may move is bounded over all bags that it
    is in: no h then moves its scores farther, as it is the mean of its rows.
    """
    words = np.array([[kept[i].word] for i in centers], dtype=np.intp)
    bags = in_bags(list(words), parts.lookup)
    h = read_bags(vectors.center, bags, len(words))
    weights = weigh_noise(kept, centers, noise, weight)
    block = noise_gradients(h, vectors.outside[noise], weights, seen, parts.operands)
    center_steps = limit_steps(bags.rows, block.center_moves[bags.cases], rates[0], len(vectors.center))
    outside_steps = limit_steps(noise, block.noise_moves, rates[1], len(vectors.outside))
    loss, n_pairs, grads = block.loss, 0.0, block.grad_centers.astype(h.dtype)
    for t, i in enumerate(centers):
        contexts, shares = outside_words(kept, i), shares_of(kept, i)
        window_loss, grad_h = step_contexts(vectors.outside, contexts, shares, h[t], outside_steps)
        loss += window_loss
        n_pairs += float(shares.sum())
        grads[t] += grad_h
    update_rows(vectors.outside, noise, block.grad_noise, outside_steps)
    update_rows(vectors.center, bags.rows, grads[bags.cases], center_steps)
    return loss, n_pairs
