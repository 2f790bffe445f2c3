"""What rows have beside their words, given as an array: a weight or a target for each row of a corpus."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from fastw2v.corpus.arrow.columns import Column
from fastw2v.corpus.arrow.layouts import Piece
from fastw2v.corpus.files.pieces import OpenSource
from fastw2v.errors import UsageError
from fastw2v.options.rows import GIVEN


class Beside:
    """A corpus with an array of values, one for each of its rows, as `fastw2v.train` takes them.

    source   names of files, or an object that holds the corpus
    option   weight or global_context
    values   (n_rows,), as NumPy or, of words, Arrow makes an array of them
    """

    def __init__(self, source: Any, option: str, values: Any) -> None:
        """Raises UsageError for what is no list of numbers, or none of words."""
        self.source, self.option = source, option
        self.values = numbers(values) if option == "weight" else words(values)

    def opened(self, opened: OpenSource) -> OpenSource:
        """The source with the values as one more column."""
        field = pa.field(GIVEN[self.option], self.values.type)
        schemas = [
            (name, schema.append(field).with_metadata(schema.metadata)) for name, schema in opened.schemas
        ]
        return opened._replace(schemas=schemas, read=functools.partial(self._read, opened))

    def _read(self, opened: OpenSource, column: Column) -> Iterator[Piece]:
        """Raises UsageError where there are not as many values as rows."""
        n_rows, n_given, option = 0, len(self.values), self.option
        what = "numbers" if option == "weight" else "words"
        own_column = column._replace(weight=None) if option == "weight" else column._replace(target=None)
        for piece in opened.read(own_column):
            own = self.values[n_rows : n_rows + piece.rows.num_rows]
            n_rows += piece.rows.num_rows
            if n_rows > n_given:
                raise UsageError(f"{option} has {n_given:,} {what}, and there are more rows: give one a row")
            yield piece._replace(rows=piece.rows.append_column(GIVEN[option], own))
        if n_rows < n_given:
            raise UsageError(f"{option} has {n_given:,} {what} for {n_rows:,} rows: give one a row")


def numbers(given: Any) -> pa.Array:
    """Weights as float64. Raises UsageError for what is no list of numbers."""
    try:
        weights = np.asarray(given)
    except ValueError as error:
        raise UsageError("weight is no list of numbers: give one for each row") from error
    if weights.ndim != 1 or weights.dtype.kind not in "fiu":
        raise UsageError(
            f"weight is {weights.dtype} of shape {weights.shape}: give a number for each row, "
            "or the name of a column"
        )
    return pa.array(weights.astype(np.float64))


def words(given: Any) -> pa.Array:
    """Targets as strings, or null. Raises UsageError for what is no list of words."""
    try:
        array = given if isinstance(given, pa.Array | pa.ChunkedArray) else pa.array(given, from_pandas=True)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        return array.cast(pa.large_string())
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError(
            "global_context is no list of words: give a string, an integer or None for each row, or the "
            "name of a column",
            ["global_context"],
        ) from error


def with_given(source: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A source and options of reading, some of which may be arrays: then these go to the source."""
    for option, name in GIVEN.items():
        values = options.get(option)
        if values is None or isinstance(values, str):
            continue
        if source is None:
            raise UsageError(f"{option} is an array of a corpus's rows: give the corpus, too", [option])
        source, options = Beside(source, option, values), options | {option: name}
    return source, options
