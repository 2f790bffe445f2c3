"""Parquet files, and text files of lines: found, checked, and read batch by batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fastw2v.errors import CorpusError, UsageError
from fastw2v.layouts import Batch, Column, as_batch
from fastw2v.tokenizer import Strings, read_only

LINE_FILES = (".txt", ".txt.gz", ".txt.bz2", ".txt.zst", ".txt.lz4")  # one sentence a line
GUESSED_LINE = 100  # bytes on disk; for the progress shown only
BATCH_BYTES = 4 << 20  # long enough to hide a call's cost, short enough for many workers' memory
BATCH_ROWS = 8192
LIST_EXPANSION = 8  # bytes of decoded lists for a byte on disk: their items are mostly dictionary-encoded

Source = str | Path | Sequence[str | Path]


# ---- Files -------------------------------------------------------------------------------------------------


def find_files(source: Source) -> list[Path]:
    """The files that a source names, in reading order: as given, and sorted within a folder or pattern.

    Raises CorpusError for a name without any file.
    """
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise UsageError("no corpus given: name a Parquet file, a folder or a pattern")
    return [path for name in names for path in _find(Path(name))]


def _find(path: Path) -> list[Path]:
    try:
        return _expand(path)
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}); check the name and permissions"
        ) from error


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(
            inner for inner in path.rglob("*.parquet") if inner.is_file() and _is_data(inner, path)
        )
        if not found:
            raise CorpusError(f"{path}: the folder holds no *.parquet file; give another folder or a file")
        return found
    if path.exists() or not _has_pattern(str(path)):
        return [path]
    matches = sorted(_match(path))
    if not matches:
        raise CorpusError(f"{path}: no file matches the pattern; check it, and quote it in a shell")
    expanded = [inner for match in matches for inner in _expand(match)]
    return list(dict.fromkeys(expanded))


def _is_data(path: Path, folder: Path) -> bool:
    """False for what engines leave beside the data and skip: _temporary/, _metadata, .hidden."""
    return not any(part[0] in "._" for part in path.relative_to(folder).parts)


def _has_pattern(text: str) -> bool:
    return any(character in text for character in "*?[")


def _match(pattern: Path) -> Iterator[Path]:
    n_plain = next(i for i, part in enumerate(pattern.parts) if _has_pattern(part))
    folder = Path(*pattern.parts[:n_plain])
    matches = folder.glob(str(Path(*pattern.parts[n_plain:])))
    return (match for match in matches if _is_data(match, folder))


class Shard(NamedTuple):
    """A file of the corpus, as its footer describes it; of lines, the number of rows is a guess."""

    path: Path
    schema: pa.Schema
    n_rows: int
    is_lines: bool = False


def name_of(shards: Sequence[Shard]) -> str:
    """The corpus as a message names it."""
    first = shards[0].path
    return str(first) if len(shards) == 1 else f"{first} and {len(shards) - 1} more"


def read_footer(path: Path) -> Shard:
    """What a file says of itself.

    Raises CorpusError for a file that is missing, is not Parquet, or has no complete footer.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: no such file; check the name")
    if path.name.lower().endswith(LINE_FILES):
        n_rows = path.stat().st_size // GUESSED_LINE + 1
        return Shard(path, pa.schema([("text", pa.string())]), n_rows, is_lines=True)
    with _open(path) as file, _arrow_errors(f"{path}: the footer is corrupt"):
        n_rows = sum(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
        if n_rows != file.metadata.num_rows:
            raise ValueError(f"{file.metadata.num_rows:,} rows in all, {n_rows:,} in its row groups")
        return Shard(path, file.schema_arrow, n_rows)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file set to read in little memory and to verify what checksums it has."""
    with contextlib.ExitStack() as stack:
        with _arrow_errors(f"{path}: cannot be read as Parquet"):
            file = pq.ParquetFile(path, pre_buffer=False, buffer_size=65536, page_checksum_verification=True)
            stack.enter_context(file)
        yield file


@contextlib.contextmanager
def _arrow_errors(what: str) -> Iterator[None]:
    """Turn whatever Arrow raises on bad bytes into a CorpusError of one line."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise CorpusError(f"{what} ({reason}); write or download it again") from error


# ---- Batches -----------------------------------------------------------------------------------------------


def read_batches(shards: Iterable[Shard], column: Column) -> Iterator[Batch]:
    """The column's rows, batch by batch, in the order of the files.

    Raises CorpusError for a row group or text file that is corrupt, naming it.
    """
    for shard in shards:
        if shard.is_lines:
            yield from _read_lines(shard.path)
            continue
        with _open(shard.path) as file:
            for group in range(file.num_row_groups):
                yield from _read_group(shard.path, file, group, column)


def _read_group(path: Path, file: pq.ParquetFile, group: int, column: Column) -> Iterator[Batch]:
    """Batches of one row group, so that an error can name it."""
    place = f"{path}: row group {group} (of {file.num_row_groups}, from 0)"
    n_rows = 0
    with _arrow_errors(f"{place} is corrupt"):
        metadata = file.metadata.row_group(group)
        batches = file.iter_batches(
            _rows_a_batch(metadata, column.layout), [group], columns=[column.name], use_threads=False
        )
        for batch in batches:
            n_rows += batch.num_rows
            yield as_batch(batch.column(column.name), column.layout)
        if n_rows != metadata.num_rows:
            raise ValueError(f"{n_rows:,} rows instead of {metadata.num_rows:,}")


def _read_lines(path: Path) -> Iterator[Batch]:
    """Batches of whole lines, some BATCH_BYTES each, from a file that may be compressed."""
    kept: list[bytes] = []  # of a line that is not complete yet
    with (
        _arrow_errors(f"{path}: cannot be read as lines of text"),
        pa.input_stream(str(path), compression="detect", buffer_size=65536) as stream,
    ):
        while chunk := stream.read(BATCH_BYTES):
            end = chunk.rfind(b"\n") + 1
            if end:
                yield _lines(b"".join([*kept, chunk[:end]]))
                kept = []
            kept.append(chunk[end:])
        if last := b"".join(kept):
            yield _lines(last)


def _lines(data: bytes) -> Strings:
    """One string a line, its end included, which is white space like any other."""
    numbers = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(numbers == ord("\n")) + 1
    is_open = not len(ends) or ends[-1] != len(data)
    offsets = np.concatenate([[0], ends, [len(data)] if is_open else []]).astype(np.int64)
    return Strings(read_only(numbers), read_only(offsets), read_only(np.empty(0, np.uint8)), 0)


def _rows_a_batch(group: pq.RowGroupMetaData, layout: str) -> int:
    """Rows that decode to about BATCH_BYTES; one at least, however long it is.

    Sizes of single columns would be exact, but asking for them ends the process where a footer is damaged
    (pyarrow 26 does not catch the C++ exception).
    """
    expansion = LIST_EXPANSION if layout == "tokens" else 1
    row_bytes = group.total_byte_size * expansion / max(group.num_rows, 1)
    return int(np.clip(BATCH_BYTES / max(row_bytes, 1), 1, BATCH_ROWS))
