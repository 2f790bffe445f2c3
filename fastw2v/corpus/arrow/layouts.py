"""Arrow arrays of every layout to the byte strings that the tokenizer reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.corpus.arrow.columns import BYTES_TESTS, Column, is_empty_type
from fastw2v.corpus.words.strings import Lists, Strings, read_only
from fastw2v.errors import CorpusError, FastW2VError, UsageError

BATCH_BYTES = 4 << 20  # long enough to hide a call's cost, short enough for many workers' memory
BATCH_ROWS = 8192
TEXT, LISTS = pa.large_string(), pa.large_list(pa.large_string())

Batch = Strings | Lists


class Piece(NamedTuple):
    """Rows of a source, and where they are, for messages.

    keys   of rows that are groups, the value of their --group-by column each, where it is asked for
    """

    place: str
    rows: pa.RecordBatch
    keys: pa.Array | None = None


def rows_a_batch(n_rows: int, n_bytes: float) -> int:
    """Rows that make about BATCH_BYTES, where n_rows make n_bytes; one at least, however long it is."""
    return int(np.clip(BATCH_BYTES / max(n_bytes / max(n_rows, 1), 1), 1, BATCH_ROWS))


@contextlib.contextmanager
def arrow_errors(what: str, cure: str = "write or download it again") -> Iterator[None]:
    """Turn whatever Arrow, or a file system that others wrote, raises into a CorpusError of one line."""
    try:
        yield
    except (FastW2VError, MemoryError):
        raise
    except Exception as error:
        text = str(error).partition(". Detail: Python exception")[0]  # which has a traceback
        reason = " ".join(text.split())[:160] or type(error).__name__
        if reason.startswith("Expected all lists to be of size="):  # what pyarrow before 26 says of good ones
            what, cure = what.replace("is corrupt", "cannot be read"), "nulls in such lists need pyarrow 26"
        raise CorpusError(f"{what} ({reason}); {cure}") from error


def as_batches(pieces: Iterable[Piece], column: Column) -> Iterator[Batch]:
    """The column's rows as the tokenizer reads them.

    Raises CorpusError for an array that is not what its type says, naming its place.
    """
    for piece in pieces:
        with arrow_errors(f"{piece.place} is corrupt"):
            array = _typed(piece.rows.column(column.name), column)
            batch = as_strings(array) if column.layout == "text" else as_lists(array)
        yield batch


def _typed(array: pa.Array, column: Column) -> pa.Array:
    """The array as it is; of null type, which another file's type decided about, as text or lists of it."""
    if not is_empty_type(array.type):
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), TEXT if column.layout == "text" else LISTS)
    if column.layout != "text":
        return array.cast(LISTS)
    if array.null_count < len(array):
        raise ValueError("lists where other files have text")
    return pa.nulls(len(array), TEXT)


def checked_places(pieces: Iterable[Piece], column: str, n_places: int) -> Iterator[Piece]:
    """The pieces as they are; raises UsageError for an integer that is no place in 0..n_places − 1."""
    import pyarrow.compute as pc

    for piece in pieces:
        with arrow_errors(f"{piece.place} is corrupt"):
            array = piece.rows.column(column)
            if is_empty_type(array.type):
                yield piece
                continue
            items = array.flatten() if pa.types.is_nested(array.type) else array
            plain = items.cast(items.type.value_type) if pa.types.is_dictionary(items.type) else items
            lowest, highest = (bound.as_py() for bound in pc.min_max(plain).values())
        if lowest is not None and (lowest < 0 or highest >= n_places):
            wrong = lowest if lowest < 0 else highest
            raise UsageError(
                f"{piece.place}: id {wrong} is no place in the given vocabulary, 0 to {n_places - 1}; "
                "give the vocabulary that made the ids, or take their digits for --ids words"
            )
        yield piece


def as_strings(array: pa.Array) -> Strings:
    """Any Arrow array of strings, bytes or integers, without copying bytes that Arrow has in one piece.

    Integers become their decimal digits, so that an id is a word like any other.
    """
    if pa.types.is_dictionary(array.type):
        of_bytes = any(test(array.type.value_type) for test in BYTES_TESTS)
        array = array.dictionary.cast(pa.large_binary() if of_bytes else pa.large_string()).take(
            array.indices
        )
    elif not any(test(array.type) for test in PLAIN_TEXT):
        of_bytes = any(test(array.type) for test in BYTES_TESTS)
        array = array.cast(pa.large_binary() if of_bytes else pa.large_string())
    validity, offsets, data = array.buffers()
    is_short = pa.types.is_string(array.type) or pa.types.is_binary(array.type)
    return Strings(
        data=_as_numpy(data, np.uint8),
        offsets=read_only(
            _offsets(offsets, np.int32 if is_short else np.int64, array).astype(np.int64, copy=False)
        ),
        validity=_as_numpy(validity if array.null_count else None, np.uint8),
        first_bit=array.offset,
    )


PLAIN_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)


def as_lists(array: pa.Array) -> Lists:
    """Any Arrow array of lists of strings, bytes or integers."""
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        array = array.cast(pa.large_list(array.type.value_type))
    validity, offsets = array.buffers()[:2]
    offset_type = np.int32 if pa.types.is_list(array.type) else np.int64
    item_offsets = _offsets(offsets, offset_type, array).astype(np.int64)
    first, last = int(item_offsets[0]), int(item_offsets[-1])
    return Lists(
        offsets=read_only(item_offsets - first),
        validity=_as_numpy(validity if array.null_count else None, np.uint8),
        first_bit=array.offset,
        items=as_strings(array.values.slice(first, last - first)),
    )


def _offsets(buffer: pa.Buffer | None, dtype: Any, array: pa.Array) -> NDArray[Any]:
    """The len(array) + 1 offsets of an array that may be a slice; Arrow may have none for an empty one."""
    if not len(array):
        return np.zeros(1, dtype)
    return _as_numpy(buffer, dtype)[array.offset : array.offset + len(array) + 1]


def _as_numpy(buffer: pa.Buffer | None, dtype: Any) -> NDArray[Any]:
    """A buffer's contents, zero-copy; empty where there is none."""
    return read_only(np.frombuffer(buffer, dtype) if buffer else np.empty(0, dtype))
