"""Estimator `block` of skip-gram where words are bags of rows, of their own and of their n-grams.

The twin of `fastw2v.kernels.block.plain_ngrams` and, in tiles, `fastw2v.kernels.block.ngrams`. As in
`fastw2v.reference.block`, but a bag is read once, at the block's start, and stepped once, at its end: its
rows are a dozen and more, and others of the block share them.
"""

from __future__ import annotations

import numpy as np

from fastw2v.model.arrays import Vectors
from fastw2v.reference.architectures import Kept
from fastw2v.reference.bags import in_bags, read_bags
from fastw2v.reference.noise import (
    PLAIN,
    Numbers,
    Parts,
    Seen,
    limit_steps,
    noise_gradients,
    update_rows,
    weigh_noise,
)
from fastw2v.reference.pairs import contexts_of, neighbours_of, step_contexts
from fastw2v.reference.units import Rates


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
    bags = in_bags(list(words), parts)
    h = read_bags(vectors.center, bags, len(words))
    weights = weigh_noise(kept, centers, noise, weight)
    block = noise_gradients(h, vectors.outside[noise], weights, seen, parts.operands)
    center_steps = limit_steps(bags.rows, block.center_moves[bags.cases], rates[0], len(vectors.center))
    outside_steps = limit_steps(noise, block.noise_moves, rates[1], len(vectors.outside))
    loss, n_pairs, grads = block.loss, 0.0, block.grad_centers.astype(h.dtype)
    for group in neighbours_of(kept, centers):
        contexts, shares = contexts_of(kept, centers[group])
        window_loss, grad_h = step_contexts(vectors.outside, contexts, shares, h[group], outside_steps)
        loss += window_loss
        n_pairs += float(shares.sum())
        grads[group] += grad_h
    update_rows(vectors.outside, noise, block.grad_noise, outside_steps)
    update_rows(vectors.center, bags.rows, grads[bags.cases], center_steps)
    return loss, n_pairs
