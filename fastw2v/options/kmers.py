"""How sequences of letters are cut into words: the options of reading that ask for k-mers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastw2v.errors import UsageError
from fastw2v.options.checks import Whole
from fastw2v.options.fields import option

MAX_KMERS = 31  # what programs that count k-mers take in 64 bits; longer ones hardly occur twice


@dataclass(frozen=True)
class KmerOptions:
    """The options of k-mers, of which ReadConfig is made."""

    kmers: int | None = option(
        None,
        "Input",
        "Words are the runs of so many letters in FASTA, or in texts that are sequences.",
        limits=Whole(1, MAX_KMERS),
        metavar="K",
    )
    stride: int = option(
        1, "Input", "Letters from the start of a k-mer to that of the next.", limits=Whole(1, 1_000_000)
    )
    reverse_complement: bool = option(
        False,
        "Input",
        "A k-mer of DNA and its reverse complement are one word, the first of them by the alphabet.",
    )


def check_kmers(config: Any) -> None:
    """Refuse options of k-mers without them, and options of words beside them. Raises UsageError."""
    if config.kmers is None:
        for name, value in (("stride", config.stride), ("reverse_complement", config.reverse_complement)):
            if value != getattr(KmerOptions, name):
                raise UsageError(
                    f"{name} is of k-mers, and there are none: set kmers to 6, or leave {name} out",
                    (name, "kmers"),
                )
        return
    idle = {
        "lowercase": (config.lowercase, "they are in capitals"),
        "tokenize": (config.tokenize != "whitespace", "white space parts no sequence"),
        "lines": (config.lines != "sentences", "a sequence is a record of FASTA, or a line"),
        "group_by": (config.group_by is not None, "a row is a sequence, no item"),
    }
    for name, (is_given, why) in idle.items():
        if is_given:
            raise UsageError(f"{name} does nothing with kmers ({why}): leave it out", (name, "kmers"))
