"""The random streams, in Python integers: the definition that kernels and reference both replay.

Every decision is a function of (seed, epoch, position), never of the worker that makes it. Token p of an
epoch owns the p-th output of a splitmix64 stream (Steele, Lea, Flood 2014): its high half decides whether
the token is kept, its low half the window radius. Each unit of work starts a noise stream of its own. So
what is drawn does not depend on the number of threads, on the size of a call, or on an interruption, and
a worker can see which of its neighbour's tokens are kept without asking it.

Of a bootstrap sentence s of a sample owns the s-th output of the sample's stream, which draws its weight, and
the sample trains with a seed of its own.

Of a graph a walk is a function of (seed, epoch, round, node): it owns a stream, and where it stands among the
walks of its round is drawn from the epoch and the round alone.
"""

from __future__ import annotations

from collections.abc import Iterator

MASK = 0xFFFFFFFFFFFFFFFF
GAMMA = 0x9E3779B97F4A7C15


def mix64(z: int) -> int:
    """The output function of splitmix64, one to one on 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def epoch_key(seed: int, epoch: int) -> int:
    """Start of the token stream of an epoch."""
    return mix64((mix64(seed & MASK) + epoch * GAMMA) & MASK)


def token_bits(key: int, position: int) -> int:
    """The 64 bits that token `position` owns."""
    return mix64((key + position * GAMMA) & MASK)


def noise_stream(key: int, unit: int) -> Iterator[int]:
    """The 64-bit draws of a unit's noise words."""
    state = mix64(((~key & MASK) + unit * GAMMA) & MASK)
    while True:
        state = (state + GAMMA) & MASK
        yield mix64(state)


SAMPLES = 0x8CB92BA72F3D8DD7  # parts the streams of a bootstrap from those of tokens and walks


def sample_key(seed: int, sample: int) -> int:
    """Start of the stream of the sentences of a sample of a bootstrap."""
    return mix64((mix64((seed & MASK) ^ SAMPLES) + sample * GAMMA) & MASK)


def sample_seed(seed: int, sample: int) -> int:
    """What the sample trains with, of 32 bits: its first vectors, and all that its training draws."""
    return mix64(sample_key(seed, sample) ^ SAMPLES) >> 32


WALKS = 0xD1B54A32D192ED03  # parts the streams of walks from those of tokens
# With 4 rounds a place among 6 is drawn up to 30 % too often, with 6 as often as chance has it.
FEISTEL_ROUNDS = 6


def walk_stream(key: int, number: int) -> Iterator[int]:
    """The 64-bit draws of a walk's steps; number is that of its round times n_nodes, plus its first node."""
    state = mix64((mix64(key ^ WALKS) + number * GAMMA) & MASK)
    while True:
        state = (state + GAMMA) & MASK
        yield mix64(state)


def drawn_place(key: int, position: int, n: int) -> int:
    """Where a drawn permutation of 0..n − 1 puts a position: it takes no memory, at any n.

    A Feistel network on the least even number of bits that holds n, whose values beyond n are put through
    it again until one is below (Black & Rogaway 2002, cycle walking): four times at most in the mean.
    """
    half = 1
    while 1 << (2 * half) < n:
        half += 1
    low = (1 << half) - 1
    place = position
    while True:
        left, right = place >> half, place & low
        for turn in range(FEISTEL_ROUNDS):
            mixed = mix64((key + ((turn << 32) | right) * GAMMA) & MASK) & low
            left, right = right, left ^ mixed
        place = (left << half) | right
        if place < n:
            return place
