"""A run whose corpus is read: what is kept out, hooks, training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.corpus.read import Corpus
from fastw2v.errors import DivergedError
from fastw2v.run.checkpoints import RunFolder
from fastw2v.run.processes import Run
from fastw2v.training.holdout import Score, evaluator_of
from fastw2v.training.hooks import Evaluation, Hook, Trained
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.evaluation import (
    evaluate_analogies,
    evaluate_similarity,
    read_analogies,
    read_similarity,
)

# What words start from, or what finds it in the corpus that is trained on.
Start = Embeddings | Callable[[Corpus], Embeddings]


class CheckpointPlan(NamedTuple):
    """Where checkpoints of a run go, how often, and the options to go on by."""

    place: RunFolder
    every: str
    options: dict[str, Any]


def carry_out(
    run: Run,
    kept: CheckpointPlan | None,
    scores: Mapping[str, Score],
    on_evaluation: Callable[[Evaluation], None],
    hooks: Sequence[Hook],
    init: Start | None,
) -> Trained:
    """Train on what was read, and evaluate and keep the run on the way.

    Raises what `fastw2v.training.loop.train` does; of vectors that diverged it says what there is of the run.
    """
    corpus = run.settle()
    checkpointer = None
    if kept:
        checkpointer = kept.place.checkpointer_of(
            corpus, run.training, run.fingerprint, kept.every, kept.options | {"lr": run.training.lr}
        )
    evaluator = evaluator_of(run.training, run.held_out, {**scores, **run.scores}, on_evaluation)
    own = [hook for hook in (checkpointer, evaluator) if hook]
    try:
        return run.train([*own, *hooks], init(corpus) if callable(init) else init)
    except DivergedError as error:
        last = checkpointer.last if checkpointer else None
        outcome = f"the vectors in {last.path} are good" if last else "nothing was written"
        raise DivergedError(f"{error}; {outcome}") from None


def load_scores(similarity: Path | None, analogy: Path | None) -> dict[str, Score]:
    """What to evaluate a run by beside held-out loss, from files of word pairs and of analogies.

    Raises CorpusError for files that cannot be read or used.
    """
    scores: dict[str, Score] = {}
    if similarity:
        pairs = read_similarity(similarity)
        scores["similarity"] = lambda embeddings: evaluate_similarity(embeddings, pairs).rho
    if analogy:
        questions = read_analogies(analogy)
        scores["analogy"] = lambda embeddings: evaluate_analogies(embeddings, questions).accuracy
    return scores
