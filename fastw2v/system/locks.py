"""Lock files: who works in a folder, or at a file beside them, is known to others as long as it lives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Within the block no other process has this lock file, which is made, and goes with the block.

    False where the file cannot be made, or its file system has no locks. Whatever ends the process gives the
    lock back; the file stays then. filelock knows what each system locks with. It is loaded, in 25 ms, by the
    first who writes.

    Raises BlockingIOError where another has it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        path.parent.stat()  # filelock would make the folder
        lock.acquire()
    except Timeout:
        raise BlockingIOError(f"{path}: another has this lock") from None
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        # Under the lock, so that who waits for it sees that the file is gone; where an open file cannot be
        # removed, nobody else can remove it before either.
        is_removed = remove(path)
        lock.release()
        if not is_removed:
            remove(path)


def remove(path: Path) -> bool:
    """Remove a file; whether it is gone."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
