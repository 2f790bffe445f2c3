"""Kernel `block`: T consecutive centres share S weighted noise draws, so the work is small dense products.

    loss(block) = Σ_i [ Σ_{j∈P_i} −log σ(u_jᵀv_i) − Σ_s w_is log σ(−u_sᵀv_i) ],
    w_is = (K/S)·#{j ∈ P_i : word_j ≠ n_s}

has the expectation of the textbook loss (K negatives a pair). Rows are gathered to scratch of the worker's
own, gradients taken there at the parameters of the block's start, and added back once. The NumPy twin with
the same names in the same order is `fastw2v.reference.block_step`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.intrinsics import atomic_add, prefetch_row
from fastw2v.kernels.jit import fast_jit, inner_jit, level_jit
from fastw2v.kernels.scalar import GAMMA, mix64, sigmoid, softplus
from fastw2v.kernels.tiles import (
    ROW_VECTORS,
    SCORE_ROWS,
    SCORE_VECTORS,
    UPDATE_ROWS,
    UPDATE_VECTORS,
    add_row,
    copy_row,
    row_dots,
    tile,
)
from fastw2v.kernels.units import (
    aligned_rows,
    draw_noise,
    keep_unit,
    learning_rate_at,
    new_kept,
    noise_state_of,
)
from fastw2v.layout import FLOATS_PER_LINE, LARGEST_MOVE, UNIT

ROWS = 8  # scratch has whole tiles of rows
ONE, ZERO = np.float32(1.0), np.float32(0.0)
SCORE_WIDTH = SCORE_VECTORS * FLOATS_PER_LINE
UPDATE_WIDTH = UPDATE_VECTORS * FLOATS_PER_LINE
ROW_WIDTH = ROW_VECTORS * FLOATS_PER_LINE


class Side(NamedTuple):
    """Rows of one matrix that a block works on, in a worker's scratch.

    words  int64 (n,), whose rows
    rows   float32 (n, padded_dim), as gathered
    grads  float32 (n, padded_dim), gradient of the block's loss
    norms  float32 (n,), ‖row‖²
    moves  float32 (n,), Σ |∂J/∂score|·‖other row‖² over the scores that a row is part of
    """

    words: NDArray[np.int64]
    rows: NDArray[np.float32]
    grads: NDArray[np.float32]
    norms: NDArray[np.float32]
    moves: NDArray[np.float32]


class Scratch(NamedTuple):
    """Everything a worker needs for a block, allocated once a call.

    centers, noise, contexts  Side, of T, S and T + 2·reach rows
    noise_columns  float32 (padded_dim, S), the noise rows transposed
    errors         float32 (T, S), scores with the noise, then w·σ(score) = ∂J/∂score
    weights        float32 (T, S), w_is
    pair_errors    float32 (T, n_contexts), σ(score) − 1 for the pairs, 0 elsewhere
    low, high      int64 (T,), contexts[low:high] hold a centre's window, itself among them
    first, last    int64 (n_contexts,), centres[first:last] hold all centres a context is paired with
    ahead          int64 (n,), rows the next block will gather: word of V, or −1 − word of U
    cursor         int64 (2,), how many of `ahead` are prefetched, how many there are
    center_moves, outside_moves  float32 (n_words,), moves summed over a word's rows; zero between blocks
    """

    centers: Side
    noise: Side
    contexts: Side
    noise_columns: NDArray[np.float32]
    errors: NDArray[np.float32]
    weights: NDArray[np.float32]
    pair_errors: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    ahead: NDArray[np.int64]
    cursor: NDArray[np.int64]
    center_moves: NDArray[np.float32]
    outside_moves: NDArray[np.float32]


@inner_jit
def new_side(n, dim):
    """Scratch for n rows, rounded up to whole tiles."""
    n = -(-n // FLOATS_PER_LINE) * FLOATS_PER_LINE
    return Side(
        np.zeros(n, np.int64),
        aligned_rows(n, dim),
        aligned_rows(n, dim),
        np.zeros(n, np.float32),
        np.zeros(n, np.float32),
    )


@inner_jit
def new_scratch(n_words, dim, estimator, reach):
    """Scratch of a worker, for blocks of T centres and S draws."""
    centers, noise = new_side(estimator.block_size, dim), new_side(estimator.shared_negatives, dim)
    contexts = new_side(
        estimator.block_size + 2 * reach + 3, dim
    )  # row_dots looks up to three rows past a window
    n_centers, n_noise, n_contexts = len(centers.words), len(noise.words), len(contexts.words)
    return Scratch(
        centers,
        noise,
        contexts,
        aligned_rows(dim, n_noise),
        aligned_rows(n_centers, n_noise),
        aligned_rows(n_centers, n_noise),
        aligned_rows(n_centers, n_contexts),
        np.zeros(n_centers, np.int64),
        np.zeros(n_centers, np.int64),
        np.zeros(n_contexts, np.int64),
        np.zeros(n_contexts, np.int64),
        np.zeros(n_centers + n_noise + n_contexts, np.int64),
        np.zeros(2, np.int64),
        np.zeros(n_words, np.float32),
        np.zeros(n_words, np.float32),
    )


@inner_jit
def find_pairs(kept, start, stop, size, scratch):
    """Windows of the centres kept[start:stop]; returns (lo, hi), the kept tokens that are their contexts."""
    lo, hi = start, stop
    for i in range(start, stop):
        scratch.low[i - start] = max(i - kept.radius[i], kept.first[i])
        j = i + 1
        while j < size and j <= i + kept.radius[i] and kept.first[j] == kept.first[i]:
            j += 1
        scratch.high[i - start] = j
        lo, hi = min(lo, scratch.low[i - start]), max(hi, j)
    for j in range(hi - lo):
        scratch.first[j], scratch.last[j] = stop - start, 0
    for i in range(stop - start):
        scratch.low[i] -= lo
        scratch.high[i] -= lo
        for j in range(scratch.low[i], scratch.high[i]):
            scratch.first[j] = min(scratch.first[j], i)
            scratch.last[j] = i + 1
    return lo, hi


@inner_jit
def gather(matrix, side, n):
    """Copy the rows of side.words[:n] to scratch, with their squared lengths."""
    for i in range(n):
        side.norms[i] = copy_row(side.rows, i, matrix, side.words[i])
        side.moves[i] = ZERO


@inner_jit
def look_ahead(kept, start, stop, context_start, context_stop, next_noise, scratch):
    """List the rows of the next block, kept[start:stop] and its contexts that are not at hand already."""
    n = 0
    for i in range(start, stop):
        scratch.ahead[n] = kept.ids[i]
        n += 1
    for j in range(context_start, context_stop):
        scratch.ahead[n] = -1 - kept.ids[j]
        n += 1
    for word in next_noise:
        if word >= 0:
            scratch.ahead[n] = -1 - word
            n += 1
    scratch.cursor[0], scratch.cursor[1] = 0, n


@inner_jit
def prefetch(vectors, scratch, count):
    """Ask for the next `count` rows of the list; spread over a block, so that the misses overlap the work."""
    first = scratch.cursor[0]
    last = min(first + count, scratch.cursor[1])
    dim = vectors.center.shape[1]
    for n in range(first, last):
        row = scratch.ahead[n]
        if row >= 0:
            for d in range(0, dim, FLOATS_PER_LINE):
                prefetch_row(vectors.center, row, d)
        else:
            for d in range(0, dim, FLOATS_PER_LINE):
                prefetch_row(vectors.outside, -1 - row, d)
    scratch.cursor[0] = last


@inner_jit
def weigh_noise(scratch, n_centers, n_contexts, own, weight):
    """w_is = weight · #{j ∈ P_i : word_j ≠ n_s}; own is the context number of centre 0. Returns pairs."""
    noise, contexts, weights = scratch.noise.words, scratch.contexts.words, scratch.weights
    n_noise = len(noise)
    n_pairs = 0
    for i in range(n_centers):
        n_outside = scratch.high[i] - scratch.low[i] - 1
        n_pairs += n_outside
        value = weight * np.float32(n_outside)
        for s in range(n_noise):
            weights[i, s] = value if noise[s] >= 0 else ZERO
    for j in range(n_contexts):
        hits = 0
        for s in range(n_noise):
            hits += noise[s] == contexts[j]
        if hits > 0:
            for s in range(n_noise):
                if noise[s] == contexts[j]:
                    for i in range(scratch.first[j], scratch.last[j]):
                        if scratch.low[i] <= j < scratch.high[i] and j != own + i:
                            weights[i, s] -= weight
    return n_pairs


