"""`python -m bench`: throughput and quality of fastw2v beside its reference and its peers."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench import trainers
from bench.agreement import assert_kernels_agree
from bench.records import Records
from fastw2v.config import TrainConfig

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
REFERENCE_TOKENS = 2 * 4096  # the reference trains some thousand words a second; two units are enough


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every measurement takes."""
    existing = click.Path(exists=True, dir_okay=False, path_type=Path)
    options = [
        click.option("--corpus", type=existing, help="Parquet file.  [default: the planted corpus]"),
        click.option("--column", help="Column of the corpus."),
        click.option("--dim", type=int, default=300),
        click.option("--window", type=int, default=5),
        click.option("-k", "--negatives", type=int, default=10),
        click.option("--sample", type=float, default=1e-3),
        click.option("--min-count", type=int, default=5),
        click.option("--lr", type=float, default=0.025),
        click.option("--epochs", type=int, default=1),
        click.option("--threads", type=int, help="Workers.  [default: every usable core]"),
        click.option("--gensim", is_flag=True, help="Also gensim, in corpus_file mode."),
        click.option("--word2vec", type=existing, help="Binary of word2vec.c."),
        click.option("--pword2vec", type=existing, help="Binary of pWord2Vec."),
        click.option("--fasttext", type=existing, help="Binary of fastText."),
        click.option(
            "--json", "json_file", type=click.Path(path_type=Path), help="Append results, a JSON line each."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings=SETTINGS)
def cli() -> None:
    """Measure fastw2v beside its NumPy reference and other trainers, on the machine at hand.

    Run nothing else meanwhile: ratios hold on a noisy machine because the sides alternate, speeds do not.
    """


def load(options: dict[str, Any], folder: Path, peers: bool) -> trainers.Material:
    """Read the corpus, and write it as text where a peer needs that."""
    from fastw2v.corpus import read_corpus
    from fastw2v.training import usable_cores

    source = options["corpus"]
    if source is None:
        from corpora.planted import Plan, generate

        generate(Plan(), folder)
        source = folder / "planted.parquet"
    corpus = read_corpus(
        source, column=options["column"], min_count=options["min_count"], threads=usable_cores()
    )
    text = write_text(corpus, folder / "corpus.txt") if peers else None
    return trainers.Material(corpus, text, options["min_count"])


def write_text(corpus: Any, path: Path) -> Path:
    """The corpus as the trainers see it, one sentence a line."""
    words = corpus.vocabulary.words
    with path.open("w", encoding="utf-8") as file:
        for start, stop in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True):
            file.write(" ".join(words[i] for i in corpus.ids[start:stop]) + "\n")
    return path


def chosen(options: dict[str, Any]) -> dict[str, trainers.Trainer]:
    """Our kernels, and the peers that were given; the others are named as absent."""
    table: dict[str, trainers.Trainer] = {
        "fastw2v block": trainers.ours(kernel="block"),
        "fastw2v pair": trainers.ours(kernel="pair"),
    }
    if options["gensim"]:
        table["gensim"] = trainers.gensim
    for name in ("word2vec", "pword2vec"):
        if options[name]:
            table[name] = trainers.word2vec_like(options[name].resolve())
    if options["fasttext"]:
        table["fasttext"] = trainers.fasttext(options["fasttext"].resolve())
    for name in ("gensim", "word2vec", "pword2vec", "fasttext"):
        if name not in table:
            click.echo(f"{name}: not measured (give --{name})", err=True)
    return table


def config_of(options: dict[str, Any]) -> TrainConfig:
    names = ("dim", "window", "negatives", "sample", "lr", "epochs", "threads")
    return TrainConfig(**{name: options[name] for name in names})


def reference_speed(material: trainers.Material, config: TrainConfig) -> float:
    """Words a second of the NumPy reference on the first tokens of the corpus, with the block estimator."""
    from dataclasses import replace

    import numpy as np

    from fastw2v.training import train

    corpus = material.corpus
    n = min(REFERENCE_TOKENS, len(corpus.ids))
    offsets = np.append(corpus.offsets[corpus.offsets < n], n)
    part = corpus._replace(ids=corpus.ids[:n], offsets=offsets, n_words_read=n)
    trained = train(part, replace(config, backend="reference", epochs=1))
    return trained.words / trained.train_seconds


