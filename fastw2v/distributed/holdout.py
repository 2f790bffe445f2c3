"""Sentences kept out of a corpus that several processes hold: those that one process would keep out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.read import Corpus
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.portions import Part
from fastw2v.training.holdout import drawn_out, only, require_pairs
from fastw2v.training.start import longest_sentence


def _at_0(own: NDArray[Any], communicator: Communicator) -> NDArray[Any]:
    """The arrays of all ranks in one, at rank 0; nothing elsewhere."""
    return np.concatenate(communicator.exchange([own] + [own[:0]] * (communicator.size - 1)))


def hold_out(part: Part, share: float, seed: int, communicator: Communicator) -> tuple[Part, Corpus]:
    """What this rank trains on, and the sentences of all ranks that are kept out, at rank 0; none elsewhere.

    Raises what `fastw2v.training.holdout.split` does, at all ranks.
    """
    corpus, rank = part.corpus, communicator.rank
    told = communicator.gather([len(corpus.offsets) - 1, len(corpus.ids)])
    n_sentences, n_tokens = (sum(column) for column in zip(*told, strict=True))
    before = sum(of_rank[0] for of_rank in told[:rank])
    is_out = drawn_out(n_sentences, share, seed)[before : before + told[rank][0]]
    ends = np.cumsum(np.where(is_out, 0, np.diff(corpus.offsets)))
    shard_ends = np.append(0, ends)[np.searchsorted(corpus.offsets, part.shard_ends)]
    kept, own_out = only(corpus, ~is_out, n_tokens), only(corpus, is_out, n_tokens)
    # Numbers of the whole corpus: the words that training will count, and the sentences.
    lengths = np.diff(own_out.offsets)
    ids, lengths = _at_0(own_out.ids, communicator), _at_0(lengths, communicator)
    weights, targets = (
        None if own is None else _at_0(own, communicator) for own in (own_out.weights, own_out.targets)
    )
    sums = np.sum(communicator.gather([len(own_out.ids), int(is_out.sum())]), axis=0).tolist()
    words_out = round(corpus.n_words_read * sums[0] / max(n_tokens, 1))
    words_in = round(corpus.n_words_read * (n_tokens - sums[0]) / max(n_tokens, 1))
    kept = kept._replace(n_words_read=words_in, n_rows=n_sentences - sums[1])
    held_out = own_out._replace(
        ids=ids,
        offsets=np.append(0, np.cumsum(lengths)),
        weights=weights,
        targets=targets,
        n_words_read=words_out,
        n_rows=sums[1],
    )
    longest = communicator.gather([longest_sentence(own_out.offsets), longest_sentence(kept.offsets)])
    require_pairs(share, sums[1], *(max(column) for column in zip(*longest, strict=True)))
    return Part(kept, shard_ends, part.ids_bytes), held_out
