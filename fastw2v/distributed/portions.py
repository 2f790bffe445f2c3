"""A corpus of which each process holds a part: as it was read, then in portions that epochs deal anew."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.read import Corpus
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.fingerprint import shared_fingerprint
from fastw2v.model.arrays import UNIT

MANY_PORTIONS = 1024  # an epoch's share of any process is then even, and a portion small beside it
LARGEST_PORTION = 65_536  # tokens; a quarter of a megabyte of ids is long enough to send


class Part(NamedTuple):
    """What this process read of a corpus; the parts of all ranks, one after the other, are the corpus.

    corpus      its sentences are of this part; its vocabulary, numbers, drops and notes are of the whole,
                the same everywhere
    shard_ends  int64 (n_shards,), the ids up to the end of each shard that was read here
    ids_bytes   what this process may keep in memory of ids and offsets
    """

    corpus: Corpus
    shard_ends: NDArray[np.int64]
    ids_bytes: int = sys.maxsize


class SharedCorpus(NamedTuple):
    """A corpus of which each process holds some portions: runs of tokens that are trained by one process.

    corpus       as in Part
    portions     int64 (n_portions, 3): rank that holds it, tokens, sentences; in the order of the corpus, the
                 same everywhere. Those of a rank back to back are its ids and offsets
    fingerprint  of all ids and sentences and the number of words read, in hexadecimal digits; the same for
                 any number of processes
    ids_bytes    what this process may keep in memory of ids and offsets, these ones or a share of an epoch

    Portions are never empty. A sentence longer than one is several here, cut where the portions are.
    """

    corpus: Corpus
    portions: NDArray[np.int64]
    fingerprint: str
    ids_bytes: int = sys.maxsize

    @property
    def n_tokens(self) -> int:
        """Of the whole corpus."""
        return int(self.portions[:, 1].sum())


def in_portions(part: Part, communicator: Communicator) -> SharedCorpus:
    """Cut this rank's sentences into portions and learn of those of the others."""
    found = shared_fingerprint(part.corpus, communicator)
    corpus = part.corpus
    n_tokens = sum(communicator.gather(len(corpus.ids)))
    ends = portion_ends(corpus.offsets, part.shard_ends, portion_tokens(n_tokens))
    corpus = _with_ends(corpus, ends)
    bounds = np.column_stack([ends, np.searchsorted(corpus.offsets, ends)])
    own = np.diff(bounds, axis=0, prepend=np.zeros((1, 2), np.int64))
    gathered = communicator.gather_arrays(own)
    ranks = np.repeat(np.arange(communicator.size), [len(of_rank) for of_rank in gathered])
    portions = np.column_stack([ranks, np.concatenate(gathered)])
    return SharedCorpus(corpus, portions, found, part.ids_bytes)


def portion_tokens(n_tokens: int) -> int:
    """The most tokens of a portion, where the whole corpus has n_tokens."""
    whole_units = -(-(n_tokens // MANY_PORTIONS) // UNIT) * UNIT
    return min(max(whole_units, UNIT), LARGEST_PORTION)


def portion_ends(
    offsets: NDArray[np.int64], shard_ends: NDArray[np.int64], most_tokens: int
) -> NDArray[np.int64]:
    """Where portions end, in tokens, int64 (n_portions,): with every shard, and as late as they may.

    offsets     int64 (n_sentences + 1,); only a sentence longer than a portion is cut
    shard_ends  int64 (n_shards,), in tokens
    """
    start, ends = 0, []
    for shard_end in shard_ends.tolist():
        while start < shard_end:
            last = int(offsets[np.searchsorted(offsets, start + most_tokens, "right") - 1])
            start = min(last if last > start else start + most_tokens, shard_end)
            ends.append(start)
    return np.array(ends, np.int64)


def _with_ends(corpus: Corpus, ends: NDArray[np.int64]) -> Corpus:
    """The corpus with sentences that end where portions do: longer ones are cut, in copies in memory."""
    offsets = corpus.offsets
    places = np.searchsorted(offsets, ends)
    is_inside = offsets[places] != ends
    if not is_inside.any():
        return corpus
    cuts = places[is_inside]

    def cut(given: Any) -> Any:  # what a sentence has, both its parts have
        return None if given is None else np.insert(given, cuts, given[cuts - 1])

    offsets = np.insert(offsets, cuts, ends[is_inside])
    return corpus._replace(offsets=offsets, weights=cut(corpus.weights), targets=cut(corpus.targets))
