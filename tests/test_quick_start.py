"""The quick start of the documentation does what it says, command after command, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", PAGE, re.MULTILINE)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where `fastw2v` and `python` are this interpreter and this package, as after installing."""
    shims = tmp_path / "bin"
    shims.mkdir()
    for name, module in (("python", ""), ("fastw2v", "-m fastw2v")):
        (shims / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (shims / name).chmod(0o755)
    path = f"{shims}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "FASTW2V_TRAIN_QUIET": "1"}


@pytest.mark.slow
def test_quick_start__every_command_works(tmp_path: Path, environment: dict[str, str]) -> None:
    pytest.importorskip("gensim")
    answers: dict[str, str] = {}
    first_bytes = b""
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        answers[command] = done.stdout
        if command.startswith("fastw2v train baskets.parquet"):
            first_bytes = (tmp_path / "baskets.bin").read_bytes()
    assert len(COMMANDS) > 12
    near = next(out for command, out in answers.items() if command.startswith("fastw2v nearest baskets"))
    assert {line.split("\t")[1] for line in near.splitlines()} == {"butter", "jam", "milk"}
    assert (tmp_path / "baskets.bin").read_bytes() == first_bytes  # trained again from its settings
    assert "geko" in next(out for command, out in answers.items() if command.startswith("fastw2v analogy"))
    made = {path.name for path in [*tmp_path.iterdir(), *(tmp_path / "demo").iterdir()]}
    assert {
        "map.html",
        "report.html",
        "baskets.vectors.parquet",
        "stopped.bin",
        "vectors.config.toml",
    } <= made


def test_quick_start__installs_as_the_readme_does() -> None:
    """The one block that is not run here; `make demo`, which CI runs, installs from the same folder."""
    (install,) = re.findall(r"```sh\n(.+?)\n```", PAGE, re.DOTALL)
    assert install == "pip install ."
    assert install in (ROOT / "README.md").read_text(encoding="utf-8")
