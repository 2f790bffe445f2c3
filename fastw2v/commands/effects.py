"""Options of a command that another choice leaves without effect: refused, so that none is ignored."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource

from fastw2v.errors import UsageError


def refuse_idle(names: Iterable[str], where: str, cure: str) -> None:
    """Raise UsageError for the first of these options that was given and is not its default.

    names   of the running command's parameters
    where   they do nothing: "without --next-item"
    cure    beside leaving the option out: "add --next-item CORPUS"
    """
    context = click.get_current_context()
    parameters = {parameter.name: parameter for parameter in context.command.params}
    for name in names:
        value, parameter = context.params.get(name), parameters[name]
        is_given = context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT)
        if is_given and value not in (None, False, (), parameter.default):
            flag = next(flag for flag in parameter.opts if flag.startswith("--"))
            raise UsageError(f"{flag} does nothing {where}: leave it out, or {cure}")


def require_one_voice(verbose: bool, quiet: bool) -> None:
    """Raise UsageError where more lines and none are asked for at once."""
    if verbose and quiet:
        raise UsageError("--verbose and --quiet ask for more lines and for none: leave out one of them")
