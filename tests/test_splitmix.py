"""The random streams: the published generator, and the same numbers from the kernels."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from fastw2v.kernels import scalar, units
from fastw2v.model.streams import GAMMA, MASK, epoch_key, mix64, noise_stream, token_bits

WORDS_64 = st.integers(0, MASK)


def unmix64(z: int) -> int:
    """The inverse of mix64, from the inverses of its three steps."""
    z = z ^ (z >> 31) ^ (z >> 62)
    z = (z * pow(0x94D049BB133111EB, -1, 2**64)) & MASK
    z = z ^ (z >> 27) ^ (z >> 54)
    z = (z * pow(0xBF58476D1CE4E5B9, -1, 2**64)) & MASK
    return z ^ (z >> 30) ^ (z >> 60)


def fill_stream(state: Any, outputs: NDArray[np.uint64]) -> None:
    """The kernels' splitmix64 from a state on."""
    for i in range(outputs.shape[0]):
        state += scalar.GAMMA
        outputs[i] = scalar.mix64(state)


compiled_fill_stream = njit(fill_stream)


def python_stream(state: int, count: int) -> list[int]:
    """The same in Python integers."""
    return [mix64((state + i * GAMMA) & MASK) for i in range(1, count + 1)]


def test_mix64__published_vector() -> None:
    """The first outputs of splitmix64 for seed 1234567, as other implementations publish them."""
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert python_stream(1234567, 5) == expected


@given(WORDS_64)
def test_mix64__is_one_to_one(z: int) -> None:
    assert unmix64(mix64(z)) == z


@pytest.mark.parametrize(
    "state", [0, 1, 1234567, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, MASK - 1, MASK, mix64(7)]
)
def test_mix64__kernel_stream_equals_python_integers(state: int) -> None:
    """10,000 outputs from states of every size: a uint64 that became int64 or float64 would show."""
    outputs = np.empty(10_000, np.uint64)
    compiled_fill_stream(np.uint64(state), outputs)
    assert outputs.tolist() == python_stream(state, 10_000)


def test_token_bits__are_the_stream_of_the_key() -> None:
    """Token p owns the p-th output of the stream that starts one step before the key."""
    key = epoch_key(1, 0)
    expected = python_stream((key - GAMMA) & MASK, 1000)
    assert [token_bits(key, p) for p in range(1000)] == expected


def test_token_bits__kernel_arithmetic_agrees_for_large_positions() -> None:
    """The expression that the kernels use for token p, at positions beyond 32 bits."""

    def bits_at(key: Any, position: int) -> Any:
        return scalar.mix64(key + np.uint64(position) * scalar.GAMMA)

    compiled = njit(bits_at)
    for key in (0, epoch_key(1, 3), MASK):
        for position in (0, 1, 4096, 2**31, 2**33 + 5, 2**40):
            assert int(compiled(np.uint64(key), position)) == token_bits(key, position)


@pytest.mark.parametrize("key", [0, 1, 2**63, MASK, epoch_key(1, 0)])
@pytest.mark.parametrize("unit", [0, 1, 1000, 2**33])
def test_noise_stream__kernel_agrees(key: int, unit: int) -> None:
    outputs = np.empty(100, np.uint64)
    compiled_fill_stream(np.uint64(units.noise_stream(np.uint64(key), unit)), outputs)
    assert outputs.tolist() == list(islice(noise_stream(key, unit), 100))


def test_noise_stream__differs_between_units_and_from_the_tokens() -> None:
    """No draw of ten units' noise or of 10,000 tokens occurs twice: the streams do not overlap."""
    key = epoch_key(1, 0)
    draws = [bits for unit in range(10) for bits in islice(noise_stream(key, unit), 1000)]
    draws += [token_bits(key, p) for p in range(10_000)]
    assert len(set(draws)) == 20_000


def test_epoch_key__differs_for_every_seed_and_epoch() -> None:
    keys = {epoch_key(seed, epoch) for seed in range(200) for epoch in range(50)}
    assert len(keys) == 200 * 50


def test_epoch_key__of_a_seed_beyond_64_bits_wraps() -> None:
    assert epoch_key(2**64 + 5, 2) == epoch_key(5, 2) == mix64((mix64(5) + 2 * GAMMA) & MASK)
