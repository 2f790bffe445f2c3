"""Libraries that another one imports where they are installed, and a start does without."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fastw2v.kernels.absent import absent

ROOT = Path(__file__).parent.parent


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a library that is installed and not loaded."""
    (tmp_path / "a_library.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "a_library", raising=False)
    return "a_library"


def test_absent__is_for_this_block_and_thread_alone(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finders = list(sys.meta_path)
    other = threading.Thread(target=__import__, args=[library])
    with absent(library):
        with pytest.raises(ModuleNotFoundError, match=f"No module named {library!r}") as raised:
            __import__(library)
        assert library not in sys.modules
        import textwrap  # others are found

        assert textwrap
        other.start()
        other.join()
        assert library in sys.modules  # and what is loaded stays so
        __import__(library)
    assert raised.value.name == library
    assert sys.meta_path == finders
    monkeypatch.delitem(sys.modules, library)
    __import__(library)


def loaded(code: str, folder: Path) -> set[str]:
    """The modules that a fresh interpreter has after this code, run in a folder."""
    lines = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-P", "-c", lines], cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


@pytest.mark.slow
def test_kernels__come_without_what_numba_takes_along(tmp_path: Path) -> None:
    """But with what is asked for: a file of settings, lines that are being measured."""
    for name in ("yaml", "coverage", "scipy"):
        (tmp_path / f"{name}.py").write_text("def safe_load(file): return {'developer_mode': 1}\n")
    code = f"sys.path.insert(1, {str(tmp_path)!r})\nimport fastw2v.kernels\n"
    assert loaded(code, tmp_path) & {"yaml", "coverage", "scipy"} == set()
    (tmp_path / ".numba_config.yaml").write_text("developer_mode: 1\n")
    code += "assert fastw2v.kernels.config.DEVELOPER_MODE == 1\n"
    assert "yaml" in loaded(code, tmp_path)
    code = "import coverage\nimport fastw2v.kernels\n"
    code += "from numba.misc import coverage_support\nassert coverage_support.coverage_available"
    pytest.importorskip("coverage")
    (tmp_path / "coverage.py").unlink()
    assert "coverage" in loaded(code, tmp_path)
