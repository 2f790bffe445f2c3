"""The shape of the package: imports point down, jit options in one place, small functions, a quick --help."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v

PACKAGE = Path(fastw2v.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
BESIDE = [path for folder in ("bench", "corpora") for path in sorted((PACKAGE.parent / folder).rglob("*.py"))]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

ALL = {"*"}
# The rules of import: what each room (a folder, or a module beside the folders) may import, modules or rooms.
# Everything may import errors and version.
RULES: dict[str, tuple[str, set[str]]] = {
    "system options config": (
        "know nothing of the rest, but config its checks",
        {f"options.{name}" for name in ("checks", "endless", "fields", "graphs", "kmers", "pairs", "phrases")}
        | {f"options.{name}" for name in ("replicas", "rows", "subwords", "text", "together")},
    ),
    "model": ("knows NumPy only", set()),
    "reference kernels": ("know the model only, and not each other", {"model"}),
    "backends": (
        "alone choose between reference and kernels",
        {"config", "kernels", "model", "options.subwords", "reference", "system"},
    ),
    "corpus": (
        "knows no training and, of the kernels, only how they are compiled",
        {"config", "kernels.jit", "kernels.intrinsics", "model", "options", "system"},
    ),
    "vectors": (
        "know no training, no corpus but its vocabulary and arrays, and of the model how n-grams are hashed",
        {"corpus.vocabulary", "corpus.arrow.objects", "model.ngrams", "options", "system"},
    ),
    "training distributed run": (
        "know no click, no display and no commands; training knows nothing of distributed, nor that of run",
        {"backends", "config", "model", "options", "system", "vectors"}
        | {"corpus.read", "corpus.vocabulary", "corpus.fingerprint", "corpus.ids.storage"}
        | {"corpus.graphs.read", "corpus.pairs.read", "kernels.code_cache", "kernels.groups"}
        | {"kernels.sentences", "kernels.walks"},
    ),
    "show": (
        "knows what is shown: vectors, what hooks of training are told, the machine",
        {"kernels.compiler", "system", "training.hooks", "vectors"},
    ),
    "api bootstrap commands endless gensim sklearn": ("may know everything but the command line", ALL),
    "cli __main__ the_door": (
        "cli alone knows commands, __main__ alone cli, and the door only the api and the machine",
        set(),
    ),
}
BESIDES = {
    "distributed": {"training", "reference", "corpus", "kernels"},
    "run": {"training", "distributed", "corpus"},
    "cli": {"commands", "distributed.communicator", "options", "system"},
    "__main__": {"cli"},
    "the_door": {"api", "system.machine"},
}
ROOMS = {room: may | BESIDES.get(room, set()) for rooms, (_, may) in RULES.items() for room in rooms.split()}
ONLY = {"cli": {"__main__"}, "commands": {"cli"}, "api": {"the_door", "gensim", "sklearn"}, "__main__": set()}
AT_THE_TOP = {"__init__", "__main__", "api", "backends", "cli", "config", "errors", "version"}

# Names that are passed on from a module of the folder, imported when they are used.
DOORS = {"", "corpus", "training"}

# Who may import a library, at the top of the module or inside a function: modules, or all of a folder.
LIBRARIES = {
    "numba": {"kernels"},
    "llvmlite": {"kernels"},
    "pyarrow": {
        "corpus",
        "vectors.embeddings",  # for the type of an answer
        "vectors.methods",  # as well
        "vectors.formats.answers",
        "vectors.formats.packed",  # zstd, which Python has from 3.14 on
        "vectors.formats.parquet",
    },
    "click": {"cli", "commands"},
    "duckdb": {"corpus.arrow.out_of_core"},
    "deltalake": {"corpus.files.delta"},
    "filelock": {"system.locks"},
    "faiss": {"vectors.formats.product"},
    "fsspec": {"corpus.files.remote"},
    "gensim": {"gensim.keyed_vectors", "gensim.ngram_vectors", "vectors.embeddings"},
    "mpi4py": {"distributed.mpi"},
    "matplotlib": {"show.maps.picture", "show.pictures"},
    "sklearn": {"show.maps.projection", "sklearn.transformer"},
    "umap": {"show.maps.projection"},
}
MAX_LINES = 50
MAX_FILE_LINES = 400
MAX_PARAMETERS = 8


def module_name(path: Path) -> str:
    """kernels.pair for fastw2v/kernels/pair.py; a package has the name of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(name: str) -> str:
    """The folder that a module is in, or its own name beside the folders."""
    return name.partition(".")[0] or "the_door"


