"""What a user sees while a run goes on: one live line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from fastw2v.training import Progress

LIVE_SECONDS = 0.1
PLAIN_SECONDS = 10.0


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def significant(rate: float) -> str:
    """A rate with four significant digits and thousands separators."""
    return f"{float(f'{rate:.4g}'):,.0f}"


def training_line(progress: Progress) -> str:
    """Percent, speed over wall-clock time, learning rate, mean loss a pair, time left."""
    share = progress.words / max(progress.words_total, 1)
    rate = progress.words / max(progress.seconds, 1e-9)
    left = (progress.words_total - progress.words) / max(rate, 1e-9)
    return (
        f"training {share:6.1%}  {significant(rate)} words/s  lr {progress.learning_rate:.6f}  "
        f"loss {progress.mean_loss:.4f}  ETA {clock(left)}"
    )


class Display:
    """Writes progress to a stream, at most as often as someone can use it.

    On a terminal the line is rewritten in place; elsewhere (a log, a notebook) plain lines come every ten
    seconds. Quiet writes nothing but errors.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False, verbose: bool = False) -> None:
        self.stream, self.quiet, self.verbose = stream, quiet, verbose
        self.live = stream.isatty()
        self.pause = LIVE_SECONDS if self.live else 1.0 if verbose else PLAIN_SECONDS
        self.last_written = 0.0
        self.width = 0

    def update(self, line: str, *, final: bool = False) -> None:
        """Show a line if it is time to, or if it is the last of its kind."""
        now = time.monotonic()
        if self.quiet or (now - self.last_written < self.pause and not final):
            return
        self.last_written = now
        if self.live:
            self.stream.write("\r" + line.ljust(self.width))
            self.width = len(line)
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def close(self) -> None:
        """End a live line."""
        if self.live and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
        self.width = 0

    def say(self, line: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.close()
            self.stream.write(line + "\n")
            self.stream.flush()
