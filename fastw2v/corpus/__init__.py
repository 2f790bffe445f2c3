"""A corpus read, counted and numbered; `read_corpus` and `Corpus` are its door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastw2v.corpus.read import Corpus, read_corpus

__all__ = ["Corpus", "read_corpus"]


def __getattr__(name: str) -> Any:
    """The names of `fastw2v.corpus.read`, imported when first used: it takes half a second."""
    if name not in __all__:
        raise AttributeError(f"module 'fastw2v.corpus' has no attribute {name!r}")
    from fastw2v.corpus import read

    return getattr(read, name)
