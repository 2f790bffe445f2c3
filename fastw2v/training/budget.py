"""How much a run trains, and how far it is: so many epochs, or what the clock allows.

The step size falls linearly with the share of the run that is done, of its words or of its time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from fastw2v.config import TrainConfig
from fastw2v.model.arrays import UNIT
from fastw2v.model.plan import Schedule
from fastw2v.training.hooks import Hook, Position, Progress
from fastw2v.training.start import make_schedule, schedule_of
from fastw2v.training.step_size import auto_learning_rate, times_of

# Seconds over which the speed of the last calls is averaged, older ones less: calls differ by a tenth, and a
# machine that slows down must show before many of them.
SPEED_SECONDS = 2.0
SLACK = 1e-3  # of the time: what is left of it then is no call
LAST_SHARE = 0.01  # of the time, that may be one call: a machine that slows down in it ends that much later
FAR = 1 << 50  # tokens of a run whose speed is not known yet: the step size stays within a call


class Sizes(NamedTuple):
    """Of a corpus: tokens in the vocabulary, and all words read, by all processes."""

    n_tokens: int
    n_words: int


class Epochs:
    """A number of epochs: what is done is a share of their tokens.

    follows_clock   False: where a run ends is known from the start
    """

    follows_clock = False
    is_spent = False
    clock = (0.0, 0.0)

    def __init__(self, config: TrainConfig, sizes: Sizes, hooks: Sequence[Hook] = ()) -> None:
        self.config, self.sizes, self.hooks = config, sizes, hooks
        self.n_tokens = config.epochs * sizes.n_tokens

    def epochs(self, first: int) -> Iterator[int]:
        """The numbers of the epochs to train, from one on."""
        return iter(range(first, self.config.epochs))

    def begin(self, seconds: float) -> None:
        """Nothing: what was spent before is the position's."""

    def in_time(self, due: list[Hook]) -> list[Hook]:
        """The hooks that are due: all."""
        return due

    def spend(self, n_tokens: int, seconds: float, clock: float) -> None:
        """Nothing: the epochs are counted by the loop."""

    def most_units(self, at_once: int, n_done: int, n_processes: int = 1) -> int:
        """Units that a process may train before the next moment that a hook waits for, after n_done tokens.

        So that moment does not depend on how long calls are, and two in one call are not one.
        """
        due = min((hook.due_at() for hook in self.hooks), default=1.0)
        n_groups = math.ceil((due * self.n_tokens - n_done) / UNIT / at_once)
        return max(1, n_groups) * at_once if self.hooks else self.n_tokens

    def schedule(self, key: int, unit: int, n_done: int, pace: float = 1.0) -> Schedule:
        """What the units of a part share from this one on, before which n_done tokens were trained.

        pace   tokens that all processes train while this one trains one
        """
        words_before = round(n_done / pace) - unit * UNIT
        return make_schedule(self.config, round(self.sizes.n_tokens / pace), key, words_before)

    def progress(self, position: Position, n_done: int, mean_loss: float) -> Progress:
        """What is told after n_done tokens, of all epochs, and a call whose pairs had that mean loss."""
        decayed = self.config.learning_rate * (1 - n_done / self.n_tokens)
        return Progress(
            words=round(n_done * self.sizes.n_words / self.sizes.n_tokens),
            words_total=self.sizes.n_words * self.config.epochs,
            seconds=position.seconds,
            learning_rate=max(decayed, self.config.min_learning_rate),
            mean_loss=mean_loss,
            epochs=n_done / self.sizes.n_tokens,
        )


