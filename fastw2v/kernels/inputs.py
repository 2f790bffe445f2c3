"""Which rows of V stand for a word: its own, or a bag of them.

Chosen at compile time by the type of the plan's inputs. The twin is `fastw2v.reference.inputs`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.jit import by_type
from fastw2v.kernels.tiles.rows import add_row, copy_row
from fastw2v.model.plan import Subwords, Words

ONE, ZERO = np.float32(1.0), np.float32(0.0)


def _copy_own(lookup, vectors, word, scratch, h):
    copy_row(scratch, h, vectors.center, word)


def _read_bag(lookup, vectors, word, scratch, h):
    scratch[h] = ZERO
    add_input(lookup, vectors, word, ONE, scratch, h)


def _add_own(lookup, vectors, word, share, scratch, h):
    add_row(scratch, h, share, vectors.center, word)


def _add_bag(lookup, vectors, word, share, scratch, h):
    start, stop = lookup.starts[word], lookup.starts[word + 1]
    each = share / np.float32(stop - start)
    for k in range(start, stop):
        add_row(scratch, h, each, vectors.center, lookup.rows[k])


def _step_own(lookup, vectors, word, share, scratch, grad):
    add_row(vectors.center, word, share, scratch, grad)


def _step_bag(lookup, vectors, word, share, scratch, grad):
    for k in range(lookup.starts[word], lookup.starts[word + 1]):
        add_row(vectors.center, lookup.rows[k], share, scratch, grad)


# (lookup, vectors, word, share, scratch, h): scratch[h] += share · the mean of the word's rows of V.
add_input = by_type({Words: _add_own, Subwords: _add_bag})
# (lookup, vectors, word, scratch, h): scratch[h] = the mean of the word's rows.
read_input = by_type({Words: _copy_own, Subwords: _read_bag})
# (lookup, vectors, word, share, scratch, grad): each of its rows += share · scratch[grad].
step_input = by_type({Words: _step_own, Subwords: _step_bag})
