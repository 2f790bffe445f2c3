"""Copies of the hottest rows, one for the workers of each cache domain, and their merging.

Where a plan has none, nothing here is compiled. The twin is `fastw2v.reference.copies`.
"""

from __future__ import annotations

from types import NoneType

import numpy as np

from fastw2v.kernels.intrinsics import atomic_add
from fastw2v.kernels.jit import by_type, fast_jit
from fastw2v.model.plan import Copies, HierarchicalSoftmax, NegativeSampling

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


def _row_of_word(copies, word):
    return word


def _row_in_copy(copies, word):
    return word + copies.first if word < copies.n_rows else word


# (copies, word): the row that stands for a word.
row_of = by_type({NoneType: _row_of_word, Copies: _row_in_copy})


def _leave_words(copies, kept, size):
    pass


def _to_rows(copies, kept, size):
    for i in range(size):
        if kept.ids[i] < copies.n_rows:
            kept.ids[i] += np.int32(copies.first)


# (copies, kept, size): let the ids of a unit be the rows that stand for its words.
to_rows = by_type({NoneType: _leave_words, Copies: _to_rows})


@fast_jit
def merge_row(matrix, row, copies):
    """Let row, its copy and what the copy was be the same: moved by the Adasum of what both have moved."""
    copy, old = copies.first + row, copies.first + copies.n_rows + row
    dot, own_square, other_square = ZERO, ZERO, ZERO
    for d in range(matrix.shape[1]):
        own, other = matrix[copy, d] - matrix[old, d], matrix[row, d] - matrix[old, d]
        dot += own * other
        own_square += own * own
        other_square += other * other
    own_share = ONE - (HALF * dot / own_square if own_square > ZERO else ZERO)
    other_share = ONE - (HALF * dot / other_square if other_square > ZERO else ZERO)
    for d in range(matrix.shape[1]):
        own, other = matrix[copy, d] - matrix[old, d], matrix[row, d] - matrix[old, d]
        merged = matrix[old, d] + own_share * own + other_share * other
        matrix[row, d], matrix[copy, d], matrix[old, d] = merged, merged, merged


@fast_jit
def merge_part(vectors, copies, part):
    """Merge one of the parts that the rows of the copies are in, every n-th row, in both matrices."""
    for row in range(part, copies.n_rows, copies.locks.shape[0]):
        merge_row(vectors.center, row, copies)
        merge_row(vectors.outside, row, copies)


def _merge_nothing(copies, vectors):
    pass


def _merge_next(copies, vectors):
    part = atomic_add(copies.units, np.int64(1)) % copies.locks.shape[0]
    lock = copies.locks[part]
    if atomic_add(lock, np.int64(1)) == 0:
        merge_part(vectors, copies, part)
    atomic_add(lock, np.int64(-1))


# (copies, vectors): after a unit, merge the domain's next part, unless another domain is at it.
merge_next = by_type({NoneType: _merge_nothing, Copies: _merge_next})


def _place_words(objective, kept, size):
    to_rows(objective.copies, kept, size)


def _merge_some(objective, vectors):
    merge_next(objective.copies, vectors)


def _no_place(objective, kept, size):
    pass


def _nothing_to_merge(objective, vectors):
    pass


# (objective, kept, size) and (objective, vectors): the same of an objective.
place_words = by_type({NegativeSampling: _place_words, HierarchicalSoftmax: _no_place})
merge_some = by_type({NegativeSampling: _merge_some, HierarchicalSoftmax: _nothing_to_merge})
