"""Pairs in a drawn order, those of a centre in groups: what a part of an epoch of given pairs is made of.

A row of pairs stands for as many of them as its weight says, a fraction of one by chance. The twin is
`fastw2v.reference.groups`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.jit import inner_jit, jit
from fastw2v.kernels.scalar import GAMMA, SHIFT_32, mix64
from fastw2v.model.pairs import CHUNK_ROWS

SHIFT_11 = np.uint64(11)
UNIFORM = 2.0**-53  # of 53 random bits makes a number from 0 to below 1


@inner_jit
def n_times(rows, weights, row, shares, key):
    """How often a row is trained: its weight times the share of its centre that is kept, rounded by chance.

    So the mean over epochs is that product, and no step is longer than that of one pair.
    """
    share = shares[rows[row, 0]]
    if rows.shape[1] > 2:
        share *= np.float64(weights[row, 2])
    bits = mix64(key + np.uint64(row) * GAMMA)
    return np.int64(share + np.float64(bits >> SHIFT_11) * UNIFORM)


@inner_jit
def drawn_below(state, n):
    """A number from 0 to below n from the draw that belongs to a state of the stream."""
    return np.int64(((mix64(state) >> SHIFT_32) * np.uint64(n)) >> SHIFT_32)


@inner_jit
def shuffle(values, start, stop, state):
    """Put values[start:stop] in a drawn order (Fisher and Yates); returns the stream after it."""
    for i in range(stop - 1, start, -1):
        state += GAMMA
        j = start + drawn_below(state, i - start + 1)
        values[i], values[j] = values[j], values[i]
    return state


@inner_jit
def sort_by_center(rows, weights, chunks, shares, key):
    """The outside words of the chunks' pairs, those of a centre together.

    Returns starts int64 (n_centers + 1,): those of centre c are others[starts[c]:starts[c + 1]]; and others,
    int32.
    """
    starts = np.zeros(shares.shape[0] + 1, np.int64)
    for chunk in chunks:
        for row in range(chunk * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, rows.shape[0])):
            starts[rows[row, 0]] += n_times(rows, weights, row, shares, key)
    total = np.int64(0)
    for center in range(starts.shape[0]):
        starts[center], total = total, total + starts[center]
    others = np.empty(total, np.int32)
    ends = starts[:-1].copy()
    for chunk in chunks:
        for row in range(chunk * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, rows.shape[0])):
            center = rows[row, 0]
            for _ in range(n_times(rows, weights, row, shares, key)):
                others[ends[center]] = rows[row, 1]
                ends[center] += 1
    return starts, others


@inner_jit
def cut_groups(starts, most):
    """The centre and the first place of each group: of so many pairs at most, as equal as can be."""
    n_groups = np.int64(0)
    for center in range(starts.shape[0] - 1):
        n_groups += -(-(starts[center + 1] - starts[center]) // most)
    groups = np.empty(n_groups, np.int64)
    n = 0
    for center in range(starts.shape[0] - 1):
        n_pairs = starts[center + 1] - starts[center]
        n_here = -(-n_pairs // most)
        for k in range(n_here):
            groups[n] = (center << 32) | (starts[center] + n_pairs * k // n_here)
            n += 1
    return groups


@jit
def group_pairs(rows, weights, chunks, shares, key, most):
    """The pairs of some chunks of rows, as sentences of a centre and its outside words, in a drawn order.

    rows     int32 (n_rows, 2 or 3): numbers of centre and of outside word, and the bits of a weight
    weights  float32, the same memory
    chunks   int64 (n,), numbers of chunks of CHUNK_ROWS rows
    shares   float64 (n_centers,), of the pairs of a centre that subsampling keeps
    key      uint64, names the random stream; the rows have a draw each, so it is that of the epoch
    most     outside words of a sentence

    Returns ids int32, the centres among them, and offsets int64.
    """
    starts, others = sort_by_center(rows, weights, chunks, shares, key)
    state = mix64(~key + np.uint64(chunks[0]) * GAMMA)
    for center in range(shares.shape[0]):
        state = shuffle(others, starts[center], starts[center + 1], state)
    groups = cut_groups(starts, most)
    ids = np.empty(others.shape[0] + groups.shape[0], np.int32)
    offsets = np.zeros(groups.shape[0] + 1, np.int64)
    lengths = np.empty(others.shape[0], np.int8)  # of the group that begins at a place
    for g in range(groups.shape[0]):
        first = groups[g] & 0xFFFFFFFF
        last = groups[g + 1] & 0xFFFFFFFF if g + 1 < groups.shape[0] else others.shape[0]
        lengths[first] = last - first
    shuffle(groups, 0, groups.shape[0], state)
    n = np.int64(0)
    for g in range(groups.shape[0]):
        first = groups[g] & 0xFFFFFFFF
        ids[n] = groups[g] >> 32
        for k in range(lengths[first]):
            ids[n + 1 + k] = others[first + k]
        n += 1 + lengths[first]
        offsets[g + 1] = n
    return ids, offsets
