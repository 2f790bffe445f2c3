"""What is given as pairs: the options that say that the corpus is one of them, and of its outside words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastw2v.options.checks import Whole
from fastw2v.options.fields import described, option, settle
from fastw2v.options.together import check_switch

# With --pairs: word2vecf drops no pairs of frequent centres unless it is asked to.
PAIR_DEFAULTS: dict[str, Any] = {"sample": 0.0}


@described
@dataclass(frozen=True)
class PairConfig:
    """Options of training on given pairs of a centre word and an outside word, as word2vecf does."""

    pairs: bool = option(
        False, "Pairs", "SOURCE holds pairs of a centre and an outside word, with a vocabulary for each."
    )
    outside_min_count: int | None = option(
        None,
        "Pairs",
        "Drop outside words of fewer pairs.",
        limits=Whole(0, why="; 1 keeps every word"),
        shown="as --min-count",
    )
    outside_max_vocab: int | None = option(
        None,
        "Pairs",
        "Keep only this many of the most frequent outside words.",
        limits=Whole(2, why="; negative sampling needs two words"),
    )

    def __post_init__(self) -> None:
        """Check the limits, and that there are pairs. Raises UsageError."""
        settle(self)
        check_switch(self, "pairs", "pairs")
