"""Evaluating a run as it goes on: loss on sentences kept out of training, scores, when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastw2v.backends import make, plan_of
from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import Vectors, n_units
from fastw2v.model.plan import Plan
from fastw2v.model.streams import epoch_key
from fastw2v.training.hooks import Evaluation, Hook, Moment, Position, Progress, Trained
from fastw2v.training.start import longest_sentence
from fastw2v.vectors.embeddings import Embeddings

DRAWS = -1  # the epoch whose windows and noise held-out loss is taken with: the same ones every time

Score = Callable[[Embeddings], float]


class Evaluator(Hook):
    """Evaluates a run every config.eval_every epochs and at its end.

    It stops the run after config.patience evaluations without a lower held-out loss; the run then comes to
    the vectors with the lowest, as it does where it ends by itself.

    held_out   Corpus of the sentences kept out, or None
    scores     further numbers to report, by name; they do not decide
    on_evaluation  told of each Evaluation
    """

    def __init__(
        self,
        config: TrainConfig,
        held_out: Corpus | None,
        scores: Mapping[str, Score],
        on_evaluation: Callable[[Evaluation], None],
    ) -> None:
        self.config, self.held_out, self.scores, self.on_evaluation = config, held_out, scores, on_evaluation
        self.n_evaluated, self.n_waited, self.lowest = 0, 0, math.inf
        self.best: Embeddings | None = None
        self.plan: Plan | None = None  # made once: a Huffman tree of a million words takes 4 s
        self.may_stop = config.patience is not None

    def is_due(self, progress: Progress) -> bool:
        """Whether another eval_every epochs have passed, or the run ends."""
        return self.n_due(progress) > self.n_evaluated or progress.words >= progress.words_total

    def due_at(self) -> float:
        """Where the next of the evaluations is due, a share of all epochs."""
        return min(1.0, (self.n_evaluated + 1) * self.config.eval_every / self.config.epochs)

    def n_due(self, progress: Progress) -> int:
        """Evaluations that are due so far."""
        return int(progress.epochs / self.config.eval_every + 1e-9)

    def when_due(self, moment: Moment, position: Position) -> bool:
        """Evaluate; returns whether the run is to stop."""
        patience, epochs = self.config.patience, moment.progress.epochs
        self.n_evaluated = self.n_due(moment.progress)
        loss = math.nan
        if self.held_out:
            self.plan = self.plan or held_out_plan(self.held_out, self.config)
            loss = held_out_loss(moment.vectors, self.held_out, self.config, self.plan)
        if self.held_out and math.isnan(loss):
            raise CorpusError(
                "subsampling leaves no pair in the held-out sentences, so there is no loss on them; raise "
                "--holdout or --sample"
            )
        embeddings = moment.embeddings() if self.scores or (patience and loss < self.lowest) else None
        scores = {name: score(embeddings) for name, score in self.scores.items() if embeddings}
        is_best = loss < self.lowest
        self.on_evaluation(Evaluation(epochs, loss, scores, is_best))
        if is_best:
            self.lowest, self.n_waited, self.best = loss, 0, embeddings
            return False
        self.n_waited += 1
        return patience is not None and self.n_waited >= patience

    def on_end(self, trained: Trained) -> Trained:
        """The run with its best vectors, where patience asks for those, else as it is."""
        is_asked = self.config.patience is not None
        return replace(trained, embeddings=self.best) if is_asked and self.best else trained


def held_out_plan(held_out: Corpus, config: TrainConfig) -> Plan:
    """The plan by which the loss on held-out sentences is taken: that of training, but for its reach."""
    vocabulary = held_out.vocabulary
    longest, targeted = longest_sentence(held_out.offsets), held_out.targets is not None
    return plan_of(config, vocabulary.counts, longest, vocabulary.words, has_targets=targeted)


def held_out_loss(vectors: Vectors, held_out: Corpus, config: TrainConfig, plan: Plan) -> float:
    """Mean of J over the pairs of held-out sentences, by their weights, by the estimator of training.

    No step is taken.
    Windows, subsampling and noise are drawn the same every time, so that differences are the vectors'. NaN
    where they leave no pair.
    """
    tokens = held_out.tokens
    backend = make(plan, vectors, config.backend, config.threads)
    totals = backend.loss(tokens, epoch_key(config.seed, DRAWS), n_units(len(tokens.ids)))
    return totals.mean_loss if totals.n_pairs else math.nan


def split(corpus: Corpus, share: float, seed: int) -> tuple[Corpus, Corpus]:
    """Sentences to train on, and a share of them, drawn from the seed, to keep out; one vocabulary for both.

    Raises UsageError for a corpus of one sentence, CorpusError where no held-out word has a neighbour.
    """
    is_out = drawn_out(len(corpus.offsets) - 1, share, seed)
    corpus, held_out = (only(corpus, chosen, len(corpus.ids)) for chosen in (~is_out, is_out))
    longest = longest_sentence(held_out.offsets), longest_sentence(corpus.offsets)
    require_pairs(share, held_out.n_rows, *longest)
    return corpus, held_out


def drawn_out(n_sentences: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of so many sentences are kept out, bool (n_sentences,). Raises UsageError for one sentence."""
    if n_sentences < 2:
        raise UsageError("holdout needs 2 sentences or more, the corpus has 1: give it in shorter rows")
    n_out = min(max(1, round(share * n_sentences)), n_sentences - 1)
    is_out = np.zeros(n_sentences, bool)
    is_out[np.random.Generator(np.random.PCG64(seed)).permutation(n_sentences)[:n_out]] = True
    return is_out


def only(corpus: Corpus, chosen: NDArray[np.bool_], n_tokens: int) -> Corpus:
    """Only these sentences; words out of the vocabulary are counted by their share of all n_tokens."""
    lengths = np.diff(corpus.offsets)
    ids = corpus.ids[np.repeat(chosen, lengths)]
    offsets = np.concatenate([[0], np.cumsum(lengths[chosen])]).astype(np.int64)
    n_words = round(corpus.n_words_read * len(ids) / max(n_tokens, 1))
    weights = None if corpus.weights is None else corpus.weights[chosen]
    targets = None if corpus.targets is None else corpus.targets[chosen]
    corpus = corpus._replace(ids=ids, offsets=offsets, weights=weights, targets=targets)
    return corpus._replace(n_words_read=n_words, n_rows=int(chosen.sum()))


def require_pairs(share: float, n_out: int, longest_out: int, longest: int) -> None:
    """Raise CorpusError where none of n_out held-out sentences has two words, and one of the others has."""
    if longest_out < 2 <= longest:
        raise CorpusError(
            f"holdout {share:g} keeps out {n_out:,} sentences, none with two words of the vocabulary: there "
            "is no loss on them; raise --holdout or leave it out"
        )


def evaluator_of(
    config: TrainConfig,
    held_out: Corpus | None,
    scores: Mapping[str, Score],
    on_evaluation: Callable[[Evaluation], None],
) -> Evaluator | None:
    """The hook that evaluates a run, if there is anything to do it by."""
    return Evaluator(config, held_out, scores, on_evaluation) if held_out or scores else None
