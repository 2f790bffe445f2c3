"""The models of word2vec, from text, tables and graphs, at the speed of the machine.

    vectors = fastw2v.train("corpus.parquet", dim=300, negatives=10)
    vectors.nearest("paris")
    vectors.save("corpus.vectors.bin")

Nothing heavy is imported before one of these is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastw2v.version import __version__

if TYPE_CHECKING:
    from fastw2v.api import (
        STOP,
        Embeddings,
        Moment,
        Phrases,
        Stability,
        diff,
        load,
        phrases,
        save,
        sequences,
        stability,
        train,
        train_endless,
    )

__all__ = [
    "STOP",
    "Embeddings",
    "Moment",
    "Phrases",
    "Stability",
    "__version__",
    "diff",
    "load",
    "phrases",
    "save",
    "sequences",
    "stability",
    "train",
    "train_endless",
]
# Modules for users, by the names that they have here, and where they lie.
MODULES = {
    **{name: name for name in ("config", "corpus", "errors", "training")},
    **{name: f"vectors.{name}" for name in ("embeddings", "evaluation", "formats", "next_item", "query")},
    "vocabulary": "corpus.vocabulary",
}


def __getattr__(name: str) -> Any:
    """The names of `fastw2v.api`, and the modules for users, imported when first used."""
    if name in MODULES:
        return import_module(f"fastw2v.{MODULES[name]}")
    if name not in __all__:
        raise AttributeError(f"module 'fastw2v' has no attribute {name!r}")
    try:
        value = globals()[name] = getattr(import_module("fastw2v.api"), name)
    except RuntimeError as error:  # of concurrent.futures, imported for the first time while Python ends
        from fastw2v.system.machine import require_threads

        require_threads()
        raise error
    return value


def __dir__() -> list[str]:
    """The public names, whether used yet or not, and those that every module has."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__") and name.endswith("__"))])
