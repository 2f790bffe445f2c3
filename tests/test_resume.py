"""`fastw2v train` with --checkpoint and --resume: stopped, refused, damaged, finished."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v import cli
from fastw2v.training import budget, loop, spans
from fastw2v.vectors import formats

ROOT = Path(__file__).parent.parent
OPTIONS = ["--dim", "8", "--epochs", "3", "--threads", "1", "--min-count", "1", "--kernel", "pair"]


def write_corpus(path):
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{word}" for word in rng.integers(0, 20, 50)) for _ in range(200)]
    pq.write_table(pa.table({"text": rows}), path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with corpus.parquet of three units."""
    monkeypatch.chdir(tmp_path)
    write_corpus("corpus.parquet")
    return tmp_path


def run(capfd, *arguments):
    """Exit code and stderr of `fastw2v train` in this process."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *map(str, arguments)])
    captured = capfd.readouterr()
    assert captured.out == ""
    return stop.value.code, captured.err


@pytest.fixture
def stopped(folder, capfd, monkeypatch):
    """The output of a run kept in `kept` that failed in the fifth of its nine calls."""
    output = folder / "v.txt"
    with monkeypatch.context() as patch:
        patch.setattr(spans, "CALL_SECONDS", 0.0)
        plain = budget.Epochs.progress

        def progress(epochs, position, *arguments):
            if position.epoch * 3 + position.unit == 5:
                raise KeyError("stop")  # anything that is not expected
            return plain(epochs, position, *arguments)

        patch.setattr(budget.Epochs, "progress", progress)
        with pytest.raises(KeyError):
            cli.main(f"train corpus.parquet -o {output} --checkpoint kept".split() + EVERY_CALL + OPTIONS)
    capfd.readouterr()
    assert not output.exists()
    return output


PATIENT = ["--holdout", "0.1", "--patience", "2"]
EVERY_CALL = ["--checkpoint-every", "1 words"]


def uninterrupted(capfd):
    assert run(capfd, "corpus.parquet", "-o", "whole.txt", *OPTIONS)[0] == 0
    return Path("whole.txt").read_bytes()


def test_resume__alone_goes_on_with_everything_that_was_given(stopped, capfd):
    code, err = run(capfd, "--resume", "kept")
    assert code == 0
    assert "going on from kept/checkpoint-000004, 47.0% of the run" in err
    assert f"wrote 20 vectors of dim 8 to {stopped}" in err
    assert stopped.read_bytes() == uninterrupted(capfd)


def test_resume__from_another_folder_to_another_output(stopped, folder, capfd, monkeypatch):
    expected = uninterrupted(capfd)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    more = ["-o", "other.txt", "--checkpoint-every", "1h", "-q"]
    assert run(capfd, "--resume", "../kept", *more) == (0, "")
    assert Path("other.txt").read_bytes() == expected
    assert not stopped.exists()


def test_resume__with_all_options_again_and_more_threads(stopped, capfd):
    again = ["corpus.parquet", "-o", stopped, "--checkpoint", "kept", *OPTIONS]
    code, _ = run(capfd, *again, "--resume", "kept", "--threads", "2")
    assert code == 0
    assert len(formats.load(stopped)) == 20


def test_resume__a_finished_run_writes_its_output_again(stopped, capfd):
    assert run(capfd, "--resume", "kept")[0] == 0
    expected = stopped.read_bytes()
    stopped.unlink()
    code, err = run(capfd, "--resume", "kept")
    assert code == 0
    assert "100.0% of the run" in err
    assert stopped.read_bytes() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dim", "9"], "dim is 9, but the run to go on with has 8: leave it out"),
        (["--seed", "2"], "seed is 2, but the run to go on with has 1"),
        (["--lr", "0.2"], "lr is 0.2, but the run to go on with has 0.1"),
        (["--fixed-window"], "dynamic-window is False, but the run to go on with has True"),
        (["--min-count", "2"], "min-count is 2, but the run to go on with has 1"),
        (["--max-vocab", "10"], "max-vocab is 10, but the run to go on with has None"),
        (["--column", "words"], "column is words, but the run to go on with has None"),
        (["--init-vectors", "v.txt"], "init-vectors is v.txt, but the run to go on with has None"),
        (["other.parquet"], "the corpus is not that of the run in kept"),
        (["--read-vocab", "words.txt"], "the vocabulary is not that of the run in kept"),
        (["--checkpoint", "elsewhere"], "leave out --checkpoint"),
        (["--checkpoint-every", "often"], "checkpoint-every is 'often': it must be like 30s"),
    ],
)
def test_resume__a_change_is_one_line_that_names_it(stopped, capfd, arguments, message):
    rows = pq.read_table("corpus.parquet")["text"].to_pylist()
    pq.write_table(pa.table({"text": [*rows[:-2], rows[-1], rows[-2]]}), "other.parquet")  # the same words
    Path("words.txt").write_text("".join(f"w{word} 7\n" for word in range(20)))
    before = sorted(Path("kept").rglob("*"))
    code, err = run(capfd, "--resume", "kept", *arguments)
    assert code == 2
    assert message in err.splitlines()[-1]
    assert sorted(Path("kept").rglob("*")) == before


def test_resume__damage_is_a_warning_and_the_result_the_same(stopped, capfd):
    newest = Path("kept/checkpoint-000004/center.npy")
    newest.write_bytes(newest.read_bytes()[:-1])
    code, err = run(capfd, "--resume", "kept")
    assert code == 0
    [warning] = [line for line in err.splitlines() if line.startswith("Warning: ")]
    assert "checkpoint-000004: the checkpoint is damaged" in warning
    assert "going on from kept/checkpoint-000003, 33.3% of the run" in err
    assert stopped.read_bytes() == uninterrupted(capfd)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--resume", "nowhere"], 2, "there is no such folder"),
        (["--resume", "empty"], 3, "holds no checkpoint"),
        (["corpus.parquet", "--checkpoint", "kept"], 2, "go on with it by --resume kept"),
        (["corpus.parquet", "--checkpoint", "no/such"], 5, "no/such"),
        (
            ["corpus.parquet", "--checkpoint", "new", "--holdout", "0.1", "--patience", "2"],
            2,
            "patience keeps",
        ),
        (["corpus.parquet", "--checkpoint-every", "5m"], 2, "needs --checkpoint DIR"),
        ([], 2, "no corpus given"),
    ],
)
def test_checkpoint__mistakes_are_one_line(stopped, capfd, arguments, code, message):
    Path("empty").mkdir()
    actual, err = run(capfd, *arguments)
    assert (actual, len(err.splitlines())) == (code, 1)
    assert message in err


def test_checkpoint__dry_run_makes_no_folder(folder, capfd):
    with pytest.raises(SystemExit):
        cli.main(["train", "corpus.parquet", "--checkpoint", "kept", "--dry-run", *OPTIONS])
    capfd.readouterr()
    assert not Path("kept").exists()


def test_checkpoint__divergence_names_the_good_one(folder, capfd, monkeypatch):
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)
    healthy = loop.require_healthy

    def require_healthy(vectors, mean_loss, objective, lr, n_calls=None):
        healthy(vectors, float("nan") if n_calls == 2 else mean_loss, objective, lr, n_calls)

    monkeypatch.setattr(loop, "require_healthy", require_healthy)
    code, err = run(capfd, "corpus.parquet", "--checkpoint", "kept", *EVERY_CALL, *OPTIONS)
    assert code == 4
    assert "lower --lr" in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith("the vectors in kept/checkpoint-000002 are good")
    assert np.isfinite(formats.load(Path("kept/checkpoint-000002/center.npy")).center_vectors).all()


LONG = ["--epochs", "1000000", "--dim", "64", "-v", "--checkpoint", "kept", "--checkpoint-every", "1h"]


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "expected"), [(1, 129), (2, 130), (15, 143)])
def test_signals__write_a_checkpoint_and_say_how_to_go_on(folder, signum, expected):
    command = [sys.executable, "-m", "fastw2v", "train", "corpus.parquet", *OPTIONS, *LONG]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        while not process.stderr.readline().startswith("training"):
            pass
        started = time.monotonic()
        process.send_signal(signum)
        last = process.stderr.readlines()[-1]
        code = process.wait(timeout=10)
    assert (code, time.monotonic() - started < 2) == (expected, True)
    assert last.startswith("Error: interrupted: 0.")
    assert last.endswith("of the run is kept, go on by: fastw2v train --resume kept\n")
    assert sorted(path.name for path in folder.iterdir()) == ["corpus.parquet", "kept"]
    assert [path.name for path in Path("kept").iterdir()] == ["checkpoint-000001"]


@pytest.mark.slow
def test_signals__a_terminal_that_goes_away_leaves_a_checkpoint(folder):
    """The kernel sends SIGHUP, and whatever is written to the terminal from then on fails."""
    command = [sys.executable, "-m", "fastw2v", "train", "corpus.parquet", *OPTIONS, *LONG]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pid, terminal = pty.fork()
    if not pid:
        os.execvpe(command[0], command, environment)
    seen = b""
    while b"training" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert [path.name for path in Path("kept").iterdir()] == ["checkpoint-000001"]
