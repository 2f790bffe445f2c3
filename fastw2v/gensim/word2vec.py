"""gensim's Word2Vec, trained by fastw2v."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import NoPairWarning
from fastw2v.gensim import counting, store
from fastw2v.gensim.arguments import BUILD, CONSTRUCTOR, TRAIN, bound, config_of, saved, signature
from fastw2v.gensim.callbacks import tell
from fastw2v.gensim.faults import ArgumentError, ArgumentTypeError, VocabularyError, warn
from fastw2v.gensim.model import Model
from fastw2v.gensim.running import run

NO_WORDS = "the model has no vocabulary: call build_vocab, with words that occur min_count times, first"


class Word2Vec(Model):
    """Word vectors, with the arguments, methods and defaults of gensim 4's class of that name.

    wv                 KeyedVectors, gensim's own where it is installed: words, counts and vectors
    syn1neg, syn1      the outside vectors, float32 (n_words, vector_size), of negative sampling or of the
                       inner nodes of hierarchical softmax
    corpus_count, corpus_total_words   sentences and words of the last corpus that was counted

    With sg=0, which is the default, alpha and min_alpha are multiplied by 3 for training: see docs/gensim.md.

    Raises UsageError, which is also a ValueError, TypeError or RuntimeError where gensim raises that, and
    what `fastw2v.train` raises of a corpus. Warns (IdleArgumentWarning) of arguments without effect here.
    """

    __signature__ = signature(CONSTRUCTOR)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        given = bound(type(self).__name__, self.ARGUMENTS, arguments, named)
        for name in saved(self.ARGUMENTS):
            setattr(self, name, given[name])
        self.check()
        self.prepare(given["callbacks"])
        source = counting.source_of(given["sentences"], given["corpus_file"])
        config_of(self)
        if self.hs and self.negative:
            warn(
                f"hs=1 leaves negative={self.negative} without effect: hierarchical softmax alone is trained"
            )
        if source is None:
            if given["trim_rule"] is not None:
                warn("trim_rule has no effect without sentences, and is not kept: give it to build_vocab")
            return
        place = {"corpus_iterable": given["sentences"], "corpus_file": given["corpus_file"]}
        self.build_vocab(**place, trim_rule=given["trim_rule"])
        sizes = {"total_examples": self.corpus_count, "total_words": self.corpus_total_words}
        told = {"compute_loss": self.compute_loss, "callbacks": self.callbacks}
        self.train(**place, **sizes, epochs=self.epochs, **told)

    def check(self) -> None:
        """Raise UsageError for arguments that training does not see."""

    # ---- words ---------------------------------------------------------------------------------------------

    def build_vocab(self, *arguments: Any, **named: Any) -> None:
        """Count the words of corpus_iterable or corpus_file and keep those that min_count or trim_rule let.

        With update=True they are added to the words that there are, whose vectors stay.
        """
        given = bound("build_vocab", BUILD, arguments, named)
        source = counting.source_of(given["corpus_iterable"], given["corpus_file"], once=True)
        if source is None:
            raise ArgumentTypeError("build_vocab needs a corpus: give corpus_iterable or corpus_file")
        self._take(counting.count(source, self.workers), given["update"], given["trim_rule"])

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[str, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: counting.Rule | None = None,
        update: bool = False,
    ) -> None:
        """The same of words that are counted already."""
        if keep_raw_vocab:
            warn("keep_raw_vocab=True has no effect: counts of words that are left out are not kept")
        self._take(counting.counts_of(word_freq, corpus_count or 0), update, trim_rule)

    def _take(self, counted: counting.Counts, update: bool, rule: counting.Rule | None) -> None:
        """The words that are kept of those counted, with vectors."""
        self.corpus_count, self.corpus_total_words = counted.n_sentences, counted.n_words
        self.effective_min_count = counting.least_count(counted, self.min_count or 0, self.max_final_vocab)
        vocabulary = counting.kept(counted, self.effective_min_count, rule)
        n_known = 0
        if update:
            if self.vocabulary is None:
                raise VocabularyError("update=True adds to a vocabulary, and there is none: leave it out")
            n_known, vocabulary = len(self.vocabulary), counting.added(self.vocabulary, vocabulary)
        self.start(vocabulary.words, vocabulary.counts, n_known)
        self.vocabulary = vocabulary

    def reset_from(self, other_model: Word2Vec) -> None:
        """Take the words and counts of another model, with vectors as they start."""
        if other_model.vocabulary is None:
            raise VocabularyError("the other model has no vocabulary: call its build_vocab first")
        known = other_model.vocabulary
        n_words = other_model.corpus_total_words or int(known.counts.sum())
        self._take(
            counting.Counts(known.words, known.counts, other_model.corpus_count, n_words), False, keep_all
        )

    # ---- training ------------------------------------------------------------------------------------------

    def train(self, *arguments: Any, **named: Any) -> tuple[int, int]:
        """Go on training the vectors for epochs more, on corpus_iterable or corpus_file.

        total_examples or total_words, and epochs, must be given, as in gensim; the corpus is counted anyway.
        start_alpha and end_alpha become alpha and min_alpha of the model.

        Returns the words that were trained, subsampled ones left out, and those read, of all epochs.
        """
        given = bound("train", TRAIN, arguments, named)
        if given["total_examples"] is None and given["total_words"] is None:
            raise ArgumentError(
                "train needs total_examples or total_words: give total_examples=model.corpus_count"
            )
        if given["epochs"] is None:
            raise ArgumentError("train needs epochs: give epochs=model.epochs")
        source = counting.source_of(given["corpus_iterable"], given["corpus_file"], once=True)
        if source is None:
            raise ArgumentTypeError("train needs a corpus: give corpus_iterable or corpus_file")
        if self.vocabulary is None or not len(self.vocabulary):
            raise VocabularyError(NO_WORDS)
        self.alpha = given["start_alpha"] or self.alpha
        self.min_alpha = given["end_alpha"] or self.min_alpha
        self.compute_loss, self.running_training_loss = bool(given["compute_loss"]), 0.0
        callbacks = list(given["callbacks"])
        began = time.perf_counter()
        tell(callbacks, "on_train_begin", self)
        trained, read = run(self, source, self.vocabulary, given["epochs"], callbacks)
        self.train_count += 1
        self.total_train_time += time.perf_counter() - began
        tell(callbacks, "on_train_end", self)
        if not trained.n_pairs:
            line = f"no pair was trained: sample={self.sample} left {trained.n_kept} words; set sample=0"
            warnings.warn(line, NoPairWarning, stacklevel=2)
        return trained.n_kept, read

    def get_latest_training_loss(self) -> float:
        """J summed over the pairs of the last training so far; 0 without compute_loss=True."""
        return self.running_training_loss

    # ---- questions -----------------------------------------------------------------------------------------

    def predict_output_word(
        self, context_words_list: Sequence[str | int], topn: int = 10
    ) -> list[tuple[str, float]] | None:
        """The words most probable amid these words (or places), with probabilities; None if none is known.

        softmax(U h) where h is the mean of their vectors (with sg=1 and cbow_mean=0 their sum).
        Raises VocabularyError without outside vectors of negative sampling.
        """
        if self.hs or not len(self.outside_vectors) or len(self.outside_vectors) != len(self.wv):
            raise VocabularyError(
                "predict_output_word needs a model that was trained with negative > 0 and hs=0"
            )
        places = [self.wv.get_index(word, -1) for word in context_words_list]
        rows = self.wv.vectors[[place for place in places if place >= 0]].astype(np.float64)
        if not len(rows):
            warn("none of the context words is in the vocabulary: there is nothing to predict from")
            return None
        hidden = rows.mean(axis=0) if self.cbow_mean else rows.sum(axis=0)
        scores = self.outside_vectors @ hidden
        odds = np.exp(scores - scores.max())
        best = np.argsort(-odds, kind="stable")[:topn]
        return [(self.wv.index_to_key[i], float(odds[i] / odds.sum())) for i in best]

    def score(self, *arguments: Any, **named: Any) -> NDArray[np.float32]:
        """Not here: raises UsageError."""
        raise ArgumentError(
            "score, the likelihood of sentences, is not here: fastw2v evaluate judges vectors"
        )

    # ---- files ---------------------------------------------------------------------------------------------

    def save(self, path: str | Path, **named: Any) -> None:
        """Write the whole model, from which training goes on, to one npz file; nothing in it runs code.

        Options of gensim's pickles have no effect, and warn. Raises OutputError.
        """
        for name in named:
            if name not in ("separately", "sep_limit", "ignore", "pickle_protocol"):
                raise ArgumentTypeError(f"save has no argument {name}")
            warn(f"{name} has no effect: the model is one npz file, without pickle")
        store.save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path, mmap: str | None = None) -> Word2Vec:
        """A model that `save` wrote. Raises CorpusError for others, gensim's pickles among them."""
        if mmap:
            warn(f"mmap={mmap!r} has no effect: the file is read whole; export model.wv to npy to map it")
        return store.load(cls, Path(path))


def keep_all(word: str, count: int, least: int) -> int:
    """A trim_rule that keeps every word."""
    return counting.KEEP
