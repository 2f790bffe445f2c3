"""Words that changed: the rotation, the noise that is subtracted, and words that were changed on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v import cli
from fastw2v.errors import UsageError
from fastw2v.vectors import changes
from fastw2v.vectors.changes import Rows, rotation
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.stability import Stability
from tests.test_stability import made_in

N, DIM, CHANGED = 300, 8, (20, 90, 200)
WORDS = [f"w{i}" for i in range(N)]
# Rare words are placed anew by every training: noise grows with the rank.
SPREAD = np.geomspace(0.02, 1.5, N)[:, np.newaxis]


class World:
    """Two texts of one truth, in which a few words changed; every training has noise and a rotation."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.old = self.rng.normal(size=(N, DIM))
        self.new = self.old.copy()
        for word in CHANGED:  # to where nothing is left of what it was
            drawn, unit = self.rng.normal(size=DIM), self.old[word] / np.linalg.norm(self.old[word])
            self.new[word] = drawn - (drawn @ unit) * unit

    def trained(self, truth: np.ndarray) -> np.ndarray:
        turn = np.linalg.qr(self.rng.normal(size=(DIM, DIM)))[0]
        return ((truth + SPREAD * self.rng.normal(size=truth.shape)) @ turn).astype(np.float32)


@pytest.fixture(name="world")
def fixture_world() -> World:
    return World()


@pytest.fixture(name="sides")
def fixture_sides(world: World) -> list[Embeddings]:
    return [Embeddings(list(WORDS), world.trained(truth)) for truth in (world.old, world.new)]


@pytest.fixture(name="both")
def fixture_both(world: World, tmp_path: Path) -> list[Stability]:
    truths = {"old": world.old, "new": world.new}
    return [
        made_in(tmp_path / f"{name}.stability", [world.trained(truth) for _ in range(10)], WORDS)
        for name, truth in truths.items()
    ]


def test_rotation__is_found(world: World) -> None:
    turn = np.linalg.qr(world.rng.normal(size=(DIM, DIM)))[0]
    rows = np.arange(N)
    found = rotation(Rows(world.old, rows), Rows((world.old @ turn).astype(np.float32), rows))
    assert np.abs(found - turn).max() < 1e-5
    assert np.abs(found @ found.T - np.eye(DIM)).max() < 1e-12


def test_rotation__no_other_is_nearer(world: World) -> None:
    first, second = world.trained(world.old), world.trained(world.new)
    rows = np.arange(N)

    def distance(turn: np.ndarray) -> float:
        a, b = (Rows(side, rows).unit(0) for side in (first, second))
        return float(np.linalg.norm(a @ turn - b))

    best = rotation(Rows(first, rows), Rows(second, rows))
    for _ in range(50):
        step = world.rng.normal(0, 0.05, (DIM, DIM))
        near = best @ np.linalg.qr(np.eye(DIM) + step - step.T)[0]
        assert distance(near) > distance(best) - 1e-9