def is_module(name: str) -> bool:
    """Whether a module or package has this name, without the package's own."""
    path = PACKAGE / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@cache  # parsing all files takes a second, and half of the tests here look through them
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All of a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in it; the absolute form of relative ones."""
    return frozenset(imports_in(path))


def imports_in(path: Path) -> Iterator[str]:
    """One after the other, as they are written."""
    package = ["fastw2v", *path.relative_to(PACKAGE).parent.parts]
    for node in nodes_of(path):
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


def dotted(node: ast.AST) -> str:
    """a.b.c of an expression of names and attributes, else nothing."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def is_in(name: str, places: set[str]) -> bool:
    """Whether a module is one of these or in one of these folders."""
    return any(f"{name}.".startswith(f"{place}.") for place in places)


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    """Half a million objects, through which every search for cycles looks, go with the last test here."""
    yield
    nodes_of.cache_clear()


# --- imports -----------------------------------------------------------------------------------------------


def test_rules__are_ten_and_give_each_room_its_place() -> None:
    assert len(RULES) <= 10
    assert {room_of(module_name(path)) for path in MODULES} - {"errors", "version"} == set(ROOMS)


def test_rooms__only_doors_lie_beside_them() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_TOP


def test_imports__follow_the_rules() -> None:
    offenders = []
    for path in MODULES:
        room = room_of(module_name(path))
        allowed = {room, "errors", "version", *ROOMS.get(room, set())}
        for other in sorted(own_imports(path)):
            is_allowed = is_in(other, allowed) or (room == "the_door" and not other) or "*" in allowed
            users = ONLY.get(room_of(other), {room}) | {room_of(other)}
            if not is_allowed or room not in users:
                offenders.append(f"{module_name(path)} imports {other}")
    assert offenders == []


def test_imports__have_no_circle() -> None:
    """Neither among modules, wherever in them they import, nor among rooms."""
    imports = {module_name(path): own_imports(path) for path in MODULES}
    for door in DOORS:  # what every import of a module in the folder runs first
        imports[door] = set()
    list(graphlib.TopologicalSorter(imports).static_order())  # raises CycleError
    rooms: dict[str, set[str]] = {}
    for path in MODULES:
        room = room_of(module_name(path))
        rooms.setdefault(room, set()).update(
            {room_of(other) for other in own_imports(path) if other} - {room}
        )
    list(graphlib.TopologicalSorter(rooms).static_order())


def test_imports__libraries_stay_where_they_belong() -> None:
    offenders = [
        f"{module_name(path)} imports {library}"
        for path in MODULES
        for library in {full.split(".")[0] for full in imports_of(path)} & set(LIBRARIES)
        if not is_in(module_name(path), LIBRARIES[library])
    ]
    assert offenders == []


def test_imports__reference_is_numpy_alone() -> None:
    """Two implementations that share code could share a mistake: the rules keep kernels from it."""
    files = sorted((PACKAGE / "reference").rglob("*.py"))
    assert files
    for path in files:
        assert not {full.split(".")[0] for full in imports_of(path)} & set(LIBRARIES), path.name


def test_imports__no_pickle_and_no_global_randomness() -> None:
    """Pickles run code; the random module and np.random's functions keep hidden state."""
    hidden = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "random"}
    allowed = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}
    offenders = []
    for path in MODULES:
        imported = {full.split(".")[0] for full in imports_of(path)}
        if imported & hidden or "numpy.random" in imports_of(path):
            offenders.append(f"{module_name(path)}: an import")
        for node in nodes_of(path):
            name = dotted(node)
            if name.startswith(("np.random.", "numpy.random.")) and name.split(".")[2] not in allowed:
                offenders.append(f"{module_name(path)}:{getattr(node, 'lineno', 0)}: {name}")
            if (
                isinstance(node, ast.keyword)
                and node.arg == "allow_pickle"
                and not (isinstance(node.value, ast.Constant) and node.value.value is False)
            ):
                offenders.append(f"{module_name(path)}:{node.value.lineno}: allow_pickle")
    assert offenders == []


