"""How a vocabulary's counts are distributed: what a minimum count keeps, and Zipf's plot for a terminal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, 1000)
WIDTH, HEIGHT = 64, 16  # characters


class Coverage(NamedTuple):
    """What is left without the words rarer than min_count: words, their tokens, the share of all tokens."""

    min_count: int
    n_words: int
    n_tokens: int
    share: float


def coverage(
    counts: NDArray[np.int64], n_tokens: int, min_counts: tuple[int, ...] = MIN_COUNTS
) -> list[Coverage]:
    """A Coverage for each of min_counts that keeps a word and that the counts reach down to.

    counts    int64 (n_words,)
    n_tokens  of the corpus, also those of words that are not counted here
    """
    rows = []
    for min_count in min_counts:
        kept = counts[counts >= min_count]
        if len(kept) and (min_count >= counts.min() or min_count == min_counts[0]):
            total = int(kept.sum())
            rows.append(Coverage(min_count, len(kept), total, total / max(n_tokens, 1)))
    return rows


def plotted_ranks(n_words: int, n_points: int) -> NDArray[np.int64]:
    """At most n_points ranks from 1 to n_words, evenly on a logarithmic scale; none of no words."""
    if not n_words:
        return np.empty(0, np.int64)
    return np.unique(np.geomspace(1, n_words, n_points).astype(np.int64))


def zipf_plot(counts: NDArray[np.int64], width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """Count against rank, both logarithmic, as lines of text with axes.

    counts  int64 (n_words,), descending; zeros are left out
    """
    counts = counts[counts > 0]
    if not len(counts):
        return []
    ranks = plotted_ranks(len(counts), 8 * width)
    across, up = np.log(ranks), np.log(counts[ranks - 1])
    columns = np.rint(across / max(across[-1], 1e-9) * (width - 1)).astype(int)
    rows = np.rint((up - up[-1]) / max(up[0] - up[-1], 1e-9) * (height - 1)).astype(int)
    grid = np.full((height, width), " ")
    grid[height - 1 - rows, columns] = "*"
    highest, lowest = f"{counts[0]:,}", f"{counts[-1]:,}"
    margin = max(len(highest), len(lowest))
    labels = [highest, *[""] * (height - 2), lowest] if height > 1 else [highest]
    lines = [f"{label:>{margin}} |{''.join(row).rstrip()}" for label, row in zip(labels, grid, strict=True)]
    last = f"{len(counts):,}"
    axis = " " * margin + " +" + "-" * width
    return [*lines, axis, " " * (margin + 2) + "1" + last.rjust(width - 1) + "  rank"]
