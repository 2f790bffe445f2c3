"""The order of sentences: nothing lost, another one each epoch, the same for the same seed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from fastw2v.config import TrainConfig
from fastw2v.model.arrays import Tokens, n_units
from fastw2v.training import shuffling
from fastw2v.training.hooks import Hook
from fastw2v.training.loop import train
from fastw2v.training.shuffling import epoch_buffers
from tests.chains import chain_corpus


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr(shuffling, "GROUP_TOKENS", 500)
    monkeypatch.setattr(shuffling, "BUFFER_TOKENS", 6_000)


@pytest.fixture
def tokens():
    """Every token has its own id, in sentences of 0 to 40 and one of 3,000."""
    sizes = np.random.default_rng(0).integers(0, 40, 1_500)
    sizes[700] = 3_000
    return Tokens(np.arange(sizes.sum(), dtype=np.int32), np.concatenate([[0], np.cumsum(sizes)]))


def sentences_of(tokens):
    return [tuple(tokens.ids[a:b]) for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False) if a < b]


def sentences_in(parts):
    return [sentence for part in parts for sentence in sentences_of(part.tokens)]


def test_epoch_parts__hold_every_sentence_once(tokens):
    parts = list(epoch_buffers(tokens, 1, 0, True))
    assert len(parts) > 3
    actual = sentences_in(parts)
    assert sorted(actual) == sentences_of(tokens)
    assert actual != sentences_of(tokens)
    assert max(len(part.tokens.ids) for part in parts) < 6_000 + 3_500


def test_epoch_parts__neighbours_are_scattered(tokens):
    """Sentences that follow one another do so after shuffling about as often as by chance: almost never."""
    order = [sentence[0] for sentence in sentences_in(epoch_buffers(tokens, 1, 0, True))]
    follows = dict(itertools.pairwise(order))
    firsts = [sentence[0] for sentence in sentences_of(tokens)]
    kept = sum(follows.get(a) == b for a, b in itertools.pairwise(firsts))
    assert kept < 0.02 * len(firsts)


def test_epoch_parts__depend_on_seed_and_epoch_only(tokens):
    first, again, other_epoch, other_seed = (
        sentences_in(epoch_buffers(tokens, seed, epoch, True))
        for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert first == again
    assert first != other_epoch
    assert first != other_seed


def test_epoch_parts__say_where_they_begin(tokens):
    parts = list(epoch_buffers(tokens, 1, 0, True))
    sizes = [len(part.tokens.ids) for part in parts]
    assert [part.first_token for part in parts] == np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist()
    units = [n_units(size) for size in sizes]
    assert [part.first_unit for part in parts] == np.concatenate([[0], np.cumsum(units)[:-1]]).tolist()
    assert len({part.key for part in parts}) == len(parts)


def test_epoch_parts__go_on_in_the_middle(tokens):
    parts = list(epoch_buffers(tokens, 1, 0, True))
    rest = list(epoch_buffers(tokens, 1, 0, True, parts[2].first_unit))
    assert sentences_in(rest) == sentences_in(parts[2:])


def test_epoch_parts__without_shuffling_are_the_corpus(tokens):
    (part,) = epoch_buffers(tokens, 1, 0, False)
    assert part.tokens is tokens


def test_train__shuffled_is_another_run_with_the_same_words():
    corpus, _ = chain_corpus(50, 30_000)
    corpus = corpus._replace(offsets=np.arange(0, 30_001, 30))
    config = TrainConfig(dim=8, epochs=2, threads=1, sample=0)
    plain, shuffled, again = (
        train(corpus, replace(config, shuffle=shuffle)) for shuffle in (False, True, True)
    )
    assert shuffled.kept_words == plain.kept_words
    assert shuffled.embeddings.center_vectors.tobytes() == again.embeddings.center_vectors.tobytes()
    assert shuffled.embeddings.center_vectors.tobytes() != plain.embeddings.center_vectors.tobytes()
    assert shuffled.mean_loss == pytest.approx(plain.mean_loss, rel=0.02)


class Stopped(Exception):
    """A run's end in the middle."""


class Memory(Hook):
    """Keeps the matrices and the position after every call, and ends the run after some."""

    def __init__(self, calls):
        self.calls, self.kept = calls, None

    def restore(self, vectors):
        if self.kept is None:
            return None
        for matrix, kept in zip(vectors, self.kept[0], strict=True):
            matrix[:] = kept
        return self.kept[1]

    def is_due(self, progress):
        return True

    def when_due(self, moment, position):
        self.kept = [matrix.copy() for matrix in moment.vectors], position
        self.calls -= 1
        if not self.calls:
            raise Stopped


@pytest.mark.parametrize("calls", [1, 3, 5, 9])
def test_train__shuffled_goes_on_to_the_same_bytes(monkeypatch, calls):
    monkeypatch.setattr("fastw2v.training.spans.CALL_SECONDS", 0.0)  # every unit is a call
    corpus, _ = chain_corpus(50, 25_000)
    corpus = corpus._replace(offsets=np.arange(0, 25_001, 25))
    config = TrainConfig(dim=8, epochs=2, threads=1, sample=0, shuffle=True)
    expected = train(corpus, config).embeddings.center_vectors.tobytes()
    memory = Memory(calls)
    with pytest.raises(Stopped):
        train(corpus, config, [memory])
    assert train(corpus, config, [memory]).embeddings.center_vectors.tobytes() == expected
