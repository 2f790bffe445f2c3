"""`fastw2v cache`: the copies of vectors that questions keep, shown and removed."""

from __future__ import annotations

import click

from fastw2v.errors import UsageError


@click.command(short_help="Show or remove the copies of vectors that are kept.")
@click.option("--prune", is_flag=True, help="Remove copies of files that are gone or changed.")
@click.option("--clear", is_flag=True, help="Remove all copies.")
def cache(prune: bool, clear: bool) -> None:
    """Show the copies of large files of vectors that nearest and others keep: bytes, state, file.

    A copy is current, or gone or changed after its file. Removing one loses nothing but the time to read the
    file again. The folder is fastw2v/vectors in XDG_CACHE_HOME or else ~/.cache.

    \b
    Examples:
      fastw2v cache
      fastw2v cache --prune
      fastw2v cache --clear
    """
    from fastw2v.vectors.cache import default_folder
    from fastw2v.vectors.copies import copies, remove

    if prune and clear:
        raise UsageError("--clear removes what --prune would, too: leave --prune out")
    folder = default_folder()
    found = copies(folder)
    if prune or clear:
        chosen = [copy for copy in found if clear or copy.state != "current"]
        for copy in chosen:
            remove(copy)
        verb, said = "removed", chosen
    else:
        for copy in found:
            name = "?" if copy.source is None else str(copy.source).replace("\n", "\\n")
            click.echo(f"{copy.n_bytes}\t{copy.state}\t{name}")
        verb, said = "holds", found
    n_bytes = sum(copy.n_bytes for copy in said)
    plural = "copy" if len(said) == 1 else "copies"
    click.echo(f"{folder}: {verb} {len(said)} {plural}, {n_bytes / 1e6:.1f} MB", err=True)
