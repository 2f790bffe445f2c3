"""Delta tables by their log: which files are active, their keys, and columns that older files have not."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs

from fastw2v.corpus.files.remote import LOCAL, Base, File, Key
from fastw2v.errors import CorpusError
from fastw2v.system.portable import without_scheme

if TYPE_CHECKING:
    import deltalake

LOG = "_delta_log"
# What a table's protocol may ask of a reader that leaves its Parquet files to be read as they are.
PLAIN = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "variantType", "variantType-preview"}
IN_PYTHON = "in Python, give fastw2v.train(deltalake.DeltaTable({name!r}).scan())"
NOT_ITS_FOLDER = "{name}: is a Delta table: its log says which files and rows count, not its folder; "


def is_delta(base: Base) -> bool:
    """Whether a folder is a Delta table."""
    place = f"{base.path.rstrip('/')}/{LOG}"
    return bool(base.system.get_file_info(place).type == pafs.FileType.Directory)


def delta_files(base: Base) -> list[File]:
    """The active files of a table's newest version, in the order of their names.

    Raises CorpusError where deltalake is not installed or cannot read the log, for deletion vectors, and for
    what else makes rows of what is not in the files.
    """
    told = NOT_ITS_FOLDER.format(name=base.uri)
    if importlib.util.find_spec("deltalake") is None:
        raise CorpusError(told + "pip install 'fastw2v[deltalake]' to have it read by its log")
    import deltalake

    try:
        table = deltalake.DeltaTable(base.uri)
    except Exception as error:  # OSError, and deltalake's own, which have no base but this
        reason = " ".join(str(error).split())[:160]
        raise CorpusError(f"{told}it cannot be read ({reason}); mend it, or copy the table here") from error
    return files_of(table, base)


def files_of(table: deltalake.DeltaTable, base: Base) -> list[File]:
    """The active files of a table, as `delta_files` gives them."""
    _require_plain(table, base.uri)
    actions = pa.table(table.get_add_actions(flatten=True))
    if not actions.num_rows:
        raise CorpusError(f"{base.uri}: the Delta table holds no file; write rows to it first")
    schema = pa.schema(table.schema())
    partitions = table.metadata().partition_columns
    columns = {name: actions[f"partition.{name}"] for name in partitions}
    found = []
    for row, path in enumerate(actions["path"].to_pylist()):
        keys = tuple(
            Key(name, pa.scalar(columns[name][row].as_py(), schema.field(name).type)) for name in partitions
        )
        file = _file(base, unquote(path))
        found.append(file._replace(keys=keys, table=schema))
    return sorted(found, key=lambda file: file.path)


def _file(base: Base, path: str) -> File:
    """The file of a path in the log, which may be a whole one, as of a clone."""
    if path.startswith("file://"):
        path = without_scheme(path)
        return File(path, path, LOCAL)
    if "://" in path:
        raise CorpusError(
            f"{base.uri}: the Delta table has files elsewhere, such as {path}; "
            f"{IN_PYTHON.format(name=base.uri)}"
        )
    return base.file(path if path.startswith("/") else f"{base.path.rstrip('/')}/{path}")


def _require_plain(table: deltalake.DeltaTable, name: str) -> None:
    """Raise CorpusError for a table whose rows are not those of its files."""
    for what in _obstacles(table):
        cure = IN_PYTHON.format(name=name)
        raise CorpusError(
            f"{name}: the Delta table has {what}, so that its files are not its rows; {cure}, or rewrite it "
            "without (OPTIMIZE or VACUUM in Spark)"
        )


def _obstacles(table: deltalake.DeltaTable) -> Iterator[str]:
    features = set(table.protocol().reader_features or ())
    if "deletionVectors" in features and any(batch.num_rows for batch in table.deletion_vectors()):
        yield "deletion vectors"
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        yield "mapped columns"
    if others := sorted(features - PLAIN - {"deletionVectors", "columnMapping"}):
        yield f"the feature {others[0]}"
