"""A hook that shows a run to its user, and writes its log."""

from __future__ import annotations

from fastw2v.kernels.compiler import compiler
from fastw2v.show.progress import Display, clock_line, evaluation_line, training_line
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Evaluation, Hook, Moment

TOLD_SHARE = 0.02  # of the time: the first calls are short, and no measure of the speed


class Listener(Hook):
    """Shows stages, progress and evaluations, and logs the latter two.

    minutes      of a run by the clock, of which is told what they come to; None of any other
    is_shuffled  whether a part of an epoch is drawn over the whole corpus
    """

    def __init__(
        self, display: Display, log: RunLog, minutes: float | None = None, is_shuffled: bool = False
    ) -> None:
        self.display, self.log = display, log
        self.minutes, self.is_shuffled = minutes, is_shuffled

    def on_stage(self, stage: str) -> None:
        """Say so where a kernel is compiled, which is not so where its code is kept."""
        if stage == "compiling":
            why = "the first run for a size takes some seconds"
            if compiler().cache_folder is None:
                why = "some seconds each time: set XDG_CACHE_HOME to a folder with space where you may write"
            self.display.update(f"compiling the kernel ({why})", final=True)

    def after_call(self, moment: Moment) -> None:
        """Show and log progress."""
        progress, is_over = moment.progress, moment.progress.words == moment.progress.words_total
        if self.minutes and (is_over or progress.share > TOLD_SHARE):
            self.display.say(clock_line(progress, self.minutes, self.is_shuffled))
            self.minutes = None
        self.display.update(training_line(progress))
        self.log.progress(progress)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Show and log an evaluation."""
        self.display.say(evaluation_line(evaluation))
        self.log.record("evaluation", **evaluation._asdict())
