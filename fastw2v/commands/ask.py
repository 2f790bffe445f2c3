"""`fastw2v nearest`: questions to vectors."""

from __future__ import annotations

from pathlib import Path

import click

from fastw2v.commands.options import FORMATS


@click.command()
@click.argument("vectors")
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "--number", type=int, default=10, help="Neighbours of each word.")
@click.option(
    "--format", "file_format", type=click.Choice(FORMATS), help="Of the file.  [default: by suffix]"
)
@click.option("--escape", is_flag=True, help="The file's tokens were written with --escape.")
def nearest(vectors: str, words: tuple[str, ...], number: int, file_format: str | None, escape: bool) -> None:
    """Print the words nearest to each of WORDS by cosine: word, neighbour, cosine, separated by tabs.

    \b
    Examples:
      fastw2v nearest corpus.vectors.txt paris
      fastw2v nearest corpus.vectors.txt paris london -n 5
    """
    from fastw2v import formats, query

    embeddings = formats.load(Path(vectors), format=file_format, unescape=escape)
    answers = {word: query.nearest(embeddings, word, number) for word in words}
    for word, neighbours in answers.items():
        for neighbour, cosine in neighbours:
            click.echo(f"{word}\t{neighbour}\t{cosine:.4f}")
