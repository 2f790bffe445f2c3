"""Vectors of words that are made of their n-grams, with the methods of gensim's FastTextKeyedVectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.gensim.faults import warn
from fastw2v.gensim.keyed_vectors import Key, KeyedVectors
from fastw2v.model.ngrams import Spans, buckets_of
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.ngrams import InputRows

WORDS_AT_ONCE = 1_024  # whose n-grams are gathered to take means of: 8 MB of dim 100


def spans_of(min_n: int, max_n: int, bucket: int) -> Spans | None:
    """The n-grams of gensim's numbers; None where they are none, and words are whole."""
    return Spans(max(min_n, 1), max_n, bucket) if bucket and max_n >= max(min_n, 1) else None


def buckets_in_parts(
    words: Sequence[str], spans: Spans
) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any]]]:
    """What `buckets_of` gives of so many words at once, and which they are."""
    for first in range(0, len(words), WORDS_AT_ONCE):
        part = slice(first, first + WORDS_AT_ONCE)
        yield part, *buckets_of(words[part], spans)


def word_means(
    words: Sequence[str], own: NDArray[np.float32], ngrams: NDArray[np.float32], spans: Spans | None
) -> NDArray[np.float32]:
    """The mean of each word's own row and of those of its n-grams, float32 (n_words, dim).

    Without n-grams the own rows themselves, not a copy, as in gensim.
    """
    if spans is None:
        return own
    means = own.copy()
    for part, buckets, counts in buckets_in_parts(words, spans):
        some = np.flatnonzero(counts)  # a short word may have none
        if len(some):
            starts = (np.cumsum(counts) - counts)[some]
            means[part][some] += np.add.reduceat(ngrams[buckets], starts, axis=0)
        means[part] /= (counts + 1)[:, np.newaxis]
    return means


def ngram_vectors(
    words: list[str],
    rows: NDArray[np.float32],
    counts: NDArray[np.int64],
    lengths: tuple[int, int],
    bucket: int,
) -> Any:
    """gensim's FastTextKeyedVectors where gensim is installed, else the one here.

    rows      float32 (n_words + bucket, dim), of words, then of buckets; taken, not copied
    lengths   of n-grams, the shortest and the longest
    """
    n_words, spans = len(words), spans_of(*lengths, bucket)
    own, ngrams = rows[:n_words], rows[n_words:]
    vectors = word_means(words, own, ngrams, spans)
    keyed: Any
    try:
        from gensim.models.fasttext import FastTextKeyedVectors as OfGensim
    except ImportError:
        keyed = FastTextKeyedVectors(rows.shape[1], *lengths, bucket)
        keyed.index_to_key, keyed.expandos = list(words), {"count": np.array(counts)}
    else:
        keyed = OfGensim(rows.shape[1], *lengths, bucket)
        keyed.index_to_key, keyed.next_index = list(words), n_words
        keyed.vectors = vectors  # whose length allocate_vecattrs asks for
        keyed.allocate_vecattrs(attrs=["count"], types=[np.int64])
        keyed.expandos["count"][:] = counts
        keyed.buckets_word = buckets_by_word(words, spans)
    keyed.key_to_index = {word: place for place, word in enumerate(words)}
    keyed.vectors_vocab, keyed.vectors_ngrams, keyed.vectors = own, ngrams, vectors
    keyed.vectors_vocab_lockf = np.ones(1, np.float32)
    keyed.vectors_ngrams_lockf = np.ones(1, np.float32)
    return keyed


def buckets_by_word(words: Sequence[str], spans: Spans | None) -> list[NDArray[np.uint32]]:
    """The buckets of each word's n-grams, as gensim keeps them."""
    if spans is None:
        return [np.zeros(0, np.uint32)] * len(words)
    found: list[NDArray[np.uint32]] = []
    for _, buckets, counts in buckets_in_parts(words, spans):
        found += np.split(buckets.astype(np.uint32), np.cumsum(counts)[:-1])
    return found


class FastTextKeyedVectors(KeyedVectors):
    """Vectors of words and, by their n-grams, of any others, by gensim's names.

    vectors          float32 (n, vector_size), of words: means of the rows below
    vectors_vocab    float32 (n, vector_size), the own row of each word
    vectors_ngrams   float32 (bucket, vector_size)
    """

    def __init__(self, vector_size: int, min_n: int, max_n: int, bucket: int, count: int = 0) -> None:
        super().__init__(vector_size, count)
        self.min_n, self.max_n, self.bucket = min_n, max_n, bucket
        self.vectors_vocab = self.vectors.copy()
        self.vectors_ngrams = np.zeros((bucket, vector_size), np.float32)

    def __contains__(self, key: object) -> bool:
        """Whether it has a vector: with n-grams every word has one; `key_to_index` has the known ones."""
        return self.bucket > 0 or super().__contains__(key)

    @property
    def spans(self) -> Spans | None:
        """The n-grams that words are made of; None where they are whole."""
        return spans_of(self.min_n, self.max_n, self.bucket)

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """The vector of a key, with norm scaled to length 1; zeros for a word without any n-gram."""
        spans = self.spans
        if spans is None or not isinstance(key, str) or key in self.key_to_index:
            return super().get_vector(key, norm)
        buckets, _ = buckets_of([key], spans)
        if not len(buckets):
            warn(f"{key!r} is too short to have n-grams of {spans.shortest} characters: its vector is zero")
        vector: NDArray[np.float32] = self.vectors_ngrams[buckets].sum(axis=0) / np.float32(len(buckets) or 1)
        length = float(np.linalg.norm(vector)) if norm else 1.0
        return (vector / (length or 1.0)).astype(np.float32)

    def get_sentence_vector(self, sentence: Iterable[Any]) -> NDArray[np.float32]:
        """The mean of the unit vectors of words."""
        return self.get_mean_vector(sentence)

    def adjust_vectors(self) -> None:
        """Take the vectors of words anew, after a change of the rows that they are made of."""
        self.vectors = word_means(self.index_to_key, self.vectors_vocab, self.vectors_ngrams, self.spans)
        self.norms = None

    def embeddings(self) -> Embeddings:
        """The same as fastw2v has them, n-grams and all: a copy of the rows."""
        plain, spans = super().embeddings(), self.spans
        if spans is None:
            return plain
        rows = np.concatenate([self.vectors_vocab, self.vectors_ngrams])
        return Embeddings(plain.words, plain.center_vectors, None, plain.counts, InputRows(spans, rows))
