"""The measurement of graphs: what is planted, how it is judged, and the table of programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import bench.__main__ as command
from bench import graphs, report
from corpora.blocks import MIXED, planted_graph, write_edges
from fastw2v.vectors import formats
from fastw2v.vectors.embeddings import Embeddings


def test_planted_graph__has_blocks_and_hubs(tmp_path: Path) -> None:
    graph = planted_graph(2000, 40_000, 5)
    same = float((graph.blocks[graph.sources] == graph.blocks[graph.targets]).mean())
    assert same == pytest.approx(1 - MIXED + MIXED / 5, abs=0.02)
    degrees = np.sort(np.bincount(np.concatenate([graph.sources, graph.targets]), minlength=2000))
    assert degrees[-20:].mean() > 4 * np.median(degrees)
    again = planted_graph(2000, 40_000, 5)
    assert all((one == other).all() for one, other in zip(graph, again, strict=True))
    table, lines = write_edges(graph, tmp_path)
    ends = np.loadtxt(lines, np.int64)
    assert pq.read_table(table)["target"].to_pylist() == ends[:, 1].tolist() == graph.targets.tolist()


def test_graph_bytes__are_those_of_compressed_rows() -> None:
    from fastw2v.corpus.graphs.read import read_graph

    graph = planted_graph(300, 4000, 3)
    read = read_graph(np.stack([graph.sources, graph.targets], axis=1)).graph
    expected = read.neighbours.nbytes + 8 * len(graph.blocks)
    assert len(read.offsets) == len(graph.blocks) + 1
    assert graphs.graph_bytes(graph) == expected


@pytest.mark.parametrize(("noise", "lowest", "highest"), [(0.1, 0.99, 1.0), (1000.0, 0.15, 0.35)])
def test_judge__tells_blocks_from_vectors_that_have_them(
    noise: float, lowest: float, highest: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 4, 800).astype(np.int32)
    vectors = rng.normal(size=(4, 16))[blocks] + noise * rng.normal(size=(800, 16))
    names = [str(i) for i in range(800)]
    formats.save(tmp_path / "v.bin", Embeddings(names, vectors.astype(np.float32)))
    scores = graphs.judge(tmp_path / "v.bin", blocks)
    assert lowest <= scores.micro <= highest
    assert lowest <= scores.macro <= highest + 0.01


def test_f1__by_hand() -> None:
    told, known = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1], np.int32)
    assert graphs.f1(told, known) == pytest.approx((0.75, (2 / 3 + 4 / 5) / 2))


def row_of(trainer: str, seconds: float, run: str = "1") -> dict[str, Any]:
    sizes = {"nodes": 1000, "edges": 9000, "blocks": 5, "p": 1.0, "q": 0.5, "threads": 2}
    held = {"peak_bytes": 4e8, "graph_bytes": 1e7, "matrix_bytes": 9e7, "micro_f1": 0.9, "macro_f1": 0.875}
    machine = {"cpu": "C", "python": "3", "numba": "1", "commit": "c"}
    return {"bench": "graphs", "trainer": trainer, "seconds": seconds, "run": run} | sizes | held | machine


def test_table__forms_ratios_of_the_best_rounds_of_the_last_command() -> None:
    rows = [row_of(graphs.OURS, 1.0, "0"), row_of(graphs.PECANPY, 90.0), row_of(graphs.OURS, 5.0)]
    lines = report.as_text([*rows, row_of(graphs.PECANPY, 50.0), row_of(graphs.OURS, 4.0)]).splitlines()
    assert lines[4:6] == [
        "| fastw2v | 4.0 |  | 400 | 300 | 0.900 | 0.875 |",
        "| PecanPy + gensim | 50.0 | 12.5 x | 400 | 300 | 0.900 | 0.875 |",
    ]
    assert lines[-1].startswith(
        "*1,000 nodes, 9,000 edges, 5 blocks; 10 walks of 80 nodes from each, p 1, q 0.5; 2 threads; C"
    )


def test_run__tells_the_last_words_of_what_fails(tmp_path: Path) -> None:
    import sys

    with pytest.raises(RuntimeError, match="no such thing"):
        graphs.run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")


@pytest.mark.slow
def test_main__measures_ours_where_the_peer_is_missing(tmp_path: Path) -> None:
    options = ["--nodes", "200", "--edges", "3000", "--blocks", "3", "--rounds", "1", "--threads", "1"]
    options += ["--walks", "9"]
    done = CliRunner().invoke(
        command.main, ["graphs", *options, "--only", graphs.OURS, "--q", "0.5", "--json", str(tmp_path / "r")]
    )
    assert done.exit_code == 0, done.output
    (row,) = [json.loads(line) for line in (tmp_path / "r").read_text().splitlines()]
    assert row["micro_f1"] > 0.8
    assert row["walks"] == 9
    assert row["peak_bytes"] > row["matrix_bytes"] == 2 * 4 * 128 * 200
    assert re.search(r"\| fastw2v \| [\d.]+ \|  \|", done.output)
    refused = CliRunner().invoke(command.main, ["graphs", *options, "--only", "gensim"])
    assert refused.exit_code == 2
