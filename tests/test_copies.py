"""Copies of the hottest rows, one for each cache domain: their rows and merging, and when there are some."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pytest

from corpora.small import corpus_of, zipfian
from fastw2v import backends
from fastw2v.backends import domains_for, make, plan_of
from fastw2v.commands.train.settings import copies_lines
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.kernels import backend as kernel_backend
from fastw2v.kernels import copies as kernel_copies
from fastw2v.kernels.backend import KernelBackend, kernel_of
from fastw2v.kernels.domains import Domains, on_cores, with_rows_behind
from fastw2v.model.arrays import UNIT, Vectors, n_units, new_totals, summed, work_on
from fastw2v.model.plan import HOT_WORDS, NO_COPIES, Copies, Plan, rows_behind, with_copies
from fastw2v.reference import copies as reference_copies
from fastw2v.reference.backend import TRAINERS
from fastw2v.training import loop
from fastw2v.training.compilation import smallest
from fastw2v.training.hooks import Hook, Moment
from fastw2v.training.matrices import aligned_zeros
from fastw2v.training.start import longest_sentence, make_schedule

N_WORDS, N_HOT, N_PARTS, DIM = 300, 20, 3, 24


@pytest.fixture(name="corpus", scope="module")
def corpus_fixture() -> Corpus:
    return corpus_of(zipfian(N_WORDS, 5 * UNIT), N_WORDS, 30)


def config_of(**options: Any) -> TrainConfig:
    return TrainConfig(**{"dim": DIM, "epochs": 1, "lr": 0.05, "sample": 1e-2, **options})


def plan_for(corpus: Corpus, config: TrainConfig) -> Plan:
    return plan_of(config, corpus.vocabulary.counts, longest_sentence(corpus.offsets))


def vectors_with_rows_behind(n_domains: int, scale: float = 0.3) -> Vectors:
    rng, n_behind = np.random.default_rng(0), rows_behind(n_domains, N_HOT)
    vectors = Vectors(*(aligned_zeros(N_WORDS, DIM, n_behind) for _ in range(2)))
    for matrix in vectors:
        matrix[:, :DIM] = rng.normal(0, scale, (N_WORDS, DIM))
    return vectors


def moved(vectors: Vectors, domains: Domains) -> None:
    """Let all rows and copies have moved since they were the same."""
    rng = np.random.default_rng(1)
    for matrix in domains.vectors:
        for copies in domains.copies:
            for first in (0, copies.first):
                matrix[first : first + N_HOT, :DIM] += rng.normal(0, 0.1, (N_HOT, DIM))


@pytest.mark.parametrize(("other", "expected"), [([0, 2], [2, 2]), ([2, 0], [2, 0]), ([0, 0], [2, 0])])
def test_merge_row__adds_orthogonal_moves_and_takes_the_mean_of_equal_ones(
    other: list[float], expected: list[float]
) -> None:
    matrix = np.array([other, [2, 0], [0, 0]], float) + 7
    reference_copies.merge_row(matrix, 0, Copies(1, 1, np.zeros(8, np.int64), np.zeros((1, 8), np.int64)))
    assert (matrix - 7).tolist() == [expected] * 3


def test_merge_part__agrees_with_the_reference() -> None:
    pairs = []
    for module in (reference_copies, kernel_copies):
        vectors = vectors_with_rows_behind(2)
        domains = Domains(vectors, [[], []], N_HOT, N_PARTS)
        with domains.merged():
            moved(vectors, domains)
            module.merge_part(domains.vectors, domains.copies[1], 2)
            pairs.append([matrix.copy() for matrix in domains.vectors])
    for expected, actual in zip(*pairs, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


OPTIONS = [{"kernel": "block"}, {"kernel": "pair"}, {"architecture": "cbow"}]


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options.values()))
def test_train_units__with_copies_agree_with_the_reference(
    corpus: Corpus, options: dict[str, Any], tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units dealt to two domains in turn, by one worker at a time."""
    monkeypatch.setattr(kernel_backend, "HAS_TILES", tiles)
    config = config_of(**options)
    plan, schedule = plan_for(corpus, config), make_schedule(config, corpus.n_tokens, key=3)
    ended = []
    for train_units in (TRAINERS[type(plan.estimator)], kernel_of(plan)):
        vectors, totals = vectors_with_rows_behind(2), new_totals(1)
        domains = Domains(vectors, [[], []], N_HOT, N_PARTS)
        plans = domains.plans(plan, 2)
        with domains.merged():
            for unit in range(n_units(corpus.n_tokens)):
                work = work_on(unit, unit + 1)
                train_units(domains.vectors, corpus.tokens, plans[unit % 2], schedule, work, totals)
        ended.append((vectors, summed(totals)))
    (expected, sums), (actual, own_sums) = ended
    assert own_sums.mean_loss == pytest.approx(sums.mean_loss, rel=1e-5)
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


