"""How the tokens of a unit become cases: bags of input words, and the output words that they predict.

The twin of `fastw2v.kernels.architectures`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import BY_PLACE, EXACT, WORDS, Architecture, Cbow, Inputs
from fastw2v.reference.inputs import read_input, step_input
from fastw2v.reference.losses import Array


class KeptToken(NamedTuple):
    """A token that subsampling left: word id, sentence, drawn window radius, and what is said of its window.

    side      below 0 left of it, above 0 right, 0 both
    weighted  whether the words of its window count the less the farther they are; BY_PLACE: as weight says
    weight    of the sentence: the loss of this token's case, and so its gradient, counts so many times;
              BY_PLACE what the word counts in its group
    """

    word: int
    sentence: int
    radius: int
    side: int = 0
    weighted: int = 0
    weight: float = 1.0


Kept = list[KeptToken]


def window_of(kept: Kept, i: int) -> range:
    """The kept tokens within the drawn radius of kept token i, on its side, in its sentence, and itself."""
    low, high, side, sentence = i, i, kept[i].side, kept[i].sentence
    while side <= 0 and low > max(i - kept[i].radius, 0) and kept[low - 1].sentence == sentence:
        low -= 1
    last = min(i + kept[i].radius, len(kept) - 1)
    while side >= 0 and high < last and kept[high + 1].sentence == sentence:
        high += 1
    return range(low, high + 1)


def share_of(kept: Kept, i: int, j: int) -> float:
    """What kept token j counts in the window of i: in a weighted one (R + 1 − d)/R at d tokens, else 1.

    Times the weight of their sentence.
    """
    if kept[i].weighted == BY_PLACE:
        return kept[j].weight
    radius, weight = kept[i].radius, kept[i].weight
    return weight * (radius + 1 - abs(j - i)) / radius if kept[i].weighted else weight


def shares_of(kept: Kept, i: int) -> Array:
    """What each word of the window of token i but its own counts, (n,)."""
    return np.array([share_of(kept, i, j) for j in window_of(kept, i) if j != i])


def gradient_of(architecture: Architecture) -> int:
    """How the input words of a case are stepped: `Cbow.gradient`, which one word alone leaves as it is."""
    return architecture.gradient if isinstance(architecture, Cbow) else EXACT


def step_share(gradient: int, n: int) -> float:
    """What of ∂J/∂h each of n input words is stepped by: n to the power of −1, −1/2 or 0."""
    return float(n ** (-gradient / 2))


def inputs_of(architecture: Architecture, i: int, window: range) -> list[int]:
    """The places of the input words around kept token i. Skip-gram: i; CBOW: the rest of the window."""
    return [j for j in window if j != i] if isinstance(architecture, Cbow) else [i]


def outputs_of(architecture: Architecture, i: int, window: range) -> list[int]:
    """The places of the output words that these predict, in order.

    Skip-gram: the rest of the window; CBOW: i, where there is a rest.
    """
    if isinstance(architecture, Cbow):
        return [i] if len(window) > 1 else []
    return [j for j in window if j != i]


def pair_share(architecture: Architecture, kept: Kept, i: int, j: int) -> float:
    """What the loss of output word j, predicted around token i, counts."""
    return kept[j].weight if isinstance(architecture, Cbow) else share_of(kept, i, j)


def read_inputs(vectors: Vectors, inputs: list[int], lookup: Inputs = WORDS) -> Array:
    """h, the mean of the input words' rows of V, (dim,)."""
    return np.asarray(np.mean([read_input(lookup, vectors, word) for word in inputs], axis=0))


def step_inputs(
    vectors: Vectors,
    inputs: list[int],
    grad_h: Array,
    rate: float,
    lookup: Inputs = WORDS,
    gradient: int = EXACT,
) -> None:
    """A step on these rows, in place: each of n input words by ∂J/∂v = ∂J/∂h / n, or more of ∂J/∂h."""
    step = rate * step_share(gradient, len(inputs))
    for word in inputs:
        step_input(lookup, vectors, word, step, grad_h)
