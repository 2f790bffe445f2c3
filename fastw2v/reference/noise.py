"""The noise that the cases of a block share: its weights' errors, its gradients, its mean row, bounded steps.

The twin of `fastw2v.kernels.block.noise`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import EXACT, FLOAT32, LARGEST_MOVE, WORDS, Float32, Inputs, Operands
from fastw2v.reference.architectures import Kept, shares_of, window_of
from fastw2v.reference.losses import Array, matrix_times_vector, sigmoid, softplus

Numbers = NDArray[np.intp]


class Parts(NamedTuple):
    """What the step of a block takes of its plan.

    operands  of the estimator
    lookup    which rows are a word's
    gradient  how the words of a bag are stepped: `fastw2v.model.plan.Cbow`
    """

    operands: Operands = FLOAT32
    lookup: Inputs = WORDS
    gradient: int = EXACT


PLAIN = Parts()


class Seen(NamedTuple):
    """Rows of U that the blocks of a unit have drawn so far: their sum, (dim,), and their number, (1,)."""

    total: Array
    n_rows: Numbers


class NoiseGradients(NamedTuple):
    """J of a block's noise, ∂J/∂ its centre and noise rows, and their moves.

    The moves of a row are Σ |∂J/∂score|·‖other row‖² over the scores that it is part of.
    """

    loss: float
    grad_centers: Array
    grad_noise: Array
    center_moves: Array
    noise_moves: Array


def outside_words(kept: Kept, i: int) -> Numbers:
    """The words of centre i's window but its own."""
    return np.array([kept[j].word for j in window_of(kept, i) if j != i], dtype=np.intp)


def weigh_noise(kept: Kept, centers: Numbers, noise: Numbers, weight: float) -> Array:
    """w_is = weight · Σ_{j ∈ P_i : word_j ≠ n_s} share_ij, (T, S), the number of these where all are 1."""
    masses = [shares_of(kept, i) @ (outside_words(kept, i)[:, None] != noise) for i in centers]
    return weight * np.array(masses, dtype=float)


def rounded(x: Array, operands: Operands) -> Array:
    """x as the products with the noise see it; bfloat16 is half a float32, and ties go to the even one."""
    if isinstance(operands, Float32):
        return x
    bits = x.astype(np.float32).view(np.uint32)
    halves = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return halves.view(np.float32).astype(x.dtype)


def center_errors(errors: Array, seen: Seen) -> tuple[Array, Array]:
    """What the centres' gradient multiplies draws with, (T, S), and the sum of the rows seen before, (T,).

    Σ_s e_s n_s = Σ_s (e_s − ē) n_s + S ē n̄, and n̄ differs from draw to draw more than the rest. It has the
    expectation of the mean of all rows seen before, which differs less and takes its place: a control variate
    (Owen, Monte Carlo theory, methods and examples, 8.9). Times S/(S − 1), as ē is a mean of the same draws,
    the sum keeps its expectation to the letter.
    """
    n_draws = errors.shape[1]
    if seen.n_rows[0] == 0 or n_draws == 1:
        return errors, np.zeros_like(errors[:, 0])
    mean = errors.mean(axis=1, keepdims=True)
    return (errors - mean) * (n_draws / (n_draws - 1)), mean[:, 0] * (n_draws / seen.n_rows[0])


def noise_gradients(
    v: Array, n: Array, weights: Array, seen: Seen, operands: Operands = FLOAT32
) -> NoiseGradients:
    """Loss of the noise that centres share, and its gradients with respect to every gathered row.

    v        (T, dim), rows of V of the centres
    n        (S, dim), rows of U of the draws
    weights  (T, S), w_is of `weigh_noise`
    seen     what the unit's blocks before have drawn: see `center_errors`; nothing, and the gradient is J's

    J = −Σ_is w_is log σ(−u_sᵀv_i); with E_is = w_is σ(u_sᵀv_i): ∂J/∂v = E n, ∂J/∂n = Eᵀ v.
    The products may have operands of less precision (`rounded`).
    """
    rounded_v, rounded_n = rounded(v, operands), rounded(n, operands)
    scores = rounded_v @ rounded_n.T
    errors = (weights * sigmoid(scores)).astype(v.dtype)
    for_centers, for_seen = center_errors(errors, seen)
    return NoiseGradients(
        float((weights * softplus(scores)).sum()),
        rounded(for_centers, operands) @ rounded_n + np.outer(for_seen, seen.total),
        rounded(errors, operands).T @ rounded_v,
        matrix_times_vector(errors, (n**2).sum(axis=1)),
        matrix_times_vector(errors.T, (v**2).sum(axis=1)),
    )


def nothing_seen(vectors: Vectors) -> Seen:
    """What a unit begins with."""
    return Seen(np.zeros_like(vectors.outside[0]), np.zeros(1, np.intp))


def remember(seen: Seen, rows: Array) -> None:
    """Add the rows that a block has drawn, in place."""
    seen.total[:] += rows.sum(axis=0)
    seen.n_rows[0] += len(rows)


def limit_steps(words: Numbers, moves: Array, learning_rate: float, n_words: int) -> Array:
    """The step of every word's row in this block, (n_words,): held back where noise would move it too far.

    The noise of a block is stepped from one place, so a word with many rows or a heavy draw would overshoot
    where one-by-one steps would not. Σ|∂J/∂score|·‖other row‖², summed over the rows of a word, times the
    step bounds how far it moves any of its scores; where that exceeds LARGEST_MOVE the step shrinks to it,
    for the word's pairs in this block too: noise held back alone would leave attraction without its match.
    """
    word_moves = np.bincount(words, weights=moves, minlength=n_words)
    return np.asarray(learning_rate / np.maximum(1, learning_rate * word_moves / LARGEST_MOVE))


def update_rows(matrix: Array, words: Numbers, grads: Array, steps: Array) -> None:
    """Row −= step·gradient, in place; a word may have several rows."""
    np.subtract.at(matrix, words, (steps[words][:, None] * grads).astype(matrix.dtype))
