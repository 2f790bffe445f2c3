"""`fastw2v train --endless`: pipes, signals, what is written and when, options that mean nothing there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.options import endless
from fastw2v.run.saved_model import read_model

ROWS = [[f"w{i}" for i in row] for row in (60 * np.random.default_rng(1).random((455, 11)) ** 3).astype(int)]
TEXT = "".join(" ".join(row) + "\n" for row in ROWS)
OPTIONS = ["--endless", "--dim", "8", "--threads", "1", "--sample", "0", "--chunk-words", "1000"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text(TEXT)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str]:
    """The exit code of `fastw2v train`, and what it said."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *map(str, arguments)])
    captured = capfd.readouterr()
    assert captured.out == ""
    return stop.value.code, captured.err


def begun(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that trains on what it is piped."""
    command = [sys.executable, "-m", "fastw2v", "train", "-", *OPTIONS, *arguments]
    pipe = subprocess.PIPE
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(command, stdin=pipe, stderr=pipe, cwd=folder, env=env)


def until(condition: Any, process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so, while the process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---- What is written ---------------------------------------------------------------------------------------


def test_train__a_stream_is_what_python_makes_of_it(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, err = run(capfd, "c.txt", *OPTIONS, "--vocabulary-size", 40, "--save-every", 2000, "-o", "v.npy")
    *_, expected = fastw2v.train_endless(
        "c.txt", dim=8, threads=1, sample=0.0, chunk_words=1000, vocabulary_size=40
    )
    actual = fastw2v.load("v.npy")
    assert code == 0
    assert actual.words == expected.words
    assert actual.center_vectors.tobytes() == expected.center_vectors.tobytes()
    wrote = [line.split("after ")[1].split(" words")[0] for line in err.splitlines() if "wrote" in line]
    assert wrote == ["2,002", "4,004", "5,005"]
    assert "read and trained 5,005 words in" in err


def test_train__everything_beside_the_vectors_is_written(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    beside = ["--save-outside", "u.txt", "--save-vocab", "words.txt", "--save-model", "m"]
    code, _ = run(capfd, "c.txt", *OPTIONS, "-o", "v.txt", *beside, "--log-json", "log", "-q")
    vectors, outside = fastw2v.load("v.txt"), fastw2v.load("u.txt")
    counts = dict(line.split() for line in Path("words.txt").read_text().splitlines())
    assert code == 0
    assert vectors.words == outside.words == list(counts)
    assert read_model(Path("m")).words() == set(vectors.words)
    events = [json.loads(line) for line in Path("log").read_text().splitlines()]
    assert [record["event"] for record in events if record["event"] != "stream"] == ["start", "saved", "end"]
    assert events[-1]["words"] == 5005
    kept = tomllib.loads(Path("v.config.toml").read_text())
    assert (kept["endless"], kept["chunk-words"], kept["lr"]) == (True, 1000, "auto")


def test_train__its_configuration_makes_the_stream_again(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, "c.txt", *OPTIONS, "-o", "v.txt", "--lr", "0.05", "--preset", "items", "-q") == (0, "")
    before = Path("v.txt").read_bytes()
    Path("v.txt").unlink()
    assert run(capfd, "--config", "v.config.toml", "-q") == (0, "")
    assert Path("v.txt").read_bytes() == before


def test_train__goes_on_with_its_model_in_place(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two halves, cut where a chunk ends, come to what both at once do."""
    lines = TEXT.splitlines(keepends=True)
    Path("a.txt").write_text("".join(lines[:182]))
    Path("b.txt").write_text("".join(lines[182:]))
    for source, output in (("c.txt", "v.txt"), ("a.txt", "a.vec.txt")):
        more = [] if source == "c.txt" else ["--save-model", "m"]
        assert run(capfd, source, *OPTIONS, "--vocabulary-size", 40, "-o", output, "-q", *more) == (0, "")
    again = ["--continue", "m", "--save-model", "m", "-o", "b.vec.txt", "-q"]
    assert run(capfd, "b.txt", "--endless", "--threads", 1, "--chunk-words", 1000, *again) == (0, "")
    assert Path("b.vec.txt").read_bytes() == Path("v.txt").read_bytes()
    assert len(read_model(Path("m")).trainings) == 2


def test_train__a_corpus_that_breaks_leaves_what_was_learned(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = pa.table({"text": [" ".join(row) for row in ROWS]})
    pq.write_table(table, "a.parquet")
    pq.write_table(table, "b.parquet", row_group_size=91, write_page_checksum=True)
    data = bytearray(Path("b.parquet").read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 40] = b"x" * 40
    Path("b.parquet").write_bytes(data)
    code, err = run(capfd, "a.parquet", "b.parquet", *OPTIONS, "-o", "v.txt", "-q")
    assert (code, err.count("\n")) == (3, 1)
    assert "words are in v.txt" in err
    assert "is corrupt" in err
    assert len(fastw2v.load("v.txt")) > 20


def test_train__words_that_a_format_cannot_carry_are_told_when_they_join(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS[:200], *[["new york", "w1"]] * 99]
    pq.write_table(pa.table({"tokens": rows}), "l.parquet")
    options = [*OPTIONS, "--save-every", "1", "-o", "v.txt", "-q"]
    code, err = run(capfd, "l.parquet", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert "'new york'" in err
    assert "--escape" in err
    assert run(capfd, "l.parquet", *options, "--escape") == (0, "")


# ---- Signals -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal__while_a_pipe_pauses_all_that_came_is_in_the_vectors(
    folder: Path, signum: signal.Signals, code: int
) -> None:
    """Four chunks and 90 sentences came, and the pipe stays open."""
    process = begun(folder, "-o", "v.txt", "--save-every", "4000", "--save-model", "m", "--log-json", "log")
    assert process.stdin is not None
    process.stdin.write("".join(TEXT.splitlines(keepends=True)[:454]).encode())
    process.stdin.flush()
    until(lambda: (folder / "m").is_dir(), process)
    time.sleep(0.5)
    process.send_signal(signum)
    err = process.communicate()[1].decode()
    assert process.returncode == code
    assert "Error: interrupted: the vectors after 4,994 words are in v.txt\n" in err
    assert read_model(folder / "m").trainings[0].words == 4994
    *_, expected = fastw2v.train_endless(
        iter(ROWS[:454]), dim=8, threads=1, sample=0.0, chunk_words=1000, save_every=10**9
    )
    actual = fastw2v.load(folder / "v.txt")
    assert actual.words == expected.words
    np.testing.assert_allclose(actual.center_vectors, expected.center_vectors, atol=1e-6)


@pytest.mark.slow
def test_signal__while_text_comes_fast_ends_it_soon(folder: Path) -> None:
    """A chunk of minutes for the reference ends after its call; what it came to is written."""
    process = begun(folder, "-o", "v.txt", "--backend", "reference", "--chunk-words", "1000000", "-v")
    assert process.stdin is not None
    process.stdin.write(TEXT.encode() * 250)
    process.stdin.flush()
    until(lambda: b"loss 0.0000" not in (line := process.stderr.readline()) and b"stream" in line, process)  # type: ignore[union-attr]
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    err = process.communicate()[1].decode()
    assert process.returncode == 143
    assert time.monotonic() - started < 60
    assert "words are in v.txt" in err
    assert len(fastw2v.load(folder / "v.txt")) == 60


@pytest.mark.slow
def test_signal__before_anything_was_learned_nothing_is_written(folder: Path) -> None:
    process = begun(folder, "-o", "v.txt", "-v")
    assert process.stdin is not None
    process.stdin.write(b"one sentence\n")
    process.stdin.flush()
    until(lambda: b"no end in sight" in process.stderr.readline(), process)  # type: ignore[union-attr]
    process.send_signal(signal.SIGTERM)
    err = process.communicate()[1].decode()
    assert process.returncode == 143
    assert err.endswith("Error: interrupted: nothing was written\n")
    assert not (folder / "v.txt").exists()


# ---- Options -----------------------------------------------------------------------------------------------


BAD = {
    "--epochs is 9": ["--epochs", "9"],
    "--minutes is 1.0": ["--minutes", "1"],
    "--min-lr is 0.01": ["--min-lr", "0.01"],
    "--shuffle does nothing with --endless": ["--shuffle"],
    "--loss is 'hierarchical-softmax'": ["--loss", "hierarchical-softmax"],
    "--subwords is '3-6'": ["--subwords", "3-6"],
    "--holdout is 0.1": ["--holdout", "0.1"],
    "--phrases is 2": ["--phrases", "2"],
    "--group-by is 'g'": ["--group-by", "g"],
    "--max-vocab is 9": ["--max-vocab", "9"],
    "by --save-model, and go on by --continue": ["--checkpoint", "k"],
    "--resume is 'k'": ["--resume", "k"],
    "--memory-limit is '2GB'": ["--memory-limit", "2GB"],
    "--read-vocab is ('w.txt',)": ["--read-vocab", "w.txt"],
    "--init-vectors is 'v.txt'": ["--init-vectors", "v.txt"],
    "--dry-run does nothing with --endless": ["--dry-run"],
    "--graph does nothing with --endless": ["--graph"],
    "--pairs does nothing with --endless": ["--pairs"],
    "-o - takes vectors once": ["-o", "-"],
    "-o /dev/stdout takes vectors once": ["-o", "/dev/stdout"],
    "m: is a file": ["--save-model", "m"],
    "c.txt holds no model": ["--continue", "c.txt"],
    "--vocabulary-size is 1": ["--vocabulary-size", "1"],
    "--block-size is 16": ["--kernel", "pair", "--block-size", "16"],
    "would replace what is read": ["-o", "c.txt"],
    "holds no float16": ["-o", "v.txt", "--float16"],
    "there is no folder": ["-o", "no/v.txt"],
}


@pytest.mark.parametrize("message", BAD)
def test_train__what_means_nothing_is_refused_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], message: str
) -> None:
    Path("m").write_text("")
    before = sorted(folder.iterdir())
    code, err = run(capfd, "c.txt", "--endless", *BAD[message])
    assert code in (2, 5)
    assert message in err
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_train__without_a_stream_its_options_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for flag, value in (("--vocabulary-size", 9), ("--save-every", 9), ("--chunk-words", 9)):
        code, err = run(capfd, "absent.txt", flag, value)
        assert code == 2
        assert f"{flag} is 9: that is for a stream: set --endless, or leave {flag} out" in err
    code, err = run(capfd, "--endless")
    assert "no corpus given" in err


