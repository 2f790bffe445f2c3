"""What a model holds: its settings, its words and both matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.gensim.arguments import CONSTRUCTOR
from fastw2v.gensim.keyed_vectors import keyed_vectors
from fastw2v.vectors.embeddings import initial_vectors


class Model:
    """The state of a Word2Vec; gensim's arguments are attributes of their names, those read here listed.

    ARGUMENTS         of the constructor, with their defaults
    vocabulary        the words with their counts, in the order of the rows; None before they are counted
    wv                KeyedVectors of them
    outside_vectors   float32 (n_words, vector_size), of the words or of the inner nodes of the tree
    """

    ARGUMENTS: dict[str, Any] = CONSTRUCTOR
    vector_size: int
    alpha: float
    min_alpha: float
    min_count: int
    max_final_vocab: int | None
    seed: int
    workers: int
    sg: int
    hs: int
    negative: int
    cbow_mean: int
    epochs: int
    compute_loss: bool = False
    sample: float

    def prepare(self, callbacks: Sequence[Any] = ()) -> None:
        """A model without words."""
        self.callbacks = callbacks
        self.corpus_count: int | None = None
        self.corpus_total_words: int | None = None
        self.effective_min_count = self.min_count
        self.train_count, self.total_train_time, self.running_training_loss = 0, 0.0, 0.0
        self.vocabulary: Vocabulary | None = None
        self.outside_vectors: NDArray[np.float32] = np.zeros((0, self.vector_size), np.float32)
        self.wv: Any = None
        self.start([], np.zeros(0, np.int64))

    # What a model of n-grams does in another way.

    @property
    def n_buckets(self) -> int:
        """Rows of n-grams beside those of words."""
        return 0

    def ngram_options(self) -> dict[str, Any]:
        """Options of training for words that are made of n-grams."""
        return {}

    def keyed(self, words: list[str], rows: NDArray[np.float32], counts: NDArray[np.int64]) -> Any:
        """KeyedVectors of words and rows, float32 (n_words + n_buckets, vector_size), which are taken."""
        return keyed_vectors(words, rows, counts)

    def inputs(self) -> list[NDArray[np.float32]]:
        """The matrices of wv that are trained; V has the rows of the one after those of the other."""
        return [self.wv.vectors]

    def trained(self) -> None:
        """Bring wv up to date, after its inputs changed in place."""
        self.wv.norms = None  # both kinds of KeyedVectors take them anew

    def start(self, words: list[str], counts: NDArray[np.int64], n_known: int = 0) -> None:
        """Take words, with vectors as they start; the first n_known, and n-grams then, keep theirs."""
        if not words:
            rows, outside = (np.zeros((0, self.vector_size), np.float32) for _ in range(2))
        else:
            n_drawn = 0 if n_known else self.n_buckets
            rows, outside = initial_vectors(len(words), self.vector_size, self.seed, n_drawn)
        if n_known:
            known, *ngrams = self.inputs()
            rows[:n_known], outside[:n_known] = known, self.outside_vectors
            rows = np.concatenate([rows, *ngrams]) if ngrams else rows
        self.outside_vectors = outside
        self.wv = self.keyed(words, rows, counts)

    def __getattr__(self, name: str) -> Any:
        """Outside vectors by gensim's names, and the length of vectors by its other one."""
        values = vars(self)
        if "outside_vectors" in values and name == ("syn1" if values["hs"] else "syn1neg"):
            return values["outside_vectors"]
        if name == "layer1_size" and "vector_size" in values:
            return values["vector_size"]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __str__(self) -> str:
        """As gensim shows a model."""
        return (
            f"{type(self).__name__}<vocab={len(self.wv)}, vector_size={self.vector_size}, alpha={self.alpha}>"
        )

    __repr__ = __str__
