"""What a run is, in numbers and tables: the sampler, the window, the estimator, the schedule."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# A block's step on a word is held back where it could move one of its scores by more than this, in nats
# (`descend` of the reference). Measured on 17 M words of Wikipedia (dim 300, k 10, 5 epochs), WordSim-353
# and analogies: at 1 .532 and 34.5 % (text is held back too), at 4 .601 and 38.0 %, never .594 and 37.6 %.
# At 4, chains of 2, 20 and 400 words end within .001 of kernel `pair`, at lr .025 and .1.
LARGEST_MOVE = np.float32(4.0)
# Units in lockstep (`Estimator.lanes`). More lanes keep more workers busy: two took 1.44 times as long as
# Hogwild with 8 lanes, 1.58 times with 4. But all blocks of a round are one step, held back as one
# (LARGEST_MOVE), so few words learn less in it: a chain of 2 ends .029 over kernel `pair` with 8 lanes, and
# with 2 lanes at the same loss.
LANES = 8
FEW_LANES, FEW_WORDS = 2, 100


class Sampler(NamedTuple):
    """keep_limits uint32 (n_words,) and unigram_table uint64 (n_words,): see `fastw2v.model.sampling`."""

    keep_limits: NDArray[np.uint32]
    unigram_table: NDArray[np.uint64]


class Schedule(NamedTuple):
    """What all units of one epoch share.

    epoch_key      uint64, names the random streams of this epoch (`fastw2v.model.streams.epoch_key`)
    words_before   tokens trained in earlier epochs
    words_total    tokens of the whole run, all epochs
    learning_rate  at the start of the run; falls linearly with the words done, never below min_learning_rate
    center_share   of the learning rate that rows of V are stepped with: 0 freezes them, else 1
    outside_share  the same for rows of U
    """

    epoch_key: np.uint64
    words_before: int
    words_total: int
    learning_rate: float
    min_learning_rate: float
    center_share: float = 1.0
    outside_share: float = 1.0


class Window(NamedTuple):
    """Window radius in tokens on either side.

    radius  the largest
    fixed   1 where the radius is not drawn from 1..radius but always the largest
    reach   the smaller of radius and what the longest sentence can fill: sizes buffers
    """

    radius: int
    fixed: int
    reach: int


FLOAT32, BFLOAT16 = np.empty(0, np.float32), np.empty(0, np.uint32)


class Estimator(NamedTuple):
    """How the loss of a pair is estimated.

    n_negatives       K, noise words for each pair; 0 means the naive softmax (reference only)
    block_size        T, centres that share noise draws; 0 means one pair after the other (kernel `pair`)
    shared_negatives  S, draws that a block shares
    operands          empty; its dtype is that of the operands of a block's products with the noise: float32,
                      or uint32 for two bfloat16 (parameters and sums are float32 always)
    lanes             units that advance in lockstep, so that the result does not depend on the number of
                      workers; 1 lets the workers run freely (Hogwild)
    """

    n_negatives: int
    block_size: int = 0
    shared_negatives: int = 0
    operands: NDArray[Any] = FLOAT32
    lanes: int = 1
