"""Every JIT option of the package, once, with its reason, and where machine code is cached."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numba import config, njit, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import overload

from fastw2v.errors import UsageError
from fastw2v.kernels.code_cache import CodeCache
from fastw2v.kernels.inlined import Inlined
from fastw2v.kernels.tiles.amx import HAS_AMX

# Reassociation lets LLVM vectorise a dot product (without it: scalar code, 5 times slower).
# No nnan and ninf: they would let LLVM fold isfinite() away and hide a diverged run.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}

ENOUGH_FREE = 100 << 20  # bytes; a full disk in the middle of Numba's own writing would end the run


# What of Numba's settings makes other machine code, and is no part of its own key as the processor is.
SETTINGS = (
    "BOUNDSCHECK",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "DEBUGINFO_DEFAULT",
    "DEBUG",
    "DEBUG_JIT",
    "DEBUG_NRT",
    "NRT_STATS",
    "EXTEND_VARIABLE_LIFETIMES",
    "LLVM_REFPRUNE_PASS",
    "LLVM_REFPRUNE_FLAGS",
    "DISABLE_INTEL_SVML",
    "USING_SVML",
    "FULL_TRACEBACKS",
    "ENABLE_AVX",
    "ENABLE_PROFILING",
)

PACKAGE = Path(__file__).parent.parent
IMPORT = re.compile(rb"^from (fastw2v[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
WORD = re.compile(r"\w+")
DECORATORS = re.compile(rb"from fastw2v\.kernels(?:\.jit)? import ")


def sources() -> dict[str, bytes]:
    """What every file of the package holds, by its module's name; pathlib took three times as long."""
    found = {}
    for folder, _, files in os.walk(PACKAGE):
        room = f"fastw2v{folder[len(str(PACKAGE)) :]}".replace(os.sep, ".")
        for name in files:
            if name.endswith(".py"):
                with open(f"{folder}{os.sep}{name}", "rb", buffering=0) as file:  # noqa: PTH123
                    found[room if name == "__init__.py" else f"{room}.{name[:-3]}"] = file.read()
    return found


def imported(content: bytes) -> set[str]:
    """What a source imports of the package at its top, by name: modules, and names in them."""
    found = set()
    for source, names in IMPORT.findall(content):
        module = source.decode()
        found |= {module, *(f"{module}.{name}" for name in WORD.findall(names.decode()))}
    return found


def jitted_sources() -> dict[str, bytes]:
    """What takes a decorator from here, and whatever that imports, by module: tuples in signatures, helpers.

    Raises FileNotFoundError where there is none: a package that is not made of files has no fingerprint.
    """
    contents = sources()
    named = [name for name, content in contents.items() if DECORATORS.search(content)]  # to look into fewer
    waiting = [name for name in named if "fastw2v.kernels.jit" in imported(contents[name])]
    if not waiting:
        raise FileNotFoundError(f"{PACKAGE}: no file imports the decorators of kernels")
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imported(contents[name]) & contents.keys()
    return {name: contents[name] for name in sorted(found)}


@functools.cache
def source_fingerprint() -> str:
    """One name for the present text of all jitted modules and the tuples in their signatures.

    Numba's cache notices changes of the defining file only (a changed helper module gives stale results),
    and fails to load an index that names a class which a newer version moved. A folder for each state of
    the sources has neither fault.
    """
    digest = hashlib.blake2b(digest_size=8)
    for name, content in jitted_sources().items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def build() -> str:
    """One name for the settings of Numba, as its environment and files have them, that change machine code.

    Code with bounds checks, or without optimisation, must not be found by a run that asks for neither; nor
    code that uses matrix tiles by a process on the same processor that the system does not permit them.
    """
    values = repr([HAS_AMX, *((name, getattr(config, name, None)) for name in SETTINGS)])
    return hashlib.blake2b(values.encode(), digest_size=4).hexdigest()


