"""A hook that shows the training of a sample among others."""

from __future__ import annotations

from fastw2v.show.listener import Listener
from fastw2v.show.progress import Display, clock, memory_held, significant
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Moment, Progress


class SampleListener(Listener):
    """Shows stages and progress of sample `number` of n, with the time that all the rest will take."""

    def __init__(self, display: Display, number: int, n_samples: int) -> None:
        super().__init__(display, RunLog(None), None)
        self.number, self.n_samples = number, n_samples

    def after_call(self, moment: Moment) -> None:
        """Show progress."""
        self.display.update(sample_line(moment.progress, self.number, self.n_samples))


def sample_line(progress: Progress, number: int, n_samples: int) -> str:
    """Which sample, percent of it, speed, loss, time left for it and for all, memory."""
    of_one = progress.seconds + progress.seconds_left
    left = progress.seconds_left + (n_samples - number) * of_one
    return (
        f"sample {number} of {n_samples} {progress.share:6.1%}  {significant(progress.rate)} words/s  "
        f"loss {progress.mean_loss:.4f}  ETA {clock(progress.seconds_left)}, all {clock(left)}  "
        f"{memory_held()}"
    )
