"""The order in which an epoch meets the sentences: that of the corpus, or a new one each epoch.

The corpus is cut into groups of neighbouring sentences. An epoch takes the groups in a drawn order, some at a
time, and draws the order of the sentences in these. So each sentence may meet any other, and what is copied
is a buffer, not the corpus; the next one is filled by a background thread while the kernels train on one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import Tokens, n_units
from fastw2v.model.sources import Buffer
from fastw2v.model.streams import epoch_key

GROUP_TOKENS = 1 << 18
BUFFER_TOKENS = 1 << 23  # 32 MB of ids, twice; 4 s of training on two cores


class BufferPlan(NamedTuple):
    """A part before its tokens are copied: the sentences in the corpus's order, and Buffer's other fields."""

    sentences: NDArray[np.int64]
    n_tokens: int
    key: int
    first_token: int
    first_unit: int


def epoch_buffers(tokens: Tokens, seed: int, epoch: int, shuffle: bool, unit: int = 0) -> Iterator[Buffer]:
    """The parts of an epoch, from the one that holds `unit` on."""
    key = epoch_key(seed, epoch)
    if not shuffle:
        yield Buffer(tokens, key, 0, 0, len(tokens.ids))
        return
    plans = [
        plan for plan in plan_buffers(tokens.offsets, key) if plan.first_unit + n_units(plan.n_tokens) > unit
    ]
    with ThreadPoolExecutor(1, "fastw2v-shuffle") as pool:
        ahead = [pool.submit(fill, tokens, plan) for plan in plans[:1]]
        for number in range(len(plans)):
            part = ahead.pop().result()
            ahead += [pool.submit(fill, tokens, plan) for plan in plans[number + 1 : number + 2]]
            yield part


def plan_buffers(offsets: NDArray[np.int64], key: int) -> Iterator[BufferPlan]:
    """Which sentences the parts of the epoch hold."""
    cuts = np.searchsorted(offsets, np.arange(0, offsets[-1], GROUP_TOKENS))
    firsts = np.unique(np.minimum(cuts, len(offsets) - 1))
    lasts = np.append(firsts[1:], len(offsets) - 1)
    sizes = offsets[lasts] - offsets[firsts]
    order = np.random.default_rng(key).permutation(np.flatnonzero(sizes))
    buffers = np.cumsum(sizes[order]) // BUFFER_TOKENS
    first_token = first_unit = 0
    for number in np.unique(buffers).tolist():
        groups = order[buffers == number]
        sentences = np.concatenate([np.arange(firsts[group], lasts[group]) for group in groups])
        n_tokens = int(sizes[groups].sum())
        yield BufferPlan(sentences, n_tokens, epoch_key(key, number), first_token, first_unit)
        first_token, first_unit = first_token + n_tokens, first_unit + n_units(n_tokens)


def fill(tokens: Tokens, plan: BufferPlan) -> Buffer:
    """Copy the sentences of a plan in a drawn order."""
    shuffled = in_drawn_order(tokens, plan.sentences, plan.n_tokens, plan.key)
    return Buffer(shuffled, plan.key, plan.first_token, plan.first_unit, plan.n_tokens)


def in_drawn_order(tokens: Tokens, sentences: NDArray[np.int64], n_tokens: int, key: int) -> Tokens:
    """A copy of sentences, n_tokens in all, in the order that the key draws."""
    from fastw2v.kernels.sentences import take_sentences

    order = np.random.default_rng(key).permutation(sentences)
    ids, offsets = np.empty(n_tokens, np.int32), np.empty(len(order) + 1, np.int64)
    take_sentences(tokens.ids, tokens.offsets, order, ids, offsets)
    beside = (None if given is None else given[order] for given in (tokens.weights, tokens.targets))
    return Tokens(ids, offsets, *beside)
