"""Edges, and given pairs, from files and from objects of Python, batch by batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from fastw2v.corpus.graphs.columns import (
    EDGES,
    EdgeBatch,
    EdgeColumns,
    Terms,
    as_arrow,
    edge_batch,
    edge_columns,
)
from fastw2v.corpus.graphs.lines import edge_lines
from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import shown

MATRICES = ", a SciPy matrix, or NumPy's (indptr, indices) and weights"
Lines = Callable[[File], Iterator[tuple[pa.RecordBatch, EdgeColumns]]]


def forms_of(terms: Terms) -> str:
    """What may be given, as a message says it."""
    first, second = terms.first[0], terms.second[0]
    more = MATRICES if terms is EDGES else ""
    return (
        f"names of files, a table with columns {first} and {second}, pairs or triples, an array (n, 2){more}"
    )


class OpenEdges(NamedTuple):
    """A source of edges, or of pairs.

    name     as a message shows it
    n_rows   for the progress; 0 where they are not known
    batches  the edges, once
    """

    name: str
    n_rows: int
    batches: Iterator[EdgeBatch]


def open_edge_files(source: Files, terms: Terms = EDGES, lines: Lines = edge_lines) -> OpenEdges:
    """Files of Parquet and of text, which `lines` reads.

    Raises CorpusError for what cannot be read, UsageError for no columns.
    """
    names = [source] if isinstance(source, str | Path) else source
    if not names:
        raise CorpusError(
            f"{terms.given}: holds no {terms.row}; give a {terms.first[0]} and a {terms.second[0]} a row"
        )
    files = [file for name in names for file in named_files(name, ReadConfig())]
    kinds = [is_table(file, terms) for file in files]
    n_rows = 0
    for file, is_one in zip(files, kinds, strict=True):
        if is_one:
            with open_parquet(file) as parquet:
                n_rows += parquet.metadata.num_rows
                edge_columns(file.name, parquet.schema_arrow, terms)
    batches = itertools.chain.from_iterable(
        of_parquet(file, terms) if is_one else of_lines(file, terms, lines)
        for file, is_one in zip(files, kinds, strict=True)
    )
    return OpenEdges(files[0].name, n_rows if all(kinds) else 0, batches)


def is_table(file: File, terms: Terms = EDGES) -> bool:
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
        raise CorpusError(
            f"{file.name}: cannot be read as {terms.rows} ({found[0]}); write it as Parquet or CSV"
        )
    return False


def of_parquet(file: File, terms: Terms) -> Iterator[EdgeBatch]:
    """The edges in a Parquet file."""
    with open_parquet(file) as parquet:
        columns = edge_columns(file.name, parquet.schema_arrow, terms)
        place = f"{file.name}: a batch"
        with arrow_errors(f"{place} is corrupt"):
            for batch in parquet.iter_batches(1 << 16, columns=columns.names):
                yield edge_batch(file.name, batch, columns, terms)


def of_lines(file: File, terms: Terms, lines: Lines) -> Iterator[EdgeBatch]:
    """The edges in a file of text."""
    for batch, columns in lines(file):
        yield edge_batch(file.name, batch, columns, terms)


def open_edge_object(source: Any, terms: Terms = EDGES) -> OpenEdges:
    """An object of Python that holds edges, but for matrices.

    Raises UsageError for one that does not.
    """
    with arrow_errors(f"{terms.given} of {type(source).__name__} cannot be read"):
        promise = promise_of(source)
    if promise:
        return of_promise(promise, terms)
    if hasattr(source, "__arrow_c_stream__"):
        reader = reader_of(source)
        batches = of_batches(reader.schema, reader, terms)
        return OpenEdges(terms.given, getattr(source, "num_rows", 0), batches)
    if hasattr(source, "__arrow_c_array__"):
        batch = pa.record_batch(source)
        return OpenEdges(terms.given, batch.num_rows, of_batches(batch.schema, iter([batch]), terms))
    if isinstance(source, np.ndarray):
        return of_array(source, terms)
    if isinstance(source, Mapping | str | bytes) or not isinstance(source, Iterable):
        raise UsageError(f"{terms.rows} cannot be read from {type(source).__name__}: give {forms_of(terms)}")
    n_rows = getattr(source, "__len__", lambda: 0)()
    return OpenEdges(terms.given, n_rows, of_pairs(iter(source), terms))


def of_promise(promise: Promise, terms: Terms) -> OpenEdges:
    """What promises rows."""
    columns = edge_columns(terms.given, promise.schema, terms)
    batches = of_batches(promise.schema, promise.batches(columns.names), terms)
    return OpenEdges(terms.given, promise.n_rows, batches)


def of_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch], terms: Terms) -> Iterator[EdgeBatch]:
    """The edges of a stream of batches; the columns are found before any is read."""
    columns = edge_columns(terms.given, schema, terms)

    def read() -> Iterator[EdgeBatch]:
        with arrow_errors(f"{terms.given} cannot be read"):
            for batch in batches:
                batch.validate(full=True)  # wrong offsets would be read as other memory
                yield edge_batch(terms.given, batch, columns, terms)

    return read()


def of_array(source: np.ndarray[Any, Any], terms: Terms) -> OpenEdges:
    """An array of integers (n, 2). Raises UsageError for any other."""
    if source.ndim != 2 or source.shape[1] != 2 or source.dtype.kind not in "iu":
        raise UsageError(
            f"the given array is {source.dtype} of shape {source.shape}: {terms.rows} are integers of "
            f"shape (n, 2); give {forms_of(terms)}"
        )
    ends = [as_arrow(np.ascontiguousarray(column, np.int64)) for column in source.T]
    return OpenEdges(terms.given, len(source), iter([EdgeBatch(ends[0], ends[1], None, 0)]))


def of_pairs(rows: Iterator[Any], terms: Terms) -> Iterator[EdgeBatch]:
    """Edges as pairs or triples of Python, such as networkx's G.edges(data="weight", default=1)."""
    n_done = 0
    while group := list(itertools.islice(rows, BATCH_ROWS)):
        width = len(group[0]) if isinstance(group[0], tuple | list | np.ndarray) else 0
        for number, row in enumerate(group, n_done):
            if not isinstance(row, tuple | list | np.ndarray) or len(row) != width or width not in (2, 3):
                raise UsageError(
                    f"{terms.given}: row {number:,} is {shown(row)}: each is a pair of {terms.words}, or all "
                    "are triples with a weight"
                )
        what = f"{terms.given}: rows from {n_done:,} on are not of one kind"
        with arrow_errors(what, f"make {terms.words} str or int"):
            cells = [pa.array([row[i] for row in group]) for i in range(width)]
        batch = pa.record_batch(cells, [terms.first[0], terms.second[0], "weight"][:width])
        yield edge_batch(terms.given, batch, edge_columns(terms.given, batch.schema, terms), terms)
        n_done += len(group)
