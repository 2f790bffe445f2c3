"""Tables made of results: printed after a measurement, and written between the marks of a page."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from pathlib import Path

import click

from bench import continuing, reached
from bench import models as of_models
from bench import stability as of_stability
from bench.graphs import as_table
from bench.rows import (
    MACHINE,
    OURS,
    SETTINGS,
    Row,
    groups,
    judges_of,
    newest_by_label,
    newest_run,
    of_bench,
    speed,
    speeds_by_round,
)
from bench.tables import caption, table


def spread(values: list[float]) -> str:
    """Median and range."""
    if len(values) == 1:
        return f"{values[0]:.1f} x"
    return f"{statistics.median(values):.1f} x ({min(values):.1f} to {max(values):.1f})"


def advantage(rows: list[Row], name: str) -> str:
    """How many times as fast as a trainer block is, round by round of the last command that ran both.

    A trainer that ran once is held against every round.
    """
    runs = groups([row for row in rows if row["trainer"] == name], "run")
    for run, of_trainer in reversed(runs.items()):
        block = {row["seed"]: speed(row) for row in rows if row["trainer"] == OURS and (row["run"],) == run}
        own = {row["seed"]: speed(row) for row in of_trainer}
        if len(own) == 1:
            own = dict.fromkeys(block, next(iter(own.values())))
        ratios = [block[number] / own[number] for number in block.keys() & own.keys()]
        if ratios and name != OURS:
            return spread(ratios)
    return ""


def throughput(rows: list[Row]) -> str:
    """Median words a second of each trainer, and how many times as fast block is, round by round."""
    parts = []
    for own in groups(of_bench(rows, "throughput"), *SETTINGS, "threads", *MACHINE).values():
        speeds = speeds_by_round(own)
        lines = [
            [name, f"{statistics.median(rounds.values()):,.0f}", advantage(own, name)]
            for name, rounds in speeds.items()
        ]
        text = table(["trainer", "words/s", "block is faster by"], lines)
        n_rounds = len(speeds.get(OURS, {}))
        rounds_run = f"{n_rounds} rounds in alternation, {own[0]['threads']} threads, training time alone"
        parts.append(f"{text}\n\n{caption(own[-1], rounds_run)}")
    return "\n\n".join(parts)


def quality(rows: list[Row]) -> str:
    """Mean scores of each trainer, with the standard deviation over seeds."""
    parts = []
    judged = [row for row in of_bench(rows, "quality", "throughput") if row.get("scores")]
    for own in groups(judged, *SETTINGS, "epochs").values():
        scored = newest_by_label(own)
        judges = judges_of(scored)
        lines = []
        for name, newest in scored.items():
            cells = [mean_and_deviation([row["scores"][j] for row in newest], j) for j in judges]
            lines.append([name, f"{len(newest)}", *cells])
        text = table(["trainer", "runs", *judges], lines)
        epochs = f"{own[0]['epochs']} epoch" + "s" * (own[0]["epochs"] != 1)
        step = f"lr {own[0]['lr']:g}"
        parts.append(f"{text}\n\n{caption(own[0], step, epochs)}")
    return "\n\n".join(parts)


def mean_and_deviation(values: list[float], judge: str) -> str:
    """The mean of scores over seeds, and their standard deviation where there are several."""
    digits = 1 if judge.endswith("%") else 3
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def scaling(rows: list[Row]) -> str:
    """Words a second against one size at a time."""
    parts = []
    for own in newest_run(of_bench(rows, "scaling"), *SETTINGS, "threads", *MACHINE):
        lines = []
        for (axis,), of_axis in groups(own, "axis").items():
            first = None
            for (value,), of_value in groups(of_axis, "value").items():
                speeds = [speed(row) for row in of_value]
                median = statistics.median(speeds)
                first = first or median
                against = "" if axis == "processes" else f"{median / first:.2f} x"
                lines.append([axis, f"{value:,}", f"{median:,.0f}", against])
        text = table(["", "value", "words/s", "of the first"], lines)
        note = threads_against_processes(own)
        used = f"{own[0]['threads']} threads, but for that axis"
        parts.append(f"{text}\n\n{note}{caption(own[0], used)}")
    return "\n\n".join(parts)


def threads_against_processes(rows: list[Row]) -> str:
    """One process with all cores against the sum of as many of one thread, started together."""
    processes = [row for row in rows if row["axis"] == "processes"]
    if not processes:
        return ""
    n = processes[0]["value"]
    threads = [row for row in rows if row["axis"] == "threads" and row["value"] == n]
    ratios = [speed(a) / speed(b) for a, b in zip(threads, processes, strict=False)]
    return (
        f"{n} threads against the sum of {n} processes of one thread each: "
        f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f}).\n\n"
    )


def kernels(rows: list[Row]) -> str:
    """Where a block's time goes on one core."""
    parts = []
    measured = [{"vector_bits": 512} | row for row in of_bench(rows, "kernels")]  # older results do not tell
    for own in newest_run(measured, *SETTINGS, "precision", "vector_bits", *MACHINE):
        total = sum(row["nanoseconds"] for row in own)
        peak, copy = own[0]["peak_gflops"], own[0]["copy_gigabytes"]
        dense = [row for row in own if row["dense"]]
        lines = [phase_line(row["phase"], [row], total, peak) for row in own]
        lines.append(phase_line("**dense products** (the three with the noise)", dense, total, peak))
        lines.append(phase_line("**all**", own, total, peak))
        head = ["phase", "ns a kept word", "share", "GFLOP/s", "of the FMA peak"]
        moved = sum(row["row_bytes"] for row in own)
        note = (
            f"One core: {peak:.0f} GFLOP/s of multiply-adds in registers of "
            f"{own[0]['vector_bits']} bits, {copy:.1f} GB/s of copying. "
            f"Rows read and written back: {2 * moved / total:.1f} GB/s if none were in cache. "
            f"T = {own[0]['block_size']}, S = {own[0]['shared_negatives']}, products with the noise of "
            f"{own[0]['precision']}; only work on pairs and draws counts, not padding."
        )
        parts.append(f"{table(head, lines)}\n\n{note}\n\n{caption(own[0])}")
    return "\n\n".join(parts)


