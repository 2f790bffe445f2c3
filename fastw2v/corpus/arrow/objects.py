"""Python objects that hold a corpus: rows of tokens, NumPy's ragged ids, and what speaks Arrow's C interface.

rows            an iterable of lists of str or of integers, or of str (split at white space); a generator is
                read once, in the reading threads, one at a time. A list of str names files; iter() of it is
                text
(ids, offsets)  integer arrays: sentence s is ids[offsets[s]:offsets[s + 1]]
ids             a 2-d array of integers, as of walks on a graph: a row is a sentence
promised        what `promised` reads: polars' LazyFrame, pyarrow's Dataset …
DeltaTable      deltalake's: its active files
Arrow           anything with __arrow_c_stream__ or __arrow_c_array__: tables, batches, readers and arrays
                of pyarrow, data frames and series of pandas and polars, relations of DuckDB; none of
                these libraries is imported here
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import (
    COLUMNLESS,
    FASTA_FILES,
    IDS,
    LINE_FILES,
    ROWS,
    Column,
    is_empty_type,
    layout_of,
)
from fastw2v.corpus.arrow.layouts import BATCH_BYTES, BATCH_ROWS, Piece, arrow_errors, rows_a_batch
from fastw2v.corpus.arrow.promised import ONLY, Promise, promise_of, reader_of
from fastw2v.corpus.files.delta import files_of
from fastw2v.corpus.files.pieces import OpenSource, open_found
from fastw2v.corpus.files.remote import LOCAL, Base, file_system, reached
from fastw2v.errors import UsageError
from fastw2v.options.checks import shown
from fastw2v.system.portable import path_of

ARROW = "the Arrow data"
BATCH_ITEMS = BATCH_BYTES // 4  # tokens or characters of Python rows put into one batch
MOST_ASKED = 1_000  # texts of a list, whether they are files
MAX_NAME = 256  # characters; a text may be longer, hardly a name
TEXTS, TOKENS = pa.large_string(), pa.large_list(pa.large_string())
INTEGERS = pa.large_list(pa.int64())


def open_object(source: Any) -> OpenSource:
    """An object that holds a corpus, ready to be read.

    Raises UsageError for one that does not.
    """
    if (
        isinstance(source, tuple)
        and len(source) == 2
        and all(isinstance(part, np.ndarray) for part in source)
    ):
        return _open_ragged(*source)
    if isinstance(source, Mapping) and hasattr(source, "cast_column"):
        raise UsageError(f"a {type(source).__name__} is several corpora: give one of {', '.join(source)}")
    if hasattr(type(source), "get_add_actions") and hasattr(type(source), "table_uri"):
        return _open_delta(source)
    with arrow_errors(f"{ARROW} of {type(source).__name__} cannot be read"):
        promise = promise_of(source)
    if promise:
        return _open_promise(promise)
    if hasattr(source, "__arrow_c_stream__"):
        return _open_stream(source)
    if hasattr(source, "__arrow_c_array__"):
        return _open_stream(_stream_of(source))
    if hasattr(source, "__dataframe__"):
        raise UsageError("the data frame has no __arrow_c_stream__: give pyarrow.Table.from_pandas(frame)")
    if isinstance(source, Mapping | bytes | bytearray) or not isinstance(source, Iterable):
        raise UsageError(
            f"a corpus cannot be read from {type(source).__name__}: give names of files, rows of tokens, "
            "(ids, offsets) or a table"
        )
    if isinstance(source, np.ndarray) and source.ndim == 2 and source.dtype.kind in "iu":
        return _open_ragged(source.reshape(-1), np.arange(len(source) + 1) * source.shape[1])
    return _open_rows(iter(source))


def require_names(source: Any) -> None:
    """Raise UsageError for strings that are no file and look like text, where names are expected.

    A corpus of another kind passes, as do several texts.
    """
    if are_texts(source):
        return
    for name in source if isinstance(source, list | tuple) else [source]:
        if isinstance(name, str) and _is_text(name):
            raise UsageError(
                f"{shown(name)} is no file: strings name files; give text as lists of tokens, "
                "such as (s.split() for s in texts)"
            )


def are_texts(source: Any) -> bool:
    """Whether a list of strings is one of texts: some have several words, and none is a file, or may be one.

    By the first MOST_ASKED: asking for files takes a microsecond each.
    """
    if not isinstance(source, list | tuple) or not all(isinstance(text, str) for text in source):
        return False
    first = source[:MOST_ASKED]
    return any(_is_text(text) for text in first) and not any(map(_may_be_file, first))


def _may_be_file(text: str) -> bool:
    """Whether there is a file of that name, or a corpus is usually called so."""
    if "://" in text or text.lower().endswith((".parquet", *LINE_FILES, *FASTA_FILES)):
        return True
    try:
        return bool(text.strip()) and Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero in it
        return False


def _is_text(name: str) -> bool:
    if any(part in name for part in ("://", "*", "[")):
        return False
    suffix = Path(name).suffix[1:]
    is_long = len(name) >= MAX_NAME or "\n" in name
    if name.strip() and not is_long and (suffix.isalnum() or len(name.split()) == 1):
        return False
    try:
        return not name.strip() or not Path(name).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero in it
        return True


# ---- Arrow -------------------------------------------------------------------------------------------------


def _open_stream(source: Any) -> OpenSource:
    with arrow_errors(f"{ARROW} cannot be read"):
        reader = reader_of(source)
    read = functools.partial(_read_stream, reader)
    return OpenSource(ARROW, [(ARROW, reader.schema)], getattr(source, "num_rows", 0), read)


def _open_delta(table: Any) -> OpenSource:
    """deltalake's DeltaTable, of the version that it is at."""
    uri = table.table_uri
    if uri.startswith("file://"):
        path = path_of(uri)
        return open_found(files_of(table, Base(path, path, LOCAL)))
    with reached(uri):
        base = Base(uri, *file_system(uri))
    return open_found(files_of(table, base))


