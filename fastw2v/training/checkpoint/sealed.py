"""Folders that say what is in them: a JSON file of fields, with sizes and checksums of the other files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastw2v.errors import CorpusError, UsageError
from fastw2v.system.files import atomic_writer

MAX_BYTES = 1 << 20  # of the fields, which are read before they are checked


def write_fields(path: Path, key: str, fields: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write fields, and sizes and checksums of the files beside them, as JSON under a key."""
    known = {**fields, "files": {name: entry_of(path.parent / name) for name in files}}
    content = {key: known, "sha256": checksum(known)}
    with atomic_writer(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def read_fields(
    path: Path, key: str, form: int, files: Iterable[str], most: int = MAX_BYTES
) -> dict[str, Any]:
    """The fields of a folder of this format, once all of its files were compared with their checksums.

    Raises OSError for what cannot be read, and for what is not what was written ValueError, KeyError and
    whatever else wrong types make Python raise: `damage_told` makes one line of it.
    """
    with path.open("rb") as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise ValueError(f"{path.name} has more than {most:,} bytes")
    content = json.loads(text)
    fields: dict[str, Any] = content[key]
    if content["sha256"] != checksum(fields):
        raise ValueError(f"{path.name} differs from its checksum")
    if fields["format"] != form:
        raise ValueError(f"format {fields['format']!r} is not {form}, use the fastw2v that wrote it")
    for name in files:
        check_file(path.parent / name, fields["files"][name])
    return fields


@contextmanager
def damage_told(path: Path, what: str) -> Iterator[None]:
    """Within the block, what reading a folder raises is a CorpusError of one line, which calls it so."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"{path}: {what} cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise CorpusError(f"{path}: {what} is damaged (manifest without {error})") from error
    except (ValueError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise CorpusError(f"{path}: {what} is damaged ({str(error)[:160]})") from error


def checksum(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def check_file(path: Path, expected: Mapping[str, Any]) -> None:
    """Raise ValueError for a file of another size or checksum, OSError for none."""
    if path.stat().st_size != expected["bytes"]:  # before reading, which may take long
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes instead of {expected['bytes']:,}")
    if entry_of(path) != expected:
        raise ValueError(f"{path.name} differs from its checksum")


def entry_of(path: Path) -> dict[str, Any]:
    """Size and checksum of a file, as the fields hold them."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
