"""What a process trains one unit after the other, and what is told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastw2v.model.arrays import UNIT, Totals, n_units
from fastw2v.model.sources import Buffer

CALL_SECONDS = 0.4  # a kernel cannot be interrupted, so no call may last longer than a user waits for Ctrl-C


class Span:
    """Tokens that this process trains one unit after the other, and where the run stands after each of them.

    tokens         ids and offsets
    key            names the random streams
    first, end     units to train; end is that of the process that has most
    tokens_before  of the whole run
    pace           tokens of the run that one of these stands for, where not as many came as were expected
    """

    pace = 1.0

    def __init__(self, buffer: Buffer, epoch: int, unit: int, tokens_before: int) -> None:
        """The units of a buffer, from unit of the epoch on; tokens_before are those of the epochs before."""
        self.tokens, self.key = buffer.tokens, buffer.key
        self.first = max(0, unit - buffer.first_unit)
        self.end = n_units(len(buffer.tokens.ids))
        self.tokens_before = tokens_before + buffer.first_token
        self._epoch, self._first_unit = epoch, buffer.first_unit
        if buffer.n_tokens != len(buffer.tokens.ids):
            self.pace = buffer.n_tokens / max(len(buffer.tokens.ids), 1)

    def tokens_after(self, unit: int) -> int:
        """Tokens of the run that are trained before this unit, by all processes."""
        return self.tokens_before + round(self.pace * min(unit * UNIT, len(self.tokens.ids)))

    def place(self, unit: int) -> dict[str, Any]:
        """Fields of the Position before this unit."""
        return {"epoch": self._epoch, "unit": self._first_unit + unit}


class Synchronized(NamedTuple):
    """What a process knows after a step: what all together trained in it, and the signal that came, or 0."""

    totals: Totals
    signum: int


def next_size(size: int, seconds: float, least: int = 1) -> int:
    """Units for the next call so that it lasts about CALL_SECONDS; grows at most fourfold at a time.

    least   so many keep all workers busy, each with a unit of its own: a unit of a softmax over 5,000 words
            takes CALL_SECONDS by itself, and two workers had one unit a call
    """
    return max(least, min(4 * size, round(size * CALL_SECONDS / max(seconds, 1e-6))))
