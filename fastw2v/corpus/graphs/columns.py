"""Which columns of a table are the ends of an edge and its weight, and edges as arrays of one type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import shown

# What the columns are called, in any case, the first that is there: networkx and igraph say source and
# target or from and to, DGL src and dst.
SOURCES = ("source", "src", "from", "from_node", "fromnodeid", "u", "head", "source_id")
TARGETS = ("target", "dst", "to", "to_node", "tonodeid", "v", "tail", "target_id", "dest", "destination")
WEIGHTS = ("weight", "weights", "w")
NAMED = "name the columns source and target, and weight if there is one"
TEXT = pa.large_string()


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
    """Some edges.

    ends      int64 or large_string (2 · n,): source, target, source, target …
    weights   float64 (n,); None where there are none
    n_null    rows that were left out, because something in them is null
    """

    ends: pa.Array
    weights: NDArray[np.float64] | None
    n_null: int


def edge_columns(name: str, schema: pa.Schema) -> EdgeColumns:
    """The columns of a table of edges: by their names, or where it has no others by their places.

    Raises UsageError where they cannot be told, or are of no use.
    """
    by_name = {column.lower(): column for column in reversed(schema.names)}
    source, target, weight = (
        next((by_name[one] for one in known if one in by_name), None) for known in (SOURCES, TARGETS, WEIGHTS)
    )
    others = [column for column in schema.names if column != weight]
    if source is None and target is None and len(others) in ((2,) if weight else (2, 3)):
        source, target, *rest = others
        weight = rest[0] if rest else weight
    if source is None or target is None:
        missing = "source" if source is None else "target"
        raise UsageError(
            f"{name} has no column {missing} (it has {', '.join(map(shown, schema.names[:8]))}): {NAMED}"
        )
    columns = EdgeColumns(source, target, weight)
    for column in (source, target):
        if not (is_integers(schema.field(column).type) or is_text(schema.field(column).type)):
            raise UsageError(
                f"{name}: column {column!r} is {schema.field(column).type}, and nodes are integers or texts: "
                "cast it"
            )
    if weight is not None and not is_number(schema.field(weight).type):
        raise UsageError(
            f"{name}: column {weight!r} is {schema.field(weight).type}, and weights are numbers: cast it, or "
            f"{NAMED}"
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


def edge_batch(place: str, batch: pa.RecordBatch, columns: EdgeColumns) -> EdgeBatch:
    """The edges of some rows. Raises CorpusError for a weight that is none."""
    n_rows = batch.num_rows
    if any(batch.column(name).null_count for name in columns.names):
        batch = batch.select(columns.names).drop_null()
    ends = [plain_ends(batch.column(name)) for name in (columns.source, columns.target)]
    if ends[0].type != ends[1].type:
        ends = [array.cast(TEXT) for array in ends]
    n_null = n_rows - batch.num_rows
    if columns.weight is None:
        return EdgeBatch(in_turn(*ends), None, n_null)
    weights = batch.column(columns.weight).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    require_weights(place, weights, *ends)
    return EdgeBatch(in_turn(*ends), weights, n_null)


def plain_ends(array: pa.Array) -> pa.Array:
    """Nodes as int64, or as texts where they are none."""
    return array.cast(pa.int64() if is_integers(array.type) else TEXT)


def in_turn(sources: pa.Array, targets: pa.Array) -> pa.Array:
    """Source, target, source, target …: so nodes are numbered as they come in the rows."""
    if sources.type == pa.int64():
        ends = np.empty(2 * len(sources), np.int64)
        ends[0::2], ends[1::2] = sources.to_numpy(), targets.to_numpy()
        return pa.array(ends)
    order = np.arange(2 * len(sources)).reshape(2, -1).T.reshape(-1)
    return pa.concat_arrays([sources, targets]).take(pa.array(order))


def require_weights(
    place: str, weights: NDArray[np.float64], sources: Sequence[object], targets: Sequence[object]
) -> None:
    """Raise CorpusError for the first weight that is below 0 or not finite."""
    is_bad = ~(np.isfinite(weights) & (weights >= 0))
    if is_bad.any():
        row = int(np.flatnonzero(is_bad)[0])
        raise CorpusError(
            f"{place}: the edge from {shown(str(sources[row]))} to {shown(str(targets[row]))} has weight "
            f"{weights[row]:g}: weights are finite and 0 or more; correct it or leave it out"
        )
