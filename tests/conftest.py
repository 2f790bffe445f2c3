"""What several test files share: randomness, and small corpora in the arrays that the trainers take."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import ArrayLike, NDArray

from corpora.small import corpus_of
from fastw2v.model.arrays import Tokens, Vectors
from fastw2v.model.plan import Estimator, NegativeSampling, Pair, Plan, Schedule, SkipGram, Words
from fastw2v.model.sampling import as_limits, keep_probabilities, noise_probabilities, unigram_table
from fastw2v.model.streams import epoch_key
from fastw2v.training.matrices import aligned_zeros
from tests.sharing_out import pytest_xdist_make_scheduler  # noqa: F401 - a hook
from tests.slow import pytest_runtest_setup, pytest_runtest_teardown  # noqa: F401 - hooks

# No deadline: the first call of a kernel compiles. Derandomised: a failure on one machine fails on every one.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# Under nohup, or beside a shell's script (`make test &`), the processes that tests start would inherit that a
# hangup or Ctrl-C is ignored, and never end by one.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Inputs(NamedTuple):
    """What a trainer needs beside the matrices."""

    tokens: Tokens
    architecture: SkipGram
    unigram_table: NDArray[np.uint64]
    schedule: Schedule

    def plan(self, estimator: Estimator | None = None, n_negatives: int = 5) -> Plan:
        """Negative sampling by this estimator, Pair where none is given."""
        objective = NegativeSampling(n_negatives, self.unigram_table)
        return Plan(self.architecture, Words(), objective, estimator or Pair())

    def epoch(self, epoch: int, epochs: int, learning_rate: float = 0.025) -> Schedule:
        """The schedule of one epoch of a longer run with seed 1."""
        n_tokens = len(self.tokens.ids)
        return Schedule(
            epoch_key=np.uint64(epoch_key(1, epoch)),
            words_before=epoch * n_tokens,
            words_total=epochs * n_tokens,
            learning_rate=learning_rate,
            min_learning_rate=learning_rate * 1e-4,
        )


def make_inputs(
    lengths: Sequence[int],
    n_words: int,
    *,
    radius: int = 5,
    fixed: int = 0,
    weighted: int = 0,
    sample: float = 0.0,
    ids: ArrayLike | None = None,
) -> Inputs:
    """Sentences of these lengths, of these ids or of words drawn uniformly; tables from their counts."""
    if ids is None:
        ids = np.random.default_rng(0).integers(0, n_words, sum(lengths))
    corpus = corpus_of(ids, n_words, lengths)
    counts = corpus.vocabulary.counts
    reach = min(radius, max(max(lengths) - 1, 1))
    architecture = SkipGram(radius, fixed, reach, as_limits(keep_probabilities(counts, sample)), 0, weighted)
    table = unigram_table(noise_probabilities(counts))
    inputs = Inputs(
        Tokens(corpus.ids, corpus.offsets), architecture, table, Schedule(np.uint64(0), 0, 1, 0.0, 0.0)
    )
    return inputs._replace(schedule=inputs.epoch(0, 1))


def start_vectors(n_words: int, dim: int, scale: float = 0.3) -> Vectors:
    """Random vectors in both matrices, of this standard deviation, padded and aligned."""
    rng = np.random.default_rng(0)
    vectors = Vectors(aligned_zeros(n_words, dim), aligned_zeros(n_words, dim))
    for matrix in vectors:
        matrix[:, :dim] = rng.normal(0, scale, (n_words, dim))
    return vectors


@pytest.fixture
def rng() -> np.random.Generator:
    """Randomness, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture
def no_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where gensim is not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "gensim"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gensim", None)


@pytest.fixture(scope="session", name="make_inputs")
def make_inputs_fixture() -> Callable[..., Inputs]:
    """make_inputs(sentence lengths, n_words, radius=, fixed=, sample=, ids=)."""
    return make_inputs
