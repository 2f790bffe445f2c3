"""`fastw2v vocab`: count the words of a corpus, or look at a vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.options import load_corpus, use_threads
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.vocabulary import Vocabulary


@click.command()
@click.argument("source", nargs=-1)
@click.option("-o", "--output", help="Write the vocabulary here, `word count` lines.")
@click.option("--read-vocab", metavar="FILE", help="Look at this vocabulary file instead of a corpus.")
@click.option("--column", help="Column of the corpus.  [default: found by type and name]")
@click.option("--min-count", type=int, default=1, help="Drop words that occur less often.")
@click.option("--max-vocab", type=int, help="Keep only this many of the most frequent words.")
@click.option("--threads", type=int, help="Workers.  [default: every usable core]")
@click.option("-n", "--number", type=int, default=10, help="Show this many of the most frequent words.")
@click.option("-q", "--quiet", is_flag=True, help="Only write the file.")
def vocab(source: tuple[str, ...], output: str | None, number: int, quiet: bool, **options: Any) -> None:
    """Count the words of SOURCE, or look at a vocabulary: sizes, coverage, Zipf's plot, frequent words.

    \b
    Examples:
      fastw2v vocab corpus.parquet
      fastw2v vocab shards/ --min-count 5 -o corpus.vocab.txt
      fastw2v vocab --read-vocab corpus.vocab.txt -n 50
    """
    from fastw2v.files import require_writable
    from fastw2v.progress import Display
    from fastw2v.vocabulary import read_vocabulary, write_vocabulary

    read_vocab = options.pop("read_vocab")
    if bool(source) == bool(read_vocab):
        raise UsageError("give either a SOURCE to count or --read-vocab FILE to look at")
    if output:
        require_writable(Path(output))
    if read_vocab:
        vocabulary = read_vocabulary(Path(read_vocab))
        n_tokens = int(vocabulary.counts.sum())
    else:
        config = TrainConfig(threads=options.pop("threads"))
        use_threads(config.threads)
        display = Display(sys.stderr, quiet=quiet, verbose=False)
        corpus = load_corpus(source, config, display, read_vocab=None, **options)
        display.close()
        vocabulary, n_tokens = corpus.vocabulary, corpus.n_words_read
    if output:
        write_vocabulary(Path(output), vocabulary)
    if not quiet:
        show_vocabulary(vocabulary, n_tokens, number)


def show_vocabulary(vocabulary: Vocabulary, n_tokens: int, number: int) -> None:
    """Coverage by minimum count, Zipf's plot and the most frequent words, on stdout."""
    from fastw2v.zipf import coverage, zipf_plot

    click.echo(f"{n_tokens:,} tokens, {len(vocabulary):,} words\n")
    click.echo("min-count       words          tokens  coverage")
    for row in coverage(vocabulary.counts, n_tokens):
        click.echo(f"{row.min_count:>9,}  {row.n_words:>10,}  {row.n_tokens:>14,}  {row.share:>8.2%}")
    click.echo("\n" + "\n".join(zipf_plot(vocabulary.counts)) + "\n")
    for word, count in zip(vocabulary.words[:number], vocabulary.counts[:number].tolist(), strict=True):
        click.echo(f"{word}\t{count}")
