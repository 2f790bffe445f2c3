"""Portions dealt to the ranks of an epoch, and their tokens on the way."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import pages_of
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.distributed import dealing
from fastw2v.distributed.communicator import SingleProcess
from fastw2v.distributed.dealing import Portions, deal, moves_of, redeal, round_starts
from fastw2v.distributed.portions import SharedCorpus
from fastw2v.distributed.simulation import ThreadCommunicator, run_ranks
from fastw2v.model.arrays import Tokens

# ---- deal --------------------------------------------------------------------------------------------------

sizes_of_portions = st.lists(st.integers(1, 100), max_size=60)


@given(sizes=sizes_of_portions, n_ranks=st.integers(1, 7), key=st.integers(0, 2**64 - 1))
def test_deal__is_a_balanced_partition_in_the_order_drawn(sizes: list[int], n_ranks: int, key: int) -> None:
    dealt = deal(np.array(sizes, np.int64), n_ranks, key)
    assert len(dealt) == n_ranks
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(sizes)))
    loads = [sum(sizes[portion] for portion in of_rank.tolist()) for of_rank in dealt]
    assert max(loads) - min(loads) <= max(sizes, default=0)
    place = np.argsort(np.random.default_rng(key).permutation(len(sizes)))
    assert all((np.diff(place[of_rank]) > 0).all() for of_rank in dealt)


def test_deal__gives_the_longest_first_to_whoever_has_least() -> None:
    dealt = deal(np.array([5, 3, 3, 2, 2, 1]), 2, 0)
    assert [sorted(of_rank.tolist()) for of_rank in dealt] in ([[0, 3, 5], [1, 2, 4]], [[0, 4, 5], [1, 2, 3]])


def test_deal__depends_on_the_key_alone() -> None:
    sizes = np.arange(1, 200)
    first, again, other = (np.concatenate(deal(sizes, 3, key)).tolist() for key in (1, 1, 2))
    assert first == again != other


def test_deal__leaves_out_what_is_done() -> None:
    dealt = deal(np.array([4, 0, 7, 0, 4]), 2, 5)
    assert [sorted(of_rank.tolist()) for of_rank in dealt] == [[2], [0, 4]]


# ---- redeal ------------------------------------------------------------------------------------------------


class World:
    """Portions of random sentences, held by ranks of which some may hold none."""

    def __init__(self, n_ranks: int, n_portions: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        holders = np.sort(rng.integers(0, n_ranks, n_portions))
        self.sentences = [
            [rng.integers(0, 1000, rng.integers(1, 9)).tolist() for _ in range(rng.integers(1, 6))]
            for _ in range(n_portions)
        ]
        sizes = [(sum(map(len, portion)), len(portion)) for portion in self.sentences]
        self.portions = np.column_stack([holders, np.array(sizes, np.int64).reshape(-1, 2)])
        self.begun = np.where(rng.random(n_portions) < 0.4, rng.integers(0, self.portions[:, 1]), 0)
        self.held = [
            tokens_of([s for portion in np.flatnonzero(holders == rank) for s in self.sentences[portion]])
            for rank in range(n_ranks)
        ]

    def shared(self, rank: int, ids_bytes: int = sys.maxsize) -> SharedCorpus:
        """As a rank has it."""
        ids, offsets, weights, targets = self.held[rank]
        corpus = Corpus(ids, offsets, Vocabulary([], np.empty(0, np.int64)), 0, 0, 0)
        corpus = corpus._replace(weights=weights, targets=targets)
        return SharedCorpus(corpus, self.portions, "", ids_bytes)

    def expected(self, dealt: NDArray[np.int64], first_tokens: NDArray[np.int64]) -> list[list[int]]:
        """The sentences that are left of some portions."""
        found = []
        for portion in dealt.tolist():
            skip = int(first_tokens[portion])
            for sentence in self.sentences[portion]:
                found.append(sentence[skip:])
                skip = max(skip - len(sentence), 0)
        return [sentence for sentence in found if sentence]


def tokens_of(sentences: list[list[int]]) -> Tokens:
    flat = [token for sentence in sentences for token in sentence]
    offsets = np.cumsum([0, *map(len, sentences)])
    return Tokens(np.array(flat, np.int32), offsets.astype(np.int64))


def sentences_of(tokens: Tokens) -> list[list[int]]:
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)
    assert tokens.offsets[-1] == len(tokens.ids)
    return [part.tolist() for part in np.split(tokens.ids, tokens.offsets[1:-1])] if len(tokens.ids) else []


def shares_of(dealt: list[NDArray[np.int64]], first_tokens: NDArray[np.int64]) -> list[Portions]:
    return [(portions, first_tokens[portions]) for portions in dealt]


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("round_bytes", [1, 300, 1 << 26])
@pytest.mark.parametrize("ids_bytes", [0, 1 << 30])
def test_redeal__brings_each_rank_its_portions_in_order(
    monkeypatch: pytest.MonkeyPatch, n_ranks: int, is_begun: bool, round_bytes: int, ids_bytes: int
) -> None:
    monkeypatch.setattr(dealing, "ROUND_BYTES", round_bytes)
    world = World(n_ranks, 30, seed=n_ranks)
    first_tokens = world.begun if is_begun else np.zeros(30, np.int64)
    dealt = deal(world.portions[:, 1] - first_tokens, n_ranks, key=3)
    shares = shares_of(dealt, first_tokens)
    shared = [world.shared(rank, ids_bytes) for rank in range(n_ranks)]
    moved = run_ranks(n_ranks, lambda c: redeal(shared[c.rank], shares, c))
    for rank, tokens in enumerate(moved):
        assert sentences_of(tokens) == world.expected(dealt[rank], first_tokens)
        assert (pages_of(tokens.ids) is None) == (ids_bytes > 0)


@pytest.mark.parametrize("n_ranks", [1, 2, 5])
@pytest.mark.parametrize("key", [None, 4])
@pytest.mark.parametrize("names", [("weights",), ("targets",), ("weights", "targets")], ids=str)
def test_redeal__weights_and_targets_go_with_their_sentences(
    n_ranks: int, key: int | None, names: tuple[str, ...]
) -> None:
    """Also of sentences whose first tokens are trained: known by their last token."""
    world = World(n_ranks, 30, seed=n_ranks)
    for rank, held in enumerate(world.held):
        lasts = held.ids[held.offsets[1:] - 1]
        beside: dict[str, Any] = {"weights": (lasts / 2).astype(np.float32), "targets": lasts - 1}
        world.held[rank] = held._replace(**{name: beside[name] for name in names})
    dealt = deal(world.portions[:, 1] - world.begun, n_ranks, key=3)
    shares = shares_of(dealt, world.begun)
    moved = run_ranks(n_ranks, lambda c: redeal(world.shared(c.rank), shares, c, key))
    for tokens in moved:
        lasts = tokens.ids[tokens.offsets[1:] - 1]
        assert tokens.weights is not None  # as kernels take targets with
        assert tokens.weights.tolist() == ((lasts / 2) if "weights" in names else lasts * 0 + 1).tolist()
        assert (tokens.targets is None) == ("targets" not in names)
        if tokens.targets is not None:
            assert tokens.targets.tolist() == (lasts - 1).tolist()


def test_redeal__some_portions_only_and_none() -> None:
    world = World(2, 10, seed=0)
    nothing, zeros = np.array([], np.int64), np.zeros(10, np.int64)
    dealt = [np.array([7, 0, 4]), nothing]
    done = world.portions[:, 1].copy()
    done[7] = 0

    def move(communicator: ThreadCommunicator) -> list[Tokens]:
        shared = world.shared(communicator.rank)
        shares = [shares_of(dealt, zeros), shares_of(dealt, done), shares_of([nothing, nothing], zeros)]
        return [redeal(shared, each, communicator) for each in shares]

    (some, left, none), of_other = run_ranks(2, move)
    assert sentences_of(some) == world.expected(dealt[0], zeros)
    assert sentences_of(left) == world.sentences[7]
    assert [tokens.offsets.tolist() for tokens in (none, *of_other)] == [[0]] * 4


def test_redeal__of_one_process_puts_its_own_in_order() -> None:
    world, zeros = World(1, 12, seed=1), np.zeros(12, np.int64)
    dealt = deal(world.portions[:, 1], 1, key=9)
    tokens = redeal(world.shared(0), shares_of(dealt, zeros), SingleProcess())
    assert sentences_of(tokens) == world.expected(dealt[0], zeros)
    assert sentences_of(world.held[0]) == [sentence for portion in world.sentences for sentence in portion]


def test_redeal__reads_from_a_file() -> None:
    world = World(1, 12, seed=2)
    shares = shares_of([np.arange(12)], np.zeros(12, np.int64))
    world.held.append(redeal(world.shared(0, ids_bytes=0), shares, SingleProcess()))
    assert pages_of(world.held[1].ids) is not None
    again = redeal(world.shared(1), shares, SingleProcess())
    assert sentences_of(again) == sentences_of(world.held[0])


@given(
    moves=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), max_size=50),
    n_bytes=st.lists(st.integers(1, 40), min_size=10, max_size=10),
)
def test_round_starts__bound_what_a_rank_sends_and_gets(
    moves: list[tuple[int, int, int]], n_bytes: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dealing, "ROUND_BYTES", 60)
        starts = round_starts(np.array(moves, np.int64).reshape(-1, 3), np.array(n_bytes), 4)
    rounds = [moves[a:b] for a, b in zip([0, *starts], [*starts, len(moves)], strict=True)]
    assert all(rounds) or not moves
    for moved in rounds:
        for side in (0, 1):
            for rank in range(4):
                assert sum(n_bytes[move[2]] for move in moved if move[side] == rank) <= 60


def test_moves_of__keep_all_ranks_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four ranks that each send and get 100 portions, 10 a round, need little more than 10 rounds."""
    monkeypatch.setattr(dealing, "ROUND_BYTES", 10)
    portions = np.column_stack([np.repeat(np.arange(4), 100), np.ones((400, 2), np.int64)])
    moves = moves_of(portions, deal(portions[:, 1], 4, key=1))
    assert sorted(moves[:, 2].tolist()) == list(range(400))
    assert 10 <= len(round_starts(moves, np.ones(400, np.int64), 4)) + 1 <= 20
