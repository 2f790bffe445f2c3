"""Windows as far as Linux can play it: `python -m tests.windows ARGUMENTS` is fastw2v without what it lacks.

Taken away: fcntl and its like, calls and flags of os, mmap and signal, select of anything but sockets,
folders that can be opened, /proc and /sys, links. Refused: to rename, replace or remove a file that this
process has open or mapped. Standard streams are in the 8-bit encoding of a console (PYTHONIOENCODING).

What this does not show: the compiler's and the libraries' own code there. They are imported before, as what
they do on Windows is theirs.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import mmap
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock

MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog")
OF_OS = [
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "fchmod",
    "fchown",
    "chown",
    "sysconf",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "fork",
    "set_blocking",
    "get_blocking",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "posix_fadvise",
    "posix_fallocate",
    "mkfifo",
    "sendfile",
    "getloadavg",
    "nice",
    "uname",
    "confstr",
    "killpg",
    "setsid",
    "openpty",
    "O_DIRECTORY",
    "O_NOFOLLOW",
    "O_NONBLOCK",
    "O_CLOEXEC",
    "O_SYNC",
    "O_DSYNC",
    "O_DIRECT",
    "O_NOATIME",
    "O_TMPFILE",
    "O_PATH",
    "register_at_fork",
]
OF_SIGNAL = [
    "SIGHUP",
    "SIGALRM",
    "SIGUSR1",
    "SIGUSR2",
    "SIGPIPE",
    "SIGQUIT",
    "SIGTSTP",
    "SIGWINCH",
    "alarm",
    "setitimer",
    "pause",
    "pthread_sigmask",
    "pthread_kill",
    "sigwait",
    "siginterrupt",
]
SYSTEM = ("/proc", "/sys")


def refused(path: Any) -> PermissionError:
    return PermissionError(errno.EACCES, "Permission denied", os.fspath(path))


def is_open(path: Any) -> bool:
    """Whether this process has a file, or one within a folder, open or mapped."""
    real = os.path.realpath(path)
    held = [line.split(maxsplit=5)[-1].rstrip("\n") for line in OPEN("/proc/self/maps") if "/" in line]
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208 - before pathlib is in the way
        try:
            held.append(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
        except OSError:
            continue
    return any(name == real or name.startswith(f"{real}/") for name in held)


OPEN, OS_OPEN, SELECT, UNLINK, FCNTL = io.open, os.open, select.select, os.unlink, fcntl


def unless_open(call: Callable[..., Any], n_paths: int) -> Callable[..., Any]:
    """A call that changes names, refused where one of its paths is open."""

    def checked(*arguments: Any, **named: Any) -> Any:
        if any(not isinstance(path, int) and is_open(path) for path in arguments[:n_paths]):
            raise refused(arguments[0])
        return call(*arguments, **named)

    return checked


def open_files_only(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
    """os.open, which opens no folder there."""
    if not isinstance(path, int) and os.path.isdir(path):  # noqa: PTH112
        raise refused(path)
    return OS_OPEN(path, flags, *arguments, **named)


def open_no_system(file: Any, *arguments: Any, **named: Any) -> Any:
    """open(), where there are no files of the kernel's."""
    if not isinstance(file, int) and os.fspath(file).startswith(SYSTEM):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", file)
    return OPEN(file, *arguments, **named)


def wait_for_sockets(readers: Any, *arguments: Any) -> Any:
    """select.select, which takes sockets only."""
    for reader in readers:
        number = reader if isinstance(reader, int) else reader.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(10038, "an operation was attempted on something that is not a socket")
    return SELECT(readers, *arguments)


class Pages(mmap.mmap):
    """A mapping as Windows has it: by its access alone, without advice."""

    def __new__(cls, fileno: int, length: int, *, access: int = mmap.ACCESS_DEFAULT) -> Pages:
        return super().__new__(cls, fileno, length, access=access)

    def __getattribute__(self, name: str) -> Any:
        if name == "madvise":
            raise AttributeError(name)
        return super().__getattribute__(name)


class FileLock:
    """filelock's lock, whose own code for Windows cannot run here: nobody removes the file meanwhile."""

    def __init__(self, path: Any, timeout: float = -1, thread_local: bool = True) -> None:
        self.path = path

    def acquire(self) -> None:
        self.descriptor = OS_OPEN(self.path, os.O_RDWR | os.O_CREAT)
        try:
            FCNTL.flock(self.descriptor, FCNTL.LOCK_EX | FCNTL.LOCK_NB)
        except BlockingIOError:
            os.close(self.descriptor)
            raise filelock.Timeout(str(self.path)) from None

    def release(self) -> None:
        os.close(self.descriptor)


def temporary_file(prefix: str = "tmp", dir: Any = None) -> Any:
    """tempfile's file without a name, which Windows itself removes when it is closed."""
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=dir)
    UNLINK(name)
    return os.fdopen(descriptor, "w+b")


def no_link(*arguments: Any, **named: Any) -> None:
    raise OSError(errno.EPERM, "a required privilege is not held by the client")


def take_away() -> None:
    """Take it all away from this process."""
    import click
    import llvmlite.binding
    import numba
    import numpy as np
    import pyarrow.parquet

    libraries = (click, llvmlite.binding, numba, np, pyarrow.parquet)
    assert all(libraries)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in [name for name in vars(mmap) if name.startswith(("MAP_", "PROT_", "MADV_"))]:
        delattr(mmap, name)
    mmap.mmap = Pages  # type: ignore[misc]
    for name, n_paths in (("rename", 2), ("replace", 2), ("unlink", 1), ("remove", 1), ("rmdir", 1)):
        setattr(os, name, unless_open(getattr(os, name), n_paths))
    filelock.FileLock = FileLock  # type: ignore[assignment, misc]
    tempfile.TemporaryFile = temporary_file  # type: ignore[assignment]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    os.open = open_files_only
    os.symlink = no_link
    io.open = builtins.open = open_no_system
    select.select = wait_for_sockets
    signal.SIGBREAK = signal.SIGURG  # type: ignore[attr-defined]


if __name__ == "__main__":
    take_away()
    sys.path.insert(0, str(Path(__file__).parent.parent))
    if sys.argv[1:2] == ["-c"]:
        exec(sys.argv[2])
    else:
        from fastw2v.cli import run

        run()
