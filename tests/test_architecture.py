"""The shape of the package: imports point down, jit options in one place, small functions, a quick --help."""

from __future__ import annotations

import ast
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

# A module may import modules of the rows below its own. A new module gets its place here.
LAYERS = [
    ["__main__"],
    ["cli"],
    ["commands.report"],
    [
        "commands.ask",
        "commands.doctor",
        "commands.evaluate",
        "commands.export",
        "commands.map",
        "commands.train",
        "commands.vocab",
    ],
    ["commands.replicas", "commands.resume"],
    ["commands.places"],
    ["commands.options", "commands.settings"],
    ["commands.effects", "commands.unknown"],
    ["api"],
    ["checkpoint", "doctor", "progress", "run_log"],
    ["distributed.loop"],
    ["distributed.rows", "distributed.shares", "holdout"],
    ["training"],
    ["parts"],
    ["distributed.dealing"],
    ["distributed.shards"],
    ["cache", "maps.page", "maps.picture", "report"],
    ["maps.projection"],
    ["corpus", "evaluation", "formats", "next_item", "query"],
    ["reading.candidates", "reading.grouping", "reading.objects"],
    ["reading.corpus_cache", "reading.sources"],
    ["reading.refusals"],
    ["reading.remote"],
    ["reading.layouts"],
    ["reading.encoding"],
    [
        "formats.binary",
        "formats.npy",
        "formats.parquet",
        "formats.projector",
        "formats.static_model",
        "formats.text",
    ],
    ["formats.common", "formats.decimals"],
    ["formats.tokens"],
    ["shuffling"],
    ["reading.tokenizer", "kernels.machine", "kernels.replicas", "kernels.sentences", "kernels.run"],
    ["kernels.lockstep"],
    ["kernels.block", "kernels.pair"],
    ["kernels.units"],
    ["kernels.scalar", "kernels.tiles"],
    ["kernels.intrinsics", "kernels.jit"],
    ["kernels.code_cache"],
    ["kernels"],
    ["reference"],
    ["reading.columns", "reading.memory", "reading.parquet_writer"],
    ["distributed.communicator", "embeddings", "interrupts", "pages", "pictures", "vocabulary"],
    ["distributed.mpi"],
    ["config"],
    [
        "files",
        "layout",
        "machine",
        "marks",
        "sampling",
        "splitmix",
        "reading.own_files",
        "reading.storage",
        "zipf",
    ],
    ["synonyms"],
    ["checks", "spelling", "streams"],
    ["errors", "commands", "distributed", "reading", ""],
]
DEPTH = {module: depth for depth, row in enumerate(LAYERS) for module in row}

# Names and methods that only pass on what they get, and import it when they are used.
DOORS = {"": {"api"}, "embeddings": {"formats", "formats.parquet", "query"}}

# Who may import a library, at the top of the module or inside a function.
LIBRARIES = {
    "numba": {"kernels", "reading.tokenizer"},  # and kernels.*
    "llvmlite": set(),  # kernels.* only
    "pyarrow": {
        "reading.candidates",
        "reading.columns",
        "embeddings",  # for the type of an answer
        "corpus",
        "formats.parquet",
        "reading.grouping",
        "reading.layouts",
        "reading.objects",
        "reading.parquet_writer",
        "reading.refusals",
        "reading.remote",
        "reading.sources",
    },
    "click": {"cli"},  # and commands.*
    "fsspec": {"reading.remote"},
    "mpi4py": {"distributed.mpi"},
    "matplotlib": {"maps.picture", "pictures"},
    "sklearn": {"maps.projection"},
    "umap": {"maps.projection"},
}
MAX_LINES = 60


def module_name(path: Path) -> str:
    """kernels.pair for fastw2v/kernels/pair.py; a package has the name of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


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


def test_layers__name_every_module() -> None:
    """A new module gets a row in LAYERS."""
    packages = {"kernels", "commands", "distributed", "maps", "reading", ""}
    assert {module_name(path) for path in MODULES} - packages <= set(DEPTH)


@each_module()
def test_imports__point_down(path: Path) -> None:
    name = module_name(path)
    upward = {other for other in own_imports(path) if DEPTH[other] <= DEPTH[name]} - DOORS.get(name, set())
    assert not upward, f"{name} imports {upward}"


@each_module()
def test_imports__libraries_stay_where_they_belong(path: Path) -> None:
    name = module_name(path)
    imported = {full.split(".")[0] for full in imports_of(path)}
    for library, users in LIBRARIES.items():
        allowed = name in users or (library in ("numba", "llvmlite") and name.startswith("kernels."))
        allowed |= library == "click" and name.startswith("commands.")
        assert allowed or library not in imported, f"{name} imports {library}"


def test_imports__reference_and_kernels_know_nothing_of_each_other() -> None:
    """Two implementations that share code could share a mistake."""
    assert own_imports(PACKAGE / "reference.py") <= {"layout", "splitmix"}
    assert {full.split(".")[0] for full in imports_of(PACKAGE / "reference.py")} & set(LIBRARIES) == set()
    for path in sorted((PACKAGE / "kernels").glob("*.py")):
        beside_kernels = {name for name in own_imports(path) if not name.startswith("kernels")}
        assert beside_kernels <= {"layout", "errors"}, path.name


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
