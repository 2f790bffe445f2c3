"""Decimals: the shortest that read back as the same float32, a chunk of numbers at a time.

Measured for 24.3 million numbers on two loaded cores. Writing: '%.9g' on whole rows 11 s (and nine digits for
0.1), repr of float32 29 s, astype('U') 46 s, format_rows 2.4 s. Reading: np.fromstring 5.6 s, np.loadtxt 9 s,
np.array(line.split()) 13 s, parse_numbers 1.4 s.
"""

from __future__ import annotations

import math
import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_POWERS = np.array([float(10**i) for i in range(23)])  # exact, which numpy's vectorised power need not be
_MAGNITUDE = np.array([math.floor(math.log10(2.0 ** (i - 127))) for i in range(256)])  # by exponent bits
_NEXT_POWER = np.array([float(f"1e{i + 1}") for i in _MAGNITUDE])
_MIDDLE = 127  # exponent bits of 1.0

_FOUR_DIGITS = np.frombuffer(b"".join(b"%04d" % i for i in range(10_000)), "<u4").astype(np.uint64)
_ZEROS = np.uint64(int.from_bytes(b"0" * 8, "little"))
_CELL_BYTES = 24


def _cell_starts() -> NDArray[np.uint64]:
    """Space, sign, up to three digits and a point as eight bytes, absent ones NUL; uint64 (2 × 1000 × 2,)."""
    texts = (
        b" " + sign + b"%d" % units + point
        for sign in (b"", b"-")
        for units in range(1000)
        for point in (b"", b".")
    )
    return np.frombuffer(b"".join(text.ljust(8, b"\0") for text in texts), "<u8").astype(np.uint64)


_CELL_STARTS = _cell_starts()


def _byte_masks(end: Literal["front", "back"]) -> NDArray[np.uint64]:
    """Masks that keep 0..16 of sixteen characters, at the front or at the back; uint64 (2, 17), two words."""
    kept = [b"\xff" * n for n in range(17)]
    masks = [mask.ljust(16, b"\0") if end == "front" else mask.rjust(16, b"\0") for mask in kept]
    return np.frombuffer(b"".join(masks), "<u8").astype(np.uint64).reshape(17, 2).T.copy()


_FRONT_MASKS, _BACK_MASKS = _byte_masks("front"), _byte_masks("back")


def format_rows(matrix: NDArray[np.float32]) -> list[bytes]:
    """Each row as text, ` v1 … vd`, every number the shortest decimal that reads back as the same float32.

    matrix   float32 (n_rows, dim), finite, few rows at a time: takes some 200 bytes a number

    A number becomes a cell of 24 bytes, three words: space, sign, whole part and point; eight decimals; eight
    more. NUL bytes stand for what a number does not have, and go out when a row is cut off. Zero and
    magnitudes from 1e-7 to 1000 are laid out by arrays, the others by numpy's own printing, 20 times slower.
    """
    numbers = matrix.reshape(-1)
    magnitude, bits = np.abs(numbers), numbers.view(np.uint32)
    exponent = (bits >> np.uint32(23) & np.uint32(0xFF)).astype(np.int64)
    regular = (magnitude >= np.float32(1e-7)) & (magnitude < np.float32(1000))
    magnitude[~regular], exponent[~regular] = 0, _MIDDLE
    cells = _cells(bits >> np.uint32(31), *_shortest(magnitude, exponent))
    if (rest := np.flatnonzero(~regular & (numbers != 0))).size:
        texts = [f" {number!s}".removesuffix(".0") for number in numbers[rest]]
        cells[rest] = np.array(texts, dtype=f"S{_CELL_BYTES}").view("<u8").reshape(-1, 3)
    text, row = cells.tobytes(), _CELL_BYTES * matrix.shape[1]
    return [text[i : i + row].translate(None, b"\0") for i in range(0, len(text), row)]


