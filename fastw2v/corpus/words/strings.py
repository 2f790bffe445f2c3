"""Byte strings as Arrow keeps them: what reading hands to the tokenizer, known without Numba."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Strings(NamedTuple):
    """Byte strings back to back, as Arrow keeps them; every array is read-only.

    data       uint8 (n_bytes,)
    offsets    int64 (n_strings + 1,): string i is data[offsets[i]:offsets[i + 1]]
    validity   uint8, bit first_bit + i is 0 where string i is null; empty when none is null
    first_bit  int
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    validity: NDArray[np.uint8]
    first_bit: int


class Lists(NamedTuple):
    """Lists of strings, as Arrow keeps them; every array is read-only.

    offsets    int64 (n_lists + 1,): list i holds the items offsets[i] to offsets[i + 1] − 1
    validity   uint8, bit first_bit + i is 0 where list i is null; empty when none is null
    first_bit  int
    items      Strings
    """

    offsets: NDArray[np.int64]
    validity: NDArray[np.uint8]
    first_bit: int
    items: Strings


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, typed by Numba like Arrow's, so that a kernel is compiled once and not for both."""
    array.setflags(write=False)
    return array
