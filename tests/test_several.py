"""What one process does, several do: holdout, another order each epoch, going on with more or fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.ids.memory import Memory
from fastw2v.corpus.read import read_corpus
from fastw2v.distributed.communicator import SingleProcess
from fastw2v.distributed.holdout import hold_out
from fastw2v.distributed.last_items import shared_next_item_score, without_last_items
from fastw2v.distributed.portions import in_portions
from fastw2v.distributed.shards import read_part, read_shared_corpus
from fastw2v.distributed.shares import IN_ORDER, take_share
from fastw2v.distributed.simulation import run_ranks
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import UNIT
from fastw2v.options.replicas import ReplicaConfig
from fastw2v.run.processes import Run
from fastw2v.run.request import Request
from fastw2v.training import holdout, hooks, last_items
from fastw2v.training.hooks import Position
from fastw2v.vectors.embeddings import Embeddings
from tests.parquet import write

CONFIG = TrainConfig(dim=16, epochs=2, threads=1, sample=0, seed=3)
SIZES = [1, 2, 3, 5]
PLAIN = ReadConfig(min_count=1)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Sentences of 1 to 40 of 50 words, in row groups that are shards."""
    draw = np.random.default_rng(0)
    sentences = [[f"w{word}" for word in draw.integers(0, 50, draw.integers(1, 40))] for _ in range(3_000)]
    return write(tmp_path / "c.parquet", sentences, row_group_size=100)


BESIDE = ReadConfig(min_count=1, column="text", weight="w", global_context="t")


@pytest.fixture
def weighted(corpus: Path, tmp_path: Path) -> Path:
    """The same with a weight of each sentence, some of them 0, and a target of some."""
    draw, rows = np.random.default_rng(1), pq.read_table(corpus)
    weights = draw.integers(0, 4, len(rows)) / 2
    targets = [f"t{n % 7}" if n % 3 else None for n in range(len(rows))]
    path = tmp_path / "w.parquet"
    columns = {"text": rows.column(0), "w": weights, "t": targets}
    pq.write_table(pa.table(columns), path, row_group_size=100)
    return path


def request_of(corpus: Path, config: TrainConfig, n_ranks: int, reading: ReadConfig = PLAIN) -> Request:
    replicas = ReplicaConfig(8192) if n_ranks > 1 else ReplicaConfig()
    return Request(str(corpus), config, reading, replicas, None, Memory())


class Stops(hooks.Hook):
    """Ends a run after so many calls, and notes where it stands."""

    may_stop = True

    def __init__(self, n_calls: int, start: tuple[Any, Position] | None = None) -> None:
        self.n_left, self.start = n_calls, start
        self.saved: tuple[Any, Position] | None = None

    def restore(self, vectors: Any) -> Position | None:
        if self.start is None:
            return None
        for own, kept in zip(vectors, self.start[0], strict=True):
            own[:] = kept
        return self.start[1]

    def is_due(self, progress: hooks.Progress) -> bool:
        return True

    def when_due(self, moment: hooks.Moment, position: Position) -> object:
        self.n_left -= 1
        self.saved = tuple(matrix.copy() for matrix in moment.vectors), position
        return self.n_left == 0


def train(
    corpus: Path,
    config: TrainConfig,
    n_ranks: int,
    stops: Stops,
    position: Position | None = None,
    reading: ReadConfig = PLAIN,
) -> list[hooks.Trained]:
    """What each rank comes to, with the hook at rank 0."""

    class Saved:  # what a run needs of a checkpoint
        def __init__(self, position: Position) -> None:
            self.position = position

    def at_rank(communicator: Any) -> hooks.Trained:
        run: Run
        if communicator.rank:
            run = Run.of_others(communicator, 1)
        else:
            saved: Any = Saved(position) if position else None
            run = Run(request_of(corpus, config, communicator.size, reading), communicator, saved)
        run.read()
        run.settle()
        return run.train([stops] if communicator.rank == 0 else [])

    return run_ranks(n_ranks, at_rank)


