"""Where ids live: in memory while they fit, else in a file, whose pages do not stay in memory."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import OutputError
from fastw2v.system.portable import FilePages, forget_pages, map_file, memory_pages, read_into, write_at

HEADER_BYTES = 4096  # before the ids in a file: a page, so that they are aligned
PART_ITEMS = 1 << 21


def new_pages(n: int, dtype: type[np.generic]) -> NDArray[Any]:
    """An array of n zeros in pages of its own, which go back to the system when it is dropped.

    malloc keeps part of what is freed: 56 MB more after reading 17 million words. Raises MemoryError.
    """
    n_bytes = max(n, 1) * np.dtype(dtype).itemsize
    try:
        return np.frombuffer(memory_pages(n_bytes), dtype)
    except OSError as error:
        raise MemoryError(f"no {n_bytes:,} bytes for words") from error


@contextlib.contextmanager
def temporary_errors() -> Iterator[None]:
    """Turn what a full or forbidden folder for temporary files raises into one line."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{tempfile.gettempdir()}: ids that exceed the memory limit cannot be written "
            f"({error.strerror or error}); set TMPDIR to a larger folder or raise --memory-limit"
        ) from error


class FileSlice(NamedTuple):
    """Provisional ids in a file: n from a position in bytes on."""

    position: int
    n_ids: int


StoredIds = NDArray[np.int32] | FileSlice


class SpillBuffer:
    """Keeps provisional ids: in memory up to some bytes, then in a temporary file without a name.

    Used by several workers at once.
    """

    def __init__(self, n_bytes: int = sys.maxsize) -> None:
        self._bytes_left = n_bytes
        self._lock = threading.Lock()
        self._file: Any = None  # of another type on Windows
        self._end = 0

    def leave_memory(self) -> None:
        """Keep nothing more in memory: someone else has it."""
        with self._lock:
            self._bytes_left = -1

    def new_block(self, n_ids: int) -> NDArray[np.int32]:
        """Empty buffer for ids."""
        with self._lock:
            self._bytes_left -= 4 * n_ids
        return new_pages(n_ids, np.int32)

    def keep(self, block: NDArray[np.int32], n_ids: int) -> tuple[StoredIds, NDArray[np.int32]]:
        """The first ids of a block, kept, and the part of the block that is free again.

        Raises OutputError where the file cannot take them.
        """
        if self._bytes_left >= 0:
            return block[:n_ids], block[n_ids:]
        with temporary_errors():
            with self._lock:
                self._file = self._file or tempfile.TemporaryFile(prefix="fastw2v-")  # noqa: SIM115
                stored = FileSlice(self._end, n_ids)
                self._end += 4 * n_ids
            write_at(self._file.fileno(), block[:n_ids], stored.position)
        return stored, block

    def ids_of(self, kept: StoredIds) -> NDArray[np.int32]:
        """Ids as they were kept."""
        if not isinstance(kept, FileSlice):
            return kept
        assert self._file is not None
        ids = np.empty(kept.n_ids, np.int32)
        with temporary_errors():
            if read_into(self._file.fileno(), ids, kept.position) != ids.nbytes:
                raise OSError("the temporary file was cut")
        return ids

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()


class NoIds(SpillBuffer):
    """Keeps none: what words are counted with, where nobody wants the ids."""

    def keep(self, block: NDArray[np.int32], n_ids: int) -> tuple[StoredIds, NDArray[np.int32]]:
        """No ids, and the whole block again."""
        return block[:0], block


class Slice(NamedTuple):
    """Where a segment's ids and sentences go: n_ids from first_id on, n_ends from first_end on.

    is_open   whether the sentence that goes on from the segment before has ids already
    """

    first_id: int
    n_ids: int
    first_end: int
    n_ends: int
    is_open: bool


