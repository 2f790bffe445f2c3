"""Packed files of vectors, unpacked as they are read: known by their first bytes, not by their names."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import Any, BinaryIO, cast

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
READ_BYTES = 1 << 20


class _FromArrow(io.RawIOBase):
    """What Arrow unpacks, with the methods of a file."""

    def __init__(self, file: BinaryIO, codec: str) -> None:
        import pyarrow as pa

        super().__init__()
        self._stream = pa.CompressedInputStream(file, codec)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except OSError as error:  # of Arrow's own, for what is damaged or cut
            raise EOFError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)


def _open_zstd(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_FromArrow(file, "zstd"), READ_BYTES))


# What a packed file begins with, who unpacks it, and how many bytes it packs into one, at most: the size that
# a header declares is checked against it.
PACKED: dict[bytes, tuple[Callable[[Any], Any], int]] = {
    b"\x1f\x8b": (gzip.open, 1_100),
    b"BZh": (bz2.open, 50_000),
    b"\xfd7zXZ\x00": (lzma.open, 50_000),
    b"\x28\xb5\x2f\xfd": (_open_zstd, 50_000),
}
START_BYTES = 6


def packing(start: bytes) -> tuple[Callable[[Any], Any], int] | None:
    """Who unpacks a file that begins so, and the most bytes in one of its; None where it is not packed."""
    return next((found for magic, found in PACKED.items() if start.startswith(magic)), None)
