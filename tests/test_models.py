"""Which model for what: the page, whose commands run, and the rows of the harness that have no peer."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import models, report
from bench.judges import Judges
from bench.options import Options, Session
from bench.records import Records
from bench.trainers import Material, most_frequent
from corpora.small import corpus_of, zipfian
from fastw2v import cli
from fastw2v.config import TrainConfig
from fastw2v.vectors import formats

PAGE = (Path(__file__).parent.parent / "docs" / "models.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True) for line in PAGE.splitlines() if line.startswith("    fastw2v ")]
SMALL = ["--dim", "4", "--epochs", "1", "--threads", "1", "--min-count", "1", "--sample", "0"]


def test_page__has_a_command_for_every_architecture_and_loss() -> None:
    named = " ".join(word for command in COMMANDS for word in command)
    for value in ("--architecture cbow", "--loss hierarchical-softmax", "--loss softmax", "--phrases"):
        assert value in named


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_page__commands_train(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({"text": ["a b c a d", "b c d a"] * 50}), "corpus.parquet")
    with pytest.raises(SystemExit) as stop:
        cli.main([*command[1:], *SMALL])
    assert stop.value.code == 0
    if "--dry-run" not in command:
        assert len(formats.load(Path(command[command.index("-o") + 1]))) == 4


@pytest.mark.slow
def test_page__negative_sampling_approaches_the_softmax() -> None:
    """The cosines of the page, which rise with k."""
    [snippet] = [part.partition("```")[0] for part in PAGE.split("```python\n")[1:]]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(snippet, {})
    found = {int(k): float(cosine) for k, cosine in map(str.split, printed.getvalue().splitlines())}
    shown = {
        int(k): float(cosine) for k, cosine in re.findall(r"^\| (\d+) \| (0\.\d+) \|$", PAGE, re.MULTILINE)
    }
    assert found == pytest.approx(shown, abs=0.002)
    assert list(found.values()) == sorted(found.values())
    assert found[30] - found[1] > 0.01


def test_most_frequent__leaves_out_other_words_and_empty_sentences() -> None:
    corpus = corpus_of([0, 1, 0, 2, 2, 3, 0, 1], 4, (3, 3, 2))
    few = most_frequent(corpus, 2)
    assert few.ids.tolist() == [0, 1, 0, 0, 1]
    assert few.offsets.tolist() == [0, 3, 5]
    assert (len(few.vocabulary), few.n_words_read) == (2, 5)


@pytest.mark.slow
def test_models__softmax_stands_beside_negative_sampling_and_the_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "jobs", lambda session: iter(()))
    monkeypatch.setattr(models, "SOFTMAX_WORDS", (10, 20, 2_000))
    monkeypatch.setattr(models, "REFERENCE_TOKENS", 300)
    values: dict[str, Any] = dict.fromkeys(Options._fields) | {
        "min_count": 1,
        "config": TrainConfig(dim=8, epochs=2),
    }
    corpus = corpus_of(zipfian(50, 3_000), 50, (30,) * 100)
    records = Records(None)
    material = Material("zipf", corpus, None, 1)
    models.models(Session(Options(**values), records, material, Judges({}, {}), tmp_path))
    rows = records.rows
    assert [(row["model"], row["trainer"], row["epochs"]) for row in rows] == [
        (f"{model}, {n} words", trainer, epochs)
        for n in (10, 20)
        for model, trainer, epochs in (
            ("negative sampling", "fastw2v block", 2),
            ("softmax", "fastw2v block", 2),
            ("softmax", "NumPy reference", 1),
        )
    ]
    assert rows[2]["words"] == 300
    assert rows[0]["words"] == rows[1]["words"] == 2 * int((np.asarray(corpus.ids) < 10).sum())
    line = next(line for line in report.models(rows).splitlines() if "| softmax, 10 words | NumPy" in line)
    assert re.search(r"\d x \|", line)