# --- style that a linter does not see ----------------------------------------------------------------------


def test_jit__decorators_come_from_one_place() -> None:
    """kernels/jit.py alone uses Numba's decorators and says their options."""
    decorators = {"njit", "jit", "vectorize", "guvectorize", "cfunc", "generated_jit", "stencil"}
    offenders = []
    for path in MODULES:
        if module_name(path) == "kernels.jit":
            continue
        used = {node.attr for node in nodes_of(path) if isinstance(node, ast.Attribute)}
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
                used |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module == "fastw2v.kernels.jit":
                used |= {"jit" for alias in node.names if alias.name == "decorator"}
        if used & decorators:
            offenders.append(module_name(path))
    assert offenders == []


def test_print__is_not_called() -> None:
    """What a user sees goes through click.echo or Display."""
    calls = ((path, node) for path in MODULES for node in nodes_of(path) if isinstance(node, ast.Call))
    assert [module_name(path) for path, node in calls if dotted(node.func) == "print"] == []


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without decorators and docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    lines = (function.end_lineno or 0) - function.lineno + 1
    return lines - ((first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0)


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Named parameters; *arguments and **options are not counted, and click's commands take the latter."""
    named = function.args
    return len(named.posonlyargs) + len(named.args) + len(named.kwonlyargs)


def test_files__are_short() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in [*MODULES, *BESIDE]}
    offenders = {path.name: n for path, n in lines.items() if n > MAX_FILE_LINES}
    assert offenders == {}


def test_road__is_short_and_free_of_machinery() -> None:
    """README → cli → train command → loop → reference → kernels: a newcomer's way, each under 200 lines.

    Neither the command nor the loop meets processes, checkpoints or the display.
    """
    road = ["cli.py", "commands/train/command.py", "training/loop.py"]
    lines = {name: len((PACKAGE / name).read_text().splitlines()) for name in road}
    assert {name: n for name, n in lines.items() if n > 200} == {}
    machinery = {"distributed", "training.checkpoint", "show"}
    for name in road[1:]:
        assert not {other for other in own_imports(PACKAGE / name) if is_in(other, machinery)}, name


def test_functions__fit_on_a_screen_and_take_few_parameters() -> None:
    offenders = [
        f"{path.name}:{node.lineno}: {node.name}: {length(node)} lines, {n_parameters(node)} parameters"
        for path in [*MODULES, *BESIDE]
        for node in nodes_of(path)
        if isinstance(node, FUNCTION) and (length(node) > MAX_LINES or n_parameters(node) > MAX_PARAMETERS)
    ]
    assert offenders == []


# --- a quick command line ----------------------------------------------------------------------------------


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter beside the package, so that nothing is imported yet."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)


# Of Python's own, what --help needs none of: 3 % of its instructions.
FOR_LATER = {"difflib", "json", "tempfile", "tomllib", "traceback"}


def test_cli__imports_nothing_heavy() -> None:
    code = "import sys; own = set(sys.modules); import fastw2v.cli; print(*sys.modules.keys() - own)"
    finished = run_python("-c", code)
    assert finished.returncode == 0, finished.stderr
    imported = {name.partition(".")[0] for name in finished.stdout.split()}
    assert imported & {"numpy", "numba", "llvmlite", "pyarrow", "click"} == {"click"}
    assert imported & FOR_LATER == set()
    commands = {name for name in finished.stdout.split() if name.startswith("fastw2v.commands.")}
    assert commands == {"fastw2v.commands.unknown"}


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


FIRST_BYTE = """
import sys, time
own = set(sys.modules)  # of Python, of who measures coverage
from fastw2v.cli import main
import fastw2v.corpus.read as reading

def stop(*_):
    print(time.process_time(), *sys.modules.keys() - own)
    sys.stdout.flush()
    import os
    os._exit(0)

reading.open_source = stop
main(sys.argv[1:])
"""
HEAVY = {"pyarrow.compute", "pyarrow.dataset", "pandas", "polars", "duckdb", "scipy.linalg", "matplotlib"}
HEAVY |= {"sklearn", "umap", "gensim", "mpi4py", "fsspec", "aiohttp", "model2vec", "usearch"}
HEAVY |= {"coverage", "scipy", "yaml"}  # which Numba would take along
HEAVY |= {"numba", "llvmlite"}  # what is wrong with a corpus comes first


