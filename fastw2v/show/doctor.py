"""What of this machine decides how fast training is, and what would make it faster."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from fastw2v.kernels.compiler import Compiler, compiler
from fastw2v.system import machine
from fastw2v.system.machine import usable_cores
from fastw2v.version import __version__

REQUIRED = ("numpy", "numba", "llvmlite", "pyarrow", "click")
OPTIONAL = ("fsspec", "gensim", "matplotlib", "pandas", "polars", "safetensors")
LOW_MEMORY = 1 << 30
# A core of a Zen 4 that multiplies such matrices at 93 GFLOP/s trains .94 M words a second: dim 300, k 10,
# the other options as they are by default, two cores at work.
FLOP_A_WORD = 1e5
SIDE, DEPTH, TRIES = 32, 256, 400  # about what a block multiplies; NumPy does it on one core, in 6 us


@dataclass(frozen=True)
class Findings:
    """What was found.

    versions       of Python, fastw2v and what it needs
    extras         of packages that work with it where they are installed, else None
    cpu            name of the processor
    cores_usable   by this process, of cores_present
    cache_domains  the usable cores, those together that share the last level of cache; none where not known
    core_gflops    that a core does in small matrix products, now
    memory_free    bytes, or None where the system does not say
    huge_pages     always, madvise, never, or None
    compiler       Compiler
    """

    versions: dict[str, str]
    extras: dict[str, str | None]
    cpu: str | None
    cores_usable: int
    cores_present: int
    cache_domains: list[list[int]]
    core_gflops: float
    memory_free: int | None
    huge_pages: str | None
    compiler: Compiler


def installed(package: str) -> str | None:
    """The version of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def core_gflops() -> float:
    """GFLOP/s of one core in products of matrices as small as a block's, the best of some milliseconds."""
    left, right = np.ones((SIDE, DEPTH), np.float32), np.ones((DEPTH, SIDE), np.float32)
    product, best = np.empty((SIDE, SIDE), np.float32), float("inf")
    for _ in range(TRIES):
        started = time.perf_counter()
        np.matmul(left, right, out=product)
        best = min(best, time.perf_counter() - started)
    return 2 * SIDE * SIDE * DEPTH / best / 1e9


def words_to_expect(findings: Findings) -> float:
    """Words a second of `train` on all usable cores, as far as the speed of a core tells."""
    return findings.cores_usable * findings.core_gflops * 1e9 / FLOP_A_WORD


def examine() -> Findings:
    """Look at this machine and this process; takes as long as importing Numba."""
    needed = {package: installed(package) or "missing" for package in REQUIRED}
    return Findings(
        versions={"fastw2v": __version__, "python": platform.python_version(), **needed},
        extras={package: installed(package) for package in OPTIONAL},
        cpu=machine.cpu_name() or platform.processor() or None,
        cores_usable=usable_cores(),
        cores_present=os.cpu_count() or 1,
        cache_domains=machine.cache_domains(),
        core_gflops=core_gflops(),
        memory_free=machine.free_memory(),
        huge_pages=machine.huge_pages(),
        compiler=compiler(),
    )


def advice(findings: Findings) -> list[str]:
    """What would make training here faster, a line each; nothing where all is well."""
    kernels = findings.compiler
    checks = {
        "NUMBA_DISABLE_JIT is set: unset it, kernels cannot run without being compiled": kernels.is_jit_off,
        "machine code cannot be kept, so each run compiles for some seconds: "
        "set XDG_CACHE_HOME or NUMBA_CACHE_DIR to a folder you may write to": kernels.cache_folder is None,
        "the kernel cache is empty: the first run compiles for some seconds, "
        "later ones start at once": kernels.cache_folder is not None and not kernels.cached_functions,
        f"this process may use {findings.cores_usable} of {findings.cores_present} cores: "
        "lift taskset's or the container's limit": findings.cores_usable < findings.cores_present,
        "--precision bfloat16 is up to 1.2 times as fast here, with vectors as good": kernels.bfloat16_pays,
        f"huge pages are off: as root, echo madvise > {machine.THP}": findings.huge_pages == "never",
        "less than 1 GB of memory is free: a large vocabulary will not fit, raise --min-count "
        "or lower --dim": (findings.memory_free or LOW_MEMORY) < LOW_MEMORY,
    }
    return [line for line, applies in checks.items() if applies]


def cores_named(numbers: list[int]) -> str:
    """Cores as ranges: 0-3+8."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return "+".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)


def domains_named(domains: list[list[int]]) -> str:
    """The cores of each cache domain, and what workers do where there are several."""
    names = ", ".join(map(cores_named, domains)) or "unknown"
    has_copies = len(domains) > 1 and machine.can_bind()
    return f"{names}; each has copies of the hottest rows" if has_copies else names


def bfloat16_named(kernels: Compiler) -> str:
    """By which instructions products of bfloat16 are made."""
    if kernels.has_amx:
        return "yes, by matrix tiles (AMX)"
    return "yes, by AVX512-BF16" if kernels.has_bfloat16 else "no AVX512-BF16"


def describe(findings: Findings) -> list[tuple[str, str]]:
    """Findings as names and texts, in the order to show them."""
    kernels = findings.compiler
    versions = findings.versions
    memory, expected = findings.memory_free, words_to_expect(findings) / 1e6
    extras = [f"{name} {number}" for name, number in findings.extras.items() if number]
    state = f"{kernels.cached_functions} compiled functions" if kernels.cached_functions else "empty"
    return [
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("processor", f"{findings.cpu or 'unknown'} ({kernels.cpu})"),
        ("cores", f"{findings.cores_usable} usable of {findings.cores_present}"),
        ("cache domains", domains_named(findings.cache_domains)),
        (
            "to expect",
            f"{expected:.1f} M words/s (dim 300, -k 10), if little else runs",
        ),
        ("vectors", f"{kernels.vector_bits} bits, {kernels.vector_bits // 32} float32 at once"),
        ("bfloat16", bfloat16_named(kernels)),
        ("kernel cache", f"{kernels.cache_folder}, {state}" if kernels.cache_folder else "not writable"),
        ("huge pages", findings.huge_pages or "unknown"),
        ("memory free", "unknown" if memory is None else f"{memory / 1e9:,.1f} GB"),
        ("extras", ", ".join(extras) or "none"),
    ]