def cache_folders() -> list[Path]:
    """Where machine code of these sources and settings may lie, the first choice first.

    NUMBA_CACHE_DIR, XDG_CACHE_HOME unless it is relative (as its specification has it), ~/.cache. Never a
    shared folder that nobody named: cache files are pickles, so whoever can write there can run code.
    """
    try:
        name = f"kernels-{source_fingerprint()}-{build()}"
    except OSError:  # no files to tell one state of the sources from another
        return []
    folders = []
    with contextlib.suppress(OSError):  # relative to a working directory that was removed
        folders += [Path(config.CACHE_DIR).absolute()] if config.CACHE_DIR else []
    if (named := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        folders.append(named / "fastw2v")
    with contextlib.suppress(OSError, RuntimeError):  # no home
        folders.append(Path.home() / ".cache" / "fastw2v")
    return [folder / name for folder in folders]


def find_cache_folder() -> str | None:
    """The first of the folders that can be written and has space, made if need be; None where none has."""
    for folder in cache_folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            has_space = shutil.disk_usage(folder).free > ENOUGH_FREE
        except OSError:
            continue
        if has_space and os.access(folder, os.W_OK):
            return str(folder)
    return None


CACHE_FOLDER = find_cache_folder()
READABLE = [str(folder) for folder in cache_folders()]  # some of which may not be there


def is_kept(function: Any, arguments: Sequence[Any]) -> bool:
    """Whether code of a function for arguments of these types is loaded or on disk: nothing is compiled."""
    signature = tuple(function.typeof_pyval(argument) for argument in arguments)
    cache = function._cache
    return signature in function.overloads or (isinstance(cache, CodeCache) and cache.holds(signature))


def is_off() -> bool:
    """Whether Numba is told not to compile."""
    return bool(config.DISABLE_JIT)


def require_jit() -> None:
    """Raise UsageError where Numba is told not to compile: kernels use instructions that Python lacks."""
    if is_off():
        raise UsageError("NUMBA_DISABLE_JIT is set, and kernels cannot run without being compiled: unset it")


# A child that is forked while another thread compiles would wait for that thread, which it does not have.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def uncollected(compile: Callable[..., Any]) -> Callable[..., Any]:
    """Numba's compiler without Python's search for cycles meanwhile: an eighth of a kernel's time.

    It would look through all that Numba makes, again and again, and find nothing that is over.
    """

    def compile_uncollected(*arguments: Any) -> Any:
        is_enabled = gc.isenabled()
        gc.disable()
        try:
            return compile(*arguments)
        finally:
            if is_enabled:
                gc.enable()

    return compile_uncollected


# nogil: workers, reading ahead and signals go on beside a kernel. error_model: no branch at every division.
# no_cfunc_wrapper: nobody calls from C.
EVERYWHERE = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """An njit with the package's cache and options."""

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = njit(**EVERYWHERE, **options)(function)
        if is_off():
            return compiled  # the function itself
        compiled._compiler.compile = uncollected(compiled._compiler.compile)
        if (CACHE_FOLDER or READABLE) and options.get("pipeline_class") is not Inlined:
            needs_runtime = options.get("_nrt", True)  # what cache=True sets is _cache
            compiled._cache = CodeCache(function, CACHE_FOLDER, READABLE, counts_references=needs_runtime)
        return compiled

    return decorate


jit = decorator()
fast_jit = decorator(fastmath=FASTMATH)
# For functions that only kernels call: no wrapper to call them from Python. Unpacking a worker's scratch from
# Python objects is more code than most of these functions.
inner_jit = decorator(fastmath=FASTMATH, no_cpython_wrapper=True)
# For the two functions between a kernel and its steps: inlined before compilation, because LLVM would
# optimise all their callees again at each level of calls.
level_jit = decorator(fastmath=FASTMATH, inline="always")
# Inlined by LLVM, and neither optimised nor kept by themselves.
INLINED = {"forceinline": True, "no_cpython_wrapper": True, "pipeline_class": Inlined}
# For a helper that LLVM left as a call: the prefetch between tiles (a kept word 1.32 us, inlined 1.21).
inlined_jit = decorator(**INLINED)
# For the tokenizer, whose loops end in several ways: there Numba leaves the counting of references to arrays,
# an atomic instruction each (61 ns a token, without 28). Such a function cannot make arrays.
bare_jit = decorator(_nrt=False)
bare_inlined_jit = decorator(**INLINED, _nrt=False)


def class_of(kind: types.Type) -> Any:
    """The class of what has this type for Numba: a NamedTuple, an array, or nothing."""
    if isinstance(kind, types.Array):
        return np.ndarray
    return type(None) if kind == types.none else getattr(kind, "instance_class", None)


def by_type(implementations: dict[type, Callable[..., Any]]) -> Callable[..., Any]:
    """A function for kernels that is one of these, chosen at compile time by the type of its first argument.

    The keys are NamedTuples, parts of a plan (`fastw2v.model.plan`), or NoneType and np.ndarray; the values
    are plain functions of the same arguments, lowered with the options of `fast_jit` and inlined.
    """

    def chosen(*arguments: Any) -> Any:
        raise NotImplementedError("for kernels only")

    def in_python(*arguments: Any) -> Any:
        return implementations[type(arguments[0])](*arguments)

    if is_off():
        return in_python

    def choose(*kinds: Any) -> Callable[..., Any] | None:
        return implementations.get(class_of(kinds[0]))

    options = INLINED | {
        "fastmath": FASTMATH,
        "error_model": "numpy",
        "nogil": True,
        "no_cfunc_wrapper": True,
    }
    overload(chosen, strict=False, jit_options=options)(choose)
    return chosen
