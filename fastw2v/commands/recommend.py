"""`fastw2v recommend`: what may come next in a basket of items, for one or for all of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import OF_CORPUS
from fastw2v.commands.effects import refuse_idle
from fastw2v.commands.kinds import READ, WRITE, AtLeast
from fastw2v.commands.options import declared, load_vectors, require_vectors, vectors_options, waiting
from fastw2v.commands.places import check_places, inputs_of, named_output
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.vectors.embeddings import Embeddings


@click.command(short_help="Print or write what may come next in baskets.")
@click.argument("vectors", type=READ)
@click.argument("items", nargs=-1)
@click.option("--outside", type=READ, metavar="FILE", help="Outside vectors, of train --save-outside.")
@click.option("-n", "--number", type=AtLeast(1), default=10, help="Items for each basket.")
@click.option("--baskets", metavar="CORPUS", help="Answer for each of its sequences, into -o.")
@click.option("--every-item", is_flag=True, help="Answer for each item alone, into -o.")
@click.option("-o", "--output", type=WRITE, metavar="FILE", help="Parquet file of the answers.")
@click.option("--titles", type=READ, metavar="FILE", help="Parquet or CSV with a title for each item.")
@click.option("--item-column", default="item", help="Column of the items in --titles.")
@click.option("--title-column", default="title", help="Column of the titles in --titles.")
@declared(*OF_CORPUS)
@vectors_options
def recommend(
    vectors: str,
    items: tuple[str, ...],
    outside: str | None,
    number: int,
    baskets: str | None,
    output: str | None,
    titles: str | None,
    **options: Any,
) -> None:
    """Print the items that may come next after ITEMS: item, score and title, separated by tabs.

    The score is u·q, q the mean of the centre vectors of ITEMS, as in training; without --outside it is the
    cosine. ITEMS themselves are left out. With --baskets or --every-item the answers of all baskets are
    written, as columns basket (the row's number, or the item; of --group-by its column), rank, item, score
    and title.

    \b
    Examples:
      fastw2v recommend items.bin --outside outside.bin bread butter
      fastw2v recommend items.bin bread --titles products.parquet \\
        --item-column id --title-column name
      fastw2v recommend items.bin --outside outside.bin \\
        --baskets sessions.parquet -o next.parquet -n 20
    """
    from fastw2v.vectors.embeddings import with_outside
    from fastw2v.vectors.recommend import recommend_one

    require_one_way(items, baskets, options.pop("every_item"), output)
    columns = [options.pop("item_column"), options.pop("title_column")]
    reading = {option.name: options.pop(option.name) for option in OF_CORPUS}
    if not baskets:
        refuse_idle([*reading], "without --baskets", "add --baskets CORPUS")
    if not titles:
        refuse_idle(["item_column", "title_column"], "without --titles", "add --titles FILE")
    require_vectors(vectors, options["file_format"])
    if outside:
        require_vectors(outside, None)
    if output:
        inputs = inputs_of({"vectors": vectors, "outside": outside, "titles": titles})
        for note in check_places([baskets] if baskets else [], inputs, named_output("-o", output)):
            click.echo(note, err=True)
    named = titles_of(titles, *columns) if titles else None
    embeddings = load_vectors(vectors, **options)
    if outside:
        embeddings = with_outside(embeddings, load_vectors(outside, **options | {"file_format": None}))
    if output:
        with waiting(f"writing {output}"):
            write(Path(output), embeddings, number, named, baskets, reading)
        return
    for item, score in recommend_one(embeddings, items, number):
        click.echo("\t".join([item, f"{score:.4f}", *([] if named is None else [named.get(item, "")])]))


def require_one_way(
    items: tuple[str, ...], baskets: str | None, every_item: bool, output: str | None
) -> None:
    """Raise UsageError unless there is one thing to answer for, and a place for many answers."""
    given = {"ITEMS": items, "--baskets": baskets, "--every-item": every_item}
    ways = [name for name, value in given.items() if value]
    if not ways:
        raise UsageError("nothing to go by: name items, or add --baskets CORPUS or --every-item")
    if len(ways) > 1:
        raise UsageError(f"{ways[0]} and {ways[1]} are two questions: give one of them")
    if items and output:
        raise UsageError(f"-o {output} is for --baskets and --every-item: answers to ITEMS are printed")
    if not items and not output:
        raise UsageError(f"{ways[0]} has an answer for each basket: add -o FILE.parquet")
    if output and Path(output).suffix != ".parquet":
        raise UsageError(f"-o {output}: answers are written as Parquet, name a .parquet file")


def titles_of(path: str, item_column: str, title_column: str) -> dict[str, str]:
    """Item to title, of a file."""
    from fastw2v.vectors.formats.answers import read_titles

    return read_titles(Path(path), item_column, title_column)


def write(
    path: Path,
    embeddings: Embeddings,
    n: int,
    titles: dict[str, str] | None,
    baskets: str | None,
    reading: dict[str, Any],
) -> None:
    """Write the answers for each sequence of a corpus, or for each item."""
    import numpy as np

    from fastw2v.config import ReadConfig
    from fastw2v.corpus.rows import open_rows
    from fastw2v.vectors.formats.answers import BASKET, ITEMS, NUMBERS, Names, as_names, write_answers
    from fastw2v.vectors.recommend import Ranked
    from fastw2v.vectors.recommend import recommend as ranked

    words = embeddings.words

    def named(baskets: Any, ids: Any, offsets: Any) -> Iterator[tuple[Any, Ranked]]:
        for part in ranked(embeddings, ids, offsets, n):
            yield baskets.slice(part.first, len(part.items)), part

    if baskets is None:
        every = named(as_names(words), np.arange(len(words)), np.arange(len(words) + 1))
        write_answers(path, every, Names(words, titles, BASKET, ITEMS))
        return
    opened = open_rows(baskets, words, ReadConfig(min_count=1, **reading))

    def answers() -> Iterator[tuple[Any, Ranked]]:
        first = 0
        for rows in opened.rows:
            last = first + len(rows.offsets) - 1
            called = as_names(np.arange(first, last)) if rows.keys is None else rows.keys
            yield from named(called, rows.ids.astype(np.int64), rows.offsets)
            first = last

    write_answers(path, answers(), Names(words, titles, opened.key or BASKET, opened.key_type or NUMBERS))
