"""How a stream goes, to its user and in its log: there is no end that could be told."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import NamedTuple

from fastw2v.show.progress import Display, memory_held, significant
from fastw2v.show.run_log import INTERVAL_SECONDS, RunLog
from fastw2v.system.machine import resident_memory


class Standing(NamedTuple):
    """A stream at a moment.

    words       read so far
    seconds     since it began, waiting for text counted too
    vocabulary  words that have vectors
    joined, left   words that got a row, and that lost it
    mean_loss   of a pair, in the last call
    """

    words: int
    seconds: float
    vocabulary: int
    joined: int
    left: int
    mean_loss: float

    @property
    def rate(self) -> float:
        """Words a second."""
        return self.words / max(self.seconds, 1e-9)


def stream_line(standing: Standing) -> str:
    """Words, speed, loss, vocabulary and what became of it, memory."""
    return (
        f"stream  {standing.words:,} words  {significant(standing.rate)} words/s  "
        f"loss {standing.mean_loss:.4f}  vocabulary {standing.vocabulary:,}  joined {standing.joined:,}  "
        f"left {standing.left:,}  no end in sight  {memory_held()}"
    )


class StreamShown:
    """Shows and logs a stream."""

    def __init__(self, display: Display, log: RunLog) -> None:
        self.display, self.log = display, log
        self.logged = -math.inf

    def update(self, standing: Standing) -> None:
        """Show how it goes; once a second log it."""
        self.display.update(stream_line(standing))
        if (now := time.monotonic()) - self.logged >= INTERVAL_SECONDS:
            self.logged = now
            fields = standing._asdict()
            self.log.record("stream", **fields, words_per_second=standing.rate, memory=resident_memory())

    def saved(self, standing: Standing, target: Path) -> None:
        """Say and log that vectors were written."""
        self.display.say(
            f"wrote {standing.vocabulary:,} vectors to {target} after {standing.words:,} words "
            f"(joined {standing.joined:,}, left {standing.left:,})"
        )
        self.log.record("saved", words=standing.words, vectors=standing.vocabulary, output=str(target))

    def end(self, standing: Standing, n_bad: int) -> None:
        """The closing lines and record."""
        if n_bad:
            self.display.say(f"left out {n_bad:,} words that are not UTF-8: give --encoding, or --errors")
        self.display.say(
            f"read and trained {standing.words:,} words in {standing.seconds:.1f} s: "
            f"{significant(standing.rate)} words/s"
        )
        self.log.record("end", **standing._asdict(), not_utf8=n_bad)
