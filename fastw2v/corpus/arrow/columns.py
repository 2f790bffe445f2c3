"""Which columns of a source's schema to read, and how its types lay the words out."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from fastw2v.config import ReadConfig
from fastw2v.errors import UsageError
from fastw2v.options.checks import shown as shown_value

USUAL_NAMES = ("text", "tokens", "words", "sentence", "input_ids")


ROWS, IDS = "the given rows", "the given ids"
# Text of a sentence a line, by suffix, and how it is packed.
LINE_FILES = {
    ".txt": None,
    ".txt.gz": "gzip",
    ".txt.bz2": "bz2",
    ".txt.zst": "zstd",
    ".txt.lz4": "lz4",
    ".txt.xz": "xz",
}
# FASTA of anything, nucleotides, genes, amino acids, RNA; packed as text is, or not.
FASTA_FILES = tuple(
    f".{name}{packing}"
    for name in ("fasta", "fa", "fas", "fna", "ffn", "faa", "frn")
    for packing in ("", ".gz", ".bz2", ".zst", ".lz4", ".xz")
)


# In the metadata of a schema: of text files, and of rows of Python and arrays, which have no columns either.
FROM_LINES, COLUMNLESS = {b"rows": b"lines of text files"}, {b"rows": b"rows without columns"}


KEY_OF_FOLDER = {b"rows": b"key of a folder"}  # of a field that is no column of the file


class Column(NamedTuple):
    """The column to read and its layout: `text` to be split, `tokens`, or `integers` (lists of them).

    Text is split as `tokenize` says. Where rows are grouped, it holds one item a row, and the lists are made
    of them. Columns may be read beside it: of what the rows are called, of their weights, of their targets.
    """

    name: str
    layout: str
    group_by: str | None = None
    order_by: str | None = None
    tokenize: str = "whitespace"
    carried: str | None = None
    weight: str | None = None
    target: str | None = None

    @property
    def names(self) -> list[str]:
        """All columns that must be read."""
        named = (self.name, self.group_by, self.order_by, self.carried, self.weight, self.target)
        return list(dict.fromkeys(filter(None, named)))


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
BYTES_TESTS = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
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


def common_column(schemas: Sequence[tuple[str, pa.Schema]], config: ReadConfig) -> Column:
    """The column that all files (name, schema) share; raises UsageError naming one that differs from most."""
    schemas = _without_null_types(schemas)
    find = find_item_column if config.group_by else find_column
    common = agreed([(name, find(name, schema, config)) for name, schema in schemas])
    _check_effects(common, config)
    _check_text_effects(schemas, config)
    if config.group_by:
        _check_types(schemas, common)
    require_beside(schemas, config)
    return common._replace(tokenize=config.tokenize, weight=config.weight, target=config.global_context)


def _check_text_effects(schemas: Sequence[tuple[str, pa.Schema]], config: ReadConfig) -> None:
    """Raises UsageError for an option of text files where there is none."""
    if any(schema.metadata == FROM_LINES for _, schema in schemas):
        return
    for name in ("lines", "encoding", "errors"):
        if (value := getattr(config, name)) != getattr(ReadConfig, name):
            raise UsageError(
                f"{name} {value} is for text files, and {schemas[0][0]} is none: leave it out", [name]
            )


def _check_effects(column: Column, config: ReadConfig) -> None:
    """Raises UsageError for an option that does nothing to a column of this layout."""
    if config.tokenize != "whitespace" and (column.layout != "text" or column.group_by):
        raise UsageError(
            f"tokenize {config.tokenize} is for texts, and column {column.name!r} holds words: leave it out",
            ["tokenize"],
        )
    if config.kmers and column.layout != "text":
        raise UsageError(
            f"kmers are of texts that are sequences, and column {column.name!r} holds words: leave kmers out",
            ["kmers"],
        )
    if config.ids == "words" and column.layout != "integers":
        raise UsageError(
            f"ids words is for integers, and column {column.name!r} has none: leave ids out", ["ids"]
        )


def _without_null_types(schemas: Sequence[tuple[str, pa.Schema]]) -> list[tuple[str, pa.Schema]]:
    """The schemas with another file's type for a column of null or of lists of null, which holds nothing.

    Writers that guess types give them to a file whose texts are all missing or whose lists are all empty.
    """
    types: dict[str, pa.DataType] = {}
    for field in (field for _, schema in schemas for field in schema):
        if not is_empty_type(field.type):
            types.setdefault(field.name, field.type)
    return [
        (name, pa.schema([field.with_type(_told(field, types)) for field in schema], schema.metadata))
        for name, schema in schemas
    ]


def _told(field: pa.Field, types: dict[str, pa.DataType]) -> pa.DataType:
    return types.get(field.name, field.type) if is_empty_type(field.type) else field.type


def is_empty_type(arrow_type: pa.DataType) -> bool:
    """Whether nothing but nulls and empty lists can be of the type."""
    is_list = any(test(arrow_type) for test in LIST_TESTS)
    return bool(pa.types.is_null(_value_type(arrow_type.value_type if is_list else arrow_type)))


def agreed(columns: Sequence[tuple[str, Column]]) -> Column:
    """The column that all files (name, column) have; raises UsageError naming one that differs from most."""
    [(common, n_files)] = Counter(column for _, column in columns).most_common(1)
    for name, column in columns:
        if column != common:
            raise UsageError(
                f"{name}: column {column.name!r} holds {column.layout}, but {n_files} of {len(columns)} "
                f"files have {common.layout} in {common.name!r}; name a --column they share or leave it out"
            )
    return common


def packed(schema: pa.Schema) -> str:
    """The fields of a schema as text, to be sent; of its metadata only that there are no columns."""
    kept = schema.metadata if is_columnless(schema) else None
    return base64.b64encode(schema.with_metadata(kept).serialize()).decode()


def unpacked(text: str) -> pa.Schema:
    """The schema that was `packed`."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def find_column(file: str, schema: pa.Schema, config: ReadConfig) -> Column:
    """The column named, else the first usual name that is usable, else the only usable column.

    Bytes and integers may be anything, so they are not considered beside strings unless their name is usual,
    and keys of folders only where they are named.
    """
    if config.column is not None:
        _check_column(file, schema, config.column)
        return Column(config.column, str(layout_of(schema.field(config.column).type)))
    fields = [field for field in schema if not _is_aside(field, (config.global_context,))]
    usable = {field.name: layout for field in fields if (layout := layout_of(field.type))}
    usual = [name for name in USUAL_NAMES if name in usable]
    strings = [field.name for field in fields if field.name in usable and _is_string(field.type)]
    candidates = usual[:1] or list(dict.fromkeys(strings)) or list(usable)
    if len(candidates) == 1:
        _check_column(file, schema, candidates[0])
        return Column(candidates[0], usable[candidates[0]])
    if candidates:
        raise UsageError(f"{file}: {listed(candidates)} could each be the text; choose with --column")
    types = [f"{field.name}: {shown(field.type)}" for field in schema]
    cure = _grouping_cure(schema) or (_cure(schema[0].type) if len(types) == 1 else "convert one of them")
    raise UsageError(f"{file}: no column of type string or list<string> among {listed(types)}; {cure}")


