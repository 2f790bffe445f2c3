"""How the tokens of a unit become cases: bags of input words, and the output words that they predict.

Chosen at compile time by the type of the plan's architecture, which says where among the kept tokens the
words of a case are, makes h of the rows of its inputs, and takes the gradient of h back to these rows. Which
rows are a word's is in `fastw2v.kernels.inputs`. The twin is `fastw2v.reference.architectures`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastw2v.kernels.inputs import add_input, read_input, step_input
from fastw2v.kernels.jit import by_type, jit
from fastw2v.kernels.weights import weight_of
from fastw2v.model.plan import ALL_OF_IT, BY_PLACE, EXACT, Cbow, GivenPairs, GlobalContext, SkipGram

ONE, ZERO = np.float32(1.0), np.float32(0.0)


class Places(NamedTuple):
    """Kept tokens start ≤ j < stop, but for j == without."""

    start: int
    stop: int
    without: int


@jit
def window_of(kept, i, size):
    """Kept tokens low ≤ j < high within the radius drawn for i, in its sentence, i itself among them.

    On the side of i that the run has for its windows, or on both.
    """
    low = i if kept.side > 0 else max(i - kept.radius[i], kept.first[i])
    high = i + 1
    if kept.side >= 0:
        high = min(i + kept.radius[i] + 1, size)
        while kept.first[high - 1] != kept.first[i]:  # from afar: few sentences end in a window
            high -= 1
    return low, high


@jit
def share_line(kept, i):
    """(a, b): kept token j counts a − b·|j − i| in the window of token i, but BY_PLACE."""
    weight = weight_of(kept.weight, i)
    if not kept.weighted:
        return weight, ZERO
    radius = np.float32(kept.radius[i])
    return weight * (radius + ONE) / radius, weight / radius


@jit
def share_of(kept, i, j):
    """What kept token j counts in the window of token i: in a weighted one less the farther it is.

    Times the weight of their sentence.
    """
    if kept.weighted == BY_PLACE:
        return weight_of(kept.weight, j)
    full, slope = share_line(kept, i)
    return full - slope * np.float32(abs(j - i))


@jit
def mass_of(kept, i, window):
    """What all words of the window but token i itself count."""
    if kept.weighted == BY_PLACE:
        mass = ZERO
        for j in range(window[0], window[1]):
            if j != i:
                mass += weight_of(kept.weight, j)
        return mass
    full, slope = share_line(kept, i)
    before, after = i - window[0], window[1] - 1 - i
    distances = (before * (before + 1) + after * (after + 1)) // 2
    return full * np.float32(before + after) - slope * np.float32(distances)


def _center(architecture, i, window):
    return Places(i, i + 1, -1)


def _others(architecture, i, window):
    return Places(window[0], window[1], i)


def _center_of_some(architecture, i, window):
    return Places(i, i + 1 if window[1] - window[0] > 1 else i, -1)


def _share_of_pair(architecture, kept, i, j):
    return share_of(kept, i, j)


def _share_of_case(architecture, kept, i, j):
    return weight_of(kept.weight, j)


def _read_one(architecture, lookup, vectors, kept, inputs, scratch, h):
    read_input(lookup, vectors, kept.ids[inputs.start], scratch, h)


def _step_one(architecture, lookup, vectors, kept, inputs, scratch, grad_h):
    step_input(lookup, vectors, kept.ids[inputs.start], ONE, scratch, grad_h)


def _read_mean(architecture, lookup, vectors, kept, inputs, scratch, h):
    scratch[h] = ZERO
    share = ONE / np.float32(inputs.stop - inputs.start - 1)
    for j in range(inputs.start, inputs.stop):
        if j != inputs.without:
            add_input(lookup, vectors, kept.ids[j], share, scratch, h)


@jit
def step_share(architecture, n):
    """What of ∂J/∂h each of the n input words of a case of CBOW is stepped by."""
    if architecture.gradient == ALL_OF_IT:
        return ONE
    share = ONE / np.float32(n)
    return share if architecture.gradient == EXACT else np.sqrt(share)


def _step_each(architecture, lookup, vectors, kept, inputs, scratch, grad_h):
    share = step_share(architecture, inputs.stop - inputs.start - 1)
    for j in range(inputs.start, inputs.stop):
        if j != inputs.without:
            step_input(lookup, vectors, kept.ids[j], share, scratch, grad_h)


# (architecture, i, window): the Places of the input words around kept token i.
inputs_of = by_type({SkipGram: _center, GlobalContext: _center, GivenPairs: _center, Cbow: _others})
# (architecture, i, window): the Places of the output words that these predict, in reading order.
outputs_of = by_type({SkipGram: _others, GlobalContext: _others, GivenPairs: _others, Cbow: _center_of_some})
# (architecture, kept, i, j): what the loss of output word j, predicted around token i, counts.
pair_share = by_type(
    {
        SkipGram: _share_of_pair,
        GlobalContext: _share_of_pair,
        GivenPairs: _share_of_pair,
        Cbow: _share_of_case,
    }
)
# (architecture, lookup, vectors, kept, inputs, scratch, h): scratch[h] = h, the mean of the inputs.
read_inputs = by_type(
    {SkipGram: _read_one, GlobalContext: _read_one, GivenPairs: _read_one, Cbow: _read_mean}
)
# (architecture, lookup, vectors, kept, inputs, scratch, grad_h): each input takes its share of that gradient.
step_inputs = by_type(
    {SkipGram: _step_one, GlobalContext: _step_one, GivenPairs: _step_one, Cbow: _step_each}
)
