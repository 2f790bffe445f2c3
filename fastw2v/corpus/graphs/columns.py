"""Which columns of a table are the two words of a row and its weight: of an edge, or of a given pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import shown

TEXT = pa.large_string()


class Terms(NamedTuple):
    """What rows of two words are called, and their columns in any case, the first that is there.

    row, rows, words   as a message says them: an edge, edges, nodes
    first, second      the columns, and by which other names they are known
    """

    row: str
    rows: str
    words: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    weight: tuple[str, ...]

    @property
    def named(self) -> str:
        """What cures columns that cannot be told."""
        first, second, weight = self.first[0], self.second[0], self.weight[0]
        return f"name the columns {first} and {second}, and {weight} if there is one"

    @property
    def given(self) -> str:
        """What an object of Python is called."""
        return f"the given {self.rows}"


# networkx and igraph say source and target or from and to, DGL src and dst.
EDGES = Terms(
    "edge",
    "edges",
    "nodes",
    ("source", "src", "from", "from_node", "fromnodeid", "u", "head", "source_id"),
    ("target", "dst", "to", "to_node", "tonodeid", "v", "tail", "target_id", "dest", "destination"),
    ("weight", "weights", "w"),
)


class EdgeColumns(NamedTuple):
    """The names of the columns; no weight where all edges are alike."""

    source: str
    target: str
    weight: str | None

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [name for name in self if name is not None]


class EdgeBatch(NamedTuple):
    """Some edges, or pairs.

    sources, targets   int64 or large_string (n,)
    weights   float64 (n,); None where there are none
    n_null    rows that were left out, because something in them is null
    """

    sources: pa.Array
    targets: pa.Array
    weights: NDArray[np.float64] | None
    n_null: int


def edge_columns(name: str, schema: pa.Schema, terms: Terms = EDGES) -> EdgeColumns:
    """The columns of a table of edges or pairs: by their names, or where it has no others by their places.

    Raises UsageError where they cannot be told, or are of no use.
    """
    by_name = {column.lower(): column for column in reversed(schema.names)}
    source, target, weight = (
        next((by_name[one] for one in known if one in by_name), None)
        for known in (terms.first, terms.second, terms.weight)
    )
    others = [column for column in schema.names if column != weight]
    if source is None and target is None and len(others) in ((2,) if weight else (2, 3)):
        source, target, *rest = others
        weight = rest[0] if rest else weight
    if source is None or target is None:
        missing = (terms.first if source is None else terms.second)[0]
        has = ", ".join(map(shown, schema.names[:8]))
        raise UsageError(f"{name} has no column {missing} (it has {has}): {terms.named}")
    columns = EdgeColumns(source, target, weight)
    for column in (source, target):
        if not (is_integers(schema.field(column).type) or is_text(schema.field(column).type)):
            raise UsageError(
                f"{name}: column {column!r} is {schema.field(column).type}, and {terms.words} are integers "
                "or texts: cast it"
            )
    if weight is not None and not is_number(schema.field(weight).type):
        raise UsageError(
            f"{name}: column {weight!r} is {schema.field(weight).type}, and weights are numbers: cast it, or "
            f"{terms.named}"
        )
    return columns


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, of dictionaries too."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_integers(kind: pa.DataType) -> bool:
    """Whether a column holds integers."""
    return bool(pa.types.is_integer(plain(kind)))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts."""
    kind = plain(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def edge_batch(place: str, batch: pa.RecordBatch, columns: EdgeColumns, terms: Terms = EDGES) -> EdgeBatch:
    """The edges or pairs of some rows. Raises CorpusError for a weight that is none."""
    n_rows = batch.num_rows
    if any(batch.column(name).null_count for name in columns.names):
        batch = batch.select(columns.names).drop_null()
    ends = [plain_ends(batch.column(name)) for name in (columns.source, columns.target)]
    n_null = n_rows - batch.num_rows
    if columns.weight is None:
        return EdgeBatch(ends[0], ends[1], None, n_null)
    weights = as_numpy(batch.column(columns.weight).cast(pa.float64(), safe=False), np.float64)
    require_weights(place, weights, *ends, terms=terms)
    return EdgeBatch(ends[0], ends[1], weights, n_null)


def plain_ends(array: pa.Array) -> pa.Array:
    """Nodes as int64, or as texts where they are none."""
    return array.cast(pa.int64() if is_integers(array.type) else TEXT)


def as_arrow(array: NDArray[np.int64]) -> pa.Array:
    """The memory of contiguous int64 (n,) as Arrow's; pa.array imports pandas where it is there, 33 MB."""
    return pa.Array.from_buffers(pa.int64(), len(array), [None, pa.py_buffer(array)])


def as_numpy(array: pa.Array, dtype: type[np.generic] = np.int64) -> NDArray[Any]:
    """The memory of int64 or float64 (n,) without nulls as NumPy's, read-only; to_numpy imports pandas."""
    data = array.buffers()[1]
    if data is None:  # of no numbers
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, len(array), 8 * array.offset)


def in_turn(sources: pa.Array, targets: pa.Array) -> pa.Array:
    """Source, target, source, target …, of one type: so nodes are numbered as they come in the rows."""
    order = np.arange(2 * len(sources)).reshape(2, -1).T.reshape(-1)
    return pa.concat_arrays([sources, targets]).take(as_arrow(order))


def require_weights(
    place: str,
    weights: NDArray[np.float64],
    sources: Sequence[object],
    targets: Sequence[object],
    *,
    terms: Terms = EDGES,
) -> None:
    """Raise CorpusError for the first weight that is below 0 or not finite."""
    is_bad = ~(np.isfinite(weights) & (weights >= 0))
    if is_bad.any():
        row = int(np.flatnonzero(is_bad)[0])
        ends = f"from {shown(str(sources[row]))} to {shown(str(targets[row]))}"
        raise CorpusError(
            f"{place}: the {terms.row} {ends} has weight "
            f"{weights[row]:g}: weights are finite and 0 or more; correct it or leave it out"
        )
