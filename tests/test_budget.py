"""Runs by the clock: on time whatever the speed does, with the step size at its floor, and resumable."""

from __future__ import annotations

import dataclasses
import time
import types

import numpy as np
import pytest

import fastw2v
from corpora.small import corpus_of
from fastw2v.backends import plan_of
from fastw2v.config import PRESETS, TrainConfig
from fastw2v.errors import UsageError
from fastw2v.model.arrays import UNIT, Totals, Vectors
from fastw2v.run.arguments import configure
from fastw2v.training import budget, loop
from fastw2v.training.hooks import START, Callbacks, Hook, Position

SECONDS = 30.0
MINUTES = SECONDS / 60
ROWS = [f"a b c d{i % 3} a c b e{i % 5}".split() for i in range(30)]


class Machine:
    """A clock, and a backend that trains nothing at a speed of units a second, which may change.

    rates   the step sizes at the first and after the last token of each call
    """

    units_at_once = least_groups = 1

    def __init__(self, speed):
        self.speed, self.now, self.rates = speed, 100.0, []

    def perf_counter(self):
        return self.now

    def train(self, tokens, schedule, first, end):
        for position in (first * UNIT, end * UNIT):
            done = (schedule.words_before + position) / schedule.words_total
            self.rates.append(max(schedule.learning_rate * (1 - done), schedule.min_learning_rate))
        for _ in range(first, end):
            self.now += 1 / self.speed(self.now - 100)
        return Totals(1.0, 1, 1)

    def host(self):
        return Vectors(np.zeros((20, 16), np.float32), np.zeros((20, 16), np.float32))


def run_by_the_clock(monkeypatch, machine, n_units, minutes=MINUTES, position=START, hooks=()):
    """The loop of a run on that machine, over, and where it ended."""
    monkeypatch.setattr(loop, "time", types.SimpleNamespace(perf_counter=machine.perf_counter))
    corpus = corpus_of(np.arange(n_units * UNIT) % 20, 20, 64)
    config = TrainConfig(lr=0.1, minutes=minutes)
    machine.plan = plan_of(config, corpus.vocabulary.counts, 64)
    run = loop.Loop(machine, corpus, config, hooks)
    return run, *run.run(position)


SPEEDS = {
    "even": lambda seconds: 15,
    "half after a third": lambda seconds: 20 if seconds < SECONDS / 3 else 10,
    "a tenth near the end": lambda seconds: 30 if seconds < 0.8 * SECONDS else 3,
    "tenfold near the end": lambda seconds: 3 if seconds < 0.8 * SECONDS else 30,
    "uneven": lambda seconds: 20 + 15 * np.sin(7 * seconds),
}


@pytest.mark.parametrize("n_units", [3, 1_000])
@pytest.mark.parametrize("speed", SPEEDS)
def test_clock__ends_on_time_at_the_floor_whatever_the_speed(monkeypatch, speed, n_units):
    """Also amid an epoch: a corpus of many seconds is trained in part, one of few units many times."""
    machine = Machine(SPEEDS[speed])
    run, end, words = run_by_the_clock(monkeypatch, machine, n_units)
    assert end.seconds == pytest.approx(SECONDS, rel=0.05)
    assert machine.now - 100 == pytest.approx(end.seconds)
    assert machine.rates[-1] < 0.1 * 0.03
    assert run.budget.progress(end, run.n_done, 0.0).learning_rate == pytest.approx(0.1e-4)
    assert words == run.n_done > 0
    assert (end.epoch > 5) == (n_units == 3)


def test_clock__the_step_size_falls_with_the_time(monkeypatch):
    """A machine that becomes ten times slower amid the run is halfway down at half the time."""
    seen = []
    machine = Machine(lambda seconds: 40 if seconds < SECONDS / 4 else 4)
    hooks = [Callbacks(on_progress=seen.append)]
    run_by_the_clock(monkeypatch, machine, 1_000, hooks=hooks)
    for progress in seen[5:]:
        expected = max(0.1 * (1 - progress.seconds / SECONDS), 0.1e-4)
        assert progress.learning_rate == pytest.approx(expected, abs=1e-4)
        assert progress.share == pytest.approx(progress.seconds / SECONDS, abs=2e-3)
        assert progress.seconds_left == pytest.approx(max(0, SECONDS - progress.seconds), abs=0.01)
    assert seen[-1].words == seen[-1].words_total