def test_train__the_kernels_are_those_of_any_other_run(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All that a stream says nothing against trains it."""
    for more in (["--architecture", "cbow"], ["--kernel", "pair"], ["--deterministic"], ["--lowercase"]):
        assert run(capfd, "c.txt", *OPTIONS, "-o", "v.txt", "-q", *more) == (0, "")
    assert not {"architecture", "kernel", "deterministic"} & set(endless.IDLE)


# ---- The page ----------------------------------------------------------------------------------------------

PAGE = (Path(__file__).parent.parent / "docs" / "endless.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("    fastw2v ")]
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_page__does_what_it_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("logs").mkdir()
    for name in ("a", "b"):
        pq.write_table(pa.table({"text": TEXT.splitlines()}), f"logs/{name}.parquet")
    for name in ("monday.txt", "tuesday.txt"):
        Path(name).write_text(TEXT)
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        assert run(capfd, *command[2:], "--threads", 1, "-q") == (0, "")
    assert len(read_model(Path("state")).trainings) == 2
    assert read_model(Path("state")).stream["vocabulary_size"] == 50_000
    names: dict[str, Any] = {"fastw2v": fastw2v, "sentences": lambda: iter(ROWS)}
    (snippet,) = SNIPPETS
    exec(snippet, names)
    assert fastw2v.load("now.bin").words == names["vectors"].words
