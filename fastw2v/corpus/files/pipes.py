"""Pipes: standard input, named ones, <(…) of a shell; what they bring is read once, in the order it comes."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastw2v.errors import CorpusError, UsageError
from fastw2v.system.files import descriptor_of

STDIN = "-"
READ_BYTES = 1 << 20


class _State:
    """Of the process: whether a pipe that is opened is of a stream, which may pause for hours."""

    takes_what_comes = False


@contextlib.contextmanager
def taking_what_comes() -> Iterator[None]:
    """Pipes that are opened within the block give what there is, as soon as there is something."""
    _State.takes_what_comes = True
    try:
        yield
    finally:
        _State.takes_what_comes = False


class Pipe:
    """What comes out of a pipe, a file object of bytes; its first bytes may be looked at before.

    waits   whether a read waits for as many bytes as are asked for, or takes those that are there
    """

    def __init__(self, name: str) -> None:
        """Open it, which waits for who writes to it. Raises CorpusError."""
        self.name, self.closed, self.waits = name, False, not _State.takes_what_comes
        self._is_read, self._head = False, b""
        try:
            descriptor = _descriptor(name)
            self._descriptor = os.open(name, os.O_RDONLY) if descriptor is None else os.dup(descriptor)
        except OSError as error:
            raise CorpusError(f"{name}: cannot be read ({error.strerror}); give a file or a pipe") from error
        if os.isatty(self._descriptor):
            self.close()
            raise CorpusError(
                f"{name}: is a terminal; pipe a text into it, as in: zcat FILE | fastw2v train -"
            )

    def peek(self, n_bytes: int) -> bytes:
        """The first bytes, fewer only where there are no more; `read` gives them again."""
        self._head = self.read(n_bytes)
        return self._head

    def opened(self) -> Pipe:
        """Itself, once. Raises CorpusError the second time."""
        if self._is_read:
            raise CorpusError(f"{self.name}: is a pipe and was read already; write its text to a file first")
        self._is_read = True
        return self

    def read(self, n_bytes: int = READ_BYTES) -> bytes:
        """As many bytes, fewer at the end, and where it does not wait for them. Raises OSError."""
        parts, self._head = [self._head], b""
        n_read = len(parts[0])
        while n_read < n_bytes and (self.waits or not n_read or self._is_ready()):
            part = os.read(self._descriptor, n_bytes - n_read)
            if not part:
                break
            parts.append(part)
            n_read += len(part)
        data = b"".join(parts)
        self._head = data[n_bytes:]
        return data[:n_bytes]

    def _is_ready(self) -> bool:
        """Whether there is more at once; Windows does not tell."""
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close it; who still writes to it is told by the system."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def is_pipe(name: str | Path) -> bool:
    """Whether a local name is standard input, a pipe or a socket's descriptor; it is not opened."""
    if str(name) == STDIN:
        return True
    try:
        descriptor = _descriptor(str(name))
        status = os.stat(name) if descriptor is None else os.fstat(descriptor)  # noqa: PTH116
    except (OSError, ValueError):
        return False
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return False
    return descriptor is not None or stat.S_ISFIFO(status.st_mode)


def pipes_among(source: Any) -> list[str]:
    """The names of a source that are pipes; of an object none."""
    names = [source] if isinstance(source, str | Path) else source if isinstance(source, list | tuple) else []
    return [str(name) for name in names if isinstance(name, str | Path) and is_pipe(name)]


def require_no_pipe(source: Any, where: str, option: str = "") -> None:
    """Raise UsageError for a pipe in a source that has to be read again, or by others."""
    for name in pipes_among(source):
        raise UsageError(f"{name} is a pipe, and {where}: write its text to a file, and give that", [option])


def _descriptor(name: str) -> int | None:
    return 0 if name == STDIN else descriptor_of(Path(name))
