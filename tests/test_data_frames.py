"""docs/data-frames.md: each of its examples trains, where the library is installed."""

from __future__ import annotations

import os
import re
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fastw2v

PAGE = (Path(__file__).parent.parent / "docs" / "data-frames.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n# (.+)\n([^`]+)```", PAGE)
TEXTS = ["a b c d e", "c b a", "d e a b"] * 10


def polars_frame() -> Any:
    return pytest.importorskip("polars").DataFrame({"text": TEXTS, "n": range(30)})


def dask_frame() -> Any:
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    return frames.from_pandas(pandas.DataFrame({"text": TEXTS, "n": range(30)}), npartitions=3)


def spark_frame() -> Any:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    return session.createDataFrame([(text, n) for n, text in enumerate(TEXTS)], ["text", "n"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples: Spark's Java machine stays in the folder where the first of them started it."""
    return tmp_path_factory.mktemp("examples")


FRAMES = {"polars": polars_frame, "dask": dask_frame, "spark": spark_frame}


def test_page__has_examples_of_all() -> None:
    assert {name.partition(",")[0] for name, _ in EXAMPLES} == set(FRAMES)
    assert len(EXAMPLES) == len(re.findall(r"```python", PAGE)) == 4


@pytest.mark.filterwarnings("ignore")  # of the libraries, when they begin
@pytest.mark.timeout(600)  # Spark starts a Java machine
@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_example__trains(name: str, example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    shutil.rmtree("corpus", ignore_errors=True)  # of the example before
    frame = FRAMES[name.partition(",")[0]]()
    train = partial(fastw2v.train, backend="reference", kernel="pair", epochs=1, threads=1)
    results = []

    def kept(*arguments: Any, **options: Any) -> Any:
        results.append(train(*arguments, **options))
        return results[-1]

    exec(example, {"frame": frame, "fastw2v": SimpleNamespace(train=kept)})
    assert results
    for vectors in results:
        assert set(vectors.words) == set("abcde")
        assert vectors.dim == 100
        assert vectors.counts.tolist() == [30, 30, 20, 20, 20]
