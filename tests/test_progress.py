"""What a user sees while a run goes on, on a terminal and in a log."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from fastw2v.show import progress
from fastw2v.show.listener import Listener
from fastw2v.show.progress import (
    LIVE_SECONDS,
    PLAIN_SECONDS,
    Display,
    clock,
    clock_line,
    memory_held,
    reading_line,
    reading_shown,
    significant,
    training_line,
)
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """What the terminal shows: a carriage return goes to the start of the line and overwrites."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for text in line.split("\r"):
                shown = text + shown[len(text) :]
            lines.append(shown.rstrip())
        return lines


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hand_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The display's clock, set by hand."""
    monkeypatch.delenv("TERM", raising=False)
    hand = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=hand.monotonic))
    return hand


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0:00"),
        (0.4, "0:00"),
        (-3, "0:00"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.6, "1:00:00"),
        (3600, "1:00:00"),
        (36_061, "10:01:01"),
        (360_000, "100:00:00"),
    ],
)
def test_clock__minutes_and_hours(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0, "0"), (7.4, "7"), (1234.4, "1,234"), (1_801_234.9, "1,801,000"), (99_995, "100,000")],
)
def test_significant__four_digits(rate: float, expected: str) -> None:
    assert significant(rate) == expected


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds 1.5 GB."""
    monkeypatch.setattr(progress, "resident_memory", lambda: 1_500_000_000)


@pytest.mark.usefixtures("memory")
def test_training_line__hand_worked() -> None:
    """30 of 120 words in 2 s: 25 %, 15 words/s, 90 words to go in 90/15 = 6 s."""
    line = training_line(Progress(30, 120, 2.0, 0.01875, 2.71828), "2/5")
    assert line == "training  25.0%  epoch 2/5  15 words/s  lr 0.0187  loss 2.7183  ETA 0:06  1.5 GB"
    assert "  15 pairs/s  " in training_line(Progress(30, 120, 2.0, 0.01875, 2.71828), "2/5", "pairs")


@pytest.mark.usefixtures("memory")
def test_reading_line__hand_worked() -> None:
    """A quarter in 2 s: three times as long is left; 100 words in 2 s are 50 a second."""
    expected = "reading  25.0%  100 words  50 words/s  ETA 0:06  1.5 GB"
    assert reading_line(0.25, 100, 2.0) == expected
    assert "ETA 0:00" in reading_line(1.0, 0, 0.0)


@pytest.mark.usefixtures("memory")
def test_reading_shown__sorting_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter sorted in 2 s; words are counted from the last time that no word was told."""
    now = [10.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    display = Display(None)
    shown: list[str] = []
    monkeypatch.setattr(display, "update", shown.append)
    told = reading_shown(display)
    for now[0], share, words in ((10.5, 0.0, 0), (12.0, 0.25, 0), (18.0, 1.0, 0), (14.0, 0.5, 100)):
        told(share, words)
    assert shown == [
        "sorting rows  25.0%  ETA 0:06  1.5 GB",
        "reading  50.0%  100 words  50 words/s  ETA 0:02  1.5 GB",
    ]


@pytest.mark.parametrize(("held", "expected"), [(999e6, "999 MB"), (1e9, "1.0 GB"), (None, "")])
def test_memory_held__has_a_unit(monkeypatch: pytest.MonkeyPatch, held: float | None, expected: str) -> None:
    monkeypatch.setattr(progress, "resident_memory", lambda: held)
    assert memory_held() == expected


@pytest.mark.parametrize(
    "state",
    [
        Progress(0, 0, 0.0, 0.025, 0.0),
        Progress(0, 120, 0.0, 0.025, 0.0),
        Progress(0, 10**12, 5.0, 0.025, 0.0),
        Progress(10**12, 10**12, 0.0, 0.0, float("nan")),
    ],
)
def test_training_line__edges_do_not_fail(state: Progress) -> None:
    """No words, no time, a finished run: a line comes all the same."""
    line = training_line(state, "1/1")
    assert line.startswith("training ")
    assert "\n" not in line


def test_training_line__finished() -> None:
    assert training_line(Progress(120, 120, 2.0, 0.0, 1.0), "5").startswith("training 100.0%")
    assert "ETA 0:00" in training_line(Progress(120, 120, 2.0, 0.0, 1.0), "5")


def test_display__rewrites_one_line_on_a_terminal(hand_clock: Clock) -> None:
    terminal = Terminal()
    display = Display(terminal)
    for line in ("a longer line", "short", "middle one"):
        hand_clock.now += LIVE_SECONDS
        display.update(line)
        assert terminal.screen() == [line]
    assert "\n" not in terminal.getvalue()


def test_display__cuts_lines_to_the_terminal(hand_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapped line would leave its beginning behind at every update."""
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Display(terminal).update("x" * 100)
    assert terminal.screen() == ["x" * 19]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("100", "training  21.9%  epoch 2/5  1,864,000 words/s  lr 0.0195  loss 2.9389  ETA 0:36  1.5 GB"),
        ("80", "training  21.9%  epoch 2/5  1,864,000 words/s  lr 0.0195  loss 2.9389  ETA 0:36"),
        ("40", "training  21.9%  epoch 2/5"),
    ],
)
@pytest.mark.usefixtures("memory")
def test_display__leaves_out_whole_fields(
    columns: str, shown: str, hand_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.5 GB that is cut to 1.5, or to 1, would say something else."""
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal()
    words = 18_600_000
    progress = Progress(words, int(words / 0.219), words / 1_864_000, 0.0195312, 2.9389)
    Display(terminal).update(training_line(progress, "2/5"))
    assert terminal.screen() == [shown]


def test_listener__counts_epochs_of_the_run_where_there_are_so_many() -> None:
    for n_epochs, minutes, told in ((5, None, "epoch 2/5 "), (5, 1.0, "epoch 2 "), (None, None, "epoch 2 ")):
        stream = io.StringIO()
        moment = SimpleNamespace(progress=Progress(30, 120, 2.0, 0.02, 1.0), epoch=2, outside_vocabulary=None)
        Listener(Display(stream), RunLog(None), n_epochs, minutes).after_call(moment)
        assert told in stream.getvalue()


def test_display__plain_lines_on_a_dumb_terminal(hand_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    Display(terminal).update("a line")
    assert terminal.getvalue() == "a line\n"


def test_display__writes_no_colours(hand_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    display = Display(terminal)
    display.update("a line")
    display.say("done")
    assert "\x1b" not in terminal.getvalue()


def test_display__is_not_faster_than_a_reader(hand_clock: Clock) -> None:
    """Updates every 0.04 s for 1.2 s: on a terminal at most one in 0.1 s comes through."""
    terminal = Terminal()
    display = Display(terminal)
    for i in range(30):
        hand_clock.now += 0.04
        display.update(f"line {i}")
    assert terminal.getvalue().count("\r") == 10  # every third: 0.04, 0.16, 0.28, ...


@pytest.mark.parametrize(("verbose", "pause"), [(False, PLAIN_SECONDS), (True, 1.0)])
def test_display__plain_lines_elsewhere(hand_clock: Clock, verbose: bool, pause: float) -> None:
    stream = io.StringIO()
    display = Display(stream, verbose=verbose)
    for line, passed in [("first", pause), ("too soon", 0.9 * pause), ("second", 0.1 * pause)]:
        hand_clock.now += passed
        display.update(line)
    assert stream.getvalue() == "first\nsecond\n"


def test_display__final_line_comes_at_once(hand_clock: Clock) -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.update("first")
    display.update("last", final=True)
    assert stream.getvalue() == "first\nlast\n"


def test_say__clears_a_live_line_first(hand_clock: Clock) -> None:
    terminal = Terminal()
    display = Display(terminal)
    display.update("a long line of progress", final=True)
    display.say("done")
    display.update("more", final=True)
    assert terminal.screen() == ["done", "more"]


def test_say__breaks_lines_between_words_on_a_terminal(
    hand_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal of 80 columns would break it within 80,912, a log takes it as it is."""
    monkeypatch.setenv("COLUMNS", "80")
    line = (
        "read 16,999,937 words in 62,722 rows in 0.5 s (32,990,000 words/s); vocabulary 80,912 words, "
        "16,664,821 tokens in it"
    )
    terminal, log = Terminal(), io.StringIO()
    Display(terminal).say(line)
    first, second = terminal.getvalue().splitlines()
    assert len(first) <= 80
    assert first.split() + second.split() == line.split()
    Display(log).say(line)
    assert log.getvalue() == f"{line}\n"
    copied = Terminal()
    Display(copied).say(line, whole=True)
    assert copied.getvalue() == f"{line}\n"


def test_close__leaves_a_clear_line(hand_clock: Clock) -> None:
    terminal = Terminal()
    display = Display(terminal)
    display.update("a line", final=True)
    display.close()
    display.close()
    assert terminal.screen() == [""]
    assert terminal.getvalue().endswith("\r")


def test_close__writes_nothing_to_a_log(hand_clock: Clock) -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.update("a line", final=True)
    display.close()
    assert stream.getvalue() == "a line\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_display__quiet_writes_nothing(hand_clock: Clock, stream: io.StringIO) -> None:
    display = Display(stream, quiet=True)
    display.update("a line", final=True)
    display.say("another")
    display.close()
    assert stream.getvalue() == ""


def test_clock_line__says_what_a_time_comes_to():
    """Of less than an epoch, which part it is."""
    assert clock_line(5.0, 2, False) == "2 minutes are about 5 epochs at this speed"
    assert clock_line(0.4, 0.5, False).endswith(
        "at this speed: the first 40% of the corpus; shuffle draws such a part over all of it"
    )
    assert clock_line(0.4, 0.5, True).endswith("at this speed: a part of the corpus, drawn over all of it")


def test_listener__tells_minutes_once_by_the_speed_since_the_first_call():
    """The first call took a tenth of a second for nothing; from then on a second is a tenth of an epoch."""
    stream = io.StringIO()
    listener = Listener(Display(stream), RunLog(None), 5, 1.0, False)
    for seconds in (0.1, 5.1, 8.1, 10.1):
        epochs = (seconds - 0.1) / 10
        seen = Progress(1, 2, seconds, 0.02, 1.0, epochs)._replace(
            words=round(100 * seconds), words_total=6000
        )
        listener.after_call(SimpleNamespace(progress=seen, epoch=1, outside_vocabulary=None))
    told = [line for line in stream.getvalue().splitlines() if "minutes" in line]
    assert told == ["1 minutes are about 5.99 epochs at this speed"]
