"""Pairs in a drawn order, those of a centre in groups; the twin of `fastw2v.kernels.groups`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.pairs import CHUNK_ROWS
from fastw2v.model.streams import GAMMA, MASK, mix64, token_bits

Rows = NDArray[np.int32]


def n_times(rows: Rows, row: int, shares: NDArray[np.float64], key: int) -> int:
    """How often a row is trained: its weight times the share of its centre that is kept, rounded by chance.

    So the mean over epochs is that product, and no step is longer than that of one pair.
    """
    share = float(shares[rows[row, 0]])
    if rows.shape[1] > 2:
        share *= float(rows[row, 2:].view(np.float32)[0])
    return int(share + (token_bits(key, row) >> 11) * 2.0**-53)


def drawn_below(state: int, n: int) -> int:
    """A number from 0 to below n from the draw that belongs to a state of the stream."""
    return ((mix64(state) >> 32) * n) >> 32


def shuffle(values: list[int], state: int) -> int:
    """Put values in a drawn order, in place (Fisher and Yates); returns the stream after it."""
    for i in range(len(values) - 1, 0, -1):
        state = (state + GAMMA) & MASK
        j = drawn_below(state, i + 1)
        values[i], values[j] = values[j], values[i]
    return state


def sort_by_center(
    rows: Rows, chunks: NDArray[np.int64], shares: NDArray[np.float64], key: int
) -> list[list[int]]:
    """The outside words of the chunks' pairs, those of each centre together."""
    others: list[list[int]] = [[] for _ in shares]
    for chunk in chunks.tolist():
        for row in range(chunk * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, len(rows))):
            center, outside = rows[row, :2].tolist()
            others[center] += [outside] * n_times(rows, row, shares, key)
    return others


def cut_groups(others: list[list[int]], most: int) -> list[tuple[int, list[int]]]:
    """The centre and the outside words of each group: of so many at most, as equal as can be."""
    groups = []
    for center, words in enumerate(others):
        n_here = -(-len(words) // most)
        cuts = [len(words) * k // n_here for k in range(n_here + 1)] if n_here else [0]
        groups += [(center, words[first:last]) for first, last in pairwise(cuts)]
    return groups


def group_pairs(
    rows: Rows, chunks: NDArray[np.int64], shares: NDArray[np.float64], key: int, most: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The pairs of some chunks of rows, as sentences of a centre and its outside words, in a drawn order.

    Returns ids int32, the centres among them, and offsets int64.
    """
    others = sort_by_center(rows, chunks, shares, key)
    state = mix64(((~key & MASK) + int(chunks[0]) * GAMMA) & MASK)
    for words in others:
        state = shuffle(words, state)
    groups = cut_groups(others, most)
    order = list(range(len(groups)))
    shuffle(order, state)
    ids = [word for g in order for word in (groups[g][0], *groups[g][1])]
    offsets = np.cumsum([0, *(1 + len(groups[g][1]) for g in order)])
    return np.array(ids, np.int32), offsets.astype(np.int64)
