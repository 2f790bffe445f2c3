"""The last item of each sequence, left out of training and foretold by its vectors."""

from __future__ import annotations

import numpy as np

from fastw2v.corpus.read import Corpus
from fastw2v.errors import CorpusError
from fastw2v.training.holdout import Score
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.next_item import evaluate_next_item

GUESSES = 10
# Sequences that a judgement asks, evenly over the corpus: of 10,000 a share is known to .01 (two deviations).
MOST_ASKED = 10_000


def without_last(corpus: Corpus) -> Corpus:
    """The corpus without the last token of each sentence of two or more; its vocabulary and counts stay.

    Raises CorpusError where no two tokens of a sentence are left.
    """
    lengths = np.diff(corpus.offsets)
    left = lengths - (lengths > 1)
    if not left.size or left.max() < 2:
        raise CorpusError(
            "without its last item no sequence has two: leave out --leave-last-out, or give longer sequences"
        )
    is_kept = np.ones(len(corpus.ids), bool)
    is_kept[corpus.offsets[1:][lengths > 1] - 1] = False
    offsets = np.concatenate([[0], np.cumsum(left)]).astype(np.int64)
    n_words = corpus.n_words_read - int((lengths > 1).sum())
    return corpus._replace(ids=corpus.ids[is_kept], offsets=offsets, n_words_read=n_words)


def next_item_score(corpus: Corpus) -> Score:
    """The share of last items of the whole corpus among the first guesses, by the item before each."""
    n_sentences = len(corpus.offsets) - 1
    asked = np.unique(np.linspace(0, n_sentences - 1, min(n_sentences, MOST_ASKED)).astype(np.int64))
    parts = [corpus.ids[corpus.offsets[s] : corpus.offsets[s + 1]] for s in asked]
    offsets = np.cumsum([0, *map(len, parts)])
    ids = np.concatenate(parts).astype(np.int64)

    def score(embeddings: Embeddings) -> float:
        return evaluate_next_item(embeddings, ids, offsets, k=GUESSES).hit_rate

    return score
