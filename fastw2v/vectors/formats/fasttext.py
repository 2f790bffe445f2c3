"""fastText's `.bin`, version 12: rows of words and of their n-grams, so that unseen words have vectors.

    magic, version                                               2 x int32
    dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate t    12 int32, float64
    entries, words, labels; tokens; entries of a pruned dictionary, -1 for none    3 x int32, 2 x int64
    each entry: its bytes, 0; its count; 0 for a word                              bytes, int64, int8
    V: whether it is quantised; its shape; its numbers: words, then buckets        int8, 2 x int64, float32
    U: the same

All little-endian (fastText's src/fasttext.cc, args.cc, dictionary.cc and densematrix.cc). Files from before
2017 have neither magic and version, nor a number of pruned entries, nor a mark of what is quantised.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.model.ngrams import Spans
from fastw2v.options.subwords import LONGEST
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import READ_BYTES, Source, VectorTable, allocate, chunks, first_not_finite
from fastw2v.vectors.formats.tokens import MAX_WORD_BYTES
from fastw2v.vectors.ngrams import InputRows

BREAKS = re.compile(r"[\s\0\ud800-\udfff]")  # a zero ends a word
MAGIC, VERSION = 793712314, 12
START = struct.pack("<i", MAGIC)
HIERARCHICAL, NEGATIVE, CLASSIFIER, SKIP_GRAM = 1, 2, 3, 2  # loss 1 and 2, model 3 and 2
NOT_PRUNED = -1
HEAD, _ENTRY, _SHAPE = struct.Struct("<14id3i2q"), struct.Struct("<qb"), struct.Struct("<?2q")
_OLD, _OLD_SHAPE = struct.Struct("<12id3iq"), struct.Struct("<2q")


class ClassifierError(CorpusError, NotImplementedError):
    """A file holds a classifier, for which gensim raises the second of these."""


class Head(NamedTuple):
    """What a file begins with, as fastText calls it; magic is 0 in one from before 2017."""

    magic: int
    version: int
    dim: int
    ws: int
    epoch: int
    min_count: int
    neg: int
    word_ngrams: int
    loss: int
    model: int
    bucket: int
    minn: int
    maxn: int
    lr_update_rate: int
    t: float
    n_entries: int
    n_words: int
    n_labels: int
    n_tokens: int
    n_pruned: int


class Contents(NamedTuple):
    """A whole file.

    words    in their order, counts int64 (n_words,)
    rows     float32 (n_words + head.bucket, dim)
    outside  float32 (n_words, dim): of words, or of inner nodes where head.loss is HIERARCHICAL
    """

    head: Head
    words: list[str]
    counts: NDArray[np.int64]
    rows: NDArray[np.float32]
    outside: NDArray[np.float32]


def write_fasttext(table: VectorTable) -> None:
    """Write the rows that a table's vectors are made of; U is zeros where it was not kept.

    Options that vectors do not know are fastText's defaults: they matter to nobody who reads the file.
    Unknown counts are 1.
    """
    made_of = table.embeddings.made_of
    if made_of is None:
        raise UsageError(f"{table.path}: the vectors have no n-grams for format fasttext; use binary")
    words, (spans, rows) = table.words, made_of
    if (row := first_not_finite(rows)) is not None:
        raise OutputError(f"{table.path}: row {row + 1:,} of V is not finite; train with a lower --lr")
    counts = np.ones(len(words), np.int64) if table.counts is None else table.counts
    of_words = table.embeddings.outside_vectors
    outside = np.zeros((len(words), rows.shape[1]), np.float32) if of_words is None else of_words
    head = Head(
        *(MAGIC, VERSION, rows.shape[1], 5, 5, int(counts.min()), 5, 1, NEGATIVE, SKIP_GRAM),
        *(spans.n_buckets, spans.shortest, spans.longest, 100, 1e-4),
        *(len(words), len(words), 0, int(counts.sum()), NOT_PRUNED),
    )
    write_contents(table.path, Contents(head, table.words, counts, rows, outside))


def write_contents(path: Path, contents: Contents) -> None:
    """Write a whole file; it appears complete or not at all. Raises OutputError."""
    head, words, counts, rows, outside = contents
    spelt = [word.encode() for word in words]
    size = HEAD.size + sum(map(len, spelt)) + len(words) * (1 + _ENTRY.size)
    with atomic_writer(path, size=size + 2 * _SHAPE.size + rows.nbytes + outside.nbytes) as file:
        file.write(HEAD.pack(*head))
        for word, count in zip(spelt, counts.tolist(), strict=True):
            file.write(word + b"\0" + _ENTRY.pack(count, 0))
        for matrix in (rows, outside):
            file.write(_SHAPE.pack(False, *matrix.shape))
            for _, part in chunks(matrix):
                file.write(part.astype("<f4", copy=False).tobytes())


def read_fasttext(source: Source) -> Embeddings:
    """Read a file of skip-gram or CBOW; raises CorpusError where it is none, or does not fit together.

    Outside vectors are those of the file, but for a hierarchical softmax, whose rows stand for no words.
    """
    head, words, counts, rows, outside = read_contents(source)
    of_words = None if head.loss == HIERARCHICAL else outside
    spans = Spans(max(head.minn, 1), head.maxn, head.bucket)
    if spans.longest < spans.shortest or not head.bucket:
        return Embeddings(words, np.ascontiguousarray(rows[: len(words)]), of_words, counts)
    made_of = InputRows(spans, rows)
    return Embeddings(words, made_of.seen(words), of_words, counts, made_of)


def read_contents(source: Source, spelt: Callable[[bytes, str], str] | None = None) -> Contents:
    """All of a file of skip-gram or CBOW, or the first `source.limit` words of it with all buckets.

    spelt   the word of raw bytes at a place, for messages; by default UTF-8, and no word is empty
    """
    head = _read_head(source)
    words, counts = _read_words(source, head, spelt or source.word)
    n_read = head.n_words if source.limit is None else min(head.n_words, source.limit)
    rows = _read_matrix(source, "V", (head.n_words + head.bucket, head.dim), n_read, head)
    outside = _read_matrix(source, "U", (head.n_words, head.dim), n_read, head)
    if source.file.read(1):
        raise source.error("goes on after its last matrix; it is damaged, or of another format")
    return Contents(head, words[:n_read], counts[:n_read], rows, outside)


def _read_head(source: Source) -> Head:
    """The head, behind which the file then is."""
    raw = source.file.read(HEAD.size)
    is_old = raw[:4] != START
    if len(raw) == HEAD.size:
        head = Head._make((0, 0, *_OLD.unpack_from(raw), NOT_PRUNED) if is_old else HEAD.unpack(raw))
    if len(raw) < HEAD.size or (is_old and not _fits(head, source.size)):
        raise source.error("is no file of fastText; use its .vec with --format text")
    if is_old:
        source.file.seek(_OLD.size)
    if head.version > VERSION:
        raise source.error(f"is of version {head.version}, and up to {VERSION} is known; use its .vec")
    if head.model == CLASSIFIER or head.n_labels > 0 or head.n_pruned > 0:
        error = source.error("is a classifier, not vectors of words; use one of fasttext skipgram or cbow")
        raise ClassifierError(str(error))
    if not _fits(head, source.size):
        raise source.error(
            f"declares {head.n_words:,} words of dim {head.dim:,}, {head.bucket:,} buckets and n-grams up to "
            f"{head.maxn:,}, which {source.size:,} bytes cannot hold; the file is cut short or damaged"
        )
    return head


def _fits(head: Head, size: int) -> bool:
    """Whether a file of this size can hold what a head declares; one of labels holds more than words."""
    sizes = (head.dim, head.n_words, head.bucket + 1, head.n_entries == head.n_words or head.n_labels > 0)
    smallest = 4 * head.dim * (2 * head.n_words + head.bucket) + head.n_words * (1 + _ENTRY.size)
    return min(sizes) >= 1 and head.maxn <= LONGEST and smallest <= size


def _read_words(
    source: Source, head: Head, spelt: Callable[[bytes, str], str]
) -> tuple[list[str], NDArray[np.int64]]:
    """The words of the dictionary and their counts; the file is then where the dictionary ends."""
    words, counts = [], np.empty(head.n_words, np.int64)
    buffer, start, position = b"", 0, HEAD.size if head.magic else _OLD.size
    for i in range(head.n_words):
        end = buffer.find(b"\0", start)
        while end < 0 or end + 1 + _ENTRY.size > len(buffer):
            more = source.file.read(READ_BYTES)
            if not more or len(buffer) - start > MAX_WORD_BYTES:
                raise source.error(f"ends within word {i + 1:,} of {head.n_words:,}; the file is damaged")
            position, buffer, start = position + start, buffer[start:] + more, 0
            end = buffer.find(b"\0")
        words.append(spelt(buffer[start:end], f"word {i + 1:,}"))
        counts[i], _ = _ENTRY.unpack_from(buffer, end + 1)
        start = end + 1 + _ENTRY.size
    source.file.seek(position + start)
    return words, counts


def _read_matrix(
    source: Source, name: str, shape: tuple[int, int], n_read: int, head: Head
) -> NDArray[np.float32]:
    """A matrix, of whose first rows, of words, only n_read are kept."""
    n_words, kind = head.n_words, _SHAPE if head.magic else _OLD_SHAPE
    raw = source.file.read(kind.size)
    if len(raw) < kind.size:
        raise source.error(f"ends before {name}; the file is cut short")
    *is_quantised, n_rows, dim = kind.unpack(raw)
    if any(is_quantised):
        raise source.error(f"{name} is quantised; use the .bin that it was made from")
    if (n_rows, dim) != shape:
        raise source.error(f"{name} is of {n_rows:,} x {dim:,} where {shape[0]:,} x {shape[1]:,} fit")
    matrix = allocate(n_read + shape[0] - n_words, shape[1])
    for first, end, left_out in ((0, n_read, n_words - n_read), (n_read, len(matrix), 0)):
        for _, part in chunks(matrix[first:end]):
            read = source.file.read(part.nbytes)
            if len(read) < part.nbytes:
                raise source.error(f"ends within {name}; the file is cut short")
            part[...] = np.frombuffer(read, "<f4").reshape(part.shape)
        source.file.seek(4 * left_out * shape[1], 1)
    if (row := first_not_finite(matrix)) is not None:
        raise source.error(f"row {row + 1:,} of {name} is not finite in float32; the file is damaged")
    return matrix
