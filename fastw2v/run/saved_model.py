"""A model in a folder: all that training on other texts goes on with.

    DIR/center.npy  outside.npy   float32 (n_words, dim), V and U of CS224n
        ngrams.npy                of words of n-grams float32 (n_words + buckets, dim): the own row of each
                                  word, then the buckets; center.npy has the means of them
        words.parquet             word, count: of all texts; the first n_words are those of the rows, the
                                  others are too rare so far; of a stream more, for another one to go on by
        model.json                options, what was trained, sizes and checksums of the other files

It is written complete or not at all, and read only if it is what was written; nothing is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.tally import Tally
from fastw2v.errors import OutputError, UsageError
from fastw2v.model.ngrams import Spans
from fastw2v.options.subwords import lengths_of
from fastw2v.system.files import atomic_folder, require_writable
from fastw2v.training.checkpoint.manifest import with_earlier
from fastw2v.training.checkpoint.matrices import read_matrix, write_matrix
from fastw2v.training.checkpoint.sealed import check_file, damage_told, read_fields, write_fields
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.ngrams import InputRows
from fastw2v.version import __version__

FORMAT = 1
MANIFEST, KEY = "model.json", "model"
MATRICES = ("center.npy", "outside.npy")
NGRAMS = "ngrams.npy"
WORDS = "words.parquet"
FILES = (*MATRICES, WORDS)
MAX_BYTES = 1 << 26  # of the manifest: lists of words to keep are in it


class Training(NamedTuple):
    """One training that made a model.

    words    of its text, those out of the vocabulary too
    tokens   in the vocabulary, of all epochs
    lr       its step size at the start; None where a clock chose it
    fastw2v  the version that trained
    """

    words: int
    tokens: int
    lr: float | None
    fastw2v: str = __version__


class SavedModel(NamedTuple):
    """A model in a folder whose files are what its manifest says.

    options    names and JSON values of those that texts trained later are trained with, too
    trainings  of the texts so far, the first one first
    n_words    rows of the matrices
    manifest   the bytes of its manifest
    stream     numbers of a training without end, which another one goes on by; empty of any other model
    """

    path: Path
    options: dict[str, Any]
    trainings: list[Training]
    n_words: int
    manifest: bytes
    stream: Mapping[str, int] = MappingProxyType({})

    @property
    def n_tokens(self) -> int:
        """Trained so far, in all epochs of all texts."""
        return sum(training.tokens for training in self.trainings)

    def tally(self) -> Tally:
        """The counts of all words. Raises CorpusError."""
        tally = Tally.read(self.path / WORDS)
        with damage_told(self.path, "the model"):
            if not 0 < self.n_words <= len(tally):
                raise ValueError(f"{self.n_words} rows of {len(tally)} words")
        return tally

    def words(self) -> frozenset[str]:
        """Those that have vectors. Raises CorpusError."""
        return frozenset(self.tally().words[: self.n_words].to_pylist())

    def embeddings(self) -> Embeddings:
        """Both matrices, with the words of their rows and their counts.

        Raises CorpusError, also where another model took the place of this one meanwhile.
        """
        tally, dim, spans = self.tally(), self.options["dim"], spans_in(self.options)
        center, outside = (self._matrix(name, self.n_words, dim) for name in MATRICES)
        made_of = None
        if spans:
            made_of = InputRows(spans, self._matrix(NGRAMS, self.n_words + spans.n_buckets, dim))
        with damage_told(self.path, "the model"):
            if (self.path / MANIFEST).read_bytes() != self.manifest:
                raise ValueError("it was replaced by another one while the text was read")
        words = tally.words[: self.n_words].to_pylist()
        return Embeddings(words, center, outside, tally.counts[: self.n_words], made_of)

    def _matrix(self, name: str, n_rows: int, dim: int) -> NDArray[np.float32]:
        matrix = np.empty((n_rows, dim), np.float32)
        read_matrix(self.path / name, matrix)
        return matrix


def spans_in(options: Mapping[str, Any]) -> Spans | None:
    """The n-grams of a model with these options; None where words are whole. Raises UsageError for none."""
    lengths = options["subwords"]
    return None if lengths is None else Spans(*lengths_of(lengths), int(options["buckets"]))


def read_model(path: Path) -> SavedModel:
    """The model in a folder, after all of its files were compared with their checksums.

    Raises UsageError where there is none, CorpusError for one that is damaged, incomplete or of another
    format.
    """
    if not (path / MANIFEST).is_file():
        raise UsageError(f"{path} holds no model ({MANIFEST}): give a folder that --save-model wrote")
    with damage_told(path, "the model"):
        manifest = (path / MANIFEST).read_bytes()
        fields = read_fields(path / MANIFEST, KEY, FORMAT, FILES, MAX_BYTES)
        options = {"subwords": None, **with_earlier(fields["options"]), "dim": int(fields["options"]["dim"])}
        if spans_in(options):
            check_file(path / NGRAMS, fields["files"][NGRAMS])
        trainings = [
            Training(int(one["words"]), int(one["tokens"]), one["lr"], str(one["fastw2v"]))
            for one in fields["trainings"]
        ]
        stream = {str(name): int(value) for name, value in fields.get("stream", {}).items()}
        return SavedModel(path, options, trainings, int(fields["n_words"]), manifest, stream)


def write_model(
    path: Path,
    embeddings: Embeddings,
    tally: Tally | None,
    options: Mapping[str, Any],
    trainings: list[Training],
    stream: Mapping[str, int] | None = None,
) -> None:
    """Write a model; one that is there is replaced once the new one is complete.

    embeddings   both matrices, and rows of n-grams if words are made of them, in the order of the tally
    tally        of all words; None where nothing is known but the words of the vocabulary

    Raises OutputError.
    """
    assert embeddings.outside_vectors is not None
    if tally is None:
        tally = Tally(embeddings.words, embeddings.counts if embeddings.counts is not None else ())
    fields = {
        "format": FORMAT,
        "fastw2v": __version__,
        "options": dict(options),
        "trainings": [training._asdict() for training in trainings],
        "n_words": len(embeddings),
        **({"stream": dict(stream)} if stream else {}),
    }
    with atomic_folder(Path(os.path.realpath(path)), replaces=True) as folder:  # a link stays one
        matrices = dict(zip(MATRICES, (embeddings.center_vectors, embeddings.outside_vectors), strict=True))
        if embeddings.made_of:
            matrices[NGRAMS] = embeddings.made_of.rows
        for name, matrix in matrices.items():
            write_matrix(folder / name, matrix)
        tally.write(folder / WORDS)
        write_fields(folder / MANIFEST, KEY, fields, [*matrices, WORDS])


def require_place(path: Path) -> None:
    """Raise OutputError where no model can be written: only a model or an empty folder is replaced."""
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path}: is a file; give the name of a folder to --save-model")
    if path.is_dir() and not (path / MANIFEST).is_file() and any(path.iterdir()):
        raise OutputError(f"{path}: is a folder of other files; give another name to --save-model")
    require_writable(path.parent / f".{MANIFEST}")
