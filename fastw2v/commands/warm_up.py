"""`fastw2v warm-up`: compile before the first run, as when an image is built."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Compile for this machine before the first run.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def warm_up(quiet: bool) -> None:
    """Compile for this machine all that train and vocab can need, for every dim: a minute or two, once.

    What is kept already is not compiled again. Several processes (mpirun) compile a few small functions more.

    \b
    Examples:
      fastw2v warm-up -q
      XDG_CACHE_HOME=/var/cache fastw2v warm-up
    """
    import time
    from pathlib import Path

    from fastw2v.errors import OutputError
    from fastw2v.kernels.compiler import compiler
    from fastw2v.run import warm_up as run
    from fastw2v.show.progress import Display

    found, started = compiler(), time.perf_counter()
    if found.cache_folder is None:
        raise OutputError(
            "machine code cannot be kept: set XDG_CACHE_HOME or NUMBA_CACHE_DIR to a folder with space "
            "where you may write"
        )
    display = Display(sys.stderr, quiet=quiet, verbose=True)
    try:
        n_compiled = run.warm_up(lambda what: display.update(f"compiling: {what}", final=True))
    finally:
        display.close()
    if not quiet:
        seconds = time.perf_counter() - started
        n_bytes = sum(file.stat().st_size for file in Path(found.cache_folder).rglob("*.nb?"))
        click.echo(f"compiled {n_compiled} functions for {found.cpu} in {seconds:.0f} s")
        click.echo(f"{found.cache_folder} holds them, {n_bytes / 1e6:.0f} MB")
