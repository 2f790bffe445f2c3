"""What several commands share: options made of the configuration's defaults, reading a corpus."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import FORMATS, READING, Option
from fastw2v.commands.kinds import READ, WRITE, OrAuto
from fastw2v.config import ReadConfig
from fastw2v.errors import CorpusError, UsageError

if TYPE_CHECKING:
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.read import Corpus
    from fastw2v.corpus.vocabulary import Vocabulary
    from fastw2v.show.progress import Display, Waiting
    from fastw2v.vectors.embeddings import Embeddings
    from fastw2v.vectors.stability import Stability


class DeclaredOption(click.Option):
    """What click makes of a declared option, which it knows."""

    def __init__(self, *arguments: Any, declared: Option, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.declared = declared


def click_option(option: Option, **more: Any) -> Callable[..., Any]:
    """What click makes of a declared option; more replaces what is declared."""
    settings: dict[str, Any] = {"cls": DeclaredOption, "declared": option}
    settings |= {"default": option.default, "metavar": option.metavar, "help": option.help}
    if option.shown:
        settings |= {"help": f"{option.help}  [default: {option.shown}]", "show_default": False}
    if option.alone is not None:
        settings |= {"is_flag": False, "flag_value": option.alone}
    if option.is_multiple:
        settings |= {"multiple": True, "default": ()}
    if option.choices:
        settings["type"] = click.Choice(option.choices)
    elif option.kind is bool:
        settings["is_flag"] = True
    elif option.auto:
        settings["type"] = OrAuto(option.kind)
    elif option.file:
        settings["type"] = READ if option.file == "read" else WRITE
    else:
        settings["type"] = option.kind
    if not any(flag.startswith(f"--{option.name.replace('_', '-')}") for flag in option.flags):
        settings["envvar"] = f"FASTW2V_TRAIN_{option.flags[0].removeprefix('--').upper()}"
    return click.option(*option.flags, **settings | more)


def declared(*options: Option) -> Callable[..., Any]:
    """A decorator that gives a command these options, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = click_option(option)(command)
        return command

    return decorate


def default_output(source: Sequence[str]) -> str:
    """NAME.vectors.txt in the working folder, NAME from the first source: corpus.parquet, shards/, logs-*."""
    first = source[0].partition("?")[0] if "://" in source[0] else source[0]
    name = Path(first).name or Path(first).resolve().name
    if re.fullmatch(r"-|/dev/stdin|/dev/fd/\d+|/proc/self/fd/\d+", first):
        name = ""
    name = re.sub(r"\.(gz|bz2|zst|lz4|xz)$", "", name)
    name = re.sub(r"\.(parquet|txt|csv|tsv|fa|fasta|fna|ffn|faa|frn|fas)$", "", name)
    name = re.sub(r"[*?\[\]]+", "", name).strip("-_. ")
    return f"{name or 'corpus'}.vectors.txt"


def vectors_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that read vectors to answer from them; the arguments of `load_vectors`."""
    choice = click.Choice(FORMATS)
    options = [
        click.option("--format", "file_format", type=choice, help="The file's format.  [default: by suffix]"),
        click.option("--escape", is_flag=True, help="The file's tokens were written with --escape."),
        click.option("--no-cache", is_flag=True, help="Read the file itself, and keep no copy to be quick."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def waiting(what: str, quiet: bool = False) -> Waiting:
    """Shows what goes on, on stderr, in a block that takes more than two seconds."""
    from fastw2v.show.progress import Display, Waiting

    return Waiting(Display(sys.stderr, quiet=quiet), what)


def load_vectors(
    path: str, file_format: str | None, escape: bool, no_cache: bool, quiet: bool = False
) -> Embeddings:
    """Vectors to answer from: out of the user's cache, or read and put there."""
    from fastw2v.vectors import cache, formats

    told: list[str] = []  # said at the end, as a live line is in the way before
    with waiting(f"reading {path}", quiet):
        if no_cache:
            return formats.load(Path(path), format=file_format, unescape=escape, errors="replace")
        found = cache.open_vectors(
            Path(path),
            cache.default_folder(),
            format=file_format,
            unescape=escape,
            on_kept=told.append,
        )
    for message in told:
        click.echo(f"{path}: {message}", err=True)
    return found


def stability_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of commands that show how sure neighbours are; the argument of `open_samples`."""
    text = "Samples of the corpus, of fastw2v stability: show how sure neighbours are."
    return click.option("--stability", type=READ, metavar="DIR", help=text)(command)


def open_samples(path: str | None) -> Stability | None:
    """The samples in a folder, where one is named. Raises UsageError and CorpusError."""
    from fastw2v.vectors.stability import Stability

    return None if path is None else Stability(path)


def require_vectors(path: str, file_format: str | None) -> None:
    """Raise UsageError for vectors of no known format, CorpusError for some that are not there."""
    from fastw2v.vectors.formats import detect_format

    detect_format(Path(path), file_format)
    if not Path(path).exists():
        raise CorpusError(f"{path}: cannot be read (No such file or directory); check the path")


def corpus_options(min_count: int) -> Callable[..., Any]:
    """The options that say what to read; min_count is the command's default."""
    of_reading = (
        replace(option, default=min_count) if option.name == "min_count" else option for option in READING
    )
    return declared(*of_reading)


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
    from fastw2v.run.request import memory_of

    return memory_of(options.pop("memory_limit"), options.pop("cache_dir"))


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
    from fastw2v.show.progress import phrases_shown, reading_shown
    from fastw2v.system.machine import usable_cores

    started = time.perf_counter()
    corpus = read_corpus(
        source if len(source) > 1 else source[0],
        vocabulary=vocabulary,
        threads=threads or usable_cores(),
        memory=memory or Memory(),
        on_progress=reading_shown(display),
        on_pass=phrases_shown(display),
        **vars(config),
    )
    n_tokens = len(corpus.ids) or int(corpus.vocabulary.counts.sum())  # no ids where words are counted only
    say_read(corpus, n_tokens, time.perf_counter() - started, display)
    return corpus


def say_read(corpus: Corpus, n_tokens: int, seconds: float, display: Display) -> None:
    """What was read, of it n_tokens in the vocabulary, and how long it took."""
    from fastw2v.show.progress import significant

    for note in corpus.notes:
        display.say(note)
    if corpus.outside_vocabulary:
        display.say(
            f"read {corpus.n_rows:,} pairs in {seconds:.1f} s; vocabularies {len(corpus.vocabulary):,} "
            f"centre words and {len(corpus.outside_vocabulary):,} outside words, {n_tokens:,} pairs in them"
        )
        return
    if corpus.source:
        display.say(
            f"read {corpus.n_rows:,} edges of {len(corpus.vocabulary):,} nodes in {seconds:.1f} s, "
            f"{corpus.source.nbytes / 1e6:,.1f} MB; an epoch is {n_tokens:,} steps of walks"
        )
        return
    rate = significant(corpus.n_words_read / max(seconds, 1e-9))
    display.say(
        f"read {corpus.n_words_read:,} words in {corpus.n_rows:,} rows in {seconds:.1f} s ({rate} words/s); "
        f"vocabulary {len(corpus.vocabulary):,} words, {n_tokens:,} tokens in it"
    )
    if corpus.n_null:
        display.say(f"skipped {corpus.n_null:,} nulls")
