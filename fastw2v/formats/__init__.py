"""Word-vector files that other tools read: word2vec text, word2vec binary, and npy with a vocabulary.

Each format is a module. Readers take nothing on trust: sizes are checked against the file before memory is
taken, nothing is unpickled, and whatever does not fit is a CorpusError that says where.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fastw2v.embeddings import Embeddings
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.formats.binary import read_binary, write_binary
from fastw2v.formats.common import READ_BYTES, Source, chunks
from fastw2v.formats.npy import read_npy, vocabulary_path, write_npy
from fastw2v.formats.text import read_text, write_text
from fastw2v.formats.tokens import check_tokens, escape_token, first_repeated, shown

__all__ = ["Format", "Which", "check_tokens", "detect_format", "load", "output_paths", "save"]

Format = Literal["text", "binary", "npy"]
Which = Literal["center", "outside"]

SUFFIXES: dict[str, Format] = {".txt": "text", ".vec": "text", ".bin": "binary", ".npy": "npy"}


def detect_format(path: Path, format: str | None = None, default: Format | None = None) -> Format:
    """`format` if given, else by the suffix: .txt and .vec text, .bin binary, .npy npy; else `default`.

    Raises UsageError for another suffix where there is no default.
    """
    known: tuple[Format, ...] = get_args(Format)
    if format is not None and format not in known:
        raise UsageError(f"format {format!r} is unknown; use {', '.join(known)}")
    detected = format or SUFFIXES.get(path.suffix.lower(), default)
    if detected is None:
        raise UsageError(
            f"{path}: the suffix {path.suffix!r} names no format; use {', '.join(SUFFIXES)} or give --format"
        )
    return detected


def output_paths(path: Path, format: str | None = None) -> list[Path]:
    """Every file that `save` writes for `path`, to be probed before training."""
    return [path, vocabulary_path(path)] if detect_format(path, format) == "npy" else [path]


def save(
    path: Path,
    embeddings: Embeddings,
    *,
    format: str | None = None,
    escape: bool = False,
    which: Which = "center",
) -> None:
    """Write word vectors; each file appears complete or not at all.

    format   text, binary or npy; by default from the suffix
    escape   write white space in words as backslash escapes
    which    the matrix to write: center or outside

    Raises UsageError for words the format cannot carry or a missing matrix, OutputError for numbers that
    are not finite and for everything the disk refuses.
    """
    detected = detect_format(path, format)
    matrix = embeddings.center_vectors if which == "center" else embeddings.outside_vectors
    if matrix is None:
        raise UsageError(
            "outside vectors were not kept; train with --save-outside or write the centre vectors"
        )
    check_tokens(embeddings.words, escape=escape)
    _require_finite(path, embeddings.words, matrix)
    words = [escape_token(word) for word in embeddings.words] if escape else embeddings.words
    if detected == "text":
        write_text(path, words, matrix)
    elif detected == "binary":
        write_binary(path, words, matrix)
    else:
        write_npy(path, words, matrix, embeddings.counts)


def _require_finite(path: Path, words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    for start, chunk in chunks(matrix):
        finite = np.isfinite(chunk).all(axis=1)
        if not finite.all():
            word = words[start + int(np.argmin(finite))]
            raise OutputError(f"{path}: the vector of {shown(word)} is not finite; train with a lower --lr")


def load(
    path: Path, *, format: str | None = None, unescape: bool = False, limit: int | None = None
) -> Embeddings:
    """Read word vectors that `save`, word2vec or gensim wrote.

    format     text, binary or npy; by default from the suffix
    unescape   undo the escapes of `save(escape=True)`
    limit      read the first `limit` words only

    Raises CorpusError, saying where, for a file that is missing, cut short, longer than it says, holds a
    word twice, no UTF-8, or numbers that are not finite float32; UsageError for an unknown format;
    OutputError when the memory cannot be had.
    """
    detected = detect_format(path, format)
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}: it must be at least 1")
    read = {"text": read_text, "binary": read_binary, "npy": read_npy}[detected]
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(f"{path}: is not a file; store the vectors in a file first")
        with path.open("rb", buffering=READ_BYTES) as file:
            embeddings = read(Source(path, file, status.st_size, unescape, limit))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if (repeated := first_repeated(embeddings.words)) is not None:
        first, second = (place + 1 for place in repeated)
        word = shown(embeddings.words[second - 1])
        raise CorpusError(f"{path}: {word} is word {first:,} and again word {second:,}; keep one of them")
    return embeddings
