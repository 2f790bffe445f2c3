"""`graphs`: from edges to vectors of nodes, beside PecanPy and gensim, judged by the planted blocks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from bench.options import say
from bench.records import Records
from bench.rows import MACHINE, Row, newest_run, of_bench
from bench.tables import machine_of, table
from corpora.blocks import PlantedGraph, planted_graph, write_edges
from fastw2v.system.machine import usable_cores
from fastw2v.vectors import formats

MEASURE = "graphs"
DIM, WINDOW, WALKS, LENGTH = 128, 10, 10, 80  # walks of a node where none are asked for
LABELLED, SPLITS = 0.1, 3  # of the nodes, as studies have it, and how often they are drawn
RIDGE = 1e-2
OURS, PECANPY = "fastw2v", "PecanPy + gensim"
ABOUT = ("nodes", "edges", "blocks", "p", "q", "walks", "threads")


class GraphOptions(NamedTuple):
    """What is asked for; peer_python is an interpreter that has PecanPy, which wants another NumPy."""

    nodes: int
    edges: int
    blocks: int
    p: float
    q: float
    walks: int
    threads: int | None
    rounds: int
    only: tuple[str, ...]
    peer_python: Path | None


class Finished(NamedTuple):
    """A program that ended: seconds, and the most memory that it held, in bytes."""

    seconds: float
    peak: int


class Scores(NamedTuple):
    """Shares of nodes whose block is told from a tenth of them: micro- and macro-averaged F1."""

    micro: float
    macro: float


def graphs(records: Records, options: GraphOptions) -> None:
    """Each program from the file of edges to the file of vectors, in alternation."""
    options = options._replace(threads=options.threads or usable_cores())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say(f"graphs: drawing {options.edges:,} edges of {options.nodes:,} nodes in {options.blocks} blocks")
        graph = planted_graph(options.nodes, options.edges, options.blocks)
        commands = commands_of(options, *write_edges(graph, folder), folder)
        about = {name: getattr(options, name) for name in ABOUT}
        about |= {"graph_bytes": graph_bytes(graph), "matrix_bytes": 2 * 4 * DIM * options.nodes}
        for number in range(options.rounds):
            for program, (command, output) in commands.items():
                finished = run(command, folder / "log.txt")
                scores = judge(output, graph.blocks)
                output.unlink()
                figures = {"seconds": finished.seconds, "peak_bytes": finished.peak, "round": number}
                figures |= {"micro_f1": scores.micro, "macro_f1": scores.macro}
                records.add(bench=MEASURE, trainer=program, **about, **figures)
                say(
                    f"{program}: {finished.seconds:.1f} s, {finished.peak / 1e6:,.0f} MB, micro-F1 "
                    f"{scores.micro:.3f}, macro-F1 {scores.macro:.3f}"
                )


def commands_of(
    options: GraphOptions, edges: Path, lines: Path, folder: Path
) -> dict[str, tuple[list[str], Path]]:
    """The command line of each program that is here, and where it writes its vectors."""
    walks = {"p": options.p, "q": options.q, "walk-length": LENGTH}
    own, other = folder / "own.vectors.bin", folder / "other.txt"
    ours = [sys.executable, "-m", "fastw2v", "train", "--graph", str(edges), "-o", str(own), "-q"]
    own_names = {
        "walks": options.walks,
        "dim": DIM,
        "window": WINDOW,
        "epochs": 1,
        "threads": options.threads,
    }
    ours += ["--no-save-config", *flags(walks | own_names)]
    found = {OURS: (ours, own)}
    python = str(options.peer_python or sys.executable)
    if subprocess.run([python, "-c", "import pecanpy, gensim"], capture_output=True, check=False).returncode:
        say(f"{PECANPY}: not measured, {python} has none: give --peer-python of an environment with pecanpy")
    else:
        is_first_order = options.p == options.q == 1
        peer = [python, "-m", "pecanpy.cli", "--input", str(lines), "--output", str(other)]
        peer += ["--mode", "FirstOrderUnweighted" if is_first_order else "SparseOTF"]
        peer += flags(
            walks | {"num-walks": options.walks, "dimensions": DIM, "window-size": WINDOW, "epochs": 1}
        )
        found[PECANPY] = ([*peer, "--workers", str(options.threads)], other)
    if unknown := set(options.only) - {OURS, PECANPY}:
        raise click.UsageError(f"--only {min(unknown)!r} is none of {OURS!r}, {PECANPY!r}")
    return {name: one for name, one in found.items() if not options.only or name in options.only}


def flags(values: dict[str, Any]) -> list[str]:
    """Options as they are typed."""
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def run(command: Sequence[str], log: Path) -> Finished:
    """A program from its start to its end. Raises RuntimeError with its last words where it fails."""
    started = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {log.read_text(errors='replace')[-2000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Finished(time.perf_counter() - started, usage.ru_maxrss * scale)


def graph_bytes(graph: PlantedGraph) -> int:
    """Of the compressed rows of the edges, each in both directions, none twice: int32 and an int64 a node."""
    n = len(graph.blocks)
    low, high = np.minimum(graph.sources, graph.targets), np.maximum(graph.sources, graph.targets)
    keys = np.unique(low.astype(np.int64) * n + high)
    return int(4 * (2 * len(keys) - (keys // n == keys % n).sum()) + 8 * n)


def judge(vectors: Path, blocks: NDArray[np.int32]) -> Scores:
    """How well the blocks of all other nodes are told by ridge regression on a tenth of them."""
    read = formats.load(vectors)
    rows = read.center_vectors / np.linalg.norm(read.center_vectors, axis=1, keepdims=True)
    known = blocks[np.array([int(word) for word in read.words])]
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(SPLITS):
        order = rng.permutation(len(rows))
        n_labelled = int(LABELLED * len(rows))
        taught, asked = order[:n_labelled], order[n_labelled:]
        told = told_blocks(rows[taught], known[taught], rows[asked])
        scores.append(f1(told, known[asked]))
    return Scores(*np.mean(scores, axis=0).tolist())


def told_blocks(
    rows: NDArray[np.float32], known: NDArray[np.int32], asked: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The blocks of the rows that are asked for, by least squares on one column for each block."""
    middle = rows.mean(axis=0)
    centred = (rows - middle).astype(np.float64)
    wanted = np.eye(int(known.max()) + 1)[known]
    gram = centred.T @ centred + RIDGE * len(rows) / rows.shape[1] * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (wanted - wanted.mean(axis=0)))
    told: NDArray[np.int64] = ((asked - middle) @ weights + wanted.mean(axis=0)).argmax(axis=1)
    return told


