"""Replicas: steps combined, the ladder, the loop of several processes, resuming with others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastw2v import backends
from fastw2v.config import TrainConfig
from fastw2v.distributed import reference as reference_module
from fastw2v.distributed.communicator import SingleProcess, fair_cores, joined, ranks_here
from fastw2v.distributed.loop import train_replicas
from fastw2v.distributed.pace import Effort, Pace, Report
from fastw2v.distributed.rows import Replica, combine_packets, keys_of, ladder_rows, ngram_rows_of
from fastw2v.distributed.shards import read_shared_corpus
from fastw2v.distributed.shares import take_share, trained
from fastw2v.distributed.simulation import run_ranks
from fastw2v.errors import DivergedError
from fastw2v.model.arrays import UNIT, Vectors, n_units
from fastw2v.model.ngrams import Spans, bags_of_words
from fastw2v.model.plan import WORDS, Subwords
from fastw2v.model.streams import epoch_key
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.reference.units import learning_rate_at
from fastw2v.system import interrupts
from fastw2v.training import hooks, loop
from fastw2v.training.holdout import Evaluator
from fastw2v.training.hooks import Evaluation, Position, Progress
from fastw2v.training.matrices import aligned_zeros
from fastw2v.vectors.embeddings import Embeddings
from tests.chains import chain_corpus
from tests.parquet import write

DIM = 20


# ---- Steps -------------------------------------------------------------------------------------------------


def random_packets(n_ranks: int, n_rows: int, share: float = 0.5) -> list[np.ndarray]:
    """A packet of each rank, with steps on some of the rows."""
    rng = np.random.default_rng(n_ranks)
    packets = []
    for _ in range(n_ranks):
        rows = np.flatnonzero(rng.random(n_rows) < share).astype(np.int32)
        packet = rng.normal(0, 1, (len(rows), 1 + DIM)).astype(np.float32)
        keys_of(packet)[:] = rows
        packets.append(packet)
    return packets


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("is_mean", [False, True])
def test_combine_packets__equals_the_reference(n_ranks: int, is_mean: bool) -> None:
    packets = random_packets(n_ranks, 40)
    found = [
        dict(zip(keys_of(packet).tolist(), packet[:, 1:].astype(float), strict=True)) for packet in packets
    ]
    combined = combine_packets([packet.copy() for packet in packets], is_mean)
    keys = sorted(set().union(*found))
    assert keys_of(combined).tolist() == keys
    for row, key in zip(combined[:, 1:], keys, strict=True):
        expected = reference_module.combined_step([steps.get(key) for steps in found], is_mean)
        np.testing.assert_allclose(row, expected, rtol=2e-5, atol=2e-5)


def test_adasum__adds_orthogonal_steps_and_averages_equal_ones() -> None:
    a, b = np.array([1.0, 0, 0]), np.array([0, 2.0, 0])
    np.testing.assert_allclose(reference_module.adasum(a, b), a + b)
    np.testing.assert_allclose(reference_module.adasum(a, a), a)
    np.testing.assert_allclose(reference_module.adasum(a, 3 * a), 2 * a)
    np.testing.assert_allclose(reference_module.adasum(a, 0 * a), a)


def test_ladder_rows__climb_and_stop_at_the_vocabulary() -> None:
    expected = [4096, 8192, 4096, 16384, 4096, 8192, 4096, 20_000, 4096]
    assert [ladder_rows(number, 20_000) for number in range(1, 10)] == expected
    assert ladder_rows(1, 7) == 7


def replica_at(
    communicator: Any, n_words: int, rule: Any = "adasum", ngram_rows: Sequence[int] = (), n_buckets: int = 0
) -> Replica:
    """A replica of random vectors, the same ones at every rank."""
    rng = np.random.default_rng(0)
    vectors = Vectors(aligned_zeros(n_words + n_buckets, DIM), aligned_zeros(n_words, DIM))
    for matrix in vectors:
        matrix[:, :DIM] = rng.normal(0, 1, (len(matrix), DIM))
    return Replica(vectors, DIM, communicator, rule, np.array(ngram_rows, np.int32))


@pytest.mark.parametrize("rule", ["adasum", "mean"])
@pytest.mark.parametrize("packet_bytes", [1 << 24, 700])
def test_replica__combines_what_every_rank_changed(
    rule: str, packet_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one part or in many, and rows that nobody changed stay."""
    monkeypatch.setattr("fastw2v.distributed.rows.PACKET_BYTES", packet_bytes)
    rows = {0: [0, 3, 8], 1: [3, 5], 2: []}
    steps = np.random.default_rng(1).normal(0, 1, (3, 2, 10, DIM)).astype(np.float32)

    def at_rank(communicator: Any) -> tuple[np.ndarray, ...]:
        replica = replica_at(communicator, 10, rule)
        before = [matrix.copy() for matrix in replica.vectors]
        for side, matrix in enumerate(replica.vectors):
            for row in rows[communicator.rank]:
                matrix[row, :DIM] += steps[communicator.rank, side, row]
        replica.combine()
        assert all((base == matrix).all() for base, matrix in zip(replica.base, replica.vectors, strict=True))
        return (*before, *replica.vectors)

    results = run_ranks(3, at_rank)
    for result in results[1:]:
        assert all((own == first).all() for own, first in zip(result, results[0], strict=True))
    for side in (0, 1):
        before, after = results[0][side], results[0][2 + side]
        assert (before[[1, 2, 4, 6, 7, 9]] == after[[1, 2, 4, 6, 7, 9]]).all()
        for row in (0, 3, 5, 8):
            of_ranks = [steps[rank, side, row].astype(float) if row in rows[rank] else None for rank in rows]
            expected = before[row, :DIM] + reference_module.combined_step(of_ranks, rule == "mean")
            np.testing.assert_allclose(after[row, :DIM], expected, rtol=1e-4, atol=1e-5)


