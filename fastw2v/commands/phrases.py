"""`fastw2v phrases`: words that belong together, joined in a corpus."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import BY_NAME, OF_KMERS, OF_TEXT, Option
from fastw2v.commands.options import declared, take_corpus_options, take_memory
from fastw2v.commands.places import (
    NamedFile,
    check_places,
    covered,
    inputs_of,
    is_inside,
    local_paths,
    named_output,
)
from fastw2v.commands.train.sections import Sectioned
from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.errors import UsageError
from fastw2v.options.phrases import SHORT, short_names, with_long_names

if TYPE_CHECKING:
    from fastw2v.corpus.ids.memory import Memory
    from fastw2v.corpus.phrases.result import Phrases
    from fastw2v.show.progress import Display

OUTPUT = (
    Option(("-o", "--output"), "Frequent", "Sentences, a Parquet file of lists of tokens.", file="write"),
    Option(
        ("--save-phrases",),
        "Output",
        "Write the phrases: phrase, count, score, parted by tabs.",
        metavar="FILE",
        file="write",
    ),
)
FINDING = tuple(
    replace(BY_NAME[name], flags=(f"--{short.replace('_', '-')}",), alone=None)
    for name, short in SHORT.items()
)
PASSES = replace(FINDING[0], default=1, help="Passes: with 2, phrases of phrases.")
READING = (
    *(BY_NAME[name] for name in ("column", "group_by", "order_by", "lowercase", "keep_list", "stop_list")),
    *OF_TEXT,
    *OF_KMERS,
)


@click.command(cls=Sectioned, short_help="Join words that belong together, as new_york.")
@click.argument("source", nargs=-1)
@declared(*OUTPUT, PASSES, *FINDING[1:], *READING)
@declared(*(BY_NAME[name] for name in ("threads", "memory_limit", "cache_dir", "quiet")))
def phrases(
    source: tuple[str, ...],
    output: str | None,
    save_phrases: str | None,
    threads: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Join words of SOURCE that stand together more often than by chance, as new_york.

    The output is a corpus for `fastw2v train`; `fastw2v train --phrases` does both in one go.

    \b
    Examples:
      fastw2v phrases corpus.parquet -o joined.parquet
      fastw2v phrases corpus.parquet -o joined.parquet --passes 2 \\
        --connector-words english
      fastw2v phrases corpus.parquet --scoring npmi --threshold 0.6 \\
        --save-phrases phrases.txt
      fastw2v phrases shards/ -o joined.parquet --memory-limit 2GB
    """
    from fastw2v.show.progress import Display
    from fastw2v.system.files import is_direct, require_writable

    if not source:
        raise UsageError("no corpus given: name a Parquet file, a folder or a pattern")
    outputs = named_output("-o", output) + named_output("--save-phrases", save_phrases)
    if not outputs:
        raise UsageError("nothing to write: give -o FILE.parquet, or --save-phrases FILE")
    if output and Path(output).suffix.lower() != ".parquet" and not is_direct(Path(output)):
        raise UsageError(f"-o {output}: sentences are written as Parquet: give a name that ends in .parquet")
    named_output("--cache-dir", options["cache_dir"], streams=False)
    notes = check_places(source, inputs_of(options), outputs)
    for place in named_output("-o", output):
        require_apart(source, place)
    TrainConfig(threads=threads)  # refuses a number that is none
    memory = take_memory(options)
    named = with_long_names({short: options.pop(short) for short in SHORT.values()})
    with short_names():
        config, _ = take_corpus_options(options | named | {"read_vocab": ()})
    for place in outputs:
        require_writable(place.path)
    with contextlib.closing(Display(sys.stderr, quiet=quiet)) as display:
        for note in notes:
            display.say(note)
        found = find(source, config, threads, memory, display)
        write(found, output, save_phrases, display)


def find(
    source: tuple[str, ...], config: ReadConfig, threads: int | None, memory: Memory, display: Display
) -> Phrases:
    """Read and join, telling how far it is."""
    from fastw2v.corpus.phrases.result import read_phrases
    from fastw2v.show.progress import phrases_shown, reading_shown
    from fastw2v.system.machine import usable_cores

    with short_names():
        found = read_phrases(
            source if len(source) > 1 else source[0],
            config,
            threads=threads or usable_cores(),
            memory=memory,
            on_progress=reading_shown(display),
            on_pass=phrases_shown(display),
        )
    for note in found.notes:
        display.say(note)
    return found


def write(found: Phrases, output: str | None, save_phrases: str | None, display: Display) -> None:
    """Write what was asked for; the list first, which may hold what cannot be written."""
    if save_phrases:
        found.save_list(save_phrases)
        display.say(f"wrote {len(found.found):,} phrases to {save_phrases}")
    if output:
        found.save(output, lambda share: display.update(f"writing {output} {share:6.1%}"))
        display.say(f"wrote {len(found):,} sentences to {output}")


def require_apart(source: Sequence[str], output: NamedFile) -> None:
    """Raise UsageError where a folder or pattern of the corpus covers the output: it would be read as text.

    By who trains on the folder then, and by the next run of this command.
    """
    path = os.path.realpath(output.path)
    patterns = [name for name in map(str, local_paths(source)) if set(name) & set("*?[")]
    of_pattern = [name for name in patterns if fnmatch.fnmatch(path, os.path.realpath(name))]
    of_folder = [str(folder.path) for folder in covered(source).folders if is_inside(output, folder)]
    for name in (*of_folder, *of_pattern):
        raise UsageError(
            f"{output} would be part of the corpus {name}, and be read with it from then on: give a name in "
            "another folder"
        )
