"""What a process trains one unit after the other, and what is told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastw2v.model.arrays import UNIT, Tokens, Totals, n_units

CALL_SECONDS = 0.4  # a kernel cannot be interrupted, so no call may last longer than a user waits for Ctrl-C


class Span:
    """Tokens that this process trains one unit after the other, and where the run stands after each of them.

    tokens         ids and offsets
    key            names the random streams
    first, end     units to train; end is that of the process that has most
    tokens_before  of the whole run
    place          fields of the Position, without `unit`, and that of the first unit
    """

    def __init__(
        self, tokens: Tokens, key: int, first: int, tokens_before: int, place: dict[str, int]
    ) -> None:
        self.tokens, self.key, self.first = tokens, key, first
        self.end = n_units(len(tokens.ids))
        self.tokens_before, self._place = tokens_before, place

    def tokens_after(self, unit: int) -> int:
        """Tokens of the run that are trained before this unit, by all processes."""
        return self.tokens_before + min(unit * UNIT, len(self.tokens.ids))

    def place(self, unit: int) -> dict[str, Any]:
        """Fields of the Position before this unit."""
        return {"epoch": self._place["epoch"], "unit": self._place["unit"] + unit}


class Synchronized(NamedTuple):
    """What a process knows after a step: what all together trained in it, and the signal that came, or 0."""

    totals: Totals
    signum: int


def next_size(size: int, seconds: float) -> int:
    """Units for the next call so that it lasts about CALL_SECONDS; grows at most fourfold at a time."""
    return max(1, min(4 * size, round(size * CALL_SECONDS / max(seconds, 1e-6))))
