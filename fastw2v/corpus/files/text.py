"""Files of text, piece by piece: unpacked, decoded, cut into sentences by lines or by empty lines.

bytes ─► unpacked ─► UTF-8 ─► rows of whole lines, or of lines up to an empty one; or of sequences ─► pieces
"""

from __future__ import annotations

import codecs
import contextlib
import io
import lzma
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.layouts import BATCH_BYTES, Piece, arrow_errors
from fastw2v.corpus.files.refusals import binary_kind, packing, refuse_gone, sequences_kind
from fastw2v.corpus.files.remote import LOOKED, File, Text
from fastw2v.corpus.files.sequences import GOES_ON, flags, is_fasta, read_sequences
from fastw2v.errors import CorpusError
from fastw2v.system.marks import without_mark

READ_BYTES = 1 << 16
LINE_COLUMN = "text"
# A longer sentence is cut between words: text8 is one line, which neither workers nor --holdout could part.
LONGEST_ROW = 4 << 20
NEW_LINE = ord("\n")
WHITE = np.zeros(256, np.bool_)
WHITE[[*range(9, 14), *range(28, 33)]] = True  # of ASCII, as str.isspace has it


class Rewound(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, start: bytes, stream: Any) -> None:
        super().__init__()
        self._start, self._stream = start, stream
        self.waits = getattr(stream, "waits", True)

    def read(self, n_bytes: int = -1) -> bytes:
        """As many bytes, or fewer."""
        if self._start:
            start, self._start = self._start, b""
            return start
        return cast(bytes, self._stream.read(READ_BYTES if n_bytes < 0 else n_bytes))

    def readable(self) -> bool:
        """It is."""
        return True


def read_text(file: File, text: Text) -> Iterator[Piece]:
    """Pieces of whole rows, some BATCH_BYTES each; a row that is longer than LONGEST_ROW is several.

    Raises CorpusError naming the file, and of bytes that are not in the encoding the line.
    """
    place, rest, goes_on = f"{file.name}: the text", b"", False
    with arrow_errors(f"{file.name}: cannot be read as lines of text"), _opened(file) as stream:
        blocks = _decoded(file, text, _unpacked(file, text, stream))
        if text.cut:
            yield from read_sequences(place, blocks, text.cut)
            return
        for block in blocks:
            data = rest + block
            ends, is_cut = _with_cuts(file, data, _ends(data, text.lines))
            done = int(ends[-1]) if len(ends) else 0
            if done:
                yield _rows(place, data[:done], ends, np.append(goes_on, is_cut[:-1]))
                goes_on = bool(is_cut[-1])
            rest = data[done:]
        if rest and not (text.lines == "paragraphs" and rest.isspace()):
            yield _rows(place, rest, np.array([len(rest)]), np.array([goes_on]))


@contextlib.contextmanager
def _opened(file: File) -> Iterator[Any]:
    """What the file or pipe holds; an error that says that it is gone is told so."""
    try:
        stream = (
            file.pipe.opened() if file.pipe else file.system.open_input_stream(file.path, compression=None)
        )
        with stream:
            yield stream
    except (OSError, pa.ArrowException) as error:
        refuse_gone(file, error)
        raise


def _unpacked(file: File, text: Text, stream: Any) -> Iterator[bytes]:
    """Blocks of what a stream holds, unpacked as the suffix says or as it begins."""
    start = stream.read(READ_BYTES)
    codec = packing(start) if text.codec == LOOKED else text.codec
    stream = Rewound(start, stream)
    if codec == "xz":
        stream = lzma.LZMAFile(stream)  # noqa: SIM115 (the stream below is closed)
    elif codec:
        stream = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), codec)
    is_first = True
    while block := _block(stream):
        if is_first and (found := binary_kind(block) or _parquet_in(block) or _sequences_in(block, text)):
            packed = f", packed by {codec}" if codec else ""
            raise CorpusError(f"{file.name}: is no text ({found[0]}{packed}); {found[1]}")
        is_first = False
        yield block


