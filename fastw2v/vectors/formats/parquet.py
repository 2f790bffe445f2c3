"""Parquet: columns `word` string, `count` int64 (null when unknown) and `vector` fixed_size_list<float32 or
float16>, with a checksum on every page.

Reading takes lists of any floats, as other tools write them, and needs only `word` and `vector`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import Source, VectorTable, allocate, check_finite
from fastw2v.vectors.sequences import Means

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

GROUP_NUMBERS = 1 << 24  # vectors of 64 MB to a row group
BATCH_NUMBERS = 1 << 20


def write_parquet(table: VectorTable) -> None:
    """Write a Parquet file of a table."""
    import pyarrow.parquet as pq

    n_words, dim = table.matrix.shape
    schema = as_arrow([], None, table.matrix[:0]).schema
    options: dict[str, Any] = {"use_dictionary": False, "compression": "zstd", "write_page_checksum": True}
    rows = max(1, GROUP_NUMBERS // dim)
    with atomic_writer(table.path) as file, pq.ParquetWriter(file, schema, **options) as writer:
        for start in range(0, n_words, rows):
            part = slice(start, start + rows)
            counts = None if table.counts is None else table.counts[part]
            writer.write_table(as_arrow(table.words[part], counts, table.matrix[part]))


def write_sequences(path: Path, parts: Iterable[Means], dim: int, key: str | None) -> None:
    """Write vectors of sequences as they come, complete or not at all.

    Columns `word` (what the sequence is called, or its number from 0), `count` (words that made the vector)
    and `vector`, as in files of words; and the key, under its own name and of its own type.

    Raises OutputError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
    options["use_dictionary"] = False
    waiting: list[pa.Table] = []
    with contextlib.ExitStack() as stack:
        file, writer = stack.enter_context(atomic_writer(path)), None
        empty = sequences_table(Means.none(dim), None)
        for part in itertools.chain(parts, [None]):
            if part is not None:
                waiting.append(sequences_table(part, key))
            if waiting and (part is None or sum(map(len, waiting)) * dim >= GROUP_NUMBERS):
                table = pa.concat_tables(waiting)
                writer = writer or stack.enter_context(pq.ParquetWriter(file, table.schema, **options))
                writer.write_table(table)
                waiting = []
        if writer is None:
            stack.enter_context(pq.ParquetWriter(file, empty.schema, **options))


def sequences_table(part: Means, key: str | None) -> pa.Table:
    """Vectors of sequences as a table; key   the name of a column for what they are called, if it has one"""
    import pyarrow as pa

    table = as_arrow(part.words(), part.known, part.matrix)
    if key is None or key in table.column_names or part.keys is None:
        return table
    return table.append_column(pa.field(key, part.keys.type), part.keys)


def as_arrow(words: Sequence[str], counts: NDArray[np.int64] | None, matrix: NDArray[Any]) -> pa.VectorTable:
    """A table of words, counts (n_words,) and their vectors, float32 or float16 (n_words, dim)."""
    import pyarrow as pa

    item = pa.field("item", pa.from_numpy_dtype(matrix.dtype), nullable=False)
    vector = pa.list_(item, matrix.shape[1])
    columns = [("word", pa.string()), ("count", pa.int64()), ("vector", vector)]
    schema = pa.schema([pa.field(name, kind, nullable=name == "count") for name, kind in columns])
    arrays = [
        pa.array(words, pa.string()),
        pa.nulls(len(words), pa.int64()) if counts is None else pa.array(counts, pa.int64()),
        pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), type=vector),
    ]
    return pa.table(arrays, schema=schema)


def read_parquet(source: Source) -> Embeddings:
    """Read a Parquet file of words and vectors; raises CorpusError saying what does not fit."""
    import pyarrow.parquet as pq

    with _arrow_errors(source):
        file = pq.ParquetFile(
            source.path, pre_buffer=False, buffer_size=65536, page_checksum_verification=True
        )
        with file:
            return _read_columns(source, file)


def _read_columns(source: Source, file: pq.ParquetFile) -> Embeddings:
    n_words, dim = file.metadata.num_rows, _dim(source, file)
    n_read = n_words if source.limit is None else min(n_words, source.limit)
    has_counts = "count" in file.schema_arrow.names
    names = ["word", "vector"] + (["count"] if has_counts else [])
    matrix, counts = allocate(n_read, dim), np.zeros(n_read, np.int64)
    words: list[str] = []
    is_known = has_counts
    for batch in file.iter_batches(max(1, BATCH_NUMBERS // dim), columns=names):
        start, stop = len(words), min(len(words) + len(batch), n_read)
        batch = batch.slice(0, stop - start)
        words += [source.unescaped(word, f"word {i:,}") for i, word in _words(source, batch, start)]
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, found below
            matrix[start:stop] = _numbers(source, batch.column("vector"), dim)
        check_finite(source, words[start:], 0, matrix[start:stop])
        if has_counts:
            is_known = is_known and not batch.column("count").null_count  # no word has a count of 0 by that
            counts[start:stop] = batch.column("count").fill_null(0).to_numpy(zero_copy_only=False)
        if stop == n_read:
            break
    return Embeddings(words, matrix, counts=counts if is_known and counts.any() else None)


def _dim(source: Source, file: pq.ParquetFile) -> int:
    """Numbers in the first vector, once the columns are there and of types that fit."""
    import pyarrow as pa

    schema, types = file.schema_arrow, pa.types
    for name in ("word", "vector"):
        if schema.names.count(name) != 1:
            raise source.error(f"has columns {', '.join(schema.names)[:100]}; one {name!r} is needed")
    word, vector = schema.field("word").type, schema.field("vector").type
    is_list = types.is_fixed_size_list(vector) or types.is_list(vector) or types.is_large_list(vector)
    if not (is_list and types.is_floating(vector.value_type)):
        raise source.error(f"'vector' is of {str(vector)[:60]}; lists of floats are needed")
    if not (types.is_string(word) or types.is_large_string(word)):
        raise source.error(f"'word' is of {str(word)[:60]}; strings are needed")
    first = next(file.iter_batches(1, columns=["vector"]), None)
    if first is None or not first.column(0)[0].as_py():
        raise source.error("holds no vectors; it is empty")
    return len(first.column(0)[0])


def _words(source: Source, batch: pa.RecordBatch, start: int) -> Iterator[tuple[int, str]]:
    column = batch.column("word")
    if column.null_count:
        raise source.error(f"a word from row {start + 1:,} on is null; give each vector one")
    column.validate(full=True)
    return enumerate(column.to_pylist(), start + 1)


def _numbers(source: Source, column: pa.Array, dim: int) -> NDArray[Any]:
    """The vectors of a batch, (n_rows, dim) of any floats."""
    import pyarrow.compute as pc

    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    numbers = column.flatten()
    if numbers.null_count or (lengths != dim).any():
        raise source.error(f"a vector is null or has other than {dim:,} numbers; give each word as many")
    stored: NDArray[Any] = numbers.to_numpy(zero_copy_only=False)
    return stored.reshape(-1, dim)


@contextlib.contextmanager
def _arrow_errors(source: Source) -> Iterator[None]:
    """Turn whatever Arrow raises on bad bytes into a CorpusError of one line."""
    import pyarrow as pa

    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        if isinstance(error, CorpusError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise source.error(f"cannot be read as Parquet ({reason}); write or download it again") from error
