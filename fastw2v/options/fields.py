"""How the fields of a configuration are declared, described and checked: each says all that is known."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from fastw2v.options import checks
from fastw2v.options.checks import Real, Whole
from fastw2v.options.spelling import as_called

Configuration = TypeVar("Configuration")
AUTO = "auto"


def option(default: Any, section: str, text: str, **more: Any) -> Any:
    """A field of a configuration, and what the command, the checks and the documentation are made of.

    section  the heading of --help that it stands under
    text     one line
    more     `limits` of a number, Whole or Real; `flags`, where they are not --name; and what else of
             `commands.declared.Option` is not as it is there: shown, metavar, file, alone, auto
    """
    return dataclasses.field(default=default, metadata={"section": section, "text": text, **more})


def described(kind: type[Configuration]) -> type[Configuration]:
    """A configuration whose docstring ends with a line on each field, as it is declared."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    lines = [f"    {field.name:<18}{as_called(field.metadata['text'])}" for field in fields]
    kind.__doc__ = "\n".join([kind.__doc__ or "", "", *lines, "    "])
    return kind


def types_of(kind: Any) -> Iterator[tuple[str, bool, Any]]:
    """Of each field of a configuration: its name, whether it may be None, the type of its other values."""
    for name, hint in get_type_hints(kind).items():
        is_union = get_origin(hint) is types.UnionType or type(None) in get_args(hint)
        kinds = [part for part in get_args(hint) if part is not type(None)] if is_union else [hint]
        yield name, is_union, kinds[0]


def settle(config: Any) -> None:
    """Make every value of a new configuration plain, by the type and the limits of its field.

    Raises UsageError naming the option, its value and the limit.
    """
    for name, (is_optional, check) in _checks_of(type(config)).items():  # type: ignore[arg-type]
        value = getattr(config, name)
        if not (value is None and is_optional):
            object.__setattr__(config, name, check(value))


@functools.cache
def _checks_of(kind: Hashable) -> dict[str, tuple[bool, Callable[[Any], Any]]]:
    """For each field of a configuration: whether it may be None, and what makes its value plain."""
    about = {field.name: field.metadata for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    checks_of = {}
    for name, is_optional, hint in types_of(kind):
        check = _check_for(name, hint, about[name].get("limits"))
        is_auto = about[name].get("auto", False)
        checks_of[name] = is_optional, functools.partial(_none_if_auto, check) if is_auto else check
    return checks_of


def _none_if_auto(check: Callable[[Any], Any], value: Any) -> Any:
    """None for the word auto, by which a user lets the run choose; else what check makes of the value."""
    return None if isinstance(value, str) and value == AUTO else check(value)


def _check_for(name: str, hint: Any, limits: Whole | Real | None) -> Callable[[Any], Any]:
    """What makes a value of a field plain; a number without limits is a TypeError when it is first made."""
    if get_origin(hint) is Literal:
        return functools.partial(checks.choice, name, choices=get_args(hint))
    if hint in (int, float):
        if not isinstance(limits, Whole if hint is int else Real):
            raise TypeError(f"{name} is declared without limits of {hint.__name__}")
        return functools.partial(limits.plain, name)
    plain: dict[Any, Callable[[str, Any], Any]] = {bool: checks.flag, str: checks.text, Path: checks.path}
    return functools.partial(plain.get(hint, checks.words), name)
