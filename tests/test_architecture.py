"""The shape of the package: imports point down, jit options in one place, small functions, a quick --help."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastw2v

PACKAGE = Path(fastw2v.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

# Which rooms (folders, and modules beside them) a room may import. A new room gets its place here.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "options": {"errors"},
    "system": {"errors"},
    "config": {"errors", "options"},
    "model": {"errors"},
    "reference": {"errors", "model"},
    "kernels": {"errors", "model"},
    "backends": {"config", "errors", "kernels", "model", "reference", "system"},
    "corpus": {"config", "errors", "kernels", "options", "system"},
    "vectors": {"corpus", "errors", "options", "system"},
}
ROOMS["training"] = {*ROOMS, "training"} - {"reference"}
ROOMS["show"] = {"errors", "kernels", "system", "training", "vectors", "version"}
ROOMS["distributed"] = {*ROOMS} - {"show"}
ROOMS["api"] = ROOMS["commands"] = {*ROOMS} - {"model", "reference"}
ROOMS["cli"] = {"commands", "distributed", "errors", "options", "system", "version"}
ROOMS["__main__"] = {"cli"}
ROOMS[""] = {"api", "system", "version"}

# Names and methods that only pass on what they get, and import it when they are used.
DOORS = {"", "corpus", "training", "vectors.embeddings"}

# Who may import a library, at the top of the module or inside a function: modules, or all of a folder.
LIBRARIES = {
    "numba": {"kernels"},
    "llvmlite": {"kernels"},
    "pyarrow": {
        "corpus",
        "vectors.embeddings",  # for the type of an answer
        "vectors.formats.parquet",
    },
    "click": {"cli", "commands"},
    "fsspec": {"corpus.files.remote"},
    "mpi4py": {"distributed.mpi"},
    "matplotlib": {"show.maps.picture", "show.pictures"},
    "sklearn": {"show.maps.projection"},
    "umap": {"show.maps.projection"},
}
MAX_LINES = 50


def module_name(path: Path) -> str:
    """kernels.pair for fastw2v/kernels/pair.py; a package has the name of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(name: str) -> str:
    """The folder that a module is in, or its own name beside the folders."""
    return name.partition(".")[0]


def is_module(name: str) -> bool:
    """Whether a module or package has this name, without the package's own."""
    path = PACKAGE / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; the absolute form of relative ones."""
    package = ["fastw2v", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{source}.{alias.name}"
                inner = full.startswith("fastw2v.") and is_module(full.removeprefix("fastw2v."))
                yield full if inner else source


def own_imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, without the package's name."""
    return {
        name.removeprefix("fastw2v").removeprefix(".")
        for name in imports_of(path)
        if name.split(".")[0] == "fastw2v"
    }


def nodes_of(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(path.read_text()))


def dotted(node: ast.AST) -> str:
    """a.b.c of an expression of names and attributes, else nothing."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def each_module() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", MODULES, ids=module_name)


# --- imports -----------------------------------------------------------------------------------------------


def test_rooms__each_has_its_place() -> None:
    assert {room_of(module_name(path)) for path in MODULES} == set(ROOMS)


@each_module()
def test_imports__go_to_rooms_below(path: Path) -> None:
    room = room_of(module_name(path))
    others = {other for other in own_imports(path) if room_of(other) not in {room, *ROOMS[room]}}
    assert not others, f"{module_name(path)} imports {others}"


def test_imports__have_no_circle() -> None:
    imports = {module_name(path): own_imports(path) for path in MODULES}
    for door in DOORS:
        imports[door] = set()
    list(graphlib.TopologicalSorter(imports).static_order())  # raises CycleError


@each_module()
def test_imports__libraries_stay_where_they_belong(path: Path) -> None:
    name = module_name(path)
    imported = {full.split(".")[0] for full in imports_of(path)}
    for library, users in LIBRARIES.items():
        allowed = any(f"{name}.".startswith(f"{user}.") for user in users)
        assert allowed or library not in imported, f"{name} imports {library}"


def test_imports__reference_is_numpy_alone() -> None:
    """Two implementations that share code could share a mistake: ROOMS keeps kernels from it."""
    files = sorted((PACKAGE / "reference").rglob("*.py"))
    assert files
    for path in files:
        assert not {full.split(".")[0] for full in imports_of(path)} & set(LIBRARIES), path.name


def test_imports__only_main_imports_the_command_line() -> None:
    assert [module_name(path) for path in MODULES if "cli" in own_imports(path)] == ["__main__"]


@each_module()
def test_imports__no_pickle_and_no_global_randomness(path: Path) -> None:
    """Pickles run code; the random module and np.random's functions keep hidden state."""
    imported = {full.split(".")[0] for full in imports_of(path)}
    assert not imported & {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "random"}
    allowed = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}
    for node in nodes_of(path):
        name = dotted(node)
        if name.startswith(("np.random.", "numpy.random.")):
            assert name.split(".")[2] in allowed, f"line {getattr(node, 'lineno', 0)}: {name}"
    assert "numpy.random" not in imports_of(path)
    assert not any(
        isinstance(node, ast.keyword)
        and node.arg == "allow_pickle"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
        for node in nodes_of(path)
    )


# --- style that a linter does not see ----------------------------------------------------------------------


@each_module()
def test_jit__decorators_come_from_one_place(path: Path) -> None:
    """kernels/jit.py alone uses Numba's decorators and says their options."""
    if module_name(path) == "kernels.jit":
        return
    decorators = {"njit", "jit", "vectorize", "guvectorize", "cfunc", "generated_jit", "stencil"}
    used = {node.attr for node in nodes_of(path) if isinstance(node, ast.Attribute)}
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            used |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module == "fastw2v.kernels.jit":
            assert "decorator" not in {alias.name for alias in node.names}
    assert not used & decorators


@each_module()
def test_print__is_not_called(path: Path) -> None:
    """What a user sees goes through click.echo or Display."""
    assert "print" not in {dotted(node.func) for node in nodes_of(path) if isinstance(node, ast.Call)}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without decorators and docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    lines = (function.end_lineno or 0) - function.lineno + 1
    return lines - ((first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0)


@each_module()
def test_functions__fit_on_a_screen(path: Path) -> None:
    functions = [node for node in nodes_of(path) if isinstance(node, FUNCTION)]
    too_long = {node.name: length(node) for node in functions if length(node) > MAX_LINES}
    assert not too_long


# --- a quick command line ----------------------------------------------------------------------------------


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter beside the package, so that nothing is imported yet."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)


def test_cli__imports_nothing_heavy() -> None:
    code = "import sys, fastw2v.cli; print(*{name.split('.')[0] for name in sys.modules})"
    finished = run_python("-c", code)
    assert finished.returncode == 0, finished.stderr
    assert set(finished.stdout.split()) & {"numpy", "numba", "llvmlite", "pyarrow", "click"} == {"click"}


def test_help__answers_in_under_three_tenths_of_a_second() -> None:
    """The best of five fresh processes, in processor time: on an idle machine that is what a user waits."""
    seconds = []
    for _ in range(5):
        before = os.times()
        finished = run_python("-m", "fastw2v", "--help")
        after = os.times()
        assert finished.returncode == 0, finished.stderr
        assert "train" in finished.stdout
        used = after.children_user + after.children_system - before.children_user - before.children_system
        seconds.append(used)
    assert min(seconds) < 0.3
