"""`fastw2v vocab`: count the words of a corpus, or look at a vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import BY_NAME, OF_KMERS, OF_TEXT
from fastw2v.commands.effects import refuse_idle
from fastw2v.commands.kinds import WRITE, AtLeast
from fastw2v.commands.options import (
    corpus_options,
    declared,
    load_corpus,
    take_corpus_options,
    take_memory,
)
from fastw2v.commands.places import check_places, inputs_of, named_output
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.vocabulary import Vocabulary


OF_A_CORPUS = (
    *("column", "group_by", "order_by", "ids", "weight", "global_context"),
    *("memory_limit", "cache_dir", "threads", "phrases"),
    *(option.name for option in (*OF_TEXT, *OF_KMERS)),
)


@click.command(short_help="Count the words of a corpus, or look at a vocabulary.")
@click.argument("source", nargs=-1)
@click.option("-o", "--output", type=WRITE, help="Write the vocabulary here, `word count` lines.")
@click.option("--picture", type=WRITE, metavar="FILE", help="Draw Zipf's plot here: .png, .svg or .pdf.")
@corpus_options(min_count=1)
@declared(BY_NAME["threads"])
@click.option(
    "-n", "--number", type=AtLeast(0), default=10, help="Show this many of the most frequent words."
)
@click.option(
    "-q", "--quiet", is_flag=True, help="Print nothing: write the files, or only see that SOURCE is read."
)
def vocab(
    source: tuple[str, ...],
    output: str | None,
    picture: str | None,
    threads: int | None,
    number: int,
    quiet: bool,
    **options: Any,
) -> None:
    """Count the words of SOURCE, or look at vocabularies: sizes, coverage, Zipf's plot, frequent words.

    \b
    Examples:
      fastw2v vocab corpus.parquet
      fastw2v vocab shards/ --min-count 5 -o corpus.vocab.txt
      fastw2v vocab --read-vocab corpus.vocab.txt -n 50 --picture zipf.png
      fastw2v vocab --read-vocab a.vocab.txt --read-vocab b.vocab.txt \\
        -o both.vocab.txt
    """
    from fastw2v.corpus.vocabulary import write_vocabulary
    from fastw2v.show.pictures import require_picture, save_zipf
    from fastw2v.system.files import require_writable

    if read_vocab := options["read_vocab"]:
        refuse_idle(OF_A_CORPUS, "with --read-vocab, which holds counts", "give a SOURCE to count instead")
    if quiet:
        refuse_idle(["number"], "with --quiet", "leave out --quiet")
    outputs = named_output("-o", output) + named_output("--picture", picture, streams=False)
    named_output("--cache-dir", options["cache_dir"], streams=False)
    for note in check_places(source, inputs_of(options), outputs):
        if not quiet:
            click.echo(note, err=True)
    if bool(source) == bool(read_vocab):
        raise UsageError("give either a SOURCE to count or --read-vocab FILE to look at")
    config, read_vocab = take_corpus_options(options)
    memory = take_memory(options)
    if output:
        require_writable(Path(output))
    if picture:
        require_picture(Path(picture))
    if source:
        vocabulary, n_tokens = count_words(source, config, threads, quiet, memory)
    else:
        vocabulary, n_tokens = choose_words(read_vocab, config)
    if output:
        write_vocabulary(Path(output), vocabulary)
    if picture:
        save_zipf(Path(picture), vocabulary.counts)
    if not quiet:
        show_vocabulary(vocabulary, n_tokens, number)


def count_words(
    source: tuple[str, ...], config: ReadConfig, threads: int | None, quiet: bool, memory: Memory
) -> tuple[Vocabulary, int]:
    """The vocabulary of a corpus and its tokens."""
    from fastw2v.show.progress import Display

    TrainConfig(threads=threads)  # refuses a number that is none
    of_rows = config.phrases or config.weight or config.global_context
    memory = memory._replace(keeps_ids=bool(memory.cache_dir or of_rows))
    display = Display(sys.stderr, quiet=quiet, verbose=False)
    try:
        corpus = load_corpus(source, config, display, threads, memory=memory)
    finally:
        display.close()  # so that an error gets a line of its own
    return corpus.vocabulary, corpus.n_words_read


def choose_words(read_vocab: tuple[str, ...], config: ReadConfig) -> tuple[Vocabulary, int]:
    """The words of vocabulary files that may stay, with the sums of their counts; and the tokens of all."""
    from fastw2v.corpus.words.candidates import choose
    from fastw2v.run.request import read_vocabularies

    given = read_vocabularies(read_vocab)
    vocabulary, _ = choose(given, config, config.min_count, config.max_vocab)
    return vocabulary, int(given.counts.sum())


def show_vocabulary(vocabulary: Vocabulary, n_tokens: int, number: int) -> None:
    """Coverage by minimum count, Zipf's plot and the most frequent words, on stdout."""
    from fastw2v.show.zipf import coverage, zipf_plot

    click.echo(f"{n_tokens:,} tokens, {len(vocabulary):,} words\n")
    click.echo("min-count       words          tokens  coverage")
    for row in coverage(vocabulary.counts, n_tokens):
        click.echo(f"{row.min_count:>9,}  {row.n_words:>10,}  {row.n_tokens:>14,}  {row.share:>8.2%}")
    click.echo("\n" + "\n".join(zipf_plot(vocabulary.counts)) + "\n")
    for word, count in zip(vocabulary.words[:number], vocabulary.counts[:number].tolist(), strict=True):
        click.echo(f"{word}\t{count}")
