"""The last item of each sequence, left out of training and foretold by its vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.read import Corpus
from fastw2v.errors import CorpusError
from fastw2v.training.holdout import Score
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.next_item import evaluate_next_item

GUESSES = 10
# Sequences that a judgement asks, evenly over the corpus: of 10,000 a share is known to .01 (two deviations).
MOST_ASKED = 10_000


def without_last(corpus: Corpus) -> Corpus:
    """The corpus without the last token of each sentence of two or more; its vocabulary and counts stay."""
    left = lengths_without_last(corpus.offsets)
    is_kept = np.ones(len(corpus.ids), bool)
    is_kept[corpus.offsets[1:][left < np.diff(corpus.offsets)] - 1] = False
    offsets = np.append(0, np.cumsum(left)).astype(np.int64)
    n_words = corpus.n_words_read - int((~is_kept).sum())
    return corpus._replace(ids=corpus.ids[is_kept], offsets=offsets, n_words_read=n_words)


def lengths_without_last(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is left of each sentence, int64 (n_sentences,)."""
    lengths = np.diff(offsets)
    return lengths - (lengths > 1)


def require_two(longest: int) -> None:
    """Raise CorpusError where no two tokens of a sentence are left."""
    if longest < 2:
        raise CorpusError(
            "without its last item no sequence has two: leave out --leave-last-out, or give longer sequences"
        )


def asked_sentences(n_sentences: int) -> NDArray[np.int64]:
    """Which sentences a judgement asks."""
    places = np.linspace(0, n_sentences - 1, min(n_sentences, MOST_ASKED))
    return np.unique(places.astype(np.int64))


def sequences(corpus: Corpus, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some sentences of a corpus: ids int64 (n,) and offsets int64 (n_places + 1,)."""
    parts = [corpus.ids[corpus.offsets[s] : corpus.offsets[s + 1]] for s in places]
    ids = np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)
    return ids, np.cumsum([0, *map(len, parts)])


def next_item_score(corpus: Corpus) -> Score:
    """The share of last items of the whole corpus among the first guesses, by the item before each."""
    return score_of(*sequences(corpus, asked_sentences(len(corpus.offsets) - 1)))


def score_of(ids: NDArray[np.int64], offsets: NDArray[np.int64]) -> Score:
    """The share of the last items of sequences among the first guesses."""

    def score(embeddings: Embeddings) -> float:
        return evaluate_next_item(embeddings, ids, offsets, k=GUESSES).hit_rate

    return score
