"""Copies of the hottest rows, one for the workers of each cache domain, and their merging.

A row that workers of another domain write comes from their cache each time. The hottest rows are those of the
first words, n rows that every domain has a copy of, behind the last word's row; now and then the moves of a
copy since it was last merged and those that other domains have brought meanwhile are put together.

The twin of `fastw2v.kernels.copies`.
"""

from __future__ import annotations

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Copies, NegativeSampling, Objective
from fastw2v.reference.architectures import Kept
from fastw2v.reference.losses import Array


def row_of(copies: Copies | None, word: int) -> int:
    """The row that stands for a word."""
    return copies.first + word if copies and word < copies.n_rows else word


def to_rows(copies: Copies | None, kept: Kept) -> Kept:
    """The kept tokens of a unit with the rows that stand for their words."""
    return [token._replace(word=row_of(copies, token.word)) for token in kept]


def merge_row(matrix: Array, row: int, copies: Copies) -> None:
    """Let row, its copy and what the copy was be the same: moved by the Adasum of what both have moved.

    a ⊕ b = (1 − a·b / 2|a|²) a + (1 − a·b / 2|b|²) b (Maleki et al. 2021, arXiv 2006.02924, eq. 6): the sum
    of orthogonal moves, the mean of equal ones. Their sum would overshoot where a row has come to rest.
    """
    copy, old = copies.first + row, copies.first + copies.n_rows + row
    own, other = matrix[copy] - matrix[old], matrix[row] - matrix[old]
    dot, own_square, other_square = own @ other, own @ own, other @ other
    own_share = 1 - dot / (2 * own_square) if own_square > 0 else 1
    other_share = 1 - dot / (2 * other_square) if other_square > 0 else 1
    merged = matrix[old] + own_share * own + other_share * other
    matrix[row] = matrix[copy] = matrix[old] = merged


def merge_part(vectors: Vectors, copies: Copies, part: int) -> None:
    """Merge one of the parts that the rows of the copies are in, every n-th row, in both matrices."""
    for row in range(part, copies.n_rows, len(copies.locks)):
        merge_row(vectors.center, row, copies)
        merge_row(vectors.outside, row, copies)


def merge_next(copies: Copies | None, vectors: Vectors) -> None:
    """After a unit, merge the domain's next part."""
    if copies:
        part = int(copies.units[0]) % len(copies.locks)
        copies.units[0] += 1
        merge_part(vectors, copies, part)


def place_words(objective: Objective, kept: Kept) -> Kept:
    """`to_rows` by the copies of an objective, if it has any."""
    return to_rows(objective.copies, kept) if isinstance(objective, NegativeSampling) else kept


def merge_some(objective: Objective, vectors: Vectors) -> None:
    """`merge_next` by the copies of an objective, if it has any."""
    if isinstance(objective, NegativeSampling):
        merge_next(objective.copies, vectors)
