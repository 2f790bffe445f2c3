"""The arrays that travel together between the training loop, the kernels and the reference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Tokens a worker takes at a time. 4096 are 3-80 ms of work: short enough that no worker waits long at the
# end of a call, long enough that finding the first sentence and the context on either side costs under 1 %.
UNIT = 4096
FLOATS_PER_LINE = 16  # a cache line of float32, and one 512-bit register


class Vectors(NamedTuple):
    """The two matrices, float32 (n_words, padded_dim), V and U of CS224n, padded with zeros on the right."""

    center: NDArray[Any]
    outside: NDArray[Any]


class Tokens(NamedTuple):
    """The encoded corpus: sentence s is ids[offsets[s]:offsets[s+1]]; int32 and int64 (Arrow list layout).

    weights  float32 (n_sentences,), times which the loss of each case of a sentence counts, 0 leaving it out;
             None where all are 1, without any cost
    targets  int32 (n_sentences,), the word that each centre of a sentence predicts beside its window, −1 for
             none; with them there are weights, too. None where sentences have none
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None
    targets: NDArray[np.int32] | None = None


LOSS, PAIRS, KEPT = range(3)  # columns of the workers' totals, float64 (n_workers, N_COLUMNS)
N_COLUMNS = 8  # one cache line a worker, so that workers do not share one


class Totals(NamedTuple):
    """What training some units came to: loss summed over pairs (float64), pairs, kept words.

    Loss and pairs count by the weights of their sentences, so pairs may be no whole number.
    """

    loss: float
    n_pairs: float
    n_kept: int

    @property
    def mean_loss(self) -> float:
        """J of a pair; 0 without any."""
        return self.loss / self.n_pairs if self.n_pairs else 0.0

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        return Totals(self.loss + other.loss, self.n_pairs + other.n_pairs, self.n_kept + other.n_kept)


NOTHING = Totals(0.0, 0, 0)


def new_totals(n_workers: int) -> NDArray[np.float64]:
    """Rows for workers to add to."""
    return np.zeros((n_workers, N_COLUMNS))


def as_number(n: float) -> float:
    """An int where it is a whole number: what is written of it is the same as ever without weights."""
    return int(n) if float(n).is_integer() else float(n)


def summed(totals: NDArray[np.float64]) -> Totals:
    """All workers' rows together."""
    loss, n_pairs, n_kept = totals.sum(axis=0)[[LOSS, PAIRS, KEPT]]
    return Totals(float(loss), as_number(n_pairs), int(n_kept))


class Work(NamedTuple):
    """What one worker does in a call.

    queue      int64 (2,): the next unit that a worker takes, and the end; trainers leave queue[0] past it
    worker     its number, the row of totals that it adds to
    n_workers  at work at the same time
    lanes      what workers in lockstep share (`fastw2v.kernels.lockstep.Lanes`), else None
    clock      int64 array in which kernel `block` counts cycles (`fastw2v.kernels.intrinsics.tick`), or None
    """

    queue: NDArray[np.int64]
    worker: int = 0
    n_workers: int = 1
    lanes: Any = None
    clock: NDArray[np.int64] | None = None


def work_on(first: int, end: int) -> Work:
    """Units first ≤ u < end for one worker."""
    return Work(np.array([first, end], np.int64))


def padded(dim: int) -> int:
    """Row length in training: dim rounded up to whole cache lines (300 unpadded runs at half the speed)."""
    return -(-dim // FLOATS_PER_LINE) * FLOATS_PER_LINE


def n_units(n_tokens: int) -> int:
    """Units of work in an epoch."""
    return -(-n_tokens // UNIT)
