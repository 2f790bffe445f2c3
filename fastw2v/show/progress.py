"""What a user sees while a run goes on: one live line on a terminal, a line now and then elsewhere.

No colours, so there is nothing for NO_COLOR to turn off; TERM=dumb gets plain lines.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import textwrap
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TextIO

from fastw2v.system.machine import resident_memory
from fastw2v.system.streams import SafeStream

if TYPE_CHECKING:
    from fastw2v.training.hooks import Evaluation, Progress

LIVE_SECONDS = 0.1
PLAIN_SECONDS = 10.0
WAITING_SECONDS = 2.0  # before a command that is usually quick says what it does


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def significant(rate: float) -> str:
    """A rate with four significant digits and thousands separators."""
    return f"{float(f'{rate:.4g}'):,.0f}"


def memory_held() -> str:
    """Resident memory of this process with its unit, or nothing where the system does not say."""
    held = resident_memory()
    if held is None:
        return ""
    return f"{held / 1e9:.1f} GB" if held >= 1e9 else f"{held / 1e6:.0f} MB"


def reading_line(share: float, words: int, seconds: float, what: str = "words") -> str:
    """Percent of the rows, words, speed, time left, memory; without an end in sight, as of a pipe, less.

    what   is read: words, or edges
    """
    rate = significant(words / max(seconds, 1e-9))
    if not share:
        return f"reading  {words:,} {what}  {rate} {what}/s  {memory_held()}"
    left = seconds * (1 - share) / share
    return f"reading {share:6.1%}  {words:,} {what}  {rate} {what}/s  ETA {clock(left)}  {memory_held()}"


def sorting_line(share: float, seconds: float) -> str:
    """Percent of the rows that are read and sorted to groups, time left, memory."""
    left = seconds * (1 - share) / share
    return f"sorting rows {share:6.1%}  ETA {clock(left)}  {memory_held()}"


def training_line(progress: Progress, epoch: str, what: str = "words") -> str:
    """Percent, epoch, speed over wall-clock time, learning rate, mean loss a pair, time left, memory.

    epoch   such as 2/5
    what    is trained: words, or given pairs
    """
    return (
        f"training {progress.share:6.1%}  epoch {epoch}  {significant(progress.rate)} {what}/s  "
        f"lr {progress.learning_rate:.3g}  loss {progress.mean_loss:.4f}  "
        f"ETA {clock(progress.seconds_left)}  {memory_held()}"
    )


def fitting(line: str, columns: int) -> str:
    """As many of a line's fields, which stand two spaces apart, as columns hold; part of one is no number."""
    while len(line) > columns and "  " in line.rstrip():
        line = line.rstrip().rpartition("  ")[0]
    return line[:columns]


def clock_line(epochs: float, minutes: float, is_shuffled: bool) -> str:
    """How many epochs a time comes to; of less than one, which part of the corpus."""
    line = f"{minutes:g} minutes are about {epochs:.3g} epochs at this speed"
    if epochs >= 1:
        return line
    if is_shuffled:
        return f"{line}: a part of the corpus, drawn over all of it"
    return f"{line}: the first {epochs:.0%} of the corpus; shuffle draws such a part over all of it"


def evaluation_line(evaluation: Evaluation) -> str:
    """Epochs, held-out loss, scores."""
    epochs = f"{evaluation.epochs:.4g}"
    parts = [f"after {epochs} epoch{'' if epochs == '1' else 's'}:"]
    if not math.isnan(evaluation.loss):
        parts.append(f"held-out loss {evaluation.loss:.4f}{'' if evaluation.is_best else ' (no better)'}")
    parts += [f"{name} {score:.4f}" for name, score in evaluation.scores.items()]
    return "  ".join(parts)


def reading_shown(display: Display, what: str = "words") -> Callable[[float, int], None]:
    """What `read_corpus`, or `read_graph` of edges, calls as it goes on; the clock starts now."""
    began = started = time.perf_counter()

    def on_progress(share: float, words: int) -> None:
        nonlocal started
        now = time.perf_counter()
        if words:  # the first batch is handed out before it is counted
            display.update(reading_line(share, words, now - started, what))
        elif 0 < share < 1:
            started = now
            display.update(sorting_line(share, now - began))

    return on_progress


def phrases_shown(display: Display) -> Callable[[int, float], None]:
    """What finding phrases calls as it goes on."""

    def on_pass(number: int, share: float) -> None:
        display.update(f"finding phrases {share:6.1%} of pass {number}  {memory_held()}")

    return on_pass


def folded(line: str) -> str:
    """A line broken between words, to the terminal's width."""
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


class Display:
    """Writes progress to a stream, at most as often as someone can use it.

    On a terminal the line is rewritten in place, of as many fields as its width holds; elsewhere, as in a
    log, plain lines come every ten seconds. Quiet writes nothing but errors. A stream that is missing,
    closed, full or none at all gets what it takes: nobody who looks on may end a run.
    """

    def __init__(self, stream: TextIO | None, *, quiet: bool = False, verbose: bool = False) -> None:
        self.stream, self.quiet, self.verbose = SafeStream(stream), quiet, verbose
        self.live = not quiet and self.stream.isatty() and os.environ.get("TERM") != "dumb"
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
            self.show(line)
        else:
            self._write(line + "\n")

    def show(self, line: str) -> None:
        """Rewrite the live line."""
        line = fitting(line, shutil.get_terminal_size().columns - 1)  # one that wraps stays behind
        self._write("\r" + line.ljust(self.width))
        self.width = len(line)

    def close(self) -> None:
        """End a live line."""
        if self.live and self.width:
            self._write("\r" + " " * self.width + "\r")
        self.width = 0

    def say(self, line: str, *, whole: bool = False) -> None:
        """A line that stays; on a terminal broken between words, which the terminal does within numbers.

        whole   it is not to be broken: a command that someone may copy
        """
        if not self.quiet:
            self.close()
            self._write((folded(line) if self.stream.isatty() and not whole else line) + "\n")

    def _write(self, text: str) -> None:
        """Write now; a terminal that went away, which SIGHUP tells, is no reason to lose the run."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            if error.errno != errno.EIO:
                raise


class Waiting:
    """Shows what goes on, and for how long, within a `with` block that takes more than two seconds.

    A log, where no line can be taken back, gets the first after ten.

    A thread of its own writes, as what is waited for may be one call of a library.
    """

    def __init__(self, display: Display, what: str) -> None:
        self.display, self.what = display, what
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def tell(self, what: str) -> None:
        """Something else goes on, or it went on."""
        self.what = what

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.display.close()

    def _show(self) -> None:
        """Until the block is over."""
        started, pause = time.perf_counter(), WAITING_SECONDS if self.display.live else PLAIN_SECONDS
        while not self._over.wait(pause):
            self.display.update(f"{self.what}  {clock(time.perf_counter() - started)}")
            pause = LIVE_SECONDS
