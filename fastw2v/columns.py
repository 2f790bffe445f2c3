"""Which columns of a source's schema to read, and how its types lay the words out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from fastw2v.errors import UsageError

USUAL_NAMES = ("text", "tokens", "words", "sentence", "input_ids")


class Column(NamedTuple):
    """The column to read and its layout: `text` to be split, `tokens`, or `integers` (lists of them)."""

    name: str
    layout: str


def layout_of(arrow_type: pa.DataType) -> str | None:
    """`text` for strings and bytes, `tokens` for lists of them, `integers` for lists of those; else None."""
    if _is_text(arrow_type):
        return "text"
    if not any(test(arrow_type) for test in LIST_TESTS):
        return None
    if _is_text(arrow_type.value_type):
        return "tokens"
    return "integers" if _is_integer(arrow_type.value_type) else None


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
        raise UsageError(f"{file}: {listed(candidates)} could each be the text; choose with --column")
    types = [f"{field.name}: {shown(field.type)}" for field in schema]
    cure = _cure(schema[0].type) if len(types) == 1 else "convert one of them"
    raise UsageError(f"{file}: no column of type string or list<string> among {listed(types)}; {cure}")


def _check_column(file: str, schema: pa.Schema, name: str) -> None:
    """Raises UsageError for a column that is not there, is there twice, or is of no usable type."""
    indices = schema.get_all_field_indices(name)
    if not indices:
        raise UsageError(f"{file}: no column {name!r}; --column may be {listed(schema.names)}")
    if len(indices) > 1:
        raise UsageError(f"{file}: {len(indices)} columns are named {name!r}; rename all but one")
    arrow_type = schema.field(indices[0]).type
    if layout_of(arrow_type) is None:
        raise UsageError(
            f"{file}: column {name!r} is {shown(arrow_type)}, not string or list<string>; {_cure(arrow_type)}"
        )


def _cure(arrow_type: pa.DataType) -> str:
    if pa.types.is_struct(arrow_type):
        return "make a column of the field that holds the text"
    if not pa.types.is_nested(arrow_type):
        return "cast it to string"
    if pa.types.is_nested(getattr(arrow_type, "value_type", pa.null())):
        return "flatten it to one list of strings a row"
    return "cast it to list<string>"


def listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def shown(arrow_type: pa.DataType) -> str:
    """The type as a message shows it; a struct may be pages long."""
    text = str(arrow_type)
    return text if len(text) <= 60 else f"{text[:57]}..."