def _shortest(
    magnitude: NDArray[np.float32], exponent: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Integer digits and number of decimals, magnitude = digits / 10^decimals with the fewest digits.

    magnitude   float32 (n,), 0 or from 1e-7 to 1000
    exponent    int64 (n,), its exponent bits; those of 1.0 for 0

    Nine significant digits always read back as the same float32; one is taken away as long as the nearest
    decimal still does. Judging that in float64 is exact: with at most eight digits m and a midpoint o/2^k
    between two float32 (o < 2^25), m/10^f lies at least 1/(m o) > 2^-53 away from it, relatively.
    Below a power of two the next float32 is half as far, so that the nearest decimal need not be the one with
    the fewest digits; it is for all 33 powers of two in this range, as a test shows.
    """
    exact = magnitude.astype(np.float64)
    decimals = 8 - _MAGNITUDE[exponent] - (exact >= _NEXT_POWER[exponent])
    digits = np.rint(exact * _POWERS[decimals])
    for _ in range(2):  # most numbers lose one digit, many two: all at once is faster than picking them out
        scale = _POWERS[decimals - 1]
        fewer = np.rint(exact * scale)
        fits = (fewer / scale).astype(np.float32) == magnitude
        digits = np.where(fits, fewer, digits)
        decimals = decimals - fits
    shrinking = np.flatnonzero(fits)
    while shrinking.size:
        scale = _POWERS[decimals[shrinking] - 1]
        fewer = np.rint(exact[shrinking] * scale)
        fits = (fewer / scale).astype(np.float32) == magnitude[shrinking]
        fits &= decimals[shrinking] > 0
        shrinking = shrinking[fits]
        digits[shrinking] = fewer[fits]
        decimals[shrinking] -= 1
    return digits, decimals


def _cells(
    negative: NDArray[np.uint32], digits: NDArray[np.float64], decimals: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The numbers ±digits / 10^decimals as text, uint64 (n, 3) in little-endian order of bytes."""
    scale = _POWERS[decimals]
    whole = np.floor(digits / scale)
    fraction = ((digits - whole * scale) * _POWERS[16 - decimals]).astype(np.int64)  # sixteen digits, exact
    front = fraction // 10**8
    cells = np.empty((len(digits), 3), dtype="<u8")
    start = (negative * 1000 + whole).astype(np.int64) * 2 + (decimals > 0)
    cells[:, 0] = _CELL_STARTS[start]
    for column, eight in enumerate((front, fraction - front * 10**8)):
        upper = eight // 10**4
        text = _FOUR_DIGITS[upper] | _FOUR_DIGITS[eight - upper * 10**4] << np.uint64(32)
        cells[:, 1 + column] = text & _FRONT_MASKS[column, decimals]
    return cells


def parse_numbers(text: bytes) -> NDArray[np.float32]:
    """Numbers parted by single spaces, float32 (n,); nan for each that is no number or not finite.

    Numbers of the form [-]d or [-]d.ddd with up to 16 decimals are read by arrays, eight digits at a time in
    one 64-bit word; all others, larger ones and those with an exponent, by float(), 20 times slower. Both
    round to float64 and then to float32.
    """
    text = b"0" * 16 + text + b"  "
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters[:-1] == ord(" "))
    starts = np.concatenate(([16], ends[:-1] + 1))
    negative = characters[starts] == ord("-")
    units = characters[starts + negative] - np.uint8(ord("0"))
    decimals = ends - starts - negative - 2
    pointed = (characters[starts + negative + 1] == ord(".")) & (decimals >= 1) & (decimals <= 16)
    decimals = np.where(pointed, decimals, 0)
    front, back = _eight_digits(text, ends - 16, 0, decimals), _eight_digits(text, ends - 8, 1, decimals)
    scale = _POWERS[decimals]
    digits = units * scale.astype(np.uint64) + front * np.uint64(10**8) + back
    regular = (pointed | (ends - starts - negative == 1)) & (units <= 9)
    regular &= (np.maximum(front, back) < 10**8) & (digits < 2**53)  # beyond that float64 is not exact
    numbers: NDArray[np.float32] = (digits / scale).astype(np.float32)
    np.negative(numbers, out=numbers, where=negative)
    for i in np.flatnonzero(~regular).tolist():
        numbers[i] = _parse_one(text[starts[i] : ends[i]])
    return numbers


def _eight_digits(
    text: bytes, places: NDArray[np.int64], column: int, decimals: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The eight characters from each place as a number, uint64 (n,), at least 10^8 where one is no digit.

    Characters before the first decimal count as zeros. Neighbouring digits, pairs and fours are joined by
    one multiplication each, all four, two and one of them in a word at once.
    """
    words = np.ndarray(len(text) - 7, dtype="<u8", buffer=text, strides=(1,))
    digits: NDArray[np.uint64] = (words[places] ^ _ZEROS) & _BACK_MASKS[column, decimals]
    wrong = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080)
    pairs = (digits * np.uint64(10 * 2**8 + 1) >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100 * 2**16 + 1) >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    eight: NDArray[np.uint64] = fours * np.uint64(10_000 * 2**32 + 1) >> np.uint64(32)
    eight[wrong != 0] = 10**8
    return eight


_NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _parse_one(text: bytes) -> np.float32:
    if not _NUMBER.fullmatch(text):
        return np.float32(np.nan)
    with np.errstate(over="ignore"):
        return np.float32(float(text))
