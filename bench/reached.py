"""Time to quality: which run of a trainer reaches given scores first, and what a second more buys it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

from bench.rows import MACHINE, OURS, SETTINGS, Row, groups, judges_of, newest_run, of_bench
from bench.tables import caption, table

MEASURE = "time-to-quality"
SHARE = 0.95  # of the best peer's scores, that are to be reached where no others are given
WANTED = ("MEN", "analogy %")  # whose scores these are; all there are where these are not


class Reached(NamedTuple):
    """Scores to reach, what is said of them, and the trainers' rows, each trainer's fastest first.

    best   of each trainer the fastest run that reaches all of them; None where none does
    """

    targets: dict[str, float]
    origin: str
    by_trainer: dict[str, list[Row]]
    best: dict[str, Row | None]


def mean_score(row: Row) -> float:
    """Of all judges alike; of analogies the share that is answered."""
    scores: Mapping[str, float] = row["scores"]
    return statistics.mean(one / 100 if judge.endswith("%") else one for judge, one in scores.items())


def newest(rows: list[Row]) -> list[list[Row]]:
    """For each machine, corpus and settings but the step size, the judged rows of the last command."""
    names = tuple(name for name in SETTINGS if name != "lr")
    finite = ({**row, "scores": finite_scores(row)} for row in of_bench(rows, MEASURE))
    return newest_run([row for row in finite if row["scores"]], *names, "threads", *MACHINE)


def finite_scores(row: Row) -> dict[str, float]:
    """The scores of judges that know words of the vocabulary; the others' are NaN."""
    return {judge: score for judge, score in row["scores"].items() if math.isfinite(score)}


def default_targets(rows: list[Row]) -> tuple[dict[str, float], str]:
    """95 % of the best peer's scores after the most epochs, at its best step size; of ours without peers."""
    others = [row for row in rows if not row["trainer"].startswith("fastw2v")] or rows
    epochs = max(row["epochs"] for row in others)
    best = max((row for row in others if row["epochs"] == epochs), key=mean_score)
    judges = [judge for judge in WANTED if judge in best["scores"]] or list(best["scores"])
    origin = f"{SHARE:.0%} of {best['trainer']} after {epochs} epochs at lr {best['lr']:g}"
    return {judge: SHARE * best["scores"][judge] for judge in judges}, origin


def reached(rows: list[Row]) -> Reached:
    """What the rows of one command come to."""
    targets, origin = rows[0]["targets"], "as given"
    if not targets:
        targets, origin = default_targets(rows)
    by_trainer = {
        name: sorted(own, key=lambda row: row["seconds"])
        for (name,), own in groups(sorted(rows, key=lambda row: row["trainer"] != OURS), "trainer").items()
    }
    best = {name: next((row for row in own if has(row, targets)), None) for name, own in by_trainer.items()}
    return Reached(targets, origin, by_trainer, best)


def has(row: Row, targets: Mapping[str, float]) -> bool:
    """Whether a run has all of the scores."""
    return all(row["scores"].get(judge, float("-inf")) >= score for judge, score in targets.items())


def front(rows: list[Row]) -> list[Row]:
    """The runs, the fastest first, that no faster one equals in the mean score."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["seconds"], -mean_score(row))):
        if not kept or mean_score(row) > mean_score(kept[-1]):
            kept.append(row)
    return kept


def scored(score: float, judge: str) -> str:
    """A score as tables have it."""
    return f"{score:.1f}" if judge.endswith("%") else f"{score:.3f}"


def reached_lines(found: Reached) -> list[list[str]]:
    """Of each trainer the seconds to the scores, against ours, and the settings that took them."""
    ours = found.best.get(OURS)
    lines = []
    for name, row in found.best.items():
        if row is None:
            lines.append([name, "not reached", "", "", "", *[""] * len(found.targets)])
            continue
        ratio = f"{row['seconds'] / ours['seconds']:.1f} x" if ours and name != OURS else ""
        scores = [scored(row["scores"][judge], judge) for judge in found.targets]
        lines.append([name, f"{row['seconds']:,.1f}", ratio, f"{row['lr']:g}", f"{row['epochs']}", *scores])
    return lines


def front_lines(found: Reached) -> list[list[str]]:
    """The Pareto front of each trainer: seconds, settings, mean score, and all scores side by side."""
    judges = judges_of(found.by_trainer)
    return [
        [
            name,
            *(f"{row['seconds']:,.1f}", f"{row['lr']:g}", f"{row['epochs']}", f"{mean_score(row):.3f}"),
            *(scored(row["scores"][judge], judge) for judge in judges),
        ]
        for name, own in found.by_trainer.items()
        for row in front(own)
    ]


def first_table(own: list[Row]) -> str:
    """Seconds of training to the scores, each trainer at the settings that reach them first."""
    found = reached(own)
    wanted = ", ".join(f"{judge} {scored(one, judge)}" for judge, one in found.targets.items())
    head = ["trainer", "seconds", "block is faster by", "lr", "epochs", *found.targets]
    return f"To {wanted} ({found.origin}):\n\n{table(head, reached_lines(found))}"


def what(own: list[Row]) -> str:
    """What was tried, on what."""
    tried = ", ".join(f"{lr:g}" for lr in sorted({row["lr"] for row in own}))
    epochs = ", ".join(f"{n}" for n in sorted({row["epochs"] for row in own}))
    how = f"lr {tried} and {epochs} epochs tried, {own[0]['threads']} threads, training time alone"
    return caption(own[-1], how)


def seconds_to_scores(rows: list[Row]) -> str:
    """The first table of each corpus."""
    return "\n\n".join(f"{first_table(own)}\n\n{what(own)}" for own in newest(rows))


def time_to_quality(rows: list[Row]) -> str:
    """Seconds of training to given scores, each trainer at its best, and what more seconds buy."""
    parts = []
    for own in newest(rows):
        found = reached(own)
        head = ["trainer", "seconds", "lr", "epochs", "mean", *judges_of(found.by_trainer)]
        fronts = table(head, front_lines(found))
        parts.append(
            f"{first_table(own)}\n\nNo faster run of the trainer is as good:\n\n{fronts}\n\n{what(own)}"
        )
    return "\n\n".join(parts)
