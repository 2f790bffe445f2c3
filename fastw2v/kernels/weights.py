"""The weight of a sentence, times which the loss of each of its cases counts: nothing where there is none.

Chosen at compile time: without weights these leave no instruction. The twin is the weight of a
`fastw2v.reference.units.KeptToken`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.jit import by_type

ONE, ZERO = np.float32(1.0), np.float32(0.0)
NONE = type(None)


def _no_room(weights, n):
    return None


def _room(weights, n):
    return np.empty(n, np.float32)


def _no_rooms(weights, n, size):
    return None


def _rooms(weights, n, size):
    return np.empty((n, size), np.float32)


def _none_of(weight, lane):
    return None


def _of_lane(weight, lane):
    return weight[lane]


def _keep_none(weights, sentence, weight, place):
    return None


def _keep_own(weights, sentence, weight, place):
    weight[place] = weights[sentence]


def _all_of(weights, sentence, n):
    return n


def _all_if_in(weights, sentence, n):
    return n if weights[sentence] > ZERO else np.int64(0)


def _one(weight, i):
    return ONE


def _own(weight, i):
    return weight[i]


# weights is float32 (n_sentences,), and weight float32, of the sentence of each kept token; or both None.
# (weights, n): room for the weight of n kept tokens.
room_for_weight = by_type({NONE: _no_room, np.ndarray: _room})
# (weights, n, size): the same for each of n lanes.
rooms_for_weight = by_type({NONE: _no_rooms, np.ndarray: _rooms})
# (weight, lane): of the tokens of a lane.
weight_in = by_type({NONE: _none_of, np.ndarray: _of_lane})
# (weights, sentence, weight, place): weight[place] = that of the sentence.
keep_weight = by_type({NONE: _keep_none, np.ndarray: _keep_own})
# (weights, sentence, n): n, or 0 where the sentence has weight 0: it is left out.
if_weighed = by_type({NONE: _all_of, np.ndarray: _all_if_in})
# (weight, i): of kept token i; a constant 1 without weights, times which nothing changes.
weight_of = by_type({NONE: _one, np.ndarray: _own})