def test_replica__keeps_the_steps_on_rows_whose_turn_has_not_come() -> None:
    def at_rank(communicator: Any) -> tuple[np.ndarray, np.ndarray]:
        replica = replica_at(communicator, 10)
        replica.vectors.center[[2, 7], :DIM] += 1 + communicator.rank
        replica.combine(5)
        early = replica.vectors.center.copy()
        replica.combine()
        return early, replica.vectors.center

    (early_0, late_0), (early_1, late_1) = run_ranks(2, at_rank)
    assert (early_0[:5] == early_1[:5]).all()
    assert not (early_0[7] == early_1[7]).all()
    assert (late_0 == late_1).all()


@pytest.mark.parametrize("packet_bytes", [1 << 24, 700])
def test_replica__combines_rows_of_ngrams_the_most_frequent_first(
    packet_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V has five words and 20 buckets; of the rows in ngram_rows the first n are combined with n words."""
    monkeypatch.setattr("fastw2v.distributed.rows.PACKET_BYTES", packet_bytes)
    order = [19, 7, 24, 11, 8, 5, 22]
    trained_, first, later = [0, 3, *order], [0, 19, 7, 24], [3, 11, 8, 5, 22]

    def at_rank(communicator: Any) -> tuple[Vectors, Vectors, Vectors]:
        replica = replica_at(communicator, 5, ngram_rows=order, n_buckets=20)
        steps = np.random.default_rng(communicator.rank).normal(0, 1, (len(trained_), DIM))
        start = Vectors(*(matrix.copy() for matrix in replica.vectors))
        replica.vectors.center[trained_, :DIM] += steps.astype(np.float32)
        replica.vectors.outside[[0, 3], :DIM] += steps[:2].astype(np.float32)
        own = Vectors(*(matrix.copy() for matrix in replica.vectors))
        replica.combine(3)
        assert (replica.vectors.center[later] == own.center[later]).all()
        early = Vectors(*(matrix.copy() for matrix in replica.vectors))
        replica.combine()
        return start, early, replica.vectors

    (start, early, late), (_, early_1, late_1), _ = run_ranks(3, at_rank)
    assert (early.center[first] == early_1.center[first]).all()
    assert not (early.center[later, :DIM] == early_1.center[later, :DIM]).any()
    assert all((one == other).all() for one, other in zip(late, late_1, strict=True))
    untouched = np.setdiff1d(np.arange(25), trained_)
    assert (late.center[untouched] == start.center[untouched]).all()
    all_steps = [np.random.default_rng(rank).normal(0, 1, (len(trained_), DIM)) for rank in range(3)]
    for place, row in enumerate(trained_):
        expected = start.center[row, :DIM] + reference_module.combined_step([one[place] for one in all_steps])
        np.testing.assert_allclose(late.center[row, :DIM], expected, rtol=1e-4, atol=1e-5)


def test_ngram_rows_of__are_those_that_words_have_by_how_often_they_are_met() -> None:
    words, counts, spans = ["ab", "abc", "abcd", "x"], np.array([9, 4, 2, 0]), Spans(3, 3, 50)
    starts, rows = bags_of_words(words, spans)
    met: dict[int, int] = {}
    for word, count in enumerate(counts.tolist()):
        for row in rows[starts[word] : starts[word + 1]].tolist():
            if row >= len(words) and count:
                met[row] = met.get(row, 0) + count
    found = ngram_rows_of(Subwords(starts, rows, spans), counts).tolist()
    assert sorted(found) == sorted(met)
    assert [met[row] for row in found] == sorted(met.values(), reverse=True)
    assert met[found[0]] == 15  # <ab is in three of them
    assert not len(ngram_rows_of(WORDS, counts))


def test_replica__what_was_trained_while_steps_travelled_stays() -> None:
    """Row 1 is trained at both, again at rank 0 meanwhile; row 2 at rank 0; row 3 at rank 1 meanwhile."""

    def at_rank(communicator: Any) -> tuple[np.ndarray, ...]:
        replica = replica_at(communicator, 6)
        rank, matrix = communicator.rank, replica.vectors.center[:, :DIM]
        before = matrix.copy()
        first = np.random.default_rng(5 + rank).normal(0, 1, DIM).astype(np.float32)
        matrix[1] += first
        matrix[2] += 0.3 * (1 - rank)
        replica.send(6)
        later = np.float32(0.7) * (1 - rank)
        matrix[1] += later
        matrix[3] += 0.2 * rank
        replica.receive()
        replica.receive()  # nothing is under way
        late, base = matrix.copy(), replica.base.center[:, :DIM].copy()
        replica.combine()
        return before, first, late, base, matrix.copy()

    (before, first_0, late_0, base_0, end_0), (_, first_1, late_1, base_1, end_1) = run_ranks(2, at_rank)
    assert (base_0 == base_1).all()
    assert (end_0 == end_1).all()
    both = before[1] + reference_module.adasum(first_0.astype(float), first_1.astype(float))
    np.testing.assert_allclose(base_0[1], both, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(late_0[1], both + 0.7, rtol=1e-4, atol=1e-5)
    unchanged_at = {0: [0, 2, 3, 4, 5], 1: [0, 1, 2, 4, 5]}
    for rank, late in enumerate((late_0, late_1)):
        assert (late[unchanged_at[rank]] == base_0[unchanged_at[rank]]).all()
    np.testing.assert_allclose(late_1[3], before[3] + 0.2, rtol=1e-5)
    np.testing.assert_allclose(end_0[1], both + 0.7, rtol=1e-4, atol=1e-5)


def test_joined__copies_only_what_is_in_several_arrays() -> None:
    whole = np.arange(12, dtype=np.float32).reshape(6, 2).copy()
    parts = np.split(whole, [2, 2, 5])
    assert joined(parts) is whole
    for others in (parts[::-1], parts[:2], [parts[0], parts[2].copy(), parts[3]], [whole[:2], whole[3:]]):
        expected = np.concatenate(others)
        assert joined(others) is not whole
        assert (joined(others) == expected).all()


def test_fair_cores__ranks_on_the_same_cores_share_them() -> None:
    n_cores = fair_cores(SingleProcess())
    assert n_cores >= 1
    assert run_ranks(2, fair_cores) == [max(1, n_cores // 2)] * 2
    assert run_ranks(2 * n_cores, fair_cores) == [1] * 2 * n_cores
    assert run_ranks(3, ranks_here) == [3] * 3


# ---- Shares ------------------------------------------------------------------------------------------------


def corpus_file(folder: Any, n_words: int = 60, n_tokens: int = 60_000, length: int = 50) -> Any:
    """A chain in rows of some tokens, and its Corpus."""
    corpus, held_out = chain_corpus(n_words, n_tokens)
    tokens = [corpus.vocabulary.words[i] for i in corpus.ids.tolist()]
    rows = [" ".join(tokens[start : start + length]) for start in range(0, n_tokens, length)]
    path = folder / "chain.parquet"
    write(path, rows)
    return path, held_out


@pytest.mark.parametrize("legs", [((3, 2),), ((2, 1), (3, 2)), ((2, 1), (1, 2), (4, 1))])
def test_trained__legs_train_every_token_once(legs: tuple[tuple[int, int], ...]) -> None:
    """What the legs trained and what the last one is dealt are all tokens, none twice."""
    n_tokens = np.array([5000, 4096, 3000, 4000, 2500, 4096, 777], np.int64)
    first_tokens = np.zeros(len(n_tokens), np.int64)
    for number, (n_ranks, units) in enumerate(legs):
        before = first_tokens.copy()
        first_tokens = trained(n_tokens, first_tokens, n_ranks, units, epoch_key(5, number))
        assert (first_tokens >= before).all()
        assert (first_tokens <= n_tokens).all()
        left = int((n_tokens - before).sum())
        assert (
            min(left, units * UNIT) <= int((first_tokens - before).sum()) <= min(left, n_ranks * units * UNIT)
        )


def test_take_share__ranks_share_the_tokens_that_are_left(tmp_path: Any) -> None:
    path, _ = corpus_file(tmp_path)

    def share_at(communicator: Any) -> tuple[Any, int]:
        shared = read_shared_corpus(str(path), communicator, min_count=1)
        legs = ((2, 2), (communicator.size, 0))
        share = take_share(shared, communicator, 11, legs)
        return share, int(shared.portions[:, 1].sum())

    for n_ranks in (1, 2, 3):
        results = run_ranks(n_ranks, share_at)
        whole = results[0][1]
        assert results[0][0].tokens_before == 4 * UNIT
        assert [len(share.tokens.ids) for share, _ in results] == results[0][0].sizes
        assert sum(results[0][0].sizes) == whole - 4 * UNIT
        assert results[0][0].tokens_after(10**6) == whole
        assert len({share.key for share, _ in results}) == n_ranks


# ---- The loop ----------------------------------------------------------------------------------------------

CONFIG = TrainConfig(dim=DIM, epochs=3, threads=1, sample=0.0, lr=0.05, window=2, negatives=3)
NGRAMS = replace(CONFIG, subwords="3-4", buckets=3_000)
PLAN = ReplicaConfig(sync_words=2 * UNIT)


class Memory(hooks.Hook):
    """Remembers positions and matrices, and may end the run by an exception at one of them."""

    defers_signals = True

    def __init__(self, every: int, start: Any = None) -> None:
        self.every, self.start, self.n_asked = every, start, 0
        self.saved: list[tuple[tuple[np.ndarray, ...], Position, Progress]] = []

    def restore(self, vectors: Vectors) -> Position | None:
        if self.start is None:
            return None
        matrices, position, _ = self.start
        for matrix, kept in zip(vectors, matrices, strict=True):
            matrix[:] = kept
        return position

    def is_due(self, progress: Progress) -> bool:
        self.n_asked += 1
        return self.n_asked % self.every == 0

    def when_due(self, moment: hooks.Moment, position: Position) -> None:
        self.saved.append((tuple(matrix.copy() for matrix in moment.vectors), position, moment.progress))


def run(
    path: Any,
    n_ranks: int,
    config: TrainConfig = CONFIG,
    plan: ReplicaConfig = PLAN,
    called: Sequence[hooks.Hook] = (),
) -> list[tuple[hooks.Trained, Effort]]:
    """Train with so many ranks, of which rank 0 has the hooks."""

    def at_rank(communicator: Any) -> tuple[hooks.Trained, Effort]:
        shared = read_shared_corpus(str(path), communicator, min_count=1)
        return train_replicas(shared, config, plan, communicator, called if communicator.rank == 0 else ())

    return run_ranks(n_ranks, at_rank)


def matrices_of(found: Embeddings) -> Iterator[np.ndarray]:
    """V and U, and the rows that the vectors of words are made of."""
    assert found.outside_vectors is not None
    yield from (found.center_vectors, found.outside_vectors)
    if found.made_of:
        yield found.made_of.rows


def vectors_of(results: list[tuple[hooks.Trained, Effort]]) -> np.ndarray:
    """All matrices, of rank 0, after all ranks were seen to have the same."""
    both = [np.concatenate([*matrices_of(one.embeddings)]) for one, _ in results]
    assert all((own == both[0]).all() for own in both)
    return both[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_ranks", "plan", "config"),
    [
        (1, PLAN, CONFIG),
        (2, PLAN, CONFIG),
        (3, PLAN, CONFIG),
        (2, replace(PLAN, overlap=True), CONFIG),
        (3, replace(PLAN, combine="mean"), CONFIG),
        (2, PLAN, NGRAMS),
        (3, replace(PLAN, overlap=True), NGRAMS),
    ],
    ids=str,
)
def test_train_replicas__ranks_agree_and_a_seed_names_the_bytes(
    n_ranks: int, plan: ReplicaConfig, config: TrainConfig, tmp_path: Any
) -> None:
    path, _ = corpus_file(tmp_path)
    results = run(path, n_ranks, config, plan)
    first, again = vectors_of(results), vectors_of(run(path, n_ranks, config, plan))
    other = vectors_of(run(path, n_ranks, replace(config, seed=2)))
    assert (first == again).all()
    assert not np.allclose(first, other)
    trained_, effort = results[0]
    assert trained_.words == 3 * 60_000
    assert trained_.kept_words == 3 * 60_000
    assert effort.n_syncs == 3 * math.ceil(max(60_000 / n_ranks, 1) / UNIT / 2)


@pytest.mark.slow
@pytest.mark.parametrize("config", [CONFIG, NGRAMS], ids=["words", "n-grams"])
def test_train_replicas__learn_as_one_process_does(config: TrainConfig, tmp_path: Any) -> None:
    from tests.chains import expected_loss

    path, held_out = corpus_file(tmp_path, n_tokens=200_000)
    config = replace(config, epochs=5)
    corpus = read_shared_corpus(str(path), SingleProcess(), min_count=1).corpus
    words = {word: i for i, word in enumerate(corpus.vocabulary.words)}
    chain, _ = chain_corpus(60, 200_000)
    held_out = np.array([words[chain.vocabulary.words[i]] for i in held_out.tolist()])
    alone = expected_loss(loop.train(corpus, config).embeddings, held_out, corpus, config)
    for n_ranks, overlap in ((2, False), (4, False), (2, True)):
        together = run(path, n_ranks, config, replace(PLAN, overlap=overlap))[0][0].embeddings
        assert expected_loss(together, held_out, corpus, config) < alone + 0.02


@pytest.mark.parametrize("config", [CONFIG, NGRAMS], ids=["words", "n-grams"])
def test_train_replicas__resume_with_as_many_is_exact(config: TrainConfig, tmp_path: Any) -> None:
    path, _ = corpus_file(tmp_path)
    memory = Memory(every=2)
    expected = vectors_of(run(path, 2, config, called=[memory]))
    assert len(memory.saved) > 3
    for number in (0, 1, len(memory.saved) - 1):
        resumed = Memory(every=2, start=memory.saved[number])
        resumed.n_asked = 2 * (number + 1)
        assert (vectors_of(run(path, 2, config, called=[resumed])) == expected).all()


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(2, 1), (2, 3), (3, 2, 1), (1, 4)])
def test_train_replicas__resume_with_another_number_trains_the_rest(
    numbers: tuple[int, ...], tmp_path: Any
) -> None:
    """All tokens of every epoch are trained once, whoever began it."""
    path, _ = corpus_file(tmp_path)
    start = None
    for n_ranks in numbers[:-1]:
        memory = Memory(every=1, start=start)
        run(path, n_ranks, called=[memory])
        start = memory.saved[0]
    results = run(path, numbers[-1], called=[Memory(every=10**9, start=start)])
    trained_ = results[0][0]
    vectors_of(results)
    assert trained_.kept_words == 3 * 60_000
    assert trained_.words == 3 * 60_000


def test_train_replicas__learning_rate_falls_with_the_words_of_all(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every rank, whatever its share, as in one process."""
    path, _ = corpus_file(tmp_path)
    rates: dict[str, list[float]] = {}
    real = backends.make

    def watched(plan: Any, vectors: Any, *rest: Any) -> Any:
        backend = real(plan, vectors, *rest)
        train = backend.train

        def recorded(tokens: Any, schedule: Any, first: int, end: int) -> Any:
            if end > first:
                rates.setdefault(str(id(vectors)), []).append(learning_rate_at(schedule, first * UNIT))
            return train(tokens, schedule, first, end)

        backend.train = recorded  # type: ignore[method-assign]
        return backend

    monkeypatch.setattr("fastw2v.distributed.loop.make", watched)
    run(path, 3)
    n_steps = math.ceil(n_units(20_000 + UNIT) / 2)
    for of_rank in rates.values():
        assert of_rank[0] == CONFIG.lr
        assert all(later < earlier for earlier, later in itertools.pairwise(of_rank))
        assert of_rank[-1] < CONFIG.lr / (2 * n_steps)


def test_train_replicas__one_that_diverges_ends_all(tmp_path: Any) -> None:
    path, _ = corpus_file(tmp_path)
    with pytest.raises(DivergedError, match="lower --lr"):
        run(path, 2, replace(CONFIG, lr=1e4, kernel="pair"))


def test_train_replicas__a_signal_at_one_rank_ends_all_with_a_checkpoint(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    path, _ = corpus_file(tmp_path)
    memory = Memory(every=10**9)
    signalled = iter([None, 15])

    def received() -> int | None:
        return next(signalled, 15) if threading.current_thread().name.endswith("_1") else None

    monkeypatch.setattr(interrupts, "received", received)
    with pytest.raises(interrupts.Interrupted):
        run(path, 2, called=[memory])
    assert len(memory.saved) == 1
    assert 0 < memory.saved[0][2].share < 1


def test_train_replicas__a_watcher_ends_the_run_after_an_epoch(tmp_path: Any) -> None:
    path, _ = corpus_file(tmp_path)
    seen = []

    def stop(moment: hooks.Moment) -> bool:
        seen.append((moment.epoch, moment.progress.words))
        return moment.epoch == 2

    results = run(path, 2, called=[hooks.Callbacks(on_epoch=stop)])
    assert seen == [(1, 60_000), (2, 120_000)]
    assert results[1][0].words == 120_000


@pytest.mark.slow
@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_train_replicas__hooks_are_told_between_syncs(
    n_ranks: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each call, of one unit here, as in one process, and progress never falls."""
    monkeypatch.setattr("fastw2v.training.spans.CALL_SECONDS", 0.0)
    path, _ = corpus_file(tmp_path)
    seen: list[int] = []
    shown = hooks.Callbacks(on_progress=lambda progress: seen.append(progress.words))
    run(path, n_ranks, plan=ReplicaConfig(sync_words=5 * UNIT), called=[shown])
    assert seen == sorted(seen)
    assert len(seen) >= 3 * (60_000 // n_ranks // UNIT)
    assert seen[-1] == 3 * 60_000


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_train_replicas__a_chunk_callback_ends_the_run_at_the_next_sync(n_ranks: int, tmp_path: Any) -> None:
    path, _ = corpus_file(tmp_path)
    stops = hooks.Callbacks(on_chunk=lambda moment: True)
    results = run(path, n_ranks, called=[stops])
    assert {trained.words for trained, _ in results} == {n_ranks * 2 * UNIT}


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_train_replicas__evaluates_within_an_epoch_vectors_of_all(n_ranks: int, tmp_path: Any) -> None:
    """At the first combination from when it is due on; the last ones are those that come out."""
    path, _ = corpus_file(tmp_path)
    found: list[Evaluation] = []
    config = replace(CONFIG, epochs=2, eval_every=0.5)
    evaluator = Evaluator(
        config, None, {"sum": lambda vectors: float(vectors.center_vectors.sum())}, found.append
    )
    results = run(path, n_ranks, config, called=[evaluator])
    step = n_ranks * 2 * UNIT / 60_000  # of an epoch
    half = math.ceil(0.5 / step) * step
    assert [evaluation.epochs for evaluation in found] == pytest.approx([half, 1, 1 + half, 2])
    assert found[-1].scores["sum"] == float(results[0][0].embeddings.center_vectors.sum())


@pytest.mark.slow
@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_train_replicas__by_the_clock_end_together(n_ranks: int, tmp_path: Any) -> None:
    """Amid an epoch, on time, with vectors that all agree on, and the hooks of rank 0 told of the end."""
    path, _ = corpus_file(tmp_path)
    seen: list[Progress] = []
    found: list[Evaluation] = []
    config = replace(CONFIG, epochs=5, minutes=0.6 / 60)
    evaluator = Evaluator(config, None, {"sum": lambda vectors: 1.0}, found.append)
    called = [hooks.Callbacks(on_progress=seen.append), evaluator]
    results = run(path, n_ranks, config, called=called)
    vectors_of(results)
    assert results[0][0].train_seconds == pytest.approx(0.6, rel=0.25)
    assert len({trained.words for trained, _ in results}) == 1
    assert seen[-1].learning_rate == pytest.approx(config.min_learning_rate)
    assert found[-1].epochs == pytest.approx(results[0][0].words / 60_000)
    assert seen[0].learning_rate > 0.9 * config.lr


def test_pace__adapts_to_what_combining_takes() -> None:
    """A combination of .1 s, a unit of .01 s: steps grow until they take over nine times as long."""
    pace = Pace.of(ReplicaConfig(sync_words=0))
    for _ in range(60):
        report = Report(0, 0, 0, "", 0, False, 0.01 * pace.units, 0.1)
        pace.adapt([report, report], pace.units)
    assert 0.1 / (0.1 + 0.01 * pace.units) == pytest.approx(0.08, abs=0.01)
    fixed = Pace.of(ReplicaConfig(sync_words=3 * UNIT))
    fixed.adapt([report], 3)
    assert fixed.units == 3
    assert fixed.step(8) == 8
