"""What a model holds: its settings, its words and both matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.gensim.keyed_vectors import keyed_vectors


class Model:
    """The state of a Word2Vec; gensim's arguments are attributes of their names, those read here listed.

    vocabulary        the words with their counts, in the order of the rows; None before they are counted
    wv                KeyedVectors of them
    outside_vectors   float32 (n_words, vector_size), of the words or of the inner nodes of the tree
    """

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
    compute_loss: bool
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
        self.wv = keyed_vectors([], self.outside_vectors.copy(), np.zeros(0, np.int64))

    def __getattr__(self, name: str) -> Any:
        """Outside vectors by gensim's names, and the length of vectors by its other one."""
        values = vars(self)
        if "outside_vectors" in values and name == ("syn1" if values["hs"] else "syn1neg"):
            return values["outside_vectors"]
        if name == "layer1_size" and "vector_size" in values:
            return values["vector_size"]
        raise AttributeError(f"'Word2Vec' object has no attribute {name!r}")

    def __str__(self) -> str:
        """As gensim shows a model."""
        return f"Word2Vec<vocab={len(self.wv)}, vector_size={self.vector_size}, alpha={self.alpha}>"

    __repr__ = __str__