def _is_aside(field: pa.Field, named: Sequence[str | None]) -> bool:
    """Whether a column is named for something else than words, or is a key of a folder."""
    return field.metadata == KEY_OF_FOLDER or field.name in named


GROUP_NAMES = (
    *("session", "basket", "order", "cart", "playlist"),
    *("user", "customer", "visit", "group", "query"),
)


def _grouping_cure(schema: pa.Schema, item: str | None = None) -> str:
    """How to read a table of one item a row, where it looks like one; item is its column, if known."""
    plain = [field.name for field in schema if _is_text(field.type) or _is_integer(field.type)]
    groups = [name for key in GROUP_NAMES for name in plain if key in name.lower() and name != item]
    items = [item] if item else [name for name in plain if name not in groups[:1]]
    if len(plain) < 2 or (item and item not in plain):
        return ""
    if not groups:
        return "where each row is one item, give --group-by NAME, the column that a sentence's rows share"
    column = f" --column {items[0]}" if item or len(items) == 1 else ""
    return f"where each row is one item, give --group-by {groups[0]}{column}"


def _check_column(file: str, schema: pa.Schema, name: str) -> None:
    """Raises UsageError for a column that is not there, is there twice, or is of no usable type."""
    arrow_type = _type_of(file, schema, name, "--column")
    if layout_of(arrow_type) is None:
        cures = [_grouping_cure(schema, name), _cure(arrow_type)]
        raise UsageError(
            f"{file}: column {name!r} is {shown(arrow_type)}, not string or list<string>; "
            f"{', or '.join(filter(None, cures))}"
        )


def _type_of(file: str, schema: pa.Schema, name: str, option: str) -> pa.DataType:
    """The type of the column that an option names; raises UsageError unless there is one."""
    indices = schema.get_all_field_indices(name)
    if not indices and is_columnless(schema):
        raise UsageError(f"{file}: has rows and no columns, so that {option} does nothing: leave it out")
    if not indices:
        raise UsageError(f"{file}: no column {shown_value(name)}; {option} may be {listed(schema.names)}")
    if len(indices) > 1 and any(schema.field(place).metadata == KEY_OF_FOLDER for place in indices):
        raise UsageError(
            f"{file}: {name!r} is a column of the file and a key of its folders ({name}=…), which may "
            "differ: write the file without it, or give the folders' key another name"
        )
    if len(indices) > 1:
        raise UsageError(f"{file}: {len(indices)} columns are named {name!r}; rename all but one")
    return schema.field(indices[0]).type


