"""Graphs read from everything that holds edges: the same rows, and one line for what holds none."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.corpus.graphs.read import ReadGraph, read_graph
from fastw2v.errors import CorpusError, FastW2VError, UsageError
from fastw2v.reference.walks import neighbours_of, weights_of

# Nodes come in their order, so that matrices number them alike.
PAIRS = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 0)]
WEIGHTS = [1.0, 2.0, 0.5, 4.0, 3.0, 1.5]
TRIPLES = [(*pair, weight) for pair, weight in zip(PAIRS, WEIGHTS, strict=True)]


def as_dict(read: ReadGraph) -> dict[str, dict[str, float]]:
    """Each node's neighbours by name, and their weights."""
    return {
        name: {
            read.names[other]: weight
            for other, weight in zip(
                neighbours_of(read.graph, node).tolist(), weights_of(read.graph, node).tolist(), strict=True
            )
        }
        for node, name in enumerate(read.names)
    }


def expected_of(rows: list[Any], directed: bool) -> dict[str, dict[str, float]]:
    """The same by dictionaries, of plain rows."""
    found: dict[str, dict[str, float]] = {}
    for source, target, *weight in rows:
        for one, other in [(source, target)] if directed else [(source, target), (target, source)]:
            found.setdefault(str(one), {})[str(other)] = weight[0] if weight else 1.0
            found.setdefault(str(other), {})
    return found


def table(weighted: bool = False, kind: Any = None, names: str = "source target weight") -> pa.Table:
    """PAIRS or TRIPLES as a table."""
    columns = [pa.array([row[i] for row in TRIPLES]) for i in range(3 if weighted else 2)]
    if kind is not None:
        columns[:2] = [column.cast(pa.string()).cast(kind) for column in columns[:2]]
    return pa.table(columns, names.split()[: len(columns)])


def text(folder: Path, name: str, weighted: bool, delimiter: str, head: str = "") -> str:
    """PAIRS or TRIPLES in a file of lines."""
    rows = TRIPLES if weighted else PAIRS
    lines = [head] * bool(head) + [delimiter.join(map(str, row)) for row in rows]
    content = ("\n".join(lines) + "\n").encode()
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def parquet(folder: Path, name: str, what: pa.Table) -> str:
    """A table in a Parquet file."""
    pq.write_table(what, folder / name)
    return str(folder / name)


def csr(weighted: bool, directed: bool) -> tuple[np.ndarray[Any, Any], ...]:
    """PAIRS as NumPy's compressed rows, each in both directions unless they are directed."""
    dense = np.zeros((5, 5))
    for source, target, weight in TRIPLES:
        dense[source, target] = weight
        if not directed:
            dense[target, source] = weight
    rows, columns = np.nonzero(dense)
    offsets = np.searchsorted(rows, np.arange(6))
    return (offsets, columns.astype(np.int32), dense[rows, columns])[: 3 if weighted else 2]


def scipy_matrix(weighted: bool, directed: bool) -> Any:
    sparse = pytest.importorskip("scipy.sparse")
    offsets, columns, *weights = csr(weighted, directed)
    values = weights[0] if weights else np.ones(len(columns), bool)
    return sparse.coo_array(sparse.csr_array((values, columns, offsets), shape=(5, 5)))


def of_library(name: str, make: Callable[[Any, Any], Any], weighted: bool) -> Any:
    return make(pytest.importorskip(name), table(weighted))


