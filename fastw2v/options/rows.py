"""The options that name what a row has beside its words, and what they do not go with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastw2v.errors import UsageError
from fastw2v.options.fields import option

# The columns that arrays of them become, which no file has.
GIVEN = {"weight": "the given weights", "global_context": "the given targets"}


@dataclass(frozen=True)
class RowOptions:
    """The options of a row's weight and of its target, of which ReadConfig is made."""

    weight: str | None = option(
        None, "Input", "Column of numbers, times which each sentence counts; 0 leaves it out.", metavar="NAME"
    )
    global_context: str | None = option(
        None,
        "Input",
        "Column of a word that all centres of a sentence predict, too.",
        metavar="NAME",
    )


def check_rows(config: Any) -> None:
    """Raise UsageError for what has other sentences than there are rows."""
    for beside in GIVEN:
        if getattr(config, beside) is None:
            continue
        for name, why in (
            ("kmers", "cuts a row in several sentences"),
            ("phrases", "counts words once more"),
        ):
            if getattr(config, name):
                raise UsageError(
                    f"{beside} is for rows as they are read, and {name} {why}: leave one of them out",
                    (beside, name),
                )