# ---- Sentences that are kept out ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", SIZES)
def test_hold_out__keeps_what_one_process_keeps(n_ranks: int, corpus: Path) -> None:
    whole = read_corpus(corpus, min_count=1)
    kept, out = holdout.split(whole, 0.1, 7)

    def at_rank(communicator: Any) -> Any:
        part, held_out = hold_out(read_part(str(corpus), communicator, min_count=1), 0.1, 7, communicator)
        return part, held_out, in_portions(part, communicator)

    results = run_ranks(n_ranks, at_rank)
    ids = np.concatenate([part.corpus.ids for part, _, _ in results])
    lengths = np.concatenate([np.diff(part.corpus.offsets) for part, _, _ in results])
    assert ids.tolist() == kept.ids.tolist()
    assert lengths.tolist() == np.diff(kept.offsets).tolist()
    for part, _, shared in results:
        assert (part.corpus.n_words_read, part.corpus.n_rows) == (kept.n_words_read, kept.n_rows)
        assert part.shard_ends.tolist()[-1:] in ([], [len(part.corpus.ids)])
        assert shared.fingerprint == in_portions_alone(kept)
    first = results[0][1]
    assert first.ids.tolist() == out.ids.tolist()
    assert first.offsets.tolist() == out.offsets.tolist()
    assert (first.n_words_read, first.n_rows) == (out.n_words_read, out.n_rows)


def in_portions_alone(corpus: Any) -> str:
    """The fingerprint of a corpus that one process holds."""
    return read_shared_corpus(corpus, SingleProcess()).fingerprint


@pytest.mark.parametrize("n_ranks", SIZES)
def test_hold_out__keeps_weights_and_targets_with_their_sentences(n_ranks: int, weighted: Path) -> None:
    options = vars(BESIDE)
    whole = read_corpus(weighted, **options)
    kept, out = holdout.split(whole, 0.1, 7)

    def at_rank(communicator: Any) -> Any:
        part = without_last_items(read_part(str(weighted), communicator, **options), communicator)
        return hold_out(part, 0.1, 7, communicator)

    results = run_ranks(n_ranks, at_rank)
    of_ranks = zip(*(part.corpus.beside for part, _ in results), strict=True)
    assert [np.concatenate(parts).tolist() for parts in of_ranks] == [own.tolist() for own in kept.beside]
    assert [own.tolist() for own in results[0][1].beside] == [own.tolist() for own in out.beside]


def test_hold_out__refuses_what_one_process_refuses(tmp_path: Path) -> None:
    one = write(tmp_path / "one.parquet", [["a", "b"]])
    short = write(tmp_path / "short.parquet", [["a", "b"]] + [["a"], ["b"]] * 20)
    for path, share, error, message in (
        (one, 0.1, UsageError, "holdout needs 2 sentences"),
        (short, 0.05, CorpusError, "none with two words"),
    ):
        for size in (1, 2):

            def at_rank(c: Any, path: Path = path, share: float = share, error: Any = error) -> str:
                with pytest.raises(error) as caught:
                    hold_out(read_part(str(path), c, min_count=1), share, 1, c)
                return str(caught.value)

            assert all(message in line for line in run_ranks(size, at_rank))


@pytest.mark.parametrize("n_ranks", SIZES)
def test_without_last_items__leaves_out_what_one_process_does(n_ranks: int, corpus: Path) -> None:
    """And asks for what one process asks for, where sentences to ask are drawn and where all are."""
    whole = read_corpus(corpus, min_count=1)
    expected = last_items.without_last(whole)
    vectors = np.random.default_rng(2).normal(size=(len(whole.vocabulary), 8)).astype(np.float32)
    found = Embeddings(whole.vocabulary.words, vectors)

    def at_rank(communicator: Any) -> Any:
        part = read_part(str(corpus), communicator, min_count=1)
        kept = without_last_items(part, communicator)
        score = shared_next_item_score(part, communicator)
        return kept, in_portions(kept, communicator).fingerprint, score

    results = run_ranks(n_ranks, at_rank)
    ids = np.concatenate([kept.corpus.ids for kept, _, _ in results])
    lengths = np.concatenate([np.diff(kept.corpus.offsets) for kept, _, _ in results])
    assert ids.tolist() == expected.ids.tolist()
    assert lengths.tolist() == np.diff(expected.offsets).tolist()
    for kept, fingerprint, _ in results:
        assert kept.corpus.n_words_read == expected.n_words_read
        assert kept.shard_ends.tolist()[-1:] in ([], [len(kept.corpus.ids)])
        assert fingerprint == in_portions_alone(expected)
    assert results[0][2](found) == last_items.next_item_score(whole)(found)
    assert [score for _, _, score in results[1:]] == [None] * (n_ranks - 1)


