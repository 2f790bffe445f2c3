"""A source that is read ahead in a thread of its own, so that a signal is heard while nothing comes."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator

from fastw2v.corpus.chunks import Chunk, Gatherer, Source

WAIT_SECONDS = 0.1


class Ahead:
    """Chunks of a source, one of them ahead of the one that is asked for.

    chunk_words   of a chunk; the last one has fewer
    """

    def __init__(self, source: Source, chunk_words: int) -> None:
        self._source, self._gatherer = source, Gatherer(chunk_words)
        self._chunks: queue.Queue[Chunk | BaseException | None] = queue.Queue(1)
        self._is_over = threading.Event()
        # A daemon, for nobody can end a read of a pipe that brings nothing.
        threading.Thread(target=self._read, name="fastw2v-stream", daemon=True).start()

    @property
    def n_waiting(self) -> int:
        """Words that were read and make no whole chunk yet."""
        return self._gatherer.n_waiting

    def chunks(self, is_stopped: Callable[[], object], on_wait: Callable[[], None]) -> Iterator[Chunk]:
        """The chunks, in order; where it is stopped while none is there, last what came of the next one.

        is_stopped   asked ten times a second while nothing comes
        on_wait      called as often

        Raises what reading raises, once all that came before was given.
        """
        try:
            found: Chunk | BaseException | None = None
            n_given, n_wanted = 0, sys.maxsize
            while n_given < n_wanted:
                with contextlib.suppress(queue.Empty):
                    found = self._chunks.get(timeout=WAIT_SECONDS)
                    if not isinstance(found, Chunk):
                        break
                    n_given += 1
                    yield found
                on_wait()
                if is_stopped():  # what the thread made until now still comes
                    n_wanted = min(n_wanted, self._gatherer.n_made)
            if rest := self._gatherer.rest():
                yield rest
            if isinstance(found, BaseException):
                raise found
        finally:
            self._is_over.set()

    def _read(self) -> None:
        """What the thread does; it ends with the source, or once nobody asks any more."""
        try:
            for part in self._source.parts():
                for chunk in self._gatherer.add(part):
                    if not self._put(chunk):
                        return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, found: Chunk | BaseException | None) -> bool:
        while not self._is_over.is_set():
            with contextlib.suppress(queue.Full):
                self._chunks.put(found, timeout=WAIT_SECONDS)
                return True
        return False