@inner_jit
def score_noise(vectors, scratch, n_centers):
    """errors[i, s] = v_iᵀ u_s, from the noise rows transposed: whole registers of draws, no sums across."""
    rows, columns = scratch.noise.rows, scratch.noise_columns
    n_noise, dim = rows.shape
    for d in range(0, dim, FLOATS_PER_LINE):
        for s in range(n_noise):
            for e in range(FLOATS_PER_LINE):
                columns[d + e, s] = rows[s, d + e]
    centers = scratch.centers.rows
    for i in range(0, n_centers, SCORE_ROWS):
        prefetch(vectors, scratch, SCORE_ROWS)
        s = 0
        while s + SCORE_WIDTH <= n_noise:
            tile(
                scratch.errors,
                (i, s),
                centers,
                (i, 0),
                0,
                columns,
                (0, s),
                (SCORE_ROWS, SCORE_VECTORS),
                dim,
                0,
            )
            s += SCORE_WIDTH
        while s < n_noise:
            tile(scratch.errors, (i, s), centers, (i, 0), 0, columns, (0, s), (SCORE_ROWS, 1), dim, 0)
            s += FLOATS_PER_LINE


@inner_jit
def noise_errors(scratch, n_centers):
    """Turn noise scores to ∂J/∂score = w·σ(score); returns Σ −w log σ(−score)."""
    errors, weights = scratch.errors, scratch.weights
    centers, noise = scratch.centers, scratch.noise
    loss = 0.0
    for i in range(n_centers):
        norm, move, row_loss = centers.norms[i], ZERO, ZERO
        for s in range(errors.shape[1]):
            score = errors[i, s]
            row_loss += weights[i, s] * softplus(score)
            error = weights[i, s] * sigmoid(score)
            errors[i, s] = error
            move += error * noise.norms[s]
            noise.moves[s] += error * norm
        centers.moves[i] += move
        loss += row_loss
    return loss


