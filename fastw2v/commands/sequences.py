"""`fastw2v sequences`: a vector for each text, gene or basket, the mean of those of its words."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from fastw2v.commands.declared import BY_NAME, OF_CORPUS
from fastw2v.commands.kinds import READ, WRITE
from fastw2v.commands.options import declared, load_vectors, require_vectors, vectors_options
from fastw2v.commands.places import check_places, inputs_of, named_output
from fastw2v.errors import UsageError

WEIGHTINGS = ("mean", "sif")
READ_BY = (*OF_CORPUS, BY_NAME["lowercase"])


@click.command(short_help="Write a vector for each text, gene or basket.")
@click.argument("vectors", type=READ)
@click.argument("source", nargs=-1, required=True)
@click.option(
    "-o", "--output", type=WRITE, metavar="FILE", required=True, help="Parquet file of the vectors."
)
@click.option(
    "--weighting",
    type=click.Choice(WEIGHTINGS),
    default="mean",
    help="All words alike, or frequent ones less: a/(a + p), a = 0.001, p a word's share.",
)
@click.option("--id-column", metavar="NAME", help="Column of what the rows are called.")
@declared(*READ_BY)
@click.option("-q", "--quiet", is_flag=True, help="No lines but errors.")
@vectors_options
def sequences(
    vectors: str,
    source: tuple[str, ...],
    output: str,
    weighting: str,
    id_column: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Write the mean of the vectors of the words of each sequence of SOURCE, read as by train.

    The file has the columns word, count and vector, as files of vectors have, and is asked like one: word is
    the record's name in FASTA, the key of a group, or the row's number from 0; count says how many words made
    the vector. Sequences without a known word are left out.

    \b
    Examples:
      fastw2v sequences corpus.vectors.parquet texts.parquet \\
        -o texts.vectors.parquet --weighting sif
      fastw2v sequences genes.bin genes.fasta --kmers 6 -o genes.vectors.parquet
      fastw2v sequences items.bin events.parquet --group-by session \\
        -o sessions.vectors.parquet
    """
    from fastw2v.config import ReadConfig
    from fastw2v.run.sequences import SequenceVectors
    from fastw2v.show.progress import Display
    from fastw2v.system.files import is_direct, require_writable
    from fastw2v.vectors.formats.parquet import write_sequences

    config = ReadConfig(**{option.field: options.pop(option.name) for option in READ_BY}, min_count=1)
    target = Path(output)
    if target.suffix.lower() != ".parquet" and not is_direct(target):
        raise UsageError(f"-o {output}: vectors of sequences are written as Parquet: name a .parquet file")
    require_vectors(vectors, options["file_format"])
    notes = check_places(source, inputs_of({"vectors": vectors}), named_output("-o", output))
    require_writable(target)
    with contextlib.closing(Display(sys.stderr, quiet=quiet)) as display:
        for note in notes:
            display.say(note)
        embeddings = load_vectors(vectors, **options, quiet=quiet)
        names = source if len(source) > 1 else source[0]
        found = SequenceVectors(embeddings, names, config, weighting, id_column)
        parts = found.read(lambda n_rows: display.update(f"read {n_rows:,} sequences"))
        write_sequences(target, parts, embeddings.dim, found.key)
        display.say(f"wrote {output}: {found.told()}")
