"""Smaller vectors: 8 bits a number, product-quantised codes, the first words alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.errors import CorpusError, UsageError
from fastw2v.vectors.embeddings import Embeddings, unit_rows
from fastw2v.vectors.formats import load, output_paths, save
from fastw2v.vectors.formats.int8 import quantised

N_WORDS, DIM = 400, 12


@pytest.fixture
def embeddings(rng: np.random.Generator) -> Embeddings:
    """Vectors near 20 directions, of lengths from .01 to 10, so that words have near neighbours."""
    directions = rng.normal(0, 1, (20, DIM))
    matrix = directions[np.arange(N_WORDS) % 20] + rng.normal(0, 0.3, (N_WORDS, DIM))
    matrix *= np.geomspace(10, 0.01, N_WORDS)[:, np.newaxis]
    words = ["é", "日本", *(f"word{i}" for i in range(2, N_WORDS))]
    return Embeddings(words, matrix.astype(np.float32), counts=np.arange(N_WORDS, 0, -1))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    product: np.ndarray = (unit_rows(one) * unit_rows(other)).sum(axis=1)
    return product


def run(arguments: list[str]) -> int | str | None:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


# ---- int8 --------------------------------------------------------------------------------------------------


def test_quantised__is_the_nearest_multiple_of_the_rows_scale(embeddings: Embeddings) -> None:
    matrix = embeddings.center_vectors
    numbers, scales = quantised(matrix)
    np.testing.assert_allclose(scales, np.abs(matrix).max(axis=1) / 127, rtol=1e-6)
    assert (np.abs(numbers).max(axis=1) == 127).all()
    error = np.abs(numbers * scales[:, np.newaxis] - matrix)
    assert (error <= 0.5001 * scales[:, np.newaxis]).all()


@pytest.mark.parametrize("value", [0.0, 1e-45, 3e-44, 1e-38, 3.4e38])
def test_quantised__of_the_smallest_and_the_largest(value: float) -> None:
    row = np.array([[value, -value, value / 2, 0]], np.float32)
    numbers, scales = quantised(row)
    assert np.isfinite(scales).all()
    assert np.abs(numbers.astype(int)).max() <= 127
    if value > 1e-38:
        np.testing.assert_allclose(numbers * scales[:, np.newaxis], row, rtol=0.01)


def test_int8__is_read_back(tmp_path: Path, embeddings: Embeddings) -> None:
    path = tmp_path / "v.int8.npy"
    save(path, embeddings)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "v.int8.npy",
        "v.int8.scales.npy",
        "v.int8.vocab.txt",
    ]
    assert output_paths(path) == [path, path.with_suffix(".scales.npy"), path.with_suffix(".vocab.txt")]
    stored = np.load(path, mmap_mode="r")
    assert (stored.dtype, stored.shape) == (np.int8, (N_WORDS, DIM))
    actual = load(path)
    assert actual.words == embeddings.words
    assert actual.counts is not None
    assert actual.counts.tolist() == list(range(N_WORDS, 0, -1))
    assert cosines(actual.center_vectors, embeddings.center_vectors).min() > 0.9995
    np.testing.assert_allclose(actual.norms, embeddings.norms, rtol=0.02)
    assert load(path, limit=7).words == embeddings.words[:7]
    again = tmp_path / "w.int8.npy"
    save(again, actual)  # what was rounded once is not rounded again
    assert np.array_equal(np.load(again), stored)


def test_int8__usearch_and_faiss_take_the_matrix(tmp_path: Path, embeddings: Embeddings) -> None:
    usearch = pytest.importorskip("usearch.index")
    save(tmp_path / "v.int8.npy", embeddings)
    matrix = np.load(tmp_path / "v.int8.npy")
    index = usearch.Index(ndim=DIM, metric="cos", dtype="i8")
    index.add(np.arange(len(matrix)), matrix)
    found = index.search(matrix[5], 6).keys.tolist()
    expected = [embeddings.words.index(word) for word, _ in embeddings.nearest(embeddings.words[5], 5)]
    assert found[0] == 5
    assert len({*found} & {*expected}) >= 4
    faiss = pytest.importorskip("faiss")
    rows = unit_rows(matrix.astype(np.float32))
    flat = faiss.IndexFlatIP(DIM)
    flat.add(rows)
    assert len({*flat.search(rows[5:6], 6)[1][0].tolist()} & {*expected}) >= 4


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.with_suffix(".scales.npy").unlink(), "v.int8.scales.npy beside it is not"),
        (lambda path: np.save(path.with_suffix(".scales.npy"), np.ones(3, np.float32)), "3 scales"),
        (lambda path: np.save(path.with_suffix(".scales.npy"), np.ones((N_WORDS, 1))), "a vector of floats"),
        (lambda path: np.save(path, np.ones((N_WORDS, DIM), np.float32)), "a matrix of int8 is needed"),
        (lambda path: np.save(path, np.ones((N_WORDS, DIM), np.int16)), "a matrix of int8 is needed"),
        (lambda path: np.save(path, np.ones((3, DIM), np.int8)), f"has 3 vectors but .* {N_WORDS} scales"),
        (
            lambda path: np.save(path.with_suffix(".scales.npy"), np.full(N_WORDS, np.nan, np.float32)),
            "the vector of 'é' is not finite",
        ),
    ],
)
def test_int8__that_does_not_fit(
    tmp_path: Path, embeddings: Embeddings, damage: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "v.int8.npy"
    save(path, embeddings)
    damage(path)
    with pytest.raises(CorpusError, match=reason):
        load(path)


# ---- pq ----------------------------------------------------------------------------------------------------


@pytest.fixture
def faiss() -> object:
    return pytest.importorskip("faiss")


def test_pq__faiss_reads_it_and_so_do_we(tmp_path: Path, embeddings: Embeddings, faiss: object) -> None:
    path = tmp_path / "v.faiss"
    save(path, embeddings, normalize=True, pq_bytes=6)
    index = faiss.read_index(str(path))  # type: ignore[attr-defined]
    assert (index.ntotal, index.d, index.code_size) == (N_WORDS, DIM, 6)
    rows = unit_rows(embeddings.center_vectors)
    _, found = index.search(rows, 10)
    assert (found == np.arange(N_WORDS)[:, np.newaxis]).any(axis=1).mean() > 0.95
    actual = load(path)
    assert actual.words == embeddings.words
    assert actual.counts is not None
    assert cosines(actual.center_vectors, rows).mean() > 0.95
    assert load(path, limit=7).words == embeddings.words[:7]
    save(tmp_path / "w.faiss", embeddings, normalize=True, pq_bytes=6)
    assert (tmp_path / "w.faiss").read_bytes() == path.read_bytes()  # the same each time


def test_pq__more_bytes_lose_less(tmp_path: Path, embeddings: Embeddings, faiss: object) -> None:
    losses = []
    for pq_bytes in (1, 3, 12):
        save(tmp_path / "v.faiss", embeddings, normalize=True, pq_bytes=pq_bytes)
        actual = load(tmp_path / "v.faiss").center_vectors
        losses.append(1 - cosines(actual, embeddings.center_vectors).mean())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


def test_pq__refusals(tmp_path: Path, embeddings: Embeddings, faiss: object) -> None:
    with pytest.raises(UsageError, match=r"--pq-bytes 5 cannot cut 12 numbers .* give one of 2, 3, 4, 6"):
        save(tmp_path / "v.faiss", embeddings, pq_bytes=5)
    with pytest.raises(UsageError, match="format pq needs 256 words, one a centroid, not 9"):
        save(tmp_path / "v.faiss", Embeddings(embeddings.words[:9], embeddings.center_vectors[:9]))
    with pytest.raises(UsageError, match="format binary has no codes"):
        save(tmp_path / "v.bin", embeddings, pq_bytes=6)
    with pytest.raises(UsageError, match="pq_bytes"):
        save(tmp_path / "v.faiss", embeddings, pq_bytes=0)
    assert not list(tmp_path.iterdir())


def test_pq__without_faiss(tmp_path: Path, embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(UsageError, match=r"needs faiss: pip install 'fastw2v\[faiss\]'"):
        save(tmp_path / "v.faiss", embeddings)


@pytest.mark.parametrize("content", [b"", b"IxPq", b"\xff" * 200, b"IxPq" + b"\xff" * 200])
def test_pq__damaged(tmp_path: Path, embeddings: Embeddings, faiss: object, content: bytes) -> None:
    save(tmp_path / "v.faiss", embeddings)
    (tmp_path / "v.faiss").write_bytes(content)
    with pytest.raises(CorpusError, match="is no index of faiss"):
        load(tmp_path / "v.faiss")


def test_pq__cut_short_anywhere(tmp_path: Path, embeddings: Embeddings, faiss: object) -> None:
    path = tmp_path / "v.faiss"
    save(path, embeddings)
    whole = path.read_bytes()
    for size in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:size])
        with pytest.raises(CorpusError):
            load(path)


# ---- the command -------------------------------------------------------------------------------------------


def test_export__top_and_formats(
    tmp_path: Path, embeddings: Embeddings, faiss: object, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "v.npy", embeddings)
    for name, more in (("t.int8.npy", []), ("t.faiss", ["--pq-bytes", "6", "--normalize"])):
        target = str(tmp_path / name)
        assert run(["export", str(tmp_path / "v.npy"), target, "--top", "300", *more]) == 0
        assert f"wrote 300 vectors to {target}" in capsys.readouterr().err
        assert load(target).words == embeddings.words[:300]
        assert run(["nearest", target, "word5", "-n", "3"]) == 0
        near = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
        expected = [word for word, _ in embeddings.nearest("word5", 19)]
        assert len(near) == 3
        assert {*near} <= {*expected}
    assert run(["export", str(tmp_path / "t.int8.npy"), str(tmp_path / "back.bin")]) == 0
    assert np.array_equal(
        load(tmp_path / "back.bin").center_vectors, load(tmp_path / "t.int8.npy").center_vectors
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["v.npy", "t.bin", "--top", "0"], "--top"),
        (["v.npy", "t.bin", "--pq-bytes", "4"], "format binary has no codes"),
        (["v.npy", "t.int8.npy", "--float16"], "format int8 holds no float16"),
        (["v.npy", "t.bin", "--top", "5", "--words", "list.txt"], "--top does nothing with --words"),
        (["v.npy", "v.int8.npy"], None),
        (["v.int8.npy", "v.npy"], None),
    ],
)
def test_export__refusals(
    tmp_path: Path,
    embeddings: Embeddings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    save("v.npy", embeddings)
    save("v.int8.npy", embeddings)
    Path("list.txt").write_text("word5\n")
    assert run(["export", *arguments]) == (2 if reason else 0)
    assert (reason or "wrote") in capsys.readouterr().err


def test_train__writes_int8_and_refuses_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("a b c d e a b c\n" * 50)
    assert run(["train", "c.txt", "-o", "v.faiss"]) == 2
    assert "train to v.bin, then run: fastw2v export v.bin v.faiss" in capsys.readouterr().err
    arguments = [
        "--backend",
        "reference",
        "--kernel",
        "pair",
        "--dim",
        "4",
        "--epochs",
        "1",
        "--threads",
        "1",
    ]
    assert run(["train", "c.txt", "-o", "v.int8.npy", *arguments]) == 0
    assert len(load("v.int8.npy")) == 5
    shutil.copy("v.int8.npy", "w.npy")
    with pytest.raises(CorpusError, match="holds int8"):
        load("w.npy")