@inner_jit
def pair_error(scratch, i, j, score):
    """Note one pair's ∂J/∂score = σ(score) − 1; returns −log σ(score)."""
    error = sigmoid(score) - ONE
    scratch.pair_errors[i, j] = error
    scratch.centers.moves[i] -= error * scratch.contexts.norms[j]
    scratch.contexts.moves[j] -= error * scratch.centers.norms[i]
    return softplus(-score)


@inner_jit
def pair_errors_of(scratch, n_centers, n_contexts, own):
    """∂J/∂score of all pairs, zero for every other (centre, context); returns Σ −log σ(score)."""
    centers, contexts, errors = scratch.centers.rows, scratch.contexts.rows, scratch.pair_errors
    loss = 0.0
    for i in range(n_centers):
        for j in range(n_contexts):
            errors[i, j] = ZERO
        j, high = scratch.low[i], scratch.high[i]
        while j < high:
            scores = row_dots(centers, i, contexts, j)
            for r in range(4):
                if j + r < high and j + r != own + i:
                    loss += pair_error(scratch, i, j + r, scores[r])
            j += 4
    return loss


@inner_jit
def center_gradients(vectors, scratch, n_centers):
    """∂J/∂v_i = Σ_j error_ij u_j + Σ_s error_is u_s."""
    grads, contexts, noise = scratch.centers.grads, scratch.contexts.rows, scratch.noise.rows
    dim = grads.shape[1]
    for i in range(n_centers):
        low, depth = scratch.low[i], scratch.high[i] - scratch.low[i]
        prefetch(vectors, scratch, 1)
        d = 0
        while d + ROW_WIDTH <= dim:
            tile(
                grads,
                (i, d),
                scratch.pair_errors,
                (i, low),
                0,
                contexts,
                (low, d),
                (1, ROW_VECTORS),
                depth,
                0,
            )
            d += ROW_WIDTH
        while d + 2 * FLOATS_PER_LINE <= dim:
            tile(grads, (i, d), scratch.pair_errors, (i, low), 0, contexts, (low, d), (1, 2), depth, 0)
            d += 2 * FLOATS_PER_LINE
        if d < dim:
            tile(grads, (i, d), scratch.pair_errors, (i, low), 0, contexts, (low, d), (1, 1), depth, 0)
    n_noise = len(scratch.noise.words)
    for i in range(0, n_centers, UPDATE_ROWS):
        prefetch(vectors, scratch, UPDATE_ROWS)
        d = 0
        while d + UPDATE_WIDTH <= dim:
            tile(
                grads,
                (i, d),
                scratch.errors,
                (i, 0),
                0,
                noise,
                (0, d),
                (UPDATE_ROWS, UPDATE_VECTORS),
                n_noise,
                1,
            )
            d += UPDATE_WIDTH
        while d < dim:
            tile(grads, (i, d), scratch.errors, (i, 0), 0, noise, (0, d), (UPDATE_ROWS, 1), n_noise, 1)
            d += FLOATS_PER_LINE


