"""What the operating system says of this machine; None where it does not say."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from fastw2v.errors import UsageError

CONTAINER = Path("/sys/fs/cgroup")
CORES = Path("/sys/devices/system/cpu")
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def require_threads() -> None:
    """Raise UsageError where Python starts no thread any more: in a function of atexit, or later."""
    if not threading.main_thread().is_alive():
        raise UsageError("Python is ending and starts no more threads: train before its end, not in atexit")


def read_or_nothing(path: str | Path) -> str:
    """The text of a kernel file, or nothing where there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def sysctl(name: str) -> str | None:
    """What the kernel of macOS says of itself; None elsewhere, and where it does not know the name."""
    if sys.platform != "darwin":
        return None
    import subprocess

    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["/usr/sbin/sysctl", "-n", name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return None


def psutil() -> Any:
    """The library that asks other systems than Linux, where it comes with fastw2v; None without it."""
    try:
        return importlib.import_module("psutil")
    except ImportError:
        return None


def _field(text: str, name: str) -> str | None:
    match = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else None


def cpu_name() -> str | None:
    """The processor's name."""
    return _field(read_or_nothing("/proc/cpuinfo"), "model name") or sysctl("machdep.cpu.brand_string")


def huge_pages() -> str | None:
    """The state of transparent huge pages: always, madvise or never."""
    match = re.search(r"\[(\w+)\]", read_or_nothing(THP))
    return match[1] if match else None


def core_numbers() -> list[int]:
    """The cores that this process may run on; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    with contextlib.suppress(AttributeError):  # without psutil; on macOS, which binds no process to cores
        return sorted(psutil().Process().cpu_affinity())
    return list(range(os.cpu_count() or 1))


def can_bind() -> bool:
    """Whether a thread can be kept on some cores: on Linux."""
    return sys.platform == "linux"


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(core_numbers())


def cache_domains() -> list[list[int]]:
    """The cores that this process may run on, those together that share the last level of cache.

    None where the system does not say.
    """
    if sys.platform == "darwin":
        return _apple_domains()
    usable, domains = core_numbers(), dict[str, list[int]]()
    for core in usable:
        levels = CORES / f"cpu{core}" / "cache"
        shared = {
            int(read_or_nothing(index / "level") or 0): read_or_nothing(index / "shared_cpu_list")
            for index in levels.glob("index*")
        }
        if not shared:
            return []
        domains.setdefault(shared[max(shared)], []).append(core)
    return list(domains.values())


def _apple_domains() -> list[list[int]]:
    """The same on macOS, whose kinds of core share the second level; the slow kind comes first."""
    domains, first = list[list[int]](), 0
    for kind in reversed(range(int(sysctl("hw.nperflevels") or 0))):
        n_cores, n_sharing = (
            int(sysctl(f"hw.perflevel{kind}.{name}") or 0) for name in ("logicalcpu", "cpusperl2")
        )
        cores = list(range(first, first + n_cores))
        domains += [cores[i : i + n_sharing] for i in range(0, n_cores, n_sharing or 1)]
        first += n_cores
    return domains


def free_memory() -> int | None:
    """Bytes that can be had without swapping, within the limit of a container."""
    known = [size for size in (_available_memory(), _left_in_container()) if size is not None]
    return min(known, default=None)


def _available_memory() -> int | None:
    available = _field(read_or_nothing("/proc/meminfo"), "MemAvailable")
    if available:
        return int(available.split()[0]) * 1024
    library = psutil()
    return int(library.virtual_memory().available) if library else None


def _left_in_container() -> int | None:
    """What a control group (version 2) leaves; cached files count as used, so there may be more."""
    limit, used = (read_or_nothing(CONTAINER / name).strip() for name in ("memory.max", "memory.current"))
    return max(int(limit) - int(used), 0) if limit.isdecimal() and used.isdecimal() else None


def resident_memory() -> int | None:
    """Bytes of memory that this process holds (RSS)."""
    resident = _field(read_or_nothing("/proc/self/status"), "VmRSS")
    if resident:
        return int(resident.split()[0]) * 1024
    library = psutil()
    return int(library.Process().memory_info().rss) if library else None
