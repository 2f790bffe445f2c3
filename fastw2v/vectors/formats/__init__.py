"""Word-vector files that other tools read; each format is a module.

Readers take nothing on trust: sizes are checked against the file before memory is taken, nothing is
unpickled, and whatever does not fit is a CorpusError that says where.
"""

from __future__ import annotations

import gzip
import logging
import lzma
import os
import re
import stat
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.vocabulary import read_counts
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.options import checks
from fastw2v.options.synonyms import require_known
from fastw2v.vectors.embeddings import Embeddings, Which, select_vectors
from fastw2v.vectors.formats.binary import read_binary, write_binary
from fastw2v.vectors.formats.common import READ_BYTES, Source, VectorTable, first_not_finite
from fastw2v.vectors.formats.fasttext import BREAKS, START, read_fasttext, write_fasttext
from fastw2v.vectors.formats.int8 import int8_paths, read_int8, write_int8
from fastw2v.vectors.formats.npy import read_npy, vocabulary_path, write_npy
from fastw2v.vectors.formats.packed import START_BYTES, packing
from fastw2v.vectors.formats.packed import SUFFIXES as PACKED_SUFFIXES
from fastw2v.vectors.formats.parquet import read_parquet, write_parquet
from fastw2v.vectors.formats.product import read_pq, write_pq
from fastw2v.vectors.formats.projector import metadata_path, write_projector
from fastw2v.vectors.formats.static_model import read_static_model, static_model_paths, write_static_model
from fastw2v.vectors.formats.text import read_text, write_text
from fastw2v.vectors.formats.tokens import (
    LINE_BREAKS,
    SURROGATES,
    WHITE_SPACE,
    check_tokens,
    escape_token,
    first_repeated,
    shown,
)

__all__ = ["Format", "check_words", "detect_format", "load", "output_paths", "save"]

Format = Literal["text", "binary", "fasttext", "npy", "int8", "pq", "parquet", "safetensors", "tsv"]


class _Kind(NamedTuple):
    """What a format can do.

    suffixes   names that mean it
    write      writes a table
    read       reads a source; None for a format that is only written
    paths      every file that belongs to a main one
    unsafe     characters that its words cannot have
    halves     whether it can hold float16
    counts     whether it can hold the counts of words
    ngrams     whether it holds n-grams and, so, vectors as they were trained only
    """

    suffixes: tuple[str, ...]
    write: Callable[[VectorTable], None]
    read: Callable[[Source], Embeddings] | None
    paths: Callable[[Path], list[Path]] = lambda path: [path]
    unsafe: re.Pattern[str] = WHITE_SPACE
    halves: bool = False
    counts: bool = False
    ngrams: bool = False


KINDS: dict[Format, _Kind] = {
    "text": _Kind((".txt", ".vec"), write_text, read_text),
    "binary": _Kind((".bin",), write_binary, read_binary),
    "fasttext": _Kind((".fasttext",), write_fasttext, read_fasttext, unsafe=BREAKS, counts=True, ngrams=True),
    "npy": _Kind(
        (".npy",), write_npy, read_npy, lambda path: [path, vocabulary_path(path)], halves=True, counts=True
    ),
    "int8": _Kind((".int8.npy",), write_int8, read_int8, int8_paths, counts=True),
    "pq": _Kind((".faiss",), write_pq, read_pq, lambda path: [path, vocabulary_path(path)], counts=True),
    "parquet": _Kind((".parquet",), write_parquet, read_parquet, unsafe=SURROGATES, halves=True, counts=True),
    "safetensors": _Kind(
        (".safetensors",), write_static_model, read_static_model, static_model_paths, halves=True
    ),
    "tsv": _Kind(
        (".tsv",),
        write_projector,
        None,
        lambda path: [path, metadata_path(path)],
        unsafe=LINE_BREAKS,
        counts=True,
    ),
}
SAVING = ("format", "escape", "vectors", "remove_components", "normalize", "float16", "pq_bytes")
LOADING = ("format", "unescape", "limit", "errors")
SUFFIXES = {suffix: format for format, kind in KINDS.items() for suffix in kind.suffixes}


