"""`sharing`: a simulation of whose cache a row is in, for more cores than the machine has.

Workers take blocks in lockstep, each from its own part of the corpus, with the true draws of words. A row is
in a worker's own cache if that worker used it within its last RECENT blocks and nobody wrote it since; it
comes from another core if one wrote it within its last RECENT blocks; else from memory, or a shared cache.
Every row of a block is written, so writing and using are the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.options import Session, say
from fastw2v.model.arrays import UNIT
from fastw2v.model.sampling import keep_probabilities, noise_probabilities

WORKERS = (1, 2, 8, 32, 64)
RECENT = 7  # blocks: some 100 rows of 1.2 KB each, in a private cache of 1 MB that also holds the scratch
WARM, COUNTED = 2 * RECENT, 40  # blocks of each worker
OWN, OTHER, MEMORY = range(3)


def block_rows(
    kept: NDArray[np.int64], noise: NDArray[np.float64], session: Session, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The distinct rows of each block of a worker; rows of U are counted from n_words on."""
    config, n_words = session.options.config, len(noise)
    size, edges = config.block_size, np.cumsum(noise)
    blocks = []
    for start in range(0, len(kept) - size, size):
        contexts = kept[max(0, start - config.window) : start + size + config.window]
        draws = np.searchsorted(edges, rng.random(config.shared_draws(n_words)) * edges[-1])
        outside = n_words + np.concatenate([contexts, draws])
        blocks.append(np.unique(np.concatenate([kept[start : start + size], outside])))
    return blocks


def simulate(streams: list[list[NDArray[np.int64]]]) -> tuple[NDArray[np.float64], float]:
    """Shares of rows found in the own cache, another core's, memory; and users of the hottest row a step."""
    used: dict[tuple[int, int], int] = {}
    writer: dict[int, tuple[int, int]] = {}
    found = np.zeros(3)
    hot: dict[int, int] = {}
    steps = min(len(stream) for stream in streams)
    for step in range(steps):
        for worker, stream in enumerate(streams):
            for row in map(int, stream[step]):
                last_writer, when = writer.get(row, (-1, -RECENT - 1))
                mine = used.get((worker, row), -RECENT - 1)
                if last_writer == worker and step - mine <= RECENT:
                    place = OWN
                else:
                    place = OTHER if step - when <= RECENT and last_writer >= 0 else MEMORY
                if step >= WARM:
                    found[place] += 1
                    hot[row] = hot.get(row, 0) + 1
                used[worker, row] = step
                writer[row] = (worker, step)
    uses = max(hot.values()) / max(1, steps - WARM)
    return found / found.sum(), float(uses)


def sharing(session: Session) -> None:
    """Share of rows by where they are found, for 1 to 64 workers."""
    corpus, config = session.material.corpus, session.options.config
    rng = np.random.default_rng(config.seed)
    keep = keep_probabilities(corpus.vocabulary.counts, config.sample)
    noise = noise_probabilities(corpus.vocabulary.counts, config.ns_exponent)
    for workers in WORKERS:
        streams = []
        n_tokens = 4 * (WARM + COUNTED) * config.block_size  # subsampling leaves a part
        for start in rng.integers(0, max(1, len(corpus.ids) - n_tokens) // UNIT + 1, workers) * UNIT:
            tokens = corpus.ids[start : start + n_tokens].astype(np.int64)
            kept = tokens[rng.random(len(tokens)) < keep[tokens]]
            streams.append(block_rows(kept, noise, session, rng)[: WARM + COUNTED])
        if min(map(len, streams)) <= WARM:
            say(f"sharing: {len(corpus.ids):,} tokens are too few to simulate")
            return
        shares, uses = simulate(streams)
        session.records.add(
            bench="sharing",
            workers=workers,
            **session.settings,
            own=float(shares[OWN]),
            other=float(shares[OTHER]),
            memory=float(shares[MEMORY]),
            hottest=uses,
        )
        say(f"{workers} workers: rows in the own cache {shares[OWN]:.0%}, another's {shares[OTHER]:.0%}")
