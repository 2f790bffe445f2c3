"""Questions to word vectors: what is near, what relates, how similar."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.options.checks import NO_LIMIT, refuse, shown, text, whole
from fastw2v.vectors.embeddings import Embeddings

BLOCK_SCORES = 1024
LONGEST_WORD = 100  # characters; a text is no word that is spelt wrongly
SPELLING_WORDS = 50_000  # the most frequent words, among which an unknown word's spelling is looked for


def nearest(
    embeddings: Embeddings, word: str | Sequence[str] | NDArray[np.floating], n: int = 10
) -> list[tuple[str, float]]:
    """The n words with the highest cosine to `word`, best first, without `word` itself.

    Several words stand for the mean of their unit vectors. A vector (dim,) stands for itself, and no word is
    left out. A zero vector has cosine 0 to everything; equal cosines keep the order of the vocabulary, the
    more frequent word first.

    Raises UsageError for an unknown word, no word, a vector of another dim, or n < 1.
    """
    if isinstance(word, np.ndarray) and word.dtype.kind in "biufc":
        return _closest(embeddings, _vector(embeddings, word), [], n)
    words = _words([word] if isinstance(word, str) else word)
    return _closest(embeddings, _unit_rows(embeddings, words).mean(axis=0), words, n)


def analogy(embeddings: Embeddings, a: str, b: str, c: str, n: int = 10) -> list[tuple[str, float]]:
    """The n best answers d to "a is to b as c is to d", best first, never a, b or c.

    3CosAdd: argmax_d cos(d, b − a + c) over unit vectors (Mikolov et al. 2013, "Linguistic Regularities";
    the name is from Levy & Goldberg 2014).

    Raises UsageError for an unknown word or n < 1.
    """
    words = _words([a, b, c])
    unit_a, unit_b, unit_c = _unit_rows(embeddings, words)
    return _closest(embeddings, unit_b - unit_a + unit_c, words, n)


def similarity(embeddings: Embeddings, a: str, b: str) -> float:
    """Cosine of two words, in [−1, 1]; 0 when either vector is zero. UsageError for an unknown word."""
    unit_a, unit_b = _unit_rows(embeddings, _words([a, b]))
    return float(np.clip(unit_a @ unit_b, -1.0, 1.0))


def odd_one_out(embeddings: Embeddings, words: Sequence[str]) -> tuple[str, float]:
    """The word least like the others: the lowest cosine to the mean of the words' unit vectors.

    Returns the word and that cosine. Of equally odd words it is the first.
    Raises UsageError for an unknown word or fewer than three.
    """
    words = _words(words)
    if len(words) < 3:
        raise UsageError(f"{len(words)} words were given; the odd one out is of at least 3")
    unit = _unit_rows(embeddings, words)
    mean = unit.mean(axis=0)
    cosines = unit @ mean / max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    odd = int(cosines.argmin())
    return words[odd], float(np.clip(cosines[odd], -1.0, 1.0))


def _vector(embeddings: Embeddings, vector: NDArray[Any]) -> NDArray[np.float64]:
    """A given vector as float64 (dim,); raises UsageError for one that is none."""
    if vector.shape != (embeddings.dim,) or vector.dtype.kind == "c" or not np.isfinite(vector).all():
        raise UsageError(
            f"the vector is {vector.dtype} of shape {vector.shape}: it must be finite numbers of shape "
            f"({embeddings.dim},), as of one word"
        )
    return vector.astype(np.float64)


def _words(words: Iterable[str]) -> list[str]:
    """Words that were given, as a list; raises UsageError for one str, and for what is no word."""
    if isinstance(words, str | bytes | Mapping) or not isinstance(words, Iterable):
        raise refuse("words", words, "a list of words")
    return [text("a word", word, "a str") for word in words]


def _unknown(embeddings: Embeddings, word: str) -> str:
    frequent = embeddings.words[:SPELLING_WORDS]
    other_case = [near for near in (word.lower(), word.title(), word.upper()) if near in embeddings]
    close = difflib.get_close_matches(word[:LONGEST_WORD], frequent, n=3, cutoff=0.75)
    close = list(dict.fromkeys(other_case + close))[:3]
    hint = f"did you mean {', '.join(close)}?" if close else "check its spelling and case"
    return f"{shown(word)} is not among the {len(embeddings):,} words; {hint}"


def _unit_rows(embeddings: Embeddings, words: list[str]) -> NDArray[np.float64]:
    """Unit vectors of the words in float64 (n, dim), unseen ones of their n-grams; a zero vector stays zero.

    Raises UsageError for no word, and for one that is unknown.
    """
    if not words:
        raise UsageError("no word was given; give at least one")
    try:
        rows = embeddings[words].astype(np.float64)
    except KeyError as error:
        raise UsageError(_unknown(embeddings, error.args[0])) from None
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _closest(
    embeddings: Embeddings, query: NDArray[np.float64], without: Sequence[str], n: int
) -> list[tuple[str, float]]:
    n = whole("n", n, 1, NO_LIMIT)
    cosines = _cosines(embeddings, query)
    exclude = sorted({embeddings.index[word] for word in without if word in embeddings})
    cosines[exclude] = -np.inf
    best = _highest(cosines, min(n, len(embeddings) - len(exclude)))
    return [(embeddings.words[i], float(cosines[i])) for i in best]


def _highest(scores: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Places of the n highest scores, best first, equal ones in their order; int64 (n,).

    The n-th highest of the highest of each block is a bound that few scores reach: of a million 2 ms, where a
    partition of all takes 12.
    """
    if n == 0:
        return np.empty(0, dtype=np.int64)
    tops = np.maximum.reduceat(scores, np.arange(0, len(scores), BLOCK_SCORES))
    tops = tops if len(tops) >= n else scores
    reached = np.flatnonzero(scores >= np.partition(tops, -n)[-n])
    return reached[np.argsort(-scores[reached], kind="stable")][:n]


def _cosines(embeddings: Embeddings, query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of every word to the query, float64 (n_words,); the products are of float32.

    einsum, as BLAS takes twice the processor time for a matrix from memory (500,000 x 300: 51 ms to 26), and
    may give equal rows cosines that differ in the last bit.
    """
    length = np.linalg.norm(query)
    unit = (query / length if length > 0 else query).astype(np.float32)
    products: NDArray[np.float32] = np.einsum("ij,j->i", embeddings.center_vectors, unit)
    cosines = products.astype(np.float64)
    np.divide(cosines, embeddings.norms, out=cosines, where=embeddings.norms > 0)
    return np.clip(cosines, -1.0, 1.0, out=cosines)
