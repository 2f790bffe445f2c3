"""gensim's FastText, trained by fastw2v: words are made of their n-grams."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.gensim.arguments import FASTTEXT, signature
from fastw2v.gensim.faults import ArgumentError, NotHereError
from fastw2v.gensim.ngram_vectors import ngram_vectors, spans_of, word_means
from fastw2v.gensim.word2vec import Word2Vec


class FastText(Word2Vec):
    """Vectors of words from those of their n-grams, with the arguments, methods and defaults of gensim 4's.

    wv       FastTextKeyedVectors, gensim's own where it is installed: unseen words have vectors, too
    bucket   rows of n-grams; 0 where max_n is below min_n, and words are whole

    The rest is as in Word2Vec. `load_facebook_model` and `save_facebook_model` are for fastText's own files.
    """

    ARGUMENTS = FASTTEXT
    __signature__ = signature(FASTTEXT)

    min_n: int
    max_n: int
    bucket: int
    word_ngrams: int

    def check(self) -> None:
        """Raise UsageError for numbers of n-grams that cannot be; set bucket to 0 where there are none."""
        for name in ("min_n", "max_n", "bucket"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise ArgumentError(f"{name} is {value!r}: it must be a whole number, 0 or more")
        if self.word_ngrams != 1:
            raise NotHereError(
                f"word_ngrams={self.word_ngrams!r}: n-grams of words are for fastText's classifiers; set 1"
            )
        if spans_of(self.min_n, self.max_n, self.bucket) is None:
            self.bucket = 0

    @property
    def n_buckets(self) -> int:
        """Rows of n-grams beside those of words."""
        return self.bucket

    def ngram_options(self) -> dict[str, Any]:
        """The lengths of n-grams, and their buckets."""
        spans = spans_of(self.min_n, self.max_n, self.bucket)
        return {"subwords": f"{spans.shortest}-{spans.longest}", "buckets": spans.n_buckets} if spans else {}

    def keyed(self, words: list[str], rows: NDArray[np.float32], counts: NDArray[np.int64]) -> Any:
        """FastTextKeyedVectors of words and rows, which are taken."""
        n_buckets = len(rows) - len(words)  # none before there are words: 2,000,000 rows would be zeros
        keyed = ngram_vectors(words, rows, counts, (self.min_n, self.max_n), n_buckets)
        keyed.bucket = self.bucket
        return keyed

    def inputs(self) -> list[NDArray[np.float32]]:
        """The own rows of words, and those of buckets."""
        return [self.wv.vectors_vocab, self.wv.vectors_ngrams]

    def trained(self) -> None:
        """Take the vectors of words, which are means, anew."""
        wv = self.wv
        spans = spans_of(self.min_n, self.max_n, self.bucket)
        wv.vectors = word_means(wv.index_to_key, wv.vectors_vocab, wv.vectors_ngrams, spans)
        super().trained()
