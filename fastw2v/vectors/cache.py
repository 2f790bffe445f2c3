"""Vectors that can be asked at once: a file is read once, and mapped into memory from then on.

A file of many vectors takes up to minutes to read and check. What came of it is kept in the user's cache as

    KEY.npy         the matrix, float32 (n_words, dim); for an npy file a link to that file
    KEY.norms.npy   lengths of the vectors, float64 (n_words,)
    KEY.source      the name of the file, for who looks what is kept (`copies`)
    KEY.words       the words, a line each; written last, so that it says that the others are complete

KEY names the file and the state it is in (path, size and time of change of each of its parts), so that a
changed file is read anew. Counts are not kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastw2v.errors import FastW2VError, OutputError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.npy import write_array

SMALLEST_BYTES = 1 << 24  # smaller files are read in a few tenths of a second


def default_folder() -> Path:
    """fastw2v/vectors in XDG_CACHE_HOME or else ~/.cache. Raises OutputError where there is no home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastw2v" / "vectors"
    except RuntimeError as error:
        raise OutputError("no home folder to keep vectors in; set XDG_CACHE_HOME") from error


def open_vectors(
    path: Path,
    folder: Path,
    *,
    format: str | None = None,
    unescape: bool = False,
    on_kept: Callable[[str], None] = lambda message: None,
) -> Embeddings:
    """What `formats.load` reads, mapped from the cache in `folder` if it was read before.

    on_kept   told in one line that the file was put into the cache, or why it could not be

    Words that are not UTF-8 have U+FFFD for what is wrong in them. Raises what `formats.load` does; trouble
    with the cache is no error.
    """
    entry = _entry(path, folder, format, unescape)
    if entry is not None and (known := entry.read()) is not None:
        return known
    embeddings = formats.load(path, format=format, unescape=unescape, errors="replace")
    if entry is not None and embeddings.made_of is None:  # n-grams are not kept: their file is read each time
        try:
            entry.write(path, embeddings)
        except (OSError, FastW2VError) as error:
            on_kept(f"not kept for the next time: {error}")
        else:
            on_kept(f"kept in {folder}, so that the next time is quick")
    return embeddings


def _entry(path: Path, folder: Path, format: str | None, unescape: bool) -> _Entry | None:
    """The place of a file in the cache; None for a small one, or one that formats.load will refuse."""
    detected = formats.detect_format(path, format)
    try:
        states = [part.stat() for part in formats.output_paths(path, detected)]
    except (OSError, FastW2VError):
        return None
    if states[0].st_size < SMALLEST_BYTES:
        return None
    name = _digest(path.resolve(), detected, unescape)
    state = _digest(*((state.st_size, state.st_mtime_ns, state.st_ino) for state in states))
    return _Entry(folder, name, state)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()[:16]


class _Entry(NamedTuple):
    """A place in the cache: a file's name and the state it is in."""

    folder: Path
    name: str
    state: str

    def part(self, suffix: str) -> Path:
        return self.folder / f"{self.name}-{self.state}{suffix}"

    def read(self) -> Embeddings | None:
        """The vectors, mapped; None when they are not there or something is wrong with them."""
        try:
            words = self.part(".words").read_bytes().decode(errors="surrogatepass").split("\n")
            matrix = np.load(self.part(".npy"), mmap_mode="r", allow_pickle=False)
            norms = np.load(self.part(".norms.npy"), allow_pickle=False)
            embeddings = Embeddings(words, np.asarray(matrix))
        except (OSError, ValueError, EOFError, FastW2VError):
            return None
        if norms.shape != (len(words),) or norms.dtype != np.float64:
            return None
        vars(embeddings)["norms"] = norms  # where the cached property looks first
        return embeddings

    def write(self, path: Path, embeddings: Embeddings) -> None:
        """Keep the vectors, and forget those of other states of the same file.

        Raises OSError or OutputError where that cannot be done.
        """
        joined = "\n".join(embeddings.words)
        if joined.count("\n") != len(embeddings) - 1:
            raise OutputError("a word holds a line break; use --no-cache")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self.folder.glob(f"{self.name}-*"):
            old.unlink(missing_ok=True)
        if _is_mappable(path):
            self.part(".npy").symlink_to(path.resolve())
        else:
            write_array(self.part(".npy"), embeddings.center_vectors)
        write_array(self.part(".norms.npy"), embeddings.norms)
        self.part(".source").write_bytes(os.fsencode(path.resolve()))
        with atomic_writer(self.part(".words")) as file:
            file.write(joined.encode(errors="surrogatepass"))


def _is_mappable(path: Path) -> bool:
    """Whether a file is an npy of float32 rows, as Embeddings have them."""
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return isinstance(stored, np.memmap) and stored.dtype == np.float32 and stored.flags.c_contiguous
