"""Bytes of text: where words begin and end, and their hashes, 64 bytes at a time."""

from __future__ import annotations

import numpy as np

from fastw2v.corpus.words.strings import Strings, read_only
from fastw2v.kernels.intrinsics import bits_of_64_bytes, trailing_zeros
from fastw2v.kernels.jit import bare_inlined_jit

ALL_BITS = 2**64 - 1
ZERO, ONE, THIRTY_TWO, EVERY_BIT = (np.uint64(n) for n in (0, 1, 32, ALL_BITS))
CHUNK = 64  # bytes looked at together; data must have as many
LOW_BYTES = np.array([2 ** (8 * n) - 1 for n in range(9)], np.uint64)  # masks of the first n bytes
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
white_bits = bits_of_64_bytes((9, 13), (28, 32))  # ASCII white space, as str.isspace has it
maybe_white_bits = bits_of_64_bytes((0xC2, 0xC2), (0xE1, 0xE3))  # first bytes of the white space beyond it


@bare_inlined_jit
def load_8(data, start):  # type: ignore[no-untyped-def]
    """Bytes start to start + 7, little-endian, as uint64; LLVM makes one load of it."""
    i = np.uint64(start)
    low = np.uint64(0)
    for k in range(8):
        low |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return low


@bare_inlined_jit
def load_up_to_8(data, start, length):  # type: ignore[no-untyped-def]
    """The first 8 of length bytes, little-endian, padded with zeros, as uint64; 0 for a negative length.

    Without a branch: near the end of the data it loads the last 8 bytes and shifts.
    """
    place = min(start, data.size - 8)
    word = load_8(data, place) >> np.uint64(8 * (start - place) & 63)
    return word & LOW_BYTES[np.uint64(min(max(length, 0), 8))]


@bare_inlined_jit
def wide_space(data, i, stop):  # type: ignore[no-untyped-def]
    """Bytes of the white space beyond ASCII that starts at i, or 0."""
    first = data[i]
    second = data[i + 1] if i + 1 < stop else 0
    third = data[i + 2] if i + 2 < stop else 0
    if first == 0xC2:  # U+0085, U+00A0
        return 2 if second == 0x85 or second == 0xA0 else 0
    if first == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if first == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x81:  # U+205F
        return 3 if third == 0x9F else 0
    in_u2000 = 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF
    return 3 if second == 0x80 and in_u2000 else 0  # U+2000 to U+200A, U+2028, U+2029, U+202F


@bare_inlined_jit
def with_wide_spaces(data, position, stop, white, maybe):  # type: ignore[no-untyped-def]
    """Bits of white space with that beyond ASCII, and for how many bytes they hold.

    maybe has bits where such a character may start. They hold up to one that goes on after the chunk.
    """
    used = min(CHUNK, stop - position)
    while maybe != ZERO:
        bit = trailing_zeros(maybe)
        maybe &= maybe - ONE
        if bit >= used:
            break
        width = wide_space(data, position + bit, stop)
        if bit + width > CHUNK:
            used = bit
            break
        white |= ((ONE << np.uint64(width)) - ONE) << np.uint64(bit)
    return white, used


@bare_inlined_jit
def token_bits(data, position, stop):  # type: ignore[no-untyped-def]
    """Bits of the bytes from position < stop on that are not white space, and for how many bytes they hold.

    At most CHUNK, not beyond stop, at least one; the bits after those are 0.
    """
    place = min(position, data.size - CHUNK)
    shift = np.uint64(position - place)
    white, used = white_bits(data, place) >> shift, min(CHUNK, stop - position)
    maybe = maybe_white_bits(data, place) >> shift
    if maybe != ZERO:
        white, used = with_wide_spaces(data, position, stop, white, maybe)
    return ~white & (EVERY_BIT >> np.uint64(CHUNK - used)), used


@bare_inlined_jit
def mixed(h):  # type: ignore[no-untyped-def]
    """One round of multiplicative hashing of a uint64: the high bits depend on all, and are folded down."""
    h *= GOLDEN
    return h ^ (h >> THIRTY_TWO)


@bare_inlined_jit
def hash_word(data, start, length, prefix, middle):  # type: ignore[no-untyped-def]
    """uint64 hash of length bytes of which prefix holds the first 8 and middle the next."""
    h = mixed(mixed(prefix ^ np.uint64(length)) ^ middle)
    for k in range(16, length, 8):
        h = mixed(h ^ load_up_to_8(data, start + k, length - k))
    return h


@bare_inlined_jit
def is_null(validity, bit):  # type: ignore[no-untyped-def]
    """Whether Arrow's validity bitmap has a 0 there; an empty bitmap has no nulls."""
    return validity.size > 0 and (validity[bit >> 3] >> np.uint8(bit & 7)) & 1 == 0


@bare_inlined_jit
def same_bytes(left, i, right, j, n):  # type: ignore[no-untyped-def]
    for k in range(n):  # noqa: SIM110 (Numba has no generator expressions)
        if left[np.uint64(i + k)] != right[np.uint64(j + k)]:
            return False
    return True


def with_a_chunk(texts: Strings) -> Strings:
    """The same strings, with zeros after their bytes where these are fewer than are looked at together."""
    if len(texts.data) >= CHUNK:
        return texts
    data = np.zeros(CHUNK, np.uint8)
    data[: len(texts.data)] = texts.data
    return texts._replace(data=read_only(data))
