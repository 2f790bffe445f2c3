"""The methods of Embeddings that ask, write and read: what they need imports Embeddings itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.options.spelling import for_python
from fastw2v.vectors import formats, query
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.parquet import as_arrow

if TYPE_CHECKING:
    import pyarrow as pa


def nearest(
    self: Embeddings, word: str | Sequence[str] | NDArray[np.floating], n: int = 10
) -> list[tuple[str, float]]:
    """The n words with the highest cosine to a word, the mean of several, or a vector, best first."""
    return query.nearest(self, word, n)


def analogy(self: Embeddings, a: str, b: str, c: str, n: int = 10) -> list[tuple[str, float]]:
    """The n best answers d to "a is to b as c is to d" by 3CosAdd, best first."""
    return query.analogy(self, a, b, c, n)


def similarity(self: Embeddings, a: str, b: str) -> float:
    """Cosine of two words."""
    return query.similarity(self, a, b)


@for_python
def save(self: Embeddings, path: str | Path, **options: Any) -> None:
    """Write a file that other tools read, in the format of its suffix; options are `formats.save`'s."""
    formats.save(path, self, **options)


@for_python
def load(cls: type[Embeddings], /, path: str | Path, **options: Any) -> Embeddings:
    """Read a file of vectors, in the format of its suffix; options are `formats.load`'s."""
    return formats.load(path, **options)


def to_arrow(self: Embeddings) -> pa.Table:
    """A pyarrow.Table: word string, count int64, vector fixed_size_list<float32>, as in Parquet files."""
    return as_arrow(self.words, self.counts, self.center_vectors)


def attach() -> None:
    """Give Embeddings its methods; `fastw2v.vectors` does so before any of its modules is used."""
    for method in (nearest, analogy, similarity, save, to_arrow):
        method.__qualname__ = f"Embeddings.{method.__name__}"
        setattr(Embeddings, method.__name__, method)
    load.__qualname__ = "Embeddings.load"
    setattr(Embeddings, "load", classmethod(load))  # noqa: B010
