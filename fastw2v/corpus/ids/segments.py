"""What workers make of their batches before words have ids: provisional ids, and words that were dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fastw2v.corpus.ids.storage import StoredIds

ROW_END = -1  # stands after the last provisional id of each row that is not null


class Segment(NamedTuple):
    """Provisional ids of one batch or a part of it, as one worker numbered them.

    ordinal     place of the batch in the corpus
    worker      whose table the ids refer to
    generation  how often that table had been pruned
    ids         int32 (n,), entries and ROW_END, as a SpillBuffer keeps them
    """

    ordinal: int
    worker: int
    generation: int
    ids: StoredIds


class Dropped(NamedTuple):
    """What was dropped while counting: words (one may go more than once) and their tokens.

    short_by   what the count of a word may lack at most
    """

    n_dropped: int = 0
    n_dropped_tokens: int = 0
    short_by: int = 0


def sum_of(parts: Iterable[Dropped]) -> Dropped:
    """All together."""
    return Dropped(*map(sum, zip(Dropped(), *parts, strict=True)))
