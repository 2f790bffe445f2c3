"""How text is read: the options of reading that say what files, lines and words are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastw2v.errors import UsageError
from fastw2v.options.fields import option

Input = Literal["text", "parquet"]
Tokenize = Literal["whitespace", "simple"]
Lines = Literal["sentences", "paragraphs"]
DecodingErrors = Literal["strict", "replace", "ignore"]


@dataclass(frozen=True)
class TextOptions:
    """The options of text, of which ReadConfig is made."""

    input: Input | None = option(
        None, "Input", "Read files as text, or as Parquet.", shown="by suffix, or else by their first bytes"
    )
    tokenize: Tokenize = option(
        "whitespace", "Input", "Split texts at white space; or runs of 2 to 15 letters in lower case."
    )
    lines: Lines = option(
        "sentences", "Input", "A line of a text file is a sentence; or all up to an empty line are one."
    )
    encoding: str = option("utf-8", "Input", "How text files are encoded, like latin-1.", metavar="NAME")
    errors: DecodingErrors = option(
        "strict", "Input", "Bytes of text files that are not so: refused, replaced by U+FFFD, or left out."
    )


def check_text(config: TextOptions, lowercase: bool) -> None:
    """Raise UsageError for --lowercase where words are in lower case already."""
    if lowercase and config.tokenize == "simple":
        message = "lowercase does nothing with tokenize simple: leave it out"
        raise UsageError(message, ("lowercase", "tokenize"))
