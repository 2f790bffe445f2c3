"""`fastw2v export`: vectors from one format to another, as they are or changed on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import FORM, FORMATS
from fastw2v.commands.effects import refuse_idle
from fastw2v.commands.kinds import READ, WRITE, AtLeast
from fastw2v.commands.options import declared, require_vectors, waiting
from fastw2v.commands.places import (
    at_standard_output,
    check_places,
    inputs_of,
    named_output,
    reader_may_leave,
    vectors_output,
)
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.vectors.embeddings import Embeddings
    from fastw2v.vectors.formats import Format


@click.command()
@click.argument("source", type=READ)
@click.argument("target", type=WRITE)
@click.option(
    "--from", "source_format", type=click.Choice(FORMATS), help="SOURCE's format.  [default: by suffix]"
)
@click.option(
    "--to", "target_format", type=click.Choice(FORMATS), help="TARGET's format.  [default: by suffix]"
)
@click.option("--escape", is_flag=True, help="Tokens of both files are escaped with backslashes.")
@click.option("--outside", type=READ, metavar="FILE", help="The outside vectors, from train --save-outside.")
@click.option("--read-vocab", type=READ, metavar="FILE", help="Counts of the words, from train --save-vocab.")
@click.option("--words", type=READ, metavar="FILE", help="Only the vectors of these words, one a line.")
@click.option("--top", type=AtLeast(1), help="Only the first so many words, which are the most frequent.")
@click.option(
    "--pq-bytes",
    type=AtLeast(1),
    help="Bytes of a word in format pq; they cut dim in equal parts.  [default: dim/4 or less]",
)
@declared(*FORM)
def export(
    source: str,
    target: str,
    source_format: str | None,
    target_format: str | None,
    escape: bool,
    outside: str | None,
    read_vocab: str | None,
    words: str | None,
    **options: Any,
) -> None:
    """Convert vectors from SOURCE to TARGET.

    \b
    .txt .vec     word2vec text
    .bin          word2vec binary
    .fasttext     fastText's .bin, of vectors with n-grams
    .npy          NumPy, with NAME.vocab.txt
    .int8.npy     the same in 8 bits a number, with NAME.int8.scales.npy
    .faiss        an index of faiss, some bytes a word (pq), with NAME.vocab.txt
    .parquet      columns word, count, vector
    .safetensors  FOLDER/model.safetensors, of model2vec, sentence-transformers
    .tsv          TensorBoard's projector, with NAME.metadata.tsv

    \b
    Examples:
      fastw2v export corpus.vectors.txt corpus.vectors.bin
      fastw2v export corpus.vectors.bin corpus.parquet \\
        --read-vocab corpus.vocab.txt
      fastw2v export v.bin sum.bin --outside u.bin --vectors sum --normalize
      fastw2v export v.fasttext queries.npy --words queries.txt
      fastw2v export v.bin phone.int8.npy --top 50000
    """
    from fastw2v.system.files import require_writable
    from fastw2v.vectors import formats
    from fastw2v.vectors.components import require_components
    from fastw2v.vectors.embeddings import only_words

    top, form = options.pop("top"), options
    if target == "-":
        target_format = target_format or "text"
        target = at_standard_output("TARGET", target, target_format) or ""
    named = named_output("TARGET", target)
    if form["vectors"] == "center":
        refuse_idle(["outside"], "with --vectors center", "add --vectors outside, sum or concatenated")
    require_format(source, source_format, "--from")
    require_format(target, target_format, "--to")
    target_format = formats.detect_format(Path(target), target_format)
    require_able(target_format, form, has_counts=bool(read_vocab))
    chosen = listed(words, target_format) if words else None
    inputs = inputs_of({"source": source, "outside": outside, "read_vocab": read_vocab, "words": words})
    outputs = [place for one in named for place in vectors_output(one, target_format)]
    check_places((), inputs, outputs)
    for place in outputs:
        require_writable(place.path)
    require_vectors(source, source_format)
    require_components(form["remove_components"], 1 << 31)  # of what dim is known when they are read
    if outside:
        require_vectors(outside, None)
    reading: dict[str, Any] = {"unescape": escape, "errors": "replace", "limit": top}
    embeddings = read(source, source_format, outside, reading)
    if chosen:
        embeddings = only_words(embeddings, chosen, unseen=form["vectors"] == "center")
    if read_vocab:
        embeddings = formats.with_counts(embeddings, Path(read_vocab), escape=escape)
    with reader_may_leave(Path(target)), waiting(f"writing {target}"):
        formats.save(Path(target), embeddings, format=target_format, escape=escape, **form)
    click.echo(f"wrote {len(embeddings):,} vectors to {target}", err=True)
    say_left_out(embeddings, target_format)


def read(source: str, source_format: str | None, outside: str | None, options: dict[str, Any]) -> Embeddings:
    """The vectors of a file, with those of another one as their outside vectors if it is given.

    options  of `formats.load`
    """
    from fastw2v.vectors import formats
    from fastw2v.vectors.embeddings import with_outside

    with waiting(f"reading {source}"):
        embeddings = formats.load(Path(source), format=source_format, **options)
        if outside:
            embeddings = with_outside(embeddings, formats.load(Path(outside), **options))
        return embeddings


def require_able(target_format: Format, form: dict[str, Any], *, has_counts: bool) -> None:
    """Raise UsageError for what is asked of a format that it cannot hold."""
    from fastw2v.vectors import formats

    if form["float16"]:
        formats.require_halves(target_format)
    if has_counts:
        formats.require_counts(target_format)
    if form["pq_bytes"]:
        formats.require_pq_bytes(target_format, form["pq_bytes"])


def listed(path: str, target_format: str) -> list[str]:
    """The words of --words; raises UsageError for a format that holds them all, CorpusError for no list."""
    from fastw2v.corpus.vocabulary import listed_words

    if target_format == "fasttext":
        raise UsageError("--words does nothing with format fasttext, which holds all n-grams: leave it out")
    refuse_idle(["top"], "with --words, which says which words there are", "leave --words out")
    return listed_words(path)


def say_left_out(embeddings: Embeddings, target_format: Format) -> None:
    """Tell what the format leaves out of the vectors."""
    from fastw2v.vectors import formats

    has_ngrams = embeddings.made_of is not None
    lines = formats.counts_line(embeddings, target_format), formats.ngrams_line(has_ngrams, target_format)
    for line in filter(None, lines):
        click.echo(line, err=True)


def require_format(path: str, file_format: str | None, flag: str) -> None:
    """Raise UsageError for a file whose format neither its suffix nor the option names."""
    from fastw2v.vectors.formats import SUFFIXES, by_name

    if file_format is None and by_name(Path(path)) is None:
        raise UsageError(
            f"{path}: the suffix {Path(path).suffix.lower()!r} names no format; use {', '.join(SUFFIXES)} "
            f"or give {flag}"
        )
