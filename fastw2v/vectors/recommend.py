"""What may come next: items ranked for baskets of items, by the model's own logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options.checks import NO_LIMIT, few, whole
from fastw2v.vectors.embeddings import Embeddings, unit_rows

SCORE_NUMBERS = 1 << 23  # scores held at once: 32 MB


class Ranked(NamedTuple):
    """The first items of some baskets.

    first   the number of the first basket
    items   int64 (n_baskets, n), places in the vocabulary, the best first; −1 where there are fewer
    scores  float32 (n_baskets, n), −inf there
    """

    first: int
    items: NDArray[np.int64]
    scores: NDArray[np.float32]


class Scorer:
    """Scores of all items as the next one of baskets.

    With outside vectors the score of item i is u_i·q, q the mean of the basket's centre vectors: the logit
    that training made (Barkan and Koenigstein 2016 rank by cosine, which is what there is without them).
    """

    def __init__(self, embeddings: Embeddings) -> None:
        if embeddings.outside_vectors is None or embeddings.outside_words is not None:
            self.items = self.sources = unit_rows(embeddings.center_vectors)
        else:
            self.items, self.sources = embeddings.outside_vectors, embeddings.center_vectors

    def scores(self, baskets: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 (n_baskets, n_items) of baskets int64 (n_baskets, size), −1 where there is no item.

        −inf for items of the basket, and for all items of a basket without any.
        """
        there = baskets >= 0
        sizes = np.maximum(there.sum(axis=1, keepdims=True), 1)
        query = (self.sources[baskets] * there[:, :, np.newaxis]).sum(axis=1) / sizes
        scores = without_own(query.astype(np.float32) @ self.items.T, baskets)
        scores[~there.any(axis=1)] = -np.inf
        return scores


def without_own(scores: NDArray[np.float32], baskets: NDArray[np.int64]) -> NDArray[np.float32]:
    """The scores, changed in place: −inf for items of the basket itself."""
    row, place = np.nonzero(baskets >= 0)
    scores[row, baskets[row, place]] = -np.inf
    return scores


def recommend(
    embeddings: Embeddings, ids: NDArray[np.int64], offsets: NDArray[np.int64], n: int = 10
) -> Iterator[Ranked]:
    """The n items that may come next in each basket, some baskets at a time; their own items are left out.

    ids      int64 (n_items,), places among the words, −1 for items without a vector
    offsets  int64 (n_baskets + 1,): basket b is ids[offsets[b]:offsets[b + 1]]

    Equal scores rank by place, the more frequent item first. Raises UsageError for n below 1.
    """
    n = min(whole("n", n, 1, NO_LIMIT), len(embeddings))
    scorer, first = Scorer(embeddings), 0
    while first < len(offsets) - 1:
        last = _end(offsets, first, SCORE_NUMBERS // max(len(embeddings), 1))
        scores = scorer.scores(_padded(ids, offsets[first : last + 1]))
        yield Ranked(first, *_top(scores, n))
        first = last


def recommend_one(embeddings: Embeddings, items: Sequence[str], n: int = 10) -> list[tuple[str, float]]:
    """The n items that may come next in one basket, with their scores.

    Raises UsageError for items without a vector.
    """
    unknown = [item for item in items if item not in embeddings]
    if unknown or not items:
        what = f"no vector for {few(unknown)}" if unknown else "the basket is empty"
        raise UsageError(f"{what}: name items of the vectors")
    ids = np.array([embeddings.index[item] for item in items], np.int64)
    ranked = next(recommend(embeddings, ids, np.array([0, len(ids)]), n))
    pairs = zip(ranked.items[0].tolist(), ranked.scores[0].tolist(), strict=True)
    return [(embeddings.words[item], score) for item, score in pairs if item >= 0]


def _end(offsets: NDArray[np.int64], first: int, most: int) -> int:
    """Where a part of the baskets from first on ends: at most so many, none far longer than the others."""
    last = min(first + max(most, 1), len(offsets) - 1)
    room = max(SCORE_NUMBERS >> 8, int(offsets[first + 1] - offsets[first]))
    sizes = np.maximum.accumulate(np.diff(offsets[first : last + 1])) * np.arange(1, last - first + 1)
    return first + max(1, int(np.searchsorted(sizes, room, side="right")))


def _padded(ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ragged baskets as rows, −1 where they end: (n_baskets, longest)."""
    sizes = np.diff(offsets)
    places = offsets[:-1, np.newaxis] + np.arange(max(int(sizes.max(initial=0)), 1))
    there = places < offsets[1:, np.newaxis]
    return np.where(there, ids[np.minimum(places, max(len(ids) - 1, 0))] if len(ids) else -1, -1)


def _top(scores: NDArray[np.float32], n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The places of the n largest of each row, the largest first, equal ones by place; −1 for −inf."""
    found = np.argpartition(-scores, n - 1, axis=1)[:, :n]
    found.sort(axis=1)
    values = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    items, values = np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(np.isneginf(values), -1, items), values
