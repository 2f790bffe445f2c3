"""Standard streams that are closed, missing, full, broken, or lack the characters of an answer."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fastw2v
from fastw2v import cli
from fastw2v.show.progress import Display
from fastw2v.system.streams import SafeStream

ROWS = [["a", "b", "c"]] * 50
QUICK: dict[str, Any] = {"dim": 8, "epochs": 1, "min_count": 1, "sample": 0, "threads": 1}
TRAIN = "train c.txt -o w.txt --dim 4 --epochs 1 --min-count 1 --sample 0 --threads 1"
RUN = f"{sys.executable} -m fastw2v"


class ToLog:
    """A logger's stream: it takes text and no more."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        self.texts.append(text)


class Failing(io.StringIO):
    """A stream of which everything fails."""

    def isatty(self) -> bool:
        raise ValueError("no terminal here")

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {"none": None, "log": ToLog(), "failing": Failing(), "closed": closed(), "no stream": 3}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("verbose", [False, True])
def test_train__needs_no_stderr(stream: Any, verbose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert len(fastw2v.train(ROWS, verbose=verbose, **QUICK)) == 3


def test_train__writes_to_a_stream_that_takes_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing unless it is to be verbose."""
    log = ToLog()
    monkeypatch.setattr(sys, "stderr", log)
    fastw2v.train(ROWS, **QUICK)
    assert log.texts == []
    fastw2v.train(ROWS, verbose=True, **QUICK)
    assert log.texts[0].startswith("reading 100.0%  150 words")


def test_display__writes_no_more_where_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def write(text: str) -> int:
        written.append(text)
        raise BrokenPipeError

    stream = Failing()
    monkeypatch.setattr(stream, "write", write)
    display = Display(stream)
    display.say("one")
    display.say("two")
    display.close()
    assert written == ["one\n"]


def test_unfailing__escapes_what_an_encoding_lacks() -> None:
    buffer = io.BytesIO()
    stream = SafeStream(io.TextIOWrapper(buffer, encoding="latin-1", write_through=True))
    stream.write("żółw \ud800\n")
    assert buffer.getvalue() == b"\\u017c\xf3\\u0142w \\ud800\n"


# ---- The command -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with vectors v.txt, and a corpus c.txt."""
    (tmp_path / "v.txt").write_text("4 2\nthe 1 2\nżółw 2 1\ncat 1 1\nnaïve 2 2\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("żółw naïve the cat\n" * 50, encoding="utf-8")
    (tmp_path / "q.tsv").write_text("the\tżółw\t3\ncat\tnaïve\t4\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text(": żółwie\nthe cat żółw naïve\n", encoding="utf-8")
    return tmp_path


def shell(folder: Path, line: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a line of a shell, in which `fastw2v` is the command."""
    line = f'fastw2v() {{ {RUN} "$@"; }}; {line}'
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(Path(fastw2v.__file__).parent.parent)},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


@pytest.mark.slow
# One that is closed is none, buffered or not.
@pytest.mark.parametrize(("place", "unbuffered"), [("> /dev/full", ""), ("> /dev/full", "1"), (">&-", "")])
@pytest.mark.parametrize("command", ["nearest v.txt the", "--help", "doctor --json"])
def test_command__an_answer_that_cannot_be_written_is_exit_5(
    folder: Path, command: str, place: str, unbuffered: str
) -> None:
    code, _, err = shell(folder, f"fastw2v {command} {place}", PYTHONUNBUFFERED=unbuffered)
    assert code == 5
    assert err.startswith("Error: standard output takes no more (")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["--help", "nearest v.txt"])
def test_command__a_reader_that_leaves_is_exit_141(folder: Path, command: str) -> None:
    """As shells report a process that SIGPIPE ended."""
    line = f"yes the | head -9999 | fastw2v {command} | (exec <&-; sleep .1); exit ${{PIPESTATUS[2]}}"
    assert shell(folder, line) == (141, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2>&-", "2> /dev/full", "<&- >&- 2>&-", "2> >(exec <&-)"])
def test_train__trains_whatever_becomes_of_the_streams(folder: Path, streams: str) -> None:
    """Nor does a line of stderr end in a file that was opened where it was."""
    assert shell(folder, f"fastw2v {TRAIN} {streams}")[0] == 0
    assert len(fastw2v.load(folder / "w.txt")) == 4
    assert {path.name for path in folder.iterdir()} >= {"w.txt", "w.config.toml"}


@pytest.mark.parametrize("words", ["", "-"])
def test_nearest__a_closed_stdin_is_one_line(folder: Path, words: str) -> None:
    code, out, err = shell(folder, f"fastw2v nearest v.txt {words} <&-")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("encoding", ["latin-1", "latin-1:strict", "cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["nearest", "v.txt", "the"],
        ["analogy", "v.txt", "the", "cat", "naïve"],
        ["similarity", "v.txt", "the", "żółw"],
        ["odd-one-out", "v.txt", "the", "żółw", "cat"],
        ["vocab", "c.txt", "--min-count", "1"],
        ["evaluate", "v.txt", "--analogy", "a.txt", "--json"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_command__answers_in_any_encoding(
    folder: Path, arguments: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the encoding lacks is escaped, or for ASCII in UTF-8."""
    monkeypatch.chdir(folder)
    name, _, errors = encoding.partition(":")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=name, errors=errors or "strict") for _ in "oe")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert not stop.value.code
    out.flush()
    actual = out.buffer.getvalue()  # type: ignore[attr-defined]
    in_latin = b"\\u017c\xf3\\u0142w"
    assert ("żółw".encode() if name in ("ascii", "utf-8") else in_latin) in actual


@pytest.mark.parametrize("name", ["\udcff.bin", "ż\n.bin"])
def test_command__names_files_of_any_characters(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, on a stream of any encoding."""
    err = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="strict")
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as stop:
        cli.main(["nearest", str(tmp_path / name), "the"])
    err.flush()
    actual = err.buffer.getvalue()  # type: ignore[attr-defined]
    assert stop.value.code == 3
    assert actual.count(b"\n") == 1


# ---- Vectors on standard output ----------------------------------------------------------------------------

FAST = "--dim 4 --epochs 1 --min-count 1 --threads 1 --sample 0 --backend reference"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["-", "/dev/stdout"])
def test_train__writes_vectors_and_nothing_else_to_standard_output(folder: Path, target: str) -> None:
    code, out, err = shell(folder, f"cat c.txt | fastw2v train - {FAST} -o {target}")
    assert code == 0
    assert "read 200 words" in err
    assert shell(folder, f"fastw2v train c.txt {FAST} -q -o file.txt")[0] == 0
    assert out == (folder / "file.txt").read_text(encoding="latin-1")
    assert sorted(path.name for path in folder.glob("*config*")) == ["file.config.toml"]
    assert shell(folder, "fastw2v export v.txt - | diff - v.txt") == (
        0,
        "",
        "wrote 4 vectors to /dev/stdout\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", [f"train c.txt {FAST} -q -o -", "export v.txt -"])
def test_vectors__a_reader_that_leaves_is_exit_141(folder: Path, command: str) -> None:
    line = f"fastw2v {command} | (exec <&-; sleep .1); exit ${{PIPESTATUS[0]}}"
    assert shell(folder, line)[:2] == (141, "")


@pytest.mark.parametrize("command", [f"train c.txt {FAST} -o - --format npy", "export v.txt - --to parquet"])
def test_vectors__of_several_files_are_no_stream(folder: Path, command: str) -> None:
    code, out, err = shell(folder, f"fastw2v {command}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is for text and binary" in err


def test_train__refuses_to_replace_the_file_that_it_is_piped(folder: Path) -> None:
    before = (folder / "c.txt").read_bytes()
    code, _, err = shell(folder, f"fastw2v train - {FAST} -o c.txt < c.txt")
    assert (code, err.count("\n")) == (2, 1)
    assert "would replace what is read as" in err
    assert (folder / "c.txt").read_bytes() == before


@pytest.mark.slow
def test_train__goes_on_when_the_same_text_is_piped_again(folder: Path) -> None:
    kept = f"fastw2v train - {FAST} --checkpoint kept -q -o a.txt"
    assert shell(folder, f"cat c.txt | {kept}") == (0, "", "")
    code, _, err = shell(folder, "fastw2v train --resume kept < c.txt")
    assert (code, err) == (
        2,
        "Error: the run was begun on a pipe, -: pipe the same text again, and name it beside --resume\n",
    )
    assert shell(folder, "cat c.txt | fastw2v train - --resume kept -q -o b.txt") == (0, "", "")
    assert (folder / "a.txt").read_bytes() == (folder / "b.txt").read_bytes()
    code, _, err = shell(folder, "cat c.txt c.txt | fastw2v train - --resume kept -q")
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.slow
def test_train__of_process_substitution(folder: Path) -> None:
    line = f"fastw2v train <(gzip < c.txt) <(cat c.txt) {FAST} && ls *.vectors.txt"
    code, out, err = shell(folder, line)
    assert (code, out) == (0, "corpus.vectors.txt\n")
    assert "read 400 words in 100 rows" in err
