"""Files, and folders of them, that are either complete or not there at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from fastw2v.errors import OutputError
from fastw2v.system.locks import locked
from fastw2v.system.portable import patiently, sync, sync_folder

BUFFER_BYTES = 1 << 20

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TEMPORARY = ".fastw2v-*.tmp"
WORK_FOLDER = "fastw2v-sort-"  # and six letters
LOCK = "in-use"  # in a folder
LOCK_SUFFIX = ".lock"  # beside a temporary file or folder
_OWN = re.compile(r"\.fastw2v-[0-9a-f]{12}\.(?:tmp|lock)")
_temporaries: set[Path] = set()  # of this process, files and folders, and their locks
_DESCRIPTOR = re.compile(r"/dev/(?:(stdin)|(stdout)|(stderr)|fd/(\d{1,6}))|/proc/self/fd/(\d{1,6})")


@contextlib.contextmanager
def atomic_writer(path: Path, *, size: int | None = None) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it ends up complete, or as it was before.

    The bytes go to a temporary name in the same folder; on leaving the block they are flushed and synced to
    the disk and the name is changed in one step. If the block or the disk fails, the temporary file is
    removed and an existing file stays as it was. Links are followed, the permissions of an existing file are
    kept. Pipes, terminals and devices have nothing to replace and are written directly.

    size   the bytes that will be written, if known; only used to say how many are missing on a full disk

    Raises OutputError, naming the path, for every failure of the operating system inside the block.
    """
    _check_name(path)
    try:
        with _open_directly(path) if is_direct(path) else _open_temporary(_target(path), size) as file:
            yield file
    except OSError as error:
        raise OutputError(_reason(path, error)) from error


