"""What several commands share: options made of the configuration's defaults, reading a corpus."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import fields as fields_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from fastw2v.config import Backend, Combine, Ids, Kernel, Loss, Matrix, Precision, ReadConfig, TrainConfig
from fastw2v.errors import CorpusError, UsageError

if TYPE_CHECKING:
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.read import Corpus
    from fastw2v.corpus.vocabulary import Vocabulary
    from fastw2v.show.progress import Display
    from fastw2v.vectors.embeddings import Embeddings

DEFAULTS = TrainConfig()
FORMATS = ("text", "binary", "npy", "parquet", "safetensors", "tsv")
VECTORS = ("center", "outside", "sum", "concatenated")


def config_option(*flags: str, text: str, **settings: Any) -> Callable[..., Any]:
    """An option for the field of TrainConfig that its first long flag names, with that field's default."""
    name = next(flag for flag in flags if flag.startswith("--")).split("/")[0]
    default = getattr(DEFAULTS, name.removeprefix("--").replace("-", "_"))
    settings.setdefault("type", None if isinstance(default, bool) else type(default))
    return click.option(*flags, default=default, help=text, **settings)


def decorated(command: Callable[..., Any], options: list[Callable[..., Any]]) -> Callable[..., Any]:
    """The command with options, in the order in which its help shows them."""
    for option in reversed(options):
        command = option(command)
    return command


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that become a TrainConfig, with its defaults."""
    kinds = (Backend, Kernel, Precision, Loss)
    backends, kernels, precisions, losses = (click.Choice(get_args(kind)) for kind in kinds)
    options = [
        config_option("--dim", text="Length of a vector."),
        config_option("--window", text="Largest window radius, in tokens."),
        config_option("-k", "--negatives", text="Noise words for each pair."),
        config_option("--epochs", text="Passes over the corpus."),
        config_option("--lr", "--alpha", "lr", text="Step size at the start."),
        click.option("--min-lr", type=float, help="Floor of the step size.  [default: lr/10000]"),
        config_option("--sample", text="Subsampling of frequent words; 0 is off."),
        config_option("--ns-exponent", text="Noise ∝ count^exponent, any real."),
        config_option(
            "--dynamic-window/--fixed-window", text="Draw each radius from 1..window, or always use window."
        ),
        click.option("--threads", type=int, help="Threads that work at once.  [default: every usable core]"),
        config_option("--seed", text="Seed of the initial vectors and all draws."),
        config_option("--shuffle", is_flag=True, text="Take the sentences in another order each epoch."),
        config_option(
            "--deterministic", is_flag=True, text="The same vectors for any number of threads; slower."
        ),
        config_option("--backend", type=backends, text="Compiled kernels, or NumPy: slow, one thread."),
        config_option(
            "--kernel", type=kernels, text="Weighted noise that centres share (fast), or the textbook."
        ),
        config_option("--block-size", text="Centres that share noise (kernel block)."),
        config_option("--shared-negatives", text="Noise words that a block shares (kernel block)."),
        config_option("--precision", type=precisions, text="Numbers of products with noise (kernel block)."),
        config_option("--holdout", text="Share of sentences to keep out and judge by; 0 is off."),
        config_option("--eval-every", text="Judge after so many epochs, such as 0.5."),
        click.option("--patience", type=int, help="Stop after so many judgements that are no better."),
        click.option(
            "--freeze", type=click.Choice(get_args(Matrix)), help="Leave these vectors as they start."
        ),
        config_option("--loss", type=losses, text="What is minimised; softmax needs backend reference."),
        click.option(
            "--sync-words",
            type=int,
            help="Words that several processes train between two combinations; 0 adapts it to the network."
            "  [default: 262144 a thread]",
        ),
        click.option(
            "--combine",
            type=click.Choice(get_args(Combine)),
            default="adasum",
            help="How steps of several processes on one row are combined.",
        ),
        click.option("--overlap", is_flag=True, help="Combine processes while the next step is trained."),
    ]
    return decorated(command, options)


def default_output(source: Sequence[str]) -> str:
    """NAME.vectors.txt in the working folder, NAME from the first source: corpus.parquet, shards/, logs-*."""
    first = source[0].partition("?")[0] if "://" in source[0] else source[0]
    name = Path(first).name or Path(first).resolve().name
    name = re.sub(r"\.(parquet|txt(\.\w+)?)$", "", name)
    name = re.sub(r"[*?\[\]]+", "", name).strip("-_. ")
    return f"{name or 'corpus'}.vectors.txt"


def form_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is written for a word: arguments of formats.save."""
    options = [
        click.option(
            "--vectors",
            type=click.Choice(VECTORS),
            default="center",
            help="Which vectors of a word to write.",
        ),
        click.option("--normalize", is_flag=True, help="Scale each vector to length 1."),
        click.option("--float16", is_flag=True, help="Numbers of 16 bits (npy, parquet, safetensors)."),
    ]
    return decorated(command, options)


