"""The outside vectors that words which join a model start from: what their first contexts say.

A la carte embedding (Khodak et al. 2018, arXiv 1805.05388): u_w = A·c_w, with c_w the mean of the outside
vectors around w, and A the map by which the contexts of known words in the new text give their own vectors,
by least squares. For centre vectors the same was measured, and is worse than a random start where words that
join are rare: docs/going-on.md has the figures. Those start at random, or from n-grams where words have some
(`fastw2v.training.start`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.read import Corpus
from fastw2v.model.sampling import keep_probabilities
from fastw2v.vectors.embeddings import Embeddings

FIRST = 32  # occurrences of a word that are looked at
LEAST = 5  # occurrences in the new text of a word that teaches
TEACHERS = 20  # words that teach, for each component of a vector; fewer than 2 teach nothing
RIDGE = 1e-3  # of the mean square of a component, so that A is unique
AT_ONCE = 2048  # occurrences whose contexts are gathered together: 25 MB of dim 300 and window 5
PART_TOKENS = 1 << 20  # of the corpus, looked through together


class Around(NamedTuple):
    """What is looked for in a text.

    row_of   int64 (n_words,), the row of a word that has a vector, or -1
    slot_of  int64 (n_words,), the place of a word whose contexts are asked for, or -1
    n_slots  of the latter
    weights  float32 (n_words,), of each word as a context
    window   words on either side
    """

    row_of: NDArray[np.int64]
    slot_of: NDArray[np.int64]
    n_slots: int
    weights: NDArray[np.float32]
    window: int


def with_new_words(corpus: Corpus, known: Embeddings, config: TrainConfig) -> Embeddings:
    """The known vectors, and outside ones of other words, as their contexts say, whom outside_words has then.

    Words that are not there start as usual: those alone among new words, and all new ones where too few
    known words occur in the corpus to teach. A context counts as often as subsampling would keep it.
    """
    words, counts, outside = corpus.vocabulary.words, corpus.vocabulary.counts, known.outside_vectors
    row_of = np.array([known.index.get(word, -1) for word in words], np.int64)
    new, teachers = np.flatnonzero(row_of < 0), teachers_of(corpus, row_of, known.dim)
    if not len(new) or len(teachers) < 2 * known.dim or outside is None:
        return known
    slot_of = np.full(len(words), -1, np.int64)
    slot_of[np.concatenate([new, teachers])] = np.arange(len(new) + len(teachers))
    weights = keep_probabilities(counts, config.sample).astype(np.float32)
    around = Around(row_of, slot_of, len(new) + len(teachers), weights, config.window)
    means, is_known = mean_contexts(corpus, around, outside)
    started, taught = is_known[: len(new)], is_known[len(new) :]
    own = outside[row_of[teachers[taught]]].astype(np.float64)
    starts = means[: len(new)][started] @ least_squares(means[len(new) :][taught], own)
    return replace(
        known,
        outside_vectors=np.concatenate([outside, starts.astype(np.float32)]),
        outside_words=[*known.words, *(words[i] for i in new[started].tolist())],
    )


def teachers_of(corpus: Corpus, row_of: NDArray[np.int64], dim: int) -> NDArray[np.int64]:
    """Ids int64 (n,) of known words that occur often enough in the corpus, evenly from frequent to rare."""
    occurrences = np.zeros(len(row_of), np.int64)
    for start in range(0, len(corpus.ids), PART_TOKENS):
        occurrences += np.bincount(corpus.ids[start : start + PART_TOKENS], minlength=len(row_of))
    forget(corpus.ids)
    fit = np.flatnonzero((row_of >= 0) & (occurrences >= LEAST))
    n_wanted = TEACHERS * dim
    if len(fit) <= n_wanted:
        return fit
    return fit[np.linspace(0, len(fit) - 1, n_wanted).astype(np.int64)]


def least_squares(contexts: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Aᵀ float64 (dim, dim): contexts (n, dim) times it are nearest to the words' own rows (n, dim)."""
    square = contexts.T @ contexts
    ridge = RIDGE * np.trace(square) / len(square) + np.finfo(np.float64).tiny
    solved: NDArray[np.float64] = np.linalg.solve(square + ridge * np.eye(len(square)), contexts.T @ own)
    return solved


def mean_contexts(
    corpus: Corpus, around: Around, matrix: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The mean of the rows around each word that is asked for, float64 (n_slots, dim).

    Second, bool (n_slots,): whether there was any; without one the mean is zeros.
    """
    sums, total = np.zeros((around.n_slots, matrix.shape[1])), np.zeros(around.n_slots)
    for positions in first_occurrences(corpus, around):
        for at in range(0, len(positions), AT_ONCE):
            some = positions[at : at + AT_ONCE]
            slots = around.slot_of[corpus.ids[some]]
            order = np.argsort(slots, kind="stable")
            some, slots = some[order], slots[order]
            firsts = np.flatnonzero(np.diff(slots, prepend=-1))
            rows, weights = rows_near(corpus, around, some)
            np.add.at(total, slots, weights.sum(1))
            weighted = np.matmul(weights[:, None, :], matrix[rows])[:, 0]
            sums[slots[firsts]] += np.add.reduceat(weighted, firsts, dtype=np.float64)
    is_known = total > 0
    sums[is_known] /= total[is_known, None]
    return sums, is_known


def rows_near(
    corpus: Corpus, around: Around, positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of the words around some positions, and their weights, each (n, 2·window); 0 for none."""
    shifts = np.concatenate([np.arange(-around.window, 0), np.arange(1, around.window + 1)])
    after = np.searchsorted(corpus.offsets, positions, side="right")
    first, end = corpus.offsets[after - 1][:, None], corpus.offsets[after][:, None]
    places = positions[:, None] + shifts
    is_inside = (places >= first) & (places < end)
    words = corpus.ids[np.where(is_inside, places, positions[:, None])]
    rows = around.row_of[words]
    is_inside &= rows >= 0
    return np.where(is_inside, rows, 0), np.where(is_inside, around.weights[words], np.float32(0))


def first_occurrences(corpus: Corpus, around: Around) -> Iterator[NDArray[np.int64]]:
    """Positions int64 (n,) of the first occurrences of the words asked for, part by part of the corpus."""
    seen = np.zeros(around.n_slots, np.int64)
    for start in range(0, len(corpus.ids), PART_TOKENS):
        slots = around.slot_of[corpus.ids[start : start + PART_TOKENS]]
        found = np.flatnonzero(slots >= 0)
        order = np.argsort(slots[found], kind="stable")
        in_order = slots[found][order]
        rank = seen[in_order] + np.arange(len(order)) - np.searchsorted(in_order, in_order)
        yield start + np.sort(found[order[rank < FIRST]])
        seen += np.bincount(in_order, minlength=around.n_slots)
        forget(corpus.ids)
