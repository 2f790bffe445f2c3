"""mpirun, as measurements and tests start several processes on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# Open MPI refuses to run as root, as containers do, unless it is told twice.
AS_ROOT = {
    f"{library}_ALLOW_RUN_AS_ROOT{more}": "1" for library in ("OMPI", "PRTE") for more in ("", "_CONFIRM")
}


def mpirun() -> str | None:
    """The launcher beside this Python, where its wheel is, or else of the system; None without mpi4py."""
    from fastw2v.distributed.communicator import has_mpi

    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which("mpirun", path=folders) if has_mpi() else None


def in_ranks(n_ranks: int, *command: str) -> list[str]:
    """A command line of Python's, run by so many processes, more than there are cores if need be."""
    launcher = [str(mpirun()), "-n", str(n_ranks), "--oversubscribe", "--bind-to", "none"]
    return [*(launcher if n_ranks > 1 else []), sys.executable, *command]


def variables(**more: str) -> dict[str, str]:
    """The environment to start it in."""
    return {**os.environ, **AS_ROOT, **more}


def ranks_of(pid: int) -> list[int]:
    """The processes of fastw2v that the launcher with this pid started, by their numbers; Linux only."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    ranks = [child for child in children if b"fastw2v" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return ranks + [rank for child in children for rank in ranks_of(child)]