def f1(told: NDArray[np.int64], known: NDArray[np.int32]) -> Scores:
    """Micro-averaged, which is the share that is right, and the mean over blocks."""
    n_blocks = int(max(told.max(), known.max())) + 1
    right = np.bincount(known[told == known], minlength=n_blocks)
    both = np.bincount(told, minlength=n_blocks) + np.bincount(known, minlength=n_blocks)
    there = both > 0
    return Scores(float((told == known).mean()), float((2 * right[there] / both[there]).mean()))


HEAD = [
    "program",
    "seconds",
    "ours is faster by",
    "MB",
    "MB beside graph and matrices",
    "micro-F1",
    "macro-F1",
]


def as_table(rows: list[Row]) -> str:
    """Of each graph and pair of parameters the programs, with the best of their rounds, in the newest run."""
    parts = []
    measured = [{"walks": WALKS} | row for row in of_bench(rows, MEASURE)]  # older results do not tell
    for own in newest_run(measured, *ABOUT, *MACHINE):
        best = {row["trainer"]: row for row in sorted(own, key=lambda row: -float(row["seconds"]))}
        first = best.get(OURS)
        row = own[-1]
        about = f"{row['nodes']:,} nodes, {row['edges']:,} edges, {row['blocks']} blocks"
        about += f"; {row['walks']} walks of {LENGTH} nodes from each, p {row['p']:g}, q {row['q']:g}"
        machine = f"{row['threads']} threads; {machine_of(row)}; "
        machine += f"Python {row['python']}, numba {row['numba']}"
        lines = [cells_of(best[name], first) for name in sorted(best, key=lambda name: name != OURS)]
        parts.append(f"{table(HEAD, lines)}\n\n*{about}; {machine}; commit {row['commit']}*")
    return "\n\n".join(parts)


def cells_of(row: Row, first: Row | None) -> list[str]:
    """The line of a program; first is ours."""
    beside = row["peak_bytes"] - row["graph_bytes"] - row["matrix_bytes"]
    ratio = f"{row['seconds'] / first['seconds']:.1f} x" if first and first is not row else ""
    memory = [f"{row['peak_bytes'] / 1e6:,.0f}", f"{beside / 1e6:,.0f}"]
    scores = [f"{row['micro_f1']:.3f}", f"{row['macro_f1']:.3f}"]
    return [row["trainer"], f"{row['seconds']:,.1f}", ratio, *memory, *scores]
