"""Options in messages as they are typed: --min-count on the command line, min_count in Python."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fastw2v.errors import FastW2VError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Where the command has another name for it than Python.
FLAGS = {
    "n": "--number",
    "k": "--top",
    "restrict": "--restrict-vocab",
    "unescape": "--escape",
    "init": "--init-vectors",
    "vocabulary": "--read-vocab",
    "continue_from": "--continue",
    "keep_words": "--keep-list",
    "stop_words": "--stop-list",
}
NAMES = {flag: name for name, flag in FLAGS.items() if name != "unescape"}


def flag_of(option: str) -> str:
    """The flag of an option that Python calls so."""
    return FLAGS.get(option, f"--{option.replace('_', '-')}")


def name_of(flag: str) -> str:
    """What Python calls the option of a flag."""
    return NAMES.get(flag, flag.removeprefix("--").replace("-", "_"))


def as_typed(error: FastW2VError) -> str:
    """An error's message with its options as flags; in quotes their names are values, and stay."""
    message = str(error)
    for option in getattr(error, "options", ()):
        message = re.sub(rf"(?<![-\w'\"]){re.escape(option)}(?![-\w'\"])", flag_of(option), message)
    return message


def as_called(message: str) -> str:
    """A message with its flags as Python's names; in quotes, and in the names of files, they stay."""
    return re.sub(r"(?<![^\s(,])--[a-z][a-z0-9-]*", lambda found: name_of(found[0]), message)


def for_python(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, with the options in messages of its errors as Python calls them."""

    @functools.wraps(function)
    def called(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        try:
            return function(*arguments, **options)
        except FastW2VError as error:
            error.args = (as_called(str(error)), *error.args[1:])
            raise

    return called
