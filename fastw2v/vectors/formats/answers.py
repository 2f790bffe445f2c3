"""Recommendations as Parquet, and titles of items from Parquet or CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from fastw2v.errors import CorpusError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.recommend import Ranked

BASKET = "basket"
ITEMS, NUMBERS = pa.string(), pa.int64()  # what baskets without keys are called


class Names(NamedTuple):
    """What answers are called.

    items    the words, by place
    titles   by item, or None where none are asked for
    column   of what the baskets are called
    kind     of that, an Arrow type: of a number, an item, or the key of a group
    """

    items: list[str]
    titles: dict[str, str] | None
    column: str
    kind: Any


def as_names(values: Any) -> pa.Array:
    """Items or numbers as an array."""
    return pa.array(values)


def read_titles(path: Path, item_column: str, title_column: str) -> dict[str, str]:
    """Item to title, as texts; of an item that is there twice the first.

    Raises CorpusError for a file that cannot be read, or has not these columns.
    """
    names = [item_column, title_column]
    cure = "name --item-column and --title-column"
    try:
        if path.suffix == ".parquet":
            table = parquet.read_table(path, columns=names)
        else:
            table = csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=names))
        missing = [name for name in names if name not in table.column_names]
        columns = [table.column(name).cast(pa.string()).to_pylist() for name in names if not missing]
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorpusError(f"{path}: cannot be read as titles ({reason}); {cure}") from None
    if missing:
        raise CorpusError(f"{path}: has no column {missing[0]}; {cure}")
    pairs = [(item, title or "") for item, title in zip(*columns, strict=True) if item is not None]
    return dict(reversed(pairs))


def write_answers(path: Path, parts: Iterable[tuple[Any, Ranked]], names: Names) -> None:
    """Write columns basket, rank, item, score and title, complete or not at all. Raises OutputError.

    The first is called as `names` says, unless another is. With each part an Arrow array of what its baskets
    are called.
    """
    kinds = [("rank", pa.int32()), ("item", pa.string()), ("score", pa.float32())]
    kinds += [] if names.titles is None else [("title", pa.string())]
    column = BASKET if names.column in dict(kinds) else names.column
    schema = pa.schema([(column, names.kind), *kinds])
    with atomic_writer(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for baskets, part in parts:
            columns = list(columns_of(part, baskets.cast(names.kind), names))
            writer.write_batch(pa.record_batch(columns, schema=schema))


def columns_of(part: Ranked, baskets: pa.Array, names: Names) -> Iterator[pa.Array]:
    """The columns of some answers, a row for each item of each basket."""
    there = part.items >= 0
    basket, rank = np.nonzero(there)
    items = [names.items[item] for item in part.items[there].tolist()]
    yield baskets.take(pa.array(basket))
    yield pa.array(rank + 1, pa.int32())
    yield pa.array(items, pa.string())
    yield pa.array(part.scores[there], pa.float32())
    if names.titles is not None:
        yield pa.array([names.titles.get(item) for item in items], pa.string())