class Clock:
    """Minutes of training: what is done is a share of the time, from the first step on, hooks included.

    As many epochs are trained as the time allows, the last one in part. Within a call the step size falls as
    fast as it would at the speed of the calls before, and each call begins with that of its moment: whatever
    the speed does, the run ends on time, and there with the floor of the step size.

    seconds      of the time that are over; in several processes those of rank 0
    speed        tokens a second, by all processes, of the last calls; 0 before there were any
    hook_seconds the longest time that hooks took after a step

    With lr auto a run begins with the step size of word2vec, and takes the one for so much training once its
    first calls have shown a speed.
    """

    follows_clock = True

    def __init__(self, config: TrainConfig, sizes: Sizes) -> None:
        self.config, self.sizes = config, sizes
        self.seconds_total = 60.0 * (config.minutes or 0.0)
        self.seconds = self.speed = self.hook_seconds = 0.0
        self._tokens = self._weight = 0.0

    @property
    def clock(self) -> tuple[float, float]:
        """What several processes must agree on: seconds and speed."""
        return self.seconds, self.speed

    @clock.setter
    def clock(self, told: tuple[float, float]) -> None:
        self.seconds, self.speed = told

    @property
    def share(self) -> float:
        """Of the time that is over."""
        return min(self.seconds / self.seconds_total, 1.0)

    @property
    def is_spent(self) -> bool:
        """Whether the run is over."""
        return self.share >= 1 - SLACK

    def epochs(self, first: int) -> Iterator[int]:
        """The numbers of the epochs to begin, from one on: none where the time is over, else without end."""
        return iter(()) if self.is_spent else itertools.count(first)

    def begin(self, seconds: float) -> None:
        """It is so late as a step begins: hooks took the time since the last one, or an earlier run did."""
        if self.speed:
            self.hook_seconds = max(self.hook_seconds, seconds - self.seconds)
        self.seconds = seconds

    def in_time(self, due: list[Hook]) -> list[Hook]:
        """The hooks that are due; none where they may last beyond the end, when they are called anyway."""
        left = self.seconds_total - self.seconds
        return due if self.is_spent or left > self.hook_seconds else []

    def spend(self, n_tokens: int, seconds: float, clock: float) -> None:
        """Take into account that so many tokens took so many seconds, and that it is so late now."""
        kept = math.exp(-seconds / SPEED_SECONDS)
        self._tokens = kept * self._tokens + n_tokens
        self._weight = kept * self._weight + seconds
        self.speed, self.seconds = self._tokens / max(self._weight, 1e-9), clock

    def most_units(self, at_once: int, n_done: int, n_processes: int = 1) -> int:
        """Units that a process trains, at this speed, in half of the time left, or near the end in all of it.

        at_once   units that its backend takes together
        """
        share = 1 - self.share
        share *= 0.5 if share > LAST_SHARE else 1.0
        n_left = share * self.seconds_total * self.speed / n_processes / UNIT
        return max(1, int(n_left / at_once)) * at_once

    def schedule(self, key: int, unit: int, n_done: int, pace: float = 1.0) -> Schedule:
        """What the units of a part share from this one on.

        The share that is done after so many more tokens is that of the time which they take, so the words of
        the schedule are those of a run at this speed throughout.

        pace   tokens that all processes train while this one trains one
        """
        if self.config.lr is None and self.seconds > min(SPEED_SECONDS, LAST_SHARE * self.seconds_total):
            chosen = auto_learning_rate(self.speed * self.seconds_total, times_of(self.config))
            self.config = replace(self.config, lr=chosen)
        words_total = max(1, round(self.speed * self.seconds_total / pace)) if self.speed else FAR
        words_before = round(self.share * words_total) - unit * UNIT
        return schedule_of(self.config, words_total, key, words_before)

    def progress(self, position: Position, n_done: int, mean_loss: float) -> Progress:
        """What is told after n_done tokens, and a call whose pairs had that mean loss.

        The words of the run are those to expect at its mean speed, so their share is that of the time.
        """
        words, decayed = round(n_done * self.sizes.n_words / self.sizes.n_tokens), 1 - self.share
        return Progress(
            words=words,
            words_total=words if self.is_spent else max(words + 1, round(words / max(self.share, 1e-9))),
            seconds=position.seconds,
            learning_rate=max(
                self.config.learning_rate * (0 if self.is_spent else decayed), self.config.min_learning_rate
            ),
            mean_loss=mean_loss,
            epochs=n_done / self.sizes.n_tokens,
        )


Budget = Epochs | Clock


def budget_of(config: TrainConfig, sizes: Sizes, hooks: Sequence[Hook]) -> Budget:
    """What a configuration asks for; hooks are those whose moments steps are to meet."""
    return Epochs(config, sizes, hooks) if config.minutes is None else Clock(config, sizes)
