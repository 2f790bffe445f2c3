"""Tables of options, written into the pages when the site is built, from what the commands declare.

A page says where, in a fenced block without content:

    ```{options} train: Input     the options of a command, of one section where it has sections
    ```{options} nearest analogy  of several commands, each row once
    ```{presets}                  what each preset sets
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from fastw2v import api
from fastw2v.cli import cli, variable_of
from fastw2v.commands.kinds import AtLeast, FileToRead, FileToWrite
from fastw2v.commands.options import DeclaredOption
from fastw2v.commands.train.settings import keys_of
from fastw2v.config import PRESETS
from fastw2v.options.spelling import name_of

MARK = re.compile(r"^```\{(options|presets)\}[ ]?(.*)\n```$", re.MULTILINE)
OF_FILES = ("train",)  # the commands whose options may come from a file, and from Python
NOUNS = {"DIR": "folder", "SIZE": "size", "CORPUS": "corpus", "NAME": "name"}


class Row(NamedTuple):
    """The cells of an option but for its names elsewhere."""

    flags: str
    values: str
    default: str
    meaning: str


def filled(text: str) -> str:
    """A page with its tables in the place of the blocks that ask for them."""
    return MARK.sub(lambda found: "\n".join(MAKERS[found[1]](found[2])), text)


def options_table(asked: str) -> Iterator[str]:
    """The lines of a table of options, asked for as `command ...` or `command: Section`."""
    names, _, section = asked.partition(": ")
    rows: dict[Row, list[str]] = {}
    for name in names.split():
        command = cli.commands[name]
        for option in command.params:
            if isinstance(option, click.Option) and (not section or section_of(option) == section):
                rows.setdefault(row_of(option), []).extend(names_elsewhere(command, option))
    if not rows:
        raise ValueError(f"no command has options of {asked!r}")
    elsewhere = "key, Python, environment" if names in OF_FILES else "environment"
    yield from table_lines(("option", "value", "default", "meaning", elsewhere))
    for row, others in rows.items():
        yield f"| {' | '.join(row)} | {'<br>'.join(others)} |"


def presets_table(asked: str) -> Iterator[str]:
    """The lines of a table of what each preset sets."""
    yield from table_lines(("preset", "sets"))
    for preset, values in PRESETS.items():
        options = (f"--{name.replace('_', '-')} {value:g}" for name, value in values.items())
        yield f"| `{preset}` | `{' '.join(options)}` |"


MAKERS = {"options": options_table, "presets": presets_table}


def table_lines(cells: tuple[str, ...]) -> Iterator[str]:
    """The head of a table."""
    yield f"| {' | '.join(cells)} |"
    yield "|" + "---|" * len(cells)


def section_of(option: click.Option) -> str:
    """The section of --help that an option stands under."""
    return option.declared.section if isinstance(option, DeclaredOption) else ""


def row_of(option: click.Option) -> Row:
    """The row of an option."""
    text, _, shown = (option.help or "").partition("  [default: ")
    flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    return Row(flags, values_of(option), shown.removesuffix("]") or default_of(option), as_markdown(text))


def values_of(option: click.Option) -> str:
    """What may be given: the type and the limits."""
    limits = option.declared.limits if isinstance(option, DeclaredOption) else None
    if option.is_flag:
        return "–"
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    if isinstance(option.type, AtLeast):
        return f"whole number, {option.type.limits}"
    words = {"integer": "whole number", "float": "number"}
    kind = words.get(option.type.name) or NOUNS.get(option.metavar or "", "text")
    kind = {FileToRead: "file to read", FileToWrite: "file to write"}.get(type(option.type), kind)
    is_told = not option.multiple or "may be repeated" in (option.help or "")
    return kind + (f", {limits}" if limits else "") + ("" if is_told else ", may be repeated")


def default_of(option: click.Option) -> str:
    """The default as it would be typed; a dash for none."""
    if option.required:
        return "must be given"
    if option.is_flag:
        return f"`{option.opts[0]}`" if option.default is True else "off"
    is_plain = isinstance(option.default, int | float | str)
    return (
        f"{option.default:g}" if isinstance(option.default, float) else str(option.default) * is_plain or "–"
    )


def names_elsewhere(command: click.Command, option: click.Option) -> list[str]:
    """The key in a file of options, Python's argument, the variable in the environment; a dash for none."""
    names: list[str | None] = [variable_of(command, option)]
    if command.name in OF_FILES:
        keys = [key for key, parameter in keys_of(command) if parameter is option]
        accepted = {*inspect.signature(api.train).parameters, *api.Options.__annotations__}
        flags = [flag for flag in option.opts if flag.startswith("--")]
        field = option.declared.field if isinstance(option, DeclaredOption) else ""
        python = [name for name in (field, *map(name_of, flags)) if name in accepted]
        names = [next(iter(keys), None), next(iter(python), None), *names]
    return [f"`{name}`" if name else "–" for name in names]


def as_markdown(text: str) -> str:
    """A help text with its flags as code."""
    text = text.replace("|", r"\|").replace("*", r"\*")
    return re.sub(r"(?<![`\w-])--[a-z][a-z-]+", r"`\g<0>`", text)


def fill(app: Any, page: str, source: list[str]) -> None:
    """Write the tables of a page before it is parsed."""
    source[0] = filled(source[0])


def always(app: Any, env: Any, *changes: Any) -> list[str]:
    """The pages with tables, made anew on every build: what they are made of is no file of the site."""
    return [page for page in env.found_docs if MARK.search(env.doc2path(page, True).read_text("utf-8"))]


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always)
    return {"parallel_read_safe": True}
