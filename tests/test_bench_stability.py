"""`python -m bench stability`: a line for each number of samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import bench.__main__ as command
from bench.stability import asked_of


def test_asked__are_of_their_bands() -> None:
    asked = asked_of(10_000)
    assert {name: (ranks[0], ranks[-1], len(ranks)) for name, ranks in asked.items()} == {
        "frequent": (0, 199, 100),
        "middle": (3000, 3999, 100),
        "rare": (9000, 9999, 100),
    }
    assert {name: ranks.tolist() for name, ranks in asked_of(12).items()} == {
        "frequent": [0],
        "middle": [3],
        "rare": [10, 11],
    }


@pytest.mark.slow
def test_stability__prints_a_line_for_each_number_of_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{number}" for number in row) for row in rng.integers(0, 60, (200, 10))]
    pq.write_table(pa.table({"text": rows}), tmp_path / "c.parquet")
    results = tmp_path / "results.jsonl"
    arguments = ["stability", "--corpus", tmp_path / "c.parquet", "--dim", 8, "--epochs", 1]
    arguments += ["--threads", 1, "--json", results]
    result = CliRunner().invoke(command.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    recorded = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["n_samples"] for row in recorded] == [5, 10, 20]
    for row in recorded:
        assert set(row["scores"]) == {"frequent", "middle", "rare"}
        assert all(0 <= score["share"] <= 1 and score["width"] > 0 for score in row["scores"].values())
    table = result.output.partition("## Stability")[2]
    assert "| 5 | 66.7% |" in table
    assert "| 20 | 90.0% |" in table