def _open_promise(promise: Promise) -> OpenSource:
    def read(column: Column) -> Iterator[Piece]:
        return _read_stream(promise.batches(column.names), column)

    return OpenSource(ARROW, [(ARROW, promise.schema)], promise.n_rows, read)


def _stream_of(source: Any) -> pa.Table:
    with arrow_errors(f"{ARROW} cannot be read"):
        array = pa.array(source)
        if pa.types.is_struct(array.type):
            return pa.table(pa.record_batch(source))
        return pa.table([array], [ONLY])


def _read_stream(reader: Iterator[pa.RecordBatch], column: Column) -> Iterator[Piece]:
    for number in itertools.count():
        place = f"{ARROW}: batch {number} (from 0)"
        with arrow_errors(f"{place} is corrupt"):
            batch = next(reader, None)
            if batch is None:
                return
            batch = batch.select(column.names)
            batch.validate(full=True)  # wrong offsets would be read as other memory
        yield from _slices(place, batch)


def _slices(place: str, batch: pa.RecordBatch) -> Iterator[Piece]:
    """Parts of a batch that are small enough to be shared among workers, without copies."""
    size = rows_a_batch(batch.num_rows, batch.nbytes)
    for start in range(0, batch.num_rows, size):
        yield Piece(place, batch.slice(start, size))


# ---- NumPy -------------------------------------------------------------------------------------------------


def _open_ragged(ids: NDArray[Any], offsets: NDArray[Any]) -> OpenSource:
    check_ragged(ids, offsets)
    ends = pa.array(offsets.astype(np.int64, copy=False))
    native = ids.dtype.newbyteorder("=")  # Arrow has no other
    lists = pa.LargeListArray.from_arrays(ends, pa.array(np.ascontiguousarray(ids, native)))
    batch = pa.record_batch([lists], [ONLY])
    return OpenSource(
        IDS, [(IDS, batch.schema.with_metadata(COLUMNLESS))], len(lists), lambda column: _slices(IDS, batch)
    )


