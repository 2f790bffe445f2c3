"""A unit of work: UNIT consecutive tokens, subsampled, with the window's context on either side.

The random streams are those of `fastw2v.model.streams`; the twin is `fastw2v.reference.units.keep_unit`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.architectures import share_of, window_of
from fastw2v.kernels.jit import by_type, jit
from fastw2v.kernels.scalar import GAMMA, LOW_32, SHIFT_32, mix64
from fastw2v.kernels.weights import if_weighed, keep_weight, room_for_weight, weight_of
from fastw2v.model.arrays import FLOATS_PER_LINE, UNIT
from fastw2v.model.plan import BY_PLACE, Cbow, GivenPairs, GlobalContext, SkipGram


class Kept(NamedTuple):
    """The tokens that a worker's current unit keeps, with context on either side.

    ids     int32, word ids
    first   int32, index of the first kept token of the same sentence: equal for tokens of one sentence
    radius  int32, drawn window radius
    side    on which of a token its window is: below 0 left, above 0 right, 0 both
    weighted  whether a window's words count the less the farther they are; BY_PLACE: as `weight` says
    weight  float32, that of the token's sentence, of centres at least; BY_PLACE what the word counts in its
            group; None without weights
    target  int32, that of the token's sentence, of centres at least; None where they are in the windows
    """

    ids: NDArray[np.int32]
    first: NDArray[np.int32]
    radius: NDArray[np.int32]
    side: int = 0
    weighted: int = 0
    weight: NDArray[np.float32] | None = None
    target: NDArray[np.int32] | None = None


@jit
def whole_lines(n):
    """n rounded up to a multiple of a cache line's floats."""
    return -(-n // FLOATS_PER_LINE) * FLOATS_PER_LINE


@jit
def aligned_rows(n, width):
    """Zeros float32 (n, width) that start on a cache line; NumPy's own start 16 bytes after one."""
    flat = np.zeros(n * width + FLOATS_PER_LINE, np.float32)
    skip = (-flat.ctypes.data % 64) // 4
    return flat[skip : skip + n * width].reshape(n, width)


@jit
def room_of(capacity, side, weighted, weights):
    """Room for so many tokens, and for weights, if any."""
    ids, first = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    radius, weight = np.empty(capacity, np.int32), room_for_weight(weights, capacity)
    return Kept(ids, first, radius, side, weighted, weight, None)


@jit
def room_for(architecture, weights):
    """Room for the tokens of one unit and the context on either side, and for weights, if any."""
    capacity = UNIT + 2 * architecture.reach + 1  # one to write a token to that is not kept
    return room_of(capacity, architecture.side, architecture.weighted, weights)


def _room_for_tokens(architecture, weights):
    return room_for(architecture, weights)


def _room_for_windows(architecture, weights):
    return room_of(UNIT * (2 * architecture.reach + 2), 1, BY_PLACE, weights)


# (architecture, weights): room for what a unit keeps.
new_room_for = by_type(
    {
        SkipGram: _room_for_tokens,
        Cbow: _room_for_tokens,
        GivenPairs: _room_for_tokens,
        GlobalContext: _room_for_windows,
    }
)


@jit
def new_kept(architecture, weights):
    """Room for what one unit keeps, and for weights, if any."""
    return new_room_for(architecture, weights)


@jit
def noise_stream(epoch_key, unit):
    """Where the draws of a unit's noise words start: the state of a splitmix64 stream."""
    return mix64(~epoch_key + np.uint64(unit) * GAMMA)


@jit
def learning_rate_at(schedule, position):
    """Linear decay over the whole run, evaluated at a unit's first token."""
    done = (schedule.words_before + position) / schedule.words_total
    return np.float32(max(schedule.learning_rate * (1.0 - done), schedule.min_learning_rate))


@jit
def rates_at(schedule, position):
    """The learning rates of rows of V and of U."""
    rate = learning_rate_at(schedule, position)
    return rate * np.float32(schedule.center_share), rate * np.float32(schedule.outside_share)


@jit
def sentence_at(offsets, position):
    """The last sentence that starts at or before a position (so never an empty one before it)."""
    low, high = 0, offsets.shape[0] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= position:
            low = middle
        else:
            high = middle
    return low


@jit
def keep_before(tokens, architecture, epoch_key, position, kept):
    """Put the last `reach` kept tokens of the sentence before a position at the front; returns how many."""
    sentence = sentence_at(tokens.offsets, position)
    count = if_weighed(tokens.weights, sentence, architecture.reach)
    sentence_start = tokens.offsets[sentence]
    found = 0
    p = position
    while p > sentence_start and found < count:
        p -= 1
        word = tokens.ids[p]
        if (mix64(epoch_key + np.uint64(p) * GAMMA) >> SHIFT_32) <= np.uint64(architecture.keep_limits[word]):
            kept.ids[count - 1 - found] = word
            found += 1
    for i in range(found):
        kept.ids[i] = kept.ids[count - found + i]
        kept.first[i] = 0
    return found


@jit
def keep_windowed(architecture, tokens, epoch_key, unit, kept):
    """Kept tokens of a unit and the context on either side; returns (begin, end, size) of `keep_unit`."""
    start = unit * UNIT
    stop = min(start + UNIT, tokens.offsets[-1])
    begin = keep_before(tokens, architecture, epoch_key, start, kept)
    sentence = sentence_at(tokens.offsets, start)
    sentence_stop = tokens.offsets[sentence + 1]
    first = 0
    size = begin
    end = begin
    p = start
    while p < stop or (p < sentence_stop and size - end < architecture.reach):
        if p == sentence_stop:
            while tokens.offsets[sentence + 1] == p:
                sentence += 1
            sentence_stop = tokens.offsets[sentence + 1]
            first = size
        word = tokens.ids[p]
        bits = mix64(epoch_key + np.uint64(p) * GAMMA)
        # Written in any case, counted if kept: the branch would be mispredicted every third token.
        kept.ids[size] = word
        kept.first[size] = first
        drawn = np.int32(((bits & LOW_32) * np.uint64(architecture.radius)) >> SHIFT_32) + 1
        kept.radius[size] = architecture.radius if architecture.fixed else drawn
        keep_weight(tokens.weights, sentence, kept.weight, size)
        keep_weight(tokens.targets, sentence, kept.target, size)
        is_kept = np.int64((bits >> SHIFT_32) <= np.uint64(architecture.keep_limits[word]))
        size += if_weighed(tokens.weights, sentence, is_kept)
        p += 1
        if p == stop:
            end = size
    return begin, end, size


def _keep_groups(architecture, tokens, epoch_key, unit, kept):
    start = unit * UNIT
    stop = min(start + UNIT, tokens.offsets[-1])
    group = sentence_at(tokens.offsets, start)
    group += np.int64(tokens.offsets[group] < start)
    size = 0
    while group < tokens.offsets.shape[0] - 1 and tokens.offsets[group] < stop:
        first, n_outside = size, -1
        most = tokens.offsets[group] + 1 + architecture.reach
        for p in range(tokens.offsets[group], min(tokens.offsets[group + 1], most)):
            kept.ids[size], kept.first[size], kept.radius[size] = tokens.ids[p], first, 0
            size += 1
            n_outside += 1
        if size > first:
            kept.radius[first] = n_outside
        group += 1
    return 0, size, size


def _keep_tokens(architecture, tokens, epoch_key, unit, kept):
    return keep_windowed(architecture, tokens, epoch_key, unit, kept)


@jit
def put_word(kept, place, first, word, weight):
    """Put a word of the group that begins at `first` at a place, of a window of its own of radius 0."""
    kept.ids[place], kept.first[place], kept.radius[place] = word, first, 0
    kept.weight[place] = weight
    return place + 1


@jit
def with_targets(own, span, kept):
    """Each centre of own with the words of its window, and the target of its sentence if any, after it.

    Puts these groups in kept; returns how many words they are.
    """
    begin, end, size = span
    n = 0
    for i in range(begin, end):
        first, weight, (low, high) = n, weight_of(own.weight, i), window_of(own, i, size)
        n = put_word(kept, n, first, own.ids[i], weight)
        for j in range(low, high):
            if j != i:
                n = put_word(kept, n, first, own.ids[j], share_of(own, i, j))
        if own.target[i] >= 0:
            n = put_word(kept, n, first, own.target[i], weight)
        kept.radius[first] = n - 1 - first
    return n


def _keep_with_targets(architecture, tokens, epoch_key, unit, kept):
    room = room_for(architecture, tokens.weights)
    target = np.empty(len(room.ids), np.int32)
    own = Kept(room.ids, room.first, room.radius, room.side, room.weighted, room.weight, target)
    span = keep_windowed(architecture, tokens, epoch_key, unit, own)
    return 0, span[1] - span[0], with_targets(own, span, kept)


# (architecture, tokens, epoch_key, unit, kept)
keep_tokens = by_type(
    {
        SkipGram: _keep_tokens,
        Cbow: _keep_tokens,
        GivenPairs: _keep_groups,
        GlobalContext: _keep_with_targets,
    }
)


def _next_place(architecture, kept, i):
    return i + 1


def _next_group(architecture, kept, i):
    return i + 1 + kept.radius[i]


# (architecture, kept, i): where the centre after the one at place i is.
next_center = by_type(
    {SkipGram: _next_place, Cbow: _next_place, GivenPairs: _next_place, GlobalContext: _next_group}
)


@jit
def keep_unit(tokens, architecture, epoch_key, unit, kept):
    """Subsample one unit and draw its radii; or take the groups of pairs that begin in it.

    Returns (begin, end, size): kept[begin:end] are the unit's centres, kept[0:begin] and kept[end:size] the
    context that its first and last sentence have in the neighbouring units. Of given pairs they are centres
    and outside words, and the latter have windows of radius 0. With targets kept[0:size] are groups, and
    end − begin says how many.
    """
    return keep_tokens(architecture, tokens, epoch_key, unit, kept)
