"""`python -m bench continue`: trainings on halves, and scores of old words apart from those that joined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import bench.__main__ as command
from bench.continuing import FIRST, split
from bench.judges import Judges
from fastw2v.vectors.evaluation import AnalogyQuestion, SimilarityPair


def test_split__tells_pairs_of_old_words_from_those_with_one_that_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By words in any case; those with a word that some training lacks are of neither."""
    monkeypatch.setattr("bench.continuing.LEAST", 1)
    pairs = [SimilarityPair(*words, 1.0) for words in (("a", "B"), ("A", "new"), ("a", "unknown"))]
    questions = [AnalogyQuestion("", "a", "b", "c", "new"), AnalogyQuestion("", "a", "b", "c", "c")]
    parts = split(Judges({"s": pairs}, {"q": questions}), ["A", "b", "c"], ["a", "b", "c", "NEW"])
    assert parts["old"] == Judges({"s": pairs[:1]}, {"q": questions[1:]})
    assert parts["joined"] == Judges({"s": pairs[1:2]}, {"q": questions[:1]})
    monkeypatch.setattr("bench.continuing.LEAST", 2)
    assert split(Judges({"s": pairs}, {}), ["a"], ["a", "b"])["old"] == Judges({}, {})


def test_continue__prints_a_line_for_each_training(tmp_path: Path) -> None:
    """Words of the second half are in no row of the first."""
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.integers(0, 30, (300, 10)), rng.integers(10, 40, (300, 10))])
    rows = [" ".join(f"w{number}" for number in row) for row in numbers]
    pq.write_table(pa.table({"text": rows}), tmp_path / "c.parquet")
    (tmp_path / "eval").mkdir()
    pairs = [(f"w{i}", f"w{j}", (i * j) % 7) for i in range(10, 40) for j in range(i + 1, 40)]
    text = "".join(f"{first}\t{second}\t{score}\n" for first, second, score in pairs)
    (tmp_path / "eval" / "pairs.txt").write_text(text)
    results = tmp_path / "results.jsonl"
    arguments = ["continue", "--corpus", tmp_path / "c.parquet", "--eval", tmp_path / "eval", "--dim", 8]
    arguments += ["--epochs", 1, "--threads", 1, "--json", results]
    result = CliRunner().invoke(command.main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    recorded = [json.loads(line) for line in results.read_text().splitlines()]
    assert len({row["trainer"] for row in recorded}) == len(recorded) == 5
    assert [row["vocabulary"] for row in recorded] == [30, 40, 40, 40, 30]
    assert [row["n_joined"] for row in recorded] == [0, 10, 10, 10, 10]
    assert recorded[1]["lr"] < recorded[0]["lr"]
    n_old = 20 * 19 // 2
    assert recorded[0]["n_cases"] == {"old": {"pairs": n_old}, "joined": {"pairs": len(pairs) - n_old}}
    assert [sorted(row["scores"]) for row in recorded] == [["old"], *[["joined", "old"]] * 4]
    table = result.output.partition("## Continue")[2]
    assert f"| {FIRST} | 0.1 | 30 |" in table
    assert table.count("\n| ") == 7
