"""The command line: arguments in, one library call, an answer or a one-line error out.

A command is imported when it is named, with click alone at its top; numba and pyarrow are imported where it
needs them, so that `fastw2v --help` answers in a tenth of a second.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

import click
from click.core import ParameterSource

from fastw2v.commands import COMMANDS, Imported
from fastw2v.commands.unknown import command_message, option_message, refuse_single_dashes, variable_message
from fastw2v.distributed.communicator import end_all, launched
from fastw2v.errors import FastW2VError, OutputError, UsageError
from fastw2v.options.spelling import as_typed
from fastw2v.system import interrupts, streams
from fastw2v.version import __version__

PREFIX = "FASTW2V"
READER_LEFT = 141  # as shells report SIGPIPE
INTERRUPTED = (129, 130, 143)
# New objects between two searches for cycles, of which there are few: Python's 700 cost a tenth of `vocab`.
BETWEEN_SEARCHES = 10_000
SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
    "auto_envvar_prefix": PREFIX,
}


class Commands(click.Group):
    """Commands that say what was likely meant by a name that is none of theirs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name, and the rest of them."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(command_message(args[0], self.list_commands(ctx)), ctx)
        name, command, rest = super().resolve_command(ctx, args)
        if command:
            refuse_single_dashes(ctx, command, rest)
        return name, command, rest


@click.group(cls=Commands, commands=Imported(COMMANDS), context_settings=SETTINGS)
@click.version_option(__version__, "-V", "--version", prog_name="fastw2v")
def cli() -> None:
    """The models of word2vec, from text, tables and graphs, at the speed of the machine.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v nearest corpus.vectors.txt paris
      fastw2v export corpus.vectors.txt corpus.vectors.bin
    """
    context, place = click.get_current_context(), launched()
    if place and place[0] and context.invoked_subcommand != "train":
        context.exit()  # of several processes one does it
    given = sorted(name for name in os.environ if name.startswith(f"{PREFIX}_"))
    known = {name for command in (cli.commands.values() if given else ()) for name in variables_of(command)}
    for name in given:
        if name not in known and (message := variable_message(name, PREFIX, cli.commands)):
            click.echo(f"Warning: {message}", err=True)


def variables_of(command: click.Command) -> Iterator[str]:
    """The names in the environment that are options of a command."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name:
            yield variable_of(command, option)


def variable_of(command: click.Command, option: click.Parameter) -> str:
    """The name in the environment that an option of a command has."""
    return str(option.envvar or f"{PREFIX}_{command.name}_{option.name}".upper().replace("-", "_"))


def fail(message: str, code: int) -> NoReturn:
    """One line on stderr, and out; with all processes of a run where it has several."""
    message = message.replace("\n", "\\n")  # of a file's name
    end_all(message, code)
    with contextlib.suppress(OSError):  # of a terminal that went away
        click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def origin(error: click.UsageError) -> str:
    """Where a bad value came from, if not from the command line."""
    if not (isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name):
        return ""
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return ""
    return f" It is from {variable_of(error.ctx.command, error.param)}."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command; every error a user can meet is one line and a stable exit code.

    0 done, 2 usage or unusable schema, 3 corpus unreadable or corrupt, 4 diverged, 5 output or memory,
    129, 130 and 143 interrupted by SIGHUP, SIGINT and SIGTERM, 141 where who read the answer left.
    """
    with streams.settled():
        answer(arguments)


def answer(arguments: Sequence[str] | None) -> NoReturn:
    """`main`, with streams that take every character."""
    try:
        with interrupts.handled():
            code = cli.main(args=arguments, standalone_mode=False)
    except FastW2VError as error:
        fail(as_typed(error), error.exit_code)
    except interrupts.Interrupted as error:
        fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        sys.exit(UsageError.exit_code)
    except click.UsageError as error:
        if isinstance(error, click.NoSuchOption) and error.ctx:
            error = click.UsageError(option_message(error.ctx.command, error.option_name), error.ctx)
        command = error.ctx.command_path if error.ctx else "fastw2v"
        fail(f"{error.format_message()}{origin(error)} (see '{command} --help')", UsageError.exit_code)
    except click.ClickException as error:
        fail(error.format_message(), error.exit_code)
    except MemoryError:
        fail("out of memory: lower --dim or --max-vocab, or raise --min-count", OutputError.exit_code)
    except streams.ReaderLeft:
        sys.exit(READER_LEFT)
    except ImportError as error:  # of a library that is there: address space has ended, or it is damaged
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        fail(f"a library cannot be loaded ({reason}): give it more memory, or install it again", 5)
    except OSError as error:
        if is_lost():
            fail("the working folder was removed meanwhile: change to another one", OutputError.exit_code)
        if error.errno != errno.ENAMETOOLONG or not isinstance(error.filename, str):
            raise
        name, size = error.filename, len(error.filename)
        fail(f"{name[:40]}…: is no name of a file, {size:,} characters long: give a shorter one", 2)
    except Exception as error:
        if launched() is None:
            raise
        sys.excepthook(type(error), error, error.__traceback__)  # and the others would wait for this process
        fail(f"{type(error).__name__}, a fault of fastw2v's own", 1)
    sys.exit(code if isinstance(code, int) else 0)


def is_lost() -> bool:
    """Whether the working folder is there no more, on which relative names and some libraries stumble."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return True
    return False


def run() -> NoReturn:
    """`main` as the process it is started as.

    It ends without Python's clearing up of modules and machine code, 0.3 s of processor time, and seconds on
    a busy machine: at once for a signal, else when all is done that is registered for the end.
    """
    gc.set_threshold(BETWEEN_SEARCHES)
    streams.plug()
    codes: list[int] = []
    if not atexit._ncallbacks():  # this one is the last to be called, and would cut off those
        atexit.register(end_at_once, codes)
    try:
        main()
    except SystemExit as stop:
        codes.append(int(stop.code or 0))
        if stop.code in INTERRUPTED:
            end_at_once(codes)
        raise


def end_at_once(codes: Sequence[int]) -> None:
    """End this process with the last of the codes, if there is one; several processes part by MPI's rules."""
    if not codes or (launched() and codes[-1] not in INTERRUPTED):
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            if codes[-1] not in INTERRUPTED:  # Python tells it
                return
    os._exit(codes[-1])
