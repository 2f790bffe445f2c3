"""Kernels compiled otherwise, each way in a process of its own: with bounds checks, not at all, for any CPU.

    NUMBA_BOUNDSCHECK=1 python -m bench.checked bounds 1000
    NUMBA_DISABLE_JIT=1 python -m bench.checked plain 20
    NUMBA_CPU_NAME=generic python -m bench.checked generic 1

Each prints a line of what it found and ends with a traceback where something is wrong. Machine code of
each way has a folder of its own in the cache.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v.config import Kernel, TrainConfig

N_WORDS = 12
LENGTHS = st.lists(st.integers(0, 40) | st.integers(4000, 4200), min_size=1, max_size=8)


def arrays_of(config: TrainConfig, lengths: list[int], seed: int) -> tuple[Any, ...]:
    """Arguments of a kernel for sentences of these lengths of random words, and how many units they are."""
    from corpora.small import corpus_of
    from fastw2v import backends
    from fastw2v.model.arrays import Tokens, Vectors, n_units
    from fastw2v.model.streams import epoch_key
    from fastw2v.training import matrices
    from fastw2v.training.start import make_schedule

    ids = np.random.default_rng(seed).integers(0, N_WORDS, sum(lengths))
    corpus = corpus_of(ids, N_WORDS, lengths, least_count=1)
    vectors = Vectors(*(matrices.aligned_zeros(N_WORDS, config.dim) for _ in range(2)))
    schedule = make_schedule(config, max(len(ids), 1), epoch_key(seed, 0))
    plan = backends.plan_of(config, corpus.vocabulary.counts, max(lengths))
    return vectors, Tokens(corpus.ids, corpus.offsets), plan, schedule, n_units(len(ids))


def run_serially(kernel: Any, arrays: tuple[Any, ...]) -> float:
    """One worker in this thread, without a backend; returns the loss."""
    from fastw2v.model.arrays import LOSS, new_totals, work_on

    *inputs, end = arrays
    totals = new_totals(1)
    kernel(*inputs, work_on(0, end), totals)
    return float(totals[0, LOSS])


def kind_of(name: str) -> Kernel:
    """The option for a kernel of that name."""
    return "pair" if name == "pair" else "block"


def bounds(n_corpora: int) -> str:
    """The kernels and the tokenizer on random corpora, with every index checked."""
    from corpora.parquet import write_text_parquet
    from fastw2v.corpus.read import read_corpus
    from fastw2v.kernels import pair
    from fastw2v.kernels.block import plain as plain_block
    from fastw2v.kernels.block import step

    assert numba.config.BOUNDSCHECK, "set NUMBA_BOUNDSCHECK=1"
    kernels = {
        "block": step.train_units,
        "pair": pair.train_units,
        "block in plain loops": plain_block.train_units,
    }
    health = list(HealthCheck)  # a bounds-checked kernel is slow
    examples = settings(max_examples=n_corpora, deadline=None, derandomize=True, suppress_health_check=health)

    @examples
    @given(LENGTHS, st.integers(1, 60), st.booleans(), st.integers(0, 99))
    def train(lengths: list[int], window: int, dynamic: bool, seed: int) -> None:
        for name, kernel in kernels.items():
            config = TrainConfig(dim=16, window=window, dynamic_window=dynamic, kernel=kind_of(name))
            assert np.isfinite(run_serially(kernel, arrays_of(config, lengths, seed)))

    @examples
    @given(st.lists(st.text(max_size=40), min_size=1, max_size=20))
    def read(rows: list[str]) -> None:
        rows = [row.encode(errors="ignore").decode() for row in [*rows, "two words"]]
        write_text_parquet(path, rows)
        assert read_corpus(path, min_count=1).n_words_read == sum(len(row.split()) for row in rows)

    for name, kernel in kernels.items():
        require_checks(kernel, TrainConfig(dim=16, kernel=kind_of(name)))
    train()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.parquet"
        read()
    return f"{n_corpora} corpora each of block, plain, pair, tokenizer"


def require_checks(kernel: Any, config: TrainConfig) -> None:
    """The kernel must notice an id that is none: else this build checks nothing, and proves nothing."""
    vectors, tokens, *rest = arrays_of(config, [50], 0)
    tokens.ids[25] = 10**6
    try:
        run_serially(kernel, (vectors, tokens, *rest))
    except IndexError:
        return
    raise AssertionError(f"kernel {config.kernel} read beyond its arrays unnoticed")


def plain(n_corpora: int) -> str:
    """What needs no compiler, run by Python itself beside the reference: the sampling of units.

    Splitting text and the kernels' steps use instructions that Python has no words for
    (`kernels.intrinsics`, `kernels.tiles`).
    """
    from fastw2v.kernels import units
    from fastw2v.reference.units import keep_unit

    assert numba.config.DISABLE_JIT, "set NUMBA_DISABLE_JIT=1"
    for seed in range(n_corpora):
        config = TrainConfig(window=1 + seed % 9, dynamic_window=seed % 2 == 0)
        _, tokens, plan, schedule, _ = arrays_of(config, [30, 0, 4500], seed)
        architecture, key = plan.architecture, schedule.epoch_key
        for unit in (0, 1):
            with np.errstate(over="ignore"):
                kept = units.new_kept(architecture, None)
                begin, end, _ = units.keep_unit(tokens, architecture, key, unit, kept)
            expected, centres = keep_unit(tokens, architecture, int(key), unit)
            assert kept.ids[begin:end].tolist() == [expected[i].word for i in centres]
            assert kept.radius[begin:end].tolist() == [expected[i].radius for i in centres]
    return f"{n_corpora} corpora subsampled as by the reference"


def generic(n_corpora: int) -> str:
    """Both kernels for a processor without extensions and without fast mathematics, beside the reference."""
    compile_plainly = numba.njit
    numba.njit = lambda *function, **options: compile_plainly(*function, **{**options, "fastmath": False})
    from bench.agreement import assert_kernels_agree

    assert numba.config.CPU_NAME == "generic", "set NUMBA_CPU_NAME=generic"
    largest = [max(assert_kernels_agree(TrainConfig(dim=20 + i)).values()) for i in range(n_corpora)]
    return f"largest difference from the reference {max(largest):.1e}"


if __name__ == "__main__":
    ways = {"bounds": bounds, "plain": plain, "generic": generic}
    sys.stdout.write(ways[sys.argv[1]](int(sys.argv[2])) + "\n")
