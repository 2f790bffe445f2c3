"""The distinct words of a block and their rows of V, rising: what a lane in lockstep has copies of.

The twin of `fastw2v.kernels.numbers`, which numbers them as they come.
"""

from __future__ import annotations

import numpy as np

from fastw2v.model.plan import Architecture, GivenPairs, Inputs, Subwords
from fastw2v.reference.architectures import Kept
from fastw2v.reference.inputs import rows_of
from fastw2v.reference.noise import Numbers, outside_words


def number_words(
    architecture: Architecture, kept: Kept, centers: Numbers, noise: Numbers
) -> tuple[Numbers, Numbers]:
    """The distinct words of a block: of its centres, their windows and its noise; of given pairs apart."""
    words = [kept[i].word for i in centers]
    others = np.concatenate([*(outside_words(kept, i) for i in centers), noise])
    if isinstance(architecture, GivenPairs):
        return np.unique(np.array(words, np.intp)), np.unique(others.astype(np.intp))
    together = np.unique(np.concatenate([words, others]).astype(np.intp))
    return together, together


def number_rows(lookup: Inputs, words: Numbers) -> tuple[Numbers, Inputs]:
    """The distinct rows of V of some words, and a lookup of the words by place among these rows."""
    if not isinstance(lookup, Subwords):
        return words, lookup
    bags = [rows_of(lookup, w) for w in words.tolist()]
    rows, numbers = np.unique(np.array([row for bag in bags for row in bag], np.intp), return_inverse=True)
    starts = np.cumsum([0, *map(len, bags)], dtype=np.int64)
    return rows, Subwords(starts, numbers.astype(np.int32), lookup.spans)