@inner_jit
def context_gradients(scratch, n_contexts):
    """∂J/∂u_j = Σ_i error_ij v_i."""
    grads, centers = scratch.contexts.grads, scratch.centers.rows
    dim = grads.shape[1]
    for j in range(n_contexts):
        first = scratch.first[j]
        depth = scratch.last[j] - first
        d = 0
        while d + ROW_WIDTH <= dim:
            tile(
                grads,
                (j, d),
                scratch.pair_errors,
                (first, j),
                1,
                centers,
                (first, d),
                (1, ROW_VECTORS),
                depth,
                0,
            )
            d += ROW_WIDTH
        while d + 2 * FLOATS_PER_LINE <= dim:
            tile(grads, (j, d), scratch.pair_errors, (first, j), 1, centers, (first, d), (1, 2), depth, 0)
            d += 2 * FLOATS_PER_LINE
        if d < dim:
            tile(grads, (j, d), scratch.pair_errors, (first, j), 1, centers, (first, d), (1, 1), depth, 0)


@inner_jit
def noise_gradients(scratch, n_centers):
    """∂J/∂u_s = Σ_i error_is v_i."""
    grads, centers, errors = scratch.noise.grads, scratch.centers.rows, scratch.errors
    n_noise, dim = grads.shape
    for s in range(0, n_noise, UPDATE_ROWS):
        d = 0
        while d + UPDATE_WIDTH <= dim:
            tile(
                grads, (s, d), errors, (0, s), 1, centers, (0, d), (UPDATE_ROWS, UPDATE_VECTORS), n_centers, 0
            )
            d += UPDATE_WIDTH
        while d < dim:
            tile(grads, (s, d), errors, (0, s), 1, centers, (0, d), (UPDATE_ROWS, 1), n_centers, 0)
            d += FLOATS_PER_LINE


@inner_jit
def sum_moves(word_moves, side, n):
    """Add the moves of rows to those of their words: a word may hold several rows of a block."""
    for i in range(n):
        if side.words[i] >= 0:
            word_moves[side.words[i]] += side.moves[i]


@inner_jit
def descend(matrix, word_moves, side, n, learning_rate):
    """Row −= learning_rate · gradient, held back where a word's rows together would move a score too far."""
    for i in range(n):
        word = side.words[i]
        if word >= 0:
            step = learning_rate / max(ONE, learning_rate * word_moves[word] / LARGEST_MOVE)
            add_row(matrix, word, -step, side.grads, i)


@inner_jit
def clear_moves(word_moves, side, n):
    """Zero the words' moves again."""
    for i in range(n):
        if side.words[i] >= 0:
            word_moves[side.words[i]] = ZERO


