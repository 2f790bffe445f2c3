"""A graph read in little memory: nodes numbered as they come, rows made without keys, what it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.graphs import numbers
from fastw2v.corpus.graphs.columns import as_arrow, as_numpy
from fastw2v.corpus.graphs.numbers import Nodes
from fastw2v.corpus.graphs.rows import Edges, rows_of

EXTREMES = [0, -1, 2**63 - 1, -(2**63), 7, 7 << 32, 0]


def expected_numbers(ends: list[list[str]]) -> tuple[list[str], list[list[int]]]:
    """Names in the order in which they come, row by row, and the numbers of each row's."""
    names: dict[str, int] = {}
    rows = [[names.setdefault(end, len(names)) for end in row] for row in ends]
    return list(names), rows


@pytest.mark.parametrize("kinds", ["integers", "texts", "integers, then texts", "texts, then integers"])
def test_nodes__are_numbered_as_they_come(kinds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "FIRST_NODES", 4)  # the table of integers grows nine times
    monkeypatch.setattr(numbers, "NAMED_AT_ONCE", 100)
    rng = np.random.default_rng(2)
    ends = rng.integers(-900, 900, (3000, 2))
    ends[: len(EXTREMES), 0] = EXTREMES
    nodes, found = Nodes(), []
    for part, rows in enumerate(np.split(ends, 3)):
        is_text = kinds == "texts" or kinds.split(", then ")[min(part, 1) :][:1] == ["texts"]
        columns = [as_arrow(np.ascontiguousarray(column)) for column in rows.T]
        columns = [column.cast(pa.large_string()) for column in columns] if is_text else columns
        found.append(nodes.number(*columns))
    names, expected = expected_numbers([[str(end) for end in row] for row in ends.tolist()])
    assert nodes.names() == names
    assert np.concatenate(found, axis=1).T.tolist() == expected
    assert len(nodes) == len(names)


def test_nodes__texts_are_told_apart_byte_by_byte() -> None:
    """Empty ones, and those that are alike in their first 16 bytes."""
    ends = [["", "é"], ["a" * 16, "a" * 17], ["a" * 40 + "b", "a" * 40 + "c"], ["é", ""]]
    nodes = Nodes()
    numbered = nodes.number(*(pa.array(column, pa.large_string()) for column in zip(*ends, strict=True)))
    names, expected = expected_numbers(ends)
    assert (nodes.names(), numbered.T.tolist()) == (names, expected)


def test_as_numpy__is_the_part_of_a_slice() -> None:
    array = as_arrow(np.arange(9)).slice(3, 4)
    assert as_numpy(array).tolist() == [3, 4, 5, 6]
    assert as_numpy(pa.array([], pa.int64())).tolist() == []


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_rows_of__are_ascending_and_none_is_there_twice(directed: bool) -> None:
    """Loops and repeated edges of either direction, in parts; node 29 has no edge."""
    ends = np.random.default_rng(3).integers(0, 29, (2, 400)).astype(np.int32)
    parts = [Edges(sources, targets, None) for sources, targets in np.split(ends, 5, axis=1)]
    pairs = [(s, t) if directed else (min(s, t), max(s, t)) for s, t in ends.T.tolist()]
    rows: list[set[int]] = [set() for _ in range(30)]
    for source, target in pairs:
        rows[source].add(target)
        if not directed:
            rows[target].add(source)
    actual = rows_of(parts, 30, directed=directed)
    assert actual.offsets.tolist() == np.cumsum([0, *map(len, rows)]).tolist()
    assert actual.neighbours.tolist() == [other for row in rows for other in sorted(row)]
    assert (actual.n_repeated, actual.weights) == (len(pairs) - len(set(pairs)), None)
    assert not parts  # given back


# What reading takes at its peak, beyond what the process had once it had read another graph: that has loaded
# code and Arrow's threads.
PROGRAM = """
import re, sys
from pathlib import Path
from fastw2v.corpus.graphs.read import read_graph

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

read_graph(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of compiling
before = kilobytes("VmRSS")
read = read_graph(sys.argv[2])
print(1024 * (kilobytes("VmHWM") - before) - read.graph.nbytes, "pandas.core" in sys.modules)
"""
N_NODES, N_EDGES = 50_000, 1_000_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(("kind", "most"), [("integers", 50), ("texts", 68)])
def test_read_graph__takes_little_beside_the_graph(kind: str, most: int, tmp_path: Path) -> None:
    """Bytes of each edge at the peak, of which 20 are Parquet's batches.

    They were 30 to 32 of integers and 47 to 49 of texts; 73 to 78 and 89 to 97 with Arrow's dictionaries and
    sorted keys. Nor is pandas imported, where it is there: 33 MB.
    """
    ends = np.random.default_rng(4).integers(0, N_NODES, (N_EDGES, 2))
    table = pa.table({"source": ends[:, 0], "target": ends[:, 1]})
    if kind == "texts":
        table = table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
    pq.write_table(table, tmp_path / "edges.parquet")
    pq.write_table(table.slice(0, 1000), tmp_path / "few.parquet")
    names = [str(tmp_path / name) for name in ("few.parquet", "edges.parquet")]
    finished = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    beside, has_pandas = finished.stdout.split()
    assert has_pandas == "False"
    assert int(beside) / N_EDGES < most