def test_without_last_items__refuses_what_one_process_refuses(tmp_path: Path) -> None:
    path = write(tmp_path / "short.parquet", [["a", "b"], ["a"]] * 200, row_group_size=10)

    def at_rank(communicator: Any) -> str:
        with pytest.raises(CorpusError) as caught:
            without_last_items(read_part(str(path), communicator, min_count=1), communicator)
        return str(caught.value)

    assert set(run_ranks(3, at_rank)) == set(run_ranks(1, at_rank))


def test_run__several_judge_by_the_sentences_of_one(corpus: Path) -> None:
    """An evaluation of vectors that steps hardly change: the same loss, for any number of processes."""
    config = replace(CONFIG, holdout=0.1, lr=1e-12, min_lr=1e-12, epochs=1)
    losses = []
    for n_ranks in (1, 2, 3):

        def at_rank(communicator: Any) -> float | None:
            if communicator.rank:
                run = Run.of_others(communicator, 1)
            else:
                run = Run(request_of(corpus, config, communicator.size), communicator)
            run.read()
            run.settle()
            found: list[hooks.Evaluation] = []
            evaluator = holdout.evaluator_of(config, run.held_out, {}, found.append)
            run.train([evaluator] if evaluator else [])
            return found[0].loss if found else None

        first, *others = run_ranks(n_ranks, at_rank)
        assert others == [None] * (n_ranks - 1)
        losses.append(first)
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


# ---- Another order each epoch ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_take_share__shuffled_holds_the_same_sentences(n_ranks: int, corpus: Path) -> None:
    def at_rank(communicator: Any) -> list[list[tuple[int, ...]]]:
        shared = read_shared_corpus(str(corpus), communicator, min_count=1)
        orders = []
        for key, shuffle in ((1, False), (1, True), (2, True), (1, True)):
            share = take_share(shared, communicator, key, ((n_ranks, 0),), shuffle)
            cut = np.split(share.tokens.ids, share.tokens.offsets[1:-1])
            orders.append([tuple(sentence.tolist()) for sentence in cut])
        return orders

    by_rank = run_ranks(n_ranks, at_rank)
    plain, first, second, again = (
        [sentence for orders in by_rank for sentence in orders[i]] for i in range(4)
    )
    assert sorted(plain) == sorted(first) == sorted(second)
    assert plain != first != second
    assert first == again


def test_take_share__a_shuffled_rest_is_what_the_legs_before_left(corpus: Path) -> None:
    """Two ranks train two units each of a shuffled epoch; three go on: nothing twice, nothing lost."""

    def tokens(n_ranks: int, legs: Any) -> list[int]:
        def at_rank(communicator: Any) -> Any:
            shared = read_shared_corpus(str(corpus), communicator, min_count=1)
            return take_share(shared, communicator, 5, legs, True).tokens.ids

        return [part[: 2 * UNIT] if legs == ((2, 0),) else part for part in run_ranks(n_ranks, at_rank)]

    begun, rest = tokens(2, ((2, 0),)), tokens(3, ((2, 2), (3, 0)))
    whole = np.sort(read_corpus(corpus, min_count=1).ids)
    assert (np.sort(np.concatenate([*begun, *rest])) == whole).all()


