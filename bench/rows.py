"""Rows of results: those of one measurement, those of its last command, and what they come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple

from fastw2v.config import TrainConfig

Row = dict[str, Any]
OURS = "fastw2v block"
MACHINE = ("cpu", "instructions")
OLDER = {"instructions": "AVX-512"}  # of the machines of results that do not tell
SETTINGS = ("corpus", "dim", "window", "negatives", "sample", "lr", "min_count")


def groups(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some fields, in order of first appearance."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(name) for name in names), []).append(row)
    return found


def of_bench(rows: Iterable[Row], *names: str) -> list[Row]:
    """The rows of these measurements, each with the instructions of its machine."""
    return [OLDER | row for row in rows if row["bench"] in names]


def newest_run(rows: list[Row], *names: str) -> list[list[Row]]:
    """For every combination of the fields the rows of its last command: ratios are formed within one."""
    return [list(groups(own, "run").values())[-1] for own in groups(rows, *names).values()]


def label(row: Row) -> str:
    """The trainer, with the options of the block where they are not the defaults at the row's step size.

    Results that do not tell how windows are weighed are older than the choice: theirs were drawn.
    """
    own, size = str(row["trainer"]), (row["block_size"], row["shared_negatives"])
    windows = ", drawn windows" if row.get("window_weights", "drawn") == "drawn" else ""
    if own != OURS:
        return own + windows * own.startswith("fastw2v")
    default = TrainConfig(lr=row["lr"])
    usual = [(default.block_size, default.shared_draws(n)) for n in (1, 1_000_000)]
    sizes = f", T={size[0]} S={size[1]}" if size not in usual else ""
    return own + sizes + (", bfloat16" if row.get("precision") == "bfloat16" else "") + windows


def speed(row: Row) -> float:
    """Words a second."""
    return float(row["words"] / row["seconds"])


def speeds_by_round(rows: list[Row]) -> dict[str, dict[int, float]]:
    """Words a second of each trainer by round, in the last command that ran it; the fastest trainer first."""
    speeds = {
        name: {row["seed"]: speed(row) for row in last_run(of_trainer)}
        for (name,), of_trainer in groups(rows, "trainer").items()
    }
    return dict(sorted(speeds.items(), key=lambda item: -statistics.median(item[1].values())))


def last_run(rows: list[Row]) -> list[Row]:
    """Those of the last command."""
    return list(groups(rows, "run").values())[-1]


def newest_by_label(rows: list[Row]) -> dict[str, list[Row]]:
    """The last row of each seed, by trainer."""
    found: dict[str, dict[int, Row]] = {}
    for row in rows:
        found.setdefault(label(row), {})[row["seed"]] = row
    return {name: list(by_seed.values()) for name, by_seed in found.items()}


def judges_of(scored: dict[str, list[Row]]) -> list[str]:
    """Names of all scores, in order of first appearance."""
    return list(dict.fromkeys(judge for own in scored.values() for row in own for judge in row["scores"]))


class Headline(NamedTuple):
    """A throughput measurement of ours and others, and what scores there are of the same trainers.

    speeds  words/s by trainer and round
    scored  the trainers' rows with scores, after so many epochs
    """

    rows: list[Row]
    speeds: dict[str, dict[int, float]]
    scored: dict[str, list[Row]]
    epochs: int


def headline_of(rows: list[Row]) -> Headline | None:
    """Of the throughput measurements of the longest vectors the newest that has scores, else the newest.

    The scores are those of the longest quality measurement of the same settings.
    """
    runs = groups(of_bench(rows, "throughput"), *SETTINGS, "threads", *MACHINE).values()
    with_ours = [own for own in runs if any(row["trainer"] == OURS for row in own)]
    found = [with_scores(own, rows) for own in with_ours]
    return max(found, key=lambda one: (one.rows[0]["dim"], one.epochs > 0, one.rows[-1]["run"]), default=None)


def with_scores(own: list[Row], rows: list[Row]) -> Headline:
    """A throughput measurement with the scores that there are among the rows."""
    speeds, trainers = speeds_by_round(own), {label(row): row["trainer"] for row in own}
    same = [row for row in of_bench(rows, "quality") if row.get("scores") and label(row) in trainers]
    same = [row for row in same if all(row[name] == own[0][name] for name in SETTINGS)]
    epochs = max((row["epochs"] for row in same), default=0)
    scored = newest_by_label([row for row in same if row["epochs"] == epochs])
    return Headline(own, speeds, {trainers[name]: newest for name, newest in scored.items()}, epochs)