def by_name(path: Path) -> Format | None:
    """The format that the end of a name means, by the longest suffix that fits; None for any other."""
    name = path.name.lower()
    fitting = [suffix for suffix in SUFFIXES if name.endswith(suffix) and name != suffix]
    return SUFFIXES[max(fitting, key=len)] if fitting else None


def detect_format(path: Path, format: str | None = None, default: Format | None = None) -> Format:
    """`format` if given, else by the suffix: .txt and .vec text, .bin binary, …; else `default`.

    A .bin that is fastText's is found by what it begins with, once it is read.

    Raises UsageError for another suffix where there is no default.
    """
    known: tuple[Format, ...] = get_args(Format)
    if format is not None:
        checks.choice("format", format, known)
    given = next((one for one in known if one == format), None)
    detected = given or by_name(path) or default
    if detected is None:
        raise UsageError(
            f"{path}: the suffix {path.suffix!r} names no format; use {', '.join(SUFFIXES)} or give --format"
        )
    return detected


def output_paths(path: Path, format: str | None = None) -> list[Path]:
    """Every file that `save` writes for `path`, to be probed before training.

    Raises UsageError for a name that its format cannot have.
    """
    return KINDS[detect_format(path, format)].paths(path)


def check_words(words: Sequence[str], format: Format, *, escape: bool = False) -> None:
    """Raise UsageError naming the first word that a file of this format cannot carry."""
    broken = [word for word in words if not word or BREAKS.search(word)] if KINDS[format].ngrams else []
    if broken:
        raise UsageError(
            f"token {shown(broken[0])} is empty, or holds white space or a zero, which fastText's files "
            "cannot carry, and escaped it would have other n-grams; use format parquet, which has none"
        )
    check_tokens(words, escape=escape, unsafe=KINDS[format].unsafe)


def save(
    path: str | Path,
    embeddings: Embeddings,
    *,
    format: str | None = None,
    escape: bool = False,
    vectors: Which = "center",
    remove_components: int | None = None,
    normalize: bool = False,
    float16: bool = False,
    **others: Any,
) -> None:
    """Write word vectors; each file appears complete or not at all.

    format      text, binary, fasttext, npy, int8, pq, parquet, safetensors or tsv; by default from the suffix
    escape      write white space in words as backslash escapes
    vectors     center, outside, their sum, or both concatenated
    remove_components  subtract the mean of all vectors and so many of their principal components
    normalize   then scale each vector to length 1
    float16     write numbers of 16 bits; npy, parquet and safetensors only
    pq_bytes    of a word in format pq, which cut its numbers in so many equal parts; by default dim/4 or less

    Raises UsageError for words or numbers the format cannot carry or a missing matrix, OutputError for
    numbers that are not finite and for everything the disk refuses.
    """
    require_known(others, SAVING, "save")
    path = _checked_path(path)
    if not isinstance(embeddings, Embeddings):
        raise checks.refuse("embeddings", embeddings, "Embeddings, which fastw2v.load and fastw2v.train give")
    escape, normalize = checks.flag("escape", escape), checks.flag("normalize", normalize)
    checks.choice("vectors", vectors, get_args(Which))
    detected, pq_bytes = detect_format(path, format), others.get("pq_bytes")
    if pq_bytes is not None:
        require_pq_bytes(detected, pq_bytes)
    if checks.flag("float16", float16):
        require_halves(detected)
    if KINDS[detected].ngrams:
        form = {"vectors": vectors, "remove_components": remove_components, "normalize": normalize}
        require_as_trained(detected, form | {"escape": escape}, has_ngrams=embeddings.made_of is not None)
    if vectors == "outside" and embeddings.outside_words is not None:
        embeddings, vectors = embeddings.of_outside(), "center"
    check_words(embeddings.words, detected, escape=escape)
    matrix = select_vectors(embeddings, vectors, remove_components=remove_components, normalize=normalize)
    _require_finite(path, embeddings.words, matrix, "train with a lower --lr")
    if float16:
        with np.errstate(over="ignore"):  # found on the next line
            matrix = matrix.astype(np.float16)
        _require_finite(path, embeddings.words, matrix, "leave out --float16 or add --normalize")
    words = [escape_token(word) for word in embeddings.words] if escape else embeddings.words
    KINDS[detected].write(VectorTable(path, words, matrix, embeddings.counts, embeddings, pq_bytes))


