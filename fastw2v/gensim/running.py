"""A training of a gensim model by the loop of fastw2v."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastw2v.api import interrupted
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError
from fastw2v.gensim.arguments import config_of
from fastw2v.gensim.callbacks import ModelHook
from fastw2v.gensim.counting import read
from fastw2v.gensim.faults import ArgumentError, VocabularyError
from fastw2v.model.arrays import Totals
from fastw2v.system.machine import require_threads
from fastw2v.training.start import FEW_READ

if TYPE_CHECKING:
    from fastw2v.gensim.model import Model


def run(
    model: Model, source: Any, vocabulary: Vocabulary, epochs: int, callbacks: Sequence[Any]
) -> tuple[Totals, int]:
    """Train a model's vectors in place; returns what was trained and the words that were read, in all epochs.

    Raises what `fastw2v.train` does, but where subsampling left none of a few words, as of a toy, and gensim
    goes on; the vectors are then those of the last epoch that a callback saw.
    """
    from fastw2v.training.loop import train

    require_threads()
    require_whole(model, vocabulary)
    config = config_of(model, int(vocabulary.counts.sum()), epochs)
    corpus = read(source, config.threads or 1, vocabulary)
    known = corpus.vocabulary.words
    is_in_order = known == vocabulary.words
    places = slice(None) if is_in_order else np.array([vocabulary.index[word] for word in known])
    hook = ModelHook(model, places, callbacks, config.epochs)
    n_words = corpus.n_words_read * config.epochs
    try:
        with interrupted():
            train(corpus, config, [hook])
    except CorpusError:
        if hook.totals.n_pairs or not 0 < n_words < FEW_READ:
            raise
    return hook.totals, n_words


def require_whole(model: Model, vocabulary: Vocabulary) -> None:
    """Raise where the model's vectors are not of its words, or some of them were locked."""
    if len(vocabulary) < 2:
        raise VocabularyError(f"the vocabulary has {len(vocabulary)} words; training needs at least 2")
    expected = [(n_rows, model.vector_size) for n_rows in (len(vocabulary), model.n_buckets)]
    shapes = [matrix.shape for matrix in model.inputs()]
    if shapes != expected[: len(shapes)]:
        raise VocabularyError(
            f"model.wv holds vectors of shape {', '.join(map(str, shapes))}, and the vocabulary has "
            f"{len(vocabulary):,} words of {model.vector_size}: build_vocab makes those that can be trained"
        )
    for name in ("vectors_lockf", "vectors_vocab_lockf", "vectors_ngrams_lockf"):
        locks = getattr(model.wv, name, None)
        if locks is not None and not np.all(np.asarray(locks) == 1):
            raise ArgumentError(f"wv.{name} locks single rows, which is not here: fastw2v.train has freeze")
