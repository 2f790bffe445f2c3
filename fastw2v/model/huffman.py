"""The tree of the hierarchical softmax: a Huffman code of the words, frequent ones near the root.

Morin and Bengio 2005; Huffman's tree as in Mikolov et al. 2013, section 2.1, and word2vec.c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tree(NamedTuple):
    """The path of each word from the root: word w meets nodes[offsets[w]:offsets[w + 1]].

    offsets  int64 (n_words + 1,)
    nodes    int32 (n_steps,), inner nodes by number, the root 0; there are n_words − 1, and a node's number
             is above its parent's, so that the first are the most used
    codes    uint8 (n_steps,), 0 or 1: which branch leads on from that node
    """

    offsets: NDArray[np.int64]
    nodes: NDArray[np.int32]
    codes: NDArray[np.uint8]


def huffman_tree(counts: NDArray[np.int64]) -> Tree:
    """The tree of words with these counts, int64 (n_words,) in any order, n_words ≥ 2.

    No other prefix code has fewer steps a token; its mean is between the entropy of the counts in bits and
    that plus 1. Of equal counts the later word goes deeper, and a node is merged before a word of its weight:
    the tree, but for the numbers of its nodes, is that of word2vec.c and fastText.
    """
    n_words = len(counts)
    parents, branches = _merged(counts)
    steps: list[NDArray[np.int64]] = []
    taken: list[NDArray[np.uint8]] = []
    owners: list[NDArray[np.int64]] = []
    words = np.arange(n_words)
    places = words.copy()  # of the words whose root is not reached, where they are
    while len(words):
        owners.append(words)
        taken.append(branches[places])
        places = parents[places]
        steps.append(2 * n_words - 2 - places)  # made last is the root: it gets number 0
        is_below = places < 2 * n_words - 2
        words, places = words[is_below], places[is_below]
    owner, node, code = np.concatenate(owners), np.concatenate(steps), np.concatenate(taken)
    depth = np.repeat(np.arange(len(owners)), [len(part) for part in owners])
    order = np.lexsort((-depth, owner))  # of each word from the root down
    offsets = np.append(0, np.cumsum(np.bincount(owner, minlength=n_words)))
    return Tree(offsets, node[order].astype(np.int32), code[order])


def _merged(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Parent int64 and branch uint8 (2·n_words − 1,) of each word, then of each inner node as it was made.

    The two least of what is not merged yet make the next node. Words in rising order and nodes in the order
    made both rise, so the least is at the head of one of the two (van Leeuwen 1976): linear after sorting.
    """
    n_words = len(counts)
    rising = np.lexsort((-np.arange(n_words), counts)).tolist()
    weights = [int(count) for count in counts.tolist()] + [0] * (n_words - 1)
    parents = np.zeros(2 * n_words - 1, np.int64)
    branches = np.zeros(2 * n_words - 1, np.uint8)
    next_word, next_node = 0, n_words
    for made in range(n_words, 2 * n_words - 1):
        for branch in (1, 0):
            is_word = next_word < n_words and (
                next_node >= made or weights[rising[next_word]] < weights[next_node]
            )
            place = rising[next_word] if is_word else next_node
            next_word, next_node = next_word + is_word, next_node + (not is_word)
            weights[made] += weights[place]
            parents[place], branches[place] = made, branch
    return parents, branches
