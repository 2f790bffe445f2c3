"""`fastw2v cache`: the copies that questions keep, by what became of their files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.errors import OutputError
from fastw2v.vectors import cache, formats
from fastw2v.vectors.copies import copies, remove
from fastw2v.vectors.embeddings import Embeddings

FILES = ("current.txt", "changed.txt", "gone.txt", "linked.npy", "incomplete.txt")


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(["cache", *arguments])
    captured = capfd.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of five copies, each in another state, and a file that is none of them."""
    monkeypatch.setattr("fastw2v.vectors.cache.SMALLEST_BYTES", 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    folder = cache.default_folder()
    words = [f"w{i}" for i in range(50)]
    for name in FILES:
        formats.save(tmp_path / name, Embeddings(words, np.ones((50, 4), np.float32)))
        cache.open_vectors(tmp_path / name, folder)
    (tmp_path / "gone.txt").unlink()
    later = (tmp_path / "changed.txt").stat().st_mtime_ns + 10**10
    os.utime(tmp_path / "changed.txt", ns=(later, later))
    unfinished = next(copy for copy in copies(folder) if copy.source == tmp_path / "incomplete.txt")
    next(part for part in unfinished.parts if part.suffix == ".words").unlink()
    (folder / "notes.txt").write_text("of the user")
    return folder


def test_cache__shows_each_copy(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd)
    rows = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert {Path(name).name: state for _, state, name in rows} == {
        name: "current" if name == "linked.npy" else name.removesuffix(".txt") for name in FILES
    }
    sizes = [int(size) for size, _, _ in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert err == f"{folder}: holds 5 copies, {sum(sizes) / 1e6:.1f} MB\n"


@pytest.mark.parametrize(("option", "left"), [("--prune", ["current.txt", "linked.npy"]), ("--clear", [])])
def test_cache__removes_copies_and_nothing_else(
    option: str, left: list[str], folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capfd, option)
    assert (code, out) == (0, "")
    assert f"removed {5 - len(left)} copies" in err
    assert sorted(copy.source.name for copy in copies(folder) if copy.source) == left
    assert (folder / "notes.txt").read_text() == "of the user"
    assert (tmp_path / "linked.npy").stat().st_size > 800  # the link went, not the file
    assert len(cache.open_vectors(tmp_path / "current.txt", folder)) == 50


def test_cache__of_a_release_that_kept_no_names(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for source in folder.glob("*.source"):
        source.unlink()
    assert {line.split("\t")[2] for line in run(capfd)[1].splitlines()} == {"?"}


def test_cache__that_is_not_there_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, out, err = run(capfd)
    assert (code, out) == (0, "")
    assert "holds 0 copies, 0.0 MB" in err
    assert not (tmp_path / "fastw2v").exists()


def test_cache__refuses_both_options(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capfd, "--prune", "--clear")
    assert (code, err) == (2, "Error: --clear removes what --prune would, too: leave --prune out\n")


def test_cache__says_what_cannot_be_read_or_removed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be read"):
        copies(tmp_path / "current.txt")
    kept = copies(folder)[0]
    blocked = tmp_path / "folder.words"
    blocked.mkdir()
    with pytest.raises(OutputError, match="cannot be removed"):
        remove(kept._replace(parts=(blocked,)))
