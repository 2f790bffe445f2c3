"""The standard streams as they come: closed, missing, full, broken, without a word's characters."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from fastw2v.errors import OutputError

STDIN, STDOUT, STDERR = 0, 1, 2


class SafeStream:
    """A stream to which writing never fails: what it does not take is dropped, and all that follows.

    stream   any object, also None, closed, or without the methods of a stream
    """

    def __init__(self, stream: Any) -> None:
        self._stream, self._works = stream, stream is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, its characters escaped that the stream has not. TypeError for bytes."""
        if not isinstance(text, str):  # click asks so whether a stream is binary
            raise TypeError(f"a str is needed, not {type(text).__name__}")
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        """Flush, if the stream can."""
        self._try("flush")

    def isatty(self) -> bool:
        """Whether it is a terminal; not where it does not say."""
        try:
            return bool(self._stream.isatty())
        except Exception:  # whatever another's object raises
            return False

    def _try(self, method: str, *arguments: str) -> None:
        if not self._works:
            return
        try:
            getattr(self._stream, method)(*arguments)
        except UnicodeError:
            encoding = getattr(self._stream, "encoding", None) or "ascii"
            escaped = [text.encode(encoding, "backslashreplace").decode(encoding) for text in arguments]
            self._try("write", *escaped)
        except AttributeError:
            self._works = method != "write"  # a logger's stream may have no flush
        except Exception:  # no space, no reader, closed: a run must not end of it
            self._works = False
            with contextlib.suppress(Exception):
                drop_rest(self._stream)


class ReaderLeft(BaseException):
    """Who read standard output, such as `head`, has left. Of an OSError click would make exit code 1."""


class AnswerStream:
    """Standard output, where what cannot be written is an error in one line: an answer must not be lost.

    stream   a text stream
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text. Raises OutputError, ReaderLeft, and TypeError for bytes."""
        if not text and isinstance(text, str):  # click asks so what a stream takes, and drops the error
            return 0
        with self._errors():
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush. Raises OutputError, and ReaderLeft."""
        with self._errors():
            self._stream.flush()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with contextlib.suppress(Exception):
                drop_rest(self._stream)
            if has_no_reader(error):
                raise ReaderLeft from None
            raise OutputError(
                f"standard output takes no more ({error.strerror}): give it a place that does"
            ) from error


def has_no_reader(error: BaseException | None) -> bool:
    """Whether writing failed as nobody reads any more, which Windows calls an invalid argument."""
    is_invalid = isinstance(error, OSError) and error.errno == errno.EINVAL
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and is_invalid)


def drop_rest(stream: Any) -> None:
    """Let what a broken standard stream still holds go nowhere, or Python would fail on it at its end.

    Only a stream of the process's own; raises what a stream raises that is none.
    """
    descriptor = stream.fileno()
    if descriptor in (STDOUT, STDERR):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def plug() -> None:
    """Fill descriptors 0 to 2 where they are closed, or the next file to be opened would be taken for them.

    Writing to standard output then fails, as it must: an answer is lost. Standard error takes and drops all.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            flags = os.O_WRONLY if descriptor == STDERR else os.O_RDONLY
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            if descriptor == STDOUT:
                sys.stdout = os.fdopen(STDOUT, "w", encoding="utf-8", closefd=False)


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Within the block characters that a stream lacks are escaped, writing to stderr never fails, and what
    stdout does not take is an OutputError, or ReaderLeft.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        escape(stream)
    if before[0] is not None:
        sys.stdout = cast(TextIO, AnswerStream(before[0]))
    if before[1] is not None:
        sys.stderr = cast(TextIO, SafeStream(before[1]))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def escape(stream: TextIO | None) -> None:
    """Let a stream write a character that its encoding lacks as an escape; ASCII becomes UTF-8."""
    if isinstance(stream, io.TextIOWrapper) and not stream.closed:
        is_ascii = stream.encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968", "646")
        stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="backslashreplace")