def _parquet_in(block: bytes) -> tuple[str, str] | None:
    is_parquet = (
        block.startswith(b"PAR1") and block[4:5] in b"\x15\x16\x19\x1c"
    )  # a page header of Thrift follows
    return (
        ("it is Parquet", "unpack it, and call it .parquet or give --input parquet") if is_parquet else None
    )


def _sequences_in(block: bytes, text: Text) -> tuple[str, str] | None:
    """What a text looks like that is not to be read as lines of words, or of sequences; and the cure."""
    found = sequences_kind(block)
    return None if text.is_told or (text.cut and is_fasta(block)) else found


def _block(stream: Any) -> bytes:
    """The next BATCH_BYTES, fewer at the end, and where a pipe does not wait for more."""
    parts, n_read = [], 0
    while n_read < BATCH_BYTES and (part := stream.read(BATCH_BYTES - n_read)):
        parts.append(part)
        n_read += len(part)
        if not getattr(stream, "waits", True):
            break
    return b"".join(parts)


def _decoded(file: File, text: Text, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks in UTF-8, without a byte order mark; what claims to be UTF-8 is checked by word later."""
    first = next(blocks, b"")
    if text.encoding == "utf-8":
        first = without_mark(first, file.name)
    if text.encoding == "utf-8" and text.errors == "strict":
        yield first
        yield from blocks
        return
    decoder, n_lines = codecs.getincrementaldecoder(text.encoding)(text.errors), 1
    current: bytes | None = first
    while current is not None:
        following = next(blocks, None)
        try:
            decoded = decoder.decode(current, final=following is None)
        except UnicodeDecodeError as error:
            line = n_lines + error.object[: error.start].count(b"\n")
            raise CorpusError(
                f"{file.name}: line {line:,}: {error.object[error.start : error.end]!r} is not "
                f"{text.encoding}; give its --encoding, or --errors replace"
            ) from None
        n_lines += decoded.count("\n")
        yield decoded.encode()
        current = following


def _ends(data: bytes, lines: str) -> NDArray[np.int64]:
    """Where rows of data end, int64 (n_rows,): after each line feed, or each paragraph's empty line."""
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == NEW_LINE) + 1
    if lines == "sentences" or not len(ends):
        return ends
    starts = np.concatenate([[0], ends[:-1]])
    is_empty = np.logical_and.reduceat(WHITE[array[: ends[-1]]], starts)
    is_end = is_empty[1:] & ~is_empty[:-1]
    return ends[1:][is_end]


def _with_cuts(
    file: File, data: bytes, ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The ends, with those of the parts of rows beyond LONGEST_ROW, each at its last white space.

    Second, bool, which of them are of parts that are not the last of their row.
    """
    bounds = np.concatenate([[0], ends, [len(data)]])
    cuts = []
    for row in np.flatnonzero(np.diff(bounds) > LONGEST_ROW).tolist():
        start, stop = int(bounds[row]), int(bounds[row + 1])
        while stop - start > LONGEST_ROW:
            part = np.frombuffer(data, np.uint8, LONGEST_ROW, start)
            white = np.flatnonzero(WHITE[part])
            if not len(white):
                raise CorpusError(f"{file.name}: a word is over {LONGEST_ROW >> 20} MB long; is this a text?")
            start += int(white[-1]) + 1
            cuts.append(start)
    both = np.concatenate([ends, np.array(cuts, np.int64)])
    order = np.argsort(both, kind="stable")
    return both[order], (np.arange(len(both)) >= len(ends))[order]


def _rows(place: str, data: bytes, ends: NDArray[np.int64], goes_on: NDArray[np.bool_]) -> Piece:
    """One string a row, its end included, which is white space like any other.

    goes_on   bool (n_rows,), whether a row is a part of the one before
    """
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    lines = pa.Array.from_buffers(pa.large_string(), len(ends), buffers)
    return Piece(place, pa.record_batch([lines, flags(goes_on)], [LINE_COLUMN, GOES_ON]))
