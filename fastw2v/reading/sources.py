"""Parquet files, and text files of lines: found, checked, and read piece by piece."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fastw2v.errors import CorpusError, UsageError
from fastw2v.reading.columns import Column
from fastw2v.reading.layouts import BATCH_BYTES, Piece, arrow_errors, rows_a_batch
from fastw2v.reading.remote import LOCAL, NO_FILE_IN_FOLDER, NO_MATCH, File, find_remote, is_data

READ_BYTES = 1 << 16
REMOTE_READ_BYTES = 4 << 20  # a request each
LINE_FILES = {".txt": None, ".txt.gz": "gzip", ".txt.bz2": "bz2", ".txt.zst": "zstd", ".txt.lz4": "lz4"}
LINE_COLUMN = "text"
GUESSED_LINE = 100  # bytes on disk; for the progress shown only
LIST_EXPANSION = 8  # bytes of decoded lists for a byte on disk: their items are mostly dictionary-encoded

Files = str | Path | Sequence[str | Path]


# ---- Files -------------------------------------------------------------------------------------------------


def find_files(source: Files) -> list[File]:
    """The files that a source names, in reading order: as given, and sorted within a folder or pattern.

    Raises CorpusError for a name without any file, UsageError for a URI whose kind cannot be read.
    """
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise UsageError("no corpus given: name a Parquet file, a folder or a pattern")
    return [file for name in names for file in _find(name)]


def _find(name: str | Path) -> list[File]:
    text = str(name)
    if "://" in text and not text.startswith("file://"):
        return find_remote(text)
    path = Path(unquote(text.removeprefix("file://"))) if text.startswith("file://") else Path(name)
    try:
        return [File(str(found), str(found), LOCAL) for found in _expand(path)]
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}); check the name and permissions"
        ) from error


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(
            inner for inner in path.rglob("*.parquet") if inner.is_file() and is_data(inner.relative_to(path))
        )
        if not found:
            raise CorpusError(f"{path}: {NO_FILE_IN_FOLDER}")
        return found
    if path.exists() or not _has_pattern(str(path)):
        return [path]
    matches = sorted(_match(path))
    if not matches:
        raise CorpusError(f"{path}: {NO_MATCH}")
    expanded = [inner for match in matches for inner in _expand(match)]
    return list(dict.fromkeys(expanded))


def _has_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _match(pattern: Path) -> Iterator[Path]:
    n_plain = next(i for i, part in enumerate(pattern.parts) if _has_pattern(part))
    folder = Path(*pattern.parts[:n_plain])
    matches = folder.glob(str(Path(*pattern.parts[n_plain:])))
    return (match for match in matches if is_data(match.relative_to(folder)))


class Shard(NamedTuple):
    """A file of the corpus, as its footer describes it; of lines, the number of rows is a guess."""

    file: File
    schema: pa.Schema
    n_rows: int
    is_lines: bool = False


class Opened(NamedTuple):
    """A source whose schemas are known and whose rows are still to be read.

    name     as a message shows it
    schemas  of each of its parts, with the part's name
    n_rows   of all parts, for the progress only
    read     gives the pieces of some column, in order
    """

    name: str
    schemas: list[tuple[str, pa.Schema]]
    n_rows: int
    read: Callable[[Column], Iterator[Piece]]


def open_files(source: Files) -> Opened:
    """The files that a source names, with their footers read.

    Raises CorpusError for a name without any file, a file that is not Parquet, or has no complete footer.
    """
    shards = [read_footer(file) for file in find_files(source)]
    first = shards[0].file.name
    return Opened(
        name=first if len(shards) == 1 else f"{first} and {len(shards) - 1} more",
        schemas=[(shard.file.name, shard.schema) for shard in shards],
        n_rows=sum(shard.n_rows for shard in shards),
        read=functools.partial(read_pieces, shards),
    )


def read_footer(file: File) -> Shard:
    """What a file says of itself.

    Raises CorpusError for a file that is missing, is not Parquet, or has no complete footer.
    """
    with arrow_errors(f"{file.name}: cannot be read"):
        info = file.system.get_file_info(file.path)
    if not info.is_file:
        raise CorpusError(f"{file.name}: no such file; check the name")
    if file.bare_name.endswith(tuple(LINE_FILES)):
        n_rows = (info.size or 0) // GUESSED_LINE + 1
        return Shard(file, pa.schema([(LINE_COLUMN, pa.string())]), n_rows, is_lines=True)
    with _open(file) as parquet, arrow_errors(f"{file.name}: the footer is corrupt"):
        metadata = parquet.metadata
        n_rows = sum(metadata.row_group(group).num_rows for group in range(parquet.num_row_groups))
        if n_rows != metadata.num_rows:
            raise ValueError(f"{metadata.num_rows:,} rows in all, {n_rows:,} in its row groups")
        return Shard(file, parquet.schema_arrow, n_rows)


@contextlib.contextmanager
def _open(file: File) -> Iterator[pq.ParquetFile]:
    """A Parquet file set to read in little memory and to verify what checksums it has."""
    buffer_bytes = READ_BYTES if file.system == LOCAL else REMOTE_READ_BYTES
    with contextlib.ExitStack() as stack:
        with arrow_errors(f"{file.name}: cannot be read as Parquet"):
            parquet = pq.ParquetFile(
                stack.enter_context(file.system.open_input_file(file.path)),
                pre_buffer=False,
                buffer_size=buffer_bytes,
                page_checksum_verification=True,
            )
            stack.enter_context(parquet)
        yield parquet


# ---- Pieces ------------------------------------------------------------------------------------------------


def read_pieces(shards: Iterable[Shard], column: Column) -> Iterator[Piece]:
    """The column's rows, piece by piece, in the order of the files.

    Raises CorpusError for a row group or text file that is corrupt, naming it.
    """
    for shard in shards:
        if shard.is_lines:
            yield from _read_lines(shard.file)
            continue
        with _open(shard.file) as parquet:
            for group in range(parquet.num_row_groups):
                yield from _read_group(shard.file.name, parquet, group, column)


def _read_group(name: str, parquet: pq.ParquetFile, group: int, column: Column) -> Iterator[Piece]:
    """Pieces of one row group, so that an error can name it."""
    place = f"{name}: row group {group} (of {parquet.num_row_groups}, from 0)"
    n_rows = 0
    with arrow_errors(f"{place} is corrupt"):
        metadata = parquet.metadata.row_group(group)
        size = rows_a_batch(metadata.num_rows, _decoded_bytes(metadata, column))
        for batch in parquet.iter_batches(size, [group], columns=column.names, use_threads=False):
            n_rows += batch.num_rows
            yield Piece(place, batch)
        if n_rows != metadata.num_rows:
            raise ValueError(f"{n_rows:,} rows instead of {metadata.num_rows:,}")


def _decoded_bytes(group: pq.RowGroupMetaData, column: Column) -> float:
    """About the bytes that a row group decodes to.

    Sizes of single columns would be exact, but asking for them ends the process where a footer is damaged
    (pyarrow 26 does not catch the C++ exception).
    """
    return float(group.total_byte_size * (1 if column.layout == "text" else LIST_EXPANSION))


def _read_lines(file: File) -> Iterator[Piece]:
    """Pieces of whole lines, some BATCH_BYTES each, from a file that may be compressed."""
    place = f"{file.name}: the text"
    codec = next(codec for suffix, codec in LINE_FILES.items() if file.bare_name.endswith(suffix))
    kept: list[bytes] = []  # of a line that is not complete yet
    with (
        arrow_errors(f"{file.name}: cannot be read as lines of text"),
        file.system.open_input_stream(file.path, compression=codec, buffer_size=READ_BYTES) as stream,
    ):
        while chunk := stream.read(BATCH_BYTES):
            end = chunk.rfind(b"\n") + 1
            if end:
                yield _lines(place, b"".join([*kept, chunk[:end]]))
                kept = []
            kept.append(chunk[end:])
        if last := b"".join(kept):
            yield _lines(place, last)


def _lines(place: str, data: bytes) -> Piece:
    """One string a line, its end included, which is white space like any other."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    is_open = not len(ends) or ends[-1] != len(data)
    offsets = np.concatenate([[0], ends, [len(data)] if is_open else []]).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    lines = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
    return Piece(place, pa.record_batch([lines], [LINE_COLUMN]))
