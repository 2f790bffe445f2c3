"""Kernel `block` in plain loops: the rung between reference and tiles, and for machines that no tile fits.

Names and order are those of `fastw2v.reference.block`; `fastw2v.kernels.block.step` is the same, fast.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.noise import forget, remember
from fastw2v.kernels.block.plain_bags import bag_step
from fastw2v.kernels.block.plain_ngrams import ngram_step
from fastw2v.kernels.block.plain_noise import (
    add_moves,
    clear_moves,
    gather,
    new_scratch,
    noise_gradients,
    step_of,
    update_rows,
    weigh_noise,
)
from fastw2v.kernels.block.plain_pairs import step_contexts
from fastw2v.kernels.block.scratch import new_seen
from fastw2v.kernels.block.windows import count_neighbours, list_centers
from fastw2v.kernels.copies import merge_some, place_words
from fastw2v.kernels.intrinsics import atomic_add, borrowed
from fastw2v.kernels.jit import by_type, fast_jit, inner_jit, level_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.units import keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import Cbow, GivenPairs, GlobalContext, SkipGram, Subwords, Words

ZERO = np.float32(0.0)


@inner_jit
def step_windows(vectors, kept, i, n_centers, size, rates, scratch):
    """A step on all pairs of neighbouring centres, in place; returns (loss, pairs)."""
    h, grads = scratch.h, scratch.grad_h
    for c in range(n_centers):
        for d in range(h.shape[1]):
            h[c, d], grads[c, d] = vectors.center[kept.ids[i + c], d], ZERO
    group, steps = (i, n_centers, 0), (scratch.noise.word_moves, rates[1])
    loss, n_pairs = step_contexts(vectors.outside, kept, group, size, h, grads, steps, scratch.errors)
    for c in range(n_centers):
        word = kept.ids[i + c]
        step = step_of(scratch.centers.word_moves, word, rates[0])
        for d in range(h.shape[1]):
            vectors.center[word, d] -= step * grads[c, d]
    return loss, n_pairs


def block_step(lookup, vectors, kept, centers, size, rates, scratch, seen):
    """One step on centres that share the words of scratch.noise; returns (loss, pairs)."""
    n_centers, noise = len(centers), scratch.noise
    for t in range(n_centers):
        scratch.centers.words[t] = kept.ids[centers[t]]
    weigh_noise(kept, centers, size, noise.words, scratch.weight, scratch.weights)
    gather(vectors.center, scratch.centers, n_centers)
    gather(vectors.outside, noise, len(noise.words))
    loss, n_pairs = noise_gradients(scratch.centers, noise, n_centers, scratch.weights, seen), 0.0
    add_moves(scratch.centers, n_centers)
    add_moves(noise, len(noise.words))
    first = 0
    while first < n_centers:
        n_neighbours = count_neighbours(kept, centers, first)
        window_loss, mass = step_windows(vectors, kept, centers[first], n_neighbours, size, rates, scratch)
        loss += window_loss
        n_pairs += mass
        first += n_neighbours
    if rates[0] > ZERO:
        update_rows(vectors.center, scratch.centers, n_centers, rates[0])
    if rates[1] > ZERO:
        update_rows(vectors.outside, noise, len(noise.words), rates[1])
    clear_moves(scratch.centers, n_centers)
    clear_moves(noise, len(noise.words))
    return loss, n_pairs


# (lookup, vectors, kept, centers, size, rates, scratch, seen)
step_words = by_type({Words: block_step, Subwords: ngram_step})


def centers_step(architecture, vectors, kept, centers, size, rates, scratch, seen):
    """One step on the centres of skip-gram, by which rows of V their words are."""
    return step_words(scratch.lookup, vectors, kept, centers, size, rates, scratch, seen)


# (architecture, vectors, kept, centers, size, rates, scratch, seen)
step_block = by_type(
    {SkipGram: centers_step, GlobalContext: centers_step, GivenPairs: centers_step, Cbow: bag_step}
)


@level_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch, seen):
    """All blocks of one unit; returns (loss, pairs)."""
    begin, end, size = span
    objective, estimator = plan.objective, plan.estimator
    noise = scratch.noise.words
    order = scratch.order[: list_centers(plan.architecture, kept, begin, end, scratch.order)]
    forget(seen)
    loss, n_pairs = 0.0, 0
    for start in range(0, len(order), estimator.block_size):
        centers = order[start : start + estimator.block_size]
        draws = draw_shared(objective, draws, len(noise), noise)
        block_loss, block_pairs = step_block(
            plan.architecture, vectors, kept, centers, size, rates, scratch, seen
        )
        if estimator.control:
            remember(seen, scratch.noise, len(noise))
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture, tokens.weights)
    scratch, seen = new_scratch(vectors, plan), new_seen(vectors.outside.shape[1])
    while True:
        unit = atomic_add(work.queue, np.int64(1))
        if unit >= work.queue[1]:
            break
        span = keep_unit(tokens, plan.architecture, epoch_key, unit, kept)
        place_words(plan.objective, kept, span[2])
        draws, rates = noise_stream(epoch_key, unit), rates_at(schedule, unit * UNIT)
        loss, n_pairs = train_unit(vectors, kept, span, plan, draws, rates, scratch, seen)
        merge_some(plan.objective, vectors)
        totals[work.worker, LOSS] += loss
        totals[work.worker, PAIRS] += n_pairs
        totals[work.worker, KEPT] += span[1] - span[0]
