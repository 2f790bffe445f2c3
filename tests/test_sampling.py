"""Which words are kept and which are drawn as noise: the formulas, the alias table, and what kernels draw."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from fastw2v.kernels import objectives, scalar, units
from fastw2v.model.arrays import UNIT, n_units
from fastw2v.model.sampling import (
    as_limits,
    keep_probabilities,
    noise_probabilities,
    table_probabilities,
    unigram_table,
)
from fastw2v.model.streams import epoch_key
from fastw2v.reference.objectives import draw_noise
from fastw2v.reference.units import keep_unit

Counts = NDArray[np.int64]
SIZES = [1, 2, 3, 7, 100, 10_000, 200_000]
EXPONENTS = [-2.0, -0.75, 0.0, 0.5, 0.75, 1.0, 3.0]


def zipf(n_words: int, largest: int = 10**9) -> Counts:
    """Counts ∝ 1/rank, at least 1."""
    return np.maximum(largest // np.arange(1, n_words + 1), 1)


def chi_square_limit(cells: int) -> float:
    """What chi-square over so many cells exceeds with p < 1e-6 (Wilson and Hilferty 1931; z = 4.753)."""
    degrees = cells - 1
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + 4.753 * math.sqrt(spread)) ** 3)


def draw_words(table: NDArray[np.uint64], state: Any, counts: Counts) -> None:
    """Count the words that the kernels draw, counts.sum() of them beforehand in counts[-1]."""
    n_draws = counts[-1]
    counts[-1] = 0
    for _ in range(n_draws):
        state += scalar.GAMMA
        counts[objectives.draw_noise(table, scalar.mix64(state))] += 1


compiled_draw_words = njit(draw_words)


def draw_frequencies(table: NDArray[np.uint64], n_draws: int) -> Counts:
    """How often each word comes up in draws of the kernel, from the noise stream of unit 0 of seed 1."""
    counts = np.zeros(len(table) + 1, np.int64)
    counts[-1] = n_draws
    compiled_draw_words(table, np.uint64(units.noise_stream(np.uint64(epoch_key(1, 0)), 0)), counts)
    return counts[:-1]


# --- keep probabilities ------------------------------------------------------------------------------------


def test_keep_probabilities__hand_worked() -> None:
    """Counts 50, 32, 18 of 100, t = 0.02: t/f = 0.04, 1/16, 1/9.

    √0.04 + 0.04 = 0.24; 1/4 + 1/16 = 5/16; 1/3 + 1/9 = 4/9.
    """
    actual = keep_probabilities(np.array([50, 32, 18]), 0.02)
    np.testing.assert_allclose(actual, [0.24, 5 / 16, 4 / 9], rtol=1e-14)


def test_keep_probabilities__is_at_most_1() -> None:
    """√r + r reaches 1 at r = (3 − √5)/2 = 0.38197. One word in 1,000 with t = 0.000381, 0.000383, 1e-3."""
    rates = [keep_probabilities(np.array([999, 1]), sample)[1] for sample in (0.000381, 0.000383, 1e-3)]
    assert rates == [pytest.approx(math.sqrt(0.381) + 0.381, rel=1e-12), 1.0, 1.0]
    assert rates[0] < 1


@pytest.mark.parametrize("counts", [[5], [5, 3], [10**12, 1, 0]])
def test_keep_probabilities__sample_0_keeps_everything(counts: list[int]) -> None:
    probabilities = keep_probabilities(np.array(counts), 0)
    assert probabilities.tolist() == [1.0] * len(counts)
    assert as_limits(probabilities).tolist() == [2**32 - 1] * len(counts)


def test_keep_probabilities__a_word_of_count_0_warns_not() -> None:
    assert keep_probabilities(np.array([5, 0]), 1e-3)[1] == 1.0


def test_as_limits__hand_worked() -> None:
    """P(uint32 ≤ limit) = (limit + 1)/2³²: limit 0 is 2⁻³², half is 2³¹ − 1, 1 is exact."""
    expected = [0, 0, 2**31 - 1, 2**32 - 1]
    assert as_limits(np.array([0.0, 2.0**-32, 0.5, 1.0])).tolist() == expected


@given(st.floats(2.0**-32, 1))
def test_as_limits__are_right_to_the_last_bit(probability: float) -> None:
    limit = int(as_limits(np.array([probability]))[0])
    assert abs((limit + 1) / 2**32 - probability) <= 2.0**-33


# --- noise probabilities -----------------------------------------------------------------------------------


def test_noise_probabilities__hand_worked() -> None:
    """Counts 81, 16, 1: powers of 3/4 are 27, 8, 1, of 36. Powers of −1/2 are 1/9, 1/4, 1: 4, 9, 36 of 49."""
    counts = np.array([81, 16, 1])
    np.testing.assert_allclose(noise_probabilities(counts), [27 / 36, 8 / 36, 1 / 36], rtol=1e-13)
    np.testing.assert_allclose(noise_probabilities(counts, -0.5), [4 / 49, 9 / 49, 36 / 49], rtol=1e-13)
    np.testing.assert_allclose(noise_probabilities(counts, 0), [1 / 3, 1 / 3, 1 / 3], rtol=1e-13)


@pytest.mark.parametrize("exponent", [-1000.0, -5.0, 0.0, 0.75, 1000.0])
def test_noise_probabilities__any_exponent_without_overflow(exponent: float) -> None:
    """10⁹ to the ±1000, beside a word of count 0: no warning, and a distribution without that word."""
    actual = noise_probabilities(np.array([10**9, 1000, 1000, 0]), exponent)
    assert actual.sum() == pytest.approx(1, rel=1e-12)
    assert actual[3] == 0
    assert actual[1] == actual[2]
    ratio = 10.0 ** (-6 * abs(exponent))  # 10⁹/10³ to the exponent, or its inverse; 0 at ±1000
    assert actual[:2].min() == pytest.approx(ratio * actual[:2].max(), rel=1e-11)


# --- the alias table ---------------------------------------------------------------------------------------


def exact_probabilities(table: NDArray[np.uint64]) -> list[Fraction]:
    """What a table draws, in exact fractions, by its definition: slot, then own word or alias."""
    drawn = [Fraction(0)] * len(table)
    for slot, entry in enumerate(table.tolist()):
        own = Fraction((entry >> 32) + 1, 2**32)
        drawn[slot] += own / len(table)
        drawn[entry & 0xFFFFFFFF] += (1 - own) / len(table)
    return drawn


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any), st.floats(-3, 3))
def test_table_probabilities__are_what_the_table_draws(counts: list[int], exponent: float) -> None:
    table = unigram_table(noise_probabilities(np.array(counts), exponent))
    expected = [float(p) for p in exact_probabilities(table)]
    np.testing.assert_allclose(table_probabilities(table), expected, rtol=1e-12, atol=1e-18)
    assert sum(exact_probabilities(table)) == 1


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("n_words", SIZES)
def test_unigram_table__reproduces_the_distribution(n_words: int, exponent: float) -> None:
    """To 1e-6 of each probability, beside the quantum of 2⁻³² of a slot for words that have next to none."""
    expected = noise_probabilities(zipf(n_words), exponent)
    actual = table_probabilities(unigram_table(expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2.0**-32 / n_words)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200).filter(any), st.floats(-3, 3))
def test_unigram_table__reproduces_any_distribution(counts: list[int], exponent: float) -> None:
    expected = noise_probabilities(np.array(counts), exponent)
    actual = table_probabilities(unigram_table(expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2.0**-32 / len(counts))


@pytest.mark.parametrize(
    "counts",
    [[1] * 1000, [10**9, *[1] * 999], [*[1] * 999, 10**9], [10**9, *[0] * 999], [0] * 500 + [1] * 500],
    ids=["equal", "one giant first", "one giant last", "one alone", "half absent"],
)
def test_unigram_table__odd_shapes(counts: list[int]) -> None:
    expected = noise_probabilities(np.array(counts))
    actual = table_probabilities(unigram_table(expected))
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2.0**-32 / len(counts))


def test_unigram_table__aliases_are_words() -> None:
    for n_words in SIZES:
        aliases = unigram_table(noise_probabilities(zipf(n_words))) & np.uint64(0xFFFFFFFF)
        assert aliases.max() < n_words


# --- what the kernels draw ---------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.75, -0.5, 0.0])
def test_draw_noise__a_million_draws_follow_count_to_the_exponent(exponent: float) -> None:
    """1e6 draws of 1,000 Zipfian words against count^exponent itself: chi-square with p > 1e-6.

    Every word is expected at least 30 times; ^0.75 against ^0.76 would already exceed the limit (measured).
    """
    counts = zipf(1000, 10**6)
    weights = counts.astype(float) ** exponent
    expected = 1e6 * weights / weights.sum()
    actual = draw_frequencies(unigram_table(noise_probabilities(counts, exponent)), 1_000_000)
    assert actual.sum() == 1_000_000
    assert expected.min() > 30
    assert ((actual - expected) ** 2 / expected).sum() < chi_square_limit(1000)


@pytest.mark.parametrize("counts", [[7], [7, 7], [1, 1000], [3, 2, 1], [1, 1, 1]])
def test_draw_noise__tiny_vocabularies(counts: list[int]) -> None:
    """1, 2, 3 words: 100,000 draws within 4.8 standard deviations (p < 1e-6) of each expected number."""
    p = noise_probabilities(np.array(counts))
    actual = draw_frequencies(unigram_table(p), 100_000)
    assert (np.abs(actual - 1e5 * p) <= 4.8 * np.sqrt(1e5 * p * (1 - p)) + 1e-6).all()


def test_draw_noise__words_of_count_0_are_not_drawn() -> None:
    """In 1e6 draws never; by the table with 2⁻³² of a slot at most."""
    counts = np.array([0, 50, 0, 3, 0, 0, 10**6, 0])
    table = unigram_table(noise_probabilities(counts))
    assert draw_frequencies(table, 1_000_000)[counts == 0].sum() == 0
    assert table_probabilities(table)[counts == 0].max() <= 2.0**-32 / len(counts)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50).filter(any), st.integers(0, 2**64 - 1))
def test_draw_noise__reference_and_kernel_agree(counts: list[int], bits: int) -> None:
    """For any bits, and for those on either side of each slot's limit."""
    table = unigram_table(noise_probabilities(np.array(counts)))
    n_words = len(counts)
    edges = [0, 2**32 - 1, 2**64 - 1, bits]
    for slot, entry in enumerate(table.tolist()):
        high = -(-slot * 2**32 // n_words) << 32
        limit = entry >> 32
        edges += [high, high | limit, high | min(limit + 1, 2**32 - 1), max(high - 1, 0)]
    expected = [draw_noise(table, edge) for edge in edges]
    assert [objectives.draw_noise(table, np.uint64(edge)) for edge in edges] == expected


# --- what is kept ------------------------------------------------------------------------------------------


def kept_by_kernel(inputs: Any) -> tuple[Counts, Counts]:
    """How often each word, and how many tokens of each unit, the kernel's keep_unit keeps as centres."""
    n_words = len(inputs.architecture.keep_limits)
    words, per_unit = np.zeros(n_words, np.int64), []
    kept = units.new_kept(inputs.architecture, None)
    for unit in range(n_units(len(inputs.tokens.ids))):
        key = inputs.schedule.epoch_key
        begin, end, _ = units.keep_unit(inputs.tokens, inputs.architecture, key, unit, kept)
        words += np.bincount(kept.ids[begin:end], minlength=n_words)
        per_unit.append(end - begin)
    return words, np.array(per_unit)


@pytest.fixture
def zipfian(rng: np.random.Generator, make_inputs: Any) -> Any:
    """100 units of tokens of 50 Zipfian words, threshold 1e-3: keep probabilities from 0.07 to 0.7."""
    weights = 1 / np.arange(1, 51)
    ids = rng.choice(50, 100 * UNIT, p=weights / weights.sum())
    return make_inputs([1000] * (100 * UNIT // 1000) + [100 * UNIT % 1000], 50, sample=1e-3, ids=ids)


def test_keep_unit__rates_follow_the_formula(zipfian: Any) -> None:
    """409,600 positions: every word's kept share is min(1, √(t/f) + t/f) within 4.9 σ (p < 1e-6 a word)."""
    n = np.bincount(zipfian.tokens.ids, minlength=50)
    ratio = 1e-3 / (n / n.sum())
    p = np.minimum(1, np.sqrt(ratio) + ratio)
    assert p.max() < 1
    kept, _ = kept_by_kernel(zipfian)
    assert np.abs((kept - n * p) / np.sqrt(n * p * (1 - p))).max() < 4.9


def test_keep_unit__reference_keeps_the_same(zipfian: Any) -> None:
    """Ten of the units, token for token."""
    kept = units.new_kept(zipfian.architecture, None)
    key = zipfian.schedule.epoch_key
    for unit in range(0, 100, 10):
        tokens, architecture, _, _ = zipfian
        begin, end, size = units.keep_unit(tokens, architecture, key, unit, kept)
        expected, centers = keep_unit(tokens, architecture, int(key), unit)
        assert (begin, end, size) == (centers.start, centers.stop, len(expected))
        assert kept.ids[:size].tolist() == [token.word for token in expected]


def test_keep_unit__epochs_draw_anew(zipfian: Any) -> None:
    first, _ = kept_by_kernel(zipfian)
    second, _ = kept_by_kernel(zipfian._replace(schedule=zipfian.epoch(1, 2)))
    assert (first != second).mean() > 0.8


def test_keep_unit__sample_0_keeps_every_token(make_inputs: Any) -> None:
    inputs = make_inputs([3 * UNIT, 0, 40], 20, sample=0.0)
    words, per_unit = kept_by_kernel(inputs)
    assert words.tolist() == np.bincount(inputs.tokens.ids, minlength=20).tolist()
    assert per_unit.tolist() == [UNIT, UNIT, UNIT, 40]
