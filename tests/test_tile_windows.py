"""The tiles of neighbouring centres' windows against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from fastw2v.kernels.block.scratch import new_window
from fastw2v.kernels.tiles import registers, windows
from fastw2v.kernels.tiles.errors import pair_errors
from fastw2v.model.arrays import FLOATS_PER_LINE
from fastw2v.reference.losses import sigmoid, softplus
from tests.assembly import ARM, FMA, STACK, assembly_for, hot_loop
from tests.tiled import LINES, PLACE, PROCESSORS, close, jitted, random


@pytest.mark.parametrize("lines", LINES)
def test_score_rows__are_the_scores_of_four_centers(lines: int) -> None:
    """Of some words from the second on, each centre's in a line of its own, and nothing beside them."""
    words = (5, 0, 2, 2)[: windows.SCORE_ROWS]

    def score(scores: Any, table: Any, source: Any) -> None:
        windows.score_rows(scores, 1, 16, table, words, source, (3, 1, 1, 0))

    table, source = random(6, lines * FLOATS_PER_LINE), random(4, lines * FLOATS_PER_LINE)
    scores = np.full(64, np.float32(7))
    expected = np.full((4, 16), 7.0)
    expected[:, 1 : 1 + len(words)] = source[[3, 1, 1, 0]].astype(np.float64) @ table[list(words)].T
    jitted(score)(scores, table, source)
    close(scores, expected.ravel())


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("words", [[], [4], [5, 0, 2, 0, 1, 5, 5]], ids=str)
def test_step_rows__step_words_in_turn_and_centers_in_the_end(lines: int, words: list[int]) -> None:
    """A row meets the steps before, for other centres too; a centre that is there twice is stepped twice."""

    def step(target: Any, source: Any, table: Any, rows: Any, pulls: Any, steps: Any) -> None:
        windows.step_rows(target, source, (3, 1, 1, 0), table, (len(rows), 16), (rows, pulls, steps))

    given = [random(n, lines * FLOATS_PER_LINE) for n in (4, 5, 6)]
    target, source, table = (matrix.astype(np.float64) for matrix in given)
    pulls, steps = random(64), random(64) / 2
    for r, word in enumerate(words):
        for c, center in enumerate((3, 1, 1, 0)):
            target[center] += pulls[16 * c + r] * table[word]
            table[word] += steps[16 * c + r] * source[center]
    jitted(step)(*given, np.array(words, np.int64), pulls, steps)
    for actual, expected in zip(given, (target, source, table), strict=True):
        close(actual, expected)


def test_step_rows__takes_source_and_target_for_the_same() -> None:
    """As of whole words: their rows are read before they are stepped."""

    def step(source: Any, table: Any, rows: Any, pulls: Any, steps: Any) -> None:
        windows.step_rows(source, source, (0, 1, 1, 2), table, (len(rows), 16), (rows, pulls, steps))

    source, table, pulls, steps = random(3, 304), random(6, 304), random(64), random(64)
    before, expected = source.copy(), source.astype(np.float64)
    moved = table[2].astype(np.float64)
    for c, center in enumerate((0, 1, 1, 2)):
        expected[center] += pulls[16 * c] * moved
        moved += steps[16 * c] * before[center]
    jitted(step)(source, table, np.array([2]), pulls, steps)
    close(source, expected)
    close(table[2], moved)


def made(reach: Any) -> Any:
    """A window's scratch, which only kernels make."""
    return new_window(reach)


@pytest.mark.parametrize("reach", [1, 5, 20])
def test_pair_errors__are_those_of_one_center_after_the_other(reach: int) -> None:
    """Of scores that are near and far, as the steps of the centres before have left them."""
    window = jitted(made)(reach)
    width, rng = len(window.word_steps), np.random.default_rng(reach)
    size, own_steps = 4 * width, np.array([0.1, 0.2, 0.05, 0.0], np.float32)
    window.shares[:size], window.word_steps[:] = rng.random(size), rng.random(width)
    window.scores[:size] = rng.normal(size=size) * rng.choice([0.1, 3, 200], size)
    window.products[:] = rng.normal(size=16)
    before = [
        a.astype(np.float64) for a in (window.scores, window.shares, window.word_steps, window.products)
    ]
    scores, shares = (array[:size].reshape(4, width) for array in before[:2])
    errors, expected = np.zeros_like(scores), 0.0
    for c in range(4):
        moved = scores[c] + before[3].reshape(4, 4)[:c, c] @ (errors[:c] * before[2])
        errors[c] = shares[c] * sigmoid(-moved)
        expected += float((shares[c] * softplus(-moved)).sum())

    def take(window: Any, width: Any, steps: Any) -> Any:
        return pair_errors(window, width, (steps[0], steps[1], steps[2], steps[3]))

    assert jitted(take)(window, width, own_steps) == pytest.approx(expected, rel=1e-5)
    close(window.pulls[:size], (errors * own_steps[:, None]).ravel())
    close(window.steps[:size], (errors * before[2]).ravel())


def window_loops(triple: str, cpu: str, lanes: registers.Lanes, sizes: windows.Shape) -> list[str]:
    """The inner loops of the scores and of a step of four centres, for a processor."""
    places = [registers.whole(100 * n) for n in range(4)]

    def score(builder: Any, function: Any) -> None:
        outside, source, _, target, _, n = function.args
        rows = places[: sizes.rows]
        sums = windows.score_sums(builder, lanes, outside, rows, source, places, n)
        for part, total in enumerate(sums):
            lanes.store(builder, total, target, registers.whole(lanes.n * part))
        builder.ret_void()

    def step(builder: Any, function: Any) -> None:
        outside, source, factors, target, words, n = function.args
        columns = [registers.whole(lanes.n * v) for v in range(sizes.vectors)]
        given = [
            [
                lanes.load(builder, source, registers.whole(100 * c + lanes.n * v))
                for v in range(sizes.vectors)
            ]
            for c in range(4)
        ]
        starts = words, n, registers.whole(304)
        both = [[(factors, place), (source, place)] for place in places]
        sums = windows.step_strip(builder, lanes, columns, outside, starts, given, both)
        for part, total in enumerate(sums):
            lanes.store(builder, total, target, registers.whole(lanes.n * part))
        builder.ret_void()

    takes = [*[PLACE] * 4, registers.I64.as_pointer(), registers.I64]
    return [hot_loop(assembly_for(triple, cpu, takes, ir.VoidType(), build)) for build in (score, step)]


@pytest.mark.parametrize(("triple", "cpu", "floats", "wide"), PROCESSORS)
def test_windows__fill_the_registers_and_stay_there(triple: str, cpu: str, floats: int, wide: bool) -> None:
    sizes = windows.shape(wide or triple == ARM)
    score, step = window_loops(triple, cpu, registers.Lanes(floats), sizes)
    for loop, n_sums in ((score, 4 * sizes.rows), (step, 8 * sizes.vectors)):
        assert len(FMA.findall(loop)) % n_sums == 0 != len(FMA.findall(loop))
        assert not STACK.findall(loop)
