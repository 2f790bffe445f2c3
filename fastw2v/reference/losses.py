"""The mathematics, slowly and obviously, in NumPy: what every kernel must agree with.

The formulas are those of Stanford CS224n, assignment 2, and Mikolov et al. 2013 ("Distributed
Representations of Words and Phrases and their Compositionality"). Throughout:

    v_c  (dim,)          vector of the centre word c, a row of V
    u_o  (dim,)          vector of the outside word o, a row of U
    U    (n_words, dim)  all outside vectors
    J                    a loss, in nats

Functions keep the dtype they are given (float64 or float32) and return new arrays; only the trainers at
the end change the matrices in place, as the kernels do. Specification, and where it departs from word2vec.c:

 1. The centre word predicts each outside word (CS224n, fastText; word2vec.c and gensim mirror it).
 2. A sentence ends a window; tokens outside the vocabulary are removed before windows are formed.
 3. Subsampling removes tokens before windows are formed, so windows widen (as in word2vec.c).
 4. The window radius is uniform on 1..window, or always window with fixed windows; or all within window are
    paired, each pair counting the share of the radii that reach it (weighted windows).
 5. K noise words are drawn for each pair; one equal to the outside word is left out, not drawn again.
 6. A noise word drawn m times counts m times.
 7. The step size falls linearly with the tokens of the whole run, evaluated at each unit's first token.
 8. Sentences of any length train in full (word2vec.c cuts at 1,000 kept tokens, gensim at 10,000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class LossAndGradients(NamedTuple):
    """J (float), ∂J/∂v_c (dim,) and ∂J/∂U (n_words, dim)."""

    loss: float
    grad_center: Array
    grad_outside: Array


def matrix_times_vector(matrix: Array, vector: Array) -> Array:
    """A x of (n, m) and (m,), (n,), not by BLAS.

    OpenBLAS's float32 kernel for it on processors with AVX-512 may raise "invalid value" where every number
    is finite: it computes on what lies beside a small matrix, and leaves the result out.
    """
    return np.asarray(np.einsum("ij,j->i", matrix, vector))


def sigmoid(x: Array) -> Array:
    """σ(x) = 1/(1 + exp(−x)), of any shape; exact 0 and 1 in the limits, never an overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def sigmoid_derivative(x: Array) -> Array:
    """σ′(x) = σ(x)(1 − σ(x)) = σ(x)σ(−x), of any shape."""
    return np.asarray(sigmoid(x) * sigmoid(-x))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) = −log σ(−x), of any shape; x itself for large x, never an overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def log_softmax(scores: Array) -> Array:
    """log softmax of scores (..., n), shifted by their maximum so that none overflows."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def probabilities(v_c: Array, U: Array) -> Array:
    """P(O = w | C = c) for every word w: softmax(U v_c), (n_words,)."""
    return np.asarray(np.exp(log_softmax(U @ v_c)))


def cross_entropy(y: Array, log_y_hat: Array) -> float:
    """−Σ_w y_w log ŷ_w, for a distribution y (n_words,) and logarithms of another."""
    present = y > 0
    return float(-(y[present] * log_y_hat[present]).sum())


def naive_softmax_loss(v_c: Array, outside: int, U: Array) -> LossAndGradients:
    """J = −log P(O = o | C = c), the cross-entropy of the one-hot y and ŷ = softmax(U v_c).

    ∂J/∂v_c = Uᵀ(ŷ − y);  ∂J/∂U = (ŷ − y)v_cᵀ.
    """
    log_y_hat = log_softmax(U @ v_c)
    error = np.exp(log_y_hat)  # becomes ŷ − y
    error[outside] -= 1
    return LossAndGradients(float(-log_y_hat[outside]), U.T @ error, np.outer(error, v_c))


def neg_sampling_loss(v_c: Array, outside: int, negatives: Sequence[int], U: Array) -> LossAndGradients:
    """J = −log σ(u_oᵀv_c) − Σ_k log σ(−u_kᵀv_c), over the negatives with their repetitions.

    ∂J/∂v_c = (σ(u_oᵀv_c) − 1)u_o + Σ_k (1 − σ(−u_kᵀv_c))u_k;
    ∂J/∂u_o = (σ(u_oᵀv_c) − 1)v_c;  ∂J/∂u_k = (1 − σ(−u_kᵀv_c))v_c, added once for every time k was drawn.
    """
    rows = np.array([outside, *negatives], dtype=np.intp)
    scores = U[rows] @ v_c
    signs = np.ones_like(scores)
    signs[0] = -1
    errors = signs * sigmoid(signs * scores)  # σ − 1 for the outside word, 1 − σ(−·) = σ(·) for the negatives
    grad_outside = np.zeros_like(U)
    np.add.at(grad_outside, rows, np.outer(errors, v_c))
    return LossAndGradients(float(softplus(signs * scores).sum()), errors @ U[rows], grad_outside)


def hierarchical_softmax_loss(
    v_c: Array, nodes: Sequence[int], codes: Sequence[int], U: Array
) -> LossAndGradients:
    """J = −Σ_n log σ((1 − 2·code_n) u_nᵀv_c), over the inner nodes n of the path of o: −log P(o | c).

    With s_n = 1 − 2·code_n: ∂J/∂v_c = −Σ_n s_n σ(−s_n u_nᵀv_c) u_n;  ∂J/∂u_n = −s_n σ(−s_n u_nᵀv_c) v_c
    (Morin and Bengio 2005; Mikolov et al. 2013, equation 3).
    """
    rows, signs = np.array(nodes, dtype=np.intp), 1 - 2 * np.array(codes, dtype=U.dtype)
    scores = signs * (U[rows] @ v_c)
    errors = -signs * sigmoid(-scores)
    grad_outside = np.zeros_like(U)
    np.add.at(grad_outside, rows, np.outer(errors, v_c))
    return LossAndGradients(float(softplus(-scores).sum()), errors @ U[rows], grad_outside)


def skipgram_loss(
    center: int,
    outside: Sequence[int],
    V: Array,
    U: Array,
    pair_loss: Callable[[Array, int], LossAndGradients],
) -> LossAndGradients:
    """J_skip-gram(c, w_{t−m..t+m}) = Σ_j J(v_c, w_{t+j}, U), with its gradients as the same sums.

    pair_loss(v_c, o) is either loss with U (and the negatives) bound. Returns ∂J/∂V (n_words, dim), zero but
    for row c, and ∂J/∂U.
    """
    loss, grad_V, grad_U = 0.0, np.zeros_like(V), np.zeros_like(U)
    for o in outside:
        pair = pair_loss(V[center], o)
        loss += pair.loss
        grad_V[center] += pair.grad_center
        grad_U += pair.grad_outside
    return LossAndGradients(loss, grad_V, grad_U)