@level_jit
def block_step(vectors, kept, span, learning_rate, weight, scratch):
    """One step on the centres kept[start:stop] with scratch.noise.words; returns (loss, pairs)."""
    start, stop, size = span
    n_centers = stop - start
    lo, hi = find_pairs(kept, start, stop, size, scratch)
    n_contexts, own = hi - lo, start - lo
    for i in range(n_centers):
        scratch.centers.words[i] = kept.ids[start + i]
    for j in range(n_contexts):
        scratch.contexts.words[j] = kept.ids[lo + j]
    centers, noise, contexts = scratch.centers, scratch.noise, scratch.contexts
    n_noise = len(noise.words)
    gather(vectors.center, centers, n_centers)
    gather(vectors.outside, contexts, n_contexts)
    for s in range(n_noise):
        noise.moves[s] = ZERO
        if noise.words[s] >= 0:
            noise.norms[s] = copy_row(noise.rows, s, vectors.outside, noise.words[s])

    n_pairs = weigh_noise(scratch, n_centers, n_contexts, own, weight)
    score_noise(vectors, scratch, n_centers)
    loss = noise_errors(scratch, n_centers) + pair_errors_of(scratch, n_centers, n_contexts, own)
    center_gradients(vectors, scratch, n_centers)
    context_gradients(scratch, n_contexts)
    noise_gradients(scratch, n_centers)
    prefetch(vectors, scratch, len(scratch.ahead))

    sum_moves(scratch.center_moves, centers, n_centers)
    sum_moves(scratch.outside_moves, contexts, n_contexts)
    sum_moves(scratch.outside_moves, noise, n_noise)
    descend(vectors.center, scratch.center_moves, centers, n_centers, learning_rate)
    descend(vectors.outside, scratch.outside_moves, contexts, n_contexts, learning_rate)
    descend(vectors.outside, scratch.outside_moves, noise, n_noise, learning_rate)
    clear_moves(scratch.center_moves, centers, n_centers)
    clear_moves(scratch.outside_moves, contexts, n_contexts)
    clear_moves(scratch.outside_moves, noise, n_noise)
    return loss, n_pairs


@inner_jit
def draw_block_noise(unigram_table, state, count, noise):
    """The next `count` draws of a unit's noise stream; the rows that fill up the last tile are -1."""
    for s in range(len(noise)):
        noise[s] = -1
    for s in range(count):
        state += GAMMA
        noise[s] = draw_noise(unigram_table, mix64(state))
    return state


@level_jit
def train_unit(vectors, kept, span, sampler, noise_state, step, estimator, scratch):
    """All blocks of one unit, in reading order; returns (loss, pairs)."""
    begin, end, size = span
    learning_rate, reach = step
    weight = np.float32(estimator.n_negatives / estimator.shared_negatives)
    next_noise = np.empty_like(scratch.noise.words)
    loss, n_pairs = 0.0, 0
    noise_state = draw_block_noise(sampler.unigram_table, noise_state, estimator.shared_negatives, next_noise)
    for start in range(begin, end, estimator.block_size):
        stop = min(start + estimator.block_size, end)
        scratch.noise.words[:] = next_noise
        noise_state = draw_block_noise(
            sampler.unigram_table, noise_state, estimator.shared_negatives, next_noise
        )
        next_stop = min(stop + estimator.block_size, end)
        look_ahead(
            kept, stop, next_stop, min(stop + reach, size), min(next_stop + reach, size), next_noise, scratch
        )
        block_loss, block_pairs = block_step(
            vectors, kept, (start, stop, size), learning_rate, weight, scratch
        )
        loss += block_loss
        n_pairs += block_pairs
    return loss, n_pairs


@fast_jit
def train_units(vectors, tokens, sampler, schedule, window, estimator, queue, totals, worker):
    """One worker's share of units queue[0] ≤ u < queue[1], taken one by one.

    queue   int64 (2,): next unit, end; queue[0] is left past the end
    totals  float64 (n_workers, 8): the worker adds its loss, pairs and kept words to columns 0, 1, 2
    """
    kept = new_kept(window)
    scratch = new_scratch(vectors.center.shape[0], vectors.center.shape[1], estimator, window.reach)
    while True:
        unit = atomic_add(queue, np.int64(1))
        if unit >= queue[1]:
            break
        span = keep_unit(tokens, sampler, schedule.epoch_key, window, unit, kept)
        noise_state = noise_state_of(schedule.epoch_key, unit)
        step = (learning_rate_at(schedule, unit * UNIT), window.reach)
        loss, n_pairs = train_unit(vectors, kept, span, sampler, noise_state, step, estimator, scratch)
        totals[worker, 0] += loss
        totals[worker, 1] += n_pairs
        totals[worker, 2] += span[1] - span[0]
