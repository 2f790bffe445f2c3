"""The files a command reads and those it writes, compared first: nothing of the user's is replaced."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from fastw2v.commands.kinds import FileToRead, typed
from fastw2v.errors import CorpusError, OutputError, UsageError

# What a folder may be read for.
DATA = (".parquet", ".txt", ".txt.gz", ".txt.bz2", ".txt.zst", ".txt.lz4", ".txt.xz")
STANDARD_OUTPUT = "/dev/stdout"


class NamedFile(NamedTuple):
    """A file, and the option or argument that names it, as it is typed."""

    option: str
    path: Path

    def __str__(self) -> str:
        return f"{self.option} {self.path}"


class CorpusFiles(NamedTuple):
    """What a corpus is made of: files named one by one, and those that its folders and patterns cover."""

    named: list[NamedFile]
    found: list[NamedFile]
    folders: list[NamedFile]


def inputs_of(options: dict[str, Any]) -> list[NamedFile]:
    """The files to read that options of the running command name, without its corpus."""
    places = []
    for parameter in click.get_current_context().command.params:
        if isinstance(parameter.type, FileToRead):
            given = options.get(parameter.name or "") or ()
            for path in [given] if isinstance(given, str) else given:
                places += [NamedFile(typed(parameter), file) for file in with_sidecars(Path(path))]
    return places


def with_sidecars(path: Path) -> list[Path]:
    """A file of vectors, and those that are read with it."""
    name = path.name.lower()
    words = [path.with_suffix(".vocab.txt")] if name.endswith((".npy", ".faiss")) else []
    return [path, *words, *([path.with_suffix(".scales.npy")] if name.endswith(".int8.npy") else [])]


def named_output(option: str, name: str | None, *, streams: bool = True) -> list[NamedFile]:
    """The place of an output that was asked for; raises UsageError for a name that is none.

    streams   whether it can go to the standard output
    """
    if name == "-" and streams:
        raise UsageError(f"{option} - names no file: for the standard output give {option} /dev/stdout")
    if name in ("", "-"):
        raise UsageError(f"{option} {name or repr(name)} names nothing: give another name")
    return [] if name is None else [NamedFile(option, Path(name))]


def at_standard_output(option: str, name: str | None, format: str | None) -> str | None:
    """The name of an output of vectors, - being the standard output, which takes one file of text or binary.

    Raises UsageError for another format there.
    """
    if name != "-":
        return name
    if format not in (None, "text", "binary"):
        raise UsageError(
            f"{option} - is for text and binary, and {format} is no stream: give a name to {option}"
        )
    return STANDARD_OUTPUT


@contextlib.contextmanager
def reader_may_leave(target: Path) -> Iterator[None]:
    """Within the block a reader of the standard output that leaves, such as `head`, is no error."""
    from fastw2v.system.streams import ReaderLeft, has_no_reader

    try:
        yield
    except OutputError as error:
        if str(target) == str(Path(STANDARD_OUTPUT)) and has_no_reader(error.__cause__):
            raise ReaderLeft from None
        raise


def vectors_output(place: NamedFile, format: str | None = None) -> list[NamedFile]:
    """Every file that is written for vectors.

    Raises UsageError where one beside the vectors is there and they are not: it belongs to something else.
    """
    from fastw2v.vectors import formats

    main, *others = formats.output_paths(
        place.path, formats.detect_format(place.path, format, default="text")
    )
    for other in others:
        if other.exists() and not main.exists():
            raise UsageError(
                f"{place} writes {other.name} too, and there is one that belongs to no {main.name}: "
                "move it away, or write to another name or folder"
            )
    return [place, *(NamedFile(place.option, other) for other in others)]


def check_places(
    source: Sequence[str], inputs: Sequence[NamedFile], outputs: Sequence[NamedFile]
) -> list[str]:
    """Lines on files of the corpus that are left out, because fastw2v wrote them.

    source   names of the corpus
    inputs   whatever else is read
    outputs  every file and folder that is written

    Raises UsageError where two outputs are one file, and where an output is an input: by its name, a link,
    or because a folder or pattern of the corpus covers a file that is there and is not of fastw2v's own.
    """
    from fastw2v.system.files import is_direct

    outputs = [place for place in outputs if not is_direct(place.path)]  # nothing is replaced there
    require_different(outputs)
    corpus = covered(source)
    for output in outputs:
        for place in [*corpus.named, *inputs]:
            if is_same(output.path, place.path):
                raise lost(output, place)
    from fastw2v.corpus.files.own import is_own, own_files

    own = own_files({place.path.parent for place in corpus.found} | {place.path.parent for place in outputs})
    for output in outputs:
        if output.path.is_file() and not is_own(output.path, own):
            for place in [*corpus.found, *(folder for folder in corpus.folders if is_inside(output, folder))]:
                if place in corpus.folders or is_same(output.path, place.path):
                    raise lost(output, place)
    left_out = [place.path for place in corpus.found if is_own(place.path, own)]
    return [f"left out {names(left_out)}: fastw2v wrote it" if left_out else ""][: len(left_out)]


def lost(output: NamedFile, place: NamedFile) -> UsageError:
    """What is said of an output that would replace an input."""
    what = "read from" if place.path.is_dir() else "read as"
    cure = f"give another name to {output.option}, or move the file away first"
    return UsageError(f"{output} would replace what is {what} {place}: {cure}")


def names(paths: Sequence[Path]) -> str:
    """The first of some paths, and how many more there are."""
    return f"{paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def require_different(outputs: Sequence[NamedFile]) -> None:
    """Raise UsageError where two outputs are one file."""
    for i, first in enumerate(outputs):
        for second in outputs[i + 1 :]:
            if is_same(first.path, second.path):
                raise UsageError(f"{first} and {second}: two outputs have the same name; give each its own")


def is_same(first: Path, second: Path) -> bool:
    """Whether two names lead to one file: by links of both kinds, or by another spelling."""
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    try:
        return first.samefile(second)
    except OSError:  # not there yet, or not to be reached
        return False


def is_inside(output: NamedFile, folder: NamedFile) -> bool:
    """Whether an output has the name of data within a folder."""
    real = Path(os.path.realpath(output.path))
    return real.name.lower().endswith(DATA) and real.is_relative_to(os.path.realpath(folder.path))


def covered(source: Iterable[str]) -> CorpusFiles:
    """The local files that the names of a corpus stand for; what is not there is told by who reads it."""
    from fastw2v.corpus.files.find import expand

    corpus = CorpusFiles([], [], [])
    for path in local_paths(source):
        place = NamedFile("SOURCE", path)
        if path.is_dir():
            corpus.folders.append(place)
        try:
            found = expand(path)
        except (CorpusError, OSError):
            found = [path]
        if found == [path]:
            corpus.named.append(place)
        else:
            corpus.found.extend(NamedFile("SOURCE", file) for file in found)
    return corpus


def local_paths(source: Iterable[str]) -> Iterator[Path]:
    """The names that are no URIs of other machines, as paths."""
    from fastw2v.system.portable import path_of

    for name in source:
        if name.startswith("file://"):
            yield Path(path_of(name))
        elif "://" not in name:
            yield Path("/dev/stdin" if name == "-" else name)


def train_outputs(
    options: dict[str, Any], target: Path, log: str | None, config: Path | None
) -> list[NamedFile]:
    """Every file that `train` writes, and raises UsageError as `vectors_output` and `require_log` do.

    config   where the options are saved, if they are
    """
    outputs = vectors_output(NamedFile("-o", target), options["file_format"])
    for outside in named_output("--save-outside", options["save_outside"]):
        outputs += vectors_output(outside)
    outputs += named_output("--save-vocab", options["save_vocab"])
    outputs += named_output("--save-model", options["save_model"], streams=False)
    for place in named_output("--log-json", log):
        require_log(place.path)
        outputs.append(place)
    return outputs + ([NamedFile("-o", config)] if config else [])


def kept_config(path: Path | None, config: str | None) -> tuple[Path | None, str]:
    """Where the options of a run are saved, and a line where they are not.

    path    NAME.config.toml beside the vectors
    config  the file of --config

    None in place of a file that fastw2v did not write, or that this run is made from: it stays as it is.
    """
    from fastw2v.corpus.files.own import own_config

    if path is None or not (path.exists() or path.is_symlink()):
        return path, ""
    if config and is_same(path, Path(config)):
        reason = "is the file of --config"
    elif own_config(path) is None:
        reason = "is there and not of fastw2v's making"
    else:
        return path, ""
    return None, (
        f"the configuration is not saved: {path} {reason} and stays as it is; "
        "give another -o, or --no-save-config to say so"
    )


def require_log(path: Path) -> None:
    """Raise UsageError where an existing file would be replaced by a log and is none."""
    from fastw2v.system.files import is_direct

    if is_direct(path) or not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file:
        start = file.read(64)
    if not start.startswith(b'{"event": "start", "time": '):
        raise UsageError(f"--log-json {path}: is there and is no log of a run; give another name")
