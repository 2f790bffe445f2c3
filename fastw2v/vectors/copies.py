"""The copies of vectors that `cache` keeps: what they are of, what they take, and their removal."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fastw2v.errors import OutputError

PART = re.compile(r"(?P<entry>[0-9a-f]{16}-[0-9a-f]{16})\.(npy|norms\.npy|words|source)")


class Copy(NamedTuple):
    """A copy of a file of vectors.

    source   the file, or None where it is not known: of earlier releases, and of what was not finished
    n_bytes  in the cache; npy files are not copied but linked, so theirs are few
    state    "current", or why it is of no use: "gone" with its file, "changed", "incomplete"
    parts    its files
    """

    source: Path | None
    n_bytes: int
    state: str
    parts: tuple[Path, ...]


def copies(folder: Path) -> list[Copy]:
    """The copies in a folder of the cache, the largest first; files that are none are passed over."""
    found: dict[str, list[Path]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if match := PART.fullmatch(entry.name):
                    found.setdefault(match["entry"], []).append(Path(entry.path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(
            f"{folder}: the cache cannot be read ({error.strerror}); look at its rights"
        ) from None
    return sorted(map(copy_of, found.values()), key=lambda copy: (-copy.n_bytes, str(copy.source)))


def copy_of(parts: Iterable[Path]) -> Copy:
    """What the files of one copy are."""
    by_suffix = {part.name.partition(".")[2]: part for part in parts}
    n_bytes = 0
    for part in by_suffix.values():
        with contextlib.suppress(OSError):  # another process removed it meanwhile
            n_bytes += part.lstat().st_size
    source = None
    if "source" in by_suffix:
        with contextlib.suppress(OSError):
            source = Path(os.fsdecode(by_suffix["source"].read_bytes()))
    state = "current" if {"npy", "norms.npy", "words"} <= by_suffix.keys() else "incomplete"
    if state == "current" and source is not None:
        state = state_of(source, by_suffix["words"])
    return Copy(source, n_bytes, state, tuple(by_suffix.values()))


def state_of(source: Path, words: Path) -> str:
    """Whether the file that was copied is as it was; words is the last part that was written."""
    try:
        written = source.stat().st_mtime_ns
    except OSError:
        return "gone"
    with contextlib.suppress(OSError):
        return "changed" if written > words.stat().st_mtime_ns else "current"
    return "incomplete"


def remove(copy: Copy) -> None:
    """Remove a copy; what says that it is complete goes first. Raises OutputError."""
    for part in sorted(copy.parts, key=lambda part: part.suffix != ".words"):
        try:
            part.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{part}: cannot be removed ({error.strerror}); look at its rights") from None
