"""Zipf's plot as a picture, by matplotlib: an optional extra, imported where it draws."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.show.zipf import plotted_ranks
from fastw2v.system.files import atomic_writer, require_writable

SUFFIXES = (".png", ".svg", ".pdf")
POINTS = 500


def require_picture(path: Path) -> None:
    """Check that `save_zipf(path, …)` can work.

    Raises UsageError for a suffix that is not one of SUFFIXES and without matplotlib, OutputError for a place
    that cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: no picture is named {path.suffix!r}; end it in {', '.join(SUFFIXES)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"{path}: a picture needs matplotlib; pip install 'fastw2v[picture]'")
    require_writable(path)


def save_zipf(path: Path, counts: NDArray[np.int64]) -> None:
    """Draw count against rank, both logarithmic.

    counts  int64 (n_words,), descending; zeros are left out

    Raises OutputError if the file cannot be written.
    """
    from matplotlib.figure import Figure

    counts = counts[counts > 0]
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    ranks = plotted_ranks(len(counts), POINTS)
    axes.loglog(ranks, counts[ranks - 1], ".-")
    axes.set(xlabel="rank", ylabel="count", title=f"{len(counts):,} words, {counts.sum():,} tokens")
    axes.grid(alpha=0.3)
    with atomic_writer(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=150)