def phase_line(name: str, rows: list[Row], total: float, peak: float) -> list[str]:
    """The cells of some phases together: nanoseconds, share of the total, GFLOP/s and share of the peak."""
    nanoseconds, flops = (sum(row[key] for row in rows) for key in ("nanoseconds", "flops"))
    rate = flops / nanoseconds
    speeds = [f"{rate:.0f}", f"{rate / peak:.0%}"] if flops else ["", ""]
    return [name, f"{nanoseconds:.0f}", f"{nanoseconds / total:.0%}", *speeds]


def sharing(rows: list[Row]) -> str:
    """Where the rows of a block are found, and speed-ups, simulated."""
    parts = []
    for own in newest_run(of_bench(rows, "sharing"), *SETTINGS):
        lines = [
            [
                f"{row['workers']}",
                f"{row['copies'] or ''}",
                *(f"{row[key]:.0%}" for key in ("own", "near", "far", "shared", "memory")),
                f"{row['speed_up']:.1f}",
            ]
            for row in own
        ]
        head = [
            "workers",
            "copies of",
            "own cache",
            "another's of the domain",
            "of another domain",
            "last level",
            "memory",
            "times one worker",
        ]
        parts.append(f"{table(head, lines)}\n\n{caption(own[0], 'simulated')}")
    return "\n\n".join(parts)


def ingest(rows: list[Row]) -> str:
    """Words read a second, by how much ours is faster, and what reading takes of a run and of memory."""
    parts = []
    for own in newest_run(of_bench(rows, "ingest"), *SETTINGS, "threads", *MACHINE):
        speeds: dict[str, dict[int, float]] = {}
        for row in own:
            if "reader" in row:
                speeds.setdefault(row["reader"], {})[row["seed"]] = speed(row)
        first = next(iter(speeds.values()))
        lines = [
            [
                f"{name}, words/s",
                f"{statistics.median(rounds.values()):,.0f}",
                "" if rounds is first else spread([first[number] / rounds[number] for number in rounds]),
            ]
            for name, rounds in speeds.items()
        ]
        for row in own:
            if "wall_seconds" in row:
                share = 1 - row["training_seconds"] / row["wall_seconds"]
                lines.append(
                    [f"everything but training, {row['epochs']} epochs", f"{share:.1%} of the run", ""]
                )
            if "peak_bytes" in row:
                size = f"{row['row_group_bytes'] / 1e6:,.0f} MB"
                lines.append(
                    [f"peak memory, one row group of {size}", f"{row['peak_bytes'] / 1e6:,.0f} MB", ""]
                )
        text = table(["what", "measured", f"{next(iter(speeds))}, is faster by"], lines)
        parts.append(f"{text}\n\n{caption(own[0], f'{len(first)} rounds in alternation')}")
    return "\n\n".join(parts)


