"""Whatever the command takes, `fastw2v.train` takes: memory, cache, checkpoints, evaluation, log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.training import spans
from tests.parquet import write

QUICK: dict[str, Any] = {"dim": 8, "epochs": 4, "min_count": 1, "sample": 0, "threads": 1}


@pytest.fixture
def rows() -> list[list[str]]:
    draw = np.random.default_rng(0)
    return [[f"w{word}" for word in draw.integers(0, 20, 30)] for _ in range(600)]


@pytest.fixture
def corpus(rows: list[list[str]], tmp_path: Path) -> Path:
    return write(tmp_path / "c.parquet", rows)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "fastw2v", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def stopped(corpus: Any, kept: Path, options: dict[str, Any] = QUICK) -> None:
    """A run that ends after its second epoch."""
    told: list[Any] = []

    def on_epoch(moment: fastw2v.Moment) -> object:
        told.append(moment)
        return fastw2v.STOP if len(told) == 2 else None

    # Every 5,000 words, so that one is written before the run ends.
    every = {"checkpoint": kept, "checkpoint_every": "5000 words"}
    fastw2v.train(corpus, on_epoch=on_epoch, **options, **every)


@pytest.fixture(autouse=True)
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)


@pytest.mark.parametrize("kind", ["file", "rows", "read"])
def test_train__resumes_to_the_same_bytes(
    kind: str, corpus: Path, rows: list[list[str]], tmp_path: Path
) -> None:
    source: Any = {"file": corpus, "rows": rows, "read": None}[kind]
    options = dict(QUICK)
    if kind == "read":
        source = fastw2v.corpus.read_corpus(rows, min_count=options.pop("min_count"))
    whole = fastw2v.train(source, **options)
    stopped(source, tmp_path / "kept", options)
    told_epochs: list[int] = []
    resumed = fastw2v.train(
        None if kind == "file" else source,
        resume=tmp_path / "kept",
        on_epoch=lambda moment: told_epochs.append(moment.epoch),
    )
    assert told_epochs[-1] == 4
    assert len(told_epochs) < 4
    assert resumed.center_vectors.tobytes() == whole.center_vectors.tobytes()


@pytest.mark.slow
def test_train__goes_on_with_what_the_command_began_and_the_other_way_round(
    corpus: Path, tmp_path: Path
) -> None:
    whole = fastw2v.train(corpus, **QUICK)
    stopped(corpus, tmp_path / "python")
    done = command("train", "--resume", tmp_path / "python", "-o", tmp_path / "v.npy")
    assert done.returncode == 0, done.stderr
    assert fastw2v.load(tmp_path / "v.npy").center_vectors.tobytes() == whole.center_vectors.tobytes()
    (tmp_path / "stop.txt").write_text("w3\n")
    given = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    kept = ["--checkpoint", tmp_path / "command", "--stop-list", tmp_path / "stop.txt"]
    assert command("train", corpus, "-o", tmp_path / "w.npy", *given, *kept).returncode == 0
    resumed = fastw2v.train(resume=tmp_path / "command")
    expected = fastw2v.load(tmp_path / "w.npy")
    assert "w3" not in resumed
    assert resumed.center_vectors.tobytes() == expected.center_vectors.tobytes()


def test_train__refuses_to_go_on_otherwise(corpus: Path, rows: list[list[str]], tmp_path: Path) -> None:
    stopped(corpus, tmp_path / "kept")
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        (
            {"resume": tmp_path / "kept", "dim": 9},
            UsageError,
            "dim is 9, but the run to go on with has 8",
        ),
        ({"resume": tmp_path / "kept", "corpus": rows[1:]}, UsageError, "is not that of the run"),
        ({"resume": tmp_path / "kept", "checkpoint": tmp_path / "other"}, UsageError, "leave out checkpoint"),
        ({"resume": tmp_path / "none"}, UsageError, "there is no such folder"),
        ({"corpus": corpus, "checkpoint": tmp_path / "kept"}, UsageError, "holds the checkpoints of a run"),
        ({"corpus": corpus, "checkpoint": corpus}, OutputError, "cannot be a folder"),
        ({"corpus": corpus, "checkpoint_every": "1m"}, UsageError, "checkpoint_every needs checkpoint"),
        (
            {"corpus": corpus, "checkpoint": tmp_path / "n", "checkpoint_every": "x"},
            UsageError,
            "must be like",
        ),
        ({"corpus": corpus, "checkpoint": ""}, UsageError, "checkpoint is '': it must be the name"),
        ({"corpus": corpus, "log_json": 3}, UsageError, "log_json is 3: it must be the name"),
        ({"corpus": corpus, "memory_limit": "2 apples"}, UsageError, "'2 apples' is not a size"),
        (
            {"corpus": corpus, "memory_limit": 2_000_000_000},
            UsageError,
            "memory_limit is 2000000000: it must be",
        ),
        ({"corpus": corpus, "eval_analogy": tmp_path / "none"}, CorpusError, "none: cannot be read"),
        ({"corpus": corpus, "sync_words": 8192}, UsageError, "start them with mpirun"),
        (
            {"corpus": corpus, "patience": 1, "holdout": 0.1, "checkpoint": tmp_path / "n"},
            UsageError,
            "patience",
        ),
        ({}, UsageError, "no corpus was given"),
    ]
    for options, error, message in cases:
        with pytest.raises(error) as caught:
            fastw2v.train(**options)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "--" not in str(caught.value)
    assert not (tmp_path / "n").exists() or not any((tmp_path / "n").iterdir())


def test_train__judges_logs_and_caches(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("w1 w2 1\nw3 w4 2\nw5 w6 3\n")
    log, cache, told = tmp_path / "log.jsonl", tmp_path / "cache", []
    options = {"eval_similarity": tmp_path / "pairs.txt", "eval_every": 2, "holdout": 0.1}
    options |= {"log_json": str(log), "cache_dir": cache, "memory_limit": "2GB"}
    first = fastw2v.train(corpus, on_evaluation=told.append, **QUICK, **options)
    assert [evaluation.epochs for evaluation in told] == [2.0, 4.0]
    assert all("similarity" in evaluation.scores for evaluation in told)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert records[0]["settings"]["dim"] == 8
    assert [record["epochs"] for record in records if record["event"] == "evaluation"] == [2.0, 4.0]
    assert records[-1]["event"] == "end"
    assert len(list(cache.iterdir())) == 1
    again = fastw2v.train(corpus, **QUICK, **options)
    assert again.center_vectors.tobytes() == first.center_vectors.tobytes()


@pytest.mark.slow
def test_train__ctrl_c_leaves_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    """And is Python's KeyboardInterrupt."""
    code = (
        "import os, signal, sys, fastw2v\n"
        "def press(moment, keys=[signal.SIGINT]): keys and os.kill(os.getpid(), keys.pop())\n"
        "try: fastw2v.train(sys.argv[1], dim=8, epochs=10**4, min_count=1, threads=1, checkpoint=sys.argv[2],"
        " on_chunk=press)\n"
        "except KeyboardInterrupt as error: print(error); sys.exit(7)\n"
    )
    line = [sys.executable, "-c", code, str(corpus), str(tmp_path / "kept")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 7, done.stderr
    assert "of the run is kept" in done.stdout
    assert len(list((tmp_path / "kept").glob("checkpoint-*"))) == 1


def test_noted__leaves_a_program_its_own_handler() -> None:
    from fastw2v.system import interrupts

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.noted():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    with interrupts.noted():
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.received() == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before