def vectors_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that read vectors to answer from them; the arguments of `load_vectors`."""
    choice = click.Choice(FORMATS)
    options = [
        click.option("--format", "file_format", type=choice, help="The file's format.  [default: by suffix]"),
        click.option("--escape", is_flag=True, help="The file's tokens were written with --escape."),
        click.option("--no-cache", is_flag=True, help="Read the file itself, and keep no copy to be quick."),
    ]
    return decorated(command, options)


def load_vectors(path: str, file_format: str | None, escape: bool, no_cache: bool) -> Embeddings:
    """Vectors to answer from: out of the user's cache, or read and put there."""
    from fastw2v.vectors import cache, formats

    if no_cache:
        return formats.load(Path(path), format=file_format, unescape=escape)
    return cache.open_vectors(
        Path(path),
        cache.default_folder(),
        format=file_format,
        unescape=escape,
        on_kept=lambda message: click.echo(f"{path}: {message}", err=True),
    )


def require_vectors(path: str, file_format: str | None) -> None:
    """Raise UsageError for vectors of no known format, CorpusError for some that are not there."""
    from fastw2v.vectors.formats import detect_format

    detect_format(Path(path), file_format)
    if not Path(path).exists():
        raise CorpusError(f"{path}: cannot be read (No such file or directory); check the path")


def corpus_options(min_count: int) -> Callable[..., Any]:
    """The options that say what to read; min_count is the command's default."""
    options = [
        click.option("--read-vocab", metavar="FILE", multiple=True, help="Use these words and counts."),
        click.option("--column", help="Column of the corpus.  [default: found by type and name]"),
        click.option(
            "--group-by", metavar="NAME", help="Make a sentence of the rows equal here, an item each."
        ),
        click.option("--order-by", metavar="NAME", help="Order of a group's rows.  [default: as they come]"),
        click.option(
            "--ids",
            type=click.Choice(get_args(Ids)),
            help="Integers are words, or places in --read-vocab.",
        ),
        click.option("--lowercase", is_flag=True, help="Put words in lower case."),
        click.option("--keep-list", metavar="FILE", help="Only these words, one a line."),
        click.option("--stop-list", metavar="FILE", help="Not these words, one a line."),
        click.option("--min-count", type=int, default=min_count, help="Drop words that occur less often."),
        click.option("--max-vocab", type=int, help="Keep only this many of the most frequent words."),
        click.option(
            "--memory-limit",
            metavar="SIZE",
            help="Memory beside the matrices, like 2GB; the rest is in files.  [default: half of the free]",
        ),
        click.option("--cache-dir", metavar="DIR", help="Keep the encoded corpus here for the next run."),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def take_corpus_options(options: dict[str, Any]) -> tuple[ReadConfig, tuple[str, ...]]:
    """Move out of a command's options what `corpus_options` added: how to read, and the vocabulary files."""
    from fastw2v.corpus.vocabulary import read_words

    keep, stop, read_vocab = (options.pop(name) for name in ("keep_list", "stop_list", "read_vocab"))
    fields = {field.name: options.pop(field.name) for field in fields_of(ReadConfig) if field.name in options}
    config = ReadConfig(
        **fields,
        keep_words=read_words(keep) if keep else None,
        stop_words=read_words(stop) if stop else frozenset(),
    )
    if len(read_vocab) > 1 and config.ids == "places":
        raise UsageError(f"--ids places needs one --read-vocab, not {len(read_vocab)}: merge them first")
    return config, read_vocab


def take_memory(options: dict[str, Any]) -> Memory:
    """Move the options on memory out of a command's options."""
    from fastw2v.corpus.ids.memory import Memory, parse_size

    limit, folder = options.pop("memory_limit"), options.pop("cache_dir")
    return Memory(parse_size(limit) if limit else None, Path(folder) if folder else None)


def read_vocabularies(paths: Sequence[str]) -> Vocabulary:
    """The sum of vocabulary files in the order of their lines, which is that of places."""
    import numpy as np

    from fastw2v.corpus.vocabulary import Vocabulary, read_counts

    counts = read_counts(paths)
    return Vocabulary(list(counts), np.array(list(counts.values()), np.int64), is_sum=len(paths) > 1)


def load_corpus(
    source: Sequence[str],
    config: ReadConfig,
    display: Display,
    threads: int | None,
    vocabulary: Vocabulary | None = None,
    memory: Memory | None = None,
) -> Corpus:
    """Read and encode the corpus, telling the user how far it is."""
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.read import read_corpus
    from fastw2v.show.progress import reading_shown
    from fastw2v.system.machine import usable_cores

    started = time.perf_counter()
    corpus = read_corpus(
        source if len(source) > 1 else source[0],
        vocabulary=vocabulary,
        threads=threads or usable_cores(),
        memory=memory or Memory(),
        on_progress=reading_shown(display),
        **vars(config),
    )
    say_read(corpus, len(corpus.ids), time.perf_counter() - started, display)
    return corpus


def say_read(corpus: Corpus, n_tokens: int, seconds: float, display: Display) -> None:
    """What was read, of it n_tokens in the vocabulary, and how long it took."""
    from fastw2v.show.progress import significant

    for note in corpus.notes:
        display.say(note)
    rate = significant(corpus.n_words_read / max(seconds, 1e-9))
    display.say(
        f"read {corpus.n_words_read:,} words in {corpus.n_rows:,} rows in {seconds:.1f} s ({rate} words/s); "
        f"vocabulary {len(corpus.vocabulary):,} words, {n_tokens:,} tokens in it"
    )
    if corpus.n_null:
        display.say(f"skipped {corpus.n_null:,} nulls")
