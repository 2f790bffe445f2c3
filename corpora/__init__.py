"""Scripts that make corpora; run them from a clone, `python -m corpora.planted --help`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fastw2v.errors import FastW2VError, OutputError

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}

ROWS_PER_GROUP = 8_192
WORDS_PER_GROUP = 1_000 * ROWS_PER_GROUP  # about 50 MB


class CountMismatch(FastW2VError):
    """A corpus that is not the one that was asked for: its counts are wrong."""


class Script(click.Command):
    """A command that answers an error of ours with one line and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FastW2VError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there; raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def rows_per_group(words_per_row: int) -> int:
    """Rows that are held in memory together before they go to the file."""
    return max(1, min(ROWS_PER_GROUP, WORDS_PER_GROUP // words_per_row))