@pytest.mark.slow
@pytest.mark.parametrize("command", ["vocab", "train"])
def test_commands__are_quick_to_the_first_byte(command: str, tmp_path: Path) -> None:
    """Half a second of processor time is the aim, twice that the limit; nothing heavy is imported."""
    corpus = tmp_path / "c.parquet"
    corpus.touch()
    seconds, imported = [], set()
    for _ in range(3):
        finished = run_python("-c", FIRST_BYTE, command, str(corpus), "-q")
        assert finished.returncode == 0, finished.stderr
        used, *names = finished.stdout.split()
        seconds.append(float(used))
        imported |= set(names)
    assert "numpy" in imported
    assert imported & HEAVY == set()
    assert min(seconds) < 1.0


PANDAS = """
import sys
from fastw2v.corpus.read import read_corpus
read_corpus(sys.argv[1], min_count=1)
print("pandas" in sys.modules)
"""


@pytest.mark.parametrize("name", ["c.txt", "c.parquet"])
def test_read_corpus__imports_no_pandas(name: str, tmp_path: Path) -> None:
    """Through Arrow, where it is installed: a third of a second."""
    pytest.importorskip("pandas")
    (tmp_path / "c.txt").write_text("a b a\nc a b\n")
    pq.write_table(pa.table({"text": ["a b a", "c a b"]}), tmp_path / "c.parquet")
    assert run_python("-c", PANDAS, str(tmp_path / name)).stdout == "False\n"


REFUSED = """
import sys
from fastw2v.cli import main

try:
    main(sys.argv[1:])
finally:
    print(*sys.modules)
"""


@pytest.mark.parametrize("command", ["vocab", "train"])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.txt"], "missing.txt"),
        (["c.parquet", "--column", "missing"], "missing"),
        (["c.parquet", "--min-count", "-1"], "min"),
        (["c.txt", "--kmers", "2000"], "kmers"),
    ],
)
def test_commands__tell_what_cannot_be_read_before_numba_is_loaded(
    command: str, arguments: list[str], expected: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"text": ["a b c"]}), tmp_path / "c.parquet")
    (tmp_path / "c.txt").write_text("a b c")
    path = [tmp_path / arguments[0], *arguments[1:]]
    finished = run_python("-c", REFUSED, command, *map(str, path), "-q")
    assert finished.returncode in (2, 3), finished.stderr
    assert expected in finished.stderr
    assert not {name for name in finished.stdout.split() if name.startswith(("numba", "llvmlite"))}


@pytest.mark.slow
def test_code_cache__loads_no_linear_algebra() -> None:
    """Numba would, where scipy is installed: a quarter of a second at the first function loaded."""
    pytest.importorskip("scipy")
    code = """
import sys
import numpy as np
from numba import njit
from fastw2v.kernels.scalar import sigmoid
sigmoid(np.float32(1))
print("scipy.linalg" in sys.modules, "numba.np.arraymath" in sys.modules)
print(njit(lambda a: a @ a)(np.eye(2))[1, 1])
"""
    finished = run_python("-c", code)
    assert finished.returncode == 0, finished.stderr
    first, *product = finished.stdout.splitlines()
    assert (first, product) == ("False True", ["1.0"])


@pytest.mark.slow
def test_reading__takes_kept_code_without_numbas_runtime() -> None:
    """A sixth of a second, which functions that count no references do not need."""
    code = """
from numba.core.runtime import rtsys
from fastw2v.corpus import read_corpus
corpus = read_corpus(iter(["new york", "new é"]), min_count=1)
print(rtsys._init, *corpus.vocabulary.words, *corpus.ids)
"""
    first, second = (run_python("-c", code) for _ in range(2))  # the first one may have to compile
    assert second.returncode == 0, second.stderr
    assert second.stdout.split() == ["False", "new", "york", "é", "0", "1", "0", "2"]
    assert first.stdout.split()[1:] == second.stdout.split()[1:]