def check_ragged(ids: NDArray[Any], offsets: NDArray[Any]) -> None:
    """Raise UsageError unless sentence s may be ids[offsets[s]:offsets[s + 1]]."""
    for name, array in (("ids", ids), ("offsets", offsets)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise UsageError(f"{name} are {array.ndim}-d {array.dtype}: give a 1-d array of integers")
    if not len(offsets) or offsets[0] < 0 or offsets[-1] > len(ids) or (offsets[1:] < offsets[:-1]).any():
        raise UsageError(f"offsets must rise from 0 or more to at most {len(ids):,}, the number of ids")


# ---- Rows --------------------------------------------------------------------------------------------------


def _open_rows(rows: Iterator[Any]) -> OpenSource:
    start = list(itertools.islice(rows, 1))
    while len(start) < BATCH_ROWS and _is_empty(start[-1:]) and (more := list(itertools.islice(rows, 1))):
        start += more
    first = start[-1] if start else None
    kind = TEXTS if isinstance(first, str) else INTEGERS if _holds_integers(first) else TOKENS
    rows = itertools.chain(start, rows)
    schema = pa.schema([(ONLY, kind)], COLUMNLESS)
    return OpenSource(ROWS, [(ROWS, schema)], 0, lambda column: _read_rows(rows, kind))


def _is_empty(rows: list[Any]) -> bool:
    """Whether the last row is a list without tokens, which says nothing of the others."""
    return any(hasattr(row, "__len__") and not isinstance(row, str | bytes) and len(row) == 0 for row in rows)


def _holds_integers(row: Any) -> bool:
    """Whether a row is a list whose first item is an integer."""
    if not hasattr(row, "__getitem__") or isinstance(row, str | bytes | Mapping) or len(row) == 0:
        return False
    return isinstance(row[0], int | np.integer) and not isinstance(row[0], bool)


def _read_rows(rows: Iterator[Any], kind: pa.DataType) -> Iterator[Piece]:
    n_done = 0
    while group := _next_group(rows):
        array = _as_array(group, kind, n_done)
        n_done += len(group)
        yield Piece(ROWS, pa.record_batch([array], [ONLY]))


def _next_group(rows: Iterator[Any]) -> list[Any]:
    """The next rows that make a batch."""
    group: list[Any] = []
    n_items = 0
    for row in itertools.islice(rows, BATCH_ROWS):
        group.append(row if hasattr(row, "__len__") or not isinstance(row, Iterable) else list(row))
        n_items += len(group[-1]) if hasattr(group[-1], "__len__") else 1
        if n_items >= BATCH_ITEMS:
            break
    return group


def _as_array(rows: list[Any], kind: pa.DataType, n_done: int) -> pa.Array:
    """Raises UsageError naming the first row, counted from 0, that is not what the first of all was."""
    try:
        if kind == TOKENS and any(isinstance(row, str | bytes) for row in rows):
            raise TypeError("str")  # to Arrow it is a list of characters
        array = _integers(rows) if kind == INTEGERS else pa.array(rows, kind)
        if array.null_count == 0 and (kind == TEXTS or array.flatten().null_count == 0):
            return array
        reason = "None where a word is expected"
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
    wrong_with = {TEXTS: _wrong_with_text, INTEGERS: _wrong_with_integers}.get(kind, _wrong_with_tokens)
    found = ((number, wrong) for number, row in enumerate(rows, n_done) if (wrong := wrong_with(row)))
    number, wrong = next(found, (n_done, f"or one after it cannot be read ({reason})"))
    raise UsageError(f"{ROWS}: row {number:,} {wrong}")


def _integers(rows: list[Any]) -> pa.Array:
    """Lists of integers; Arrow would cut fractions off, were it told the type. Raises TypeError."""
    array = pa.array(rows)
    if not (
        pa.types.is_list(array.type) and (layout_of(array.type) == "integers" or is_empty_type(array.type))
    ):
        raise TypeError(str(array.type))
    return array.cast(INTEGERS)


def _wrong_with_text(row: Any) -> str:
    if isinstance(row, str):
        return _wrong_with_string(row)
    return f"is {_shown(row)}, where the first row was a str; give all rows as str, or all as lists of str"


def _wrong_with_tokens(row: Any) -> str:
    if isinstance(row, Mapping):
        name = next(iter(row), "text")
        return f"is a {type(row).__name__}: give one of its values, such as (row[{name!r}] for row in rows)"
    if isinstance(row, str | bytes) or not isinstance(row, Iterable):
        return f"is {_shown(row)}, not a list of str; leave it out, or make it one"
    for token in row:
        if not isinstance(token, str):
            return f"holds {_shown(token)}, not a str; make it one, or give ids as NumPy's (ids, offsets)"
        if wrong := _wrong_with_string(token):
            return wrong
    return ""


def _wrong_with_integers(row: Any) -> str:
    if isinstance(row, str | bytes) or not isinstance(row, Iterable):
        return f"is {_shown(row)}, not a list of integers as the rows before; leave it out, or make it one"
    for token in row:
        if isinstance(token, bool) or not isinstance(token, int | np.integer):
            return (
                f"holds {_shown(token)}, where rows before held integers; make all of them str, or integers"
            )
    return ""


def _wrong_with_string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is not Unicode text ({error.reason}); clean the text"
    return ""


def _shown(value: Any) -> str:
    return "None" if value is None else f"{shown(value)} ({type(value).__name__})"
