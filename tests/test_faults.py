"""Small forms of `python -m bench faults`, each with a twin that is broken on purpose and must be noticed."""

from __future__ import annotations

import errno
import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench.__main__ as command
from bench import checked, damage, faults, injection, stops
from bench.injection import Trial
from fastw2v import cli
from fastw2v.corpus.read import read_corpus
from fastw2v.kernels import jit

ROOT = Path(__file__).parent.parent


# --- the n-th call -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", injection.TRIALS)
def test_sweep__every_failing_call_leaves_the_old_or_the_new(tmp_path, name):
    swept = injection.sweep(name, tmp_path, errno.ENOSPC)
    assert swept.wrong == []
    assert swept.n_faults >= (30 if name == "checkpoint" else 4)


@pytest.mark.slow
def test_sweep__every_end_of_a_process_leaves_the_old_or_the_new(tmp_path):
    arguments = [sys.executable, "-m", "bench.injection", str(tmp_path), "checkpoint", "npy"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=True)
    found = [line.split("\t") for line in done.stdout.splitlines()]
    assert [wrong for _, wrong in found] == ["", ""]
    assert [int(number) > 10 for number, _ in found] == [True, True]


def write_after_removing(path):
    """What no writer here does: the old file goes before the new one is in its place."""
    (path / "new").write_bytes(b"new")
    (path / "v.bin").unlink()
    (path / "new").rename(path / "v.bin")


def test_sweep__notices_a_writer_that_removes_first(tmp_path, monkeypatch):
    def is_sound(path):
        return [own.read_bytes() for own in path.iterdir()] in ([b"old"], [b"new"])

    broken = Trial(lambda path: (path / "v.bin").write_bytes(b"old"), write_after_removing, is_sound)
    monkeypatch.setitem(injection.TRIALS, "broken", broken)
    [wrong] = injection.sweep("broken", tmp_path, errno.EIO).wrong
    assert "call='rename', number=1" in wrong


# --- full disk ---------------------------------------------------------------------------------------------


def run_cli(arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return stop.value.code


@pytest.mark.parametrize("option", ["-o", "--checkpoint"])
def test_train__full_disk_names_path_and_bytes_and_leaves_nothing(tmp_path, capfd, option):
    """A limit to the size of files acts like a full disk."""
    damage.make_parquet(tmp_path)
    arguments = ["train", str(tmp_path / "c.parquet"), "--min-count", "1", "--epochs", "1", "--threads", "1"]
    assert run_cli([*arguments, "-o", "/dev/null"]) == 0  # compiles, which writes too
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        code = run_cli([*arguments, "-o", "/dev/null", option, str(tmp_path / "target.bin")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    last = capfd.readouterr().err.splitlines()[-1]
    assert code == 5
    assert str(tmp_path / "target.bin") in last
    assert "bytes missing" in last
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["c.parquet"]


# --- damaged files -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", damage.READERS)
def test_readers__damaged_files_are_refused_or_read(tmp_path, name):
    found = list(damage.outcomes_of(damage.READERS[name], tmp_path, range(60)))
    assert set(found) <= {"refused", "alike"}
    assert found.count("refused") > 20 or name == "kept corpus"  # which is made anew


def test_outcomes_of__notices_silent_differences_and_foreign_errors(tmp_path):
    """Text has no checksums; and a reader that trusts its file fails in the middle."""

    def make(folder):
        (folder / "c.txt").write_text("a b c\n" * 50)
        return [folder / "c.txt"]

    def trust(folder):
        assert len((folder / "c.txt").read_bytes()) == 300

    ids = damage.Reader(make, lambda folder: read_corpus(folder / "c.txt", min_count=1).ids.tobytes())
    assert "different" in damage.outcomes_of(ids, tmp_path, range(30))
    found = damage.outcomes_of(damage.Reader(make, trust), tmp_path, range(30))
    assert any(kind.startswith("AssertionError") for kind in found)


PROGRAM = """
import os, sys
for i in range(int(sys.argv[3]), 5):
    if i == 2:
        os._exit(9)
    print("alike", flush=True)
"""


def test_count_outcomes__counts_a_process_that_ends_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(damage, "ROOT", tmp_path)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()  # or an installed package of that name comes before it
    (tmp_path / "bench" / "damage.py").write_text(PROGRAM)
    found = damage.count_outcomes("text", tmp_path, 5)
    assert found == {"alike": 4, "crash, exit code 9 at file 2": 1}


# --- kills and the long run --------------------------------------------------------------------------------


@pytest.mark.slow
def test_kill__runs_finish_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(stops, "SECONDS_OF_TRAINING", 0.3)
    outcome = faults.killed_alone(tmp_path, 3)
    assert outcome.passed, outcome.figures
    assert outcome.figures.startswith("3 kills")


@pytest.mark.slow
def test_soak__trains_stops_and_goes_on(monkeypatch):
    monkeypatch.setattr(stops, "DIMS", (8,))
    monkeypatch.setattr(stops, "KERNELS", ("pair",))
    done = stops.soak(1.0)
    assert done.wrong == []
    assert done.n_runs >= 2


# --- kernels compiled otherwise ----------------------------------------------------------------------------


def run_checked(way, times, **environment):
    """Kernels of another build are kept beside the usual ones: compiling them takes half a minute."""
    own = {**os.environ, "NUMBA_CACHE_DIR": str(Path(jit.CACHE_FOLDER or ".") / way), **environment}
    arguments = [sys.executable, "-W", "ignore", "-m", "bench.checked", way, str(times)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, env=own, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_bounds__kernels_stay_within_their_arrays():
    """A twin, in `require_checks`: this build notices an id that is too large."""
    checked = run_checked("bounds", 10, NUMBA_BOUNDSCHECK="1")
    assert "10 corpora each of block, plain, pair, tokenizer" in checked


def test_require_checks__notices_a_build_without_checks():
    def unchecked(*inputs):
        pass

    with pytest.raises(AssertionError, match="unnoticed"):
        checked.require_checks(unchecked, checked.TrainConfig(dim=16))


@pytest.mark.slow
def test_plain__what_needs_no_compiler_runs_without():
    assert "2 corpora" in run_checked("plain", 2, NUMBA_DISABLE_JIT="1")


@pytest.mark.slow
def test_generic__kernels_agree_with_the_reference_on_any_processor():
    assert "largest difference" in run_checked("generic", 1, NUMBA_CPU_NAME="generic")


# --- the table ---------------------------------------------------------------------------------------------


def test_faults__prints_a_table_and_fails_with_a_row(tmp_path, monkeypatch):
    def row(name):
        passed = name == "good"
        return faults.Row(
            f"do {name}", 20, "all well", lambda _, times: faults.Outcome(f"{times} times", passed)
        )

    rows = {name: row(name) for name in ("good", "bad")}
    monkeypatch.setattr(faults, "ROWS", rows)
    for names, code in ((["good"], 0), (["good", "bad"], 1)):
        chosen = itertools.chain.from_iterable(("--row", name) for name in names)
        done = CliRunner().invoke(command.main, ["faults", "--share", "0.1", *chosen])
        assert done.exit_code == code, done.output
        assert "| do good | 2 times | all well | yes |" in done.output
    assert "| do bad | 2 times | all well | NO |" in done.output


def test_faults__unknown_row_is_named():
    done = CliRunner().invoke(command.main, ["faults", "--row", "nothing"])
    assert done.exit_code == 2
    assert "'nothing' is none of kill, " in done.output
