"""Results as JSON lines, each with what is needed to understand it later."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import click

from fastw2v.version import __version__


def cpu_name() -> str:
    """The processor as Linux names it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def instructions() -> str:
    """The widest instructions that kernels are compiled to, as people call them."""
    from fastw2v.kernels.tiles.amx import HAS_AMX
    from fastw2v.kernels.tiles.registers import FEATURES, IS_ARM, WIDE

    if WIDE:
        return "AVX-512, AMX" if HAS_AMX else "AVX-512"
    return "NEON" if IS_ARM else "AVX2" if FEATURES.get("avx2") else "SSE2"


def commit() -> str:
    """The commit that is measured, with a + where the tree differs from it."""
    try:
        name = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        folder = Path(__file__).parent
        return subprocess.run(name, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def environment() -> dict[str, Any]:
    """Commit, CPU, its instructions, cores and versions."""
    from fastw2v.system.machine import usable_cores

    packages = ("numpy", "numba", "llvmlite", "pyarrow")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "fastw2v": __version__,
        "commit": commit(),
        "cpu": cpu_name(),
        "instructions": instructions(),
        "cores": usable_cores(),
        "python": platform.python_version(),
        **versions,
    }


class Records:
    """Results of this command, kept and written to a file as they come, a JSON object a line."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.common = path, environment()
        self.run = f"{self.common['time']}-{os.getpid()}"
        self.rows: list[dict[str, Any]] = []

    def add(self, **result: Any) -> None:
        """Keep a result with the environment it was got in; `run` names the command it belongs to."""
        row = {**self.common, "run": self.run, **result}
        self.rows.append(row)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def read_records(path: Path) -> list[dict[str, Any]]:
    """All results of a file. Raises click's BadParameter naming the line that is no JSON object."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise click.BadParameter(f"{path}: line {number} is no JSON object: {line[:40]!r}")
        rows.append(row)
    return rows