@cli.command()
@shared_options
@click.option("--repeat", type=int, default=3, help="Rounds; every trainer runs once in each.")
def throughput(repeat: int, json_file: Path | None, **options: Any) -> None:
    """Words a second of training, sides in alternation, after asserting that kernels and reference agree.

    \b
    Examples:
      python -m bench throughput
      python -m bench throughput --corpus text8.parquet --threads 1 --word2vec ./word2vec --gensim
    """
    config, table, records = config_of(options), chosen(options), Records(json_file)
    differences = assert_kernels_agree(config)
    click.echo(
        f"kernels agree with the reference: largest difference {max(differences.values()):.1e}", err=True
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material = load(options, folder, peers=len(table) > 2)
        words = material.corpus.n_words_read * config.epochs
        speeds: dict[str, list[float]] = {"reference": [reference_speed(material, config)]}
        for round_number in range(repeat):
            for trainer, train in table.items():
                run = train(material, config, folder)
                speeds.setdefault(trainer, []).append(words / run.seconds)
                records.add(
                    bench="throughput",
                    trainer=trainer,
                    round=round_number,
                    words=words,
                    seconds=run.seconds,
                    compile_seconds=run.compile_seconds,
                    **{
                        key: str(value) if isinstance(value, Path) else value
                        for key, value in options.items()
                    },
                )
                click.echo(f"{trainer}: {words / run.seconds:,.0f} words/s", err=True)
    records.add(bench="throughput", trainer="reference", words_per_second=speeds["reference"][0])
    click.echo(speed_table(speeds))


def speed_table(speeds: dict[str, list[float]]) -> str:
    """Median words a second, and kernel block's ratio to each, round by round: median (lowest to highest)."""
    rows = ["| trainer | words/s | block is faster by |", "|---|---|---|"]
    block = speeds["fastw2v block"]
    for name, own in speeds.items():
        ratios = [b / o for b, o in zip(block, own * (len(block) if len(own) == 1 else 1), strict=False)]
        spread = f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
        rows.append(f"| {name} | {statistics.median(own):,.0f} | {spread} |")
    return "\n".join(rows)


@cli.command()
@shared_options
@click.option(
    "--similarity", type=click.Path(exists=True, path_type=Path), multiple=True, help="Pairs and scores."
)
@click.option("--analogy", type=click.Path(exists=True, path_type=Path), help="Questions, word2vec's layout.")
@click.option("--seeds", type=int, default=3, help="Runs of our kernels; peers run once.")
def quality(
    similarity: tuple[Path, ...], analogy: Path | None, seeds: int, json_file: Path | None, **options: Any
) -> None:
    """Spearman on similarity files and analogy accuracy (3CosAdd, top 30,000) at equal epochs.

    \b
    Examples:
      python -m bench quality --corpus text8.parquet --epochs 5 --analogy questions-words.txt
    """
    from dataclasses import replace

    from fastw2v import evaluation, formats

    config, table, records = config_of(options), chosen(options), Records(json_file)
    questions = evaluation.read_analogies(analogy) if analogy else []
    pairs = {path.stem: evaluation.read_similarity(path) for path in similarity}
    click.echo("| trainer | seed | " + " | ".join([*pairs, "analogy %"]) + " |")
    click.echo("|---" * (3 + len(pairs)) + "|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material = load(options, folder, peers=len(table) > 2)
        for trainer, train in table.items():
            for seed in range(1, (seeds if trainer.startswith("fastw2v") else 1) + 1):
                run = train(material, replace(config, seed=seed), folder)
                if run.vectors is None:
                    continue
                embeddings = formats.load(run.vectors, unescape=trainer.startswith("fastw2v"))
                scores = {
                    name: evaluation.evaluate_similarity(embeddings, own).rho for name, own in pairs.items()
                }
                accuracy = evaluation.evaluate_analogies(embeddings, questions).accuracy if questions else 0.0
                cells = [f"{score:.3f}" for score in scores.values()] + [f"{100 * accuracy:.1f}"]
                click.echo(f"| {trainer} | {seed} | " + " | ".join(cells) + " |")
                records.add(bench="quality", trainer=trainer, seed=seed, analogy=accuracy, **scores)


if __name__ == "__main__":
    sys.exit(cli())
