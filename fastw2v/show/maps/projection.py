"""Vectors in the plane: principal components, or t-SNE and UMAP where their libraries are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.vectors.embeddings import Embeddings, unit_rows
from fastw2v.vectors.stability import Stability, Sureness, sureness

Method = Literal["pca", "tsne", "umap"]
PLACES_AT_ONCE = 1 << 23  # cosines held at once: 32 MB
PERPLEXITY = 30  # t-SNE's usual
EXACT_WORDS = 300  # fewer are quicker without the tree of Barnes and Hut


class WordMap(NamedTuple):
    """Words in the plane, n of them, most frequent first.

    places      float64 (n, 2), from 0 to 1 on the longer axis, the other one centred
    neighbours  int64 (n, k), the k nearest of these words by cosine of all dimensions, best first
    cosines     float32 (n, k)
    sureness    of the neighbours among these words, of each (n, k); None without samples
    """

    words: list[str]
    counts: list[int] | None
    places: NDArray[np.float64]
    neighbours: NDArray[np.int64]
    cosines: NDArray[np.float32]
    sureness: Sureness | None = None


def lay_out(
    embeddings: Embeddings,
    n_words: int,
    method: Method,
    seed: int,
    n_near: int = 8,
    samples: Stability | None = None,
    on_progress: Callable[[str], None] = lambda what: None,
) -> WordMap:
    """The first n_words in the plane, by the directions of their vectors.

    samples       of the corpus, by which neighbours get their sureness
    on_progress   told in a few words what goes on, and how far the neighbours are

    Raises UsageError for no words, an unknown method, a library that is missing, or samples of other words.
    """
    if n_words < 1:
        raise UsageError(f"{n_words} words were asked for; a map needs at least 1")
    unit = unit_rows(embeddings.center_vectors[:n_words])
    methods = {"pca": _pca, "tsne": _tsne, "umap": _umap}
    if method not in methods:
        raise UsageError(f"method {method!r} is unknown; use {', '.join(methods)}")
    if samples is not None:
        samples.require_of(embeddings)
    on_progress(f"laying out {len(unit):,} words")
    places = _fitted(methods[method](unit, seed))
    neighbours, cosines = _nearest(unit, min(n_near, len(unit) - 1), on_progress)
    counts = None if embeddings.counts is None else embeddings.counts[:n_words].tolist()
    words, sure = embeddings.words[:n_words], None
    if samples is not None and neighbours.shape[1]:
        on_progress(f"asking {len(samples)} samples")
        rows = samples.rows_of(words)
        sure = sureness(samples, rows, rows[neighbours], neighbours.shape[1], among=rows)
    return WordMap(words, counts, places, neighbours, cosines, sure)


def _pca(unit: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """The two directions of the greatest variance, each with the sign of its largest component."""
    centred = unit.astype(np.float64) - unit.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(centred.T @ centred, hermitian=True)
    axes = np.zeros((2, unit.shape[1]))
    axes[: len(directions)] = directions[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[[0, 1], largest] < 0, -1, 1)[:, np.newaxis]
    places: NDArray[np.float64] = centred @ axes.T
    return places


def _tsne(unit: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise _missing("scikit-learn", "tsne") from error
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    if perplexity < 1:
        raise UsageError(f"t-SNE of {len(unit)} words cannot be made; ask for at least 4 or use pca")
    init = _fitted(_pca(unit, seed)).astype(np.float32) * 1e-4
    method = "exact" if len(unit) < EXACT_WORDS else "barnes_hut"
    places: Any = TSNE(perplexity=perplexity, init=init, random_state=seed, method=method).fit_transform(unit)
    return np.asarray(places, dtype=np.float64)


def _umap(unit: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    try:
        from umap import UMAP
    except ImportError as error:
        raise _missing("umap-learn", "umap") from error
    neighbours = min(15, len(unit) - 1)
    if neighbours < 3:
        raise UsageError(f"UMAP of {len(unit)} words cannot be made; ask for at least 4 or use pca")
    places: Any = UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(unit)
    return np.asarray(places, dtype=np.float64)


def _missing(library: str, method: str) -> UsageError:
    return UsageError(f"method {method} needs {library}; pip install 'fastw2v[map]', or use pca")


def _fitted(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moved and scaled, both axes alike, into the unit square."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = float((high - low).max()) or 1.0
    return np.asarray((places - (low + high) / 2) / size + 0.5)


def _nearest(
    unit: NDArray[np.float32], k: int, on_progress: Callable[[str], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    neighbours = np.empty((len(unit), k), dtype=np.int64)
    cosines = np.empty((len(unit), k), dtype=np.float32)
    rows = max(1, PLACES_AT_ONCE // len(unit))
    for start in range(0, len(unit), rows):
        on_progress(f"finding neighbours {start / len(unit):6.1%}")
        scores = unit[start : start + rows] @ unit.T
        own = np.arange(len(scores))
        scores[own, own + start] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        neighbours[start : start + rows] = order
        cosines[start : start + rows] = np.take_along_axis(scores, order, axis=1)
    return neighbours, cosines.clip(-1, 1)
