"""Small corpora made in memory, of words w0, w1, …: for tests, and for what a harness tries first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary


def corpus_of(
    ids: ArrayLike, n_words: int, lengths: int | Sequence[int] | NDArray[Any] = 50, least_count: int = 0
) -> Corpus:
    """A corpus of these ids.

    ids          integers (n_tokens,) below n_words, in any shape
    lengths      of each sentence, 0 too; or one for all, where the last sentence may be shorter
    least_count  words that do not occur, or hardly, are said to have it: noise words need counts
    """
    flat = np.asarray(ids).ravel().astype(np.int32)
    if isinstance(lengths, int):
        offsets = np.append(np.arange(0, len(flat), lengths), len(flat))
    else:
        offsets = np.append(0, np.cumsum(np.asarray(lengths, np.int64)))
    counts = np.maximum(np.bincount(flat, minlength=n_words), least_count).astype(np.int64)
    vocabulary = Vocabulary([f"w{i}" for i in range(n_words)], counts)
    return Corpus(flat, offsets.astype(np.int64), vocabulary, len(flat), len(offsets) - 1, 0)


def ragged(n_tokens: int, longest: int = 60, seed: int = 0) -> NDArray[np.int64]:
    """Lengths of 1 to longest, drawn uniformly, that come to n_tokens; the last is what remains."""
    ends = np.cumsum(np.random.default_rng(seed).integers(1, longest + 1, n_tokens))
    return np.diff(np.append(ends[ends < n_tokens], n_tokens), prepend=0)


def zipfian(n_words: int, n_tokens: int, exponent: float = 1.3, seed: int = 0) -> NDArray[np.int32]:
    """Independent ids (n_tokens,), word w with probability ∝ (w + 1)^−exponent; the last has all the tail."""
    draws = np.random.default_rng(seed).zipf(exponent, n_tokens)
    return np.minimum(draws - 1, n_words - 1).astype(np.int32)


def grouped(n_groups: int, n_rows: int) -> Corpus:
    """Sentences of 12 words, those of each from one group of five: w0 to w4, w5 to w9, …"""
    rng = np.random.default_rng(3)
    groups = rng.integers(0, n_groups, n_rows)
    ids = (groups[:, None] * 5 + rng.integers(0, 5, (n_rows, 12))).astype(np.int32)
    return corpus_of(ids, 5 * n_groups, 12)
