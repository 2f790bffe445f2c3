"""Kernel `block`: pairs window after window, and the noise of T centres, S weighted draws, as dense products.

    loss(block) = Σ_i [ Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i) ],
    w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

has the expectation of the textbook loss (K negatives a pair). Rows of centres and draws are gathered to
scratch of the worker's own, the noise's gradients taken there at the parameters of the block's start, and
added back once; pairs are stepped in the matrices in between. Read `fastw2v.reference.block` first, then
`fastw2v.kernels.block.plain`, which is the same in plain loops: the names here are theirs, the products are
made in tiles, and rows are asked for before they are needed.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.bags import bag_step
from fastw2v.kernels.block.matrix_tiles import begin_products, end_products
from fastw2v.kernels.block.ngrams import ngram_step
from fastw2v.kernels.block.noise import (
    center_errors,
    forget,
    noise_errors,
    remember,
    score_noise,
    weigh_noise,
)
from fastw2v.kernels.block.pairs import step_pairs
from fastw2v.kernels.block.scratch import (
    DRAWS,
    ERRORS,
    GATHER,
    NOISE_SCORES,
    PAIR_STEPS,
    STEPS,
    UPDATE_CENTERS,
    UPDATE_NOISE,
    WEIGHTS,
    ZERO,
    new_scratch,
    new_seen,
)
from fastw2v.kernels.block.updates import add_moves, clear_moves, set_steps, update_centers, update_noise
from fastw2v.kernels.block.windows import gather, list_centers, look_ahead, prefetch
from fastw2v.kernels.copies import merge_some, place_words
from fastw2v.kernels.intrinsics import atomic_add, borrowed, tick
from fastw2v.kernels.jit import by_type, fast_jit, level_jit
from fastw2v.kernels.objectives import draw_shared
from fastw2v.kernels.units import keep_unit, new_kept, noise_stream, rates_at
from fastw2v.model.arrays import KEPT, LOSS, PAIRS, UNIT
from fastw2v.model.plan import Cbow, GivenPairs, GlobalContext, SkipGram, Subwords, Words


@level_jit
def noise_gradients(vectors, kept, centers, size, scratch):
    """Gather the rows of centres and of noise.words; errors and moves of their scores. Returns the loss."""
    n_centers, noise = len(centers), scratch.noise
    words = scratch.centers.words
    for t in range(n_centers):
        words[t] = kept.ids[centers[t]]
    for t in range(n_centers, len(words)):
        words[t] = -1
    tick(scratch.clock, DRAWS)
    gather(vectors.center, scratch.centers, n_centers)
    gather(vectors.outside, noise, len(noise.words))
    tick(scratch.clock, GATHER)
    weigh_noise(kept, centers, size, scratch)
    tick(scratch.clock, WEIGHTS)
    score_noise(vectors, scratch, n_centers)
    tick(scratch.clock, NOISE_SCORES)
    loss = noise_errors(scratch, n_centers)
    tick(scratch.clock, ERRORS)
    return loss


def block_step(lookup, vectors, kept, centers, size, rates, scratch, seen):
    """One step on centres that share the words of scratch.noise; returns (loss, pairs).

    rates  learning rates of rows of V and of U; where both are 0 only the loss is taken
    seen   what the unit's blocks before have drawn
    """
    n_centers, n_noise = len(centers), len(scratch.noise.words)
    loss = noise_gradients(vectors, kept, centers, size, scratch)
    add_moves(scratch.centers, n_centers)
    add_moves(scratch.noise, n_noise)
    set_steps(scratch.centers, n_centers, rates[0])
    set_steps(scratch.noise, n_noise, rates[1])
    tick(scratch.clock, STEPS)
    word_moves = (scratch.centers.word_moves, scratch.noise.word_moves)
    pair_loss, n_pairs = step_pairs(
        vectors, kept, centers, size, rates, scratch.window, word_moves, scratch.ahead
    )
    clear_moves(scratch.centers, n_centers)
    clear_moves(scratch.noise, n_noise)
    tick(scratch.clock, PAIR_STEPS)
    if rates[1] > ZERO:
        update_noise(vectors, scratch, n_centers)
        tick(scratch.clock, UPDATE_NOISE)
    if rates[0] > ZERO:
        center_errors(scratch, n_centers, seen)
        update_centers(vectors, scratch, n_centers, seen)
        tick(scratch.clock, UPDATE_CENTERS)
    prefetch(vectors, scratch.ahead, len(scratch.ahead.rows))
    return loss + pair_loss, n_pairs


# (lookup, vectors, kept, centers, size, rates, scratch, seen)
step_words = by_type({Words: block_step, Subwords: ngram_step})


def centers_step(architecture, vectors, kept, centers, size, rates, scratch, seen):
    """One step on the centres of skip-gram, by which rows of V their words are."""
    return step_words(scratch.lookup, vectors, kept, centers, size, rates, scratch, seen)


# (architecture, vectors, kept, centers, size, rates, scratch, seen)
step_cases = by_type(
    {SkipGram: centers_step, GlobalContext: centers_step, GivenPairs: centers_step, Cbow: bag_step}
)


@level_jit
def step_block(architecture, vectors, kept, centers, size, rates, scratch, seen):
    """One step on cases that share the words of scratch.noise; returns (loss, pairs).

    Matrix tiles are this thread's from here to the end only: a tenth of a microsecond, and no worker that
    waits holds any.
    """
    begin_products(scratch.operands)
    loss, n_pairs = step_cases(architecture, vectors, kept, centers, size, rates, scratch, seen)
    end_products(scratch.operands)
    return loss, n_pairs


@level_jit
def train_unit(vectors, kept, span, plan, draws, rates, scratch, seen):
    """All blocks of one unit; returns (loss, pairs)."""
    begin, end, size = span
    architecture, objective, estimator = plan.architecture, plan.objective, plan.estimator
    noise, ahead = np.empty(len(scratch.noise.words), np.int64), scratch.ahead
    order = scratch.order[: list_centers(architecture, kept, begin, end, scratch.order)]
    forget(seen)
    loss, n_pairs = 0.0, 0.0
    draws = draw_shared(objective, draws, estimator.shared_negatives, noise)
    for start in range(0, len(order), estimator.block_size):
        stop = min(start + estimator.block_size, len(order))
        for s in range(len(noise)):  # a slice assigned would bring the text of its error, 2 s to compile
            scratch.noise.words[s] = noise[s]
        draws = draw_shared(objective, draws, estimator.shared_negatives, noise)
        look_ahead(architecture, kept, order[stop : stop + estimator.block_size], size, noise, ahead)
        centers = order[start:stop]
        block_loss, block_pairs = step_block(architecture, vectors, kept, centers, size, rates, scratch, seen)
        if estimator.control:
            remember(seen, scratch.noise, scratch.n_draws)
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, plan, schedule, work, totals):
    """One worker's share of the units of the queue, taken one by one."""
    vectors, plan, epoch_key = borrowed(vectors), borrowed(plan), schedule.epoch_key
    kept = new_kept(plan.architecture, tokens.weights)
    scratch, seen = new_scratch(vectors, plan, work.clock), new_seen(vectors.outside.shape[1])
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
