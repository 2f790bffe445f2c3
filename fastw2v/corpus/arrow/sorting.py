"""Rows of groups sorted in memory: 88 bytes a row, of 5 million rows in 500,000 groups that are strings.

What stays in memory is each distinct group and item once, and numbers of a row: its group, its item, its
order, its new place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

PENDING = 1 << 18  # values that wait to be looked up together, unless the dictionary is larger
ROW_BYTES = 90


class Rows(NamedTuple):
    """Rows as they come: arrays (n,) without nulls, of order and weight where they are asked for.

    target   strings or bytes, null where a row has none, where targets are asked for
    """

    group: pa.Array
    item: pa.Array
    order: pa.Array | None = None
    weight: pa.Array | None = None
    target: pa.Array | None = None


class Sorted(NamedTuple):
    """Rows in their new order: groups as they begin, in them by order and, where equal, as read.

    groups  integers (n,), equal where the group is, also in the part that comes next
    items   (n,), strings, bytes or integers, or a dictionary of them
    keys    (n,) the groups' values, where they are asked for
    weights  float64 (n,), where rows have weights
    targets  (n,), dictionary, strings or bytes, or null, where rows have targets
    """

    groups: NDArray[Any]
    items: pa.Array
    keys: pa.Array | None
    weights: NDArray[np.float64] | None = None
    targets: pa.Array | None = None


class DictionaryEncoder:
    """A column as numbers, added batch by batch: value i is dictionary[codes[i]], in the order first seen."""

    def __init__(self, arrow_type: pa.DataType) -> None:
        self.dictionary = pa.array([], arrow_type)
        self._codes = [np.empty(0, np.int32)]
        self._pending: list[pa.DictionaryArray] = []
        self._n_pending = 0

    def add(self, values: pa.Array) -> None:
        """Values without nulls. Few batches together are looked up, as each look-up hashes the dictionary."""
        self._pending.append(values.dictionary_encode())
        self._n_pending += len(self._pending[-1].dictionary)
        if self._n_pending > max(PENDING, len(self.dictionary)):
            self._look_up()

    def codes(self) -> NDArray[np.int32]:
        """The number of each value that was added, int32 (n_values,); given away."""
        self._look_up()
        codes, self._codes = np.concatenate(self._codes), []
        return codes

    def _look_up(self) -> None:
        known = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), self.dictionary)
        chunks = pa.chunked_array([known, *self._pending]).unify_dictionaries().chunks
        self.dictionary = chunks[-1].dictionary
        self._codes += [np.asarray(chunk.indices) for chunk in chunks]
        self._pending, self._n_pending = [], 0


def sort_in_memory(parts: Iterable[Rows], with_keys: bool) -> Iterator[Sorted]:
    """All rows in one part, or none."""
    encoders: list[DictionaryEncoder] = []
    orders: list[pa.Array] = []
    weights: list[NDArray[np.float64]] = []
    targets: list[pa.DictionaryArray] = []
    for group, item, order, weight, target in parts:
        encoders = encoders or [DictionaryEncoder(group.type), DictionaryEncoder(item.type)]
        for encoder, values in zip(encoders, (group, item), strict=True):
            encoder.add(values)
        orders += [] if order is None else [order]
        weights += [] if weight is None else [np.asarray(weight)]
        targets += [] if target is None else [target.dictionary_encode()]
    if not encoders:
        return
    groups, items = (encoder.codes() for encoder in encoders)
    places = _sorted_places(groups, orders)
    words = encoders[1].dictionary
    if not pa.types.is_large_binary(words.type):  # which may be no text
        words = words.cast(pa.large_string())
    tokens = pa.DictionaryArray.from_arrays(pa.array(items[places]), words)
    groups = groups[places]
    keys = pa.DictionaryArray.from_arrays(pa.array(groups), encoders[0].dictionary) if with_keys else None
    yield Sorted(
        groups,
        tokens,
        keys,
        np.concatenate(weights)[places] if weights else None,
        pa.chunked_array(targets).unify_dictionaries().combine_chunks().take(pa.array(places))
        if targets
        else None,
    )


def _sorted_places(groups: NDArray[np.int32], orders: list[pa.Array]) -> NDArray[Any]:
    """Places of the rows by group and by order, if any; equal rows stay as they were. Empties orders."""
    import pyarrow.compute as pc

    if not orders:
        return np.argsort(groups, kind="stable")
    table = pa.table([pa.array(groups), pa.chunked_array(orders).combine_chunks()], ["group", "order"])
    orders.clear()
    keys = [("group", "ascending"), ("order", "ascending")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys))
