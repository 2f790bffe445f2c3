"""What the operating system says of this machine; None where it does not say."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

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


def _field(text: str, name: str) -> str | None:
    match = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else None


def cpu_name() -> str | None:
    """The processor's name."""
    return _field(read_or_nothing("/proc/cpuinfo"), "model name")


def huge_pages() -> str | None:
    """The state of transparent huge pages: always, madvise or never."""
    match = re.search(r"\[(\w+)\]", read_or_nothing(THP))
    return match[1] if match else None


def core_numbers() -> list[int]:
    """The cores that this process may run on; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(core_numbers())


def cache_domains() -> list[list[int]]:
    """The cores that this process may run on, those together that share the last level of cache.

    None where the system does not say.
    """
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


def free_memory() -> int | None:
    """Bytes that can be had without swapping, within the limit of a container."""
    known = [size for size in (_available_memory(), _left_in_container()) if size is not None]
    return min(known, default=None)


def _available_memory() -> int | None:
    available = _field(read_or_nothing("/proc/meminfo"), "MemAvailable")
    if available:
        return int(available.split()[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _left_in_container() -> int | None:
    """What a control group (version 2) leaves; cached files count as used, so there may be more."""
    limit, used = (read_or_nothing(CONTAINER / name).strip() for name in ("memory.max", "memory.current"))
    return max(int(limit) - int(used), 0) if limit.isdecimal() and used.isdecimal() else None


def resident_memory() -> int | None:
    """Bytes of memory that this process holds (RSS)."""
    resident = _field(read_or_nothing("/proc/self/status"), "VmRSS")
    return int(resident.split()[0]) * 1024 if resident else None
