"""Calls that not every system has, each in one place: what Linux does best there, what all can do elsewhere.

Windows has no reading and writing at a position, no flags of mappings and no folders that can be opened;
macOS has a sync that reaches the disk under another name.
"""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

MOST_AT_ONCE = 1 << 30  # bytes; Linux moves at most 2,147,479,552 in a call, macOS refuses 2^31 and more
# Without it Linux refuses a private mapping larger than its memory; Python names it from 3.13 on.
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
POSIX_OS: Any = os  # for what `make lint` does not find where it looks with the eyes of Windows
POSIX_MMAP: Any = mmap
HAS_POSITIONS = hasattr(os, "preadv") and hasattr(os, "pwrite")
HAS_FLAGS = hasattr(mmap, "MAP_PRIVATE")
HUGE_PAGE = 1 << 21  # bytes; with pages of 4 KB a token took 28 ns to read instead of 20
CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EROFS}  # pipes, terminals, some network file systems
PATIENCE_SECONDS = 1.0 if os.name == "nt" else 0.0  # elsewhere who looks into a file does not keep its name
_one_at_a_time = threading.Lock()


# ---- Files at a position -----------------------------------------------------------------------------------


def write_at(descriptor: int, data: Any, position: int) -> None:
    """Write all bytes of a buffer at a position of a file; safe from several threads. Raises OSError."""
    left = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
    while left:
        part = left[:MOST_AT_ONCE]
        if HAS_POSITIONS:
            written = POSIX_OS.pwrite(descriptor, part, position)
        else:
            with _positioned(descriptor, position) as file:
                written = file.write(part) or 0
        left, position = left[written:], position + written


def read_into(descriptor: int, buffer: Any, position: int) -> int:
    """Fill a writable buffer from a position of a file; the bytes that were there. As `write_at` else."""
    whole = memoryview(buffer).cast("B") if memoryview(buffer).nbytes else memoryview(b"")
    done = 0
    while done < len(whole):
        part = whole[done : done + MOST_AT_ONCE]
        if HAS_POSITIONS:
            n_read = POSIX_OS.preadv(descriptor, [part], position + done)
        else:
            with _positioned(descriptor, position + done) as file:
                n_read = file.readinto(part) or 0
        if not n_read:
            break
        done += n_read
    return done


@contextlib.contextmanager
def _positioned(descriptor: int, position: int) -> Any:
    """The file of a descriptor at a position, which one thread may move at a time."""
    with _one_at_a_time, io.FileIO(descriptor, "r+", closefd=False) as file:
        file.seek(position)
        yield file


# ---- Mappings ----------------------------------------------------------------------------------------------


class FilePages(mmap.mmap):
    """A file mapped privately: arrays on it are writable, as Numba compiles again for read-only ones."""


def map_file(descriptor: int) -> FilePages:
    """All of a file. Raises OSError."""
    size = os.fstat(descriptor).st_size
    if not HAS_FLAGS:
        return FilePages(descriptor, size, access=mmap.ACCESS_COPY)
    protection = POSIX_MMAP.PROT_READ | POSIX_MMAP.PROT_WRITE
    kind: Any = FilePages
    pages: FilePages = kind(descriptor, size, flags=POSIX_MMAP.MAP_PRIVATE | NO_RESERVE, prot=protection)
    return pages


def memory_pages(n_bytes: int) -> mmap.mmap:
    """Zeros in pages of their own. Raises OSError."""
    if not HAS_FLAGS:
        return mmap.mmap(-1, n_bytes)
    pages = POSIX_MMAP.mmap(-1, n_bytes, POSIX_MMAP.MAP_PRIVATE | POSIX_MMAP.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE") and n_bytes >= HUGE_PAGE:
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return cast(mmap.mmap, pages)


def forget_pages(pages: Any, start: int, n_bytes: int) -> None:
    """Give the memory of a part of a file back, where the system can be told."""
    if hasattr(mmap, "MADV_DONTNEED"):
        first = start // mmap.PAGESIZE * mmap.PAGESIZE
        pages.madvise(POSIX_MMAP.MADV_DONTNEED, first, start + n_bytes - first)


def return_free_memory() -> None:
    """Give the system what the C library keeps of memory that is free, where it can be told.

    glibc keeps the room of arrays that were freed, up to 32 MB each.
    """
    if sys.platform == "linux":
        import ctypes  # not at start-up

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


# ---- What is on the disk -----------------------------------------------------------------------------------


def sync(descriptor: int) -> None:
    """Let what was written survive a power cut. On macOS os.fsync stops at the disk's own memory.

    Raises OSError, but not for what cannot be synced.
    """
    try:
        _full_sync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise


def _full_sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # of file systems that are not Apple's
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make new names in it survive a power cut, where a folder can be opened for that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # may be written but not read; or Windows, whose file system keeps names itself
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def patiently(change: Callable[[], object]) -> None:
    """Change a name, again where it is refused: a scanner for viruses has new files open for a moment.

    Only on Windows. Raises PermissionError after PATIENCE_SECONDS, any other error at once.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            change()
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


# ---- Names -------------------------------------------------------------------------------------------------


def path_of(uri: str, is_windows: bool = os.name == "nt") -> str:
    """The path of a file:// URI: file:///C:/a%20b is C:/a b on Windows, and /C:/a b elsewhere."""
    from urllib.parse import unquote

    return without_scheme(unquote(uri), is_windows)


def without_scheme(uri: str, is_windows: bool = os.name == "nt") -> str:
    """The same, of a URI whose characters are not quoted."""
    path = uri.removeprefix("file://")
    return path[1:] if is_windows and re.match(r"/[A-Za-z]:(?:/|$)", path) else path


def quoted(path: Path) -> str:
    """A path as the usual shell takes it."""
    import shlex
    import subprocess

    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