@contextlib.contextmanager
def atomic_folder(path: Path, *, replaces: bool = False) -> Iterator[Path]:
    """A new folder to fill by `atomic_writer`, called `path` once it is complete, else not there at all.

    Within the block it has a temporary name beside `path`. If the block or the disk fails, it is removed.

    replaces   take the place of a folder that is there: it goes once the new one is complete

    Raises OutputError, naming the path, for every failure of the operating system inside the block.
    """
    try:
        with _reserved(path.parent) as temporary:
            try:
                temporary.mkdir()
                yield temporary
                sync_folder(temporary)
                _rename_folder(temporary, path, replaces)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        sync_folder(path.parent)
    except OutputError as error:
        raise OutputError(str(error).replace(str(temporary), str(path))) from error
    except OSError as error:
        raise OutputError(_reason(path, error)) from error


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder to work in, below `parent`, which is made, or temporary files; gone after the block.

    Removes what killed processes left of theirs. Raises OutputError where it cannot be made.
    """
    import tempfile

    place = Path(parent or tempfile.gettempdir())
    try:
        place.mkdir(parents=True, exist_ok=True)
        _remove_work_folders(place)
        folder = Path(tempfile.mkdtemp(prefix=WORK_FOLDER, dir=place))
    except OSError as error:
        raise OutputError(_reason(place / WORK_FOLDER, error)) from error
    _temporaries.add(folder)
    try:
        with locked(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _temporaries.discard(folder)


def _remove_work_folders(place: Path) -> None:
    """Remove those whose lock nobody holds: one that is being made has none yet, and stays."""
    for lock in place.glob(f"{WORK_FOLDER}*/{LOCK}"):
        with contextlib.suppress(BlockingIOError):
            with locked(lock) as is_dead:
                if is_dead:
                    shutil.rmtree(lock.parent, ignore_errors=True)
            with contextlib.suppress(OSError):  # where the lock could not be removed while it was open
                lock.parent.rmdir()


def _rename_folder(temporary: Path, path: Path, replaces: bool) -> None:
    """Give a folder its name; one that has it goes, or comes back where that fails."""
    if not (replaces and path.exists()):
        patiently(lambda: temporary.rename(path))
        return
    old = path.with_name(temporary_name())
    patiently(lambda: path.rename(old))
    try:
        patiently(lambda: temporary.rename(path))
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder so that it is never seen in part; what cannot be removed stays, without an error."""
    temporary = path.with_name(temporary_name())
    with contextlib.suppress(OSError):
        path.rename(temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def require_writable(path: Path) -> None:
    """Check that `atomic_writer(path)` can work, without leaving a trace: made for before a long training.

    Removes what killed processes left of their own attempts in that folder.

    Raises OutputError: the folder is missing or cannot be written, `path` is a folder, is read-only, or is
    something that is neither a file, a pipe, a terminal nor a device of characters.
    """
    _check_name(path)
    try:
        _probe(path)
    except OSError as error:
        raise OutputError(_reason(path, error)) from error


def _check_name(path: Path) -> None:
    if "\0" in str(path):
        raise OutputError(f"{str(path)!r}: a file name cannot hold a null byte; choose another name")


def _probe(path: Path) -> None:
    if (inherited := descriptor_of(path)) is not None:
        os.fstat(inherited)
        return
    if _mode(path) is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if is_direct(path):
        return
    target = _target(path)
    _remove_leftovers(target.parent)
    with _reserved(target.parent) as temporary:
        _create(temporary, target).close()
        temporary.unlink()


def _mode(path: Path) -> int | None:
    """Type and permission bits of what `path` leads to, or None when there is nothing yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _target(path: Path) -> Path:
    """The file behind any links: replacing a link itself would leave the file it points to unchanged."""
    return Path(os.path.realpath(path))


def descriptor_of(path: PurePath) -> int | None:
    """The open descriptor that a name such as /dev/stdout stands for."""
    match = _DESCRIPTOR.fullmatch(path.as_posix())
    if match is None:
        return None
    *streams, _, _ = match.groups()
    return streams.index(next(filter(None, streams))) if any(streams) else int(match[4] or match[5])


def is_direct(path: Path) -> bool:
    """Whether `path` is written directly: a pipe, a terminal, a device, an open descriptor by its name."""
    if descriptor_of(path) is not None:
        return True
    mode = _mode(path)
    return mode is not None and (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode))


@contextlib.contextmanager
def _open_directly(path: Path) -> Iterator[BinaryIO]:
    """A device or pipe, or a copy of an open descriptor: that keeps `>>` appending where open() truncates."""
    descriptor = descriptor_of(path)
    opened = os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor)
    file = os.fdopen(opened, "wb", buffering=BUFFER_BYTES)
    try:
        yield file
        file.flush()
        sync(file.fileno())
    finally:
        _close_quietly(file)


@contextlib.contextmanager
def _open_temporary(target: Path, size: int | None) -> Iterator[BinaryIO]:
    with _reserved(target.parent) as temporary:
        file = _create(temporary, target)
        try:
            yield file
            file.flush()
            sync(file.fileno())
            file.close()  # Windows changes no name of an open file
            _give_name(temporary, target)
        except BaseException as error:
            written = temporary.stat().st_size if temporary.exists() else 0
            _close_quietly(file)
            _remove(temporary)
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                raise OutputError(_no_space(target, written, size)) from error
            raise
    sync_folder(target.parent)


def _give_name(temporary: Path, target: Path) -> None:
    """Let a complete file take its name; the work of hours is kept where another program has that open."""
    try:
        patiently(lambda: temporary.replace(target))
    except PermissionError as error:
        names = (target.with_name(f"{target.name}.new{n or ''}") for n in itertools.count())
        kept = next(name for name in names if not name.exists())
        temporary.rename(kept)
        raise OutputError(
            f"{target}: cannot be replaced ({error.strerror}), as where another program has it open; "
            f"what was to be written is in {kept}"
        ) from error


def _create(temporary: Path, target: Path) -> BinaryIO:
    """A new empty file, with the permissions of `target` or of a plain open()."""
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "neither a file nor a pipe"
        raise OutputError(f"{target}: is {kind}; give the name of a file to write")
    file = temporary.open("xb", buffering=BUFFER_BYTES)
    if mode is not None:
        with contextlib.suppress(OSError):  # some file systems have no permissions to set
            temporary.chmod(stat.S_IMODE(mode))
    return file


def temporary_name() -> str:
    """A name that no file has; short, because the name it will be changed to may use up the limit."""
    return TEMPORARY.replace("*", os.urandom(6).hex())


@contextlib.contextmanager
def _reserved(folder: Path) -> Iterator[Path]:
    """A name for a temporary file or folder there, which nobody takes for a dead process's within the block.

    Its lock is a file of its own, there before it and until after it: Windows renames nothing that is open.
    """
    with contextlib.ExitStack() as stack:
        while True:
            temporary = folder / temporary_name()
            names = {temporary, lock := temporary.with_suffix(LOCK_SUFFIX)}
            _temporaries.update(names)
            stack.callback(_temporaries.difference_update, names)
            with contextlib.suppress(BlockingIOError):  # another, who looks for leftovers, was quicker
                stack.enter_context(locked(lock))
                break
        yield temporary


def remove_temporaries() -> None:
    """Remove the temporary files and folders of this process: for an exit that runs no `finally`."""
    for temporary in sorted(_temporaries, key=lambda path: path.suffix == LOCK_SUFFIX):
        _remove(temporary)


def _remove(path: Path) -> None:
    """Remove a file or folder, as far as that goes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of processes that ended in the middle: whose lock can be had.

    A writer has the lock on whatever machine it runs; where there are no locks, nothing goes.
    """
    found = {path.with_suffix(LOCK_SUFFIX) for path in folder.glob(".fastw2v-*") if _OWN.fullmatch(path.name)}
    for lock in found:
        with contextlib.suppress(BlockingIOError), locked(lock) as is_dead:
            if is_dead:
                _remove(lock.with_suffix(Path(TEMPORARY).suffix))


def _close_quietly(file: BinaryIO) -> None:
    """Close after a failure: the buffer's second attempt to write only repeats the error at hand."""
    with contextlib.suppress(OSError):
        file.close()


def _no_space(path: Path, written: int, size: int | None) -> str:
    needed = "" if size is None else f" of {size:,}, {size - written:,} bytes missing"
    return f"{path}: disk full after {written:,} bytes{needed}; free some space or choose another folder"


def _reason(path: Path, error: OSError) -> str:
    """One line: the path, what is wrong, the cure."""
    if error.errno in _NO_SPACE:
        return f"{path}: disk full; free some space or choose another folder"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{path}: there is no folder {path.parent}; make it or choose another one"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path}: cannot be written ({error.strerror}); choose another folder"
    return f"{path}: cannot be written ({error.strerror or error}); choose another name or folder"