SOURCES: dict[str, Callable[[Path, bool, bool], Any]] = {
    "parquet": lambda folder, weighted, _: parquet(folder, "e.parquet", table(weighted)),
    "parquet of texts": lambda folder, weighted, _: parquet(folder, "e.pq", table(weighted, pa.string())),
    "parquet of dictionaries": lambda folder, weighted, _: parquet(
        folder, "e.parquet", table(weighted, pa.dictionary(pa.int32(), pa.large_string()))
    ),
    "parquet with other names": lambda folder, weighted, _: parquet(
        folder, "e.parquet", table(weighted, None, "SRC dst w")
    ),
    "parquet by place": lambda folder, weighted, _: parquet(
        folder, "e.parquet", table(weighted, None, "follower followed strength")
    ),
    "csv with a head": lambda folder, weighted, _: text(
        folder, "e.csv", weighted, ",", "source,target" + ",weight" * weighted
    ),
    "csv": lambda folder, weighted, _: text(folder, "e.csv", weighted, ","),
    "packed csv": lambda folder, weighted, _: text(folder, "e.csv.gz", weighted, ","),
    "csv with any head": lambda folder, weighted, _: text(
        folder, "e.csv", weighted, ";", "follower;followed" + ";strength" * weighted
    ),
    "tsv": lambda folder, weighted, _: text(folder, "e.tsv", weighted, "\t", "# Nodes: 5\n% Edges: 6"),
    "lines": lambda folder, weighted, _: text(folder, "e.txt", weighted, "   "),
    "pairs": lambda folder, weighted, _: iter(TRIPLES if weighted else PAIRS),
    "csr": lambda folder, weighted, directed: csr(weighted, directed),
    "scipy": lambda folder, weighted, directed: scipy_matrix(weighted, directed),
    "arrow": lambda folder, weighted, _: table(weighted),
    "arrow reader": lambda folder, weighted, _: table(weighted).to_reader(max_chunksize=2),
    "pandas": lambda folder, weighted, _: of_library("pandas", lambda _, made: made.to_pandas(), weighted),
    "polars": lambda folder, weighted, _: of_library(
        "polars", lambda pl, made: pl.from_arrow(made), weighted
    ),
    "lazy polars": lambda folder, weighted, _: of_library(
        "polars", lambda pl, made: pl.from_arrow(made).lazy(), weighted
    ),
}


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("source", SOURCES)
def test_read_graph__of_every_source_is_the_same(
    source: str, weighted: bool, directed: bool, tmp_path: Path
) -> None:
    expected = read_graph(TRIPLES if weighted else PAIRS, directed=directed)
    actual = read_graph(SOURCES[source](tmp_path, weighted, directed), directed=directed)
    assert actual.names == expected.names == list("01234")
    assert actual.n_edges == 6
    assert [array.tolist() for array in actual.graph] == [array.tolist() for array in expected.graph]
    found, plain = as_dict(actual), expected_of(TRIPLES if weighted else PAIRS, directed)
    assert found.keys() == plain.keys()
    assert all(found[name] == pytest.approx(plain[name]) for name in plain)


def test_read_graph__takes_an_array_of_edges_and_several_files(tmp_path: Path) -> None:
    expected = as_dict(read_graph(PAIRS))
    assert as_dict(read_graph(np.array(PAIRS, np.uint32))) == expected
    first = parquet(tmp_path, "a.parquet", table().slice(0, 2))
    second = parquet(tmp_path, "b.parquet", table(False, pa.string()).slice(2))
    for source in ([first, second], str(tmp_path / "*.parquet"), str(tmp_path), tmp_path):
        assert as_dict(read_graph(source)) == expected


def test_read_graph__names_nodes_as_they_come_and_keeps_texts(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text('source,kind,target\n"a, b",x,007\n7,y,"a, b"\n\n')
    read = read_graph(str(path), directed=True)
    assert read.names == ["a, b", "007", "7"]
    assert as_dict(read) == {"a, b": {"007": 1.0}, "007": {}, "7": {"a, b": 1.0}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("u v\nv w\n", [("u", "v"), ("v", "w")]),
        ("user,item,weight\nann,x,3\nbob,x,2", [("ann", "x", 3.0), ("bob", "x", 2.0)]),
        ("who whom\n1 2\n", [(1, 2)]),
        ("\n  1   2\t\r\n\n# more\n3 \t 2\r\n", [(1, 2), (3, 2)]),
        ("1\t 2\n3 \t2", [(1, 2), (3, 2)]),
    ],
    ids=["letters", "weight", "any head", "spaces", "tabs"],
)
def test_read_graph__knows_heads_and_white_space(content: str, expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / "edges.txt").write_bytes(content.encode())
    assert as_dict(read_graph(tmp_path / "edges.txt")) == expected_of(expected, directed=False)


