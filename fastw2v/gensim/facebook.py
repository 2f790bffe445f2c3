"""fastText's own `.bin`, as gensim's functions of these names read and write it."""

from __future__ import annotations

import codecs
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError
from fastw2v.gensim.fasttext import FastText
from fastw2v.gensim.faults import ArgumentError, VocabularyError, warn
from fastw2v.gensim.store import fill, made
from fastw2v.vectors.formats import check_words
from fastw2v.vectors.formats.common import READ_BYTES, Source
from fastw2v.vectors.formats.fasttext import (
    HIERARCHICAL,
    MAGIC,
    NEGATIVE,
    NOT_PRUNED,
    SKIP_GRAM,
    VERSION,
    Contents,
    Head,
    read_contents,
    write_contents,
)
from fastw2v.vectors.formats.packed import START_BYTES, packing

CBOW = 1  # of Head.model


def load_facebook_model(path: str | Path, encoding: str = "utf-8") -> FastText:
    """A FastText, from which training goes on, of a `.bin` of fastText's, old ones and packed ones too.

    Words that are not of this encoding have backslash escapes, and a warning says so. alpha is gensim's
    default: the file has none.

    Raises CorpusError for a file that is none, cut short or damaged, and for classifiers.
    """
    head, words, counts, rows, outside = _read(Path(path), encoding)
    settings = {
        "vector_size": head.dim,
        "window": head.ws,
        "epochs": head.epoch,
        "min_count": head.min_count,
        "negative": head.neg,
        "hs": int(head.loss == HIERARCHICAL),
        "sg": int(head.model == SKIP_GRAM),
        "bucket": head.bucket,
        "min_n": head.minn,
        "max_n": head.maxn,
        "sample": head.t,
    }
    model = made(FastText, settings)
    model.check()
    model.corpus_total_words, model.corpus_count = head.n_tokens, 0
    fill(model, Vocabulary(words, counts), rows, in_order(outside, head.loss == HIERARCHICAL))
    return model


def load_facebook_vectors(path: str | Path, encoding: str = "utf-8") -> Any:
    """The FastTextKeyedVectors of such a file."""
    return load_facebook_model(path, encoding).wv


def save_facebook_model(
    model: FastText,
    path: str | Path,
    encoding: str = "utf-8",
    lr_update_rate: int = 100,
    word_ngrams: int = 1,
) -> None:
    """Write a model to a `.bin` that fastText and gensim load; it appears complete or not at all.

    lr_update_rate, word_ngrams   what the file says of them, which nobody who reads vectors uses

    Raises UsageError for a model without words, or with words that the file cannot carry; OutputError.
    """
    if codecs.lookup(encoding).name != "utf-8":
        raise ArgumentError(f"encoding={encoding!r}: fastText's files, and their n-grams, are of UTF-8")
    if model.vocabulary is None or not len(model.vocabulary):
        raise VocabularyError("the model has no words to write: call build_vocab first")
    words, counts = model.vocabulary.words, model.vocabulary.counts
    check_words(words, "fasttext")
    rows = np.concatenate(model.inputs())
    fields = [MAGIC, VERSION, model.vector_size, model.window, model.epochs, model.min_count, model.negative]
    fields += [word_ngrams, HIERARCHICAL if model.hs else NEGATIVE, SKIP_GRAM if model.sg else CBOW]
    fields += [model.bucket, model.min_n, model.max_n, lr_update_rate]
    n_tokens = int(model.corpus_total_words or counts.sum())
    head = Head._make([*fields, float(model.sample), len(words), len(words), 0, n_tokens, NOT_PRUNED])
    outside = in_order(model.outside_vectors, bool(model.hs))
    write_contents(Path(path), Contents(head, words, counts, rows, outside))


def in_order(outside: Any, is_hierarchical: bool) -> Any:
    """U as fastText has it, or from there: inner nodes are numbered from the root here, there towards it."""
    if not is_hierarchical:
        return outside
    return np.concatenate([outside[-2::-1], outside[-1:]])  # the last row stands for no node


def _read(path: Path, encoding: str) -> Contents:
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ArgumentError(
            f"encoding={encoding!r} is not known: give utf-8, or what the file is of"
        ) from None
    escaped: list[str] = []

    def spelt(raw: bytes, place: str) -> str:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            escaped.append(raw.decode(encoding, errors="backslashreplace"))
            return escaped[-1]

    try:
        with ExitStack() as stack:
            file: Any = stack.enter_context(path.open("rb", buffering=READ_BYTES))
            size, packed = path.stat().st_size, packing(file.read(START_BYTES))
            file.seek(0)
            if packed:
                file, size = stack.enter_context(packed[0](file)), packed[1] * size
            contents = read_contents(Source(path, file, size, False, None), spelt)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if escaped:
        warn(f"{path}: {len(escaped):,} words are not of {encoding}, such as {escaped[0]!r}")
    return contents