def _checked_path(path: str | Path) -> Path:
    """The name of a file; raises UsageError for what is none, such as an open file or None."""
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise checks.refuse("path", path, "the name of a file, a str or a Path")
    return Path(path)


def require_halves(format: Format) -> None:
    """Raise UsageError for a format that cannot hold float16."""
    if not KINDS[format].halves:
        able = ", ".join(name for name, kind in KINDS.items() if kind.halves)
        raise UsageError(f"format {format} holds no float16; use {able} or leave out --float16")


def require_pq_bytes(format: Format, pq_bytes: int) -> None:
    """Raise UsageError for bytes of a code that are no number, or of a format that has no codes."""
    checks.whole("pq_bytes", pq_bytes, 1, checks.NO_LIMIT)
    if format != "pq":
        raise UsageError(f"format {format} has no codes: leave --pq-bytes out, or give --to pq")


def require_as_trained(format: Format, form: Mapping[str, Any], *, has_ngrams: bool) -> None:
    """Raise UsageError for a form that a format of n-grams cannot have, and for vectors without n-grams."""
    if not has_ngrams:
        raise UsageError(
            f"format {format} is for vectors that are made of n-grams, and these are of whole words: train "
            "with --subwords 3-6, or use format binary"
        )
    plain = {"vectors": "center", "remove_components": None, "normalize": False, "escape": False}
    for name, value in form.items():
        if name in plain and value != plain[name]:
            given = f"--{name.replace('_', '-')}" + f" {value}" * (value is not True)
            raise UsageError(
                f"format {format} holds what was trained as it is: leave {given} out, or use another format"
            )


def require_counts(format: Format) -> None:
    """Raise UsageError for a format that cannot hold counts."""
    if not KINDS[format].counts:
        able = ", ".join(name for name, kind in KINDS.items() if kind.counts)
        raise UsageError(f"format {format} holds no counts; use {able} or leave out --read-vocab")


def counts_line(embeddings: Embeddings, format: Format) -> str | None:
    """What to tell where counts are unknown to a format that holds them, or known to one that does not."""
    if KINDS[format].counts and embeddings.counts is None:
        return (
            "the counts of words are unknown and left out: --read-vocab FILE of 'word count' lines gives them"
        )
    if not KINDS[format].counts and embeddings.counts is not None:
        able = ", ".join(name for name, kind in KINDS.items() if kind.counts)
        return f"the counts of words are left out: format {format} holds none, {able} do"
    return None


def with_counts(embeddings: Embeddings, path: Path, *, escape: bool = False) -> Embeddings:
    """The embeddings with the counts that a vocabulary file has of their words, matched by name.

    Raises CorpusError for a file that cannot be read, UsageError for a word that is not in it.
    """
    counts = read_counts([path])
    names = [escape_token(word) if escape and word not in counts else word for word in embeddings.words]
    missing = [word for word in names if word not in counts]
    if missing:
        raise UsageError(
            f"{path} has no count of {shown(missing[0])}, nor of {len(missing) - 1:,} other words of "
            f"{len(names):,}; give the file that train --save-vocab wrote with these vectors"
        )
    return replace(embeddings, counts=np.array([counts[name] for name in names], np.int64))


def ngrams_line(has_ngrams: bool, format: Format) -> str | None:
    """What to tell where a format leaves the n-grams of vectors out."""
    if not has_ngrams or KINDS[format].ngrams:
        return None
    return f"format {format} leaves n-grams out: with --format fasttext unseen words have vectors too"


def _require_finite(path: Path, words: Sequence[str], matrix: NDArray[np.floating], cure: str) -> None:
    if (row := first_not_finite(matrix)) is not None:
        raise OutputError(
            f"{path}: the vector of {shown(words[row])} is not finite in {matrix.dtype}; {cure}"
        )


