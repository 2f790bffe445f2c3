"""How sure a neighbour is: how often it is among the nearest of bootstrap samples, and its cosine's interval.

Cosines within one training are the same in any rotation of it, so nothing is aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options.checks import NO_LIMIT, few, shown, whole
from fastw2v.vectors import query
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.samples import MANIFEST, damaged, map_sample, read_manifest, read_words, sample_path

LEVEL = 0.9
SCORES_AT_ONCE = 1 << 20  # 4 MB of float32
TIE = 1e-6  # cosines as near as this are equal: sums of float32 in another order differ so


class Neighbour(NamedTuple):
    """A neighbour of a word.

    cosine     in the vectors that were asked, or the mean of those in the samples
    share      of the samples in which it is among the n nearest, 0 to 1
    low, high  the interval of the samples' cosines, of LEVEL
    """

    word: str
    cosine: float
    share: float
    low: float
    high: float


class Sureness(NamedTuple):
    """What samples say of neighbours (q, k): for q words, k others each. All float64.

    shares     of the samples in which the other is among the n nearest of the word
    lows, highs  the interval of the cosine
    """

    shares: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]


class Stability:
    """The bootstrap samples of a corpus, for questions about neighbours: `fastw2v.stability` makes them.

    path     the folder
    words    n_words strings, of each sample, most frequent first in the whole corpus
    dim      of the vectors
    options  names and JSON values of those that they were trained with
    samples  for each float16 (n_words, dim), mapped: vectors of length 1
    """

    def __init__(self, path: str | Path) -> None:
        """Raises UsageError where there are no samples, CorpusError for what is damaged."""
        self.path = Path(path)
        if not (self.path / MANIFEST).is_file():
            raise UsageError(
                f"{self.path} holds no samples ({MANIFEST}): give a folder that 'fastw2v stability' wrote"
            )
        manifest = read_manifest(self.path)
        self.words = read_words(self.path)
        try:
            self.dim, self.options = int(manifest["options"]["dim"]), dict(manifest["options"])
            numbers = sorted(int(number) for number in manifest["samples"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise damaged(self.path / MANIFEST, error) from error
        if not numbers:
            raise UsageError(f"{self.path} holds no sample yet: let 'fastw2v stability' go on")
        shape = (len(self.words), self.dim)
        self.samples = [map_sample(sample_path(self.path, number), shape) for number in numbers]

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"<Stability of {len(self)} samples of {len(self.words):,} words x {self.dim}>"

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to row."""
        return {word: row for row, word in enumerate(self.words)}

    def rows_of(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The rows of some words, int64 (n,). Raises UsageError for one that is not there."""
        for word in words:
            if word not in self.index:
                raise UsageError(
                    f"{shown(word)} is not among the {len(self.words):,} words of {self.path}: a word needs "
                    "samples to have an interval"
                )
        return np.array([self.index[word] for word in words], np.int64)

    def require_of(self, vectors: Embeddings) -> None:
        """Raise UsageError where vectors are not of the words and the dim of the samples."""
        if vectors.dim != self.dim:
            raise UsageError(
                f"the vectors have dim {vectors.dim}, the samples in {self.path} {self.dim}: give those of "
                "one corpus and options"
            )
        others = [word for word in vectors.words if word not in self.index]
        if others:
            raise UsageError(
                f"{len(others):,} of {len(vectors):,} words have no samples in {self.path} ({few(others)}): "
                "give vectors and samples of one corpus and options"
            )

    def nearest(self, word: str, n: int = 10, vectors: Embeddings | None = None) -> list[Neighbour]:
        """The n words nearest to a word, best first, each with how sure it is.

        vectors   of the whole corpus, whose cosines rank them; without them the mean of the samples' cosines

        Raises UsageError for an unknown word, n < 1, and vectors of other words or dim.
        """
        return nearest(self, word, n, vectors)


def level_of(n_samples: int) -> float:
    """The level of the intervals of so many samples: LEVEL, or that of the whole range where they are few.

    A further sample is as likely in each of the n_samples + 1 gaps of those there are, so that it falls
    between the least and the greatest with probability (n_samples − 1)/(n_samples + 1): .905 of 20.
    """
    return min(LEVEL, (n_samples - 1) / (n_samples + 1))


def interval(cosines: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The percentile interval of samples (n_samples, …), of `level_of` them: low and high (…).

    The bounds are the order statistics number (n_samples + 1)·(1 ∓ level)/2, and between two of them what
    lies between (Efron 1981, percentile method; definition 6 of Hyndman and Fan 1996): a further sample falls
    within with the probability `level_of`, whatever the distribution.
    """
    outside = (1 - level_of(len(cosines))) / 2
    low, high = np.quantile(cosines, [outside, 1 - outside], axis=0, method="weibull")
    return low, high


def sureness(
    stability: Stability,
    asked: NDArray[np.int64],
    others: NDArray[np.int64],
    n: int,
    among: NDArray[np.int64] | None = None,
) -> Sureness:
    """What samples say of the neighbours of words.

    asked   int64 (q,), rows of the words
    others  int64 (q, k), rows of the neighbours of each
    n       how many nearest there are
    among   int64, rows of the words that nearest ones are of; None for all

    A sample at a time, some words and some rows of it at once: memory is that of the cosines of the others,
    and some megabytes.
    """
    cosines = np.empty((len(stability), *others.shape))
    found = np.zeros(others.shape, np.int64)
    step = max(1, SCORES_AT_ONCE // max(1, others.shape[1] * stability.dim))
    for start in range(0, len(asked), step):
        part = slice(start, start + step)
        for number, sample in enumerate(stability.samples):
            own, near = sample[asked[part]].astype(np.float32), sample[others[part]].astype(np.float32)
            cosines[number, part] = np.einsum("qd,qkd->qk", own, near)
            found[part] += closer(sample, asked[part], cosines[number, part], among) < n
    return Sureness(found / len(stability), *interval(np.clip(cosines, -1, 1)))


def closer(
    sample: NDArray[np.float16],
    asked: NDArray[np.int64],
    cosines: NDArray[np.float64],
    among: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """How many words but the word itself have a higher cosine in a sample than these, int64 (q, k)."""
    own = sample[asked].astype(np.float32)
    above = np.zeros(cosines.shape, np.int64)
    limits = (cosines + TIE).astype(np.float32)
    rows = np.arange(len(sample)) if among is None else among
    step = max(1, SCORES_AT_ONCE // max(len(asked), sample.shape[1]))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        block = sample[part[0] : part[-1] + 1] if among is None else sample[part]
        scores = own @ block.astype(np.float32).T
        scores[asked[:, np.newaxis] == part] = -np.inf
        for column in range(cosines.shape[1]):
            above[:, column] += (scores > limits[:, column, np.newaxis]).sum(axis=1)
    return above


def mean_cosines(stability: Stability, row: int) -> NDArray[np.float64]:
    """The mean over the samples of the cosine of every word to one, float64 (n_words,)."""
    total = np.zeros(len(stability.words))
    step = max(1, SCORES_AT_ONCE // stability.dim)
    for sample in stability.samples:
        own = sample[row].astype(np.float32)
        for start in range(0, len(total), step):
            total[start : start + step] += sample[start : start + step].astype(np.float32) @ own
    return total / len(stability)


def nearest(
    stability: Stability, word: str, n: int = 10, vectors: Embeddings | None = None
) -> list[Neighbour]:
    """What `Stability.nearest` gives."""
    n = whole("n", n, 1, NO_LIMIT)
    row = stability.rows_of([word])
    if vectors is not None:
        stability.require_of(vectors)
        found = query.nearest(vectors, word, n)
    else:
        means = mean_cosines(stability, int(row[0]))
        means[row] = -np.inf
        best = np.argsort(-means, kind="stable")[: min(n, len(means) - 1)].tolist()
        found = [(stability.words[other], float(np.clip(means[other], -1, 1))) for other in best]
    if not found:
        return []
    others = stability.rows_of([near for near, _ in found])
    sure = sureness(stability, row, others[np.newaxis], n)
    columns = (sure.shares[0].tolist(), sure.lows[0].tolist(), sure.highs[0].tolist())
    return [Neighbour(*pair, *more) for pair, *more in zip(found, *columns, strict=True)]
