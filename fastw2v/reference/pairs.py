"""The windows of a block's centres, those of neighbours together.

The twin of `fastw2v.kernels.block.plain_pairs` and, in tiles, `fastw2v.kernels.block.pairs`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.model.plan import BY_PLACE, RUN
from fastw2v.reference.architectures import Kept, share_of, window_of
from fastw2v.reference.losses import Array, matrix_times_vector, sigmoid, softplus
from fastw2v.reference.noise import Numbers


def neighbours_of(kept: Kept, centers: Numbers) -> list[list[int]]:
    """The places t of the centres, those of RUN at most that are one after the other in the text together.

    No word is twice among them, as its row is to meet its own first step.

    Kept tokens that are groups have none: the next place is of a group of its own.
    """
    groups: list[list[int]] = [[]]
    for t, i in enumerate(centers):
        words = [kept[centers[before]].word for before in groups[-1]]
        is_next = len(words) > 0 and i == centers[t - 1] + 1 and kept[i].weighted != BY_PLACE
        if is_next and len(words) < RUN and kept[i].word not in words:
            groups[-1].append(t)
        else:
            groups.append([t])
    return groups[1:]


def contexts_of(kept: Kept, centers: Numbers) -> tuple[Numbers, Array]:
    """The words of neighbouring centres' windows, (n,), and what each counts for each, (n, n_centers).

    A word that is there twice is one that counts as much as both.
    """
    windows = [window_of(kept, i) for i in centers]
    places = range(min(window.start for window in windows), max(window.stop for window in windows))
    shares = [
        [
            share_of(kept, i, j) if j in window and j != i else 0.0
            for i, window in zip(centers, windows, strict=True)
        ]
        for j in places
    ]
    of_words: dict[int, Array] = {}
    for j, line in zip(places, shares, strict=True):
        if any(line):  # a centre alone is no word of its window
            of_words[kept[j].word] = of_words.get(kept[j].word, 0.0) + np.array(line)
    words = np.array(list(of_words), dtype=np.intp)
    return words, np.array(list(of_words.values())).reshape(len(words), len(windows))


def take_errors(outside: Array, words: Numbers, shares: Array, h: Array, steps: Array) -> tuple[float, Array]:
    """J = Σ_jc −share_jc log σ(u_jᵀh_c) and ∂J/∂score, as shares.

    Centre after centre: u_j is scored with h_c as the steps of the centres before leave it.
    """
    scores, products = outside[words] @ h.T, h @ h.T
    errors, loss = np.zeros_like(scores), 0.0
    for c in range(len(h)):
        scores[:, c] -= steps[words] * matrix_times_vector(errors[:, :c], products[:c, c])
        errors[:, c] = -shares[:, c] * sigmoid(-scores[:, c])
        loss += float((shares[:, c] * softplus(-scores[:, c])).sum())
    return loss, errors


def step_contexts(
    outside: Array, words: Numbers, shares: Array, h: Array, steps: Array
) -> tuple[float, Array]:
    """A step on the rows of the words in the windows of neighbouring centres, in place; returns J and ∂J/∂h.

    words  each once
    h  (n_centers, dim), the input rows of the centres
    """
    loss, errors = take_errors(outside, words, shares, h, steps)
    grad_h = np.zeros_like(h)
    for word, of_word in zip(words, errors, strict=True):
        for c, error in enumerate(of_word):
            grad_h[c] += error * outside[word]
            outside[word] -= steps[word] * error * h[c]
    return loss, grad_h
