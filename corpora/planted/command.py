"""The command: sizes in, files and a line out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from corpora import SETTINGS, Script, make_folder
from corpora.planted.plan import ITEM_PLAN, N_FUNCTION, Plan
from corpora.planted.writing import generate
from fastw2v.errors import UsageError

Option = Callable[[Callable[..., None]], Callable[..., None]]


def chosen_plan(items: bool, options: dict[str, int | None]) -> Plan:
    """The defaults of the kind of corpus, with the options that were given.

    Raises UsageError when relations are asked of items.
    """
    given = {name: value for name, value in options.items() if value is not None}
    misplaced = sorted(given.keys() & {"relations", "pairs"}) if items else []
    if misplaced:
        raise UsageError(f"--{misplaced[0]} {given[misplaced[0]]} has no meaning with --items; leave it out")
    plan = asdict(ITEM_PLAN if items else Plan())
    return Plan(**(plan | given))


def size_option(name: str, text: str, low: int = 1, high: int | None = None) -> Option:
    """An integer option whose default depends on the kind of corpus."""
    default = getattr(Plan(), name.replace("-", "_"))
    of_items = getattr(ITEM_PLAN, name.replace("-", "_"))
    shown = f"{default}" if of_items in (0, default) else f"{default}; items {of_items}"
    return click.option(f"--{name}", type=click.IntRange(low, high), help=f"{text}  [default: {shown}]")


@click.command(cls=Script, context_settings=SETTINGS)
@click.option("--items", is_flag=True, help="Sessions of item ids instead of sentences of words.")
@size_option("words", "Distinct words, or items.", low=N_FUNCTION + 2, high=1_000_000)
@size_option("tokens", "Words in all.")
@size_option("sentence-length", "Mean; lengths are uniform from half to one and a half of it.")
@size_option("relations", "Relations of the kind capital of a country.")
@size_option("pairs", "Pairs of words in each relation.", low=2)
@size_option("topics", "Topics, or categories of items.")
@size_option("seed", "Of the language and of all draws.", low=0)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder for the files; made if missing.",
)
def main(items: bool, output: Path, **options: int | None) -> None:
    """Make a corpus with planted structure, and its ground truth.

    \b
    Writes planted.parquet, planted.similarity.txt, planted.analogies.txt
    (with --items: items.parquet, items.similarity.txt).

    \b
    Examples:
      python -m corpora.planted -o demo
      python -m corpora.planted --tokens 20000000 --seed 2 -o bench/data
      python -m corpora.planted --items --words 200000 --tokens 10000000 -o bench/data
    """
    started = time.perf_counter()
    plan = chosen_plan(items, options)
    make_folder(output)
    counts, fingerprint = generate(plan, output)
    click.echo(
        f"{output / plan.name}.parquet: {counts.tokens:,} tokens, {counts.words:,} distinct words, "
        f"{counts.sentences:,} sentences, {counts.pairs:,} similarity pairs, "
        f"{counts.questions:,} analogy questions, as intended; "
        f"fingerprint {fingerprint:08x}, {time.perf_counter() - started:.1f} s"
    )
