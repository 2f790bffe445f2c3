"""A map as a picture, drawn by matplotlib."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.show.maps.projection import WordMap
from fastw2v.system.files import atomic_writer

INCHES, DOTS = (12, 9), 150
FONT_SIZE = 8
LETTER, LINE = 0.62, 1.3  # width of a letter and height of a line, in font sizes; wide enough to part labels
MOST_LETTERS = 30


def write_picture(path: Path, word_map: WordMap, title: str, kind: str) -> None:
    """Write a picture of `kind` png or svg, complete or not at all.

    Raises UsageError without matplotlib, OutputError if the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"{path}: a picture needs matplotlib; pip install 'fastw2v[map]', or write a page, NAME.html"
        ) from error
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastw2v"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")  # letters that the font lacks become boxes
        figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, parse_math=False)
        axes.set_aspect("equal")
        axes.axis("off")
        x, y = word_map.places.T
        axes.scatter(x, -y, s=3, color="#8a94a3", linewidths=0)
        for i in labelled(word_map):
            word = word_map.words[i][:MOST_LETTERS]
            axes.annotate(
                word, (x[i], -y[i]), (2, 1), textcoords="offset points", fontsize=FONT_SIZE, parse_math=False
            )
        with atomic_writer(path) as file:
            metadata = {"Date": None} if kind == "svg" else {}
            figure.savefig(file, format=kind, metadata=metadata)


def labelled(word_map: WordMap) -> list[int]:
    """Places of the words, frequent ones first, whose labels do not cover one another."""
    points = 0.9 * 72 * min(INCHES)  # margins and title leave so much
    chosen: list[int] = []
    boxes: NDArray[np.float64] = np.empty((len(word_map.words), 4))
    for i, word in enumerate(word_map.words):
        left, top = word_map.places[i] * points
        width = FONT_SIZE * LETTER * min(len(word), MOST_LETTERS)
        box = np.array([left, top, left + width, top + FONT_SIZE * LINE])
        others = boxes[: len(chosen)]
        if not ((others[:, :2] < box[2:]) & (others[:, 2:] > box[:2])).all(axis=1).any():
            boxes[len(chosen)] = box
            chosen.append(i)
    return chosen
