"""The distinct words of a block and their rows of V, numbered: what a lane in lockstep has copies of.

`desk` has `numbers`, int64 (n,), −1 between calls, `ids`, the kept tokens by number, and `scratch.lookup`.
The twin is `fastw2v.reference.numbers`.
"""

from __future__ import annotations

import numpy as np

from fastw2v.kernels.architectures import window_of
from fastw2v.kernels.jit import by_type, inner_jit
from fastw2v.model.plan import (
    PLACES,
    RUN,
    Cbow,
    GivenPairs,
    GlobalContext,
    SkipGram,
    Subwords,
    Words,
)


def _in_runs(architecture, block_size):
    # A block cuts a run at either end, and at the end of a unit every place's last run may be short.
    n_runs = min(block_size, block_size // RUN + 2 + PLACES)
    return block_size + 2 * architecture.reach * n_runs


def _in_groups_of_windows(architecture, block_size):
    return block_size * (2 * architecture.reach + 2)


def _in_groups(architecture, block_size):
    return block_size * (1 + architecture.reach)


# (architecture, block_size): kept tokens that the windows of a block hold at most.
n_in_windows = by_type(
    {SkipGram: _in_runs, Cbow: _in_runs, GlobalContext: _in_groups_of_windows, GivenPairs: _in_groups}
)


def _centers_alone(architecture, n_centers, n_windows):
    return n_centers


def _whole_windows(architecture, n_centers, n_windows):
    return n_windows


# (architecture, n_centers, n_windows): how many words, centres first, then windows, have rows of V in a step.
n_inputs = by_type(
    {
        SkipGram: _centers_alone,
        GlobalContext: _centers_alone,
        GivenPairs: _centers_alone,
        Cbow: _whole_windows,
    }
)


def _none_beside(lookup, n):
    return 0


def _of_longest(lookup, n):
    sizes = np.diff(lookup.starts)
    counts = np.zeros(sizes.max() + 1 if len(sizes) else 1, np.int64)
    for size in sizes:
        counts[size] += 1
    n_rows = 0
    for size in range(len(counts) - 1, 0, -1):  # one word of many letters gives no other as much room
        some = min(n, counts[size])
        n_rows, n = n_rows + some * size, n - some
    return n_rows


# (lookup, n): rows of V that n words are made of at most, where they are bags.
n_in_bags = by_type({Words: _none_beside, Subwords: _of_longest})


@inner_jit
def most_words(architecture, block_size, size):
    """How many words a block has at most in its windows, of a unit's `size`, and how many with rows of V."""
    n_windows = min(size, n_in_windows(architecture, block_size))
    return n_windows, n_inputs(architecture, min(size, block_size), n_windows)


def _own_rows(lookup, n_words, n_rows):
    return lookup


def _room_for_bags(lookup, n_words, n_rows):
    return Subwords(np.zeros(n_words + 1, np.int64), np.zeros(n_rows, np.int32), lookup.spans)


# (lookup, n_words, n_rows): a lookup of words and rows by their numbers in a block.
new_lookup = by_type({Words: _own_rows, Subwords: _room_for_bags})


@inner_jit
def number(word, words, n_words, numbers):
    """How many words there are with this one."""
    if numbers[word] < 0:
        words[n_words], numbers[word] = word, n_words
        n_words += 1
    return n_words


@inner_jit
def number_noise(noise, words, n_words, numbers):
    """Number the words of the noise, in their place; then all n words have no number again. Returns n."""
    for s in range(len(noise)):
        if noise[s] >= 0:
            n_words = number(noise[s], words, n_words, numbers)
            noise[s] = numbers[noise[s]]
    for w in range(n_words):
        numbers[words[w]] = -1
    return n_words


def _number_together(architecture, kept, centers, size, noise, words, desk):
    n_words, numbers = 0, desk.numbers
    for i in centers:
        n_words = number(kept.ids[i], words, n_words, numbers)
    n_centers = n_words
    for i in centers:
        low, high = window_of(kept, i, size)
        for j in range(low, high):
            n_words = number(kept.ids[j], words, n_words, numbers)
            desk.ids[j] = numbers[kept.ids[j]]
    n_centers = n_inputs(architecture, n_centers, n_words)
    return n_centers, number_noise(noise, words, n_words, numbers), 0


def _number_apart(architecture, kept, centers, size, noise, words, desk):
    n_centers, n_outside, numbers = 0, 0, desk.numbers
    for i in centers:
        n_centers = number(kept.ids[i], words, n_centers, numbers)
        desk.ids[i] = numbers[kept.ids[i]]
    for w in range(n_centers):
        numbers[words[w]] = -1
    others = words[n_centers:]
    for i in centers:
        for j in range(i + 1, i + 1 + kept.radius[i]):
            n_outside = number(kept.ids[j], others, n_outside, numbers)
            desk.ids[j] = numbers[kept.ids[j]]
    n_outside = number_noise(noise, others, n_outside, numbers)
    return n_centers, n_centers + n_outside, n_centers


# (architecture, kept, centers, size, noise, words, desk): number the distinct words of a block: of its
# centres, then of their windows and its noise; those of given pairs are numbered apart. Fills words, desk.ids
# and, by number, noise. Returns how many have rows of V in it, how many they are, and how many no row of U.
number_words = by_type(
    {
        SkipGram: _number_together,
        Cbow: _number_together,
        GlobalContext: _number_together,
        GivenPairs: _number_apart,
    }
)


def _number_none(lookup, words, n, rows, desk):
    return n


def _number_bags(lookup, words, n, rows, desk):
    local, numbers, n_rows, end = desk.scratch.lookup, desk.numbers, 0, 0
    for w in range(n):
        for k in range(lookup.starts[words[w]], lookup.starts[words[w] + 1]):
            row = np.int64(lookup.rows[k])
            n_rows = number(row, rows, n_rows, numbers)
            local.rows[end] = numbers[row]
            end += 1
        local.starts[w + 1] = end
    for r in range(n_rows):
        numbers[rows[r]] = -1
    return n_rows


# (lookup, words, n, rows, desk): number the distinct rows of V of the first n words, where they are bags.
# Fills rows and, by number, the scratch's lookup. Returns how many there are.
number_rows = by_type({Subwords: _number_bags, Words: _number_none})


def _words_themselves(lookup, lanes, lane):
    return lanes.words[lane]


def _rows_of_bags(lookup, lanes, lane):
    return lanes.rows[lane]


# (lookup, lanes, lane): the rows of V of a lane's block.
input_rows = by_type({Words: _words_themselves, Subwords: _rows_of_bags})
