"""A stream that is learned from, and how far it is: what the command and Python have in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastw2v.corpus.chunks import Chunk, Source
from fastw2v.model.arrays import Totals
from fastw2v.run.endless import Learner
from fastw2v.show.stream import Standing, StreamShown


class Followed:
    """A source without end, and what was learned of it.

    saved_at   words that were read when vectors were last given or written
    """

    def __init__(self, learner: Learner, source: Source, shown: StreamShown) -> None:
        self.learner, self.source, self.shown = learner, source, shown
        self.saved_at, self.mean_loss, self.started = 0, 0.0, time.perf_counter()

    @property
    def n_new(self) -> int:
        """Words since then."""
        return self.learner.state.words - self.saved_at

    @property
    def is_due(self) -> bool:
        """Whether there are enough of them."""
        return self.n_new >= self.learner.settings.endless.save_every

    @property
    def has_news(self) -> bool:
        """Whether there is something to give that was not given yet."""
        return self.n_new > 0 and self.learner.trainer.totals.n_pairs > 0

    def train(self, chunk: Chunk, is_stopped: Callable[[], object]) -> None:
        """Learn from a chunk, showing how it goes; training ends after the call in which it is stopped."""
        before = self.learner.state.words

        def goes_on(share: float, totals: Totals) -> bool:
            self.mean_loss = totals.mean_loss
            words = before + round(share * chunk.n_read)
            self.shown.update(self.standing()._replace(words=words))
            return not is_stopped()

        self.learner.learn(chunk, goes_on)

    def standing(self) -> Standing:
        """How far it is."""
        state, seconds = self.learner.state, time.perf_counter() - self.started
        return Standing(state.words, seconds, len(self.learner), state.joined, state.left, self.mean_loss)