def test_changes__do_not_depend_on_the_size_of_a_step(
    sides: list[Embeddings], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(N)
    parts = [Rows(side.center_vectors, rows) for side in sides]
    expected = changes.changes(*parts)
    monkeypatch.setattr(changes, "ROWS_AT_ONCE", 7)
    assert np.allclose(changes.changes(*parts), expected, atol=1e-12)


def test_diff__words_changed_on_purpose_come_first(sides: list[Embeddings], both: list[Stability]) -> None:
    """With the noise subtracted; without, rare words that merely are placed anew come before them."""
    planted = {WORDS[i] for i in CHANGED}
    found = fastw2v.diff(*sides, n=3, old_samples=both[0], new_samples=both[1])
    assert {change.word for change in found} == planted
    for one in both:
        assert planted == {change.word for change in fastw2v.diff(*sides, n=3, old_samples=one)}
    plain = fastw2v.diff(*sides, n=3)
    assert {change.word for change in plain} != planted
    assert [(change.noise, change.excess) for change in plain] == [(None, change.change) for change in plain]


def test_diff__of_one_truth_one_word_in_20_is_beyond_the_noise(world: World, both: list[Stability]) -> None:
    beyond = []
    for _ in range(4):
        sides = [Embeddings(list(WORDS), world.trained(world.old)) for _ in range(2)]
        found = fastw2v.diff(*sides, n=N, old_samples=both[0], new_samples=both[1], neighbours=0)
        assert np.array([change.change for change in found]).mean() > 0.1
        beyond += [change.excess > 0 for change in found]
    assert 0.02 < np.mean(beyond) < 0.09


def test_diff__names_neighbours_and_shared_words_alone(sides: list[Embeddings]) -> None:
    old = sides[0]
    new = Embeddings(["new", *WORDS[1:]], sides[1].center_vectors)
    found = fastw2v.diff(old, new, n=N, neighbours=2)
    assert len(found) == N - 1
    assert {"new", "w0"} & {change.word for change in found} == set()
    for change in found[:5]:
        assert change.old_neighbours == [word for word, _ in old.nearest(change.word, 2)]
        assert change.new_neighbours == [word for word, _ in new.nearest(change.word, 2)]
    assert {change.word for change in fastw2v.diff(*sides, n=N, restrict=50)} == set(WORDS[:50])
    assert fastw2v.diff(*sides, n=1, neighbours=0)[0].old_neighbours == []


def test_diff__refuses(sides: list[Embeddings], both: list[Stability], tmp_path: Path) -> None:
    old, new = sides
    short = Embeddings(list(WORDS), np.ones((N, DIM - 1), np.float32))
    other = Embeddings([f"x{i}" for i in range(N)], new.center_vectors)
    single = made_in(tmp_path / "one.stability", [old.center_vectors], WORDS)
    with pytest.raises(UsageError, match="the old vectors have dim 8, the new ones 7"):
        fastw2v.diff(old, short)
    with pytest.raises(UsageError, match="0 words are shared"):
        fastw2v.diff(old, other)
    with pytest.raises(UsageError, match="8 words are shared"):
        fastw2v.diff(old, new, restrict=8)
    with pytest.raises(UsageError, match="n is 0"):
        fastw2v.diff(old, new, 0)
    with pytest.raises(UsageError, match="300 of 300 words have no samples"):
        fastw2v.diff(old, other, new_samples=both[1])
    with pytest.raises(UsageError, match="holds 1 sample"):
        fastw2v.diff(old, new, old_samples=single)


def test_command(
    sides: list[Embeddings], both: list[Stability], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / name) for name in ("old.bin", "new.bin")]
    for side, file in zip(sides, files, strict=True):
        side.save(file)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as stop:
            cli.main(["diff", *files, "--no-cache", *arguments])
        return int(stop.value.code or 0)

    folders = ["--old-stability", str(both[0].path), "--new-stability", str(both[1].path)]
    assert run("-n", "3", "--neighbours", "2", *folders) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    expected = fastw2v.diff(*sides, n=3, old_samples=both[0], new_samples=both[1], neighbours=2)
    assert lines == [
        [
            one.word,
            *(f"{x:.4f}" for x in (one.change, one.noise or 0, one.excess)),
            ", ".join(one.old_neighbours),
            ", ".join(one.new_neighbours),
        ]
        for one in expected
    ]
    assert run("-n", "1", "--neighbours", "0") == 0
    assert capsys.readouterr().out.split("\t")[2:] == ["-", lines_change(sides), "-", "-\n"]
    assert run("--old-stability", str(tmp_path)) == 2
    assert "holds no samples" in capsys.readouterr().err


def lines_change(sides: list[Embeddings]) -> str:
    """The change of the first word without samples."""
    return f"{fastw2v.diff(*sides, n=1)[0].change:.4f}"
