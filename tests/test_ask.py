"""Questions on the command line and from standard input, and the cache that makes the second one quick."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.vectors import cache, formats
from fastw2v.vectors.embeddings import Embeddings

WORDS = ["right", "up", "between", "left", "New York"]
PLANE = np.array([[1, 0], [0, 2], [3, 3], [-1, 0], [2, 0]], dtype=np.float32)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "v.parquet"
    formats.save(path, Embeddings(WORDS, PLANE))
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


def type_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


# of angles 0, 90, 45, 180 and 0 degrees: b - a + c is (-2, 1), the mean of four (0.18, 0.43) at 67.5 degrees
QUESTIONS = [
    (["analogy", "right", "up", "left", "-n", "1"], "right\tup\tleft\tbetween\t-0.3162\n"),
    (["similarity", "right", "between"], "right\tbetween\t0.7071\n"),
    (["odd-one-out", "right", "up", "between", "left"], "right up between left\tleft\t-0.3827\n"),
    (["nearest", "right", "New York", "-n", "1"], "right\tNew York\t1.0000\nNew York\tright\t1.0000\n"),
]


@pytest.mark.parametrize(("arguments", "expected"), QUESTIONS)
def test_ask__on_the_command_line(
    vectors: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    command, *words = arguments
    assert run(capfd, command, vectors, *words) == (0, expected, "")


@pytest.mark.parametrize("dash", [[], ["-"]])
def test_ask__from_standard_input(
    vectors: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dash: list[str]
) -> None:
    type_in(monkeypatch, b"right\n\n  New York \nup")
    code, out, err = run(capfd, "nearest", vectors, *dash, "-n", 1)
    assert (code, err) == (0, "")
    assert out == "right\tNew York\t1.0000\nNew York\tright\t1.0000\nup\tbetween\t0.7071\n"


def test_ask__words_of_a_line_are_parted_by_tabs_or_spaces(
    vectors: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, b"right   up\nNew York\tleft\r\n")
    assert run(capfd, "similarity", vectors) == (0, "right\tup\t0.0000\nNew York\tleft\t-1.0000\n", "")


def test_ask__goes_on_after_a_line_that_cannot_be_answered(
    vectors: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(monkeypatch, b"right up\nrihgt up\nright\n\xff left\nup left\n")
    code, out, err = run(capfd, "similarity", vectors)
    assert code == 1
    assert out == "right\tup\t0.0000\nup\tleft\t0.0000\n"
    unknown, short, broken, last = err.splitlines()
    assert unknown == "line 2: 'rihgt' is not among the 5 words; did you mean right?"
    assert short == "line 3: 1 words were given; 2 are needed: A B"
    assert broken.startswith("line 4: ")
    assert last == "Error: 3 of 5 lines could not be answered"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["similarity", "right"], "1 words were given; 2 are needed: A B"),
        (["analogy", "right", "up"], "2 words were given; 3 are needed: A B C"),
        (["odd-one-out", "right", "up"], "2 words were given; the odd one out is of at least 3"),
        (["odd-one-out", "right", "up", "lfet"], "'lfet' is not among the 5 words; did you mean left?"),
        (["nearest", "lfet"], "did you mean left?"),
        (["nearest", "up", "-n", "0"], "Error: --number is 0: it must be at least 1"),
    ],
)
def test_ask__what_cannot_be_answered_is_one_line(
    vectors: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    command, *words = arguments
    code, out, err = run(capfd, command, vectors, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_ask__answers_before_the_next_line_comes(vectors: Path) -> None:
    """A program can ask, read the answer, and ask again."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    command = [sys.executable, "-m", "fastw2v", "nearest", str(vectors), "-n", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environment) as process:  # type: ignore[call-overload]
        for word, expected in (("up", "up\tbetween\t0.7071\n"), ("right", "right\tNew York\t1.0000\n")):
            process.stdin.write(f"{word}\n")
            process.stdin.flush()
            assert process.stdout.readline() == expected
        process.stdin.close()
        assert process.wait(timeout=20) == 0


# ---- The cache ---------------------------------------------------------------------------------------------


