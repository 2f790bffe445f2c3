"""How well vectors of items foretell the next one: the last item of each sequence is held out and guessed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.arrow.objects import check_ragged
from fastw2v.errors import UsageError
from fastw2v.options.checks import NO_LIMIT, whole
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.recommend import SCORE_NUMBERS, Scorer, without_own

Score = Callable[[NDArray[np.int64]], NDArray[np.float32]]


class NextItemResult(NamedTuple):
    """Means over the sequences asked; nan where none was.

    hit_rate   share whose held-out item is among the k guessed first
    ndcg       1/log2(rank + 1) of the held-out item where its rank is at most k, else 0
    mrr        1/rank
    n_asked    sequences whose last item has a vector, and one before it
    popular    the first three where items are guessed by how often the sequences have them
    """

    k: int
    hit_rate: float
    ndcg: float
    mrr: float
    n_asked: int
    n_sequences: int
    popular: tuple[float, float, float]


class _Queries(NamedTuple):
    """What is asked of n sequences.

    context   int64 (n, context), the last known items before the held-out one; −1 where there are fewer
    target    int64 (n,), the held-out items
    """

    context: NDArray[np.int64]
    target: NDArray[np.int64]


def evaluate_next_item(
    embeddings: Embeddings,
    ids: NDArray[np.int64],
    offsets: NDArray[np.int64],
    *,
    k: int = 10,
    context: int = 1,
) -> NextItemResult:
    """Rank all items as the next of each sequence, and see where the true one is.

    ids       int64 (n_items,), rows of the embeddings, −1 for items without a vector
    offsets   int64 (n_sequences + 1,): sequence s is ids[offsets[s]:offsets[s + 1]]
    k         guesses that count
    context   the query is the mean of the vectors of this many known items before the last

    With outside vectors an item's score is u·q, q a mean of centre vectors: the model's own logit. Without
    them it is the cosine of centre vectors, q a mean of unit vectors. Items of the query are no guesses, so
    that a repeated one counts as missed; equal scores rank the true item last.

    Raises UsageError for k or context below 1.
    """
    k, context = whole("k", k, 1, NO_LIMIT), whole("context", context, 1, NO_LIMIT)
    ids, offsets = np.asarray(ids), np.asarray(offsets)
    check_ragged(ids, offsets)
    if ids.size and not -1 <= ids.min() <= ids.max() < len(embeddings):
        raise UsageError(
            f"ids are from {ids.min()} to {ids.max()}: they must be places among the {len(embeddings):,} "
            "words, or -1"
        )
    asked = _questions(ids, offsets, context)
    n_items = len(embeddings)
    means = _means(_ranks(asked, n_items, Scorer(embeddings).scores), k)
    popular = _means(_ranks(asked, n_items, _popularity(n_items, ids, asked)), k)
    return NextItemResult(k, *means, len(asked.target), len(offsets) - 1, popular)


def _means(ranks: NDArray[np.float64], k: int) -> tuple[float, float, float]:
    """Hit rate, nDCG and MRR of some ranks; nan of none."""
    if not len(ranks):
        return math.nan, math.nan, math.nan
    hits = ranks <= k
    gains = np.where(hits, 1 / np.log2(ranks + 1), 0)
    return float(hits.mean()), float(gains.mean()), float((1 / ranks).mean())


def _questions(ids: NDArray[np.int64], offsets: NDArray[np.int64], context: int) -> _Queries:
    """The sequences that can be asked, without their unknown items."""
    filled = offsets[1:] > offsets[:-1]
    first, last = offsets[:-1][filled], offsets[1:][filled] - 1
    known_before = np.concatenate([[0], np.cumsum(ids >= 0)])
    known = ids[ids >= 0]
    start, end = known_before[first], known_before[last]  # of a sequence's known items before its last
    asked = (ids[last] >= 0) & (end > start)
    places = end[asked, np.newaxis] - 1 - np.arange(context)
    there = places >= start[asked, np.newaxis]
    return _Queries(np.where(there, known[np.maximum(places, 0)], -1), ids[last][asked])


def _ranks(asked: _Queries, n_items: int, score: Score) -> NDArray[np.float64]:
    """Place of each held-out item among all that are not in its query, from 1; infinite if it is in it.

    score   float32 (n, n_items) of the contexts of n queries, −inf for their own items; equal scores rank the
            true item last
    """
    ranks, rows = np.empty(len(asked.target)), max(1, SCORE_NUMBERS // n_items)
    for start in range(0, len(ranks), rows):
        context, target = asked.context[start : start + rows], asked.target[start : start + rows]
        scores = score(context)
        true = scores[np.arange(len(target)), target]
        better = (scores >= true[:, np.newaxis]).sum(axis=1)
        ranks[start : start + rows] = np.where(np.isfinite(true), better, np.inf)
    return ranks


def _popularity(n_items: int, ids: NDArray[np.int64], asked: _Queries) -> Score:
    """Scores by how often items are in the sequences, the held-out ones not counted."""
    counts = np.bincount(ids[ids >= 0], minlength=n_items) - np.bincount(asked.target, minlength=n_items)
    popularity = counts.astype(np.float32)
    return lambda context: without_own(np.repeat(popularity[np.newaxis], len(context), axis=0), context)
