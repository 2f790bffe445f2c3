"""Whether a run is healthy: loss and vectors finite and of a sane size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.errors import CorpusError, DivergedError
from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Objective

CHECKED_ROWS = 1024  # vectors looked at after each call, of the most frequent words and in turn of the others
EXPLODED = 1e5  # no component of a healthy vector comes near
LARGE_STEP = 0.5  # kernel block bounds its steps: above, its loss stays finite and vectors only get worse
SMALL_STEP = 1e-12  # no step of it shows in a component of an untrained vector
EXPLODED_LOSS = 10  # times the loss of untrained vectors, which a healthy run only falls below


def require_healthy(
    vectors: Vectors, mean_loss: float, objective: Objective, lr: float, n_calls: int | None = None
) -> None:
    """Raise DivergedError where the loss or a looked-at vector is not finite, or is huge.

    After call number n_calls the most frequent words' vectors and some of the others, in turn, are looked at:
    a vector that is not finite makes the loss so when it is next used, this finds it where it is not. Every
    vector is looked at where n_calls is None. lr is the run's step size, for the message.
    """
    parts = vectors if n_calls is None else looked_at(vectors, n_calls)
    size = float(np.max([np.maximum(part.max(), -part.min()) for part in parts]))  # NaN if any is
    untrained = objective.untrained_loss(len(vectors.outside))
    if not (mean_loss < EXPLODED_LOSS * untrained and size < EXPLODED):
        raise DivergedError(
            f"training diverged: mean loss {mean_loss:.3g}, largest component {size:.3g} "
            f"at lr {lr:g}: lower --lr, or --window and --negatives"
        )


def step_size_warning(config: TrainConfig) -> str | None:
    """What to tell of a step size beyond use, which a run may survive; None for a useful one.

    The loss cannot tell: with bounded steps that of a ruined run lies below that of untrained vectors.
    """
    if config.lr is None:
        return None
    if config.lr > LARGE_STEP:
        return (
            f"lr {config.lr:g} is above {LARGE_STEP:g}: rows overshoot, or are held back; "
            "a useful lr is 0.025, up to 0.1 for a small corpus"
        )
    if config.lr < SMALL_STEP:
        return f"lr {config.lr:g} is below {SMALL_STEP:g}: vectors stay as they start; a useful lr is 0.025"
    return None


def require_neighbours(longest: int) -> None:
    """Raise CorpusError where the longest sentence has no two tokens: there is no pair to train."""
    if longest < 2:
        raise CorpusError(
            "no word has a neighbour: every sentence holds one word of the vocabulary at most; where a row "
            "is one word of a sequence, name the sequence with --group-by COLUMN, else give longer rows or "
            "lower --min-count"
        )


def looked_at(vectors: Vectors, n_calls: int) -> list[NDArray[np.float32]]:
    """Rows of both matrices to look at after a call: all have had their turn after as many/1024 calls."""
    turns = [(matrix, start) for matrix in vectors for start in (0, n_calls * CHECKED_ROWS % len(matrix))]
    return [matrix[start : start + CHECKED_ROWS] for matrix, start in turns]
