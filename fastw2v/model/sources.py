"""Where the tokens of an epoch come from: arrays that are read once, or something that makes them anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from fastw2v.model.arrays import Tokens


class Buffer(NamedTuple):
    """Sentences that an epoch trains one after the other, with random streams of their own.

    tokens       ids and offsets
    key          names the random streams
    first_token  tokens of the epoch before these
    first_unit   units of the epoch before these
    n_tokens     how much of the epoch they stand for: as many as they are, or were expected to be
    """

    tokens: Tokens
    key: int
    first_token: int
    first_unit: int
    n_tokens: int


class TokenSource(Protocol):
    """Makes the tokens of each epoch: the same ones for the same seed, epoch and unit, whoever asks.

    n_tokens   of an epoch; where epochs differ, those to expect
    longest    tokens of the longest sentence that there can be
    nbytes     of memory that it holds
    """

    n_tokens: int
    longest: int
    nbytes: int

    def buffers(self, seed: int, epoch: int, unit: int = 0) -> Iterator[Buffer]:
        """The parts of an epoch, from the one that holds `unit` on; each is good until the next is taken."""

    def fingerprint(self) -> str:
        """What tells its tokens from those of any other, in hexadecimal digits."""
