"""Last items left out of a corpus that several processes hold, and asked for: those of one process."""

from __future__ import annotations

import numpy as np

from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.portions import Part
from fastw2v.training.holdout import Score
from fastw2v.training.last_items import (
    asked_sentences,
    lengths_without_last,
    require_two,
    score_of,
    sequences,
    without_last,
)


def without_last_items(part: Part, communicator: Communicator) -> Part:
    """This rank's part without the last token of each sentence of two or more.

    Raises what `fastw2v.training.last_items.without_last` does, at all ranks.
    """
    corpus = part.corpus
    left = lengths_without_last(corpus.offsets)
    longest = max(communicator.gather(int(left.max(initial=0))))
    require_two(longest)
    n_out = sum(communicator.gather(len(corpus.ids) - int(left.sum())))
    ends = np.append(0, np.cumsum(left))[np.searchsorted(corpus.offsets, part.shard_ends)]
    kept = without_last(corpus)._replace(n_words_read=corpus.n_words_read - n_out)
    return part._replace(corpus=kept, shard_ends=ends)


def shared_next_item_score(part: Part, communicator: Communicator) -> Score | None:
    """The `training.last_items.next_item_score` of the whole corpus, at rank 0; none elsewhere."""
    rank, own = communicator.rank, len(part.corpus.offsets) - 1
    counts = communicator.gather(own)
    places = asked_sentences(sum(counts)) - sum(counts[:rank])
    ids, offsets = sequences(part.corpus, places[(places >= 0) & (places < own)])
    parcels = [(ids, np.diff(offsets))] + [(ids[:0], offsets[:0])] * (communicator.size - 1)
    ids, lengths = (
        np.concatenate(communicator.exchange([parcel[column] for parcel in parcels])) for column in (0, 1)
    )
    return None if rank else score_of(ids, np.append(0, np.cumsum(lengths)))
