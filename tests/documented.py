"""Pages of the documentation whose commands are run, in a folder that holds what the page says is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_COMMANDS = 6  # from raw data to the result


def answers_of(page: str, folder: Path) -> list[str]:
    """What the commands of a page print, which is one that goes the whole way."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    assert len(commands) <= MOST_COMMANDS
    shims = folder / "bin"
    shims.mkdir()
    for name, module in (("python", ""), ("fastw2v", "-m fastw2v")):
        (shims / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (shims / name).chmod(0o755)
    path = f"{shims}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    answers = []
    for command in commands:
        line = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(
            line,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        answers.append(done.stdout)
    return answers
