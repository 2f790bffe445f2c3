"""Runs on graphs: from edges to vectors, by the command and by Python, stopped and gone on with."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.config import GRAPH_DEFAULTS, PRESETS, ReadConfig, TrainConfig
from fastw2v.corpus.graphs.read import read_graph
from fastw2v.corpus.ids.memory import Memory
from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.run.graphs import require_walkable
from fastw2v.run.request import Request
from fastw2v.training import spans, walking
from fastw2v.training.walking import WalkSource, corpus_of_walks

N_BLOCKS = 4
SMALL: dict[str, Any] = {"graph": True, "dim": 16, "walks": 4, "walk_length": 20, "threads": 1}


def planted(n_nodes: int = 120, n_edges: int = 900, seed: int = 0) -> np.ndarray[Any, Any]:
    """Edges (n, 2), nine of ten of them within a block: node v is in block v % N_BLOCKS."""
    rng = np.random.default_rng(seed)
    sources = rng.integers(0, n_nodes, n_edges)
    step = np.where(rng.random(n_edges) < 0.9, N_BLOCKS, 1) * rng.integers(1, n_nodes // N_BLOCKS, n_edges)
    return np.stack([sources, (sources + step) % n_nodes], axis=1)


@pytest.fixture
def edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of edges in the working folder."""
    monkeypatch.chdir(tmp_path)
    ends = planted()
    pq.write_table(pa.table({"source": ends[:, 0], "target": ends[:, 1]}), "edges.parquet")
    return "edges.parquet"


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are cut into as many calls and stretches of walks as can be."""
    monkeypatch.setattr(spans, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(walking, "BUFFER_TOKENS", 5000)


def matrices(embeddings: fastw2v.Embeddings) -> bytes:
    assert embeddings.outside_vectors is not None
    return embeddings.center_vectors.tobytes() + embeddings.outside_vectors.tobytes()


def test_train__finds_planted_blocks(edges: str) -> None:
    """Each node is nearest to the mean of its own block."""
    vectors = fastw2v.train(edges, **SMALL | {"epochs": 10, "window": 5})
    rows = vectors.center_vectors / np.linalg.norm(vectors.center_vectors, axis=1, keepdims=True)
    blocks = np.array([int(word) for word in vectors.words]) % N_BLOCKS
    means = np.stack([rows[blocks == block].mean(axis=0) for block in range(N_BLOCKS)])
    assert len(vectors) == 120
    assert ((rows @ means.T).argmax(axis=1) == blocks).mean() > 0.9


def test_train__is_the_same_from_a_file_and_from_objects(edges: str, tmp_path: Path) -> None:
    expected = fastw2v.train(edges, **SMALL)
    ends = planted()
    np.savetxt("edges.csv", ends, "%d", ",")
    sources: list[Any] = [
        "edges.csv",
        ends,
        pa.table({"u": ends[:, 0], "v": ends[:, 1]}),
        map(tuple, ends.tolist()),
    ]
    for source in sources:
        actual = fastw2v.train(source, **SMALL)
        assert actual.words == expected.words
        assert matrices(actual) == matrices(expected)


@pytest.mark.parametrize("directed", [False, True])
def test_train__deterministic_gives_the_same_bytes_for_any_threads_and_cuts(
    edges: str, directed: bool, request: pytest.FixtureRequest
) -> None:
    options = SMALL | {"deterministic": True, "directed": directed, "walks": 2, "in_out_parameter": 0.5}
    expected = matrices(fastw2v.train(edges, **options))
    assert matrices(fastw2v.train(edges, **options | {"threads": 3})) == expected
    request.getfixturevalue("monkeypatch").setattr(spans, "CALL_SECONDS", 0.0)
    assert matrices(fastw2v.train(edges, **options | {"threads": 2})) == expected


@pytest.mark.parametrize("directed", [False, True])
def test_train__goes_on_to_the_same_bytes(edges: str, directed: bool, cut: None) -> None:
    """Stopped amid a stretch of walks of the second epoch; directed walks end early, at an odd place."""
    options = SMALL | {"epochs": 2, "directed": directed, "return_parameter": 0.5}
    ends = planted()
    source = ends[ends[:, 0] > 20] if directed else ends  # nodes up to 20 are dead ends
    pq.write_table(pa.table({"source": source[:, 0], "target": source[:, 1]}), edges)
    expected = fastw2v.train(edges, **options)
    calls = itertools.count()

    def stop(moment: fastw2v.Moment) -> None:
        if moment.epoch == 2 and next(calls) == 1:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        fastw2v.train(edges, **options, checkpoint="kept", checkpoint_every="1 words", on_chunk=stop)
    assert matrices(fastw2v.train(resume="kept")) == matrices(expected)
    with pytest.raises(UsageError, match=r"walks is 5, but the run to go on with has 4"):
        fastw2v.train(resume="kept", graph=True, walks=5)
    pq.write_table(pa.table({"source": ends[:, 1], "target": ends[:, 0]}).slice(1), edges)
    with pytest.raises(UsageError, match="is not that of the run in kept"):
        fastw2v.train(resume="kept")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("walks", 3),
        ("walk_length", 21),
        ("return_parameter", 3.0),
        ("in_out_parameter", 3.0),
        ("directed", True),
    ],
)
def test_train__every_option_of_walks_takes_effect_or_is_refused(edges: str, name: str, value: Any) -> None:
    assert matrices(fastw2v.train(edges, **SMALL | {name: value})) != matrices(fastw2v.train(edges, **SMALL))
    with pytest.raises(UsageError, match=f"{name} is .*for walks on a graph: set graph, or leave {name} out"):
        fastw2v.train([["a", "b"]] * 9, **{name: value})


def test_train__minutes_walk_as_long_as_they_last(edges: str) -> None:
    epochs: list[float] = []
    options = SMALL | {"minutes": 0.01, "walks": 1}
    vectors = fastw2v.train(edges, on_chunk=lambda moment: epochs.append(moment.progress.epochs), **options)
    assert len(vectors) == 120
    assert epochs[-1] > 1


# ---- What an epoch is --------------------------------------------------------------------------------------


def source_of(directed: bool = False, **options: Any) -> WalkSource:
    """Walks on planted edges, of which nodes up to 20 are left by none where they are directed."""
    ends = planted()
    read = read_graph(ends[ends[:, 0] > 20] if directed else ends, directed=directed)
    config = GraphConfig(graph=True, walks=3, walk_length=20, directed=directed, **options)
    corpus = corpus_of_walks(read, config, seed=1, threads=2)
    assert isinstance(corpus.source, WalkSource)
    return corpus.source


@pytest.mark.parametrize("directed", [False, True])
def test_buffers__stand_for_an_epoch_and_begin_anywhere(directed: bool, cut: None) -> None:
    source = source_of(directed)
    whole = [(buffer, buffer.tokens.ids.copy()) for buffer in source.buffers(1, 0)]
    assert len(whole) == 2
    n_walked = sum(len(ids) for _, ids in whole)
    assert sum(buffer.n_tokens for buffer, _ in whole) == source.n_tokens
    assert (n_walked == source.n_tokens == 3 * 20 * source.graph.n_nodes) != directed
    assert n_walked == pytest.approx(source.n_tokens, rel=0.1)
    assert [buffer.first_token for buffer, _ in whole] == [0, whole[0][0].n_tokens]
    (last,) = source.buffers(1, 0, whole[1][0].first_unit + 1)
    assert last.tokens.ids.tobytes() == whole[1][1].tobytes()
    assert last._replace(tokens=None) == whole[1][0]._replace(tokens=None)  # type: ignore[arg-type]
    others = [next(source.buffers(seed, epoch)).tokens.ids.tobytes() for seed, epoch in ((1, 1), (2, 0))]
    assert len({whole[0][1].tobytes(), *others}) == 3


def visits_of(source: WalkSource, seed: int) -> np.ndarray[Any, Any]:
    """How often its first epoch meets each word."""
    visits = np.zeros(source.graph.n_nodes, np.int64)
    for buffer in source.buffers(seed, 0):
        visits += np.bincount(buffer.tokens.ids, minlength=len(visits))
    return visits


@pytest.mark.parametrize("directed", [False, True])
def test_corpus__counts_are_the_visits_of_the_first_epoch(directed: bool, cut: None) -> None:
    source = source_of(directed)
    visits = visits_of(source, 1)
    assert visits.sum() == source.n_tokens
    assert (np.diff(visits) <= 0).all()
    assert visits.min() >= source.config.walks
    if not directed:
        corpus = corpus_of_walks(read_graph(planted()), source.config, seed=1, threads=1)
        assert corpus.vocabulary.counts.tolist() == visits.tolist()
        assert corpus.n_words_read == corpus.n_tokens == visits.sum()


def test_corpus__counts_of_a_large_graph_are_those_of_one_round_times_the_walks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walking, "COUNTED_TOKENS", 1)
    config = GraphConfig(graph=True, walks=50, walk_length=40)
    corpus = corpus_of_walks(read_graph(planted()), config, seed=1, threads=1)
    assert isinstance(corpus.source, WalkSource)
    assert not (corpus.vocabulary.counts % 50).any()
    counts = corpus.vocabulary.counts
    deviations = (counts - visits_of(corpus.source, 1)) / np.sqrt(50 * counts)
    assert abs(deviations).max() < 6  # neighbours meet again, so a little more than chance has it


def test_train__lr_falls_to_its_floor_over_walks_that_end_early(edges: str, cut: None) -> None:
    ends = planted()
    told: list[fastw2v.Moment] = []
    options = SMALL | {"directed": True, "epochs": 2, "lr": 0.05}
    fastw2v.train(ends[ends[:, 0] > 20], **options, on_chunk=lambda moment: told.append(moment))
    rates = [moment.progress.learning_rate for moment in told]
    assert rates == sorted(rates, reverse=True)
    assert (told[-1].progress.share, told[-1].progress.epochs, rates[-1]) == (1.0, 2.0, 0.05e-4)


# ---- Options ----------------------------------------------------------------------------------------------


def test_graph_config__defaults() -> None:
    assert GraphConfig() == GraphConfig(False, 10, 80, 1.0, 1.0, False)
    assert PRESETS["graph"] | {"epochs": 1} == GRAPH_DEFAULTS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"dim": 128, "window": 10, "sample": 0.0, "min-count": 1, "epochs": 1}),
        (["--dim", "8", "--epochs", "2"], {"dim": 8, "window": 10, "epochs": 2}),
        (["--preset", "items"], {"window": 10, "sample": 1e-4, "epochs": 40, "dim": 128}),
        (["--p", "0.5", "--q", "2"], {"return-parameter": 0.5, "in-out-parameter": 2.0}),
    ],
    ids=["none", "dim", "preset", "p and q"],
)
def test_command__has_the_defaults_of_the_preset(
    edges: str, arguments: list[str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And Python has the same, which shows in the bytes."""
    monkeypatch.setattr(walking, "BUFFER_TOKENS", 1 << 12)
    short = ["--walks", "1", "--walk-length", "8", "--threads", "1"]
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--graph", edges, *short, *arguments])
    assert stop.value.code == 0
    kept = tomllib.loads(Path("edges.vectors.config.toml").read_text())
    assert {name: kept[name] for name in expected} == expected
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    names = {"--p": "return_parameter", "--q": "in_out_parameter"}
    options: dict[str, Any] = {names.get(flag, flag[2:]): value for flag, value in given.items()}
    options = {name: value if name == "preset" else float(value) for name, value in options.items()}
    vectors = fastw2v.train(edges, graph=True, walks=1, walk_length=8, threads=1, **options)
    text = [f"{len(vectors)} {vectors.dim}"]
    assert Path("edges.vectors.txt").read_text().splitlines()[0] == text[0]
    assert fastw2v.load("edges.vectors.txt").center_vectors == pytest.approx(vectors.center_vectors, abs=1e-6)