def test_merged__lets_copies_follow_rows_that_changed_between_calls(corpus: Corpus) -> None:
    vectors = vectors_with_rows_behind(2)
    backend = KernelBackend(plan_for(corpus, config_of()), vectors, 2, Domains(vectors, [[], []], N_HOT))
    vectors.center[:] = 1.0
    backend.compile(corpus.tokens)
    assert (vectors.center == 1).all()
    assert backend.host().center.shape == (N_WORDS, vectors.center.shape[1])


def test_train__racing_domains_reach_the_loss_of_one(corpus: Corpus) -> None:
    config, losses = config_of(), []
    plan, schedule = plan_for(corpus, config), make_schedule(config, corpus.n_tokens, key=3)
    for n_domains in (0, 2, 3):
        vectors = vectors_with_rows_behind(n_domains, scale=0.02)
        domains = Domains(vectors, [[]] * n_domains, N_HOT) if n_domains else None
        backend = KernelBackend(plan, vectors, max(1, n_domains), domains)
        for first in range(n_units(corpus.n_tokens)):
            backend.train(corpus.tokens, schedule, first, first + 1)
        assert all(np.isfinite(matrix).all() for matrix in vectors)
        losses.append(backend.loss(corpus.tokens, 5, 2).mean_loss)
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=0.02)


class Seen(Hook):
    """What hooks see of the matrices, checkpoints among them."""

    def __init__(self) -> None:
        self.shapes = set[tuple[int, ...]]()

    def after_call(self, moment: Moment) -> None:
        self.shapes |= {matrix.shape for matrix in moment.vectors}


def plain_shape(n_words: int) -> tuple[int, ...]:
    return aligned_zeros(n_words, DIM).shape


def test_train__a_run_with_domains_ends_with_plain_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    n_words = 2 * HOT_WORDS
    corpus = corpus_of(zipfian(n_words, 5 * UNIT), n_words, 30, least_count=1)
    plain = loop.train(corpus, config_of(threads=1)).embeddings
    monkeypatch.setattr(loop, "domains_for", lambda *given: [[], []])
    seen = Seen()
    trained = loop.train(corpus, config_of(threads=2), [seen]).embeddings
    assert seen.shapes == {plain_shape(n_words)}
    assert trained.center_vectors.shape == plain.center_vectors.shape == (n_words, DIM)
    assert not (trained.center_vectors == plain.center_vectors).all()
    assert np.isfinite(trained.center_vectors).all()


TWO_AND_SIX = [[0, 1], [2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("options", "n_words", "threads", "expected"),
    [
        ({}, 16 * HOT_WORDS, 8, [[2, 3, 4, 5, 6, 7], [0, 1]]),
        ({"kernel": "pair"}, 16 * HOT_WORDS, 8, [[2, 3, 4, 5, 6, 7], [0, 1]]),
        ({}, 16 * HOT_WORDS, 6, []),
        ({}, 16 * HOT_WORDS - 1, 8, []),
        ({"deterministic": True}, 16 * HOT_WORDS, 8, []),
        ({"subwords": "3-6"}, 16 * HOT_WORDS, 8, []),
        ({"loss": "hierarchical-softmax"}, 16 * HOT_WORDS, 8, []),
        ({"backend": "reference"}, 16 * HOT_WORDS, 8, []),
    ],
)
def test_domains_for__where_workers_span_several(
    options: dict[str, Any],
    n_words: int,
    threads: int,
    expected: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backends, "cache_domains", lambda: TWO_AND_SIX)
    monkeypatch.setattr(backends, "can_bind", lambda: True)
    config = TrainConfig(**options)
    plan = plan_of(config, np.ones(2, np.int64), 2)
    assert domains_for(plan, n_words, config.backend, threads) == expected


def test_domains_for__none_where_threads_cannot_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "cache_domains", lambda: TWO_AND_SIX)
    monkeypatch.setattr(backends, "can_bind", lambda: False)
    assert domains_for(plan_of(TrainConfig(), np.ones(2, np.int64), 2), 1 << 20, "numba", 8) == []


