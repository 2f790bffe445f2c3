"""Values of any type that can be sorted, as the few types that sort alike everywhere, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

BYTES = pa.large_binary()


def group_values(array: pa.Array) -> pa.Array:
    """Integers or bytes that are equal where Arrow's dictionary has one entry, whose −0.0 is not 0.0."""
    kind = array.type
    if pa.types.is_floating(kind):
        return array.view(pa.int64() if kind.bit_width == 64 else pa.int32()).cast(pa.int64())
    return order_values(array)


def of_group_values(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """The array of a type whose `group_values` these are."""
    if pa.types.is_decimal(kind):
        return _decimals(values, kind)
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return values.cast(kind)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return values.cast(kind)
    return values.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def order_values(array: pa.Array) -> pa.Array:
    """int64, uint64, double or bytes that sort as the values do; without nulls and NaN, as these have."""
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_floating(kind):
        return pc.add(array.cast(pa.float64()), 0.0)  # −0.0 and 0.0 are equal
    if pa.types.is_decimal(kind):
        return _sortable_bytes(array)
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return array.cast(BYTES)
    if pa.types.is_unsigned_integer(kind):
        return array.cast(pa.uint64())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return array.cast(pa.int64())
    return array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.int64())  # times


def _sortable_bytes(array: pa.Array) -> pa.Array:
    """Decimals as bytes, the highest first, the sign turned so that negative ones come before."""
    width = array.type.byte_width
    digits = np.frombuffer(array.buffers()[1], np.uint8).reshape(-1, width)
    digits = digits[array.offset : array.offset + len(array), ::-1].copy()
    digits[:, 0] ^= 0x80
    return _binary(digits, width)


def _decimals(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """What `_sortable_bytes` made, back."""
    fixed = values.cast(pa.binary(kind.byte_width))
    digits = np.frombuffer(fixed.buffers()[1], np.uint8).reshape(-1, kind.byte_width)
    digits = digits[fixed.offset : fixed.offset + len(fixed)].copy()
    digits[:, 0] ^= 0x80
    return pa.Array.from_buffers(kind, len(fixed), [None, pa.py_buffer(digits[:, ::-1].copy())])


def _binary(rows: Any, width: int) -> pa.Array:
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * width
    return pa.Array.from_buffers(BYTES, len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(rows)])
