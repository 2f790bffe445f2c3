"""Which files a name, folder or pattern stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import LINE_FILES
from fastw2v.corpus.files.delta import LOG, delta_files, is_delta
from fastw2v.corpus.files.kinds import chosen, with_kind
from fastw2v.corpus.files.own import without_own
from fastw2v.corpus.files.partitions import with_keys
from fastw2v.corpus.files.pipes import Pipe, is_pipe
from fastw2v.corpus.files.refusals import CANNOT, refuse_non_file, refuse_tables
from fastw2v.corpus.files.remote import (
    LOCAL,
    NO_MATCH,
    Base,
    File,
    base_of,
    find_remote,
    is_data,
    is_parquet,
    reached,
)
from fastw2v.errors import CorpusError, UsageError
from fastw2v.system.portable import path_of

Files = str | Path | Sequence[str | Path]
BY_DEFAULT = ReadConfig()
AT_HOME = ("~/", f"~{os.sep}")


def find_files(source: Files, config: ReadConfig = BY_DEFAULT) -> list[File]:
    """The files that a source names, in reading order: as given, and sorted within a folder or pattern.

    Each with how its text is read, if it is text; of a pipe the first bytes are read. Each with the keys of
    its folders; a Delta table is the files that its log says are active.

    Raises CorpusError for a name without any file and a file that is neither text nor Parquet, UsageError for
    a URI whose kind cannot be read.
    """
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise UsageError("no corpus given: name a file, a folder or a pattern, or - for standard input")
    if len(pipes := [str(name) for name in names if is_pipe(name)]) > len(set(pipes)):
        raise UsageError(f"{pipes[0]} is a pipe, and read once: name it once")
    return with_keys([with_kind(file, config) for name in names for file in named_files(name, config)])


def named_files(name: str | Path, config: ReadConfig) -> list[File]:
    """The files that one name stands for, as they are. Raises what `find_files` does."""
    text = str(name)
    if is_pipe(text):
        return [File(text, text, LOCAL, pipe=Pipe(text))]
    if "://" in text and not text.startswith("file://"):
        with reached(text):
            base = base_of(text)
            if base and is_delta(base):
                return _of_delta(base, config)
        files = find_remote(text, lambda folder, inner: chosen(folder, inner, config))
        refuse_tables([file for file in files if file.name != text])
        return files
    path = Path(path_of(text)) if text.startswith("file://") else at_home(Path(name))
    try:
        if (path / LOG).is_dir():
            return _of_delta(Base(str(path), str(path), LOCAL), config)
        files = [local(found) for found in _chosen(path, config)]
    except OSError as error:
        place = str(error.filename or path).removesuffix(f"/{LOG}")
        raise CorpusError(f"{place}: {CANNOT.format(error.strerror)}") from error
    refuse_tables([file for file in files if file.name != str(path)])
    return files


def _of_delta(base: Base, config: ReadConfig) -> list[File]:
    if config.input == "text":
        raise UsageError(f"input text is for text, and {base.uri} is a Delta table: leave it out", ["input"])
    return delta_files(base)


def local(path: Path) -> File:
    """The file of a path on this machine."""
    return File(str(path), str(path), LOCAL)


def at_home(path: Path) -> Path:
    """The path with the home folder for ~, where no shell saw it and nothing here has that name."""
    return path.expanduser() if str(path).startswith(AT_HOME) and not path.exists() else path


def _chosen(path: Path, config: ReadConfig) -> list[Path]:
    """The file of this name, or what a folder or pattern covers but for what fastw2v wrote there."""
    found = expand(path, config)
    if found == [path]:
        return found
    if not (others := without_own(found)):
        raise CorpusError(f"{path}: holds only what fastw2v wrote; name a file to have it read")
    return others if path.is_dir() else of_input(others, config)


def of_input(paths: list[Path], config: ReadConfig) -> list[Path]:
    """What a pattern covers: of text beside Parquet only the latter, or what --input says."""
    tables, texts = [one for one in paths if is_parquet(one.name)], texts_among(paths)
    if config.input == "text":
        return [one for one in paths if one not in set(tables)] or paths
    return tables if tables and (texts or config.input) else paths


def texts_among(paths: Iterable[Path]) -> list[Path]:
    """The text files, by suffix."""
    return [path for path in paths if path.name.lower().endswith(tuple(LINE_FILES))]


def expand(path: Path, config: ReadConfig = BY_DEFAULT) -> list[Path]:
    """Every file of this name, folder or pattern. Raises CorpusError where a folder or pattern has none."""
    if path.is_dir():
        inner = sorted(walk(path))
        found = [Path(file.path) for file in chosen(str(path), [local(one) for one in inner], config)]
        return list({one.resolve(): one for one in reversed(found)}.values())[::-1]
    if path.exists() or not _has_pattern(str(path)):
        return [path]
    matches = sorted(_match(path))
    if not matches:
        raise CorpusError(f"{path}: {NO_MATCH}")
    expanded, empty = [], None
    for match in matches:
        try:
            expanded += expand(match, config)
        except CorpusError as error:  # a folder that holds nothing to read, beside files that do
            empty = empty or error
    if not expanded and empty:
        raise empty
    return list(dict.fromkeys(expanded))


def walk(folder: Path) -> Iterator[Path]:
    """All files of data below a folder, through links to folders too; each folder once, so no loop hangs.

    Raises OSError for a folder that cannot be listed, CorpusError for a link to a Parquet file that is gone.
    """

    def fail(error: OSError) -> None:
        raise error

    seen = set()
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for path in (Path(parent, name) for name in names if name[0] not in "._"):
            if is_parquet(path.name):
                refuse_non_file(str(path))
            yield path


def _has_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _match(pattern: Path) -> Iterator[Path]:
    n_plain = next(i for i, part in enumerate(pattern.parts) if _has_pattern(part))
    folder = Path(*pattern.parts[:n_plain])
    matches = folder.glob(str(Path(*pattern.parts[n_plain:])))
    return (match for match in matches if is_data(match.relative_to(folder)))
