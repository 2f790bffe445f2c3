"""Runs that are killed, interrupted, and resumed, as processes of their own and for half an hour in one."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np

from bench.injection import N_WORDS
from bench.launcher import in_ranks, ranks_of, variables
from corpora.parquet import write_text_parquet
from corpora.small import corpus_of, zipfian
from fastw2v.config import Kernel, TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.training import loop
from fastw2v.training.checkpoint.checkpointer import Checkpointer, Interval, RunIdentity
from fastw2v.training.checkpoint.folder import Folder
from fastw2v.training.checkpoint.manifest import fingerprints
from fastw2v.training.hooks import Moment, Position
from fastw2v.vectors import formats

ROOT = Path(__file__).parent.parent
OPTIONS = ["--dim", "50", "--min-count", "1", "--checkpoint-every", "1 words", "-v"]
SECONDS_OF_TRAINING = 2.0  # of one run: long enough to be stopped anywhere, short enough for hundreds of them
MAX_SECONDS_TO_END = 2.0
SECONDS_TO_START = 0.5  # of Python itself, until our handlers are there
DIMS: tuple[int, ...] = (16, 50)  # of a soak; each, of each kernel, takes seconds to compile
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


class Workplace(NamedTuple):
    """A folder with a corpus, and options with which training takes about SECONDS_OF_TRAINING."""

    folder: Path
    options: list[str]

    def start(self, *more: str, n_ranks: int = 1) -> subprocess.Popen[str]:
        """Start a run, or go on with the one that is kept."""
        kept = any((self.folder / "kept").glob("checkpoint-*"))
        what = ["--resume", "kept"] if kept else ["corpus.parquet", "-o", "v.bin", "--checkpoint", "kept"]
        command = in_ranks(n_ranks, "-m", "fastw2v", "train", *what, *self.options, *more)
        environment = variables(PYTHONPATH=str(ROOT))
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True, env=environment)

    def finish(self, *more: str) -> tuple[int, str, float]:
        """Exit code, stderr and seconds of a run that is left alone."""
        started = time.monotonic()
        with self.start(*more) as process:
            _, err = process.communicate()
            return process.returncode, err, time.monotonic() - started

    def clean(self) -> None:
        """As before any run."""
        shutil.rmtree(self.folder / "kept", ignore_errors=True)
        (self.folder / "v.bin").unlink(missing_ok=True)

    def strays(self) -> list[str]:
        """Files that no run should leave."""
        names = {path.name for path in self.folder.rglob("*")}
        return sorted(name for name in names if name.startswith("."))


def make_workplace(folder: Path, threads: int) -> Workplace:
    """Write the corpus, compile the kernel, and choose the epochs."""
    rng = np.random.default_rng(0)
    ids = np.minimum(rng.zipf(1.3, (4000, 50)), 3000)
    write_text_parquet(folder / "corpus.parquet", (" ".join(f"w{i}" for i in row) for row in ids))
    place = Workplace(folder, [*OPTIONS, "--threads", str(threads)])
    _, err, _ = place.finish("--epochs", "5")
    place.clean()
    seconds = float(re.findall(r"words in ([0-9.]+) s: [0-9,]+ words/s", err)[-1])
    epochs = max(1, round(5 * SECONDS_OF_TRAINING / max(seconds, 0.1)))
    return place._replace(options=[*place.options, "--epochs", str(epochs)])


# ---- kill -9 -----------------------------------------------------------------------------------------------


class Killed(NamedTuple):
    """What came of runs that were killed at random moments until they were done."""

    n_kills: int
    n_runs: int
    n_identical: int
    largest_difference: float  # of the mean loss, relative to the run that was left alone
    wrong: list[str]


def mean_loss(err: str) -> float:
    found = re.findall(r"mean loss ([0-9.]+)", err)
    return float(found[-1]) if found else float("nan")


def kill_and_resume(folder: Path, n_kills: int, threads: int) -> Killed:
    """Kill runs at random moments, going on each time, until so many kills were done and no run is open."""
    place, rng = make_workplace(folder, threads), random.Random(threads)
    code, err, seconds = place.finish()
    assert code == 0, err
    expected, expected_loss = (folder / "v.bin").read_bytes(), mean_loss(err)
    done = Killed(0, 0, 0, 0.0, [])
    while done.n_kills < n_kills:
        place.clean()
        code, err, kills = finish_despite_kills(place, rng, seconds, n_kills - done.n_kills)
        wrong = place.strays()
        if code or wrong or not np.isfinite(formats.load(folder / "v.bin").center_vectors).all():
            done.wrong.append(f"exit {code}, {wrong}, {err[-200:]}")
        is_identical = (folder / "v.bin").exists() and (folder / "v.bin").read_bytes() == expected
        difference = abs(mean_loss(err) / expected_loss - 1)
        done = Killed(
            done.n_kills + kills,
            done.n_runs + 1,
            done.n_identical + is_identical,
            max(done.largest_difference, difference),
            done.wrong,
        )
    return done


def finish_despite_kills(
    place: Workplace, rng: random.Random, seconds: float, n_kills: int
) -> tuple[int, str, int]:
    """Exit code and stderr of the process that ended by itself, and how many were killed before."""
    kills = 0
    while True:
        with place.start() as process:
            try:
                _, err = process.communicate(timeout=rng.uniform(0, seconds) if kills < n_kills else None)
                return process.returncode, err, kills
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1


class KilledRanks(NamedTuple):
    """What came of runs of two ranks, of which one was killed at a random moment, and others went on."""

    n_kills: int
    n_finished: int
    slowest: float  # seconds from the kill to the end of the job
    wrong: list[str]


def kill_ranks(folder: Path, n_kills: int) -> KilledRanks:
    """Kill one of two ranks once in each run, then go on with 2, 1 or 3 of them, in turn, to the end."""
    place, rng = make_workplace(folder, threads=1), random.Random(2)
    started = time.monotonic()
    with place.start(n_ranks=2) as process:
        _, err = process.communicate()
        assert process.returncode == 0, err
    seconds = time.monotonic() - started
    slowest, n_finished, wrong = 0.0, 0, []
    for number in range(n_kills):
        place.clean()
        slowest = max(slowest, kill_one(place, rng, seconds))
        with place.start(n_ranks=(2, 1, 3)[number % 3]) as process:
            _, err = process.communicate()
        is_finite = (place.folder / "v.bin").exists() and bool(
            np.isfinite(formats.load(place.folder / "v.bin").center_vectors).all()
        )
        n_finished += process.returncode == 0 and is_finite
        if process.returncode or not is_finite or place.strays():
            wrong.append(f"exit {process.returncode}, {place.strays()}, {err[-200:]}")
    return KilledRanks(n_kills, n_finished, slowest, wrong)


def kill_one(place: Workplace, rng: random.Random, seconds: float) -> float:
    """Kill one of two ranks at a random moment; the seconds until the job ended, 0 if it had before."""
    with place.start(n_ranks=2) as process:
        try:
            process.communicate(timeout=rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            killed = time.monotonic()
            for rank in rng.sample(ranks_of(process.pid), 1) if ranks_of(process.pid) else [process.pid]:
                os.kill(rank, signal.SIGKILL)
            process.communicate()
            return time.monotonic() - killed
    return 0.0


# ---- signals -----------------------------------------------------------------------------------------------


class Interrupted(NamedTuple):
    """What came of runs that got SIGINT or SIGTERM at random moments."""

    n_signals: int
    n_kept: int
    slowest: float
    wrong: list[str]


def interrupt_at_random(folder: Path, n_signals: int) -> Interrupted:
    """Interrupt runs from their first handlers to their end; those that end before are not counted."""
    place, rng = make_workplace(folder, 2), random.Random(0)
    seconds = place.finish()[2]
    done = Interrupted(0, 0, 0.0, [])
    while done.n_signals < n_signals:
        place.clean()
        signum = rng.choice([signal.SIGINT, signal.SIGTERM])
        with place.start() as process:
            time.sleep(rng.uniform(SECONDS_TO_START, seconds))
            started = time.monotonic()
            process.send_signal(signum)
            _, err = process.communicate()
        took = time.monotonic() - started
        last = (err.splitlines() or [""])[-1]
        if last.startswith("trained"):
            continue
        kept = "go on by: fastw2v train --resume kept" in last
        is_right = process.returncode == 128 + signum and last.startswith("Error: interrupted: ")
        is_true = kept == any((folder / "kept").glob("checkpoint-*"))
        if not (is_right and is_true and took <= MAX_SECONDS_TO_END) or place.strays():
            done.wrong.append(f"exit {process.returncode} after {took:.1f} s, {place.strays()}: {last}")
        done = Interrupted(done.n_signals + 1, done.n_kept + kept, max(done.slowest, took), done.wrong)
    return done


# ---- soak --------------------------------------------------------------------------------------------------


class Soaked(NamedTuple):
    """What came of training and resuming with random settings in one process."""

    n_runs: int
    n_stops: int
    first_megabytes: float
    last_megabytes: float
    wrong: list[str]


class Stop(Exception):
    """The end of a run in the middle."""


class Stopping(Checkpointer):
    """Writes checkpoints of a run that stops at random calls."""

    rng = random.Random(0)

    def when_due(self, moment: Moment, position: Position) -> None:
        super().when_due(moment, position)
        if self.rng.random() < 0.2:
            raise Stop


def resident_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def random_config(rng: random.Random) -> TrainConfig:
    """Everything at random."""
    return TrainConfig(
        dim=rng.choice(DIMS),
        kernel=rng.choice(KERNELS),
        window=rng.randint(1, 10),
        negatives=rng.randint(1, 10),
        epochs=rng.randint(1, 3),
        sample=rng.choice([0, 1e-3, 1e-4]),
        dynamic_window=rng.random() < 0.5,
        threads=rng.randint(1, 3),
        seed=rng.randrange(1000),
    )


def soak_corpus() -> Corpus:
    """A hundred thousand Zipfian tokens of as many words as the small run's."""
    return corpus_of(zipfian(N_WORDS, 100_000), N_WORDS, least_count=1)


