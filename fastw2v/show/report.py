"""A run and its vectors as one HTML page without scripts; its frame and looks are in report.html.

Every function that returns HTML escapes the texts it is given.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.show.pages import write_filled
from fastw2v.vectors import query
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.stability import Stability, level_of

TEMPLATE = Path(__file__).with_name("report.html")
WIDTH, HEIGHT = 480, 230
LEFT, RIGHT, TOP, BOTTOM = 68, 14, 10, 44  # margins of a chart, with room for its numbers
MOST_POINTS = 240  # of a curve: more than two a millimetre show nothing
MOST_DOTS = 40
HUGE = 1e15  # no loss or speed of a run; keeps the arithmetic of ticks exact
SETTLED = 0.01
AXIS = "passes over the corpus, from 1 % of the run on"
SHORT_SECONDS = 0.5  # the last record comes at once, and the speed of so short a time is noise
FUNCTION_WORDS = 100  # the most frequent words of a text tell little
RARE_RANK = 5000

CLASSES = ("first", "second")  # of the curves of a chart, in the page's styles

Record = Mapping[str, Any]  # of a log, by run_log
Point = tuple[float, float]


class Curve(NamedTuple):
    """A line of a chart: its name in the legend, and (x, y) places from left to right."""

    name: str
    points: list[Point]


class Axes(NamedTuple):
    """The numbers at which a chart has ticks, ascending, and where a value between them is in the picture."""

    columns: list[float]
    rows: list[float]

    def x(self, value: float) -> float:
        """From the left."""
        first, last = self.columns[0], self.columns[-1]
        return LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """From the top."""
        first, last = self.rows[0], self.rows[-1]
        return HEIGHT - BOTTOM - (value - first) / (last - first) * (HEIGHT - BOTTOM - TOP)


def write_report(path: Path, title: str, sections: Mapping[str, str]) -> None:
    """Write the page, complete or not at all: HTML under headings, the first part under the title itself.

    Raises OutputError if it cannot be written.
    """
    parts = [f"<h2>{html.escape(name)}</h2>\n{body}" if name else body for name, body in sections.items()]
    write_filled(path, TEMPLATE, {"title": html.escape(title), "body": "\n".join(parts)})


def paragraph(text: str) -> str:
    """A paragraph, such as why a part is missing."""
    return f"<p>{html.escape(text)}</p>"


def facts(values: Mapping[str, str]) -> str:
    """Names and values."""
    pairs = (f"<div><dt>{html.escape(name)}</dt><dd>{word(text)}</dd></div>" for name, text in values.items())
    return f"<dl>{''.join(pairs)}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, the first column to the left."""
    names = "".join(f"<th>{word(name)}</th>" for name in head)
    lines = ("".join(f"<td>{word(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{names}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def word(text: str) -> str:
    """A text of unknown direction: Arabic or Hebrew leaves the order of what is around it alone."""
    return f"<bdi>{html.escape(text)}</bdi>"


# ---- Neighbours --------------------------------------------------------------------------------------------


def content_words(words: Sequence[str], n: int = 8) -> list[str]:
    """At most n words with a letter or digit, at even steps of log rank, without the most frequent.

    words  most frequent first
    """
    first = min(FUNCTION_WORDS, len(words) // 20) + 1
    last = max(first, min(len(words), RARE_RANK))
    chosen: list[str] = []
    for place in np.geomspace(first, last, n).astype(int) - 1:
        tellable = (w for w in words[place:RARE_RANK] if w not in chosen and any(map(str.isalnum, w)))
        chosen += itertools.islice(tellable, 1)
    return chosen


def neighbours(embeddings: Embeddings, words: Sequence[str], n: int, samples: Stability | None = None) -> str:
    """A table for each word: what is nearest, the cosine and, with samples, how sure both are.

    Raises UsageError for an unknown word, n < 1, and samples of other words.
    """
    if samples is not None:
        sure = (sure_card(embeddings, asked, n, samples) for asked in words)
        return f'<div class="cards">{"".join(sure)}</div>'
    cards = (
        table([asked, "cosine"], [[near, f"{cosine:.3f}"] for near, cosine in found])
        for asked, found in [(asked, query.nearest(embeddings, asked, n)) for asked in words]
    )
    return f'<div class="cards">{"".join(cards)}</div>'


def sure_card(embeddings: Embeddings, asked: str, n: int, samples: Stability) -> str:
    """A table of a word's neighbours with their intervals."""
    head = [asked, "cosine", f"{level_of(len(samples)):.0%} interval", f"of {len(samples)} samples"]
    rows = (
        [near.word, f"{near.cosine:.3f}", f"{near.low:.3f} to {near.high:.3f}", f"{near.share:.0%}"]
        for near in samples.nearest(asked, n, embeddings)
    )
    return table(head, rows)


# ---- A run -------------------------------------------------------------------------------------------------


def charts(records: Sequence[Record]) -> str:
    """Loss and speed over the passes made, from the records of a log."""
    progress = settled([record for record in records if record.get("event") == "progress"])
    judged = [record for record in records if record.get("event") == "evaluation"]
    passes = passes_of(records[0]["settings"], progress)
    losses = [
        Curve("training", scaled(points(progress, "share", "mean_loss"), passes)),
        Curve("held-out sentences", points(judged, "epochs", "loss")),
    ]
    speed = [Curve("training", scaled(speeds(progress), passes))]
    figures = chart("Loss a pair", losses) + chart("Words a second", speed, from_zero=True)
    return f'<div class="side">{figures}</div>'


def passes_of(settings: Record, progress: Sequence[Record]) -> float:
    """Epochs of the whole run; of one by the clock, those to expect of it after the last record."""
    if number(settings, "minutes") and progress:
        return (number(progress[-1], "epochs") or 1.0) / (number(progress[-1], "share") or 1.0)
    return number(settings, "epochs") or 1.0


def settled(progress: list[Record]) -> list[Record]:
    """Without the first hundredth of the run, whose loss, of untrained vectors, would flatten the rest."""
    return [record for record in progress if (number(record, "share") or 0.0) >= SETTLED] or progress


def number(record: Record, key: str) -> float | None:
    """A finite number of a record, or None for what is missing or anything else."""
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and abs(value) < HUGE else None


def points(records: Iterable[Record], x: str, y: str) -> list[Point]:
    """What records say of two things, where they say both."""
    pairs = ((number(record, x), number(record, y)) for record in records)
    return [(first, second) for first, second in pairs if first is not None and second is not None]


def speeds(progress: Sequence[Record]) -> list[Point]:
    """Share of the run that is done, and words a second since the record before."""
    done = [(0.0, 0.0), *points(progress, "seconds", "words")]
    shares = dict(points(progress, "seconds", "share"))
    if len(done) > 2 and done[-1][0] - done[-2][0] < SHORT_SECONDS:
        del done[-2]
    return [
        (shares[seconds], (words - words_before) / (seconds - before))
        for (before, words_before), (seconds, words) in itertools.pairwise(done)
        if seconds > before and seconds in shares
    ]


def scaled(places: Iterable[Point], factor: float) -> list[Point]:
    return [(x * factor, y) for x, y in places]


# ---- Charts ------------------------------------------------------------------------------------------------


def chart(title: str, curves: Sequence[Curve], *, from_zero: bool = False) -> str:
    """Curves over the passes made, as a figure of SVG; a sentence where there is nothing to draw.

    from_zero  begin the axis of the values at 0
    """
    curves = [Curve(curve.name, thinned(curve.points)) for curve in curves if curve.points]
    if not curves:
        return paragraph(f"{title}: nothing of it is in the log.")
    everything = [point for curve in curves for point in curve.points]
    columns = ticks(0.0, max(x for x, _ in everything))
    rows = ticks(*((0.0,) if from_zero else ()), *(y for _, y in everything))
    axes = Axes(columns, rows)
    drawn = "".join(polyline(axes, curve, name) for name, curve in zip(CLASSES, curves, strict=False))
    legend = "".join(
        f'<b class="{name}">{html.escape(curve.name)}</b>'
        for name, curve in zip(CLASSES, curves, strict=False)
        if len(curves) > 1
    )
    label = html.escape(title)
    return (
        f'<figure><figcaption>{label}{legend}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{label}">{frame(axes)}{drawn}</svg></figure>'
    )


def thinned(places: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS, each the mean of as many neighbours."""
    size = -(-len(places) // MOST_POINTS)
    groups = (places[start : start + size] for start in range(0, len(places), size))
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups
    ]


def ticks(*values: float) -> list[float]:
    """Round numbers from the least value or below it to the greatest or above it, some five steps."""
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    least = max((high - low if high - low > 1e-6 * size else size) / 5, 1e-9)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= least)
    first = math.floor(low / step)
    return [i * step for i in range(first, max(math.ceil(high / step), first + 1) + 1)]


def frame(axes: Axes) -> str:
    """Lines and numbers of the axes."""
    bottom = HEIGHT - BOTTOM
    rows = (
        f'<path class="grid" d="M{LEFT} {axes.y(row):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 8}" y="{axes.y(row) + 4:.1f}" text-anchor="end">{label}</text>'
        for row, label in zip(axes.rows, labels(axes.rows), strict=True)
    )
    columns = (
        f'<text x="{axes.x(column):.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>'
        for column, label in zip(axes.columns, labels(axes.columns), strict=True)
    )
    middle = (LEFT + WIDTH - RIGHT) / 2
    name = f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{AXIS}</text>'
    return "".join([*rows, *columns, name])


def labels(values: Sequence[float]) -> list[str]:
    """Numbers at even steps with as many decimals as tell them apart."""
    decimals = max(0, -math.floor(math.log10(values[1] - values[0])))
    return [f"{value:,.{decimals}f}" for value in values]


def polyline(axes: Axes, curve: Curve, name: str) -> str:
    """A line, and dots that name their values where there are few."""
    places = [(f"{axes.x(x):.1f}", f"{axes.y(y):.1f}") for x, y in curve.points]
    line = f'<polyline points="{" ".join(f"{x},{y}" for x, y in places)}"/>'
    dots = (
        f'<circle cx="{x}" cy="{y}" r="3"><title>{value:,.6g} after {passes:.3g} passes</title></circle>'
        for (x, y), (passes, value) in zip(places, curve.points, strict=True)
    )
    return f'<g class="{name}">{line}{"".join(dots) if len(places) <= MOST_DOTS else ""}</g>'
