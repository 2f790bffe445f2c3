"""How far the rows of input words move in a block, which may be several rows a word and shared by others."""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.block.updates import step_of
from fastw2v.kernels.jit import by_type
from fastw2v.kernels.tiles.rows import add_row
from fastw2v.model.plan import Subwords, Words

ZERO = np.float32(0.0)


def _add_move(lookup, word, move, moves):
    moves[word] += move


def _add_moves(lookup, word, move, moves):
    for k in range(lookup.starts[word], lookup.starts[word + 1]):
        moves[lookup.rows[k]] += move


def _clear_move(lookup, word, moves):
    moves[word] = ZERO


def _clear_moves(lookup, word, moves):
    for k in range(lookup.starts[word], lookup.starts[word + 1]):
        moves[lookup.rows[k]] = ZERO


def _step_held(lookup, vectors, word, rate, share, moves, grads, t):
    add_row(vectors.center, word, -step_of(moves, np.int64(word), rate) * share, grads, t)


def _step_each_held(lookup, vectors, word, rate, share, moves, grads, t):
    for k in range(lookup.starts[word], lookup.starts[word + 1]):
        row = np.int64(lookup.rows[k])
        add_row(vectors.center, row, -step_of(moves, row, rate) * share, grads, t)


# (lookup, word, move, moves): moves[row] += move for each row of V that the word is made of.
add_input_move = by_type({Words: _add_move, Subwords: _add_moves})
# (lookup, vectors, word, rate, share, moves, grads, t): row −= step · share · grads[t] for each of these; the
# step is the rate, held back where moves[row] would be too far.
step_input_held = by_type({Words: _step_held, Subwords: _step_each_held})
# (lookup, word, moves): these are zero.
clear_input_move = by_type({Words: _clear_move, Subwords: _clear_moves})
