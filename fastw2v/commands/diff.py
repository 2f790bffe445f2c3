"""`fastw2v diff`: the words whose neighbours changed most between two trainings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fastw2v.commands.kinds import READ, AtLeast
from fastw2v.commands.options import load_vectors, open_samples, require_vectors, vectors_options

NOTHING = "-"  # in the place of noise that is not known, or of no neighbours


@click.command(short_help="Print the words whose neighbours changed most.")
@click.argument("old", type=READ)
@click.argument("new", type=READ)
@click.option("-n", "--number", type=AtLeast(1), default=20, help="Words to print.")
@click.option("--neighbours", type=AtLeast(0), default=5, help="Neighbours of each word to name.")
@click.option("--old-stability", type=READ, metavar="DIR", help="Samples of OLD, whose noise is subtracted.")
@click.option("--new-stability", type=READ, metavar="DIR", help="Samples of NEW, whose noise is subtracted.")
@click.option(
    "--restrict-vocab", type=AtLeast(1), help="Only words among so many of the most frequent in both."
)
@vectors_options
def diff(
    old: str,
    new: str,
    number: int,
    neighbours: int,
    old_stability: str | None,
    new_stability: str | None,
    restrict_vocab: int | None,
    **options: Any,
) -> None:
    """Print the words whose neighbours changed most from OLD to NEW, two files of vectors of one dim.

    A line has the word, its change (1 - cosine after the best rotation of OLD, 0 to 2), the noise (what
    samples of one text reach for one word in 20), the change without the noise, by which words are ranked,
    and its nearest words in OLD and in NEW, separated by tabs. Samples are what `fastw2v stability` writes;
    without them rare words come first, which every training places anew.

    \b
    Examples:
      fastw2v diff old.bin new.bin --restrict-vocab 10000
      fastw2v diff old.bin new.bin \\
        --old-stability old.stability --new-stability new.stability
    """
    from fastw2v.show.progress import Display, Waiting
    from fastw2v.vectors import changes

    for path in (old, new):
        require_vectors(path, options["file_format"])
    samples = [open_samples(path) for path in (old_stability, new_stability)]
    with Waiting(Display(sys.stderr), f"reading {Path(old).name}") as waiting:
        first = load_vectors(old, **options)
        waiting.tell(f"reading {Path(new).name}")
        second = load_vectors(new, **options)
        found = changes.diff(
            first,
            second,
            number,
            old_samples=samples[0],
            new_samples=samples[1],
            neighbours=neighbours,
            restrict=restrict_vocab,
            on_progress=waiting.tell,
        )
    click.echo("\n".join(line_of(change) for change in found))


def line_of(change: Any) -> str:
    """A word as a line."""
    noise = NOTHING if change.noise is None else f"{change.noise:.4f}"
    near = [", ".join(words) or NOTHING for words in (change.old_neighbours, change.new_neighbours)]
    return "\t".join([change.word, f"{change.change:.4f}", noise, f"{change.excess:.4f}", *near])