class CorpusBuffer:
    """Where final ids and sentence ends are written; this one is memory."""

    def __init__(self, n_ids: int, n_sentences: int) -> None:
        self.ids = np.empty(n_ids, np.int32)
        self.offsets = np.zeros(n_sentences + 1, np.int64)

    def open(self, place: Slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Arrays for the ids and the ends of a place."""
        return (
            self.ids[place.first_id :][: place.n_ids],
            self.offsets[place.first_end + 1 :][: place.n_ends],
        )

    def close(self, place: Slice, ids: NDArray[np.int32], ends: NDArray[np.int64]) -> None:
        """Called when the arrays of a place are filled."""


class ChecksummedRange(NamedTuple):
    """A part of a file, in bytes, and its CRC-32."""

    position: int
    n_bytes: int
    checksum: int


class FileBuffer(CorpusBuffer):
    """Ids and sentence ends in a file after HEADER_BYTES, with checksums of all that is written.

    ids      int32 (n_ids,), then zeros to a multiple of 8 bytes
    offsets  int64 (n_sentences + 1,)
    """

    def __init__(self, descriptor: int, n_ids: int, n_sentences: int) -> None:
        self._descriptor = descriptor
        self.pieces: list[ChecksummedRange] = []
        self.first_offset = HEADER_BYTES + -(-4 * n_ids // 8) * 8
        self.end = self.first_offset + 8 * (n_sentences + 1)
        self.write(np.zeros(n_ids % 2, np.int32), HEADER_BYTES + 4 * n_ids)
        self.write(np.zeros(1, np.int64), self.first_offset)

    def open(self, place: Slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return np.empty(place.n_ids, np.int32), np.empty(place.n_ends, np.int64)

    def close(self, place: Slice, ids: NDArray[np.int32], ends: NDArray[np.int64]) -> None:
        self.write(ids, HEADER_BYTES + 4 * place.first_id)
        self.write(ends, self.first_offset + 8 * (place.first_end + 1))

    def write(self, array: NDArray[Any], position: int) -> None:
        """Write an array and note its checksum."""
        if array.size:
            write_at(self._descriptor, array, position)
            self.pieces.append(ChecksummedRange(position, array.nbytes, zlib.crc32(array.data)))


# ---- Pages of a file ---------------------------------------------------------------------------------------


def mapped_corpus(
    descriptor: int, n_ids: int, n_sentences: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids int32 (n_ids,) and offsets int64 (n_sentences + 1,) of a file that FileBuffer wrote."""
    pages = map_file(descriptor)
    first_offset = HEADER_BYTES + -(-4 * n_ids // 8) * 8
    ids = np.frombuffer(pages, np.int32, n_ids, HEADER_BYTES)
    return ids, np.frombuffer(pages, np.int64, n_sentences + 1, first_offset)


def stored(
    n_ids: int, n_sentences: int, most_bytes: int, fill: Callable[[CorpusBuffer], None]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids int32 (n_ids,) and offsets int64 (n_sentences + 1,) as `fill` writes them to the buffer it gets.

    They are in a temporary file where they take more than most_bytes. Raises OutputError where that cannot be
    written.
    """
    if 4 * n_ids + 8 * (n_sentences + 1) <= most_bytes:
        buffer = CorpusBuffer(n_ids, n_sentences)
        fill(buffer)
        return buffer.ids, buffer.offsets
    with temporary_errors(), tempfile.TemporaryFile(prefix="fastw2v-") as file:
        fill(FileBuffer(file.fileno(), n_ids, n_sentences))
        return mapped_corpus(file.fileno(), n_ids, n_sentences)


def pages_of(array: NDArray[Any]) -> FilePages | None:
    """The mapping that holds an array; None for one in memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    return base if isinstance(base, FilePages) else None


def in_parts(array: NDArray[Any], overlap: int = 0) -> Iterator[NDArray[Any]]:
    """An array in pieces, each with the first items of the next; what is in a file leaves memory again."""
    for start in range(0, len(array), PART_ITEMS):
        part = array[start : start + PART_ITEMS + overlap]
        yield part
        forget(part)


def forget(array: NDArray[Any]) -> None:
    """Give back the memory of an array in a file, or a part of one; it is read again when it is needed.

    Without that, all pages ever read count as memory of the process. Other arrays stay as they are.
    """
    pages = pages_of(array)
    if pages is None or not array.size:
        return
    start = array.ctypes.data - np.frombuffer(pages, np.uint8).ctypes.data
    forget_pages(pages, start, array.nbytes)
