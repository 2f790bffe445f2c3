"""Who trains which portion of a shared corpus in an epoch, and how the tokens get there.

Portions stay where they were read, too: every epoch's share is made anew of them.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import CorpusBuffer, Slice, forget, stored
from fastw2v.distributed.communicator import Communicator
from fastw2v.distributed.portions import SharedCorpus
from fastw2v.model.arrays import Tokens
from fastw2v.model.streams import epoch_key
from fastw2v.training.shuffling import in_drawn_order

# Each int64 (n,): places in the corpus's portions, and the tokens of each that are trained already.
Portions = tuple[NDArray[np.int64], NDArray[np.int64]]

ROUND_BYTES = 64 << 20  # that a rank sends, and gets, before the next ones go: what moving takes in memory
HOLDER, N_TOKENS, N_SENTENCES = 0, 1, 2
SENDER, RECEIVER, PORTION = 0, 1, 2


def deal(sizes: NDArray[np.int64], n_ranks: int, key: int) -> list[NDArray[np.int64]]:
    """For each rank the portions that it trains, int64 (n_dealt,), in that order; the same at every rank.

    sizes  int64 (n_portions,), tokens; portions of 0, that are done, go to nobody
    key    draws the order

    Longest first, each portion goes to the rank that has the fewest tokens so far (LPT, Graham 1969), so that
    two ranks differ by no more than the longest; then each rank's are put in the order drawn.
    100,000 portions take 0.1 s, 2 million for 1,000 ranks 2.5 s.
    """
    order = np.random.default_rng(key).permutation(np.flatnonzero(sizes))
    drawn = sizes[order]
    ranks = np.empty(len(order), np.int64)
    loads = [(0, rank) for rank in range(n_ranks)]
    by_size = np.argsort(-drawn, kind="stable")
    for place, size in zip(by_size.tolist(), drawn[by_size].tolist(), strict=True):
        load, rank = loads[0]
        ranks[place] = rank
        heapq.heapreplace(loads, (load + size, rank))
    ends = np.cumsum(np.bincount(ranks, minlength=n_ranks))
    return np.split(order[np.argsort(ranks, kind="stable")], ends[:-1])


def redeal(
    shared: SharedCorpus, shares: Sequence[Portions], communicator: Communicator, key: int | None = None
) -> Tokens:
    """This rank's share of the corpus: its portions back to back, in that order; every rank calls it.

    shares   for each rank its portions, and how many tokens of each are trained already: what is left of the
             sentence there is then the first. The same at every rank; a portion is in one share at most
    key      draws the order of the sentences in each portion; None leaves them as they are

    The share takes as much as the portions that were read, again: in memory, or where that is more than
    shared.ids_bytes in a temporary file. Raises OutputError where that cannot be written.
    """
    held = LocalPortions(shared, shares, communicator, key)
    moves = moves_of(held.left, [portions for portions, _ in shares])
    own_portions, _ = shares[communicator.rank]
    _, n_tokens, n_sentences = held.left[own_portions].sum(axis=0).tolist()
    columns = [np.empty(n_sentences, given.dtype) for given in held.beside]

    def fill(buffer: CorpusBuffer) -> None:
        n_ids = n_ends = 0
        for moved in np.split(moves, round_starts(moves, _bytes(held), communicator.size)):
            for ids, lengths, beside in _moved(held, moved, communicator):
                place = Slice(n_ids, len(ids), n_ends, len(lengths), False)
                own, ends = buffer.open(place)
                own[:] = ids
                ends[:] = n_ids + np.cumsum(lengths)
                buffer.close(place, own, ends)
                for column, given in zip(columns, beside, strict=True):
                    column[n_ends : n_ends + len(lengths)] = given
                n_ids, n_ends = n_ids + len(ids), n_ends + len(lengths)

    return Tokens(*stored(n_tokens, n_sentences, shared.ids_bytes, fill), *held.named(columns))


class Sentences(NamedTuple):
    """Ids int32 (n_tokens,) and lengths int64 (n_sentences,); beside them weights and targets of Tokens."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]
    beside: tuple[NDArray[Any], ...] = ()


