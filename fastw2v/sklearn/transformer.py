"""A transformer of texts to the mean of their words' vectors, as scikit-learn has transformers."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from fastw2v.api import train
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.words.simple import simple_tokens
from fastw2v.errors import UsageError
from fastw2v.options.checks import choice, flag

WEIGHTINGS = ("mean", "tfidf")
# Options of reading that are of texts and words, not of files and tables; the values of training's all apply
# but those that keep sentences or items out to judge by, which a cross-validation does.
OF_READING = ("min_count", "max_vocab", "keep_words", "stop_words")
NOT_HERE = ("holdout", "eval_every", "patience", "leave_last_out", "eval_next_item")
OF_TRAINING: dict[str, Any] = {
    field.name: field.default
    for kind in (TrainConfig, ReadConfig)
    for field in fields(kind)
    if (kind is TrainConfig and field.name not in NOT_HERE) or field.name in OF_READING
}
OF_TRAINING["stop_words"] = None  # none; scikit-learn asks for defaults that are no collections
PARAMETERS: dict[str, Any] = {
    "weighting": "mean",
    "tokenize": "whitespace",
    "lowercase": False,
    **OF_TRAINING,
}


class InputError(UsageError, ValueError):
    """Documents that are none, as scikit-learn tells of them: by a ValueError."""


class Word2VecTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Documents to vectors: trains word vectors on them in `fit`, and averages those of a document's words.

    weighting   "mean" of all tokens, or "tfidf": each word by its count in the document times
                ln((1 + n) / (1 + df)) + 1, of n documents in `fit` of which df have it
    tokenize    of documents that are texts: "whitespace", or "simple", runs of 2 to 15 letters in lower case
    lowercase   put words in lower case
    others      options of `fastw2v.train`, with its defaults: dim, window, epochs, min_count, lr, seed …

    After `fit` it has `vectors_` (Embeddings) and `idf_`, float64 (n_words,).

    A document is a text or a list of tokens; one without known words is a vector of zeros. `transform` gives
    float32 (n_documents, dim), or what `set_output` asks for, with columns word2vectransformer0 and so on.

    Raises UsageError, for documents that are none InputError, which is a ValueError; in `fit` what
    `fastw2v.train` raises.
    """

    def __init__(self, **parameters: Any) -> None:
        inspect.signature(type(self)).bind(**parameters)  # TypeError for one that there is not
        for name, default in PARAMETERS.items():
            setattr(self, name, parameters.get(name, default))

    _signature = inspect.Signature(
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        + [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in PARAMETERS.items()
        ]
    )
    cast(Any, __init__).__signature__ = _signature  # scikit-learn reads the parameters there

    def __sklearn_tags__(self) -> Any:
        """Documents, not rows of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags

    def fit(self, X: Iterable[str | Sequence[str]], y: Any = None) -> Word2VecTransformer:
        """Train word vectors on documents; y is not used."""
        choice("weighting", self.weighting, WEIGHTINGS)
        documents = self._tokens(X)
        options = {name: getattr(self, name) for name in OF_TRAINING}
        options["stop_words"] = frozenset(options["stop_words"] or ())
        self.vectors_ = train(documents, **options)
        counts = self._counts(documents)
        n_with = np.bincount(counts.indices, minlength=len(self.vectors_))
        self.idf_: NDArray[np.float64] = np.log((1 + len(documents)) / (1 + n_with)) + 1
        return self

    def transform(self, X: Iterable[str | Sequence[str]]) -> NDArray[np.float32]:
        """The vectors of documents, float32 (n_documents, dim)."""
        check_is_fitted(self)
        weights = self._counts(self._tokens(X))
        if choice("weighting", self.weighting, WEIGHTINGS) == "tfidf":
            weights.data *= self.idf_[weights.indices]
        totals = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
        means = weights @ self.vectors_.center_vectors / np.where(totals > 0, totals, 1.0)
        return np.asarray(means, np.float32)

    @property
    def _n_features_out(self) -> int:
        """Columns of `transform`."""
        return int(self.vectors_.dim)

    def _tokens(self, X: Any) -> list[list[str]]:
        """The tokens of each document. Raises InputError for what is no document."""
        if isinstance(X, str | bytes | Mapping) or not isinstance(X, Iterable):
            raise InputError(f"X is a {type(X).__name__}: give a list of texts, or of lists of tokens")
        choice("tokenize", self.tokenize, ("whitespace", "simple"))
        flag("lowercase", self.lowercase)
        documents = [self._split(number, document) for number, document in enumerate(X)]
        if not documents:
            raise InputError("X holds no document: give a list of texts, or of lists of tokens")
        return [[word.lower() for word in words] for words in documents] if self.lowercase else documents

    def _split(self, number: int, document: Any) -> list[str]:
        """The tokens of a document."""
        if isinstance(document, str):
            return simple_tokens(document) if self.tokenize == "simple" else document.split()
        words = list(document) if isinstance(document, Iterable) else [document]
        if not isinstance(document, Iterable) or not all(isinstance(word, str) for word in words):
            raise InputError(f"document {number} is no text and no list of str: a {type(document).__name__}")
        return words

    def _counts(self, documents: list[list[str]]) -> csr_array:
        """How often each document has each known word, float64 (n_documents, n_words)."""
        index = self.vectors_.index
        ids = [[index[word] for word in words if word in index] for words in documents]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in ids])])
        flat = np.array([i for row in ids for i in row], np.int64)
        counts = csr_array((np.ones(len(flat)), flat, offsets), shape=(len(ids), len(index)))
        counts.sum_duplicates()
        return counts