@pytest.mark.parametrize(
    ("rows", "directed", "expected", "note"),
    [
        ([("a", "b"), ("b", "a"), ("a", "b"), ("b", "c")], False, {"a": {"b": 1}}, "2 edges are"),
        ([("a", "b"), ("b", "a"), ("b", "c")], True, {"a": {"b": 1}, "b": {"a": 1, "c": 1}}, ""),
        ([("a", "b", 1.5), ("b", "a", 2.0), ("b", "c", 3.0)], False, {"a": {"b": 3.5}}, "1 edges"),
        ([("a", "a", 2.0), ("a", "a", 2.0), ("a", "b", 1.0)], False, {"a": {"a": 4.0, "b": 1.0}}, "1 edges"),
        ([("a", "b", 7.0), ("b", "c", 7.0)], False, {"a": {"b": 1}}, ""),
        ([("a", "b", 0.0), ("b", "c", 1.0), ("c", "d", 2.0)], False, {"d": {"c": 2.0}}, "left out 1 nodes"),
    ],
)  # fmt: skip
def test_read_graph__adds_repeated_edges_and_leaves_out_isolated_nodes(
    rows: list[Any], directed: bool, expected: dict[str, Any], note: str
) -> None:
    read = read_graph(rows, directed=directed)
    assert {name: as_dict(read)[name] for name in expected} == expected
    assert note in " ".join(read.notes)
    assert bool(read.notes) == bool(note)


def test_read_graph__equal_weights_are_none_and_take_no_memory() -> None:
    assert not len(read_graph([(0, 1, 7.0), (1, 2, 7.0)]).graph.sums)
    assert len(read_graph([(0, 1, 7.0), (1, 2, 8.0)]).graph.sums)


def test_read_graph__small_weights_are_not_lost_beside_large_ones() -> None:
    rows = [(i, i + 1, 1e12 if i % 2 else 1e-6 * (i + 1)) for i in range(100)]
    weights = as_dict(read_graph(rows, directed=True))
    assert weights["98"]["99"] == pytest.approx(99e-6, rel=1e-12)


def test_read_graph__skips_rows_with_a_null() -> None:
    rows = pa.table({"source": ["a", None, "b"], "target": ["b", "a", "c"], "weight": [1.0, 2.0, None]})
    read = read_graph(rows)
    assert (read.names, read.n_edges, read.n_null) == (["a", "b"], 1, 2)
    assert read.notes == ("skipped 2 rows with a null",)


def test_read_graph__leaves_out_isolated_nodes_of_a_matrix() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sparse.coo_array(([1, 1, 0], ([1, 3, 2], [3, 1, 4])), shape=(6, 6))
    read = read_graph(matrix)
    assert as_dict(read) == {"1": {"3": 1.0}, "3": {"1": 1.0}}
    assert read.notes == ("left out 4 nodes without an edge: they get no vector",)


def file_of(content: str, name: str = "e.csv") -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / name).write_text(content)
        return str(folder / name)

    return write


def given(value: Any) -> Callable[[Path], Any]:
    return lambda folder: value


