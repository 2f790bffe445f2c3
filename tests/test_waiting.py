"""What a command says that takes more than two seconds: what it does, and for how long."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest
from click.testing import CliRunner

from fastw2v.cli import cli
from fastw2v.show import progress
from fastw2v.show.progress import Display, Waiting
from fastw2v.vectors.embeddings import Embeddings


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_waiting__shows_what_goes_on_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    monkeypatch.setattr(progress, "WAITING_SECONDS", 0.0)
    terminal = Terminal()
    with Waiting(Display(terminal), "reading it") as waiting:
        for what in ("reading it", "writing it"):
            waiting.tell(what)
            while f"\r{what}  0:0" not in terminal.getvalue():  # the suite's timeout ends it
                time.sleep(0.01)
    assert terminal.getvalue().endswith(" \r")


@pytest.mark.parametrize(("stream", "seconds"), [(Terminal(), 2.0), (io.StringIO(), 10.0)])
def test_waiting__says_nothing_of_what_is_quick(
    stream: io.StringIO, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor in a log before ten seconds, where a line stays."""
    monkeypatch.delenv("TERM", raising=False)
    waited: list[float] = []
    waiting = Waiting(Display(stream), "reading it")
    waiting._over = SimpleNamespace(wait=lambda pause: waited.append(pause) or True, set=lambda: None)  # type: ignore[assignment]
    with waiting:
        pass
    assert waited == [seconds]
    assert stream.getvalue() == ""


COMMANDS: dict[str, list[str]] = {
    "nearest v.txt bread": ["reading v.txt"],
    "similarity v.txt bread jam --no-cache": ["reading v.txt"],
    "export v.txt v.npy": ["reading v.txt", "writing v.npy"],
    "evaluate v.txt --similarity pairs.tsv": ["reading v.txt", "judging v.txt"],
    "recommend v.txt --every-item -o r.parquet": ["reading v.txt", "writing r.parquet"],
    "report v.txt -o r.html": ["reading v.txt", "writing r.html"],
    "map v.txt -o m.html --method pca": ["reading v.txt", "laying out v.txt", "writing m.html"],
    "sequences v.txt corpus.txt -o s.parquet": ["reading v.txt"],
}


@pytest.mark.parametrize("line", COMMANDS)
def test_commands__say_what_they_wait_for(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Told:
        """In the place of Waiting."""

        def __init__(self, display: Display, what: str) -> None:
            told.append(what)

        def tell(self, what: str) -> None:
            told.append(what)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *error: Any) -> None:
            return None

    monkeypatch.setattr(progress, "Waiting", Told)
    monkeypatch.chdir(tmp_path)
    words = ["bread", "jam", "tea", "milk"]
    rng = np.random.default_rng(0)
    Embeddings(words, rng.normal(size=(4, 3)).astype(np.float32)).save("v.txt")
    Path("pairs.tsv").write_text("bread jam 7\ntea milk 6\nbread milk 2\n")
    Path("corpus.txt").write_text("bread jam\ntea milk\n")
    result = CliRunner().invoke(cli, line.split(), env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert result.exit_code == 0, result.output
    assert [what for what in told if what in COMMANDS[line]] == COMMANDS[line]
