"""URIs to files: through pyarrow's own file systems, or through fsspec for every other kind.

    s3:// gs:// gcs:// abfs:// abfss:// hdfs:// viewfs://                pyarrow.fs
    http:// https:// memory:// github:// sftp:// … (where installed)     fsspec

A folder is read recursively; * and [ in the path make a pattern (? starts the URI's query). Credentials and
options are those of the file system, from its environment variables, its files, or the query.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePath, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs

from fastw2v.corpus.arrow.layouts import arrow_errors
from fastw2v.corpus.files.pipes import Pipe
from fastw2v.corpus.words.cut import Cut
from fastw2v.errors import CorpusError, UsageError

LOCAL = pafs.LocalFileSystem()
ARROW_SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
LOOKED = "looked"
Choose = Callable[[str, "list[File]"], "list[File]"]  # of a folder's name and its files, those to read
PARQUET_FILES = (".parquet", ".parq", ".pq")
NO_MATCH = "no file matches the pattern; check it, and quote it in a shell"


class Text(NamedTuple):
    """How a file of text is read.

    codec      how it is packed, as its suffix says; `looked` where its first bytes say, or that it is not
    encoding   as Python calls it
    errors     what becomes of bytes that are not so: strict, replace, ignore
    lines      sentences, or paragraphs
    cut        into k-mers, where it is sequences, or FASTA
    is_told    whether --input says that it is text, whatever it looks like
    """

    codec: str = LOOKED
    encoding: str = "utf-8"
    errors: str = "strict"
    lines: str = "sentences"
    cut: Cut | None = None
    is_told: bool = False


class Key(NamedTuple):
    """A column that has one value in a file, told by its folder's name or a table's log."""

    name: str
    value: pa.Scalar


class File(NamedTuple):
    """A file: its name as messages show it, and its path in a file system.

    text   how its text is read; None for Parquet
    pipe   what is read once in place of a file, if it is
    keys   columns beside those in the file
    table  the schema of the table that it is of; what the file has not, is null
    """

    name: str
    path: str
    system: pafs.FileSystem
    text: Text | None = None
    pipe: Pipe | None = None
    keys: tuple[Key, ...] = ()
    table: pa.Schema | None = None

    @property
    def bare_name(self) -> str:
        """The name in lower case; of a URI without its query."""
        return (self.name if self.system == LOCAL else self.name.partition("?")[0]).lower()


class Base(NamedTuple):
    """Where a URI's path begins to be searched: the URI up to there, its path, its file system."""

    uri: str
    path: str
    system: pafs.FileSystem

    def file(self, path: str) -> File:
        """A file below."""
        return File(self.uri.rstrip("/") + path.removeprefix(self.path.rstrip("/")), path, self.system)


def find_remote(uri: str, choose: Choose) -> list[File]:
    """The files that a URI names, sorted within a folder or pattern; choose says which of a folder are read.

    Raises CorpusError where there is none or it cannot be reached, UsageError for a kind of URI without a
    file system.
    """
    address, question, query = uri.partition("?")
    plain, pattern = _split_pattern(address)
    with reached(uri):
        base = Base(plain, *file_system(plain + question + query))
        if pattern:
            matches = sorted(_match(base, base.path, pattern))
            found = [inner for match in matches for inner in _expand(base, match, choose)]
            if not found:
                raise CorpusError(f"{uri}: {NO_MATCH}")
        else:
            found = _expand(base, base.path, choose, is_folder=plain.endswith("/"))
    return [base.file(path) for path in dict.fromkeys(found)]


def reached(uri: str) -> AbstractContextManager[None]:
    """Turn what a file system raises into a CorpusError."""
    return arrow_errors(f"{uri}: cannot be reached", "check the address, the network and your credentials")


def base_of(uri: str) -> Base | None:
    """Where the URI of a folder leads; None for a pattern, and for HTTP, which has no folders."""
    address, question, query = uri.partition("?")
    plain, pattern = _split_pattern(address)
    if pattern or uri.startswith(("http://", "https://")):
        return None
    return Base(plain, *file_system(plain + question + query))


def is_data(path: PurePath) -> bool:
    """False for what engines leave beside the data and skip: _temporary/, _metadata, .hidden."""
    return not any(part[0] in "._" for part in path.parts)


def is_parquet(name: str) -> bool:
    """Whether a folder's file is read, by its suffix in any case."""
    return name.lower().endswith(PARQUET_FILES)


def _split_pattern(address: str) -> tuple[str, list[str]]:
    """The address up to the first part of its path with * or [, and the parts from there on."""
    scheme, _, rest = address.partition("://")
    host, *parts = rest.split("/")
    n_plain = next((i for i, part in enumerate(parts) if "*" in part or "[" in part), len(parts))
    return f"{scheme}://{'/'.join([host, *parts[:n_plain]])}", parts[n_plain:]


def file_system(uri: str) -> tuple[str, pafs.FileSystem]:
    """The path of a URI in its file system, and that. Raises UsageError for a kind that cannot be read."""
    scheme = uri.partition("://")[0]
    if scheme in ARROW_SCHEMES:
        system, path = pafs.FileSystem.from_uri(uri)
        return path, system
    try:
        import fsspec

        system, path = fsspec.url_to_fs(uri)
    except (ImportError, ValueError) as error:  # ValueError: it knows no such scheme
        cure = "pip install fsspec and what it needs for it, or copy the file here"
        raise UsageError(f"{uri}: {scheme}:// cannot be read ({error}); {cure}") from error
    return path, pafs.PyFileSystem(pafs.FSSpecHandler(system))


def _expand(base: Base, path: str, choose: Choose, is_folder: bool = False) -> list[str]:
    """A file as it is; what is read of a folder. HTTP has no folders but by a slash at the end."""
    if not is_folder and base.system.get_file_info(path).type != pafs.FileType.Directory:
        return [path]
    inner = base.system.get_file_info(pafs.FileSelector(path, recursive=True))
    names = sorted(info.path for info in inner if info.is_file)
    names = [name for name in names if is_data(PurePosixPath(name).relative_to(path))]
    return [file.path for file in choose(base.file(path).name, [base.file(name) for name in names])]


def _match(base: Base, folder: str, pattern: Sequence[str]) -> Iterator[str]:
    """Paths below the folder whose parts match the pattern's; ** stands for any number of folders."""
    if not pattern:
        yield folder
        return
    part, *rest = pattern
    if part == "**":
        yield from _match(base, folder, rest)
    for info in base.system.get_file_info(pafs.FileSelector(folder)):
        name = PurePosixPath(info.path).name
        if name[0] in "._":
            continue
        if part == "**":
            if not info.is_file:
                yield from _match(base, info.path, pattern)
        elif fnmatch.fnmatchcase(name, part):
            if not rest:
                yield info.path
            elif not info.is_file:
                yield from _match(base, info.path, rest)
