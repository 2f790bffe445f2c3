"""`fastw2v stability`: bootstrap samples of a corpus, by which neighbours get error bars."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastw2v.commands.declared import BY_NAME, READING, SETTINGS, TRAINING, Option
from fastw2v.commands.effects import require_one_voice
from fastw2v.commands.options import (
    click_option,
    declared,
    default_output,
    take_corpus_options,
    take_memory,
)
from fastw2v.commands.places import check_places, inputs_of, named_output
from fastw2v.commands.train.sections import Sectioned
from fastw2v.commands.train.settings import use_preset
from fastw2v.config import TrainConfig
from fastw2v.errors import UsageError
from fastw2v.options.checks import Whole
from fastw2v.options.stability import LEFT_OUT, MOST_SAMPLES

if TYPE_CHECKING:
    from fastw2v.run.request import Request

FIELDS = set(TrainConfig.__dataclass_fields__) - LEFT_OUT
TRAINED = tuple(option for option in TRAINING if option.field in FIELDS)
PRESET = next(option for option in SETTINGS if option.name == "preset")
OUTPUT = (
    Option(
        ("-o", "--output"),
        "Frequent",
        "Folder of the samples.",
        metavar="DIR",
        shown="NAME.stability here",
        file="write",
    ),
    Option(
        ("--samples",),
        "Frequent",
        "How many to train; those that are there stay.",
        int,
        default=20,
        limits=Whole(2, MOST_SAMPLES),
    ),
)


@click.command(cls=Sectioned, short_help="Train samples of a corpus, for neighbours with error bars.")
@click.argument("source", nargs=-1)
@declared(*OUTPUT, *READING, *TRAINED)
@click_option(PRESET, is_eager=True, callback=use_preset)
@declared(BY_NAME["verbose"], BY_NAME["quiet"])
def stability(
    source: tuple[str, ...], output: str | None, samples: int, preset: str | None, **options: Any
) -> None:
    """Train --samples times on SOURCE, each sentence counted Poisson(1) times, with another seed each.

    The corpus is read once and nothing of it is written. `nearest`, `map` and `report` then show how often
    a neighbour is among the nearest of the samples, and the interval of its cosine, and `diff` subtracts
    what samples differ by. Give the options that the vectors were trained with. A run that was stopped goes
    on with the same command; with more --samples more are trained.

    \b
    Examples:
      fastw2v stability corpus.parquet --dim 300 -k 10
      fastw2v nearest corpus.vectors.txt paris --stability corpus.stability
    """
    require_one_voice(options["verbose"], options["quiet"])
    if not source:
        raise UsageError("no corpus given: name a file, a folder or a pattern, or - for standard input")
    OUTPUT[1].limits.plain("samples", samples)  # type: ignore[union-attr]
    path = Path(output or default_output(source).removesuffix(".vectors.txt") + ".stability")
    named_output("--cache-dir", options["cache_dir"], streams=False)
    named_output("-o", output, streams=False)
    notes = check_places(source, inputs_of(options), named_output("-o", str(path)))
    verbose, quiet = options.pop("verbose"), options.pop("quiet")
    request = request_of(source, options)
    from fastw2v.bootstrap.samples import train_samples
    from fastw2v.show.progress import Display

    with contextlib.closing(Display(sys.stderr, quiet=quiet, verbose=verbose)) as display:
        for note in notes:
            display.say(note)
        made = train_samples(request, path, samples, display)
        display.say(f"{len(made)} samples are in {path}: nearest, map, report --stability {path}")


def request_of(source: Sequence[str], options: dict[str, Any]) -> Request:
    """What the options ask for."""
    from fastw2v.options.replicas import ReplicaConfig
    from fastw2v.run.request import Request, read_vocabularies

    memory = take_memory(options)
    reading, read_vocab = take_corpus_options(options)
    training = TrainConfig(**{option.field: options[option.name] for option in TRAINED})
    vocabulary = read_vocabularies(read_vocab) if read_vocab else None
    names = list(source)
    return Request(
        names if len(names) > 1 else names[0], training, reading, ReplicaConfig(), vocabulary, memory
    )
