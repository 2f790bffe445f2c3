"""What each rank trains in an epoch: portions of the corpus, dealt anew each time, from a position on.

Within an epoch the number of processes may change, where a run is resumed with more or fewer: each such leg
deals what the legs before left. So where a run stands is a number of processes and of units for each leg, and
what is left follows from that. One process that trains alone takes the corpus in its order: such a leg, which
another process or several go on from, has IN_ORDER for its number of processes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.dealing import deal, redeal
from fastw2v.distributed.portions import SharedCorpus
from fastw2v.model.arrays import UNIT, Tokens
from fastw2v.model.streams import epoch_key

Legs = tuple[tuple[int, int], ...]
IN_ORDER = 0


class Share(NamedTuple):
    """What a rank trains in a leg.

    tokens         ids and offsets
    sizes          tokens of every rank's share
    tokens_before  of the epoch, trained in the legs before by all ranks
    key            names the random streams of this rank
    """

    tokens: Tokens
    sizes: list[int]
    tokens_before: int
    key: int

    def tokens_after(self, units: int) -> int:
        """Tokens of the epoch that all ranks have trained after so many units of each share."""
        return self.tokens_before + sum(min(units * UNIT, size) for size in self.sizes)


def take_share(
    shared: SharedCorpus, communicator: Communicator, key: int, legs: Legs, shuffle: bool = False
) -> Share:
    """This rank's share of the last of the legs, whose number of processes is the communicator's.

    key      of the epoch
    shuffle  draw the order of the sentences in each portion, too
    """
    n_tokens = shared.portions[:, 1]
    first_tokens = np.zeros(len(n_tokens), np.int64)
    for number, (n_ranks, units) in enumerate(legs[:-1]):
        first_tokens = trained(n_tokens, first_tokens, n_ranks, units, epoch_key(key, number))
    leg_key = epoch_key(key, len(legs) - 1)
    left = n_tokens - first_tokens
    dealt = deal(left, communicator.size, leg_key)
    shares = [(portions, first_tokens[portions]) for portions in dealt]
    tokens = redeal(shared, shares, communicator, key if shuffle else None)
    sizes = [int(left[portions].sum()) for portions in dealt]
    return Share(tokens, sizes, int(first_tokens.sum()), epoch_key(leg_key, communicator.rank))


def trained(
    n_tokens: NDArray[np.int64], first_tokens: NDArray[np.int64], n_ranks: int, units: int, key: int
) -> NDArray[np.int64]:
    """The tokens of each portion that are trained after a leg in which each rank trained so many units.

    n_tokens, first_tokens   int64 (n_portions,), of each portion: all, and those trained before the leg
    """
    first_tokens = first_tokens.copy()
    left = n_tokens - first_tokens
    dealt = [np.arange(len(n_tokens))] if n_ranks == IN_ORDER else deal(left, n_ranks, key)
    for portions in dealt:
        starts = np.cumsum(left[portions]) - left[portions]
        first_tokens[portions] += np.clip(units * UNIT - starts, 0, left[portions])
    return first_tokens