def test_command__tells_of_the_graph(edges: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--graph", edges, "--dry-run", "--walks", "2"])
    out, err = capfd.readouterr()
    assert "read 900 edges of 120 nodes in" in err
    assert "an epoch is 19,200 steps of walks" in err
    assert "edges are there already, and count once" in err
    assert "graph       0.0 MB of memory" in out


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"column": "text"}, "column is 'text': that is of texts, and graph reads edges"),
    "lowercase": ({"lowercase": True}, "lowercase does nothing with graph: that is of texts"),
    "phrases": ({"phrases": 1}, "phrases is 1: that is of texts"),
    "tokenize": ({"tokenize": "simple"}, "tokenize is 'simple'"),
    "group_by": ({"group_by": "g"}, "group_by is 'g'"),
    "weight": ({"weight": "w"}, "weight is 'w': edges have weights of their own, in a column weight"),
    "min_count": ({"min_count": 2}, "min_count is 2"),
    "max_vocab": ({"max_vocab": 9}, "max_vocab is 9"),
    "stop_words": ({"stop_words": {"a"}}, "stop_words is"),
    "holdout": ({"holdout": 0.1}, "holdout is 0.1: walks are drawn anew each epoch"),
    "leave_last_out": ({"leave_last_out": True}, "leave_last_out does nothing with graph"),
    "shuffle": ({"shuffle": True}, "shuffle does nothing with graph: walks come in a drawn order"),
    "memory_limit": ({"memory_limit": "1GB"}, "memory_limit is .*: a graph is in memory whole"),
    "cache_dir": ({"cache_dir": "cache"}, "cache_dir is 'cache': it keeps ids"),
    "walk_length": ({"walk_length": 1}, "walk_length is 1: it must be from 2"),
    "return_parameter": ({"return_parameter": 0}, "return_parameter is 0: it must be from 1e-6 to 1e6"),
    "graph": ({"graph": "edges.parquet"}, "graph is 'edges.parquet': it must be True or False"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_train__refuses_what_means_nothing_to_a_graph(edges: str, name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(UsageError, match=message) as caught:
        fastw2v.train("absent.parquet", **{"graph": True} | options)
    assert name in caught.value.options
    assert not Path("cache").exists()


def test_train__refuses_a_vocabulary_a_corpus_and_several_processes(edges: str) -> None:
    from fastw2v.corpus import read_corpus
    from fastw2v.corpus.vocabulary import Vocabulary

    words = Vocabulary(["a", "b"], np.array([1, 1]))
    with pytest.raises(UsageError, match="the words of graph are its nodes"):
        fastw2v.train(edges, graph=True, vocabulary=words)
    with pytest.raises(UsageError, match="this corpus is read"):
        fastw2v.train(read_corpus([["a", "b"]], min_count=1), graph=True)
    request = Request(
        edges, TrainConfig(), ReadConfig(), ReplicaConfig(), None, Memory(), graph=GraphConfig(graph=True)
    )
    require_walkable(request, 1)
    with pytest.raises(UsageError, match="start it without mpirun, or with alone"):
        require_walkable(request, 2)
    require_walkable(replace_graph(request), 2)


def replace_graph(request: Request) -> Request:
    return request._replace(graph=replace(request.graph, graph=False))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--read-vocab", "w.txt"], 2, "--read-vocab is of texts"),
        (["--keep-list", "w.txt"], 2, "--keep-list is"),
        (["--directed", "--holdout", "0.1"], 2, "--holdout is 0.1"),
        (["--min-count", "3"], 2, "--min-count is 3"),
        (["--q", "-1"], 2, "--in-out-parameter is -1.0: it must be from 1e-6 to 1e6"),
    ],
)
def test_command__refuses_in_one_line(
    edges: str, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    Path("w.txt").write_text("a 3\nb 2\n")
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--graph", edges, *arguments])
    assert stop.value.code == code
    err = capfd.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_train__loops_alone_have_no_neighbours() -> None:
    """A walk that stays is a sentence of one word, which is none to learn from but itself."""
    vectors = fastw2v.train([("a", "a"), ("b", "b"), ("a", "b")], **SMALL)
    assert set(vectors.words) == {"a", "b"}


def test_train__a_graph_of_dead_ends_alone_has_walks_of_two() -> None:
    rows = [(f"u{i}", f"v{i % 7}") for i in range(40)]
    vectors = fastw2v.train(rows, **SMALL, directed=True)
    assert len(vectors) == 47


def test_train__errors_of_edges_have_their_exit_code(edges: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("source,target,weight\na,b,1\nb,c,-2\n")
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--graph", "bad.csv"])
    assert stop.value.code == CorpusError.exit_code == 3
    assert "from 'b' to 'c' has weight -2" in capfd.readouterr().err
    assert not list(Path().glob("bad.vectors*"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("p", "return_parameter"), ("q", "in_out_parameter"), ("num_walks", "walks"), ("edges", "graph")],
)
def test_train__names_of_other_programs_lead_to_those_here(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        fastw2v.train([("a", "b")], graph=True, **{name: 1})
