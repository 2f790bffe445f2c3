"""README and the commands say the same."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from fastw2v import cli

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
OPTIONS = [
    (name, flag)
    for name, command in cli.cli.commands.items()
    for option in command.params
    if isinstance(option, click.Option)
    for flag in [*option.opts, *option.secondary_opts]
]


@pytest.mark.parametrize("name", cli.cli.commands)
def test_readme__shows_every_command(name):
    assert f"fastw2v {name}" in README


@pytest.mark.parametrize(("name", "flag"), OPTIONS)
def test_readme__shows_every_option(name, flag):
    assert f"`{flag}" in README


def test_readme__defaults_are_those_of_the_code():
    rows = [
        [cell.strip() for cell in line.split("|")] for line in README.splitlines() if line.startswith("| `-")
    ]
    shown = {row[1].replace("`", " ").split()[0].rstrip(","): row[2] for row in rows}
    numbers = [
        option
        for option in cli.train.params
        if isinstance(option, click.Option) and not option.is_flag and isinstance(option.default, int | float)
    ]
    assert len(numbers) > 8
    for option in numbers:
        assert float(shown[option.opts[0]]) == option.default, option.name
