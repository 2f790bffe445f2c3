"""`fastw2v export`: vectors from one format to another."""

from __future__ import annotations

from pathlib import Path

import click

from fastw2v.commands.options import FORMATS


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--from", "source_format", type=click.Choice(FORMATS), help="Of SOURCE.  [default: by suffix]")
@click.option("--to", "target_format", type=click.Choice(FORMATS), help="Of TARGET.  [default: by suffix]")
@click.option("--escape", is_flag=True, help="Tokens in text and binary files are escaped with backslashes.")
def export(
    source: str, target: str, source_format: str | None, target_format: str | None, escape: bool
) -> None:
    """Convert vectors from SOURCE to TARGET: word2vec text (.txt, .vec), binary (.bin), or .npy + vocabulary.

    \b
    Examples:
      fastw2v export corpus.vectors.txt corpus.vectors.bin
      fastw2v export corpus.vectors.bin corpus.npy
    """
    from fastw2v import formats
    from fastw2v.files import require_writable

    for path in formats.output_paths(Path(target), target_format or formats.detect_format(Path(target))):
        require_writable(path)
    embeddings = formats.load(Path(source), format=source_format, unescape=escape)
    formats.save(Path(target), embeddings, format=target_format, escape=escape)
    click.echo(f"wrote {len(embeddings):,} vectors of dim {embeddings.dim} to {target}", err=True)
