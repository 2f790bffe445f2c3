"""The page on going on with new text: its commands and snippets, run in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from tests.test_continuing import NEW, OLD

PAGE = (Path(__file__).parent.parent / "docs" / "going-on.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("    fastw2v ")]
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_page__does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rows in (("yesterday", OLD), ("today", NEW)):
        pq.write_table(pa.table({"text": [" ".join(row) for row in rows]}), f"{name}.parquet")
    assert len(COMMANDS) == 2
    for command in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            cli.main([*command[1:], "--threads", "1"])
        assert stop.value.code == 0, capfd.readouterr().err
    words = set(fastw2v.load("tuesday.vectors.txt").words)
    assert words > set(fastw2v.load("monday.vectors.txt").words)
    names: dict[str, object] = {"fastw2v": fastw2v}
    for snippet in SNIPPETS:
        exec(snippet, names)
    vectors = names["vectors"]
    assert isinstance(vectors, fastw2v.Embeddings)
    assert set(vectors.words) == words
    assert len(names["rows"]) == len(words) < len(names["counts"])  # type: ignore[arg-type]
