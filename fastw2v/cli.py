"""The command line: arguments in, one library call, an answer or a one-line error out.

Commands import only click at their top; numba and pyarrow are imported by the command that needs them, so
`fastw2v --help` answers in a tenth of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from fastw2v import __version__
from fastw2v.commands.ask import analogy, nearest, odd_one_out, similarity
from fastw2v.commands.doctor import doctor
from fastw2v.commands.evaluate import evaluate
from fastw2v.commands.export import export
from fastw2v.commands.train import train
from fastw2v.commands.vocab import vocab
from fastw2v.errors import FastW2VError, OutputError, UsageError

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
INTERRUPTED = 130


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="fastw2v")
def cli() -> None:
    """Skip-gram word vectors with negative sampling, from Parquet, at the speed of the machine.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v nearest corpus.vectors.txt paris
      fastw2v export corpus.vectors.txt corpus.vectors.bin
    """


for command in (train, vocab, evaluate, nearest, analogy, similarity, odd_one_out, export, doctor):
    cli.add_command(command)


def fail(message: str, code: int) -> NoReturn:
    """One line on stderr, and out."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; every error a user can meet is one line and a stable exit code.

    0 done, 2 usage or unusable schema, 3 corpus unreadable or corrupt, 4 diverged, 5 output or memory,
    130 interrupted.
    """
    try:
        code = cli.main(args=arguments, standalone_mode=False)
    except FastW2VError as error:
        fail(str(error), error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        fail("interrupted: nothing was written", INTERRUPTED)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "fastw2v"
        fail(f"{error.format_message()} (see '{command} --help')", UsageError.exit_code)
    except click.ClickException as error:
        fail(error.format_message(), error.exit_code)
    except MemoryError:
        fail("out of memory: lower --dim or --max-vocab, or raise --min-count", OutputError.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
