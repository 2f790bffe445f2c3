"""Text that is sequences, for k-mers: FASTA, or a sequence a line.

blocks of bytes ─► kinds of lines ─► letters, joined over the lines of a record ─► rows of letters ─► pieces

A record of more than LONGEST letters becomes several rows, which share letters so that no k-mer is lost: a
chromosome is one record, on one line or on millions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.layouts import Piece
from fastw2v.corpus.words.cut import LONGEST, Cut
from fastw2v.errors import CorpusError

NEW_LINE, HEADER, COMMENT = ord("\n"), ord(">"), ord(";")
SEQUENCE = 0  # of a line, beside HEADER and COMMENT
LONGEST_HEADER = 1 << 16
# Columns of the pieces: letters, what a record is called, and whether a row goes on with the one before.
TEXT, NAME, GOES_ON = "text", "name", "goes_on"

Bytes = NDArray[np.uint8]
NO_LETTERS = np.empty(0, np.uint8)


def is_fasta(start: bytes) -> bool:
    """Whether a text that begins so is FASTA: its first character is >."""
    return start.lstrip().startswith(b">")


def read_sequences(place: str, blocks: Iterator[bytes], cut: Cut) -> Iterator[Piece]:
    """Pieces of rows of letters, with names where it is FASTA.

    Raises CorpusError for a header that does not end.
    """
    first = next(blocks, b"")
    records = Records(place, cut, fasta=is_fasta(first))
    for block in itertools.chain([first], blocks):
        if block:
            yield from records.read(block)
    yield from records.end()


class Lines(NamedTuple):
    """The lines of a block.

    starts   int64 (n,)
    kinds    uint8 (n,): HEADER, COMMENT or SEQUENCE
    is_new   bool (n,), False for the first one where it goes on from the block before
    """

    starts: NDArray[np.int64]
    kinds: Bytes
    is_new: NDArray[np.bool_]


class Records:
    """Records read from blocks, one after the other; the last one is open until the next begins."""

    def __init__(self, place: str, cut: Cut, *, fasta: bool) -> None:
        self._place, self._cut, self._fasta = place, cut, fasta
        self._kind = -1  # of a line that goes on in the next block
        self._letters = NO_LETTERS  # of the open record, not yet in a row
        self._n_skipped = 0  # letters to come that are in no k-mer, as the stride is long
        self._is_open = self._is_begun = False  # begun: some of its letters were in rows
        self._header = b""

    def read(self, block: bytes) -> Iterator[Piece]:
        """The rows of the records that end in a block, and of one that is long enough."""
        array = np.frombuffer(block, np.uint8)
        lines = self._lines(array)
        lengths = np.diff(lines.starts, append=len(array))
        is_letter = (array > 32) & np.repeat(lines.kinds == SEQUENCE, lengths)
        n_letters = np.add.reduceat(is_letter, lines.starts, dtype=np.int64)
        begins = np.flatnonzero(lines.is_new & (lines.kinds == HEADER if self._fasta else True))
        ends = (np.cumsum(n_letters) - n_letters)[begins]
        names = self._names(block, lines, begins)
        yield from self._rows(array[is_letter], ends, names)
        if len(self._letters) >= LONGEST:
            yield from self._part()

    def end(self) -> Iterator[Piece]:
        """The row of the last record."""
        if self._is_open and not (self._is_begun and len(self._letters) < self._cut.k):
            yield self._piece(self._letters, [0, len(self._letters)], [self._name()], self._is_begun)

    def _lines(self, array: Bytes) -> Lines:
        ends = np.flatnonzero(array == NEW_LINE) + 1
        starts = np.concatenate([[0], ends[ends < len(array)]])
        kinds = np.zeros(len(starts), np.uint8)
        is_new = np.ones(len(starts), np.bool_)
        if self._fasta:
            first = array[starts]
            kinds[:] = np.where((first == HEADER) | (first == COMMENT), first, SEQUENCE)
        if self._kind >= 0:
            kinds[0], is_new[0] = self._kind, False
        self._kind = -1 if array[-1] == NEW_LINE else int(kinds[-1])
        return Lines(starts, kinds, is_new)

    def _names(self, block: bytes, lines: Lines, begins: NDArray[np.int64]) -> list[bytes]:
        """The headers of the open record and of those that begin in a block."""
        if not self._fasta:
            return [b""] * (len(begins) + 1)
        stops = np.append(lines.starts[1:], len(block))
        if lines.kinds[0] == HEADER and not lines.is_new[0]:
            self._header += block[: stops[0]]
        pairs = zip(lines.starts[begins].tolist(), stops[begins].tolist(), strict=True)
        headers = [self._header, *(block[start:stop] for start, stop in pairs)]
        if len(headers[-1]) > LONGEST_HEADER:
            raise CorpusError(
                f"{self._place}: a header of FASTA is over {LONGEST_HEADER >> 10} KB long; is this FASTA?"
            )
        return headers

    def _rows(self, letters: Bytes, begins: NDArray[np.int64], headers: list[bytes]) -> Iterator[Piece]:
        """The rows of the records that end; the last one is open then.

        begins   int64 (n,): where records begin in the letters
        headers  of the open record, and of those
        """
        n_more = int(begins[0]) if len(begins) else len(letters)
        n_skipped = min(self._n_skipped, n_more)
        self._n_skipped -= n_skipped
        data = np.concatenate([self._letters, letters[n_skipped:]])
        if not len(begins):
            self._letters, self._header = data, headers[0]
            return
        bounds = [0, *(begins + len(self._letters) - n_skipped).tolist()]
        if not self._is_open or (self._is_begun and bounds[1] < self._cut.k):
            bounds, headers, self._is_begun = bounds[1:], headers[1:], False
        if len(bounds) > 1:
            names = [name_of(header) for header in headers[:-1]]
            yield self._piece(data[: bounds[-1]], bounds, names, self._is_begun)
        self._letters, self._header = data[bounds[-1] :], headers[-1]
        self._is_open, self._is_begun, self._n_skipped = True, False, 0

    def _part(self) -> Iterator[Piece]:
        """The open record's letters as a row; those that more k-mers need stay."""
        letters = self._letters
        yield self._piece(letters, [0, len(letters)], [self._name()], self._is_begun)
        next_start = self._cut.n_kmers(len(letters)) * self._cut.stride
        self._letters, self._n_skipped = letters[next_start:].copy(), max(next_start - len(letters), 0)
        self._is_begun = True

    def _name(self) -> str:
        return name_of(self._header)

    def _piece(self, letters: Bytes, bounds: list[int], names: list[str], goes_on: bool) -> Piece:
        """Rows of letters between bounds; goes_on   whether the first one does"""
        buffers = [None, pa.py_buffer(np.array(bounds, np.int64)), pa.py_buffer(letters)]
        rows = pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)
        is_part = np.zeros(len(rows), np.bool_)
        is_part[:1] = goes_on
        columns, called = [rows, flags(is_part)], [TEXT, GOES_ON]
        if self._fasta:
            columns, called = [*columns, pa.array(names, pa.string())], [*called, NAME]
        return Piece(self._place, pa.record_batch(columns, called))


def flags(values: NDArray[np.bool_]) -> pa.Array:
    """Bool (n,) as Arrow's; pa.array imports pandas where it is there, 0.3 s."""
    bits = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def name_of(header: bytes) -> str:
    """What a header calls its record: its first word after >."""
    return (header[1:].split(None, 1) or [b""])[0].decode(errors="replace")