def soak(seconds: float) -> Soaked:
    """Train, stop, go on, again and again; memory is compared with that after a tenth of the time."""
    rng, corpus = random.Random(0), soak_corpus()
    for dim, kernel in itertools.product(DIMS, KERNELS):  # takes memory, and time not counted
        loop.train(corpus, TrainConfig(dim=dim, kernel=kernel, epochs=1))
    started = time.monotonic()
    prints, n_stops, n_runs, first = fingerprints(corpus), 0, 0, 0.0
    wrong: list[str] = []
    while (elapsed := time.monotonic() - started) < seconds or n_runs < 2:
        config = random_config(rng)
        with tempfile.TemporaryDirectory() as name:
            trained = None
            while trained is None:
                with Folder(Path(name)) as folder:
                    saved = folder.newest(wrong.append) if folder.checkpoints() else None
                    checkpointer = Stopping(
                        folder, Interval(words=1), RunIdentity(config, corpus, prints, {}), saved
                    )
                    try:
                        trained = loop.train(corpus, config, [checkpointer])
                    except Stop:
                        n_stops += 1
            if not np.isfinite(trained.embeddings.center_vectors).all():
                wrong.append(f"not finite: {config}")
        n_runs += 1
        if not first and elapsed > seconds / 10:
            first = resident_megabytes()
    return Soaked(n_runs, n_stops, first or resident_megabytes(), resident_megabytes(), wrong)
