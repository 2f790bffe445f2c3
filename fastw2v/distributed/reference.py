"""How steps of several processes on one row become one, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastw2v.reference.losses import Array


def adasum(a: Array, b: Array) -> Array:
    """Two steps on one row, (dim,) each, as one (Maleki et al. 2021, arXiv 2006.02924, eq. 6).

    a ⊕ b = (1 − a·b / 2|a|²) a + (1 − a·b / 2|b|²) b: the sum of orthogonal steps, the mean of equal ones.
    """
    product = a @ b
    shares = [1 - product / (2 * square) if (square := step @ step) > 0 else 1 for step in (a, b)]
    return np.asarray(shares[0] * a + shares[1] * b)


def combined_step(steps: Sequence[Array | None], is_mean: bool = False) -> Array:
    """The steps of all ranks on one row, None for a rank without one, combined: at least one is an array.

    Neighbours first, then neighbouring pairs, and so on; what has no neighbour waits.
    """
    level = list(steps)
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [_combined_pair([step for step in pair if step is not None], is_mean) for pair in pairs]
    assert level[0] is not None
    return level[0] / len(steps) if is_mean else level[0]


def _combined_pair(steps: list[Array], is_mean: bool) -> Array | None:
    if len(steps) < 2:
        return steps[0] if steps else None
    return np.asarray(steps[0] + steps[1]) if is_mean else adasum(*steps)