def test_read_shared_corpus__of_text_with_its_options(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Café, the\ncat.\n\nTHE\ndog\n".encode("latin-1"))
    (tmp_path / "b").write_bytes(b"the cat\n\na dog\n")
    options: Any = {"encoding": "latin-1", "tokenize": "simple", "lines": "paragraphs", "min_count": 1}
    expected = read_corpus(tmp_path, **options)
    parts = run_ranks(2, lambda communicator: read_shared_corpus(tmp_path, communicator, **options))
    assert [part.corpus.vocabulary.words for part in parts] == [expected.vocabulary.words] * 2
    assert expected.vocabulary.words == ["the", "cat", "dog", "café"]
    assert np.concatenate([part.corpus.ids for part in parts]).tolist() == expected.ids.tolist()


def test_run__several_refuse_a_pipe() -> None:
    with pytest.raises(UsageError, match="- is a pipe, and several processes read the corpus"):
        train(Path("-"), CONFIG, 2, Stops(1))


# ---- Going on ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(1, 2), (1, 3, 1), (2, 1, 3), (1, 2, 1)])
@pytest.mark.parametrize("options", [{}, {"holdout": 0.1}], ids=str)
def test_run__goes_on_with_another_number_of_processes(
    numbers: Sequence[int], options: dict[str, Any], corpus: Path
) -> None:
    """Every token of every epoch is trained once, whoever began it, and all agree on the vectors."""
    config, start = replace(CONFIG, **options), None
    for number, n_ranks in enumerate(numbers):
        stops = Stops(1 if number < len(numbers) - 1 else 10**9, start)
        results = train(corpus, config, n_ranks, stops, start[1] if start else None)
        start = stops.saved
        if number < len(numbers) - 1:
            assert start is not None
            assert start[1].totals.n_kept < 2 * 59_000
    whole = read_corpus(corpus, min_count=1)
    n_tokens = len(holdout.split(whole, 0.1, 3)[0].ids) if options else len(whole.ids)
    assert results[0].kept_words == 2 * n_tokens
    vectors = [one.embeddings.center_vectors for one in results]
    assert all((own == vectors[0]).all() for own in vectors)
    assert np.isfinite(vectors[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(1, 2), (2, 1, 3), (2, 2)])
@pytest.mark.parametrize("options", [{}, {"shuffle": True}], ids=str)
def test_run__goes_on_with_weights_and_targets(
    numbers: Sequence[int], options: dict[str, Any], weighted: Path
) -> None:
    """Every sentence of every epoch counts once; with as many, to the bytes of a run that is whole."""
    if options and numbers[0] == 1:
        pytest.skip("of an epoch that one process shuffled no other goes on")
    config, start = replace(CONFIG, window=2, context="right", **options), None
    for number, n_ranks in enumerate(numbers):
        stops = Stops(1 if number < len(numbers) - 1 else 10**9, start)
        results = train(weighted, config, n_ranks, stops, start[1] if start else None, BESIDE)
        start = stops.saved
    whole = read_corpus(weighted, **vars(BESIDE))
    assert whole.weights is not None
    assert whole.targets is not None
    lengths = np.diff(whole.offsets)
    assert results[0].kept_words == 2 * lengths[whole.weights > 0].sum()
    vectors = [one.embeddings.center_vectors for one in results]
    assert all((own == vectors[0]).all() for own in vectors)
    assert np.isfinite(vectors[0]).all()
    if numbers == (2, 2):
        alone = train(weighted, config, 2, Stops(10**9), None, BESIDE)[0].embeddings
        assert (alone.center_vectors == vectors[0]).all()


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_run__weights_of_1_are_none(n_ranks: int, weighted: Path) -> None:
    """To the byte; and weights of 0 leave out what is not there then."""
    rows, path = pq.read_table(weighted), weighted.with_name("ones.parquet")
    pq.write_table(rows.set_column(1, "w", pa.array([1] * len(rows))), path, row_group_size=100)
    readings = [replace(BESIDE, global_context=None), replace(PLAIN, column="text")]
    first, second = (
        train(path, CONFIG, n_ranks, Stops(10**9), None, reading)[0].embeddings for reading in readings
    )
    assert first.words == second.words
    assert (first.center_vectors == second.center_vectors).all()


def test_run__several_refuse_weights_that_are_all_0(weighted: Path) -> None:
    """In all of them: in one there may be no other."""
    corpus = read_corpus(weighted, **vars(BESIDE))
    corpus = corpus._replace(weights=np.zeros(len(corpus.offsets) - 1))
    request = request_of(weighted, CONFIG, 2)._replace(source=corpus)

    def at_rank(communicator: Any) -> Any:
        run = Run.of_others(communicator, 1) if communicator.rank else Run(request, communicator)
        run.read()
        run.settle()
        return run.train()

    with pytest.raises(UsageError, match="the weights of all 3,000 sentences are 0: nothing is left"):
        run_ranks(2, at_rank)


def test_take_share__goes_on_from_where_one_process_stands(corpus: Path) -> None:
    """What is left are the tokens from that unit on."""
    ids = read_corpus(corpus, min_count=1).ids

    def at_rank(communicator: Any) -> Any:
        shared = read_shared_corpus(str(corpus), communicator, min_count=1)
        return take_share(shared, communicator, 5, ((IN_ORDER, 3), (2, 0))).tokens.ids

    left = np.concatenate(run_ranks(2, at_rank))
    assert (np.sort(left) == np.sort(ids[3 * UNIT :])).all()


def test_run__a_shuffled_epoch_that_one_process_began_is_its_own(corpus: Path) -> None:
    config = replace(CONFIG, shuffle=True)
    stops = Stops(1)
    train(corpus, config, 1, stops)
    assert stops.saved is not None
    _, position = stops.saved
    with pytest.raises(UsageError, match="go on without mpirun until that epoch ends"):
        train(corpus, config, 2, Stops(1, stops.saved), position)
