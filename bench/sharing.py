"""`sharing`: a simulation of whose cache a row is in, and what that costs, for more cores than there are.

Workers take blocks in lockstep, each from its own part of the corpus, with the true draws of words. A row is
in a worker's own cache if that worker used it within its last RECENT blocks and nobody wrote it since; it
comes from another core if one wrote it within its last RECENT blocks, of the same cache domain or of another;
else from the last level of cache, which has the rows that workers of the domain used last, or from memory.
Every row of a block is written, so writing and using are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.options import Session, say
from bench.scaling import zipf_corpus
from fastw2v.corpus.read import Corpus
from fastw2v.model.arrays import UNIT
from fastw2v.model.plan import UNITS_TO_MERGE
from fastw2v.model.sampling import keep_probabilities, noise_probabilities

WORKERS = (1, 2, 8, 16, 32, 64)
IN_DOMAIN = 8  # workers that share the last level of cache
COPIES = (0, 128, 256, 1024)  # hot words of which each domain has rows of its own
RECENT = 7  # blocks: some 100 rows of 1.2 KB each, in a private cache of 1 MB that also holds the scratch
LAST_LEVEL = 20_000  # rows of 1.2 KB that 32 MB have room for beside the rest
COUNTED = 40  # blocks of each worker
OWN, NEAR, FAR, SHARED, MEMORY = range(5)
PLACES = ("own", "near", "far", "shared", "memory")

# Measured on one thread of a Zen 4 with AVX-512 (bench/README.md, "Scaling"): ns a kept word by words of the
# vocabulary, of which the smaller's matrices fit the last level.
WORD_NS = {10_000: 1257.0, 1_000_000: 1596.0}
# Two threads on the same matrices against two on matrices of their own: the median of 8 rounds, and of 7 of
# 16 against processes, in which the two cores may have been in different domains.
SAME_DOMAIN, OTHER_DOMAIN = 0.94, 0.78
MERGE_NS = 130.0  # merging a row whose three are at hand, on the same; measured


class Costs(NamedTuple):
    """ns beyond those of a row that is at hand, of which prefetching left so much; calculating a kept word.

    word    with all rows at hand, or in the last level, which prefetching hides
    near    a row that another core of the domain wrote
    far     one that a core of another domain wrote
    memory  one from memory
    """

    word: float
    near: float
    far: float
    memory: float


class Found(NamedTuple):
    """What a simulation came to.

    shares   of rows by place, (5,)
    rows     distinct ones of a block for each kept word
    hottest  workers that use the hottest row, a block
    passed   times that the hottest of rows goes from core to core in a block, near and far
    """

    shares: NDArray[np.float64]
    rows: float
    hottest: float
    passed: tuple[float, float]


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


def with_copies(rows: NDArray[np.int64], domain: int, n_hot: int, n_words: int) -> NDArray[np.int64]:
    """The rows, those of the n_hot first words in the copy of a domain."""
    return np.where(rows % n_words < n_hot, rows + 2 * n_words * (1 + domain), rows)


def simulate(streams: list[list[NDArray[np.int64]]], in_domain: int, warm: int, size: int = 1) -> Found:
    """Where rows are found from block `warm` on, of workers of which so many in turn share a domain.

    size   kept words of a block
    """
    used, writer = dict[tuple[int, int], int](), dict[int, tuple[int, int]]()
    levels = [OrderedDict[int, None]() for _ in range(-(-len(streams) // in_domain))]
    found, uses, passes = np.zeros(len(PLACES)), dict[int, int](), dict[int, NDArray[np.int64]]()
    steps = min(len(stream) for stream in streams)
    n_rows = float(np.mean([len(rows) for stream in streams for rows in stream[:steps]]))
    for step in range(steps):
        for worker, stream in enumerate(streams):
            domain = worker // in_domain
            for row in map(int, stream[step]):
                last, when = writer.get(row, (-1, -RECENT - 1))
                if last == worker and step - used.get((worker, row), -RECENT - 1) <= RECENT:
                    place = OWN
                elif last >= 0 and step - when <= RECENT:
                    place = NEAR if last // in_domain == domain else FAR
                else:
                    place = SHARED if row in levels[domain] else MEMORY
                if step >= warm:
                    found[place] += 1
                    uses[row] = uses.get(row, 0) + 1
                    if place in (NEAR, FAR):
                        passes.setdefault(row, np.zeros(2, np.int64))[place - NEAR] += 1
                used[worker, row], writer[row] = step, (worker, step)
                levels[domain][row] = None
                levels[domain].move_to_end(row)
                if len(levels[domain]) > LAST_LEVEL:
                    levels[domain].popitem(last=False)
    counted = max(1, steps - warm)
    near, far = max(passes.values(), key=lambda both: both[0] + 3 * both[1], default=np.zeros(2)) / counted
    hottest = max(uses.values()) / counted
    return Found(found / found.sum(), n_rows / size, hottest, (float(near), float(far)))


def word_ns(found: Found, costs: Costs, merging: float = 0.0) -> float:
    """ns of a worker for a kept word; more where the hottest row has no more time to go round."""
    near, far, memory = found.shares[[NEAR, FAR, MEMORY]] * found.rows
    return costs.word + merging + float(near * costs.near + far * costs.far + memory * costs.memory)


def round_ns(found: Found, costs: Costs) -> float:
    """ns of a block that the hottest row takes to go from core to core, one after the other."""
    return found.passed[0] * costs.near + found.passed[1] * costs.far


def merge_ns(n_hot: int, costs: Costs, kept: float) -> float:
    """ns of merging for each kept word of a domain: in both matrices each row once in UNITS_TO_MERGE units.

    kept   words of a unit that subsampling leaves. The row was written by another domain, its copy by another
    core, and what the copy was is in memory or in the last level.
    """
    row = MERGE_NS + costs.far + costs.near + costs.memory
    return 2 * n_hot / UNITS_TO_MERGE * row / kept


def worlds(session: Session, corpus: Corpus, workers: int, warm: int) -> list[list[NDArray[np.int64]]]:
    """The blocks of each worker, from places of its own in the corpus."""
    config = session.options.config
    rng, counts = np.random.default_rng(config.seed), corpus.vocabulary.counts
    keep, noise = keep_probabilities(counts, config.sample), noise_probabilities(counts, config.ns_exponent)
    streams, n_tokens = [], 4 * (warm + COUNTED) * config.block_size  # subsampling leaves a part
    for start in rng.integers(0, max(1, len(corpus.ids) - n_tokens) // UNIT + 1, workers) * UNIT:
        tokens = corpus.ids[start : start + n_tokens].astype(np.int64)
        kept = tokens[rng.random(len(tokens)) < keep[tokens]]
        streams.append(block_rows(kept, noise, session, rng)[: warm + COUNTED])
    return streams


def warm_blocks(workers: int) -> int:
    """Blocks of a worker after which the last level of its domain is full."""
    return max(2 * RECENT, LAST_LEVEL // (30 * min(workers, IN_DOMAIN)))


def found_by(session: Session, corpus: Corpus, workers: int, n_hot: int = 0) -> Found | None:
    """The simulation of so many workers; None where the corpus is too short."""
    warm, n_words = warm_blocks(workers), len(corpus.vocabulary)
    streams = worlds(session, corpus, workers, warm)
    if min(map(len, streams)) <= warm:
        return None
    if n_hot:
        streams = [
            [with_copies(rows, worker // IN_DOMAIN, n_hot, n_words) for rows in stream]
            for worker, stream in enumerate(streams)
        ]
    return simulate(streams, IN_DOMAIN, warm, session.options.config.block_size)


def calibrated(session: Session, two: Found) -> Costs:
    """Costs by which the measured figures of one and of two threads come out.

    two   of two workers in one domain
    """
    word, (large, large_ns) = WORD_NS[10_000], max(WORD_NS.items())
    many = found_by(session, zipf_corpus(large, 1_000_000), 1)
    assert many
    memory = (large_ns - word) / (many.rows * many.shares[MEMORY])
    one = word + two.rows * two.shares[MEMORY] * memory  # two threads with matrices of their own
    near, far = (
        one * (1 / ratio - 1) / (two.rows * two.shares[NEAR]) for ratio in (SAME_DOMAIN, OTHER_DOMAIN)
    )
    return Costs(word, near, far, memory)


def sharing(session: Session) -> None:
    """Shares of rows by where they are found, and speed-ups, for 1 to 64 workers, without and with copies."""
    corpus, config = session.material.corpus, session.options.config
    two, one = (found_by(session, corpus, n) for n in (2, 1))
    if not (two and one):
        say(f"sharing: {len(corpus.ids):,} tokens are too few to simulate")
        return
    costs = calibrated(session, two)
    say("ns: " + ", ".join(f"{name} {value:.0f}" for name, value in costs._asdict().items()))
    ratio = word_ns(one, costs) / word_ns(two, costs)
    say(
        f"a kept word of one thread {word_ns(one, costs):.0f} ns, of two threads {ratio:.2f} x the speed each"
    )
    counts = corpus.vocabulary.counts
    kept = UNIT * float((keep_probabilities(counts, config.sample) * counts).sum() / counts.sum())
    for workers in WORKERS:
        for n_hot in COPIES if workers > IN_DOMAIN else (0,):
            found = found_by(session, corpus, workers, n_hot)
            if not found:
                continue
            took = word_ns(found, costs, merge_ns(n_hot, costs, kept))
            took = max(took, round_ns(found, costs) / config.block_size)
            speed_up = workers * word_ns(one, costs) / took
            shares = dict(zip(PLACES, map(float, found.shares), strict=True))
            session.records.add(
                bench="sharing",
                workers=workers,
                copies=n_hot,
                **session.settings,
                **shares,
                hottest=found.hottest,
                speed_up=speed_up,
                **{f"{name}_ns": value for name, value in costs._asdict().items()},
            )
            where = ", ".join(f"{place} {share:.0%}" for place, share in shares.items())
            say(f"{workers} workers, copies of {n_hot}: rows {where}; {speed_up:.1f} times one worker")
