"""The option that names the weights of sentences, and what it does not go with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastw2v.errors import UsageError
from fastw2v.options.fields import option

# The column that an array of weights becomes, which no file has.
GIVEN = "the given weights"


@dataclass(frozen=True)
class WeightOptions:
    """The option of weights, of which ReadConfig is made."""

    weight: str | None = option(
        None, "Input", "Column of numbers, times which each sentence counts; 0 leaves it out.", metavar="NAME"
    )


def check_weight(config: Any) -> None:
    """Raise UsageError for what has other sentences than there are rows."""
    if config.weight is None:
        return
    for name, why in (("kmers", "cuts a row in several sentences"), ("phrases", "counts words once more")):
        if getattr(config, name):
            raise UsageError(
                f"weight is for rows as they are read, and {name} {why}: leave one of them out",
                ("weight", name),
            )
