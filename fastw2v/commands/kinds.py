"""Kinds of parameters that click has not: files to read and to write, and a number that has a least."""

from __future__ import annotations

from typing import Any

import click

from fastw2v.errors import UsageError
from fastw2v.options.checks import Whole
from fastw2v.options.fields import AUTO


class FileToRead(click.types.StringParamType):
    """The name of a file that the command reads: no output may replace it."""


class FileToWrite(click.types.StringParamType):
    """The name of a file that the command writes."""


class AtLeast(click.types.IntParamType):
    """A whole number that has a least; `why` is what else a message says of it."""

    def __init__(self, least: int, why: str = "") -> None:
        self.limits = Whole(least, why=why)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; raises UsageError where it is below the least."""
        number = super().convert(value, param, ctx)
        if number < self.limits.lowest:
            raise UsageError(f"{typed(param)} is {number}: it must be {self.limits}")
        return number


class OrAuto(click.ParamType[Any]):
    """A value of another type, or the word auto."""

    def __init__(self, kind: type[Any]) -> None:
        self.kind = click.types.convert_type(kind)
        self.name = self.kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value or the word."""
        return value if value == AUTO else self.kind.convert(value, param, ctx)


READ, WRITE = FileToRead(), FileToWrite()


def typed(parameter: click.Parameter | None) -> str:
    """How a parameter is typed: the long flag of an option, the name of an argument in capitals."""
    opts = parameter.opts if parameter else []
    long = [flag for flag in opts if flag.startswith("--")]
    return long[0] if long else "".join(opts[:1]).upper()
