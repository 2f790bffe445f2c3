"""Arrow columns to what the tokenizer reads: which column of a schema, and the buffers of each layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.tokenizer import Lists, Strings, read_only

USUAL_NAMES = ("text", "tokens", "words", "sentence", "input_ids")

Batch = Strings | Lists


# ---- Columns -----------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """The column to read and its layout: `text` to be split, or `tokens`."""

    name: str
    layout: str


def layout_of(arrow_type: pa.DataType) -> str | None:
    """`text` for strings and bytes, `tokens` for lists of them or of integers; None for the rest."""
    if _is_text(arrow_type):
        return "text"
    is_list = any(test(arrow_type) for test in LIST_TESTS)
    is_items = is_list and (_is_text(arrow_type.value_type) or _is_integer(arrow_type.value_type))
    return "tokens" if is_items else None


STRING_TESTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
BYTES_TESTS = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
TEXT_TESTS = STRING_TESTS + BYTES_TESTS
LIST_TESTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def _value_type(arrow_type: pa.DataType) -> pa.DataType:
    """What a dictionary-encoded column stands for."""
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def _is_text(arrow_type: pa.DataType) -> bool:
    return any(test(_value_type(arrow_type)) for test in TEXT_TESTS)


def _is_string(arrow_type: pa.DataType) -> bool:
    """Whether it is of strings, or of lists of them: not of bytes or integers."""
    item = _value_type(arrow_type.value_type if any(test(arrow_type) for test in LIST_TESTS) else arrow_type)
    return any(test(item) for test in STRING_TESTS)


def _is_integer(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(_value_type(arrow_type)))


def common_column(schemas: Sequence[tuple[str, pa.Schema]], wanted: str | None) -> Column:
    """The column that all files (name, schema) share; raises UsageError naming one that differs from most.

    wanted  the column's name; default: the first usual name that is usable, else the only usable column
    """
    columns = [find_column(name, schema, wanted) for name, schema in schemas]
    [(common, n_files)] = Counter(columns).most_common(1)
    for (name, _), column in zip(schemas, columns, strict=True):
        if column != common:
            raise UsageError(
                f"{name}: column {column.name!r} holds {column.layout}, but {n_files} of {len(schemas)} "
                f"files have {common.layout} in {common.name!r}; name a --column they share or leave it out"
            )
    return common


def find_column(file: str, schema: pa.Schema, wanted: str | None) -> Column:
    """The column named, else the first usual name that is usable, else the only usable column.

    Bytes and integers may be anything, so they are not considered beside strings unless their name is usual.
    """
    usable = {field.name: layout for field in schema if (layout := layout_of(field.type))}
    if wanted is not None:
        _check_column(file, schema, wanted)
        return Column(wanted, usable[wanted])
    usual = [name for name in USUAL_NAMES if name in usable]
    strings = [field.name for field in schema if field.name in usable and _is_string(field.type)]
    candidates = usual[:1] or list(dict.fromkeys(strings)) or list(usable)
    if len(candidates) == 1:
        _check_column(file, schema, candidates[0])
        return Column(candidates[0], usable[candidates[0]])
    if candidates:
        raise UsageError(f"{file}: {_listed(candidates)} could each be the text; choose with --column")
    types = [f"{field.name}: {_shown(field.type)}" for field in schema]
    cure = _cure(schema[0].type) if len(types) == 1 else "convert one of them"
    raise UsageError(f"{file}: no column of type string or list<string> among {_listed(types)}; {cure}")


def _check_column(file: str, schema: pa.Schema, name: str) -> None:
    """Raises UsageError for a column that is not there, is there twice, or is of no usable type."""
    indices = schema.get_all_field_indices(name)
    if not indices:
        raise UsageError(f"{file}: no column {name!r}; --column may be {_listed(schema.names)}")
    if len(indices) > 1:
        raise UsageError(f"{file}: {len(indices)} columns are named {name!r}; rename all but one")
    arrow_type = schema.field(indices[0]).type
    if layout_of(arrow_type) is None:
        raise UsageError(
            f"{file}: column {name!r} is {_shown(arrow_type)}, not string or list<string>; "
            f"{_cure(arrow_type)}"
        )


def _cure(arrow_type: pa.DataType) -> str:
    if pa.types.is_struct(arrow_type):
        return "make a column of the field that holds the text"
    if not pa.types.is_nested(arrow_type):
        return "cast it to string"
    if pa.types.is_nested(getattr(arrow_type, "value_type", pa.null())):
        return "flatten it to one list of strings a row"
    return "cast it to list<string>"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _shown(arrow_type: pa.DataType) -> str:
    """The type as a message shows it; a struct may be pages long."""
    text = str(arrow_type)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- Arrays ------------------------------------------------------------------------------------------------


def as_batch(array: pa.Array, layout: str) -> Batch:
    """An Arrow array of a layout's types as the tokenizer reads it."""
    return as_strings(array) if layout == "text" else as_lists(array)


def as_strings(array: pa.Array) -> Strings:
    """Any Arrow array of strings, bytes or integers, without copying bytes that Arrow has in one piece.

    Integers become their decimal digits, so that an id is a word like any other.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary.cast(pa.large_string()).take(array.indices)
    elif not any(test(array.type) for test in PLAIN_TEXT):
        array = array.cast(pa.large_binary() if pa.types.is_binary_view(array.type) else pa.large_string())
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
