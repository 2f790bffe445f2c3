"""Every JIT option of the package, once, with its reason, and where machine code is cached."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

# Reassociation lets LLVM vectorise a dot product (without it: scalar code, 5 times slower).
# No nnan and ninf: they would let LLVM fold isfinite() away and hide a diverged run.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

ENOUGH_FREE = 100 << 20  # bytes; a full disk in the middle of Numba's own writing would end the run
# Modules outside this folder that kernels are made of.
BESIDE = ("reading/tokenizer", "reading/encoding", "layout")


def source_fingerprint() -> str:
    """One name for the present text of all jitted modules and the tuples in their signatures.

    Numba's cache notices changes of the defining file only (a changed helper module gives stale results),
    and fails to load an index that names a class which a newer version moved. A folder for each state of
    the sources has neither fault.
    """
    package = Path(__file__).parent.parent
    files = [*sorted((package / "kernels").glob("*.py")), *(package / f"{name}.py" for name in BESIDE)]
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()


def find_cache_folder() -> str | None:
    """The user's own folder for machine code, made if need be; None where none can be written or space ends.

    NUMBA_CACHE_DIR, else XDG_CACHE_HOME, else ~/.cache. Never a shared folder: Numba's cache files are
    pickles, so whoever can write there can run code.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastw2v"
        folder = Path(config.CACHE_DIR or cache) / f"kernels-{source_fingerprint()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        has_space = shutil.disk_usage(folder).free > ENOUGH_FREE
    except (OSError, RuntimeError):  # no home, or no right to write there
        return None
    return str(folder) if has_space and os.access(folder, os.W_OK) else None


CACHE_FOLDER = find_cache_folder()


def decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """An njit with the package's cache folder and options.

    nogil: reading ahead and signals go on beside a kernel. error_model: no branch at every division.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        shared = config.CACHE_DIR
        config.CACHE_DIR = CACHE_FOLDER or shared
        try:
            return njit(cache=CACHE_FOLDER is not None, nogil=True, error_model="numpy", **options)(function)
        finally:
            config.CACHE_DIR = shared

    return decorate


jit = decorator()
fast_jit = decorator(fastmath=FASTMATH)
parallel_jit = decorator(parallel=True)
# For functions that only kernels call: no wrappers to call them from Python or C. Unpacking a worker's
# scratch from Python objects is more code than most of these functions.
inner_jit = decorator(fastmath=FASTMATH, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# For the two functions between a kernel and its steps: inlined before compilation, because LLVM would
# optimise all their callees again at each level of calls.
level_jit = decorator(fastmath=FASTMATH, inline="always")
# For a helper that LLVM left as a call: the prefetch between tiles (a kept word 1.32 us, inlined 1.21).
inlined_jit = decorator(forceinline=True)
# For the tokenizer, whose loops end in several ways: there Numba leaves the counting of references to arrays,
# an atomic instruction each (61 ns a token, without 28). Such a function cannot make arrays.
bare_jit = decorator(_nrt=False)
bare_inlined_jit = decorator(forceinline=True, _nrt=False)
