"""Keys of partition folders (session=7/part-0.parquet) as columns, typed as by pyarrow.dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath, PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

from fastw2v.corpus.arrow.columns import KEY_OF_FOLDER
from fastw2v.corpus.files.remote import LOCAL, File, Key

NULL = "__HIVE_DEFAULT_PARTITION__"  # Hive's, and so everybody's, name for the folder of null


def with_keys(files: Sequence[File]) -> list[File]:
    """The files with the keys of their folders: integers where all values of a key are some, else strings."""
    found = [_keys_of(file) for file in files]
    names = {name for keys in found for name in keys}
    kinds = {name: _kind(keys[name] for keys in found if name in keys) for name in sorted(names)}
    return [
        file._replace(keys=tuple(Key(name, pa.scalar(keys[name]).cast(kinds[name])) for name in keys))
        if keys
        else file
        for file, keys in zip(files, found, strict=True)
    ]


def _keys_of(file: File) -> dict[str, str | None]:
    """Of a Parquet file name and value of each key; None for null. Where a log says them, nothing."""
    if file.text or file.pipe or file.table or "=" not in file.path:
        return {}
    path = PurePath(file.path) if file.system == LOCAL else PurePosixPath(file.path.partition("?")[0])
    parts = [part.partition("=") for part in path.parent.parts]
    pairs = [(unquote(name), unquote(value)) for name, sign, value in parts if name and sign]
    return {name: None if value == NULL else value for name, value in pairs}


def _kind(values: Iterable[str | None]) -> pa.DataType:
    try:
        pa.array(values, pa.string()).cast(pa.int32())
    except pa.ArrowInvalid:
        return pa.string()
    return pa.int32()


def whole_schema(schema: pa.Schema, file: File) -> pa.Schema:
    """A file's own schema, then the keys of its folders, and what its table has beyond."""
    for key in file.keys:
        schema = schema.append(pa.field(key.name, key.value.type, metadata=KEY_OF_FOLDER))
    for field in file.table or ():
        if field.name not in schema.names:
            schema = schema.append(field)
    return schema


def with_keys_read(batch: pa.RecordBatch, names: Sequence[str], file: File) -> pa.RecordBatch:
    """Columns of a file, and those of names that it has not: keys of its folders, or nulls."""
    values = {field.name: pa.scalar(None, field.type) for field in file.table or ()}
    values |= {key.name: key.value for key in file.keys}
    missing = [name for name in names if name not in batch.schema.names]
    columns = [*batch.columns, *(pa.repeat(values[name], batch.num_rows) for name in missing)]
    return pa.RecordBatch.from_arrays(columns, [*batch.schema.names, *missing])
