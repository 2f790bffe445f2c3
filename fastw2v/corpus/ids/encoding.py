"""From provisional ids, as each worker numbered its words, to the ids and sentences of the whole corpus.

Two passes over the segments, each in several threads: the first counts what every segment will hold, so that
the second knows where each begins and can write all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.segments import ROW_END, Segment
from fastw2v.corpus.ids.storage import CorpusBuffer, Slice, SpillBuffer, stored
from fastw2v.kernels.jit import bare_jit

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


def places_of(tallies: NDArray[np.int64]) -> list[Slice]:
    """The place of each segment, from what they hold: int64 (n_segments, TALLY_SIZE)."""
    places, n_ids, n_ends, is_open = [], 0, 0, False
    for own, head, n_ended, tail, has_end in tallies.tolist():
        ends = n_ended + (has_end and (is_open or head > 0))
        places.append(Slice(n_ids, own, n_ends, ends, is_open))
        n_ids, n_ends = n_ids + own, n_ends + ends
        is_open = tail > 0 if has_end else is_open or own > 0
    return places


class Encoder:
    """Makes final ids of the segments of all workers, in the order of the corpus.

    Words mapped to -1 are left out, and so are rows without any word. `segments` is emptied: provisional ids
    are given back while the final ones are written, so that memory holds them once.

    segments  in the order in which each worker made its own
    mappings  for each worker and generation int32 (n_words,): entry to final id, or -1
    spill     that keeps the segments' ids
    """

    def __init__(
        self,
        segments: list[Segment],
        mappings: Sequence[Sequence[NDArray[np.int32]]],
        spill: SpillBuffer,
        threads: int = 1,
    ) -> None:
        segments.sort(key=lambda segment: segment.ordinal)
        self._ordinals = np.array([segment.ordinal for segment in segments], np.int64)
        self._waiting = dict(enumerate(segments))
        segments.clear()
        self._mappings, self._spill, self._threads = mappings, spill, threads
        tallies = np.zeros((len(self._waiting), TALLY_SIZE), np.int64)

        def tally(number: int) -> None:
            tally_segment(*self._load(self._waiting[number]), tallies[number])

        self._for_each(tally, len(tallies))
        self._places = places_of(tallies)
        self.n_ids = sum(place.n_ids for place in self._places)
        self.n_sentences = sum(place.n_ends for place in self._places)

    def write(self, buffer: CorpusBuffer) -> None:
        """Fill a buffer for n_ids and n_sentences."""

        def fill(number: int) -> None:
            place = self._places[number]
            provisional, mapping = self._load(self._waiting.pop(number))
            ids, ends = buffer.open(place)
            place_segment(provisional, mapping, ids, ends, place.first_id, int(place.is_open))
            buffer.close(place, ids, ends)

        self._for_each(fill, len(self._places))

    def stored(self, most_bytes: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids int32 (n_ids,) and offsets int64 (n_sentences + 1,), in a temporary file if they take more.

        Raises OutputError where that cannot be written.
        """
        return stored(self.n_ids, self.n_sentences, most_bytes, self.write)

    def ids_before(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many ids the batches before each of these hold."""
        firsts = np.array([*(place.first_id for place in self._places), self.n_ids], np.int64)
        return firsts[np.searchsorted(self._ordinals, ordinals)]

    def _load(self, segment: Segment) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The ids of a segment, and what they mean."""
        return self._spill.ids_of(segment.ids), self._mappings[segment.worker][segment.generation]

    def _for_each(self, work: Callable[[int], None], n: int) -> None:
        with ThreadPoolExecutor(self._threads, "fastw2v-encoder") as pool:
            for _ in pool.map(work, range(n)):
                pass
