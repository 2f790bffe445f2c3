"""Reference and kernels read alike: the same files, functions in the same order, the same names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import fastw2v

PACKAGE = Path(fastw2v.__file__).parent
# Of the argument and local names of a function of the reference, those that its kernel has too. A kernel has
# further ones, for room that is allocated once and for loops that NumPy spells as one operation.
FLOOR = 0.6
# Files of the reference and their kernels; of block there are two, in plain loops and in tiles.
TWINS = [
    ("units", "units"),
    ("copies", "copies"),
    ("inputs", "inputs"),
    ("architectures", "architectures"),
    ("objectives", "objectives"),
    ("pair", "pair"),
    ("paths", "paths"),
    ("whole", "whole"),
    ("bags", "block/plain_bags"),
    ("ngrams", "block/plain_ngrams"),
    ("pairs", "block/plain_pairs"),
    ("block", "block/plain"),
    ("lockstep", "lockstep"),
    ("numbers", "numbers"),
    ("walks", "walks"),
    ("groups", "groups"),
    ("backend", "backend"),
]
# Files that only one side has: formulas, and what instructions and memory need. A block's noise is formulas
# there, here loops in block/plain_noise and products of tiles in block/noise.
REFERENCE_ONLY = {"losses", "noise"}
MACHINERY = {"absent", "jit", "inlined", "code_cache", "compiler", "intrinsics"}
KERNELS_ONLY = MACHINERY | {"scalar", "sentences", "meetings", "panels", "weights", "domains"}


def functions_of(path: Path) -> dict[str, ast.FunctionDef]:
    """Functions and methods of a file in their order; `name = by_type({…: f})` counts as f of that name."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "lineno")]
    defined = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    named = {node.lineno: (name, node) for name, node in defined.items()}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called == "by_type" and isinstance(node.value.args[0], ast.Dict):
                chosen = defined[ast.unparse(node.value.args[0].values[0])]
                named[node.lineno] = (ast.unparse(node.targets[0]), chosen)
    return dict(named[line] for line in sorted(named))


def names_of(function: ast.FunctionDef) -> set[str]:
    """Argument and local names."""
    arguments = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return (arguments | stored) - {"self", "_"}


def twins(reference: str, kernel: str) -> list[tuple[str, set[str], set[str]]]:
    """Functions that both files have: their name, and the names in each."""
    plain = functions_of(PACKAGE / "reference" / f"{reference}.py")
    fast = functions_of(PACKAGE / "kernels" / f"{kernel}.py")
    return [(name, names_of(plain[name]), names_of(fast[name])) for name in plain if name in fast]


@pytest.mark.parametrize(("reference", "kernel"), [*TWINS, ("block", "block/step")])
def test_twins__share_their_functions_and_names(reference: str, kernel: str) -> None:
    """Of each pair of files together: a reader who knows the reference finds the same names in the kernel."""
    pairs = twins(reference, kernel)
    shared, known = (sum(map(len, sets)) for sets in zip(*((a & b, a) for _, a, b in pairs), strict=True))
    differences = {name: sorted(plain - fast) for name, plain, fast in pairs}
    assert shared / known >= FLOOR, f"{shared} of {known} names: {differences}"


@pytest.mark.parametrize(("reference", "kernel"), [*TWINS, ("block", "block/step")])
def test_twins__have_their_functions_in_the_same_order(reference: str, kernel: str) -> None:
    plain = list(functions_of(PACKAGE / "reference" / f"{reference}.py"))
    fast = list(functions_of(PACKAGE / "kernels" / f"{kernel}.py"))
    common = [name for name in plain if name in fast]
    assert common == [name for name in fast if name in plain]
    assert kernel == "block/step" or len(common) >= len(plain) / 2  # tiles have most of theirs beside it


def test_twins__every_file_has_one() -> None:
    def names(folder: str) -> set[str]:
        return {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__"}

    twins_of_reference = {reference for reference, _ in TWINS}
    assert names("reference") - REFERENCE_ONLY == twins_of_reference
    assert names("kernels") - KERNELS_ONLY == {kernel for _, kernel in TWINS if "/" not in kernel}
    assert (PACKAGE / "kernels" / "block").is_dir()