ASYMMETRIC = (np.array([0, 1, 1]), np.array([1]))
BAD: list[tuple[Callable[[Path], Any], type[FastW2VError], str]] = [
    (given([(0, 1, -1.0)]), CorpusError, "the edge from '0' to '1' has weight -1: weights are finite and 0"),
    (given([("a", "b", 1.0), ("b", "c", float("nan"))]), CorpusError, "from 'b' to 'c' has weight nan"),
    (given((np.array([0, 1, 2]), np.array([1, 0]), np.array([1.0, -2.0]))), CorpusError, "weight -2"),
    (file_of("source,target,weight\na,b,-3\n"), CorpusError, "has weight -3"),
    (file_of("source,target,weight\na,b,heavy\n"), CorpusError, "heavy"),
    (file_of("source,target\na,b\na,b,c\n"), CorpusError, "each line has two columns"),
    (file_of("source,target\n"), CorpusError, "holds no edge"),
    (file_of(""), CorpusError, "holds no edge"),
    (file_of("# a comment\n", "e.txt"), CorpusError, "holds no edge"),
    (file_of("one\n", "e.txt"), UsageError, "the first line has 1 columns"),
    (file_of("a b c d\n", "e.txt"), UsageError, "the first line has 4 columns"),
    (file_of("source,other\na,b\n"), UsageError, "has no column target \\(it has 'source', 'other'\\)"),
    (given("absent.parquet"), CorpusError, "absent.parquet: no such file"),
    (given(pa.table({"source": ["a"], "to": [1.5]})), UsageError, "column 'to' is double"),
    (given(pa.table({"source": ["a"], "weight": [1.5]})), UsageError, "has no column target"),
    (given(pa.table({"a": [1], "b": [2], "c": [3], "d": [4]})), UsageError, "name the columns source"),
    (given(pa.table({"a": [1], "b": [2], "c": ["x"]})), UsageError, "column 'c' is string"),
    (given(pa.table({"a": [1], "weight": [2.0]})), UsageError, "has no column source"),
    (given([("a", "b"), ("b", "c", 1.0)]), UsageError, "row 1 is \\('b', 'c', 1.0\\)"),
    (given([(1,), (2,)]), UsageError, "row 0 is"),
    (given([]), CorpusError, "the given edges: holds no edge"),
    (given([("a", "a")]), UsageError, "has 1 nodes with an edge"),
    (given({"a": ["b"]}), UsageError, "edges cannot be read from dict"),
    (given(5), UsageError, "edges cannot be read from int"),
    (given(np.zeros((3, 4), int)), UsageError, "edges are integers of shape \\(n, 2\\)"),
    (given(np.zeros((3, 2))), UsageError, "is float64 of shape"),
    (given(ASYMMETRIC), UsageError, "is not symmetric.*directed, or give A \\+ A.T"),
    (given((np.array([0, 1, 3]), np.array([1, 0]))), UsageError, "must rise from 0 to the 2 indices"),
    (given((np.array([0, 1, 2]), np.array([1, 7]))), UsageError, "hold 7: nodes are from 0 to 1"),
    (given((np.array([0.0, 1.0]), np.array([0]))), UsageError, "indptr of .* is 1-d float64"),
    (given((np.array([0, 1, 2]), np.array([1, 0]), np.array([1.0]))), UsageError, "each of the 2 indices"),
    (given((np.array([0, 0, 0]), np.array([], int))), CorpusError, "holds no edge"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "error", "message"), BAD, ids=[message for *_, message in BAD])
def test_read_graph__refuses_in_one_line(
    source: Callable[[Path], Any], error: type[FastW2VError], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        read_graph(source(tmp_path))
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_read_graph__refuses_weights_of_some_edges(tmp_path: Path) -> None:
    parquet(tmp_path, "a.parquet", table(True))
    parquet(tmp_path, "b.parquet", table(False))
    with pytest.raises(UsageError, match="only some of its edges have a weight"):
        read_graph(str(tmp_path))


def test_read_graph__reads_csr_of_a_directed_graph_that_is_not_symmetric() -> None:
    assert as_dict(read_graph((np.array([0, 1, 1]), np.array([1])), directed=True)) == {
        "0": {"1": 1.0},
        "1": {},
    }


def test_read_graph__tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    read_graph(parquet(tmp_path, "e.parquet", table()), on_progress=lambda *where: told.append(where))
    assert told[-1] == (1.0, 6)
