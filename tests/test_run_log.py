"""The JSON lines of a run: what a program that watches it relies on."""

from __future__ import annotations

import errno
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from fastw2v import cli
from fastw2v.errors import OutputError
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Progress

QUICK = ["-q", "--dim", "4", "--threads", "1", "--epochs", "2", "--min-count", "1", "--sample", "0"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("a b c d a c b\n" * 30)
    return path


def records(path: Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def train(*arguments: object) -> object:
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *map(str, arguments)])
    return stop.value.code


def test_train__logs_settings_progress_and_result(corpus: Path) -> None:
    log, output = corpus.with_name("log.jsonl"), corpus.with_name("v.txt")
    before = time.time()
    assert train(corpus, "-o", output, "--log-json", log, *QUICK) == 0
    start, read, *progress, end = records(log)
    assert [start["event"], read["event"], end["event"]] == ["start", "corpus", "end"]
    assert start["settings"]["dim"] == 4
    assert start["version"] == cli.__version__
    assert before - 1 < start["time"] <= end["time"]
    assert (read["words"], read["rows"], read["vocabulary"]) == (210, 30, 4)
    last = progress[-1]
    assert last["event"] == "progress"
    assert last["words"] == last["words_total"] == end["words"] == 420
    assert (last["share"], last["seconds_left"]) == (1.0, 0.0)
    assert last["memory"] > 1e6
    assert end["output"] == str(output)
    assert (end["vectors"], end["dim"]) == (4, 4)


def test_train__logs_the_error_that_ends_it(corpus: Path) -> None:
    log = corpus.with_name("log.jsonl")
    options = [*QUICK, "--lr", "1e6", "--kernel", "pair"]
    assert train(corpus, "-o", corpus.with_name("v.txt"), "--log-json", log, *options) == 4
    last = records(log)[-1]
    assert (last["event"], last["kind"]) == ("error", "DivergedError")
    assert "lower --lr" in last["message"]


def test_train__log_must_be_writable_and_its_own(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = corpus.with_name("v.txt")
    assert train(corpus, "-o", output, "--log-json", "/no/such/folder/log", *QUICK) == 5
    assert "/no/such/folder" in capfd.readouterr().err
    assert train(corpus, "-o", output, "--log-json", output, *QUICK) == 2
    assert "same name" in capfd.readouterr().err
    assert not output.exists()


def test_progress__comes_once_a_second_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RunLog(path) as log:
        for words in (1, 2, 3, 10):
            log.progress(Progress(words, 10, 0.1, 0.01, float("nan")))
    assert [record["words"] for record in records(path)] == [1, 10]
    assert records(path)[0]["mean_loss"] is None


def test_run_log__without_a_path_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with RunLog(None) as log:
        log.start({})
        log.progress(Progress(1, 1, 0.1, 0.01, 1.0))
    assert list(tmp_path.iterdir()) == []


def test_run_log__full_disk_is_an_output_error() -> None:
    with RunLog(Path("/dev/full")) as log, pytest.raises(OutputError, match="/dev/full"):
        log.record("start", text="x" * 100_000)


class FullDisk(io.StringIO):
    """As Python 3.14 keeps what could not be written, closing tries again."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.flush()


def test_run_log__full_disk_is_told_once(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run.jsonl") as log:
        assert log.file
        log.file.close()
        log.file = FullDisk()
        with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
            log.record("start")
        log.record("end")


def test_run_log__what_closing_cannot_write_is_an_output_error(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "run.jsonl")
    assert log.file
    log.file.close()
    log.file = FullDisk()
    with pytest.raises(OutputError, match="cannot be written"):
        log.__exit__(None, None, None)
