"""What a file is: by its suffix, or as `--input` says, or by its first bytes; never by a guess."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import FASTA_FILES, LINE_FILES
from fastw2v.corpus.arrow.layouts import arrow_errors
from fastw2v.corpus.files.refusals import (
    PLAIN,
    binary_kind,
    other_kind,
    packing,
    refuse_non_file,
)
from fastw2v.corpus.files.remote import LOCAL, LOOKED, File, Text, is_parquet
from fastw2v.corpus.files.sequences import is_fasta
from fastw2v.corpus.words.cut import Cut
from fastw2v.errors import CorpusError
from fastw2v.options.text import DecodingErrors
from fastw2v.system.marks import WIDE

LOOKED_BYTES = 1 << 16
AS_PARQUET = (b"PAR1", b"PARE")


def with_kind(file: File, config: ReadConfig) -> File:
    """The file with how its text is read, or as it is where it is Parquet.

    Raises CorpusError for what is neither, naming what it is and the cure, and for Parquet from a pipe.
    """
    if file.pipe:
        return _of_pipe(file, config)
    if config.input == "parquet" or (is_parquet(file.bare_name) and not config.input):
        return file
    codec = suffix_codec(file.bare_name)
    if codec or config.input:
        return file._replace(text=text_of(config, codec or LOOKED))
    return _looked(file, first_bytes(file), config)


def suffix_codec(name: str) -> str | None:
    """How a text file is packed, by its suffix; `looked` for a plain one's, None for any other suffix."""
    return next((codec or LOOKED for suffix, codec in LINE_FILES.items() if name.endswith(suffix)), None)


def text_of(config: ReadConfig, codec: str = LOOKED) -> Text:
    """How text files are read, by the options."""
    cut, is_told = Cut.of(config.kmers, config.stride), config.input == "text"
    return Text(codec, config.encoding, config.errors, config.lines, cut, is_told)


def first_bytes(file: File) -> bytes | None:
    """LOOKED_BYTES of a file; None where it is not there, which is told by who reads it."""
    if file.system == LOCAL:
        refuse_non_file(file.path)
    with arrow_errors(f"{file.name}: cannot be read", "check the name and permissions"):
        if not file.system.get_file_info(file.path).is_file:
            return None
        with file.system.open_input_stream(file.path, compression=None) as stream:
            return bytes(stream.read(LOOKED_BYTES))


def _looked(file: File, start: bytes | None, config: ReadConfig) -> File:
    if start is None or start.startswith(AS_PARQUET):
        return file
    if wrong := not_text(file, start, config):
        what, cure = wrong
        raise CorpusError(f"{file.name}: cannot be read as a corpus ({what}); {cure}")
    return file._replace(text=text_of(config))


def not_text(file: File, start: bytes, config: ReadConfig) -> tuple[str, str] | None:
    """What a file that begins so is where it is no text, and the cure; None for text, packed or not."""
    if packing(start) or start.startswith(tuple(WIDE)):  # a mark is told where it is read, with the cure
        return None
    if config.kmers and is_fasta(start) and b"\0" not in start:
        return None
    found = other_kind(file, start)
    if found != PLAIN:
        is_wide = config.encoding != "utf-8" and b"\0" in start
        return None if is_wide and not binary_kind(start) else found
    if config.encoding != "utf-8" or config.errors != "strict" or _is_utf_8(start):
        return None
    return "it is not Parquet, nor text in UTF-8", (
        "give --encoding latin-1, or what it is in, or --errors replace"
    )


def _is_utf_8(start: bytes) -> bool:
    """Whether bytes are UTF-8, but for a last character that may be cut."""
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return len(start) >= LOOKED_BYTES and error.start >= len(start) - 3
    return True


def _of_pipe(file: File, config: ReadConfig) -> File:
    start = file.pipe.peek(LOOKED_BYTES) if file.pipe else b""
    if config.input == "parquet" or (start.startswith(AS_PARQUET) and not config.input):
        raise CorpusError(
            f"{file.name}: Parquet is read from its end, and a pipe has none: write it to a file first"
        )
    return file._replace(text=text_of(config)) if config.input else _looked(file, start, config)


# ---- Folders -----------------------------------------------------------------------------------------------


def chosen(folder: str, files: Sequence[File], config: ReadConfig) -> list[File]:
    """Which of a folder's files are read.

    With --kmers those with a suffix of FASTA, if any. Else Parquet files, or where there is none, or --input
    says so, text: files with a suffix of text, or where there is none of these, all that are text as they
    begin. Raises CorpusError where nothing is to be read.
    """
    parquet = [file for file in files if is_parquet(file.bare_name)]
    fasta = [file for file in files if config.kmers and file.bare_name.endswith(FASTA_FILES)]
    if fasta and not config.input:
        return fasta
    if config.input == "parquet" or (parquet and not config.input):
        found = parquet
    else:
        others = [file for file in files if not is_parquet(file.bare_name)]
        texts = [file for file in others if suffix_codec(file.bare_name)]
        found = texts or [file for file in others if _is_text(file, config)]
    if not found:
        wanted = {"text": "no text", "parquet": "no *.parquet file"}.get(
            str(config.input), "no Parquet and no text"
        )
        raise CorpusError(f"{folder}: the folder holds {wanted}; give another folder or a file")
    return found


def _is_text(file: File, config: ReadConfig) -> bool:
    """Whether a file is text as it begins."""
    if file.system == LOCAL:
        with contextlib.suppress(OSError, ValueError):
            status = Path(file.path).stat()
            how = config.encoding, config.errors, config.kmers
            return _is_local_text(file.path, (status.st_size, status.st_mtime_ns), how)
    return _begins_as_text(file, config)


@functools.lru_cache(1 << 16)  # a folder is gone through several times: 0.1 ms for each look at a file
def _is_local_text(path: str, state: tuple[int, int], how: tuple[str, DecodingErrors, int | None]) -> bool:
    config = ReadConfig(encoding=how[0], errors=how[1], kmers=how[2])
    return _begins_as_text(File(path, path, LOCAL), config)


def _begins_as_text(file: File, config: ReadConfig) -> bool:
    try:
        start = first_bytes(file)
    except CorpusError:
        return False
    return bool(start and not start.startswith(AS_PARQUET) and not not_text(file, start, config))