def distributed(rows: list[Row]) -> str:
    """Speed of several ranks, what combining takes, how well that was foreseen; and scores."""
    parts = []
    for own in newest_run(of_bench(rows, "distributed"), *SETTINGS, "what"):
        if own[0]["what"] == "speed":
            one = {row["seed"]: row["rate"] for row in own if row["n_ranks"] == 1}
            lines = []
            for (n_ranks, network), of_way in groups(own, "n_ranks", "network").items():
                if n_ranks > 1:
                    lines.append([f"{n_ranks} x 1 thread, {network}", *rank_cells(of_way, one)])
            rate = f"{statistics.median(one.values()):,.0f} words/s"
            head = [
                "ranks",
                "words/s",
                f"of 1 x {own[0]['threads']} threads ({rate})",
                "combining",
                "waiting",
            ]
            text = table([*head, "MB a time", "efficiency", "foreseen"], lines)
            parts.append(f"{text}\n\n{caption(own[0], f'{len(one)} rounds in alternation')}")
        else:
            judges = judges_of({"": own})
            lines = [
                [
                    f"{row['n_ranks']}",
                    f"{row['step']:g}",
                    f"{row['sync_words']:,}" if row["n_ranks"] > 1 else "",
                    row["combine"] if row["n_ranks"] > 1 else "",
                    f"{row['loss']:.4f}",
                    *(mean_and_deviation([row["scores"][judge]], judge) for judge in judges),
                ]
                for row in own
            ]
            text = table(["ranks", "lr", "words a step", "combined by", "loss", *judges], lines)
            epochs = f"{own[0]['epochs']} epochs, ranks simulated"
            parts.append(f"{text}\n\n{caption(own[0], epochs)}")
    return "\n\n".join(parts)


def rank_cells(rows: list[Row], one: dict[int, float]) -> list[str]:
    """The cells of a way to run ranks: medians over rounds."""
    ratios = [row["rate"] / one[row["seed"]] for row in rows if row["seed"] in one]
    against = f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
    median = {key: statistics.median(row[key] for row in rows) for key in rows[0] if key in RANK_FIELDS}
    return [
        f"{median['rate']:,.0f}",
        against,
        f"{median['sync_share']:.1%}",
        f"{median['wait_share']:.1%}",
        f"{median['bytes_a_sync'] / 1e6:.1f}",
        f"{median['efficiency']:.1%}",
        "" if "overlapping" in rows[0]["network"] else f"{median['foreseen']:.1%}",
    ]


def models(rows: list[Row]) -> str:
    """Every model beside the peers that have it."""
    parts = []
    for head, lines, own in of_models.lines(rows):
        epochs = f"{own[0]['epochs']} epochs, a run each"
        parts.append(f"{table(head, lines)}\n\n{caption(own[0], epochs)}")
    return "\n\n".join(parts)


RANK_FIELDS = ("rate", "sync_share", "wait_share", "bytes_a_sync", "efficiency", "foreseen")


def faults(rows: list[Row]) -> str:
    """What was done to a run and what came of it, the last time each was done."""
    newest = {row["row"]: row for row in of_bench(rows, "faults")}
    if not newest:
        return ""
    lines = [
        [row["title"], row["figures"], row["wanted"], "yes" if row["passed"] else "NO"]
        for row in newest.values()
    ]
    text = table(["what is done", "what came of it", "wanted", "passed"], lines)
    last = list(newest.values())[-1]
    versions = f"Python {last['python']}, numba {last['numba']}, numpy {last['numpy']}"
    return f"{text}\n\n*{last['cpu']}, {last['cores']} cores; {versions}; commit {last['commit']}*"


SECTIONS: dict[str, Callable[[list[Row]], str]] = {
    "throughput": throughput,
    "quality": quality,
    "reached": reached.seconds_to_scores,
    "time-to-quality": reached.time_to_quality,
    "models": models,
    "continue": continuing.report,
    "stability": of_stability.report,
    "scaling": scaling,
    "kernels": kernels,
    "sharing": sharing,
    "ingest": ingest,
    "distributed": distributed,
    "graphs": as_table,
    "faults": faults,
}


def as_text(rows: list[Row]) -> str:
    """Every table there are results for, under its name."""
    measured = {row["bench"] for row in rows}
    names = [
        name for name in SECTIONS if name in measured or (name == "quality" and "throughput" in measured)
    ]
    sections = ((name, SECTIONS[name](rows)) for name in names)
    return "\n\n".join(f"## {name.capitalize()}\n\n{text}" for name, text in sections if text)


def marked(page: str, rows: list[Row]) -> str:
    """The page with the text between `<!-- generated: NAME -->` and `<!-- end -->` made anew.

    Raises click.UsageError for a name that is no table, or a mark that is never ended.
    """
    pattern = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
    if page.count("<!-- generated:") != len(pattern.findall(page)):
        raise click.UsageError("a mark '<!-- generated: NAME -->' has no '<!-- end -->' after it")

    def fill(match: re.Match[str]) -> str:
        if match[2] not in SECTIONS:
            raise click.UsageError(f"no table is called {match[2]!r}: {', '.join(SECTIONS)}")
        return f"{match[1]}\n{SECTIONS[match[2]](rows)}\n\n{match[3]}"

    return pattern.sub(fill, page)


def rewrite(path: Path, rows: list[Row]) -> None:
    """Make the tables of a page anew."""
    page = path.read_text(encoding="utf-8")
    path.write_text(marked(page, rows), encoding="utf-8")