def load(
    path: str | Path,
    *,
    format: str | None = None,
    unescape: bool = False,
    limit: int | None = None,
    errors: Literal["strict", "replace"] = "strict",
    **others: Any,
) -> Embeddings:
    """Read word vectors that `save`, word2vec, gensim or model2vec wrote.

    format     text, binary, fasttext, npy, int8, pq, parquet or safetensors; by default from the suffix, and
               a .bin of fastText by what it begins with
    unescape   undo the escapes of `save(escape=True)`
    limit      read the first `limit` words only
    errors     "replace" reads words of text and binary files that are not UTF-8, as word2vec.c cuts long
               ones, with U+FFFD in place of what is not

    Text and binary files may be packed by gzip, bzip2, xz or zstd, and text lack its first line, as GloVe's
    does; a word of such a file may hold spaces. Of a word that they hold twice the first is kept,
    and a line says so to the logger `fastw2v`, which is standard error where none is set up.

    Raises CorpusError, saying where, for a file that is missing, cut short, longer than it says, holds a
    word twice in another format, no UTF-8, or numbers that are not finite float32; UsageError for an unknown
    format or one that is only written; OutputError when the memory cannot be had.
    """
    require_known(others, LOADING, "load")
    path, unescape = _checked_path(path), checks.flag("unescape", unescape)
    checks.choice("errors", errors, ("strict", "replace"))
    detected = detect_format(_unpacked_name(path), format)
    read = KINDS[detected].read
    if read is None:
        raise UsageError(f"{path}: a projector's tsv is only written; read the file it was made from")
    limit = None if limit is None else checks.whole("limit", limit, 1, checks.NO_LIMIT)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise CorpusError(f"{path}: is not a file; store the vectors in a file first")
        with path.open("rb", buffering=READ_BYTES) as file:
            size, begins = status.st_size, file.read(START_BYTES)
            packed = packing(begins)
            if format is None and detected == "binary" and begins.startswith(START):
                detected, read = "fasttext", read_fasttext
            file.seek(0)
            if packed:
                if detected not in ("text", "binary"):
                    raise CorpusError(f"{path}: is packed; unpack it first (gunzip, bunzip2, unxz or unzstd)")
                opener, most = packed
                with opener(file) as unpacked:
                    embeddings = read(Source(path, unpacked, most * size, unescape, limit, errors))
            else:
                embeddings = read(Source(path, file, size, unescape, limit, errors))
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise CorpusError(
            f"{path}: cannot be unpacked ({error}); the file is cut short or damaged"
        ) from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if errors == "replace":
        tell_replaced(path, embeddings.words)
    if (repeated := first_repeated(embeddings.words)) is not None:
        if detected in ("text", "binary"):
            return _without_repeated(path, embeddings)
        first, second = (place + 1 for place in repeated)
        word = shown(embeddings.words[second - 1])
        raise CorpusError(f"{path}: {word} is word {first:,} and again word {second:,}; keep one of them")
    return embeddings


def tell_replaced(path: Path, words: Sequence[str]) -> None:
    """A line to the log on words that are not UTF-8."""
    if broken := [word for word in words if "\ufffd" in word]:
        logging.getLogger("fastw2v").warning(
            "%s: %s not UTF-8, such as %s: U+FFFD stands for what is wrong",
            path,
            f"{len(broken):,} words are" if len(broken) > 1 else "1 word is",
            shown(broken[0]),
        )


def _unpacked_name(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in PACKED_SUFFIXES else path


def _without_repeated(path: Path, embeddings: Embeddings) -> Embeddings:
    """The first of equal words, and a line to the log."""
    places: dict[str, int] = {}
    for place, word in enumerate(embeddings.words):
        places.setdefault(word, place)
    first, second = first_repeated(embeddings.words) or (0, 0)
    logging.getLogger("fastw2v").warning(
        "%s: %s is word %s and again word %s; the first of equal words is kept, %s left out",
        path,
        shown(embeddings.words[second]),
        f"{first + 1:,}",
        f"{second + 1:,}",
        f"{len(embeddings) - len(places):,}",
    )
    return Embeddings(list(places), embeddings.center_vectors[list(places.values())])
