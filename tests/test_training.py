"""The training loop: schedule, calls, health, memory, and what a run reports."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import fastw2v
from corpora.small import corpus_of
from fastw2v.backends import make, plan_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, DivergedError, OutputError, StepSizeWarning, UsageError
from fastw2v.model.arrays import UNIT, Totals, Vectors
from fastw2v.model.plan import NegativeSampling, Softmax
from fastw2v.training import health, loop, matrices, spans
from fastw2v.training.hooks import Callbacks
from fastw2v.training.matrices import aligned_zeros
from tests.chains import chain_corpus


@pytest.mark.parametrize(
    ("kernel", "backend"),
    [
        ("pair", "numba"),
        ("block", "numba"),
        ("block", "reference"),
        pytest.param("pair", "reference", marks=pytest.mark.slow),
    ],
)
def test_train__separates_two_topics(kernel, backend):
    rng = np.random.default_rng(0)
    topics = rng.integers(0, 2, 60)
    corpus = corpus_of(np.concatenate([rng.integers(0, 10, 50) + 10 * topic for topic in topics]), 20)
    config = TrainConfig(dim=8, epochs=3, lr=0.1, sample=0, kernel=kernel, backend=backend, threads=1)
    vectors = loop.train(corpus, config).embeddings.center_vectors
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    within = (cosines[:10, :10].sum() - 10) / 90
    assert within > cosines[:10, 10:].mean() + 0.4


def test_train__backends_give_the_same_vectors():
    corpus, _ = chain_corpus(30, 3_000)
    results = [
        loop.train(corpus, TrainConfig(dim=20, epochs=2, threads=1, backend=backend))
        for backend in ("numba", "reference")
    ]
    actual, expected = (result.embeddings for result in results)
    np.testing.assert_allclose(actual.center_vectors, expected.center_vectors, atol=1e-5)
    np.testing.assert_allclose(actual.outside_vectors, expected.outside_vectors, atol=1e-5)
    assert results[0].pairs == results[1].pairs


def test_train__softmax_lowers_the_loss():
    corpus, _ = chain_corpus(10, 1_500)
    losses = []
    config = TrainConfig(dim=8, epochs=4, lr=0.1, window=1, sample=0, backend="reference", loss="softmax")
    loop.train(corpus, config, [Callbacks(on_progress=lambda progress: losses.append(progress.mean_loss))])
    assert losses[0] < np.log(10) + 0.01
    assert losses[-1] < losses[0] - 0.05


def test_train__same_seed_same_bytes_and_another_seed_others():
    corpus, _ = chain_corpus(50, 30_000)
    runs = [
        loop.train(corpus, TrainConfig(dim=16, threads=1, epochs=2, seed=seed)).embeddings
        for seed in (1, 1, 2)
    ]
    data = [run.center_vectors.tobytes() for run in runs]
    assert data[0] == data[1] != data[2]


def test_train__reports_corpus_words_of_all_epochs():
    corpus, _ = chain_corpus(50, 10_000)
    corpus = corpus._replace(n_words_read=12_000)  # 2,000 words were out of the vocabulary
    seen = []
    trained = loop.train(
        corpus, TrainConfig(dim=8, epochs=3, threads=1), [Callbacks(on_progress=seen.append)]
    )
    assert trained.words == seen[-1].words == seen[-1].words_total == 36_000
    assert [progress.words for progress in seen] == sorted(progress.words for progress in seen)
    assert seen[0].learning_rate > seen[-1].learning_rate == pytest.approx(0.1e-4)
    assert trained.kept_words <= 30_000


def test_loop__learning_rate_falls_over_the_whole_run():
    rates = []

    class Recorder:
        units_at_once = least_groups = 1

        def train(self, tokens, schedule, first, end):
            for unit in range(first, end):
                done = (schedule.words_before + unit * UNIT) / schedule.words_total
                rates.append(schedule.learning_rate * (1 - done))
            return Totals(1.0, 1, 1)

        def host(self):
            return Vectors(np.zeros((20, 16), np.float32), np.zeros((20, 16), np.float32))

    corpus, _ = chain_corpus(20, 3 * UNIT)
    config = TrainConfig(epochs=4, lr=0.1)
    backend = Recorder()
    backend.plan = plan_of(config, corpus.vocabulary.counts, 10)
    loop.Loop(backend, corpus, config, []).run()
    np.testing.assert_allclose(rates, 0.1 * (1 - np.arange(12) / 12))


def test_train__divergence_is_an_error_that_says_what_to_lower():
    corpus, _ = chain_corpus(20, 20_000)
    with pytest.raises(DivergedError, match="lower --lr"):
        loop.train(corpus, TrainConfig(dim=16, lr=1e4, sample=0, kernel="pair", threads=1))


def test_require_healthy__sees_nan_and_huge_values():
    healthy = np.zeros((5, 16), np.float32)
    for value in (np.nan, np.inf, 1e6):
        broken = healthy.copy()
        broken[3, 2] = value
        with pytest.raises(DivergedError):
            loop.require_healthy(Vectors(healthy, broken), 1.0, Softmax(), 0.1)
    with pytest.raises(DivergedError):
        loop.require_healthy(Vectors(healthy, healthy), float("nan"), Softmax(), 0.1)
    loop.require_healthy(Vectors(healthy, healthy), 1.0, Softmax(), 0.1)


def test_require_healthy__knows_what_untrained_vectors_cost():
    """Ten times (K + 1) ln 2, or ln |V|: 41.6 for 5 negatives, 16.1 for the softmax over 5 words."""
    vectors = Vectors(np.zeros((5, 16), np.float32), np.zeros((5, 16), np.float32))
    for objective, limit in ((NegativeSampling(5, np.zeros(5, np.uint64)), 41.58), (Softmax(), 16.09)):
        loop.require_healthy(vectors, limit, objective, 0.1)
        with pytest.raises(DivergedError, match="lower --lr"):
            loop.require_healthy(vectors, limit + 0.02, objective, 0.1)


def test_train__one_word_is_refused():
    corpus = corpus_of(np.zeros(100, np.int64), 1)
    with pytest.raises(UsageError, match="at least 2"):
        loop.train(corpus, TrainConfig())


def test_train__vocabulary_without_counts_is_refused():
    corpus, _ = chain_corpus(5, 100)
    nothing = Vocabulary(corpus.vocabulary.words, np.zeros(5, np.int64))
    with pytest.raises(UsageError, match="count 0"):
        loop.train(corpus._replace(vocabulary=nothing), TrainConfig())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.full(100, 2**32)}, "ids are int64 of shape"),
        ({"ids": np.zeros(100)}, "ids are float64 of shape"),
        ({"ids": np.zeros((10, 10), np.int32)}, r"ids are int32 of shape \(10, 10\)"),
        (
            {"ids": np.full(100, 5, np.int32)},
            "ids are from 5 to 5: .*, from 0 to 4",
        ),
        ({"ids": np.full(100, -1, np.int32)}, "ids are from -1 to -1"),
        ({"offsets": np.array([0.0, 100.0])}, "offsets are float64"),
        ({"offsets": np.empty(0, np.int64)}, "offsets must rise from 0 to the number of ids, 100"),
        ({"offsets": np.array([0, 99])}, "offsets must rise"),
        ({"offsets": np.array([1, 100])}, "offsets must rise"),
        ({"offsets": np.array([0, 60, 50, 100])}, "offsets must rise"),
        (
            {"vocabulary": Vocabulary(list("abcde"), np.ones(4, np.int64))},
            r"counts are int64 of shape \(4,\)",
        ),
        ({"vocabulary": Vocabulary(list("abcde"), np.ones(5))}, "counts are float64"),
        ({"vocabulary": Vocabulary(list("abcde"), np.array([9, 1, 1, 1, -1]))}, "needs one, 0 or more"),
    ],
)
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_train__arrays_that_are_no_corpus_are_refused(change, message, backend):
    """The kernels look up rows by id without a check: an id too large would write anywhere."""
    corpus, _ = chain_corpus(5, 100)
    with pytest.raises(UsageError, match=message):
        loop.train(corpus._replace(**change), TrainConfig(dim=4, backend=backend))


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "change",
    [
        lambda array: read_only(array.copy()),
        lambda array: array.astype(array.dtype.newbyteorder(">")),
        lambda array: np.repeat(array, 2)[::2],
        lambda array: array.astype(np.int16),
        lambda array: array.astype(np.uint64),
        lambda array: np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1),
        lambda array: array.tolist(),
    ],
    ids=["read-only", "big-endian", "strided", "int16", "uint64", "unaligned", "list"],
)
def test_train__arrays_of_any_integers_need_no_kernel_of_their_own(change):
    """Another type of array would be compiled for, 10 s and more."""
    from fastw2v.kernels.block import step

    config = TrainConfig(dim=4, threads=1, epochs=1)
    corpus, _ = chain_corpus(5, 100)
    expected = loop.train(corpus, config).embeddings.center_vectors
    n_compiled = len(step.train_units.signatures)
    vocabulary = Vocabulary(corpus.vocabulary.words, change(corpus.vocabulary.counts))
    changed = corpus._replace(ids=change(corpus.ids), offsets=change(corpus.offsets), vocabulary=vocabulary)
    actual = loop.train(changed, config).embeddings.center_vectors
    np.testing.assert_array_equal(actual, expected)
    assert len(step.train_units.signatures) == n_compiled


def test_train__empty_sentences_are_fine():
    corpus, _ = chain_corpus(5, 100)
    runs = [
        loop.train(corpus._replace(offsets=np.array(offsets)), TrainConfig(dim=4, threads=1)).embeddings
        for offsets in ([0, 0, 40, 40, 100, 100], [0, 40, 100])
    ]
    np.testing.assert_array_equal(runs[0].center_vectors, runs[1].center_vectors)


def test_require_memory__names_need_and_cure():
    with pytest.raises(OutputError, match=r"need 8064\.0 GB.*lower --dim"):
        matrices.require_memory(10**9, 1_000)


@pytest.mark.parametrize("dim", [1, 5, 16, 100])
def test_unpadded__moves_rows_together_in_place(dim):
    rng = np.random.default_rng(0)
    matrix = matrices.aligned_zeros(10_000, dim)
    matrix[:, :dim] = rng.random((10_000, dim))
    expected = matrix[:, :dim].copy()
    actual = matrices.unpadded(matrix, dim)
    assert actual.flags.c_contiguous
    assert np.shares_memory(actual, matrix)
    np.testing.assert_array_equal(actual, expected)


def test_aligned_zeros__rows_start_on_cache_lines():
    for dim in (1, 16, 300):
        matrix = matrices.aligned_zeros(7, dim)
        assert matrix.ctypes.data % 64 == 0
        assert matrix.strides[0] % 64 == 0


def test_next_size__aims_at_the_length_of_a_call():
    assert spans.next_size(10, spans.CALL_SECONDS) == 10
    assert spans.next_size(10, spans.CALL_SECONDS / 100) == 40
    assert spans.next_size(10, spans.CALL_SECONDS * 100) == 1
    assert spans.next_size(2, spans.CALL_SECONDS * 4, least=2) == 2


@pytest.mark.parametrize(
    ("options", "least"), [({}, 3), ({"loss": "softmax"}, 3), ({"deterministic": True}, 1)], ids=str
)
def test_backends__a_call_keeps_all_workers_busy(options, least):
    """A unit for each, but where all of them are at one."""
    counts = np.full(2000, 9)
    plan = plan_of(TrainConfig(**options), counts, 9)
    made = make(plan, Vectors(aligned_zeros(2000, 16), aligned_zeros(2000, 16)), "numba", 3)
    assert made.least_groups == least
    assert make(plan, made.host(), "reference").least_groups == 1


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_train__refuses_sentences_of_one_word_before_it_compiles(kernel, backend):
    stages = []
    config = TrainConfig(dim=4, sample=0, kernel=kernel, backend=backend, threads=1)
    with pytest.raises(CorpusError, match=r"no word has a neighbour.*--group-by"):
        loop.train(corpus_of(np.arange(100) % 7, 7, 1), config, [Callbacks(on_stage=stages.append)])
    assert stages == []


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_train__refuses_to_end_without_a_pair(kernel, backend):
    config = TrainConfig(dim=4, sample=1e-30, kernel=kernel, backend=backend, threads=1)
    with pytest.raises(CorpusError, match=r"no pair was trained.*raise --sample"):
        loop.train(corpus_of(np.arange(100) % 7, 7), config)


@pytest.mark.parametrize("kernel", ["pair", "block"])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("lr", "expected"),
    [
        (1e-30, True),
        (1e-13, True),
        (1e-12, False),
        (1e-5, False),
        (0.025, False),
        (0.1, False),
        (0.5, False),
        (1, True),
        (1e3, True),
    ],
)
def test_step_size_warning__tells_of_steps_beyond_use(kernel, deterministic, lr, expected):
    if kernel == "pair" and deterministic:
        pytest.skip("there is none")
    line = health.step_size_warning(TrainConfig(kernel=kernel, deterministic=deterministic, lr=lr))
    assert (line is not None and "a useful lr is 0.025" in line) == expected


@pytest.mark.parametrize("lr", [1.0, 1e3, 1e-30])
def test_train__in_python_warns_of_a_step_size_beyond_use(lr):
    # No kernel promises to end at such a step: the warning has to come first.
    with pytest.warns(StepSizeWarning, match="useful lr"), contextlib.suppress(DivergedError):
        fastw2v.train([["a", "b"] * 9] * 9, lr=lr, dim=4, min_count=1, sample=0, threads=1, epochs=1)
