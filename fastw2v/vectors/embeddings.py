"""Word vectors with their words: what training returns, files hold and queries ask."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import OutputError, UsageError
from fastw2v.options.checks import few, shown
from fastw2v.vectors.components import require_components, without_components
from fastw2v.vectors.ngrams import InputRows

if TYPE_CHECKING:
    import pyarrow as pa
    from gensim.models import KeyedVectors

Which = Literal["center", "outside", "sum", "concatenated"]

SHOWN = 5  # words, and numbers of each, that a table in a notebook shows
CHUNK_NUMBERS = 1 << 20  # 4 MB of float32 or 8 MB of float64 at a time


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Words in the order of their ids, and a vector for each.

    words            n_words strings, most frequent first
    center_vectors   float32 (n_words, dim), C-contiguous; V of CS224n, the vectors that are used
    outside_vectors  float32 (n_words, dim), or None when they were not kept; U of CS224n
    counts           int64 (n_words,), occurrences in the corpus, or None when unknown
    made_of          InputRows that the centre vectors are means of, or None where words are whole: with them
                     a word that is not there has a vector too, that of its n-grams
    outside_words    strings that the outside vectors are of, where they are not words: of given pairs
    outside_counts   int64 (n_outside,), their pairs, or None when unknown

    Raises UsageError when the shapes or types do not fit together.
    """

    words: list[str]
    center_vectors: NDArray[np.float32]
    outside_vectors: NDArray[np.float32] | None = None
    counts: NDArray[np.int64] | None = None
    made_of: InputRows | None = None
    outside_words: list[str] | None = None
    outside_counts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        _check_matrix("center_vectors", self.center_vectors, len(self.words))
        if self.outside_vectors is not None:
            n_outside = len(self.words if self.outside_words is None else self.outside_words)
            _check_matrix("outside_vectors", self.outside_vectors, n_outside)
            if self.outside_vectors.shape[1] != self.center_vectors.shape[1]:
                raise UsageError(
                    f"outside_vectors have dim {self.outside_vectors.shape[1]}, "
                    f"center_vectors {self.dim}; both need the same"
                )
        if self.counts is not None and not isinstance(self.counts, np.ndarray):
            raise UsageError(f"counts are {shown(self.counts)}: an int64 array is needed")
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise UsageError(
                f"counts have shape {self.counts.shape}; {len(self.words):,} words need one each"
            )
        if self.made_of is not None:
            n_rows = len(self.words) + self.made_of.spans.n_buckets
            _check_matrix("rows that vectors are made of", self.made_of.rows, n_rows)

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        """Size and first words; a notebook shows this, so not all of them."""
        return f"<Embeddings of {len(self):,} words x {self.dim}: {few(self.words)}>"

    def _repr_html_(self) -> str:
        """A small table for a notebook: the first words, their counts and the first of their numbers."""
        rows = [
            (word, "" if self.counts is None else f"{self.counts[i]:,}", *(f"{x:.4f}" for x in row[:SHOWN]))
            for i, (word, row) in enumerate(zip(self.words[:SHOWN], self.center_vectors, strict=False))
        ]
        more = ["…"] if self.dim > SHOWN else []
        head = ["word", "count", *map(str, range(min(self.dim, SHOWN))), *more]
        cells = [[html.escape(cell) for cell in [*row, *more]] for row in rows]
        body = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
        return (
            f"<table><caption>{len(self):,} words x {self.dim}</caption>"
            f"<thead><tr><th>{'</th><th>'.join(head)}</th></tr></thead><tbody>{body}</tbody></table>"
        )

    def __eq__(self, other: object) -> bool:
        """Whether the words and both kinds of vectors are the same, number by number; counts may differ."""
        if not isinstance(other, Embeddings):
            return NotImplemented
        if self is other:
            return True
        pairs = (
            (self.center_vectors, other.center_vectors),
            (self.outside_vectors, other.outside_vectors),
        )
        same_words = (self.words, self.outside_words) == (other.words, other.outside_words)
        return same_words and all(
            mine is theirs or (mine is not None and theirs is not None and np.array_equal(mine, theirs))
            for mine, theirs in pairs
        )

    def __hash__(self) -> int:
        """Of the size and the first words: the vectors would take as long as comparing them."""
        return hash((len(self), self.dim, *self.words[:SHOWN]))

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: not the index and the norms, which are made anew."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __iter__(self) -> Iterator[str]:
        """The words, most frequent first."""
        return iter(self.words)

    def __reversed__(self) -> Iterator[str]:
        """The words, the rarest first."""
        return reversed(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self.index

    def __getitem__(self, word: str | Sequence[str]) -> NDArray[np.float32]:
        """The centre vector of a word, float32 (dim,), or a copy of those of several, (n, dim).

        KeyError for a word that is not there and has no n-grams that are, UsageError for what is no word.
        """
        if isinstance(word, str):
            return self._vector(word)
        several = list(word) if isinstance(word, Iterable) else [word]
        if isinstance(word, Iterable) and all(isinstance(one, str) for one in several):
            return np.array([self._vector(one) for one in several], np.float32).reshape(-1, self.dim)
        raise UsageError(f"{shown(word)} is no word: give a str or a list of them, or index center_vectors")

    def _vector(self, word: str) -> NDArray[np.float32]:
        known = self.index.get(word)
        if known is not None:
            row: NDArray[np.float32] = self.center_vectors[known]
            return row
        vector = self.made_of.unseen(word) if self.made_of else None
        if vector is None:
            raise KeyError(word)
        return vector

    if TYPE_CHECKING:  # methods that need the rest of the folder, which `vectors.methods` attaches

        def nearest(
            self, word: str | Sequence[str] | NDArray[np.floating], n: int = 10
        ) -> list[tuple[str, float]]: ...
        def analogy(self, a: str, b: str, c: str, n: int = 10) -> list[tuple[str, float]]: ...
        def similarity(self, a: str, b: str) -> float: ...
        def save(self, path: str | Path, **options: Any) -> None: ...
        @classmethod
        def load(cls, path: str | Path, **options: Any) -> Embeddings: ...
        def to_arrow(self) -> pa.Table: ...

    def of_outside(self) -> Embeddings:
        """The outside vectors as those of their words. Raises UsageError where they were not kept."""
        if self.outside_vectors is None:
            raise UsageError("the outside vectors were not kept: train with --save-outside")
        words, counts = self.outside_words, self.outside_counts
        if words is None:
            words, counts = self.words, self.counts
        return Embeddings(words, self.outside_vectors, None, counts)

    def to_gensim(self) -> KeyedVectors:
        """gensim's KeyedVectors with these centre vectors and counts; needs gensim."""
        from gensim.models import KeyedVectors

        vectors = KeyedVectors(self.dim, count=0, dtype=np.float32)
        vectors.add_vectors(self.words, self.center_vectors)
        if self.counts is not None:
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                vectors.set_vecattr(word, "count", count)
        return vectors

    @property
    def dim(self) -> int:
        """Numbers in one vector."""
        return int(self.center_vectors.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to id."""
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """Euclidean length of each centre vector, float64 (n_words,).

        Kept instead of a normalised copy of the matrix: cosines then need one product and one division,
        and no second matrix.
        """
        return row_norms(self.center_vectors)


def _check_matrix(name: str, matrix: NDArray[np.float32], n_words: int) -> None:
    if not isinstance(matrix, np.ndarray):
        raise UsageError(f"{name} are {shown(matrix)}: a C-contiguous float32 matrix is needed")
    if matrix.dtype != np.float32 or matrix.ndim != 2 or not matrix.flags.c_contiguous:
        raise UsageError(
            f"{name} are {matrix.dtype} with {matrix.ndim} axes; a C-contiguous float32 matrix is needed"
        )
    if len(matrix) != n_words or matrix.shape[1] < 1:
        raise UsageError(f"{name} have shape {matrix.shape}; {n_words:,} words need one row each of dim >= 1")


def select_vectors(
    embeddings: Embeddings,
    which: Which = "center",
    *,
    remove_components: int | None = None,
    normalize: bool = False,
) -> NDArray[np.float32]:
    """The vectors to take away, float32 (n_words, dim), of twice that dim when concatenated.

    which       center, outside, their sum v + u, or v and u one after the other
    remove_components  subtract the mean of all vectors and so many of their principal components
    normalize   scale each to length 1; zero vectors stay zero

    The matrix is the embeddings' own where nothing is computed. Raises UsageError where the outside vectors
    are needed and were not kept, and for as many components as numbers, OutputError when the memory cannot be
    had.
    """
    center, outside = embeddings.center_vectors, embeddings.outside_vectors
    if which in ("sum", "concatenated"):
        require_shared_words(embeddings, f"vectors {which}")
    if which != "center" and outside is None:
        raise UsageError(
            f"{which} vectors need the outside vectors, which were not kept: train with --save-outside, "
            "give that file with --outside, or write the centre vectors"
        )
    parts = [matrix for matrix in (center, outside) if matrix is not None]
    try:
        if which == "sum":
            matrix = np.add(*parts)
        elif which == "concatenated":
            matrix = np.hstack(parts)
        else:
            matrix = parts[which == "outside"]
        n_removed = require_components(remove_components, matrix.shape[1])
        if n_removed is not None:
            matrix = without_components(matrix, n_removed)
        return unit_rows(matrix) if normalize else matrix
    except MemoryError as error:
        raise OutputError(
            f"{which} vectors need {center.nbytes:,} bytes of memory a copy, more than can be had; "
            "write centre vectors as they are"
        ) from error


def require_shared_words(embeddings: Embeddings, what: str) -> None:
    """Raise UsageError where the outside vectors are not of the words."""
    if embeddings.outside_words is not None:
        raise UsageError(
            f"{what} needs centre and outside vectors of the same words, and of given pairs they are of two "
            "vocabularies: take one of them"
        )


def with_outside(embeddings: Embeddings, outside: Embeddings, *, apart: bool = False) -> Embeddings:
    """The embeddings with the vectors of another file as their outside vectors.

    apart   they have words of their own, as of given pairs

    Raises UsageError where the words are not the same in the same order, or the dim is another.
    """
    if apart:
        own, counts = outside.words, outside.counts
        vectors = outside.center_vectors
        return replace(embeddings, outside_vectors=vectors, outside_words=own, outside_counts=counts)
    if outside.words != embeddings.words:
        raise UsageError(
            f"the outside vectors have other words ({len(outside):,}) than the centre vectors "
            f"({len(embeddings):,}); give the two files of one training"
        )
    counts = outside.counts if embeddings.counts is None else embeddings.counts
    return replace(embeddings, outside_vectors=outside.center_vectors, counts=counts)


def only_words(embeddings: Embeddings, words: Sequence[str], *, unseen: bool = True) -> Embeddings:
    """The vectors of these words, in this order; of unseen ones those of their n-grams, and no outside ones.

    unseen   whether a word may be that is not there

    Raises UsageError for a word that has no vector.
    """
    rows, made_of = [embeddings.index.get(word) for word in words], embeddings.made_of if unseen else None
    for word, row in zip(words, rows, strict=True):
        if row is None and (made_of is None or made_of.unseen(word) is None):
            raise UsageError(f"{shown(word)} has no vector: it is not among the {len(embeddings):,} words")
    known = np.array([-1 if row is None else row for row in rows])
    counts, outside = embeddings.counts, embeddings.outside_vectors
    outside = None if embeddings.outside_words is not None else outside
    return Embeddings(
        list(words),
        embeddings[words],
        outside[known] if outside is not None and (known >= 0).all() else None,
        None if counts is None else np.where(known >= 0, counts[known], 0),
    )


def unit_rows(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy whose rows have length 1, float32 (n_words, dim); rows of zeros stay zero."""
    norms = row_norms(matrix)[:, np.newaxis]
    unit: NDArray[np.float32] = matrix.copy()
    np.divide(unit, norms, out=unit, where=norms > 0, casting="same_kind")
    return unit


def row_norms(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean length of each row, float64 (n_words,)."""
    norms = np.empty(len(matrix), dtype=np.float64)
    rows = max(1, CHUNK_NUMBERS // matrix.shape[1])
    for start in range(0, len(matrix), rows):
        chunk = matrix[start : start + rows].astype(np.float64)
        norms[start : start + rows] = np.sqrt(np.einsum("ij,ij->i", chunk, chunk))
    return norms


class InitialVectors(NamedTuple):
    """The two matrices before the first update, each float32 (n_words, dim)."""

    center_vectors: NDArray[np.float32]
    outside_vectors: NDArray[np.float32]


def initial_vectors(n_words: int, dim: int, seed: int, n_buckets: int = 0) -> InitialVectors:
    """Centre vectors uniform in [-0.5/dim, 0.5/dim), outside vectors zero, as in word2vec.

    n_buckets   rows of n-grams, which the centre vectors have after those of words

    Raises OutputError when the memory cannot be had.
    """
    try:
        center_vectors = np.empty((n_words + n_buckets, dim), dtype=np.float32)
        outside_vectors = np.zeros((n_words, dim), dtype=np.float32)
    except MemoryError as error:
        raise OutputError(
            f"{n_words:,} words of {dim} dimensions need {4 * (2 * n_words + n_buckets) * dim:,} bytes of "
            "memory, more than can be had; lower --dim or raise --min-count"
        ) from error
    fill_initial(center_vectors, seed)
    return InitialVectors(center_vectors, outside_vectors)


def fill_initial(center_vectors: NDArray[np.float32], seed: int) -> None:
    """Draw initial centre vectors into a float32 (n_words, dim) array, which may be a view with padded rows.

    The numbers depend on seed, dim and row only, not on the padding. They are drawn in chunks, so that
    memory stays at the matrix plus 4 MB.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    n_words, dim = center_vectors.shape
    rows = max(1, CHUNK_NUMBERS // dim)
    for start in range(0, n_words, rows):
        chunk = center_vectors[start : start + rows]
        chunk[...] = generator.random(chunk.shape, dtype=np.float32)
        chunk -= np.float32(0.5)
        chunk /= np.float32(dim)
