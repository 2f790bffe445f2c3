"""What tells the ids and sentences of a corpus from those of any other, however many processes hold them.

A SHA-256 of the SHA-256 of every CHUNK_TOKENS tokens, so that each process hashes what it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import forget

CHUNK_TOKENS = 1 << 16


def chunk_digests(
    ids: NDArray[np.int32], ends: NDArray[np.int64], beside: Sequence[NDArray[Any]] = ()
) -> NDArray[np.uint8]:
    """The SHA-256 of each chunk, uint8 (n_chunks, 32); the last chunk may be shorter.

    ids    int32 (n_tokens,), from the beginning of a chunk on
    ends   int64 (n_sentences,), where their sentences end, in tokens from there
    beside arrays (n_sentences,) of what these have beside their words: weights float32, targets int32
    """
    starts = range(0, len(ids), CHUNK_TOKENS)
    digests = np.empty((len(starts), 32), np.uint8)
    bounds = np.searchsorted(ends, [*starts, len(ids)], "right").tolist()
    for number, start in enumerate(starts):
        part = ids[start : start + CHUNK_TOKENS]
        digest = hashlib.sha256(np.ascontiguousarray(part, "<i4").data)
        own_ends = ends[bounds[number] : bounds[number + 1]] - start
        digest.update(np.ascontiguousarray(own_ends, "<i8").data)
        for array in beside:
            own, kind = array[bounds[number] : bounds[number + 1]], array.dtype.newbyteorder("<")
            digest.update(kind.str.encode() + own.astype(kind).tobytes())
        digests[number] = np.frombuffer(digest.digest(), np.uint8)
        forget(part)
    return digests


def fingerprint(digests: NDArray[np.uint8], n_words_read: int) -> str:
    """Of a whole corpus, in hexadecimal digits.

    digests   those of all its chunks, in order
    """
    return hashlib.sha256(b"chunks %d " % n_words_read + digests.tobytes()).hexdigest()


def fingerprint_of(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], n_words_read: int, beside: Sequence[NDArray[Any]] = ()
) -> str:
    """Of a corpus that this process holds alone; beside as of `chunk_digests`."""
    digests = chunk_digests(ids, offsets[1:], beside)
    forget(offsets)
    return fingerprint(digests, n_words_read)
