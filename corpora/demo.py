"""`make demo`: make the planted corpus, train on it, look, and say how much of what was planted came back.

Each step is the command a user would type; it is printed before it runs.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

import click

from corpora import SETTINGS, CountMismatch, Script
from fastw2v.vectors import formats, query
from fastw2v.vectors.evaluation import (
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)

EXPECTED_ANALOGIES = 0.8  # gensim recovers .99 of them; under this the installation is broken


def run(*command: str) -> None:
    """Show a command and run it; ends the demo with its exit code if it fails."""
    click.echo(f"\n$ {shlex.join(command)}")
    done = subprocess.run([sys.executable, "-m", *command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


@click.command(cls=Script, context_settings=SETTINGS)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"))
def main(folder: Path) -> None:
    """Make a corpus in FOLDER, train, show neighbours and the share of planted analogies recovered.

    \b
    Examples:
      python -m corpora.demo demo
    """
    started = time.perf_counter()
    vectors = folder / "planted.vectors.txt"
    run("corpora.planted", "-o", str(folder))
    run("fastw2v", "train", str(folder / "planted.parquet"), "-o", str(vectors))
    questions = read_analogies(folder / "planted.analogies.txt")
    _, a, b, c, d = questions[0]
    run("fastw2v", "nearest", str(vectors), a, b, "-n", "5")

    embeddings = formats.load(vectors)
    answer = query.analogy(embeddings, a, b, c, n=1)[0][0]
    click.echo(f"\n{a} is to {b} as {c} is to {answer} (planted: {d})")
    analogies = evaluate_analogies(embeddings, questions, restrict=None)
    similarity = evaluate_similarity(embeddings, read_similarity(folder / "planted.similarity.txt"))
    click.echo(
        f"recovered {analogies.accuracy:.1%} of {analogies.n_asked} planted analogies; "
        f"similarity to the truth {similarity.rho:.2f} (Spearman, {similarity.n_found} pairs); "
        f"{time.perf_counter() - started:.0f} s in all"
    )
    if analogies.accuracy < EXPECTED_ANALOGIES:
        raise CountMismatch(f"{analogies.accuracy:.1%} recovered: at least {EXPECTED_ANALOGIES:.0%} expected")


if __name__ == "__main__":
    main()
