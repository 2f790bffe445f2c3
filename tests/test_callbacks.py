"""The examples of docs/callbacks.md, each run with the tool it is for, where that is installed."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "callbacks.md").read_text("utf-8")
EXAMPLES = {
    match[1]: match[2]
    for match in re.finditer(r"^## (.+?)$.*?```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the corpus of the page, and a fast backend for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")  # mlflow-skinny has no other
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return tmp_path


def run(name: str) -> dict[str, Any]:
    """Run an example on a few words, by the NumPy backend; returns its names."""
    source = EXAMPLES[name]
    small = 'SENTENCES, backend="reference", kernel="pair", negatives=2, sample=0, min_count=1, threads=1'
    assert '"corpus.parquet"' in source
    names: dict[str, Any] = {"SENTENCES": [["a", "b", "c"], ["b", "c", "d"]] * 50}
    exec(compile(source.replace('"corpus.parquet"', small), "callbacks.md", "exec"), names)
    assert len(names["vectors"]) == 4
    return names


def test_page__has_an_example_for_each_tool() -> None:
    assert list(EXAMPLES) == ["TensorBoard", "MLflow", "Weights & Biases", "tqdm"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", ["tensorboardX", "torch.utils.tensorboard"])
def test_tensorboard__has_loss_and_rate(place: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """By each of the two libraries; read by TensorBoard's own reader."""
    writer = pytest.importorskip(library, exc_type=ImportError)  # torch's asks for TensorBoard, too
    monkeypatch.setitem(sys.modules, "tensorboardX", writer)  # the name that the example takes it from
    run("TensorBoard")
    written = b"".join(path.read_bytes() for path in (place / "runs" / "news").iterdir())
    assert b"loss" in written
    assert b"words a second" in written or b"words_a_second" in written
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(place / "runs" / "news"))
    found.Reload()
    rate, loss = sorted(found.Tags()["scalars"], key=len, reverse=True)
    assert (loss, rate.replace("_", " ")) == ("loss", "words a second")
    assert 0 < found.Scalars(loss)[-1].value < 10
    assert found.Scalars(rate)[-1].value > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow__has_options_and_losses(place: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    run("MLflow")
    found = mlflow.search_runs(output_format="list")[0].data
    assert found.params == {"dim": "100", "epochs": "5", "lr": "0.05"}
    assert 0 < found.metrics["loss"] < 10
    assert found.metrics["rate"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb__keeps_the_run(place: Path) -> None:
    pytest.importorskip("wandb")
    names = run("Weights & Biases")
    assert dict(names["board"].config) == names["options"]
    [kept] = (place / "wandb").glob("offline-run-*/*.wandb")
    while b"loss" not in kept.read_bytes():  # a process of its own writes, after the run too
        time.sleep(0.1)


@pytest.mark.filterwarnings("ignore")
def test_tqdm__comes_to_the_end(place: Path) -> None:
    pytest.importorskip("tqdm")
    bar = run("tqdm")["bar"]
    assert bar.n == pytest.approx(1.0)
    assert "loss=" in bar.postfix