class Slow(Hook):
    """Takes a second each time that half an epoch of 10 units is trained; counts what it is told."""

    def __init__(self, machine):
        self.machine, self.n_due, self.ends = machine, 0, 0

    def is_due(self, progress):
        return int(progress.epochs * 2) > self.n_due or progress.words == progress.words_total

    def when_due(self, moment, position):
        self.n_due += 1
        self.ends += moment.progress.words == moment.progress.words_total
        self.machine.now += 1.0


def test_clock__counts_what_hooks_take_and_tells_them_of_the_end(monkeypatch):
    machine = Machine(lambda seconds: 15)
    hook = Slow(machine)
    _, end, _ = run_by_the_clock(monkeypatch, machine, 10, MINUTES, hooks=[hook])
    assert hook.n_due > 5
    assert hook.ends == 1
    assert end.seconds == pytest.approx(SECONDS, rel=0.01)  # none began in the last second


def test_clock__goes_on_with_the_time_that_is_left(monkeypatch):
    machine = Machine(lambda seconds: 15)
    begun = Position(2, 1, seconds=SECONDS * 0.6)
    run, end, words = run_by_the_clock(monkeypatch, machine, 3, position=begun)
    assert machine.now - 100 == pytest.approx(SECONDS * 0.4, rel=0.05)
    assert end.seconds == pytest.approx(SECONDS, rel=0.05)
    assert max(machine.rates) == pytest.approx(0.1 * 0.4)
    assert words == run.n_done > 7 * UNIT
    n_calls = len(machine.rates)
    assert run_by_the_clock(monkeypatch, machine, 3, position=end)[1:] == (end, words)
    assert len(machine.rates) == n_calls


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_train__takes_the_minutes_asked_for(threads):
    corpus = corpus_of(np.arange(200_000) % 1_000, 1_000, 64)
    config = TrainConfig(dim=16, minutes=0.5 / 60, threads=threads)
    loop.train(corpus, dataclasses.replace(config, minutes=1e-4))  # compiles
    started = time.perf_counter()
    trained = loop.train(corpus, config)
    assert trained.train_seconds == pytest.approx(0.5, rel=0.2)  # calls last .4 s at most, here a tenth
    assert time.perf_counter() - started < 5
    assert trained.words > 0


def test_schedule__of_epochs_is_that_of_their_words():
    config = TrainConfig(epochs=3)
    epochs = budget.budget_of(config, budget.Sizes(10 * UNIT, 11 * UNIT), ())
    schedule = epochs.schedule(7, 2, 12 * UNIT)
    assert (schedule.words_before, schedule.words_total) == (10 * UNIT, 30 * UNIT)
    assert list(epochs.epochs(1)) == [1, 2]


def test_configure__minutes_stand_for_the_epochs_of_a_preset():
    config = configure("items", {"minutes": 2}, None).training
    assert (config.minutes, config.epochs) == (2.0, TrainConfig.epochs)
    assert config.window == PRESETS["items"]["window"]
    with pytest.raises(UsageError, match="epochs is 5, but minutes 2 decides"):
        configure(None, {"minutes": 2, "epochs": 5}, None)


def test_train__by_the_clock_is_kept_and_goes_on(tmp_path):
    """Stopped halfway, it goes on with its minutes; what was given anew must be the run's."""
    small = {
        "dim": 4,
        "min_count": 1,
        "backend": "reference",
        "minutes": 0.005,
        "checkpoint": tmp_path / "kept",
    }
    n_calls = 0

    def on_chunk(moment):
        nonlocal n_calls
        n_calls += 1
        return moment.progress.share > 0.5

    fastw2v.train(ROWS, on_chunk=on_chunk, checkpoint_every="1 words", **small)
    before = n_calls
    log = tmp_path / "log"
    fastw2v.train(ROWS, resume=tmp_path / "kept", on_chunk=lambda moment: None, log_json=log)
    assert before > 0
    last = fastw2v.show.run_log.read_log(log)[-1]
    assert last["event"] == "end"
    assert last["train_seconds"] == pytest.approx(0.3, rel=0.2)
    with pytest.raises(UsageError, match=r"minutes is 1.0, but the run to go on with has 0.005"):
        fastw2v.train(ROWS, resume=tmp_path / "kept", minutes=1)
