"""A hook that shows a run to its user, and writes its log."""

from __future__ import annotations

from fastw2v.show.progress import Display, clock_line, evaluation_line, training_line
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Evaluation, Hook, Moment, Progress

TOLD_SHARE, TOLD_SECONDS = 0.1, 10.0  # of the time or after: earlier the speed is that of a few short calls


class Listener(Hook):
    """Shows stages, progress and evaluations, and logs the latter two.

    n_epochs     of the run; None of one by the clock
    minutes      of a run by the clock, of which is told what they come to; None of any other
    is_shuffled  whether a part of an epoch is drawn over the whole corpus
    """

    def __init__(
        self,
        display: Display,
        log: RunLog,
        n_epochs: int | None,
        minutes: float | None = None,
        is_shuffled: bool = False,
    ) -> None:
        self.display, self.log = display, log
        self.of_epochs = "" if minutes or n_epochs is None else f"/{n_epochs}"
        self.minutes, self.is_shuffled = minutes, is_shuffled
        self.first: Progress | None = None

    is_told = False  # whether a kernel is compiled

    def on_compiling(self, seconds: float) -> None:
        """Say so, and then how long it still takes."""
        from fastw2v.kernels.compiler import compiler  # and Numba, for which no start waits

        why = "this first time"
        if compiler().cache_folder is None:
            why = "each time: set XDG_CACHE_HOME to a folder with space where you may write"
        line = f"compiling the kernel, about {seconds:.0f} s ({why})"
        self.display.update(
            line if seconds >= 1 else "compiling the kernel, a moment", final=not self.is_told
        )
        self.is_told = True

    def after_call(self, moment: Moment) -> None:
        """Show and log progress."""
        if self.minutes:
            self.tell_minutes(moment.progress, self.minutes)
        what = "words" if moment.outside_vocabulary is None else "pairs"
        self.display.update(training_line(moment.progress, f"{moment.epoch}{self.of_epochs}", what))
        self.log.progress(moment.progress)

    def tell_minutes(self, progress: Progress, minutes: float) -> None:
        """Say once what a time comes to, at the speed since the first call of this process."""
        self.first = first = self.first or progress
        seconds, share = progress.seconds - first.seconds, progress.share - first.share
        is_over = progress.words == progress.words_total
        if is_over or (share > 0 and (share > TOLD_SHARE or seconds > TOLD_SECONDS)):
            left = 0.0 if is_over else (1 - progress.share) * (progress.epochs - first.epochs) / share
            self.display.say(clock_line(progress.epochs + left, minutes, self.is_shuffled))
            self.minutes = None

    def evaluated(self, evaluation: Evaluation) -> None:
        """Show and log an evaluation."""
        self.display.say(evaluation_line(evaluation))
        self.log.record("evaluation", **evaluation._asdict())
