"""Systems that the suite does not run on: what can be played of them (tests/windows.py), and names."""

from __future__ import annotations

import ast
import filecmp
import os
import subprocess
import sys
import types
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pyarrow as pa
import pytest

from fastw2v.corpus.files import partitions
from fastw2v.corpus.files.remote import LOCAL, File
from fastw2v.errors import OutputError
from fastw2v.system import files, machine, portable
from fastw2v.system.files import atomic_folder, atomic_writer, descriptor_of
from fastw2v.system.locks import locked

ROOT = Path(__file__).parent.parent

EVERY_MODULE = """
import importlib, pkgutil, fastw2v
optional = ("fastw2v.distributed.mpi", "fastw2v.sklearn")
# It imports packages by itself to look into them, optional ones too: what fails of the others fails below.
for found in pkgutil.walk_packages(fastw2v.__path__, "fastw2v.", lambda name: None):
    if not found.name.startswith((*optional, "fastw2v.__main__")):
        importlib.import_module(found.name)
print("all")
"""

# Import, train, stop, resume, export, ask, count, phrases: the whole way, with files that lie beside it.
WHOLE_WAY = """
import sys
from fastw2v import cli
from fastw2v.training import budget, spans

def run(line, code=0):
    try:
        cli.main(line.split())
    except SystemExit as stop:
        assert stop.code == code, (line, stop.code)

options = "--dim 8 --epochs 3 --threads 1 --min-count 1 {backend}"
run(f"train corpus.txt -o whole.txt --save-vocab counts.txt --cache-dir cache {{options}}")
run(f"train corpus.txt -o whole.txt --cache-dir cache --memory-limit 1G --log-json run.jsonl {{options}}")
spans.CALL_SECONDS, plain = 0.0, budget.Epochs.progress

def progress(epochs, position, *arguments):
    if position.epoch == 1:
        raise KeyError("stop")
    return plain(epochs, position, *arguments)

budget.Epochs.progress = progress
try:
    run(f"train corpus.txt -o resumed.txt --checkpoint kept --checkpoint-every 1words {{options}}")
except KeyError:
    budget.Epochs.progress = plain
run("train --resume kept")
for name in ("v.npy", "v.bin", "v.parquet", "v.tsv"):
    run(f"export whole.txt {{name}}")
    run(f"export whole.txt {{name}}")
run("nearest whole.txt w1 -n 3")
run("nearest whole.txt w1 -n 3")
run("similarity whole.txt w1 w2")
run("vocab corpus.txt")
run("train --help")
run("doctor")
"""
EXACT = ("whole.txt", "resumed.txt", "counts.txt", "v.vocab.txt", "v.npy", "v.bin", "v.tsv")


def write_corpus(path: Path) -> None:
    """Two hundred lines of twenty words, one with characters that no 8-bit console has."""
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{word}" for word in rng.integers(0, 20, 50)) for _ in range(200)]
    path.write_text("\n".join([*lines, "日本 ∝ … ł w1"]) + "\n", encoding="utf-8", newline="\n")


def run_program(program: str, folder: Path, *, windows: str | None) -> subprocess.CompletedProcess[bytes]:
    """Run a program in a folder: as it is, or on what is left of this system for Windows."""
    command = [sys.executable, *(["-m", "tests.windows"] if windows else []), "-c", program]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COVERAGE_PROCESS_START": ""}
    environment |= {"PYTHONIOENCODING": windows} if windows else {}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=280)