def require_carried(schemas: Sequence[tuple[str, pa.Schema]], name: str) -> None:
    """Raises UsageError unless all files have a column of that name, of one type, and no lists."""
    types = [(file, _type_of(file, schema, name, "--id-column")) for file, schema in schemas]
    for file, arrow_type in types:
        if arrow_type != types[0][1] or pa.types.is_nested(arrow_type):
            raise UsageError(
                f"{file}: column {name!r} is {shown(arrow_type)}: ids have one type, and are no lists"
            )


BESIDE: dict[str, tuple[str, Any]] = {
    "weight": ("weights are numbers", (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)),
    "global_context": ("targets are words", (*TEXT_TESTS, pa.types.is_integer, pa.types.is_null)),
}


def require_beside(schemas: Sequence[tuple[str, pa.Schema]], config: ReadConfig) -> None:
    """Raises UsageError unless all files have the columns of what rows have beside words, of their types."""
    for option, (are, tests) in BESIDE.items():
        for file, schema in schemas if (name := getattr(config, option)) else ():
            kind = _type_of(file, schema, name, f"--{option.replace('_', '-')}")
            if not any(test(_value_type(kind)) for test in tests):
                why = f"{are}: cast it, or leave {option} out"
                raise UsageError(f"{file}: column {name!r} is {shown(kind)}, and {why}", [option])


def is_columnless(schema: pa.Schema) -> bool:
    """Whether a source has no columns that could be named: text, rows of Python, arrays."""
    return schema.metadata in (FROM_LINES, COLUMNLESS)


def find_item_column(file: str, schema: pa.Schema, config: ReadConfig) -> Column:
    """The column of items in a table of one item a row: the one named, or the only one that may hold them."""
    keys = {name: _type_of(file, schema, name, option) for option, name in _keys_of(config)}
    for name, arrow_type in keys.items():
        if not _is_sortable(arrow_type):
            raise UsageError(
                f"{file}: column {name!r} is {shown(arrow_type)}, which cannot be sorted; "
                "group and order by numbers, strings or times"
            )
    if config.column is not None:
        _type_of(file, schema, config.column, "--column")
    fields = [field for field in schema if not _is_aside(field, (*keys, config.global_context))]
    if config.column:
        fields = [schema.field(config.column)]
    items = [field for field in fields if _is_text(field.type) or _is_integer(field.type)]
    among = listed([f"{field.name}: {shown(field.type)}" for field in (items or fields)])
    if len(items) > 1:
        raise UsageError(f"{file}: {among} could each be a row's item; choose with --column")
    if not items:
        found = f"{among} is no" if len(fields) == 1 else f"none of {among} is a" if fields else "there is no"
        keys_named = " and ".join(repr(name) for name in keys)
        raise UsageError(
            f"{file}: beside {keys_named}, {found} string or integer that could be a row's item; "
            "cast one to string, or leave out --group-by"
        )
    layout = "tokens" if _is_text(items[0].type) else "integers"
    return Column(items[0].name, layout, config.group_by, config.order_by)


def _keys_of(config: ReadConfig) -> list[tuple[str, str]]:
    """The columns that rows are sorted by, with the options that name them."""
    keys = [("--group-by", config.group_by), ("--order-by", config.order_by)]
    return [(option, name) for option, name in keys if name is not None]


def _check_types(schemas: Sequence[tuple[str, pa.Schema]], column: Column) -> None:
    """Raises UsageError where files have a column in types that cannot be sorted together."""
    for name in column.names:
        types = [sortable_type(schema.field(name).type) for _, schema in schemas]
        [(common, n_files)] = Counter(types).most_common(1)
        for (file, _), arrow_type in zip(schemas, types, strict=True):
            if arrow_type != common:
                raise UsageError(
                    f"{file}: column {name!r} is {shown(arrow_type)}, but {n_files} of {len(schemas)} files "
                    f"have {shown(common)}; give it one type to group rows of all of them"
                )


def sortable_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type that values have when they are sorted: no dictionary, no view, no limit of bytes."""
    plain = _value_type(getattr(arrow_type, "storage_type", arrow_type))
    if any(test(plain) for test in STRING_TESTS):
        return pa.large_string()
    return pa.large_binary() if any(test(plain) for test in BYTES_TESTS) else plain


def _is_sortable(arrow_type: pa.DataType) -> bool:
    import pyarrow.compute as pc

    plain = sortable_type(arrow_type)
    try:
        pc.sort_indices(pa.array([], plain))
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return not pa.types.is_null(plain)


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
