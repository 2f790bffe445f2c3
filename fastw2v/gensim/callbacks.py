"""What a training tells gensim's callbacks, and the matrices that it starts from and leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.model.arrays import NOTHING
from fastw2v.training.hooks import START, Hook, Moment, Position

if TYPE_CHECKING:
    from fastw2v.gensim.model import Model
    from fastw2v.model.arrays import Vectors


class CallbackAny2Vec:
    """Base of callbacks, as gensim's: override what you wait for; `model` is the Word2Vec in training."""

    def on_train_begin(self, model: Any) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, model: Any) -> None:
        """Before each epoch."""

    def on_epoch_end(self, model: Any) -> None:
        """After each epoch: `model.wv` holds the vectors of that moment."""

    def on_train_end(self, model: Any) -> None:
        """After the last epoch."""


def tell(callbacks: Sequence[Any], moment: str, model: Model) -> None:
    """Call one of the four methods of each callback."""
    for callback in callbacks:
        getattr(callback, moment)(model)


class ModelHook(Hook):
    """Starts a run from a model's matrices, and writes what was trained back into them in place.

    The matrices change after each epoch where callbacks may look at them, else after the last one; a run
    that ends with an error before that leaves them as they were.

    places   int64 (n_words,): the model's place of each word of the corpus, or a slice of all; words that
             were added to a model are at its end, and the corpus has them by their counts
    totals   of what was trained so far
    """

    def __init__(
        self, model: Model, places: NDArray[np.int64] | slice, callbacks: Sequence[Any], epochs: int
    ) -> None:
        self.model, self.places, self.callbacks, self.epochs = model, places, callbacks, epochs
        self.outside_places = slice(None) if model.hs else places  # inner nodes stand for no words
        self.totals = NOTHING

    def restore(self, vectors: Vectors) -> Position | None:
        """Both matrices as the model has them; hierarchical softmax goes on with its inner nodes, too."""
        dim = self.model.vector_size
        for matrix, places, part in self.parts(vectors):
            part[:, :dim] = matrix[places]
        vectors.outside[:, :dim] = self.model.outside_vectors[self.outside_places]
        return START

    def parts(self, vectors: Vectors) -> Iterator[tuple[NDArray[np.float32], Any, NDArray[np.float32]]]:
        """Each matrix that the model trains, its places, and the rows of V that stand for them."""
        first, places = 0, self.places
        for matrix in self.model.inputs():
            yield matrix, places, vectors.center[first : first + len(matrix)]
            first, places = first + len(matrix), slice(None)  # buckets have one order only

    def on_stage(self, stage: str) -> None:
        """The first epoch begins."""
        if stage == "train":
            tell(self.callbacks, "on_epoch_begin", self.model)

    def is_due(self, progress: Any) -> bool:
        """The totals are kept up to date, call by call."""
        return True

    def when_due(self, moment: Moment, position: Position) -> object:
        """What was trained so far, and the loss where it is asked for."""
        self.totals = position.totals
        if self.model.compute_loss:
            self.model.running_training_loss = position.totals.loss
        return None

    def on_epoch(self, moment: Moment) -> object:
        """An epoch ended."""
        if self.callbacks or moment.epoch == self.epochs:
            dim = self.model.vector_size
            for matrix, places, part in self.parts(moment.vectors):
                matrix[places] = part[:, :dim]
            self.model.trained()
            self.model.outside_vectors[self.outside_places] = moment.vectors.outside[:, :dim]
        tell(self.callbacks, "on_epoch_end", self.model)
        if moment.epoch < self.epochs:
            tell(self.callbacks, "on_epoch_begin", self.model)
        return None
