"""Words and their vectors with the methods of gensim's KeyedVectors, where gensim is not installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.gensim.faults import ArgumentError, ArgumentTypeError
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings, row_norms

Key = str | int
Asked = Key | NDArray[np.floating] | tuple[Any, float]


def keyed_vectors(words: list[str], vectors: NDArray[np.float32], counts: NDArray[np.int64]) -> Any:
    """gensim's KeyedVectors where gensim is installed, else the one here; the matrix is taken, not copied."""
    try:
        from gensim.models import KeyedVectors as OfGensim
    except ImportError:
        return KeyedVectors.of(words, vectors, counts)
    keyed = OfGensim(vectors.shape[1])
    keyed.index_to_key, keyed.vectors = list(words), vectors
    keyed.key_to_index = {word: place for place, word in enumerate(words)}
    keyed.next_index = len(words)
    keyed.allocate_vecattrs(attrs=["count"], types=[np.int64])
    keyed.expandos["count"][:] = counts
    return keyed


class KeyedVectors:
    """A vector for each key, by gensim's names of attributes and methods.

    vectors        float32 (n, vector_size)
    index_to_key   the n keys, most frequent first; key_to_index the other way round
    norms          float32 (n,) Euclidean lengths, or None until they are needed; set it to None after changes

    Keys are words or their places. Raises KeyError for those that are not there.
    """

    def __init__(self, vector_size: int, count: int = 0) -> None:
        self.vector_size = vector_size
        self.vectors: NDArray[np.float32] = np.zeros((count, vector_size), np.float32)
        self.index_to_key: list[str] = [""] * count
        self.key_to_index: dict[str, int] = {}
        self.norms: NDArray[np.float32] | None = None
        self.expandos: dict[str, NDArray[Any]] = {}

    @classmethod
    def of(
        cls, words: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
    ) -> KeyedVectors:
        """Of these words; the matrix is taken, not copied."""
        keyed = cls(vectors.shape[1])
        keyed.vectors, keyed.index_to_key = vectors, list(words)
        keyed.key_to_index = {word: place for place, word in enumerate(words)}
        if counts is not None:
            keyed.expandos["count"] = np.array(counts)
        return keyed

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __repr__(self) -> str:
        return f"KeyedVectors<vector_size={self.vector_size}, {len(self)} keys>"

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key)

    def __getitem__(self, key: Key | Sequence[Key]) -> NDArray[np.float32]:
        """The vector of a key, or those of several, (n, vector_size)."""
        if isinstance(key, str | int | np.integer):
            return self.get_vector(key)
        return np.vstack([self.get_vector(one) for one in key])

    def has_index_for(self, key: object) -> bool:
        """Whether it is a key here."""
        return self.get_index(key, -1) >= 0

    def get_index(self, key: Any, default: int | None = None) -> int:
        """The place of a key; KeyError for one that is not there, unless there is a default."""
        if isinstance(key, str) and key in self.key_to_index:
            return self.key_to_index[key]
        if isinstance(key, int | np.integer) and 0 <= key < len(self):
            return int(key)
        if default is not None:
            return default
        raise KeyError(f"Key {key!r} is not present")

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """The vector of a key, with norm scaled to length 1."""
        place = self.get_index(key)
        row: NDArray[np.float32] = self.vectors[place]
        if not norm:
            return row
        return np.asarray(row / self._norms()[place])

    def get_normed_vectors(self) -> NDArray[np.float32]:
        """All of them scaled to length 1, a copy."""
        return self.vectors / self._norms()[:, np.newaxis]

    def fill_norms(self, force: bool = False) -> None:
        """Take the lengths anew, if they are not known or force says so."""
        if self.norms is None or force:
            self.norms = row_norms(self.vectors).astype(np.float32)

    def _norms(self) -> NDArray[np.float32]:
        """Lengths, with 1 for those of zero."""
        self.fill_norms()
        norms = np.asarray(self.norms)
        return np.where(norms > 0, norms, np.float32(1))

    def get_vecattr(self, key: Key, attr: str) -> Any:
        """An attribute of a key, such as its count."""
        if attr not in self.expandos:
            raise KeyError(f"attribute {attr!r} not present in {sorted(self.expandos)}")
        return self.expandos[attr][self.get_index(key)]

    def set_vecattr(self, key: Key, attr: str, val: Any) -> None:
        """Set an attribute of a key."""
        self.expandos.setdefault(attr, np.zeros(len(self), type(val)))[self.get_index(key)] = val

    # ---- what is near --------------------------------------------------------------------------------------

    def get_mean_vector(
        self, keys: Iterable[Any], weights: Sequence[float] | None = None
    ) -> NDArray[np.float32]:
        """The weighted mean of the unit vectors of keys, and of vectors."""
        asked = list(keys)
        if not asked:
            raise ArgumentError("there is no key to take the mean of: give at least one")
        factors = np.ones(len(asked)) if weights is None else np.asarray(weights, np.float64)
        rows = [
            unit(one) if isinstance(one, np.ndarray) else self.get_vector(one, norm=True) for one in asked
        ]
        mean: NDArray[np.float32] = (factors @ np.vstack(rows) / np.abs(factors).sum()).astype(np.float32)
        return mean

    def most_similar(
        self,
        positive: Asked | Sequence[Asked] | None = None,
        negative: Asked | Sequence[Asked] | None = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """The topn keys of the highest cosine to the mean of positive less negative ones, best first.

        Keys that were asked for are left out. topn=None gives all cosines, float32 (n,).
        """
        if indexer is not None:
            raise ArgumentError(
                "indexer is of gensim's: install it, or index model.wv.vectors by usearch or faiss"
            )
        pairs = [weighted(one, 1.0) for one in several(positive)]
        pairs += [weighted(one, -1.0) for one in several(negative)]
        query = self.get_mean_vector([one for one, _ in pairs], [weight for _, weight in pairs])
        asked = {self.get_index(one, -1) for one, _ in pairs if not isinstance(one, np.ndarray)}
        end = restrict_vocab if restrict_vocab else clip_end or len(self)
        cosines = self.vectors[clip_start:end] @ unit(query) / self._norms()[clip_start:end]
        if topn is None:
            return cosines
        best = np.argsort(-cosines, kind="stable")[: topn + len(asked)] + clip_start
        found = [(self.index_to_key[i], float(cosines[i - clip_start])) for i in best if i not in asked]
        return found[:topn]

    def similar_by_word(self, word: Key, topn: int = 10, restrict_vocab: int | None = None) -> Any:
        """The keys nearest to one."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(
        self, vector: NDArray[np.floating], topn: int = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The keys nearest to a vector."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def similarity(self, w1: Key, w2: Key) -> float:
        """Cosine of two keys."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def distance(self, w1: Key, w2: Key) -> float:
        """1 less their cosine."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Any, other_words: Sequence[Key] = ()) -> NDArray[np.float32]:
        """1 less the cosine to each of other words, or to all."""
        query = word_or_vector if isinstance(word_or_vector, np.ndarray) else self.get_vector(word_or_vector)
        rows = [self.get_index(word) for word in other_words] or slice(None)
        return 1 - self.vectors[rows] @ unit(query) / self._norms()[rows]

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """Cosine of the means of two lists of keys."""
        if not len(ws1) or not len(ws2):
            raise ZeroDivisionError("at least one of the lists is empty: give one word or more in each")
        means = [unit(np.mean([self.get_vector(word) for word in words], axis=0)) for words in (ws1, ws2)]
        return float(means[0] @ means[1])

    def doesnt_match(self, words: Sequence[Key]) -> Key:
        """The key whose cosine to the mean of all is the lowest; unknown ones are left out."""
        known = [word for word in words if word in self]
        if not known:
            raise ArgumentError("none of the words is here: give words of the vocabulary")
        rows = np.vstack([self.get_vector(word, norm=True) for word in known])
        return known[int(np.argmin(rows @ unit(rows.mean(axis=0))))]

    def rank(self, key1: Key, key2: Key) -> int:
        """The place of key2 among those nearest to key1, from 1."""
        return len(self.closer_than(key1, key2)) + 1

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """The keys nearer to key1 than key2 is."""
        distances = self.distances(key1)
        place, own = self.get_index(key2), self.get_index(key1)
        return [self.index_to_key[i] for i in np.flatnonzero(distances < distances[place]) if i != own]

    # ---- files and judgements ------------------------------------------------------------------------------

    def embeddings(self) -> Embeddings:
        """The same as fastw2v has them."""
        return Embeddings(self.index_to_key, self.vectors, None, self.expandos.get("count"))

    def save_word2vec_format(
        self, fname: str | Path, fvocab: str | Path | None = None, binary: bool = False
    ) -> None:
        """Write word2vec's text or binary file, and the counts to fvocab."""
        formats.save(fname, self.embeddings(), format="binary" if binary else "text")
        if fvocab is not None:
            from fastw2v.corpus.vocabulary import Vocabulary, write_vocabulary

            counts = self.expandos.get("count", np.zeros(len(self), np.int64))
            write_vocabulary(fvocab, Vocabulary(self.index_to_key, counts))

    @classmethod
    def load_word2vec_format(
        cls, fname: str | Path, fvocab: None = None, binary: bool = False, limit: int | None = None
    ) -> KeyedVectors:
        """Read word2vec's text or binary file."""
        if fvocab is not None:
            raise ArgumentError("fvocab is not read: use fastw2v.corpus.vocabulary.read_vocabulary")
        loaded = formats.load(fname, format="binary" if binary else "text", limit=limit)
        return cls.of(loaded.words, np.array(loaded.center_vectors), loaded.counts)

    def evaluate_word_pairs(self, pairs: str | Path, restrict_vocab: int = 300_000) -> Any:
        """(nan, nan), (Spearman's correlation, nan), and the percentage of pairs left out, as in gensim.

        Pearson's correlation and the p-values, which need SciPy, are NaN.
        """
        from fastw2v.vectors.evaluation import evaluate_similarity, read_similarity

        known = read_similarity(pairs)
        result = evaluate_similarity(self.embeddings(), known, restrict=restrict_vocab)
        missing = 100 * (1 - result.n_found / max(result.n_pairs, 1))
        return (np.nan, np.nan), (result.rho, np.nan), missing

    def evaluate_word_analogies(
        self, analogies: str | Path, restrict_vocab: int = 300_000
    ) -> tuple[float, Any]:
        """The share of questions that are answered right, and of each section its name and numbers.

        gensim lists the questions themselves, as correct and incorrect.
        """
        from fastw2v.vectors.evaluation import evaluate_analogies, read_analogies

        result = evaluate_analogies(self.embeddings(), read_analogies(analogies), restrict=restrict_vocab)
        sections = [
            {"section": part.name, "n_correct": part.n_correct, "n_incorrect": part.n_asked - part.n_correct}
            for part in result.sections
        ]
        return result.accuracy, sections


def several(asked: Any) -> list[Any]:
    """One or several keys, vectors and pairs with weights, as a list."""
    if asked is None:
        return []
    if isinstance(asked, str | int | np.integer) or (isinstance(asked, np.ndarray) and asked.ndim == 1):
        return [asked]
    if isinstance(asked, tuple) and len(asked) == 2 and isinstance(asked[1], float):
        return [asked]
    return list(asked)


def weighted(asked: Any, sign: float) -> tuple[Any, float]:
    """A key or vector and its weight. Raises ArgumentTypeError for what is neither."""
    if isinstance(asked, tuple):
        return asked[0], sign * asked[1]
    if not isinstance(asked, str | int | np.integer | np.ndarray):
        raise ArgumentTypeError(f"{asked!r} is no word, place or vector")
    return asked, sign


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """A vector scaled to length 1; zero stays zero."""
    length = float(np.linalg.norm(vector))
    return (vector / (length or 1.0)).astype(np.float32)
