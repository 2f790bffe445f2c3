"""Which model for what: the page, whose commands run, and the rows of the harness that have no peer."""

from __future__ import annotations

import contextlib
import io
import math
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import models, report
from bench.judges import Judges
from bench.options import Options, Peer, Session, write_text
from bench.records import Records
from bench.trainers import Material, gensim, most_frequent
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


FASTTEXT = """#!{python}
import sys, time
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
open({told!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
words = sorted(set(open(given["-input"], encoding="utf-8").read().split()))
print("Number of words:", len(words), flush=True)
print("Number of labels: 0", flush=True)
time.sleep(0.05)
print("Progress: 100.0%", flush=True)
with open(given["-output"] + ".vec", "w", encoding="utf-8") as file:
    file.write(f"{{len(words)}} 2\\n" + "".join(f"{{word}} {{i}} 1\\n" for i, word in enumerate(words)))
open(given["-output"] + ".bin", "w").write("both matrices")
"""


def session_of(folder: Path, peers: dict[str, Any], judges: Judges, **options: Any) -> Session:
    """A session on a small corpus, with these peers."""
    corpus = corpus_of(zipfian(50, 1_500), 50, (30,) * 50)
    values: dict[str, Any] = dict.fromkeys(Options._fields, ())
    config = TrainConfig(dim=4, epochs=1, threads=1, negatives=2)
    values |= {"min_count": 1, "config": config, "buckets": 70, "best_lr": False, **peers, **options}
    text = write_text(corpus, folder / "corpus.txt")
    return Session(Options(**values), Records(None), Material("zipf", corpus, text, 1), judges, folder)


def test_lines__have_each_model_of_the_command_that_trained_it_last(tmp_path: Path) -> None:
    rows = []
    for names in ((), ("CBOW, hierarchical softmax",)):
        session = session_of(tmp_path, {}, Judges({}, {}), models=names, only=("fastw2v block",))
        session.records.run = f"command {len(rows)}"
        models.models(session)
        rows += session.records.rows
    ((_, cells, own),) = models.lines(rows)
    assert [row[0] for row in cells] == [
        "skip-gram, negative sampling",
        "CBOW, negative sampling",
        "skip-gram, hierarchical softmax",
        "CBOW, hierarchical softmax",
        "skip-gram, subwords 3-6, 70 buckets",
    ]
    assert [row["run"] == rows[-1]["run"] for row in own] == [False, False, False, True, False]
    with pytest.raises(click.UsageError, match="--model 'no' is none of skip-gram, negative sampling, CBOW"):
        models.models(session_of(tmp_path, {}, Judges({}, {}), models=("no",)))


def test_models__fasttext_trains_each_model_with_equal_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that writes down what it is told, as fastText's vectors."""
    binary, told = tmp_path / "fasttext", tmp_path / "told"
    binary.write_text(FASTTEXT.format(python=sys.executable, told=str(told)))
    binary.chmod(0o755)
    monkeypatch.setattr(models, "ours", lambda **changes: None)
    session = session_of(tmp_path, {"fasttext": (Peer("fastText", binary),)}, Judges({}, {}))
    found = {}
    for model, name, trainer, config in models.jobs(session):
        if name == "fastText":
            run = trainer(session.material, config, tmp_path)
            assert run.seconds > 0
            assert run.vectors is not None
            assert len(formats.load(run.vectors)) == len(np.unique(session.material.corpus.ids))
            found[model] = told.read_text().splitlines()[-1]
    assert not (tmp_path / "fasttext.bin").exists()
    assert list(found) == [*list(models.MODELS)[:-1], "skip-gram, subwords 3-6, 70 buckets"]
    plain, cbow, tree, _, subwords = found.values()
    assert plain.startswith("skipgram ")
    assert "-loss ns -minn 0 -maxn 0 -bucket 0" in plain
    assert cbow.startswith("cbow ")
    assert "-loss hs" in tree
    assert "-dim 4 -ws 5 -neg 2" in subwords
    assert "-minn 3 -maxn 6 -bucket 70" in subwords


def test_at_steps__each_side_is_told_at_its_best() -> None:
    """Every step size is tried; the table has of each trainer the row of the best mean score."""
    options = Options(**dict.fromkeys(Options._fields, ()) | {"try_lr": (0.05, 0.1), "best_lr": True})  # type: ignore[arg-type]
    tried = models.at_steps(options, TrainConfig(lr=0.1))
    assert [config.lr for config in tried] == [0.1, 0.05]
    assert models.at_steps(options._replace(best_lr=False), TrainConfig(lr=0.1)) == [TrainConfig(lr=0.1)]
    rows = [
        {
            **dict.fromkeys(
                ("corpus", "dim", "window", "negatives", "sample", "min_count", "threads", "run")
            ),
            "bench": "models",
            "model": "CBOW",
            "trainer": trainer,
            "lr": lr,
            "words": 100,
            "seconds": seconds,
            "scores": {"MEN": men, "rare": math.nan},
        }
        for trainer, lr, seconds, men in (
            ("fastw2v block", 0.1, 1.0, 0.5),
            ("fastw2v block", 0.05, 1.0, 0.6),
            ("gensim corpus_file", 0.05, 10.0, 0.2),
            ("gensim corpus_file", 0.1, 11.0, 0.3),
        )
    ]
    [(_, cells, _)] = models.lines(rows)
    assert [line[:5] for line in cells] == [
        ["CBOW", "fastw2v block", "0.05", "100", ""],
        ["CBOW", "gensim corpus_file", "0.1", "9", "11.0 x"],
    ]


def test_models__best_step_sizes_need_something_to_judge_by(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="nothing to judge by"):
        models.models(session_of(tmp_path, {}, Judges({}, {}), best_lr=True))


def test_gensim__trains_ngrams_with_equal_settings(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    session = session_of(tmp_path, {}, Judges({}, {}))
    config = TrainConfig(dim=4, epochs=1, threads=1, subwords="3-6", buckets=70)
    run = gensim(session.material, config, tmp_path)
    assert run.seconds > 0
    assert run.vectors is not None
    used = {session.material.corpus.vocabulary.words[i] for i in np.unique(session.material.corpus.ids)}
    assert set(formats.load(run.vectors).words) == used