class LocalPortions:
    """The portions that a rank read, each from its first token that is wanted on.

    left     int64 (n_portions, 3): as portions, with the tokens and sentences that are left, of all ranks'
    beside   weights and targets of all sentences that are held here, if they have some
    """

    def __init__(
        self, shared: SharedCorpus, shares: Sequence[Portions], communicator: Communicator, key: int | None
    ) -> None:
        portions = shared.portions
        self._tokens, self._key = shared.corpus.tokens, key
        self.beside = tuple(given for given in self._tokens[2:] if given is not None)
        self._bounds = _bounds(portions)
        self._first_tokens = np.zeros(len(portions), np.int64)
        for of_rank, first_tokens in shares:
            self._first_tokens[of_rank] = first_tokens
        self.left = portions.copy()
        self.left[:, N_TOKENS] -= self._first_tokens
        begun = np.flatnonzero(self._first_tokens)
        own = begun[portions[begun, HOLDER] == communicator.rank]
        n_sentences = np.array([len(self.take(portion).lengths) for portion in own.tolist()], np.int64)
        self.left[own, N_SENTENCES] = n_sentences
        for known in communicator.gather_arrays(np.column_stack([own, n_sentences])):
            self.left[known[:, 0], N_SENTENCES] = known[:, 1]

    def take(self, portion: int) -> Sentences:
        """A portion that is held here."""
        first_token, first_sentence, stop_token, stop_sentence = self._bounds[portion].tolist()
        start = first_token + int(self._first_tokens[portion])
        if self._key is not None:
            return self._drawn(portion, start - first_token)
        offsets = self._tokens.offsets[first_sentence : stop_sentence + 1]
        first = int(np.searchsorted(offsets, start, "right")) - 1
        lengths = np.diff(np.maximum(offsets[first:], start))
        forget(offsets)
        sentences = slice(first_sentence + first, stop_sentence)
        beside = tuple(given[sentences] for given in self.beside)
        return Sentences(self._tokens.ids[start:stop_token], lengths, beside)

    def _drawn(self, portion: int, first: int) -> Sentences:
        """A portion with its sentences in a drawn order, from a token of that order on.

        The order is of the portion and the epoch, whoever trains it, so that it stays where others go on.
        """
        first_token, first_sentence, stop_token, stop_sentence = self._bounds[portion].tolist()
        sentences = np.arange(first_sentence, stop_sentence)
        key = epoch_key(self._key or 0, portion)
        ids, ends, *given = in_drawn_order(self._tokens, sentences, stop_token - first_token, key)
        begun = int(np.searchsorted(ends, first, "right")) - 1
        beside = tuple(array[begun:] for array in given if array is not None)
        return Sentences(ids[first:], np.diff(np.maximum(ends[begun:], first)), beside)

    def named(self, columns: Sequence[NDArray[Any]]) -> list[NDArray[Any] | None]:
        """Arrays as those beside the sentences held here: the weights and the targets, None without."""
        left = iter(columns)
        return [None if given is None else next(left) for given in self._tokens[2:]]


def _bounds(portions: NDArray[np.int64]) -> NDArray[np.int64]:
    """First token and sentence, stop token and sentence of each portion where it is held: int64 (n, 4)."""
    sizes, holders = portions[:, N_TOKENS:], portions[:, HOLDER]  # which rise
    stops = np.cumsum(sizes, axis=0)
    starts = stops - sizes
    before_holder = starts[np.searchsorted(holders, holders)]
    return np.column_stack([starts - before_holder, stops - before_holder])


def _bytes(held: LocalPortions) -> NDArray[np.int64]:
    """What each portion takes on the way, int64 (n_portions,)."""
    of_sentence = 8 + sum(given.itemsize for given in held.beside)
    return 4 * held.left[:, N_TOKENS] + of_sentence * held.left[:, N_SENTENCES]


def moves_of(portions: NDArray[np.int64], dealt: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sender, receiver and portion of every move, int64 (n_moves, 3): first the first portion of each rank.

    All ranks so get theirs in their order, at about one pace.
    """
    portion = np.concatenate(dealt)
    receiver = np.repeat(np.arange(len(dealt)), [len(of_rank) for of_rank in dealt])
    position = np.concatenate([np.arange(len(of_rank)) for of_rank in dealt])
    order = np.lexsort((receiver, position))
    return np.column_stack([portions[portion, HOLDER], receiver, portion])[order]


def round_starts(moves: NDArray[np.int64], n_bytes: NDArray[np.int64], n_ranks: int) -> list[int]:
    """Where rounds begin among the moves, but for the first: no rank sends or gets over ROUND_BYTES in one.

    n_bytes   int64 (n_portions,); one that takes more is a round of its own, or ends one
    """
    starts, sent, received = [], [0] * n_ranks, [0] * n_ranks
    sizes = n_bytes[moves[:, PORTION]].tolist()
    for number, ((sender, receiver, _), size) in enumerate(zip(moves.tolist(), sizes, strict=True)):
        if max(sent[sender], received[receiver]) + size > ROUND_BYTES and any(sent):
            starts.append(number)
            sent, received = [0] * n_ranks, [0] * n_ranks
        sent[sender] += size
        received[receiver] += size
    return starts


def _moved(held: LocalPortions, moves: NDArray[np.int64], communicator: Communicator) -> Iterator[Sentences]:
    """Make the moves of a round; gives what comes to this rank, in order."""
    parcels: list[list[Sentences]] = [[] for _ in range(communicator.size)]
    for _, receiver, portion in moves[moves[:, SENDER] == communicator.rank].tolist():
        parcels[receiver].append(held.take(portion))
    ids = communicator.exchange([_joined([part.ids for part in one], np.int32) for one in parcels])
    lengths = communicator.exchange([_joined([part.lengths for part in one], np.int64) for one in parcels])
    columns = [
        communicator.exchange([_joined([part.beside[i] for part in one], given.dtype) for one in parcels])
        for i, given in enumerate(held.beside)
    ]
    for part in itertools.chain(*parcels):
        forget(part.ids)
    taken = [(0, 0)] * communicator.size
    for sender, _, portion in moves[moves[:, RECEIVER] == communicator.rank].tolist():
        first_id, first = taken[sender]
        _, n_tokens, n_sentences = held.left[portion].tolist()
        taken[sender] = first_id + n_tokens, first + n_sentences
        beside = tuple(column[sender][first:][:n_sentences] for column in columns)
        yield Sentences(ids[sender][first_id:][:n_tokens], lengths[sender][first:][:n_sentences], beside)


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays])
