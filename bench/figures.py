"""Figures made of results, by matplotlib (the `bench` extra)."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import reached
from bench.rows import OURS, Row, groups, headline_of, judges_of, newest_run, of_bench, speed

AXES = {
    "threads": "threads",
    "dim": "dim",
    "k": "negatives, k",
    "vocabulary": "words in the vocabulary",
    "sentence length": "words in a sentence",
}
DPI = 130
# Okabe and Ito's colours, which colour-blind readers tell apart; markers and dashes do so in grey.
# OURS has the first of each.
COLORS = ("#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 3)))


def styles_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A colour, a marker and a dash for each name, none of them twice among eight."""
    others = [name for name in names if name != OURS]
    return {
        name: {"color": COLORS[i % 8], "marker": MARKERS[i % 8], "linestyle": DASHES[i % 8]}
        for i, name in enumerate([OURS, *others])
    }


def draw(rows: list[Row], folder: Path) -> list[Path]:
    """The figures of FIGURES that there are results for; returns what was drawn."""
    import matplotlib as mpl

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, make in FIGURES.items():
        figure = make(rows)
        if figure is not None:
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=DPI, metadata={"Software": None})
            drawn.append(path)
    return drawn


def speed_and_quality(rows: list[Row]) -> Any:
    """Words a second against every judge's score; up and to the right is better."""
    from matplotlib.figure import Figure

    found = headline_of(rows)
    if found is None or not found.scored:
        return None
    scored, judges = found.scored, judges_of(found.scored)
    figure, styles = Figure(figsize=(3.4 * len(judges), 3.4), layout="constrained"), styles_of(scored)
    for number, judge in enumerate(judges):
        axes = figure.add_subplot(1, len(judges), number + 1)
        for name, own in scored.items():
            values = [row["scores"][judge] for row in own]
            style = styles[name]
            axes.scatter(
                [statistics.median(found.speeds[name].values())] * len(values),
                values,
                label=name,
                s=24,
                color=style["color"],
                marker=style["marker"],
            )
        axes.set(xscale="log", xlabel="words/s", title=judge)
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(f"training speed, and quality after {found.epochs} epochs", fontsize=10)
    return figure


def scaling(rows: list[Row]) -> Any:
    """Words a second against one size at a time."""
    from matplotlib.figure import Figure

    runs = newest_run(of_bench(rows, "scaling"))
    if not runs:
        return None
    found = {axis: own for (axis,), own in groups(runs[0], "axis").items() if axis in AXES}
    figure = Figure(figsize=(3.2 * len(found), 3.0), layout="constrained")
    for number, (axis, own) in enumerate(found.items()):
        axes = figure.add_subplot(1, len(found), number + 1)
        values = {
            value: [speed(row) for row in of_value] for (value,), of_value in groups(own, "value").items()
        }
        medians = [statistics.median(speeds) for speeds in values.values()]
        axes.plot(list(values), medians, marker="o", color=COLORS[0])
        if axis == "threads":
            axes.set_xticks(list(values))
            sums = [row for row in runs[0] if row["axis"] == "processes"]
            axes.scatter(
                [row["value"] for row in sums], [speed(row) for row in sums], marker="x", color="gray"
            )
        axes.set(xlabel=AXES[axis], ylim=(0, 1.15 * max(max(speeds) for speeds in values.values())))
        if axis in ("vocabulary", "sentence length"):
            axes.set_xscale("log")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y / 1e6:.1f} M")
        axes.grid(alpha=0.3)
    figure.suptitle("words a second of kernel block (gray: the sum of separate processes)", fontsize=10)
    return figure


def time_to_quality(rows: list[Row]) -> Any:
    """Seconds of training against the mean score: every run a point, each trainer's Pareto front a line."""
    from matplotlib.figure import Figure

    runs = reached.newest(rows)
    if not runs:
        return None
    found = reached.reached(max(runs, key=lambda own: (own[0]["dim"], own[0]["n_words"], own[0]["run"])))
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    styles = styles_of(found.by_trainer)
    for name, own in found.by_trainer.items():
        best, style = reached.front(own), styles[name]
        places = [row["seconds"] for row in own], list(map(reached.mean_score, own))
        axes.scatter(*places, s=12, color=style["color"], marker=style["marker"])
        front = [row["seconds"] for row in best], list(map(reached.mean_score, best))
        axes.plot(*front, **style, markersize=5, label=name)
    axes.set(xscale="log", xlabel="seconds of training", ylabel="mean score")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


FIGURES = {"speed-and-quality": speed_and_quality, "scaling": scaling, "time-to-quality": time_to_quality}
