"""Files opened and read piece by piece: row groups of Parquet, stretches of lines, shards of either."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.columns import FROM_LINES, Column
from fastw2v.corpus.arrow.layouts import Piece, arrow_errors, rows_a_batch
from fastw2v.corpus.files.find import Files, find_files
from fastw2v.corpus.files.kinds import first_bytes
from fastw2v.corpus.files.partitions import whole_schema, with_keys_read
from fastw2v.corpus.files.refusals import encrypted, is_encrypted, other_kind, refuse_gone, refuse_non_file
from fastw2v.corpus.files.remote import LOCAL, File
from fastw2v.corpus.files.text import LINE_COLUMN, READ_BYTES, read_text
from fastw2v.errors import CorpusError

REMOTE_READ_BYTES = 4 << 20  # a request each
GUESSED_LINE = 100  # bytes of text; for the progress shown only
GUESSED_PACKING = 3  # bytes of text for one on disk
SHARD_BYTES = 16 << 20  # some batches: the usual file of one row group, too, can be dealt evenly
LIST_EXPANSION = 8  # bytes of decoded lists for a byte on disk: their items are mostly dictionary-encoded


PACKED_SUFFIXES = (".gz", ".bz2", ".zst", ".lz4", ".xz")
LINES = pa.schema([(LINE_COLUMN, pa.string())], FROM_LINES)


class RowGroup(NamedTuple):
    """A row group, or all lines of a text file.

    n_rows   of lines, a guess
    n_bytes  before compression, as the footer says; of packed lines, a guess
    """

    n_rows: int
    n_bytes: int


class Footer(NamedTuple):
    """A file of the corpus, as its footer describes it; a text file is one group."""

    file: File
    schema: pa.Schema
    groups: list[RowGroup]


class OpenSource(NamedTuple):
    """A source whose schemas are known and whose rows are still to be read.

    name     as a message shows it
    schemas  of each of its parts, with the part's name
    n_rows   of all parts, for the progress only
    read     gives the pieces of some column, in order
    files    that it is made of, if any
    rows_before   of the corpus, where this is a part of it
    """

    name: str
    schemas: list[tuple[str, pa.Schema]]
    n_rows: int
    read: Callable[[Column], Iterator[Piece]]
    files: Sequence[File] = ()
    rows_before: int = 0


def open_files(source: Files, config: ReadConfig) -> OpenSource:
    """The files that a source names, with their footers read.

    Raises CorpusError for a name without any file, a file that is neither text nor Parquet, or has no
    complete footer.
    """
    return open_found(find_files(source, config))


def open_found(files: Sequence[File]) -> OpenSource:
    """Files that are known, with their footers read; raises as `open_files` does."""
    footers = [read_footer(file) for file in files]
    return OpenSource(
        name=name_of(files),
        schemas=[(footer.file.name, footer.schema) for footer in footers],
        n_rows=sum(group.n_rows for footer in footers for group in footer.groups),
        read=functools.partial(read_pieces, files),
        files=files,
    )


def name_of(files: Sequence[File]) -> str:
    """Files as a message shows them together."""
    first = files[0].name
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more"


def read_footer(file: File) -> Footer:
    """What a file says of itself.

    Raises CorpusError for a file that is missing, is not Parquet, or has no complete footer.
    """
    if file.pipe:
        return Footer(file, LINES, [RowGroup(0, 0)])
    n_bytes_there = require_file(file)
    if file.text:
        is_packed = file.bare_name.endswith(PACKED_SUFFIXES)
        n_bytes = n_bytes_there * (GUESSED_PACKING if is_packed else 1)
        return Footer(file, LINES, [RowGroup(n_bytes // GUESSED_LINE + 1, n_bytes)])
    with open_parquet(file) as parquet, arrow_errors(f"{file.name}: the footer is corrupt"):
        metadata = parquet.metadata
        described = map(metadata.row_group, range(parquet.num_row_groups))
        groups = [RowGroup(group.num_rows, group.total_byte_size) for group in described]
        n_rows = sum(group.n_rows for group in groups)
        if n_rows != metadata.num_rows:
            raise ValueError(f"{metadata.num_rows:,} rows in all, {n_rows:,} in its row groups")
        return Footer(file, whole_schema(parquet.schema_arrow, file), groups)


def require_file(file: File) -> int:
    """The bytes of a file, where that is known. Raises CorpusError where it is none, or is not there."""
    if file.system == LOCAL:
        refuse_non_file(file.path)
    with arrow_errors(f"{file.name}: cannot be read", "check the name and permissions"):
        info = file.system.get_file_info(file.path)
    if not info.is_file:
        raise CorpusError(f"{file.name}: no such file; check the name")
    return info.size or 0


@contextlib.contextmanager
def open_parquet(file: File) -> Iterator[pq.ParquetFile]:
    """A Parquet file set to read in little memory and to verify what checksums it has."""
    buffer_bytes = READ_BYTES if file.system == LOCAL else REMOTE_READ_BYTES
    with contextlib.ExitStack() as stack:
        with arrow_errors(f"{file.name}: cannot be read as Parquet"), _named(file):
            parquet = pq.ParquetFile(
                stack.enter_context(file.system.open_input_file(file.path)),
                pre_buffer=False,
                buffer_size=buffer_bytes,
                page_checksum_verification=True,
            )
            stack.enter_context(parquet)
        try:
            yield parquet
        except CorpusError as error:  # columns may be encrypted beside a footer that is not
            if error.__cause__ and is_encrypted(error.__cause__):
                raise encrypted(file) from error
            raise


@contextlib.contextmanager
def _named(file: File) -> Iterator[None]:
    """Say of a file that is gone or closed so, and of what Parquet's reader refuses what it is."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        refuse_gone(file, error)
        if is_encrypted(error):
            raise encrypted(file) from error
        if found := other_kind(file, first_bytes(file) or b""):
            what, cure = found
            raise CorpusError(f"{file.name}: cannot be read as Parquet ({what}); {cure}") from error
        if "magic bytes" in str(error).lower():
            raise CorpusError(
                f"{file.name}: is damaged (its end is missing: it was cut, or is still being written); "
                "write it again"
            ) from error
        raise