@pytest.fixture
def many(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Embeddings:
    """Vectors that are worth keeping."""
    monkeypatch.setattr("fastw2v.vectors.cache.SMALLEST_BYTES", 100)
    return Embeddings([f"w{i}" for i in range(50)], rng.normal(size=(50, 6)).astype(np.float32))


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def assert_same(actual: Embeddings, expected: Embeddings) -> None:
    assert actual.words == expected.words
    assert np.array_equal(actual.center_vectors, expected.center_vectors)
    np.testing.assert_allclose(actual.norms, expected.norms)


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.npy", "v.parquet", "model.safetensors"])
def test_open_vectors__maps_the_second_time(
    tmp_path: Path, many: Embeddings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said: list[str] = []
    formats.save(tmp_path / name, many)
    assert_same(cache.open_vectors(tmp_path / name, tmp_path / "c", on_kept=said.append), many)
    monkeypatch.setattr("fastw2v.vectors.formats.load", lambda *_, **__: pytest.fail("was read again"))
    actual = cache.open_vectors(tmp_path / name, tmp_path / "c", on_kept=said.append)
    assert_same(actual, many)
    assert not actual.center_vectors.flags.writeable
    assert len(said) == 1
    matrix = next(path for path in (tmp_path / "c").glob("*.npy") if "norms" not in path.name)
    assert matrix.is_symlink() is (name == "v.npy")


def test_open_vectors__a_changed_file_is_read_anew_and_the_old_one_forgotten(
    tmp_path: Path, many: Embeddings
) -> None:
    path = tmp_path / "v.txt"
    formats.save(path, many)
    cache.open_vectors(path, tmp_path / "c")
    changed = Embeddings(many.words[::-1], many.center_vectors)
    formats.save(path, changed)
    assert_same(cache.open_vectors(path, tmp_path / "c"), changed)
    assert len(list((tmp_path / "c").iterdir())) == 4


def test_open_vectors__an_npy_file_with_other_words_is_read_anew(tmp_path: Path, many: Embeddings) -> None:
    formats.save(tmp_path / "v.npy", many)
    cache.open_vectors(tmp_path / "v.npy", tmp_path / "c")
    time.sleep(0.01)
    words = [f"x{i}" for i in range(50)]
    (tmp_path / "v.vocab.txt").write_text("".join(f"{word} 1\n" for word in words))
    assert cache.open_vectors(tmp_path / "v.npy", tmp_path / "c").words == words


@pytest.mark.usefixtures("many")
def test_open_vectors__escapes_are_kept_apart(tmp_path: Path) -> None:
    expected = Embeddings(["New York", *(f"a{i}" for i in range(20))], np.ones((21, 2), dtype=np.float32))
    formats.save(tmp_path / "v.txt", expected, escape=True)
    for unescape, word in ((True, "New York"), (False, r"New\sYork")) * 2:
        actual = cache.open_vectors(tmp_path / "v.txt", tmp_path / "c", unescape=unescape)
        assert actual.words[0] == word


@pytest.mark.parametrize("suffix", [".npy", ".norms.npy", ".words"])
@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"a\nb"])
def test_open_vectors__a_damaged_cache_is_made_anew(
    tmp_path: Path, many: Embeddings, suffix: str, content: bytes | None
) -> None:
    path = tmp_path / "v.bin"
    formats.save(path, many)
    cache.open_vectors(path, tmp_path / "c")
    [victim] = [p for p in (tmp_path / "c").iterdir() if p.name.partition(".")[2] == suffix[1:]]
    victim.unlink() if content is None else victim.write_bytes(content)
    for _ in range(2):
        assert_same(cache.open_vectors(path, tmp_path / "c"), many)


def test_open_vectors__without_a_place_to_keep_them(tmp_path: Path, many: Embeddings) -> None:
    said: list[str] = []
    formats.save(tmp_path / "v.txt", many)
    (tmp_path / "c").write_text("a file, not a folder")
    assert_same(cache.open_vectors(tmp_path / "v.txt", tmp_path / "c", on_kept=said.append), many)
    assert said[0].startswith("not kept for the next time: ")


def test_open_vectors__small_files_are_not_kept(
    tmp_path: Path, many: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastw2v.vectors.cache.SMALLEST_BYTES", 1 << 24)
    formats.save(tmp_path / "v.txt", many)
    assert_same(cache.open_vectors(tmp_path / "v.txt", tmp_path / "c"), many)
    assert not (tmp_path / "c").exists()


def test_nearest__says_where_it_keeps_a_copy_once(
    tmp_path: Path, many: Embeddings, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "v.txt"
    formats.save(path, many)
    code, expected, err = run(capfd, "nearest", path, "w1", "--no-cache")
    assert (code, err) == (0, "")
    assert not (tmp_path / "home").exists()
    code, out, err = run(capfd, "nearest", path, "w1")
    assert (code, out) == (0, expected)
    assert err == f"{path}: kept in {tmp_path}/home/fastw2v/vectors, so that the next time is quick\n"
    assert run(capfd, "nearest", path, "w1") == (0, expected, "")
