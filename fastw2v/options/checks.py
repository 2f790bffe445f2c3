"""Values as users give them, made plain or refused: kernels and files get Python's own int, float, bool, str.

A NumPy number is taken as the number it is: compiled code would be compiled anew for its type. Each function
takes the name that a message gives the value, and raises UsageError with name, value and limit.
"""

from __future__ import annotations

import codecs
import math
import numbers
import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.errors import UsageError

NO_LIMIT = 2**63 - 1
SHOWN_WORDS = 5
MAX_SHOWN = 60  # characters of a value in a message


class Whole(NamedTuple):
    """The limits of a whole number, and what else a message says of them."""

    lowest: int
    highest: int = NO_LIMIT
    why: str = ""

    def __str__(self) -> str:
        if self.highest == NO_LIMIT:
            return f"at least {self.lowest:,}{self.why}"
        return f"from {self.lowest:,} to {self.highest:,}{self.why}"

    def plain(self, name: str, value: Any) -> int:
        """The value as an int within the limits; raises UsageError."""
        return whole(name, value, *self)


class Real(NamedTuple):
    """The limits of a finite number, and how a message says them."""

    text: str
    lowest: float = -math.inf
    highest: float = math.inf

    def __str__(self) -> str:
        return self.text

    def plain(self, name: str, value: Any) -> float:
        """The value as a float within the limits; raises UsageError."""
        return real(name, value, *self)


def shown(value: Any) -> str:
    """A value as a message shows it: on one line, not too long, whatever it is."""
    if isinstance(value, str | bytes | list | tuple) and len(value) > MAX_SHOWN:
        value = value[:MAX_SHOWN]  # a corpus may be gigabytes long
        text = repr(value)[: MAX_SHOWN + 1] + " "
    else:
        try:
            text = " ".join(repr(value).split()) if not isinstance(value, str | bytes) else repr(value)
        except Exception:  # of an integer of 5,000 digits, or of another's object
            text = f"of type {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def few(words: Sequence[Any]) -> str:
    """The first of some words, as the repr of what holds them shows it; there may be a million."""
    first = ", ".join(shown(word) for word in words[:SHOWN_WORDS])
    return f"{first}, …" if len(words) > SHOWN_WORDS else first


def unwrapped(value: Any) -> Any:
    """What a scalar or an array without axes holds, of NumPy or a library like it; else the value itself."""
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item") and kind in "biufU":
        return value.item()
    return value


def refuse(name: str, value: Any, limit: object) -> UsageError:
    """The error for a value, its limit being a phrase such as `from 1 to 5`."""
    return UsageError(f"{name} is {shown(value)}: it must be {limit}", [name])


def whole(name: str, value: Any, lowest: int, highest: int, why: str = "") -> int:
    """The value as an int from lowest to highest; a float, fraction or NumPy number may be whole, too.

    why   what else the message says of the limit
    """
    limit = Whole(lowest, highest, why)
    value = unwrapped(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        raise refuse(name, value, f"a whole number, {limit}")
    try:
        number = int(value)  # type: ignore[arg-type]
    except (ValueError, ArithmeticError):  # nan, inf
        raise refuse(name, value, f"a whole number, {limit}") from None
    if number != value:
        raise refuse(name, value, f"a whole number, {limit}")
    if not lowest <= number <= highest:
        raise refuse(name, value, limit)
    return number


def real(name: str, value: Any, limit: str, lowest: float = -math.inf, highest: float = math.inf) -> float:
    """The value as a finite float from lowest to highest; limit is how a message says so."""
    value = unwrapped(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        raise refuse(name, value, f"a number, {limit}")
    try:
        number = float(value)
    except (ValueError, ArithmeticError):
        raise refuse(name, value, limit) from None
    if not (math.isfinite(number) and lowest <= number <= highest):
        raise refuse(name, value, limit)
    return number


def flag(name: str, value: Any) -> bool:
    """The value as a bool; no number or text, whose truth is often not what was meant ("no" is true)."""
    value = unwrapped(value)
    if not isinstance(value, bool):
        raise refuse(name, value, "True or False")
    return value


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """The value if it is one of the choices."""
    value = unwrapped(value)
    for known in choices:
        if isinstance(value, str) and value == known:
            return known
    raise refuse(name, value, f"one of {', '.join(choices)}")


def text(name: str, value: Any, what: str = "a text") -> str:
    """The value as a str; what is how a message calls it."""
    value = unwrapped(value)
    if not isinstance(value, str):
        raise refuse(name, value, what)
    return str.__str__(value)


def encoding(name: str, value: str) -> str:
    """The name of a text encoding that Python knows; of utf-8, however it is spelt, that."""
    try:
        found = codecs.lookup(value)
        "".encode(value)  # refuses what turns bytes into bytes, such as base64
    except (LookupError, ValueError):
        raise refuse(name, value, "a name that Python knows, like utf-8, latin-1 or cp1252") from None
    return found.name if found.name == "utf-8" else value


def path(name: str, value: Any) -> Path:
    """The value as a Path, ~ being the home folder; a str or what os.fspath takes, and no empty one."""
    try:
        plain = os.fspath(unwrapped(value))
    except TypeError:
        plain = None
    if not isinstance(plain, str) or not plain or "\0" in plain:
        raise refuse(name, value, "the name of a file or folder")
    return Path(plain).expanduser() if plain.startswith(("~/", f"~{os.sep}")) else Path(plain)


def words(name: str, value: Any) -> frozenset[str]:
    """The value as a set of words; no str, whose letters it would be."""
    limit = "a set or list of words"
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise refuse(name, value, limit)
    return frozenset(text(f"a word of {name}", word) for word in value)


def callback(name: str, value: Any) -> None:
    """Nothing, if the value can be called with what a run has come to, or is None."""
    if value is not None and not callable(value):
        raise refuse(name, value, "a function of one argument, a Moment")