@pytest.mark.slow
def test_windows__every_module_is_imported(tmp_path: Path) -> None:
    done = run_program(EVERY_MODULE, tmp_path, windows="cp1252")
    assert (done.returncode, done.stdout.split()) == (0, [b"all"]), done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "encoding"), [("--backend reference", "cp1252"), ("--kernel block", "cp437")]
)
def test_windows__the_whole_way_gives_the_same_bytes(tmp_path: Path, backend: str, encoding: str) -> None:
    program = WHOLE_WAY.format(backend=backend)
    for side, windows in (("linux", None), ("windows", encoding)):
        folder = tmp_path / side
        folder.mkdir()
        write_corpus(folder / "corpus.txt")
        done = run_program(program, folder, windows=windows)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        assert b"Traceback" not in done.stderr
    sides = [tmp_path / "linux", tmp_path / "windows"]
    assert filecmp.cmpfiles(*sides, EXACT, shallow=False) == (list(EXACT), [], [])
    assert sorted(path.name for path in sides[0].iterdir()) == sorted(
        path.name for path in sides[1].iterdir()
    )
    assert b"found the encoded corpus" in done.stderr
    assert not list(sides[1].rglob(".fastw2v-*"))
    assert not (sides[1] / "kept" / "in-use").exists()


# --- calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_positions", [True, False])
def test_positions__all_bytes_come_back_whatever_one_call_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_positions: bool
) -> None:
    monkeypatch.setattr(portable, "HAS_POSITIONS", has_positions)
    monkeypatch.setattr(portable, "MOST_AT_ONCE", 7)  # as a call beyond 2 GB comes back short
    numbers, back = np.arange(100, dtype=np.int32), np.zeros(100, np.int32)
    with (tmp_path / "file").open("w+b") as file:
        portable.write_at(file.fileno(), numbers, 10)
        assert portable.read_into(file.fileno(), back, 10) == 400
        assert portable.read_into(file.fileno(), np.zeros(9, np.uint8), 406) == 4
    np.testing.assert_array_equal(back, numbers)


def test_map_file__without_flags_is_private_and_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "HAS_FLAGS", False)
    (tmp_path / "file").write_bytes(b"abc")
    with (tmp_path / "file").open("rb") as file:
        pages = portable.map_file(file.fileno())
    pages[0:1] = b"x"
    assert (tmp_path / "file").read_bytes() == b"abc"
    assert bytes(portable.memory_pages(10)) == bytes(10)


def test_locked__is_of_one_at_a_time_and_leaves_nothing(tmp_path: Path) -> None:
    with locked(tmp_path / "a") as has_locks:
        assert has_locks
        with pytest.raises(BlockingIOError), locked(tmp_path / "a"):
            pass
        assert (tmp_path / "a").exists()
    with locked(tmp_path / "a"):
        pass
    with locked(tmp_path / "no" / "a") as has_locks:
        assert not has_locks
    assert list(tmp_path.iterdir()) == []


def test_atomic_writer__keeps_the_work_where_another_program_has_the_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(portable, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(Path, "replace", refused)
    target = tmp_path / "v.txt"
    target.write_bytes(b"old")
    for _ in range(2):
        with (
            pytest.raises(OutputError, match=r"another program has it open; .* is in .*v\.txt\.new"),
            atomic_writer(target) as file,
        ):
            file.write(b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.txt", "v.txt.new", "v.txt.new1"]
    assert (target.read_bytes(), (tmp_path / "v.txt.new").read_bytes()) == (b"old", b"new")


def test_patiently__a_file_that_a_scanner_has_open_for_a_moment_is_renamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portable, "PATIENCE_SECONDS", 1.0)
    calls = []

    def change() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise PermissionError

    portable.patiently(change)
    assert len(calls) == 3


def test_patiently__waits_only_where_scanners_keep_names() -> None:
    assert (portable.PATIENCE_SECONDS > 0) == (os.name == "nt")


def test_atomic_folder__two_may_work_side_by_side(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "a") as first, atomic_folder(tmp_path / "b") as second:
        files.require_writable(tmp_path / "v.txt")
        assert first.is_dir()
        assert second.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


# --- the machine -------------------------------------------------------------------------------------------


def test_machine__without_proc_asks_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    held = types.SimpleNamespace(rss=5)
    process = types.SimpleNamespace(memory_info=lambda: held, cpu_affinity=lambda: [1, 0])
    library = types.SimpleNamespace(
        virtual_memory=lambda: types.SimpleNamespace(available=7), Process=lambda: process
    )
    monkeypatch.setitem(sys.modules, "psutil", library)
    monkeypatch.setattr(machine, "read_or_nothing", lambda path: "")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert (machine.free_memory(), machine.resident_memory(), machine.core_numbers()) == (7, 5, [0, 1])
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert (machine.free_memory(), machine.resident_memory()) == (None, None)
    assert machine.core_numbers() == list(range(os.cpu_count() or 1))


def test_machine__macos_says_cores_and_caches_by_sysctl(monkeypatch: pytest.MonkeyPatch) -> None:
    """An M1 Pro of ten cores: two slow ones, and eight fast ones by four."""
    answers = {
        "hw.nperflevels": "2",
        "hw.perflevel0.logicalcpu": "8",
        "hw.perflevel0.cpusperl2": "4",
        "hw.perflevel1.logicalcpu": "2",
        "hw.perflevel1.cpusperl2": "2",
        "machdep.cpu.brand_string": "Apple M1 Pro",
    }
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine, "sysctl", answers.get)
    monkeypatch.setattr(machine, "read_or_nothing", lambda path: "")
    assert machine.cache_domains() == [[0, 1], [2, 3, 4, 5], [6, 7, 8, 9]]
    assert machine.cpu_name() == "Apple M1 Pro"


