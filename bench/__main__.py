"""`python -m bench`: throughput, quality, scaling and phases of fastw2v beside reference and peers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from bench import report
from bench.continuing import continuing
from bench.graphs import WALKS, GraphOptions
from bench.graphs import graphs as measure_graphs
from bench.ingest import ingest
from bench.models import models
from bench.narrow import go_on_without_avx512
from bench.options import Options, Peer, open_session
from bench.records import Records, read_records
from bench.runs import quality, throughput, time_to_quality
from bench.scaling import scaling
from bench.sharing import sharing
from bench.stability import stability
from fastw2v.config import Precision, TrainConfig

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def kernels(session: Any) -> None:
    """The phases' module compiles as it is imported, so only when asked for."""
    from bench.phases import kernels as measure

    measure(session)


def distributed(session: Any) -> None:
    """Its module needs what only it needs, so only when asked for."""
    from bench.distributed import distributed as measure

    measure(session)


def faults(records: Records, share: float, rows: tuple[str, ...]) -> bool:
    """Its modules train as they are imported, so only when asked for."""
    from bench.faults import ROWS, faults

    if unknown := set(rows) - ROWS.keys():
        raise click.UsageError(f"--row {min(unknown)!r} is none of {', '.join(ROWS)}")
    return faults(records, share, rows)


MEASURES: dict[str, Callable[[Any], None]] = {
    "throughput": throughput,
    "quality": quality,
    "time-to-quality": time_to_quality,
    "models": models,
    "continue": continuing,
    "stability": stability,
    "scaling": scaling,
    "kernels": kernels,
    "sharing": sharing,
    "ingest": ingest,
    "distributed": distributed,
}
OTHERS = ("graphs", "faults", "report")  # which no corpus is read for
NEED_TEXT = {"throughput", "quality", "time-to-quality", "models"}


class PeerType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """[LABEL=]PATH of a program."""

    name = "[label=]path"

    def __init__(self, label: str) -> None:
        self.label = label

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Peer:
        label, found, path = str(value).rpartition("=")
        return Peer(label if found else self.label, FILE.convert(path, param, ctx))


class TargetType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """JUDGE=SCORE, as in MEN=0.55 or 'analogy %=35'."""

    name = "judge=score"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        judge, found, score = str(value).rpartition("=")
        if not found:
            self.fail(f"{value!r} is no JUDGE=SCORE, such as MEN=0.55", param, ctx)
        return judge, float(click.FLOAT(score, param, ctx))


def peer_option(name: str, label: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{name}", type=PeerType(label), multiple=True, help=f"Binary of {label}; repeatable."
    )


