"""A model in one file: NumPy's npz of plain arrays, words and settings as JSON among them; no pickle.

center            float32 (n_words + n_buckets, vector_size), buckets of FastText only
outside           float32 (n_words, vector_size)
counts            int64 (n_words,)
words, settings   UTF-8 of JSON, uint8
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError
from fastw2v.gensim.arguments import saved
from fastw2v.gensim.faults import ArgumentError, OtherFileError
from fastw2v.system.files import atomic_writer

if TYPE_CHECKING:
    from fastw2v.gensim.model import Model

Kind = TypeVar("Kind", bound="Model")
FORMAT = "fastw2v gensim {} 1"
STATE = ("corpus_count", "corpus_total_words", "effective_min_count", "train_count", "total_train_time")


def as_json(value: Any) -> NDArray[np.uint8]:
    """A value as the bytes of its JSON. Raises ArgumentError for what has none."""
    try:
        return np.frombuffer(json.dumps(value, default=plain).encode(), np.uint8)
    except TypeError as error:
        raise ArgumentError(
            f"the model cannot be saved ({error}): set numbers, texts and None only"
        ) from None


def plain(value: Any) -> Any:
    """A NumPy number as Python's; TypeError for others."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a {type(value).__name__} is no setting")


def from_json(stored: NDArray[np.uint8]) -> Any:
    """What `as_json` was given."""
    return json.loads(stored.tobytes())


def format_of(kind: type[Model]) -> str:
    """What files of such a model say that they are: the class of the package that it is, or comes from."""
    name = next(base.__name__ for base in kind.__mro__ if base.__module__.startswith("fastw2v."))
    return FORMAT.format(name)


def save(model: Model, path: Path) -> None:
    """Write a model; the file appears complete or not at all. Raises OutputError."""
    vocabulary = model.vocabulary or Vocabulary([], np.zeros(0, np.int64))
    settings = {name: getattr(model, name) for name in (*saved(model.ARGUMENTS), *STATE)}
    inputs = model.inputs()
    arrays: dict[str, Any] = {
        "settings": as_json({"format": format_of(type(model)), **settings}),
        "words": as_json(vocabulary.words),
        "counts": vocabulary.counts,
        "center": np.concatenate(inputs) if len(inputs) > 1 else inputs[0],
        "outside": model.outside_vectors,
    }
    with atomic_writer(path) as file:
        np.savez(file, **arrays)


def arrays_of(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Some arrays of an npz file. Raises OtherFileError where they are not there, and for pickles."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); give a saved file") from None
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise OtherFileError(
            f"{path}: is not what this class of fastw2v.gensim saved ({str(error).splitlines()[0][:80]}); "
            "gensim's own files are pickles, which run code: load them there, and wv.save_word2vec_format"
        ) from None


def load(kind: type[Kind], path: Path) -> Kind:
    """Read a model. Raises CorpusError for a file that is none."""
    parts = arrays_of(path, ("settings", "words", "counts", "center", "outside"))
    settings, words = from_json(parts["settings"]), from_json(parts["words"])
    known = format_of(kind)
    if settings["format"] != known:
        raise CorpusError(f"{path}: is of format {settings['format']!r}: this class reads {known!r}")
    model = made(kind, settings)
    for name in STATE:
        setattr(model, name, settings[name])
    if words:
        fill(model, Vocabulary(words, parts["counts"]), parts["center"], parts["outside"])
    return model


def made(kind: type[Kind], settings: Mapping[str, Any]) -> Kind:
    """A model without words, of these settings, and gensim's defaults where there is none."""
    model = kind.__new__(kind)
    for name in saved(kind.ARGUMENTS):
        setattr(model, name, settings.get(name, kind.ARGUMENTS[name]))
    model.prepare()
    return model


def fill(
    model: Model, vocabulary: Vocabulary, rows: NDArray[np.float32], outside: NDArray[np.float32]
) -> None:
    """Give a model its words, rows of V, and U."""
    model.vocabulary, model.outside_vectors = vocabulary, outside
    model.wv = model.keyed(vocabulary.words, rows, vocabulary.counts)