def read_pieces(files: Iterable[File], column: Column) -> Iterator[Piece]:
    """The column's rows, piece by piece, in the order of the files.

    Raises CorpusError for a row group or text file that is corrupt, naming it.
    """
    for file in files:
        if file.text:
            yield from read_text(file, file.text)
            continue
        with open_parquet(file) as parquet:
            for group in range(parquet.num_row_groups):
                yield from _read_group(file, parquet, group, column)


def _read_group(file: File, parquet: pq.ParquetFile, group: int, column: Column) -> Iterator[Piece]:
    """Pieces of one row group, so that an error can name it."""
    place = f"{file.name}: row group {group} (of {parquet.num_row_groups}, from 0)"
    n_rows = 0
    with arrow_errors(f"{place} is corrupt"):
        metadata = parquet.metadata.row_group(group)
        size = rows_a_batch(metadata.num_rows, _decoded_bytes(metadata.total_byte_size, column))
        there = set(parquet.schema_arrow.names)
        own = [name for name in column.names if name in there]
        for batch in parquet.iter_batches(size, [group], columns=own, use_threads=False):
            n_rows += batch.num_rows
            is_all = len(own) == len(column.names)
            yield Piece(place, batch if is_all else with_keys_read(batch, column.names, file))
        if n_rows != metadata.num_rows:
            raise ValueError(f"{n_rows:,} rows instead of {metadata.num_rows:,}")


def _decoded_bytes(n_bytes: int, column: Column) -> float:
    """About the bytes that a row group of n_bytes decodes to.

    Sizes of single columns would be exact, but asking for them ends the process where a footer is damaged
    (pyarrow 26 does not catch the C++ exception).
    """
    return float(n_bytes * (1 if column.layout == "text" else LIST_EXPANSION))


class Shard(NamedTuple):
    """Rows first_row to stop_row − 1 of a row group, or all lines of a text file; some n_bytes decoded."""

    file: File
    group: int
    first_row: int
    stop_row: int
    n_bytes: float


def cut(file: File, groups: Sequence[RowGroup], column: Column) -> list[Shard]:
    """A file in shards of SHARD_BYTES or less, as its footer alone says; a text file is one."""
    if file.text:
        return [Shard(file, 0, 0, group.n_rows, group.n_bytes) for group in groups]
    shards = []
    for number, group in enumerate(groups):
        n_bytes, size = _decoded_bytes(group.n_bytes, column), _rows_a_shard(group, column)
        for first in range(0, group.n_rows, size):
            stop = min(first + size, group.n_rows)
            shards.append(Shard(file, number, first, stop, n_bytes * (stop - first) / group.n_rows))
    return shards


def _rows_a_shard(group: RowGroup, column: Column) -> int:
    """At least one; where it is more than a batch, whole batches."""
    n_bytes = max(_decoded_bytes(group.n_bytes, column), 1)
    n_rows = max(int(SHARD_BYTES * group.n_rows / n_bytes), 1)
    size = rows_a_batch(group.n_rows, n_bytes)
    return n_rows // size * size or n_rows


def read_shards(shards: Sequence[Shard], column: Column) -> Iterator[tuple[int, Piece]]:
    """The column's rows in shards in the order of the corpus, each piece with the place of its shard.

    Shards of one row group decode it together, once, from its first row to the last that is wanted: Arrow
    cannot begin in the middle of a row group.

    Raises CorpusError as `read_pieces` does.
    """
    for _, of_file in itertools.groupby(enumerate(shards), _occurrence):
        first, *others = of_file
        file = first[1].file
        if file.text:
            yield from ((first[0], piece) for piece in read_text(file, file.text))
            continue
        with open_parquet(file) as parquet:
            for group, of_group in itertools.groupby([first, *others], lambda item: item[1].group):
                yield from _sliced(_read_group(file, parquet, group, column), of_group)


def _occurrence(item: tuple[int, Shard]) -> int:
    """Tells files apart, also where a source names one twice."""
    return id(item[1].file)


def _sliced(pieces: Iterator[Piece], shards: Iterable[tuple[int, Shard]]) -> Iterator[tuple[int, Piece]]:
    """What the shards hold of a row group's pieces, with the place of the shard."""
    waiting, stop = collections.deque(shards), 0
    for piece in pieces:
        start, stop = stop, stop + piece.rows.num_rows
        while waiting and waiting[0][1].first_row < stop:
            number, shard = waiting[0]
            first, last = max(shard.first_row, start), min(shard.stop_row, stop)
            yield number, piece._replace(rows=piece.rows.slice(first - start, last - first))
            if shard.stop_row > stop:
                break
            waiting.popleft()
        if not waiting:
            return
