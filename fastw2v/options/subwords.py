"""The lengths of n-grams, as users give them."""

from __future__ import annotations

import re
from typing import Any

from fastw2v.errors import UsageError
from fastw2v.options import checks

LONGEST = 100  # characters; a word of 20 has 2,000 n-grams of up to 100 at most
_LENGTHS = re.compile(r"([1-9][0-9]{0,2})-([1-9][0-9]{0,2})")


def lengths_of(text: str) -> tuple[int, int]:
    """The shortest and the longest n-grams of a text such as 3-6. Raises UsageError for another."""
    match = _LENGTHS.fullmatch(text)
    shortest, longest = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= shortest <= longest <= LONGEST:
        limit = f"the lengths of n-grams, such as 3-6, from 1 to {LONGEST}"
        raise checks.refuse("subwords", text, limit)
    return shortest, longest


def spelt(lengths: Any) -> Any:
    """The text for two lengths that are given as a pair; else as it is."""
    if isinstance(lengths, tuple | list) and len(lengths) == 2:
        return "-".join(str(checks.whole("a length of subwords", n, 1, LONGEST)) for n in lengths)
    return lengths


def check_subwords(config: Any) -> None:
    """Raise UsageError for lengths that are none, and for buckets without n-grams."""
    if config.subwords is not None:
        lengths_of(config.subwords)
    elif config.buckets != type(config).buckets:
        raise UsageError(
            f"buckets is {config.buckets}, but there are no n-grams to be put there: set subwords to 3-6, or "
            "leave buckets out",
            ("buckets", "subwords"),
        )
