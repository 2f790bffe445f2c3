"""The fingerprint of a corpus that several processes hold: that of one process which holds it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.fingerprint import CHUNK_TOKENS, chunk_digests, fingerprint
from fastw2v.corpus.ids.storage import forget
from fastw2v.corpus.read import Corpus
from fastw2v.distributed.communicator import Communicator


def shared_fingerprint(corpus: Corpus, communicator: Communicator) -> str:
    """Of the whole corpus, in hexadecimal digits; the same at every rank, and for any number of them.

    corpus   sentences of this rank follow those of the ranks before it; n_words_read is of all

    A chunk is hashed by the rank that holds its first token: the others send it theirs, at most a chunk each.
    """
    sizes = np.array(communicator.gather(len(corpus.ids)), np.int64)
    stops = np.cumsum(sizes)
    first = int(stops[communicator.rank] - sizes[communicator.rank])
    head = min(-first % CHUNK_TOKENS, len(corpus.ids))  # tokens of a chunk that began before
    owner = int(np.searchsorted(stops, first // CHUNK_TOKENS * CHUNK_TOKENS, "right")) if head else 0
    ids, ends, beside = corpus.ids, corpus.offsets[1:], corpus.beside
    whole = (len(ids) - head) // CHUNK_TOKENS * CHUNK_TOKENS + head
    cuts = np.searchsorted(ends, [head, whole], "right").tolist()

    def sent(array: NDArray[Any], n: int) -> list[NDArray[Any]]:
        ranks = range(communicator.size)
        return communicator.exchange([array[: n * (rank == owner)] for rank in ranks])

    heads = [sent(ids, head), sent(ends, cuts[0]), *(sent(array, cuts[0]) for array in beside)]
    between, last = [array[cuts[0] : cuts[1]] for array in beside], [array[cuts[1] :] for array in beside]
    digests = [chunk_digests(ids[head:whole], ends[cuts[0] : cuts[1]] - head, between)]
    digests.append(_last_chunk(ids[whole:], ends[cuts[1] :] - whole, last, heads))
    forget(corpus.offsets)
    gathered = communicator.gather_arrays(np.concatenate(digests))
    return fingerprint(np.concatenate(gathered), corpus.n_words_read)


def _last_chunk(
    ids: NDArray[np.int32],
    ends: NDArray[np.int64],
    beside: Sequence[NDArray[Any]],
    following: Sequence[list[NDArray[Any]]],
) -> NDArray[np.uint8]:
    """The digest of the chunk that this rank began last, if it is not whole here, uint8 (0 or 1, 32).

    following   of ids, of ends counted from the first of each rank's, and of each array beside them: by rank,
                what follows
    """
    more, more_ends, *more_beside = following
    before = len(ids) + np.cumsum([0, *(len(part) for part in more)])
    moved = [part + start for part, start in zip(more_ends, before.tolist(), strict=False)]
    joined = [np.concatenate([own, *parts]) for own, parts in zip(beside, more_beside, strict=True)]
    return chunk_digests(np.concatenate([ids, *more]), np.concatenate([ends, *moved]), joined)
