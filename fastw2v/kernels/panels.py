"""What a block of the softmax over all words needs: panels of words, and the room for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.jit import inner_jit, jit
from fastw2v.kernels.units import aligned_rows, whole_lines
from fastw2v.model.arrays import UNIT

# Words that are scored, summed in float32 and stepped together: 240 rows of dim 100 with their scores of 32
# cases are 138 KB. A multiple of the rows of every tile, so that only the last panel has a rest.
PANEL = 240
SPARE = 8  # rows beyond the last word, which the tiles of a rest read


class Room(NamedTuple):
    """What is made of a block's words: a worker's own, or shared by all. C columns are T in whole lines.

    scores    float32 (n_words + SPARE, C), u_wᵀh_t, then its exponential, then ∂J/∂score
    highest   float32 (n_panels, C), of the scores of a panel
    sums      float32 (n_panels, C), of exp(score − highest) over a panel
    steps     float32 (n_words + SPARE,), of each row of U
    grads     float32 (1 or n_panels, C, padded_dim), −∂J/∂h: of the words of a panel each, or of all of them
    arrived, meetings  int64 (8,), see `fastw2v.kernels.meetings`
    """

    scores: NDArray[np.float32]
    highest: NDArray[np.float32]
    sums: NDArray[np.float32]
    steps: NDArray[np.float32]
    grads: NDArray[np.float32]
    arrived: NDArray[np.int64]
    meetings: NDArray[np.int64]


class Desk(NamedTuple):
    """What a worker needs of its own.

    worker, n_workers   at one block
    order      int64 (UNIT,), the centres of a unit as blocks take them
    h          float32 (C, padded_dim), of each case; zeros beyond the last
    columns    float32 (padded_dim, C), the same transposed
    norms      float32 (C,), ‖h‖²
    n_outputs  float32 (C,), output words of each case, by what they count
    outputs    int64 (T·2·reach, 2), (case, word) of each output word
    counted    float32 (T·2·reach,), what each of them counts
    shares     float32 (n_panels, C), by which exponentials of scores become n_t ŷ
    cases      int64 (C,), 0, 1, …
    words      int64 (n_words + SPARE,), 0, 1, …, and −1 beyond the last
    ones       float32 (C,), 1: as steps make sums of gradients
    """

    worker: int
    n_workers: int
    order: NDArray[np.int64]
    h: NDArray[np.float32]
    columns: NDArray[np.float32]
    norms: NDArray[np.float32]
    n_outputs: NDArray[np.float32]
    outputs: NDArray[np.int64]
    counted: NDArray[np.float32]
    shares: NDArray[np.float32]
    cases: NDArray[np.int64]
    words: NDArray[np.int64]
    ones: NDArray[np.float32]


@jit
def count_panels(n_words):
    """Panels of so many words."""
    return -(-n_words // PANEL)


@jit
def new_room(vectors, plan, n_grads):
    """Room for blocks of a plan, with so many sums of gradients of h."""
    n_words, dim = vectors.outside.shape
    n_columns, n_panels = whole_lines(plan.estimator.block_size), count_panels(n_words)
    return Room(
        aligned_rows(n_words + SPARE, n_columns),
        aligned_rows(n_panels, n_columns),
        aligned_rows(n_panels, n_columns),
        np.zeros(n_words + SPARE, np.float32),
        aligned_rows(n_grads * n_columns, dim).reshape((n_grads, n_columns, dim)),
        np.zeros(8, np.int64),
        np.zeros(8, np.int64),
    )


@jit
def new_shared_room(vectors, plan, weights):
    """Room that all workers share, whatever weights sentences have: what becomes of h is summed by panel."""
    return new_room(vectors, plan, count_panels(vectors.outside.shape[0]))


@inner_jit
def new_desk(vectors, plan, worker, n_workers):
    """A worker's own."""
    n_words, dim = vectors.outside.shape
    size = plan.estimator.block_size
    n_columns = whole_lines(size)
    words = np.arange(n_words + SPARE)
    for w in range(n_words, len(words)):
        words[w] = -1
    return Desk(
        worker,
        n_workers,
        np.zeros(UNIT, np.int64),
        aligned_rows(n_columns, dim),
        aligned_rows(dim, n_columns),
        np.zeros(n_columns, np.float32),
        np.zeros(n_columns, np.float32),
        np.zeros((size * 2 * plan.architecture.reach, 2), np.int64),
        np.zeros(size * 2 * plan.architecture.reach, np.float32),
        aligned_rows(count_panels(n_words), n_columns),
        np.arange(n_columns),
        words,
        np.ones(n_columns, np.float32),
    )
