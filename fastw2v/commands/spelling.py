"""Options in messages as they are typed on the command line: --min-count for Python's min_count."""

from __future__ import annotations

import re

from fastw2v.errors import FastW2VError

# Where the command has another name for it than Python.
FLAGS = {
    "n": "-n",
    "k": "--top",
    "restrict": "--restrict-vocab",
    "unescape": "--escape",
    "init": "--init-vectors",
    "vocabulary": "--read-vocab",
    "keep_words": "--keep-list",
    "stop_words": "--stop-list",
}


def flag_of(option: str) -> str:
    """The flag of an option that Python calls so."""
    return FLAGS.get(option, f"--{option.replace('_', '-')}")


def as_typed(error: FastW2VError) -> str:
    """An error's message with its options as flags; in quotes their names are values, and stay."""
    message = str(error)
    for option in getattr(error, "options", ()):
        message = re.sub(rf"(?<![-\w'\"]){re.escape(option)}(?![-\w'\"])", flag_of(option), message)
    return message
