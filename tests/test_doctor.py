"""What `fastw2v doctor` finds is so, and its advice comes exactly when it applies."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from fastw2v.kernels.compiler import Compiler
from fastw2v.kernels.tiles.amx import HAS_AMX
from fastw2v.show import doctor
from fastw2v.show.doctor import Findings, advice, describe, examine
from fastw2v.system import machine

ROOT = Path(doctor.__file__).parent.parent


def run_doctor(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "fastw2v", "doctor", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def healthy() -> Findings:
    """A machine with nothing to improve."""
    compiler = Compiler("znver5", 512, False, False, False, "/home/user/.cache/fastw2v/kernels-1", 20, False)
    return Findings(
        {"python": "3.11.7"},
        {"gensim": None},
        "a CPU",
        8,
        8,
        [[*range(8)]],
        90.0,
        1 << 34,
        "madvise",
        compiler,
    )


def test_examine__agrees_with_the_machine() -> None:
    findings = examine()
    assert findings.versions["numpy"] == version("numpy")
    assert findings.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert findings.cores_usable == len(os.sched_getaffinity(0)) <= findings.cores_present
    assert findings.memory_free is not None
    assert 1 << 20 < findings.memory_free < 1 << 50
    flags = machine.read_or_nothing("/proc/cpuinfo")
    assert (findings.compiler.vector_bits == 512) == ("avx512f" in flags)
    assert findings.compiler.has_bfloat16 == ("avx512_bf16" in flags)
    assert findings.compiler.has_amx == HAS_AMX
    assert findings.compiler.bfloat16_pays == (
        HAS_AMX or ("avx512_bf16" in flags and "amx_tile" not in flags)
    )


def test_advice__is_silent_on_a_healthy_machine(healthy: Findings) -> None:
    assert advice(healthy) == []


@pytest.mark.parametrize(
    ("change", "compiler", "expected"),
    [
        ({}, {"is_jit_off": True}, "NUMBA_DISABLE_JIT"),
        ({}, {"cache_folder": None}, "XDG_CACHE_HOME"),
        ({}, {"cached_functions": 0}, "first run compiles"),
        ({"cores_usable": 2}, {}, "2 of 8 cores"),
        ({}, {"has_bfloat16": True, "bfloat16_pays": True}, "--precision bfloat16"),
        ({"huge_pages": "never"}, {}, "echo madvise"),
        ({"memory_free": 1 << 29}, {}, "less than 1 GB"),
    ],
)
def test_advice__one_line_for_each_cause(
    healthy: Findings, change: dict[str, Any], compiler: dict[str, Any], expected: str
) -> None:
    ill = dataclasses.replace(healthy, **change, compiler=healthy.compiler._replace(**compiler))
    (line,) = advice(ill)
    assert expected in line
    assert "\n" not in line


def test_describe__names_cache_domains_and_the_speed_to_expect(
    healthy: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "can_bind", lambda: True)
    parts = [[0, 1, 2, 3, 8], [5, 6]]
    shown = dict(describe(dataclasses.replace(healthy, cache_domains=parts, core_gflops=100.0)))
    assert shown["cache domains"] == "0-3+8, 5-6; each has copies of the hottest rows"
    assert shown["to expect"].startswith("8.0 M words/s (dim 300, -k 10)")
    assert dict(describe(healthy))["cache domains"] == "0-7"


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({}, "no AVX512-BF16"),
        ({"has_bfloat16": True}, "yes, by AVX512-BF16"),
        ({"has_bfloat16": True, "has_amx": True}, "yes, by matrix tiles (AMX)"),
    ],
)
def test_describe__names_what_multiplies_bfloat16(
    healthy: Findings, has: dict[str, bool], expected: str
) -> None:
    found = dataclasses.replace(healthy, compiler=healthy.compiler._replace(**has))
    assert dict(describe(found))["bfloat16"] == expected


def test_advice__leaves_bfloat16_out_where_it_is_slower(healthy: Findings) -> None:
    """A processor with AMX that may not be used."""
    found = dataclasses.replace(healthy, compiler=healthy.compiler._replace(has_bfloat16=True))
    assert advice(found) == []


def test_core_gflops__is_of_the_work_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that says a microsecond passes with each look at it."""
    ticks = itertools.count()
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: next(ticks) * 1e-6)
    assert doctor.core_gflops() == pytest.approx(2 * 32 * 32 * 256 / 1e-6 / 1e9)


def test_cache_domains__are_the_cores_of_one_last_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CORES", tmp_path)
    monkeypatch.setattr(machine, "core_numbers", lambda: [0, 1, 2, 5])
    assert machine.cache_domains() == []
    for core in range(6):
        for index, (level, shared) in enumerate([(1, f"{core}"), (3, "0-1" if core < 2 else "2-5"), (2, "")]):
            folder = tmp_path / f"cpu{core}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            (folder / "level").write_text(f"{level}\n")
            (folder / "shared_cpu_list").write_text(f"{shared}\n")
    assert machine.cache_domains() == [[0, 1], [2, 5]]


def test_describe__says_what_is_unknown(healthy: Findings) -> None:
    shown = dict(
        describe(dataclasses.replace(healthy, memory_free=None, huge_pages=None, cpu=None, cache_domains=[]))
    )
    assert shown["cache domains"] == "unknown"
    assert shown["memory free"] == shown["huge pages"] == "unknown"
    assert shown["processor"] == "unknown (znver5)"
    assert shown["extras"] == "none"


@pytest.mark.slow
def test_doctor__prints_lines_or_json(tmp_path: Path) -> None:
    lines = run_doctor(XDG_CACHE_HOME=str(tmp_path), NUMBA_CACHE_DIR="").splitlines()
    names = [line[:14].strip() for line in lines]
    assert names[:3] == ["versions", "processor", "cores"]
    assert f"{tmp_path}/fastw2v/kernels-" in lines[names.index("kernel cache")]
    assert names[-1] == "faster"
    content = json.loads(run_doctor("--json", NUMBA_THREADING_LAYER="tbb"))
    assert content["versions"]["fastw2v"] == doctor.__version__
    assert not content["compiler"]["is_jit_off"]


def test_resident_memory__grows_with_what_is_held() -> None:
    before = machine.resident_memory()
    held = b"x" * (64 << 20)
    after = machine.resident_memory()
    assert before is not None
    assert after is not None
    assert len(held) * 0.9 < after - before < len(held) * 2


def test_read_or_nothing__is_nothing_where_there_is_no_file() -> None:
    assert machine.read_or_nothing("/no/such/file") == ""
