"""`fastw2v map`: words in the plane, as a page or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.effects import refuse_idle
from fastw2v.commands.kinds import READ, WRITE, AtLeast
from fastw2v.commands.options import (
    load_vectors,
    open_samples,
    require_vectors,
    stability_option,
    vectors_options,
    waiting,
)
from fastw2v.commands.places import NamedFile, check_places, inputs_of
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.show.maps.projection import Method

KINDS = {".html": "html", ".png": "png", ".svg": "svg"}
METHODS = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP"}


@click.command("map", short_help="Draw the most frequent words in the plane.")
@click.argument("vectors", type=READ)
@click.option("-o", "--output", type=WRITE, required=True, help="Page (.html) or picture (.png, .svg).")
@click.option("-n", "--number", type=AtLeast(1), default=1000, help="Most frequent words to show.")
@click.option(
    "--method",
    type=click.Choice(tuple(METHODS)),
    default="pca",
    help="How to lay them out; tsne needs scikit-learn, umap umap-learn.",
)
@click.option("--seed", type=int, default=1, help="Seed of t-SNE and UMAP.")
@stability_option
@vectors_options
def draw_map(
    vectors: str,
    output: str,
    number: int,
    method: Method,
    seed: int,
    stability: str | None,
    **options: Any,
) -> None:
    """Lay out the most frequent words of VECTORS in the plane, near ones near each other.

    A page needs no other file and no network: point at a word for its neighbours, search, zoom, move. With
    --stability it says of each neighbour the interval of its cosine and in how many samples it is one.

    \b
    Examples:
      fastw2v map corpus.vectors.txt -o map.html
      fastw2v map corpus.vectors.txt -o map.png -n 300 --method tsne
    """
    from fastw2v.show.maps.page import write_page
    from fastw2v.show.maps.picture import write_picture
    from fastw2v.show.maps.projection import lay_out
    from fastw2v.system.files import require_writable

    path = Path(output)
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{output}: the suffix {path.suffix!r} names no kind of map; use {', '.join(KINDS)}")
    if method == "pca":
        refuse_idle(["seed"], "with --method pca", "add --method tsne or umap")
    if kind != "html":
        refuse_idle(["stability"], f"in a picture ({path.suffix})", "write a page (.html)")
    check_places((), inputs_of({"vectors": vectors}), [NamedFile("-o", path)])
    require_vectors(vectors, options["file_format"])
    require_writable(path)
    title, samples = Path(vectors).name, open_samples(stability)
    embeddings = load_vectors(vectors, **options)
    with waiting(f"laying out {title}") as shown:
        word_map = lay_out(embeddings, number, method, seed, samples=samples, on_progress=shown.tell)
        shown.tell(f"writing {output}")
        if kind == "html":
            caption = f"The {len(word_map.words):,} most frequent words, by {METHODS[method]}"
            write_page(path, word_map, title, caption)
        else:
            write_picture(path, word_map, title, kind)
    click.echo(f"wrote a map of {len(word_map.words):,} words to {output}", err=True)
