"""Recommendations as Parquet, and titles of items from Parquet or CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from fastw2v.errors import CorpusError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.recommend import Ranked

BASKET = "basket"


class Names(NamedTuple):
    """What answers are called.

    items    the words, by place
    baskets  (n_baskets,) what each is called: a number, an item, or the key of its group
    titles   by item, or None where none are asked for
    column   of the baskets
    """

    items: list[str]
    baskets: pa.Array
    titles: dict[str, str] | None
    column: str = BASKET


def as_names(values: Sequence[str] | NDArray[np.int64] | None) -> pa.Array:
    """Names or numbers of baskets as an array."""
    return pa.array([] if values is None else values)


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


def write_answers(path: Path, parts: Iterable[Ranked], names: Names) -> None:
    """Write columns basket, rank, item, score and title, complete or not at all. Raises OutputError.

    The first is called as `names` says, unless another is.
    """
    kinds = [("rank", pa.int32()), ("item", pa.string()), ("score", pa.float32())]
    kinds += [] if names.titles is None else [("title", pa.string())]
    column = BASKET if names.column in dict(kinds) else names.column
    schema = pa.schema([(column, names.baskets.type), *kinds])
    with atomic_writer(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_batch(pa.record_batch(list(columns_of(part, names)), schema=schema))


def columns_of(part: Ranked, names: Names) -> Iterator[pa.Array]:
    """The columns of some answers, a row for each item of each basket."""
    there = part.items >= 0
    basket, rank = np.nonzero(there)
    items = [names.items[item] for item in part.items[there].tolist()]
    yield names.baskets.take(pa.array(part.first + basket))
    yield pa.array(rank + 1, pa.int32())
    yield pa.array(items, pa.string())
    yield pa.array(part.scores[there], pa.float32())
    if names.titles is not None:
        yield pa.array([names.titles.get(item) for item in items], pa.string())
