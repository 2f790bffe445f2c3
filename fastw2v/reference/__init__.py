"""The mathematics, slowly and obviously, in NumPy: what every kernel must agree with.

losses holds the formulas and gradients of Stanford CS224n; the other files have the names of those of
`fastw2v.kernels`, and the same functions in the same order.
"""

from __future__ import annotations

from fastw2v.reference.backend import ReferenceBackend
from fastw2v.reference.block import (
    BlockGradients,
    BlockTerms,
    as_operand,
    block_gradients,
    block_step,
    block_terms,
    blocks_of,
    descend,
    descend_together,
    train_unit_block,
)
from fastw2v.reference.lockstep import Lane, train_group
from fastw2v.reference.losses import (
    LossAndGradients,
    cross_entropy,
    log_softmax,
    naive_softmax_loss,
    neg_sampling_loss,
    probabilities,
    sigmoid,
    sigmoid_derivative,
    skipgram_loss,
    softplus,
)
from fastw2v.reference.pair import draw_negatives, sgns_step, softmax_step, train_unit_pair
from fastw2v.reference.units import (
    KeptToken,
    draw_noise,
    draw_shared,
    keep_token,
    keep_unit,
    learning_rate_at,
    outside_words,
    shares_of,
    window_of,
)

__all__ = [
    "BlockGradients",
    "BlockTerms",
    "KeptToken",
    "Lane",
    "LossAndGradients",
    "ReferenceBackend",
    "as_operand",
    "block_gradients",
    "block_step",
    "block_terms",
    "blocks_of",
    "cross_entropy",
    "descend",
    "descend_together",
    "draw_negatives",
    "draw_noise",
    "draw_shared",
    "keep_token",
    "keep_unit",
    "learning_rate_at",
    "log_softmax",
    "naive_softmax_loss",
    "neg_sampling_loss",
    "outside_words",
    "probabilities",
    "sgns_step",
    "shares_of",
    "sigmoid",
    "sigmoid_derivative",
    "skipgram_loss",
    "softmax_step",
    "softplus",
    "train_group",
    "train_unit_block",
    "train_unit_pair",
    "window_of",
]