@click.command(context_settings=SETTINGS)
@click.argument("measures", nargs=-1, required=True, type=click.Choice([*MEASURES, *OTHERS]))
@click.option("--corpus", type=FILE, help="Parquet file.  [default: the planted corpus]")
@click.option("--column", help="Column of the corpus.")
@click.option(
    "--eval",
    "eval_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of word pairs and analogy questions, *.txt.  [default: CORPUS.*.txt, or a folder eval "
    "beside the corpus or its folder]",
)
@click.option("--dim", type=int, default=300)
@click.option("--window", type=int, default=5)
@click.option("-k", "--negatives", type=int, default=10)
@click.option("--sample", type=float, default=1e-3)
@click.option("--min-count", type=int, default=5)
@click.option("--lr", type=float, default=0.025)
@click.option("--block-size", type=int, default=TrainConfig.block_size)
@click.option("--shared-negatives", type=int, help="[default: by the step size]")
@click.option(
    "--precision", type=click.Choice(get_args(Precision)), default="float32", help="Of kernel block."
)
@click.option(
    "--without-avx512", is_flag=True, help="Compile our kernels as for a processor that has AVX2 alone."
)
@click.option(
    "--epochs", type=int, default=5, help="Of quality, models, continue and stability; others train one."
)
@click.option("--threads", type=int, help="Workers.  [default: every usable core]")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Each side runs once in a round.")
@click.option("--seeds", type=click.IntRange(1), default=3, help="Runs of ours in quality; peers run once.")
@click.option("--only", multiple=True, metavar="NAME", help="Measure this trainer; repeatable.")
@click.option(
    "--try-lr",
    type=float,
    multiple=True,
    default=(0.025, 0.05, 0.075, 0.1),
    help="Step size of time-to-quality, and of models with --best-lr; repeatable.",
)
@click.option(
    "--best-lr",
    is_flag=True,
    help="Of models: train each side at every --try-lr too, and tell of its best mean score.",
)
@click.option(
    "--buckets", type=click.IntRange(1), default=TrainConfig.buckets, help="Of models with subwords."
)
@click.option("--model", "models", multiple=True, metavar="NAME", help="Of models, this one; repeatable.")
@click.option(
    "--try-epochs",
    type=click.IntRange(1),
    multiple=True,
    default=(1, 2, 3, 5),
    help="Epochs of time-to-quality; repeatable.",
)
@click.option(
    "--target",
    "targets",
    type=TargetType(),
    multiple=True,
    help="Score to reach; repeatable.  [default: 95 % of the best peer's MEN and analogies]",
)
@click.option("--row", "rows", multiple=True, metavar="NAME", help="Of faults, run this row; repeatable.")
@click.option("--share", type=click.FloatRange(0, 1), default=1.0, help="Of the counts of faults.")
@click.option("--nodes", type=click.IntRange(100), default=20_000, help="Of the graph of graphs.")
@click.option("--edges", type=click.IntRange(1000), default=200_000, help="That are drawn, of graphs.")
@click.option("--blocks", type=click.IntRange(2), default=20, help="That are planted, of graphs.")
@click.option("--walks", type=click.IntRange(1), default=WALKS, help="From each node, of graphs.")
@click.option("--p", type=float, default=1.0, help="node2vec's, of graphs.")
@click.option("--q", type=float, default=1.0, help="node2vec's, of graphs.")
@click.option("--peer-python", type=FILE, help="Python with pecanpy, of graphs.  [default: this one]")
@peer_option("word2vec", "word2vec.c")
@peer_option("pword2vec", "pWord2Vec")
@peer_option("fasttext", "fastText")
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append results, a line each.",
)
@click.option(
    "--figures", type=click.Path(file_okay=False, path_type=Path), help="Folder to draw figures in."
)
@click.option("--write", type=FILE, multiple=True, help="Page whose generated tables `report` makes anew.")
def main(
    measures: tuple[str, ...],
    rows: tuple[str, ...],
    share: float,
    json_file: Path | None,
    figures: Path | None,
    write: tuple[Path, ...],
    without_avx512: bool,
    **given: Any,
) -> None:
    """Measure fastw2v beside its NumPy reference and other trainers, on the machine at hand.

    MEASURES are any of throughput, quality, time-to-quality (seconds to given scores), models (CBOW, the
    softmaxes and subwords, beside peers or the reference), continue (half of the corpus, then the other
    half), stability (error bars of neighbours, by the number of samples), scaling, kernels, sharing (a
    simulation of many cores), ingest (reading), distributed (several processes), graphs (node2vec, beside
    PecanPy), faults (kills, signals, full disks, damaged files), and report, which only tells of the results
    in a --json file. Run nothing else meanwhile: ratios hold on a
    noisy machine because the sides alternate, speeds do not. Peers that are not given are left out.

    \b
    Examples:
      python -m bench throughput quality scaling kernels --corpus text8.parquet
      python -m bench throughput --corpus text8.parquet --word2vec ./word2vec --rounds 5 --json results.jsonl
      python -m bench quality --corpus text8.parquet --eval sets --epochs 1
      python -m bench time-to-quality --corpus text8.parquet --eval sets --pword2vec ./pword2vec
      python -m bench kernels --corpus text8.parquet --without-avx512
      python -m bench ingest --corpus text8.parquet --word2vec ./word2vec
      python -m bench graphs --nodes 20000 --edges 200000 --peer-python peer/bin/python
      python -m bench faults --share 0.1 --row kill --row signals
      python -m bench report --json results.jsonl --figures bench/figures --write bench/README.md
    """
    if without_avx512:
        go_on_without_avx512()
    to_measure = [name for name in MEASURES if name in measures]
    if set(measures) == {"report"} and json_file is None:
        raise click.UsageError("report tells of the results in a file: give --json FILE")
    records = Records(json_file)
    of_graphs = GraphOptions(
        **{name: given.pop(name) for name in ("nodes", "edges", "blocks", "walks", "p", "q", "peer_python")},
        **{name: given[name] for name in ("threads", "rounds", "only")},
    )
    if to_measure:
        options = options_of(given)
        with open_session(options, records, bool(NEED_TEXT & set(to_measure))) as session:
            for name in to_measure:
                MEASURES[name](session)
    if "graphs" in measures:
        measure_graphs(records, of_graphs)  # on a graph of its own, so that no corpus is read
    all_passed = "faults" not in measures or faults(records, share, rows)
    results = read_records(json_file) if json_file and "report" in measures else records.rows
    click.echo(report.as_text(results))
    for page in write:
        report.rewrite(page, results)
    if figures:
        from bench.figures import draw

        draw(results, figures)
    if not all_passed:
        sys.exit(1)


def options_of(given: dict[str, Any]) -> Options:
    """The command line, with the trainer's settings checked."""
    from fastw2v.system.machine import usable_cores

    names = (
        "dim",
        "window",
        "negatives",
        "sample",
        "lr",
        "epochs",
        "block_size",
        "shared_negatives",
        "precision",
    )
    config = TrainConfig(**{name: given.pop(name) for name in names})
    config = replace(config, threads=given.pop("threads") or usable_cores())
    return Options(config=config, targets=dict(given.pop("targets")), **given)


if __name__ == "__main__":
    sys.exit(main())