def test_sync__on_macos_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    told = types.SimpleNamespace(F_FULLFSYNC=51, fcntl=lambda descriptor, what: asked.append(what))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "fcntl", told)
    with (tmp_path / "file").open("wb") as file:
        portable.sync(file.fileno())
    assert asked == [51]


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "on_windows", "elsewhere"),
    [
        ("file:///C:/a%20b/c.txt", "C:/a b/c.txt", "/C:/a b/c.txt"),
        ("file:///c:", "c:", "/c:"),
        ("file:///home/a", "/home/a", "/home/a"),
        ("file:///ab:/c", "/ab:/c", "/ab:/c"),
    ],
)
def test_path_of__a_drive_is_no_folder(uri: str, on_windows: str, elsewhere: str) -> None:
    assert portable.path_of(uri, is_windows=True) == on_windows
    assert portable.path_of(uri, is_windows=False) == elsewhere


def test_descriptor_of__whatever_the_slashes_are() -> None:
    for kind in (PurePosixPath, PureWindowsPath):
        assert descriptor_of(kind("/dev/stdout")) == 1
        assert descriptor_of(kind("/dev/fd/7")) == 7
    assert descriptor_of(PureWindowsPath(r"C:\dev\stdout")) is None


def test_with_keys__folders_of_windows_are_keys_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "PurePath", PureWindowsPath)
    path = r"C:\data\year=2020\part-0.parquet"
    (file,) = partitions.with_keys([File(path, path, LOCAL)])
    assert [(key.name, key.value) for key in file.keys] == [("year", pa.scalar(2020, pa.int32()))]


# --- text --------------------------------------------------------------------------------------------------

TEXT_CALLS = {"read_text", "write_text", "open"}


def opened_without_encoding(path: Path) -> list[int]:
    """Lines that read or write text in whatever encoding a system has."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        is_method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg for keyword in node.keywords}
        mode = next((one.value for one in node.args if isinstance(one, ast.Constant)), "")
        is_path = name != "open" or (not node.args and not named) or mode in ("r", "w", "a", "x", "r+", "w+")
        if (
            name in TEXT_CALLS
            and is_path
            and (is_method or name == "open")
            and "encoding" not in named
            and None not in named
        ):
            found.append(node.lineno)
    return found


def test_text__is_utf_8_on_every_system() -> None:
    own = {path: opened_without_encoding(path) for path in (ROOT / "fastw2v").rglob("*.py")}
    assert {path: lines for path, lines in own.items() if lines} == {}
