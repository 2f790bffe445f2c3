"""Objects of other libraries that promise rows: read batch by batch, only the columns that are needed.

pyarrow's Dataset, Scanner and ParquetFile, polars' LazyFrame, dask's DataFrame, Hugging Face's Dataset and
IterableDataset; told by an attribute of their class, and none of these libraries is imported here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

ROWS_A_BATCH = 8192
ONLY = "rows"  # the column of data that has no columns
Names = Sequence[str]


class Promise(NamedTuple):
    """What an object promises.

    schema   of its columns
    n_rows   for the progress; 0 where they are not known
    batches  the rows of the columns that are named, once
    """

    schema: pa.Schema
    n_rows: int
    batches: Callable[[Names], Iterator[pa.RecordBatch]]


def promise_of(source: Any) -> Promise | None:
    """What an object promises, or None where it is no such object. Raises what its library does."""
    for attribute, open_it in OPENERS.items():
        if hasattr(type(source), attribute) and not hasattr(source, "__arrow_c_stream__"):
            return open_it(source)
    return None


def _of_dataset(source: Any) -> Promise:
    """Of pyarrow's Dataset, or a Scanner of one, whose columns are chosen already."""
    if hasattr(source, "to_reader"):
        return Promise(source.projected_schema, 0, lambda names: _selected(source.to_reader(), names))

    def batches(names: Names) -> Iterator[pa.RecordBatch]:
        scanner = source.scanner(columns=list(names), batch_size=ROWS_A_BATCH, batch_readahead=2)
        yield from scanner.to_reader()

    return Promise(source.schema, source.count_rows(), batches)


def _of_parquet(source: Any) -> Promise:
    def batches(names: Names) -> Iterator[pa.RecordBatch]:
        yield from source.iter_batches(ROWS_A_BATCH, columns=list(names))

    return Promise(source.schema_arrow, source.metadata.num_rows, batches)


def _of_lazy_frame(source: Any) -> Promise:
    """Of polars; a version without collect_batches holds the columns in memory."""

    def batches(names: Names) -> Iterator[pa.RecordBatch]:
        chosen = source.select(list(names))
        in_order = {"maintain_order": True, "chunk_size": ROWS_A_BATCH}
        frames = (
            chosen.collect_batches(**in_order) if hasattr(chosen, "collect_batches") else [chosen.collect()]
        )
        for frame in frames:
            yield from reader_of(frame)

    return Promise(reader_of(source.head(0).collect()).schema, 0, batches)


def _of_dask(source: Any) -> Promise:
    def batches(names: Names) -> Iterator[pa.RecordBatch]:
        for number in range(source.npartitions):
            yield from _selected(reader_of(source.get_partition(number).compute()), names)

    return Promise(reader_of(source.get_partition(0).compute()).schema, 0, batches)


def _of_hugging_face(source: Any) -> Promise:
    """Of a Dataset with whatever indices it has, or of a stream of examples."""
    features = getattr(source, "features", None)

    def batches(names: Names) -> Iterator[pa.RecordBatch]:
        chosen = source.select_columns(list(names)) if features else source
        for table in chosen.with_format("arrow").iter(ROWS_A_BATCH):
            yield from table.select(names).to_batches()

    schema = features.arrow_schema if features else None
    if schema is None:
        schema = next(iter(source.with_format("arrow").iter(1))).schema
    return Promise(schema, len(source) if hasattr(type(source), "__len__") else 0, batches)


OPENERS: dict[str, Callable[[Any], Promise]] = {
    "collect_schema": _of_lazy_frame,
    "get_partition": _of_dask,
    "cast_column": _of_hugging_face,
    "iter_batches": _of_parquet,
    "to_table": _of_dataset,
}


def reader_of(source: Any) -> pa.RecordBatchReader:
    """A stream of record batches; arrays, as of a ChunkedArray or a series, become their only column."""
    try:
        return pa.RecordBatchReader.from_stream(source)
    except pa.ArrowInvalid:  # the schema is not a struct's
        return pa.table([pa.chunked_array(source)], [ONLY]).to_reader()


def _selected(batches: Any, names: Names) -> Iterator[pa.RecordBatch]:
    return itertools.chain.from_iterable([batch.select(list(names))] for batch in batches)