def test_domains_for__none_where_each_core_seems_to_have_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "cache_domains", lambda: [[core] for core in range(16)])
    monkeypatch.setattr(backends, "can_bind", lambda: True)
    assert domains_for(plan_of(TrainConfig(), np.ones(2, np.int64), 2), 1 << 20, "numba", 16) == []


def test_domains_for__are_eight_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "cache_domains", lambda: [list(range(i, i + 8)) for i in range(0, 72, 8)])
    monkeypatch.setattr(backends, "can_bind", lambda: True)
    plan = plan_of(TrainConfig(), np.ones(2, np.int64), 2)
    assert [len(cores) for cores in domains_for(plan, 1 << 20, "numba", 64)] == [8] * 8
    assert [len(cores) for cores in domains_for(plan, 1 << 20, "numba", 72)] == [16] * 4 + [8]


def test_make__one_kernel_for_few_words_and_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled beside the reading, before the vocabulary is known, is what a run of any needs."""
    monkeypatch.setattr(backends, "cache_domains", lambda: TWO_AND_SIX)
    monkeypatch.setattr(backends, "can_bind", lambda: True)
    config = config_of(threads=8)
    plan, vectors, _ = smallest(config)
    assert plan.objective.copies is NO_COPIES  # type: ignore[union-attr]
    few = make(plan_of(config, np.ones(2, np.int64), 2), vectors, config.backend, 8)
    assert few.plan.objective.copies is NO_COPIES  # type: ignore[union-attr]
    single = make(plan_of(config, np.ones(2, np.int64), 2), vectors, config.backend, 2)
    assert single.plan.objective.copies is None  # type: ignore[union-attr]


def test_train__no_copies_train_as_none_do(corpus: Corpus) -> None:
    config = config_of()
    plan, schedule = plan_for(corpus, config), make_schedule(config, corpus.n_tokens, key=3)
    ended = []
    for own in (plan, with_copies(plan, NO_COPIES)):
        vectors = vectors_with_rows_behind(0)
        KernelBackend(own, vectors, 1).train(corpus.tokens, schedule, 0, 2)
        ended.append(vectors)
    for one, other in zip(*ended, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_copies_lines__say_how_many_domains_have_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(threads=8)
    monkeypatch.setattr(backends, "can_bind", lambda: True)
    monkeypatch.setattr(backends, "cache_domains", lambda: TWO_AND_SIX)
    assert copies_lines(config, 1 << 20) == [f"2 cache domains have copies of {HOT_WORDS} words' rows"]
    assert copies_lines(config, 100) == []
    assert copies_lines(config, 1 << 20, pairs=True) == []
    monkeypatch.setattr(backends, "cache_domains", lambda: [list(range(8))])
    assert copies_lines(config, 1 << 20) == []


def test_of__gives_each_domain_workers_by_its_cores() -> None:
    domains = Domains(vectors_with_rows_behind(2), TWO_AND_SIX, N_HOT)
    assert [domains.of(worker, 8) for worker in range(8)] == [0] * 2 + [1] * 6
    assert [domains.of(worker, 4) for worker in range(4)] == [0] + [1] * 3
    assert [domains.of(worker, 16) for worker in range(16)] == [0] * 4 + [1] * 12


def test_with_rows_behind__needs_them() -> None:
    with pytest.raises((TypeError, ValueError)):
        with_rows_behind(aligned_zeros(10, DIM), 5)


def test_on_cores__binds_this_thread_meanwhile() -> None:
    if sys.platform != "linux":
        pytest.skip("threads are bound on Linux")
    before = os.sched_getaffinity(0)
    with on_cores([min(before)]):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    with on_cores([1 << 15]):  # one that there is not
        assert os.sched_getaffinity(0) == before
    with on_cores([]):
        assert os.sched_getaffinity(0) == before
