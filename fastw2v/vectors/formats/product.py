"""pq: X.faiss, an index of faiss whose vectors are product-quantised (IndexPQ), the words in X.vocab.txt.

A vector is cut in `pq_bytes` parts of equal length, and each part is replaced by the number, one byte, of the
nearest of 256 centroids that k-means found for that part (Jegou, Douze and Schmid 2011, "Product quantization
for nearest neighbor search"). A word takes `pq_bytes` bytes where float32 takes four times the dim. The index
compares by inner products: of vectors that were normalised before they are about cosines.

Reading takes any index of faiss that gives its vectors back, and gives the approximate ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastw2v.errors import OutputError, UsageError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import Source, VectorTable, allocate, check_finite, chunks
from fastw2v.vectors.formats.npy import words_beside, write_words

CENTROIDS = 256  # of each part: what one byte tells apart
PART = 4  # numbers that a byte stands for where nothing is said: a sixteenth of float32


def require_pq(n_words: int, dim: int, pq_bytes: int | None) -> int:
    """The bytes of a word: as given, or the most of those into which dim can be cut, up to dim / 4.

    Raises UsageError for a number that does not divide dim, for fewer words than centroids, and where faiss
    is not installed.
    """
    _faiss()
    if n_words < CENTROIDS:
        raise UsageError(
            f"format pq needs {CENTROIDS} words, one a centroid, not {n_words:,}; use format int8"
        )
    able = [n for n in range(1, dim + 1) if dim % n == 0]
    if pq_bytes is None:
        return max(n for n in able if n <= max(1, dim // PART))
    if pq_bytes not in able:
        near = sorted(sorted(able, key=lambda n: abs(n - pq_bytes))[:4])
        raise UsageError(
            f"--pq-bytes {pq_bytes} cannot cut {dim} numbers in equal parts; "
            f"give one of {', '.join(map(str, near))}"
        )
    return pq_bytes


def write_pq(table: VectorTable) -> None:
    """Find the centroids, encode, and write both files. Raises UsageError as `require_pq` does."""
    n_words, dim = table.matrix.shape
    n_parts = require_pq(n_words, dim, table.pq_bytes)
    faiss = _faiss()
    index = faiss.IndexPQ(dim, n_parts, 8, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.seed = 1  # the same bytes each time
    index.pq.cp.min_points_per_centroid = 1  # else faiss warns on standard output, of few words
    index.do_polysemous_training = False  # of half the time, for a search that few use
    try:
        index.train(table.matrix)
        for _, rows in chunks(table.matrix):
            index.add(np.ascontiguousarray(rows))
        content = faiss.serialize_index(index)
    except MemoryError as error:
        raise OutputError(
            f"{table.path}: the memory for the codes cannot be had; write format int8"
        ) from error
    with atomic_writer(table.path, size=content.nbytes) as file:
        file.write(content.tobytes())
        file.flush()
        write_words(table)


def read_pq(source: Source) -> Embeddings:
    """Read both files; raises CorpusError where they do not fit, UsageError where faiss is missing."""
    faiss = _faiss()
    with _faiss_errors(source):
        index = faiss.deserialize_index(np.frombuffer(source.file.read(), np.uint8))
        n_words, dim = int(index.ntotal), int(index.d)
        if n_words < 1 or dim < 1:
            raise ValueError("no vectors")
        index.reconstruct_n(0, 1)
    words, counts = words_beside(source, n_words)
    matrix = allocate(len(words), dim)
    for start, rows in chunks(matrix):
        with _faiss_errors(source):
            rows[...] = index.reconstruct_n(start, len(rows))
        check_finite(source, words, start, rows)
    return Embeddings(words, matrix, counts=counts)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UsageError("format pq needs faiss: pip install 'fastw2v[faiss]', or use format int8") from error
    return faiss


@contextlib.contextmanager
def _faiss_errors(source: Source) -> Iterator[None]:
    """Turn what faiss raises on bad bytes, and on an index that keeps no vectors, into a CorpusError."""
    try:
        yield
    except (RuntimeError, ValueError, AttributeError, AssertionError, MemoryError) as error:
        reason = " ".join(str(error).split())[-100:]
        raise source.error(
            f"is no index of faiss that gives vectors back ({reason}); write it again"
        ) from error
