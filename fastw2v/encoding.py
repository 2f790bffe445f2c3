"""From provisional ids, as each worker numbered its words, to the ids and sentences of the whole corpus.

Two passes over the segments, each in several threads: the first counts what every segment will hold, so that
the second knows where each begins and can write all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.kernels.jit import bare_jit
from fastw2v.tokenizer import ROW_END, Segment

N_IDS, HEAD, N_ENDED, TAIL, HAS_END, TALLY_SIZE = 0, 1, 2, 3, 4, 5


@bare_jit
def tally_segment(provisional, mapping, tally):  # type: ignore[no-untyped-def]
    """Write to tally int64 (TALLY_SIZE,) what a segment will hold.

    N_IDS ids; HEAD and TAIL of them before the first and after the last end of a row; N_ENDED sentences that
    begin and end within; whether HAS_END, that is, any row ends.
    """
    n, last, head, n_ended = 0, 0, -1, 0
    for entry in provisional:
        if entry == ROW_END:
            if head < 0:
                head = n
            elif n > last:
                n_ended += 1
            last = n
        elif mapping[np.uint64(entry)] >= 0:
            n += 1
    tally[N_IDS], tally[HEAD], tally[N_ENDED] = n, max(head, 0), n_ended
    tally[TAIL], tally[HAS_END] = n - last, head >= 0


@bare_jit
def place_segment(provisional, mapping, ids, offsets, first, is_open):  # type: ignore[no-untyped-def]
    """Write a segment's final ids, and the ends of its sentences counted from the start of the corpus.

    first    ids before this segment
    is_open  1 where the sentence that goes on from the segment before has ids already
    """
    n, last, n_ended = 0, 0, 0
    for entry in provisional:
        if entry == ROW_END:
            if n > last or is_open:
                offsets[n_ended] = first + n
                n_ended += 1
            last, is_open = n, 0
        else:
            final = mapping[np.uint64(entry)]
            if final >= 0:
                ids[n] = final
                n += 1


class Place(NamedTuple):
    """Where a segment's ids and sentences go: n_ids from first_id on, n_ends from first_end on."""

    first_id: int
    n_ids: int
    first_end: int
    n_ends: int
    is_open: bool


def places_of(tallies: NDArray[np.int64]) -> list[Place]:
    """The place of each segment, from what they hold: int64 (n_segments, TALLY_SIZE)."""
    places, n_ids, n_ends, is_open = [], 0, 0, False
    for own, head, n_ended, tail, has_end in tallies.tolist():
        ends = n_ended + (has_end and (is_open or head > 0))
        places.append(Place(n_ids, own, n_ends, ends, is_open))
        n_ids, n_ends = n_ids + own, n_ends + ends
        is_open = tail > 0 if has_end else is_open or own > 0
    return places


def encode(
    segments: list[Segment], mappings: Sequence[NDArray[np.int32]], threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Final ids int32 (n_ids,) and offsets int64 (n_sentences + 1,) of all rows in the order of the corpus.

    Words mapped to -1 are left out, and so are rows without any word. `segments` is emptied on the way: the
    provisional ids are given back while the final ones fill, so that memory holds them once.

    segments  of all workers, in the order in which each of them made its own
    mappings  for each worker int32 (n_words,): entry to final id, or -1
    """
    segments.sort(key=lambda segment: segment.ordinal)
    waiting = dict(enumerate(segments))
    segments.clear()
    tallies = np.zeros((len(waiting), TALLY_SIZE), np.int64)

    def tally(number: int) -> None:
        segment = waiting[number]
        tally_segment(segment.ids, mappings[segment.worker], tallies[number])

    def place(number: int) -> None:
        segment, where = waiting.pop(number), places[number]
        ids_here = ids[where.first_id : where.first_id + where.n_ids]
        ends_here = offsets[where.first_end + 1 :][: where.n_ends]
        mapping = mappings[segment.worker]
        place_segment(segment.ids, mapping, ids_here, ends_here, where.first_id, int(where.is_open))

    with ThreadPoolExecutor(threads, "fastw2v-encoder") as pool:
        list(pool.map(tally, range(len(tallies))))
        places = places_of(tallies)
        ids = np.empty(sum(own.n_ids for own in places), np.int32)
        offsets = np.zeros(sum(own.n_ends for own in places) + 1, np.int64)
        list(pool.map(place, range(len(tallies))))
    return ids, offsets
