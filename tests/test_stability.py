"""How sure neighbours are: shares and intervals against their definitions, and where they are shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastw2v import cli
from fastw2v.errors import UsageError
from fastw2v.vectors import samples, stability
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.stability import Stability, interval, level_of, sureness

N_WORDS, DIM, N_SAMPLES = 60, 5, 20
WORDS = [f"w{i}" for i in range(N_WORDS)]


def made_in(folder: Path, matrices: Any, words: list[str] = WORDS) -> Stability:
    """Samples of these vectors."""
    folder.mkdir(exist_ok=True)
    samples.write_words(folder, words, np.arange(len(words), 0, -1))
    entries = {
        str(number): samples.write_sample(folder, number, matrix.astype(np.float32))
        for number, matrix in enumerate(matrices, 1)
    }
    samples.write_manifest(folder, {"options": {"dim": matrices[0].shape[1]}, "samples": entries})
    return Stability(folder)


@pytest.fixture(name="vectors")
def fixture_vectors(rng: np.random.Generator) -> Embeddings:
    return Embeddings(list(WORDS), rng.normal(size=(N_WORDS, DIM)).astype(np.float32))


@pytest.fixture(name="sampled")
def fixture_sampled(tmp_path: Path, vectors: Embeddings, rng: np.random.Generator) -> Stability:
    """The vectors with noise, each sample in a rotation of its own, which no cosine sees."""
    matrices = []
    for _ in range(N_SAMPLES):
        turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
        matrices.append((vectors.center_vectors + rng.normal(0, 0.3, (N_WORDS, DIM))) @ turn)
    return made_in(tmp_path / "v.stability", matrices)


def unit(matrix: Any) -> Any:
    rows = np.asarray(matrix, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_nearest__is_what_its_words_say(sampled: Stability, vectors: Embeddings) -> None:
    """Against sorting all cosines of every sample."""
    found = sampled.nearest("w7", 8, vectors)
    assert [(near.word, near.cosine) for near in found] == vectors.nearest("w7", 8)
    cosines = np.array([unit(sample)[7] @ unit(sample).T for sample in sampled.samples])
    cosines[:, 7] = -np.inf
    among = np.argsort(-cosines, axis=1)[:, :8]
    for near in found:
        place = int(near.word[1:])
        assert near.share == pytest.approx((among == place).any(axis=1).mean())
        own = np.sort(cosines[:, place])
        position = (N_SAMPLES + 1) * 0.05 - 1  # in order, from 0
        assert near.low == pytest.approx(own[0] + position * (own[1] - own[0]), abs=2e-3)
        assert near.high == pytest.approx(own[-1] - position * (own[-1] - own[-2]), abs=2e-3)
    assert 0 < sum(near.share for near in found) < 8


@pytest.mark.parametrize("at_once", [1, 64, 1 << 20])
def test_sureness__does_not_depend_on_the_size_of_a_step(
    sampled: Stability, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    asked, others = np.array([0, 7, 59]), np.array([[1, 2], [3, 59], [7, 0]])
    expected = sureness(sampled, asked, others, 5)
    monkeypatch.setattr(stability, "SCORES_AT_ONCE", at_once)
    for one, other in zip(sureness(sampled, asked, others, 5), expected, strict=True):
        assert np.allclose(one, other, atol=1e-6)


def test_sureness__among_some_words_is_that_without_the_others(sampled: Stability, tmp_path: Path) -> None:
    few = np.array([2, 3, 5, 8, 13, 21])
    asked, others = few[:2], few[[[1, 2], [3, 4]]]
    found = sureness(sampled, asked, others, 2, among=few)
    alone = made_in(
        tmp_path / "few.stability", [sample[few] for sample in sampled.samples], [WORDS[i] for i in few]
    )
    expected = sureness(alone, np.array([0, 1]), np.array([[1, 2], [3, 4]]), 2)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, atol=2e-3)


def test_nearest__without_vectors_is_by_the_mean_of_the_samples(sampled: Stability) -> None:
    means = np.mean([unit(sample)[7] @ unit(sample).T for sample in sampled.samples], axis=0)
    means[7] = -np.inf
    order = np.argsort(-means)[:4]
    found = sampled.nearest("w7", 4)
    assert [near.word for near in found] == [WORDS[i] for i in order]
    assert [near.cosine for near in found] == pytest.approx(means[order].tolist(), abs=2e-3)
    assert len(sampled.nearest("w7", 1000)) == N_WORDS - 1


def test_nearest__equal_words_are_all_among_the_nearest(tmp_path: Path) -> None:
    """Of ties none is above the other, whichever is named first."""
    matrix = np.repeat(np.eye(3), 4, axis=0)
    same = made_in(tmp_path / "same.stability", [matrix, matrix], WORDS[:12])
    found = same.nearest("w0", 3, Embeddings(WORDS[:12], matrix.astype(np.float32)))
    assert [(near.word, near.share) for near in found] == [("w1", 1.0), ("w2", 1.0), ("w3", 1.0)]


@pytest.mark.parametrize(("n", "level"), [(2, 1 / 3), (10, 9 / 11), (19, 0.9), (20, 0.9), (99, 0.9)])
def test_interval__a_further_sample_falls_within_at_its_level(n: int, level: float) -> None:
    """Whatever the distribution is; here of a long tail."""
    assert level_of(n) == pytest.approx(level)
    draws = np.random.default_rng(n).exponential(size=(n + 1, 20_000)) ** 2
    low, high = interval(draws[:n])
    covered = ((low <= draws[n]) & (draws[n] <= high)).mean()
    assert covered == pytest.approx(level, abs=0.015)


REFUSED: dict[str, tuple[list[str], int, int, str]] = {
    "word": (WORDS, DIM, 5, "'nobody' is not among the 60 words"),
    "number": (WORDS, DIM, 0, "n is 0"),
    "dim": (WORDS, DIM + 1, 5, "the vectors have dim 6, the samples in .* 5"),
    "words": (["other", *WORDS[1:]], DIM, 5, r"1 of 60 words have no samples in .* \('other'\)"),
}


@pytest.mark.parametrize(("words", "dim", "n", "message"), REFUSED.values(), ids=REFUSED)
def test_nearest__refuses(sampled: Stability, words: list[str], dim: int, n: int, message: str) -> None:
    vectors = Embeddings(words, np.ones((N_WORDS, dim), np.float32))
    asked = "nobody" if "nobody" in message else "w7"
    with pytest.raises(UsageError, match=message):
        sampled.nearest(asked, n, vectors)


# --- on the command line -----------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    return int(stop.value.code or 0)


@pytest.fixture(name="file")
def fixture_file(tmp_path: Path, vectors: Embeddings) -> Path:
    vectors.save(tmp_path / "v.bin")
    return tmp_path / "v.bin"


def test_command_nearest(
    sampled: Stability, vectors: Embeddings, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(sampled.path)
    assert run("nearest", str(file), "w7", "w8", "-n", "2", "--stability", folder, "--no-cache") == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    expected = [(word, near) for word in ("w7", "w8") for near in sampled.nearest(word, 2, vectors)]
    assert lines == [
        [word, near.word, *(f"{x:.4f}" for x in (near.cosine, near.share, near.low, near.high))]
        for word, near in expected
    ]
    assert run("nearest", str(file), "w7", "--stability", str(file.parent), "--no-cache") == 2
    assert "holds no samples" in capsys.readouterr().err


def test_command_map(sampled: Stability, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, folder = file.with_name("map.html"), str(sampled.path)
    assert run("map", str(file), "-o", str(page), "-n", "30", "--stability", folder, "--no-cache") == 0
    data = json.loads(re.findall(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page.read_text(), re.S)[0])
    rows = np.arange(30)
    first = np.array([place for place, *_ in data["near"][0]])
    expected = sureness(sampled, rows[:1], first[np.newaxis], len(first), among=rows)
    told = np.array([entry[2:] for entry in data["near"][0]])
    assert np.abs(told - np.array(expected)[:, 0].T).max() < 1e-3
    capsys.readouterr()
    picture = str(file.with_name("map.svg"))
    assert run("map", str(file), "-o", picture, "--stability", folder, "--no-cache") == 2
    assert "--stability does nothing in a picture (.svg)" in capsys.readouterr().err


def test_command_report(sampled: Stability, vectors: Embeddings, file: Path) -> None:
    page, folder = file.with_name("report.html"), str(sampled.path)
    code = run("report", str(file), "-o", str(page), "--word", "w7", "--stability", folder, "--no-cache")
    assert code == 0
    near = sampled.nearest("w7", 8, vectors)[0]
    text = page.read_text()
    assert "90% interval" in text
    assert f"{near.low:.3f} to {near.high:.3f}" in text
    assert f"{near.share:.0%}" in text
