"""Edges from files and from objects of Python, batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.layouts import BATCH_ROWS, arrow_errors
from fastw2v.corpus.arrow.promised import Promise, promise_of, reader_of
from fastw2v.corpus.files.find import Files, named_files
from fastw2v.corpus.files.kinds import AS_PARQUET, first_bytes
from fastw2v.corpus.files.pieces import open_parquet, require_file
from fastw2v.corpus.files.refusals import binary_kind
from fastw2v.corpus.files.remote import File, is_parquet
from fastw2v.corpus.graphs.columns import EdgeBatch, edge_batch, edge_columns
from fastw2v.corpus.graphs.lines import edge_lines
from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import shown

GIVEN = "the given edges"
FORMS = (
    "names of files, a table with columns source and target, pairs or triples, an array (n, 2), "
    "a SciPy matrix, or NumPy's (indptr, indices) and weights"
)


class OpenEdges(NamedTuple):
    """A source of edges.

    name     as a message shows it
    n_rows   for the progress; 0 where they are not known
    batches  the edges, once
    """

    name: str
    n_rows: int
    batches: Iterator[EdgeBatch]


def open_edge_files(source: Files) -> OpenEdges:
    """Files of Parquet and of text. Raises CorpusError for what cannot be read, UsageError for no columns."""
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise CorpusError(f"{GIVEN}: holds no edge; give a source and a target a row")
    files = [file for name in names for file in named_files(name, ReadConfig())]
    kinds = [is_table(file) for file in files]
    n_rows = 0
    for file, is_one in zip(files, kinds, strict=True):
        if is_one:
            with open_parquet(file) as parquet:
                n_rows += parquet.metadata.num_rows
                edge_columns(file.name, parquet.schema_arrow)
    batches = itertools.chain.from_iterable(
        of_parquet(file) if is_one else of_lines(file) for file, is_one in zip(files, kinds, strict=True)
    )
    return OpenEdges(files[0].name, n_rows if all(kinds) else 0, batches)


def is_table(file: File) -> bool:
    """Whether a file is Parquet, by its suffix or first bytes. CorpusError: no text either."""
    if file.pipe:
        start = file.pipe.peek(1 << 16)
    else:
        require_file(file)
        if is_parquet(file.bare_name):
            return True
        start = first_bytes(file) or b""
    if start.startswith(AS_PARQUET):
        if file.pipe:
            raise CorpusError(
                f"{file.name}: Parquet is read from its end, and a pipe has none: write it to a file first"
            )
        return True
    if found := binary_kind(start):
        raise CorpusError(f"{file.name}: cannot be read as edges ({found[0]}); write it as Parquet or CSV")
    return False


def of_parquet(file: File) -> Iterator[EdgeBatch]:
    """The edges in a Parquet file."""
    with open_parquet(file) as parquet:
        columns = edge_columns(file.name, parquet.schema_arrow)
        place = f"{file.name}: a batch"
        with arrow_errors(f"{place} is corrupt"):
            for batch in parquet.iter_batches(1 << 16, columns=columns.names):
                yield edge_batch(file.name, batch, columns)


def of_lines(file: File) -> Iterator[EdgeBatch]:
    """The edges in a file of text."""
    for _, batch, columns in edge_lines(file):
        yield edge_batch(file.name, batch, columns)


def open_edge_object(source: Any) -> OpenEdges:
    """An object of Python that holds edges, but for matrices.

    Raises UsageError for one that does not.
    """
    with arrow_errors(f"{GIVEN} of {type(source).__name__} cannot be read"):
        promise = promise_of(source)
    if promise:
        return of_promise(promise)
    if hasattr(source, "__arrow_c_stream__"):
        reader = reader_of(source)
        return OpenEdges(GIVEN, getattr(source, "num_rows", 0), of_batches(reader.schema, reader))
    if hasattr(source, "__arrow_c_array__"):
        batch = pa.record_batch(source)
        return OpenEdges(GIVEN, batch.num_rows, of_batches(batch.schema, iter([batch])))
    if isinstance(source, np.ndarray):
        return of_array(source)
    if isinstance(source, Mapping | str | bytes) or not isinstance(source, Iterable):
        raise UsageError(f"a graph cannot be read from {type(source).__name__}: give {FORMS}")
    return OpenEdges(GIVEN, getattr(source, "__len__", lambda: 0)(), of_pairs(iter(source)))


def of_promise(promise: Promise) -> OpenEdges:
    """What promises rows."""
    columns = edge_columns(GIVEN, promise.schema)
    return OpenEdges(GIVEN, promise.n_rows, of_batches(promise.schema, promise.batches(columns.names)))


def of_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[EdgeBatch]:
    """The edges of a stream of batches; the columns are found before any is read."""
    columns = edge_columns(GIVEN, schema)

    def read() -> Iterator[EdgeBatch]:
        with arrow_errors(f"{GIVEN} cannot be read"):
            for batch in batches:
                batch.validate(full=True)  # wrong offsets would be read as other memory
                yield edge_batch(GIVEN, batch, columns)

    return read()


def of_array(source: np.ndarray[Any, Any]) -> OpenEdges:
    """An array of integers (n, 2). Raises UsageError for any other."""
    if source.ndim != 2 or source.shape[1] != 2 or source.dtype.kind not in "iu":
        raise UsageError(
            f"the given array is {source.dtype} of shape {source.shape}: edges are integers of shape (n, 2); "
            f"give {FORMS}"
        )
    ends = np.ascontiguousarray(source, np.int64).reshape(-1)
    return OpenEdges(GIVEN, len(source), iter([EdgeBatch(pa.array(ends), None, 0)]))


def of_pairs(rows: Iterator[Any]) -> Iterator[EdgeBatch]:
    """Edges as pairs or triples of Python, such as networkx's G.edges(data="weight", default=1)."""
    n_done = 0
    while group := list(itertools.islice(rows, BATCH_ROWS)):
        width = len(group[0]) if isinstance(group[0], tuple | list | np.ndarray) else 0
        for number, row in enumerate(group, n_done):
            if not isinstance(row, tuple | list | np.ndarray) or len(row) != width or width not in (2, 3):
                raise UsageError(
                    f"{GIVEN}: row {number:,} is {shown(row)}: each is a pair of nodes, or all are triples "
                    "with a weight"
                )
        with arrow_errors(f"{GIVEN}: rows from {n_done:,} on are not of one kind", "make nodes str or int"):
            cells = [pa.array([row[i] for row in group]) for i in range(width)]
        batch = pa.record_batch(cells, ["source", "target", "weight"][:width])
        yield edge_batch(GIVEN, batch, edge_columns(GIVEN, batch.schema))
        n_done += len(group)
