"""Windows whose words are weighed: exactly what drawn radii are in expectation, in the reference."""

from __future__ import annotations

import numpy as np
import pytest

from fastw2v.model.arrays import Vectors
from fastw2v.model.plan import Cbow, SkipGram
from fastw2v.reference.architectures import Kept, KeptToken, pair_share, shares_of, window_of
from fastw2v.reference.block import step_windows
from fastw2v.reference.noise import weigh_noise

RADIUS = 4
TOKENS = [
    (3, 0),
    (1, 0),
    (4, 0),
    (0, 0),
    (2, 0),
    (3, 0),
    (1, 0),
    (5, 1),
    (4, 1),
    (2, 1),
]  # word, sentence


def weighted(side: int = 0) -> Kept:
    """Two sentences whose windows are weighted."""
    return [KeptToken(word, sentence, RADIUS, side, 1) for word, sentence in TOKENS]


def drawn(radius: int, side: int = 0) -> Kept:
    """The same, all radii drawn alike."""
    return [KeptToken(word, sentence, radius, side) for word, sentence in TOKENS]


@pytest.mark.parametrize("side", [-1, 0, 1])
def test_shares__are_how_often_a_drawn_radius_reaches_a_word(side):
    kept = weighted(side)
    for i in range(len(kept)):
        reached = {j: 0 for j in window_of(kept, i) if j != i}
        for radius in range(1, RADIUS + 1):
            for j in window_of(drawn(radius, side), i):
                if j != i:
                    reached[j] += 1
        assert list(shares_of(kept, i) * RADIUS) == pytest.approx(list(reached.values()))


def test_weigh_noise__is_the_mean_over_drawn_radii():
    centers, noise = np.arange(len(TOKENS)), np.array([0, 1, 3, 3, 5, 7])
    means = [weigh_noise(drawn(radius), centers, noise, 0.5) for radius in range(1, RADIUS + 1)]
    np.testing.assert_allclose(weigh_noise(weighted(), centers, noise, 0.5), np.mean(means, axis=0))


def test_step_windows__is_the_mean_step_over_drawn_radii():
    """Of small steps: moves, loss and pairs of each centre, and of neighbours."""
    rng, rate = np.random.default_rng(0), 1e-7
    start = Vectors(rng.normal(size=(6, 5)), rng.normal(size=(6, 5)))
    steps = (np.full(6, rate), np.full(6, rate))

    def moves(kept: Kept, centers: np.ndarray) -> list[np.ndarray]:
        moved = Vectors(start.center.copy(), start.outside.copy())
        told = step_windows(moved, kept, centers, steps)
        return [np.array(told), *((now - was) / rate for now, was in zip(moved, start, strict=True))]

    for i in [*range(len(TOKENS)), slice(2, 6)]:
        centers = np.atleast_1d(np.arange(len(TOKENS))[i])
        of_radii = [moves(drawn(radius), centers) for radius in range(1, RADIUS + 1)]
        for actual, *expected in zip(moves(weighted(), centers), *of_radii, strict=True):
            np.testing.assert_allclose(actual, np.mean(expected, axis=0), rtol=1e-5, atol=1e-5)


def test_pair_share__is_of_skip_gram_alone():
    limits, kept = np.zeros(0, np.uint32), weighted()
    assert pair_share(SkipGram(RADIUS, 1, RADIUS, limits, 0, 1), kept, 2, 5) == pytest.approx(0.5)
    assert pair_share(Cbow(RADIUS, 0, RADIUS, limits), kept, 2, 2) == 1
