"""Words whose neighbours changed between two trainings: their vectors after the best rotation, less noise.

Two trainings of one text end in different rotations of space, which no cosine within them sees. Of unit rows
A of the old vectors and B of the new ones of the shared words, the rotation is the orthogonal R with the
least ‖A R − B‖ (Schönemann 1966; of word vectors Hamilton, Leskovec and Jurafsky 2016): R = U Vᵀ, where
U S Vᵀ is the singular value decomposition of Aᵀ B. The change of a word is 1 − cos(a R, b) = ½‖a R − b‖².

Squared distances add: where each side is a mean and noise of its own, E ½‖a R − b‖² is ½ of the squared
distance of the means, and half the noise variance of either side. Two bootstrap samples of one side have the
same mean, so that their distance is that side's noise alone, and of both sides' pairs together the mean is
the change that noise alone makes. Of rare words it scatters, and the greatest of many is far above its mean:
what is subtracted is the change that noise reaches for one word in 20.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options.checks import NO_LIMIT, whole
from fastw2v.options.spelling import for_python
from fastw2v.vectors import query
from fastw2v.vectors.embeddings import Embeddings, unit_rows
from fastw2v.vectors.stability import Stability

ROWS_AT_ONCE = 8192
ONE_IN = 1 / 20  # words whose noise is above what is subtracted

OnProgress = Callable[[str], None]


class Change(NamedTuple):
    """A word in two trainings.

    change  1 − cosine of its two vectors after the best rotation, 0 to 2
    noise   the change that samples of one text reach for one word in 20, or None without samples
    excess  change − noise, by which words are ranked
    old_neighbours, new_neighbours   the nearest words in either, best first
    """

    word: str
    change: float
    noise: float | None
    excess: float
    old_neighbours: list[str]
    new_neighbours: list[str]


class Rows(NamedTuple):
    """Some rows of a matrix of any float type, (n_words, dim), which may be mapped."""

    matrix: NDArray[Any]
    rows: NDArray[np.int64]

    def unit(self, start: int) -> NDArray[np.float64]:
        """ROWS_AT_ONCE of them from one on, at length 1."""
        part = self.matrix[self.rows[start : start + ROWS_AT_ONCE]].astype(np.float32)
        return unit_rows(part).astype(np.float64)


def rotation(first: Rows, second: Rows) -> NDArray[np.float64]:
    """The orthogonal R, float64 (dim, dim), that brings the first rows nearest to the second."""
    dim = first.matrix.shape[1]
    product = np.zeros((dim, dim))
    for start in range(0, len(first.rows), ROWS_AT_ONCE):
        product += first.unit(start).T @ second.unit(start)
    left, _, right = np.linalg.svd(product)
    return np.asarray(left @ right)


def turned(first: Rows, second: Rows, turn: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """1 − cosine of each row and its other after a rotation, float64, for ROWS_AT_ONCE of them."""
    cosines = np.einsum("nd,nd->n", first.unit(start) @ turn, second.unit(start))
    return np.asarray(1 - np.clip(cosines, -1, 1))


def changes(first: Rows, second: Rows) -> NDArray[np.float64]:
    """1 − cosine of each row and its other after the best rotation, float64 (n,)."""
    turn = rotation(first, second)
    starts = range(0, len(first.rows), ROWS_AT_ONCE)
    return np.concatenate([turned(first, second, turn, start) for start in starts])


def pairs_of(stability: Stability, rows: NDArray[np.int64]) -> list[tuple[Rows, Rows]]:
    """Pairs of samples of one corpus: 1 and 2, 2 and 3, …, and the last and 1.

    Each sample counts twice, and no pair shares all of its noise with another.
    """
    n = len(stability)
    places = [(number, (number + 1) % n) for number in range(n)] if n > 2 else [(0, 1)]
    return [(Rows(stability.samples[a], rows), Rows(stability.samples[b], rows)) for a, b in places]


def noise_of(
    sides: Sequence[Stability], words: Sequence[str], on_progress: OnProgress = lambda what: None
) -> NDArray[np.float64]:
    """The change that pairs of samples of one corpus reach for one word in 20, float64 (n,).

    The order statistic number .95·(n_pairs + 1) of all sides' pairs, of fewer than 19 the greatest. A matrix
    (dim, dim) a pair and ROWS_AT_ONCE words are in memory.
    """
    pairs = [pair for side in sides for pair in pairs_of(side, side.rows_of(words))]
    turns = []
    for number, pair in enumerate(pairs):
        on_progress(f"aligning samples {number} of {len(pairs)}")
        turns.append(rotation(*pair))
    parts = []
    for start in range(0, len(words), ROWS_AT_ONCE):
        on_progress(f"noise of words {start / len(words):6.1%}")
        found = np.array([turned(*pair, turn, start) for pair, turn in zip(pairs, turns, strict=True)])
        parts.append(np.quantile(found, 1 - ONE_IN, axis=0, method="weibull"))
    return np.concatenate(parts)


@for_python
def diff(
    old: Embeddings,
    new: Embeddings,
    n: int = 20,
    *,
    old_samples: Stability | None = None,
    new_samples: Stability | None = None,
    neighbours: int = 5,
    restrict: int | None = None,
    on_progress: OnProgress = lambda what: None,
) -> list[Change]:
    """The n words whose neighbours changed most, the most first, with the noise of samples subtracted.

    old_samples, new_samples   of either side or both, whose pairs count alike
    neighbours   how many of each word to name; 0 names none
    restrict     only words among so many of the most frequent in both
    on_progress  told in a few words what goes on

    Raises UsageError for vectors of another dim, too few shared words, and samples of other words.
    """
    n, neighbours = whole("n", n, 1, NO_LIMIT), whole("neighbours", neighbours, 0, NO_LIMIT)
    limit = None if restrict is None else whole("restrict", restrict, 1, NO_LIMIT)
    sides = [(old, old_samples), (new, new_samples)]
    for vectors, samples in sides:
        if samples is not None:
            samples.require_of(vectors)
            require_pair(samples)
    shared = shared_words(old, new, limit)
    on_progress(f"aligning {len(shared):,} words")
    rows = [Rows(side.center_vectors, np.array([side.index[word] for word in shared])) for side, _ in sides]
    found = changes(*rows)
    given = [samples for _, samples in sides if samples is not None]
    noise = noise_of(given, shared, on_progress) if given else None
    excess = found if noise is None else found - noise
    best = np.argsort(-excess, kind="stable")[:n].tolist()
    on_progress("finding neighbours")
    return [
        Change(
            shared[place],
            float(found[place]),
            None if noise is None else float(noise[place]),
            float(excess[place]),
            *(names_near(side, shared[place], neighbours) for side, _ in sides),
        )
        for place in best
    ]


def shared_words(old: Embeddings, new: Embeddings, restrict: int | None) -> list[str]:
    """The words that both have, in the order of the new ones.

    Raises UsageError where the dims differ, or fewer words than fix a rotation are shared.
    """
    if old.dim != new.dim:
        raise UsageError(
            f"the old vectors have dim {old.dim}, the new ones {new.dim}: train both with one dim"
        )
    known = old.index if restrict is None else dict.fromkeys(old.words[:restrict], 0)
    shared = [word for word in new.words[:restrict] if word in known]
    if len(shared) <= old.dim:
        raise UsageError(
            f"{len(shared):,} words are shared, and to rotate vectors of dim {old.dim} takes more words "
            "than numbers: give vectors of texts of one language, or train with a lower dim"
        )
    return shared


def require_pair(samples: Stability) -> None:
    """Raise UsageError where there is no second sample to see the noise by."""
    if len(samples) < 2:
        raise UsageError(f"{samples.path} holds 1 sample: noise shows between two, let it go on to 20")


def names_near(vectors: Embeddings, word: str, n: int) -> list[str]:
    """The nearest words of a word."""
    return [near for near, _ in query.nearest(vectors, word, n)] if n else []
