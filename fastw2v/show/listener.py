"""A hook that shows a run to its user, and writes its log."""

from __future__ import annotations

from fastw2v.kernels.compiler import compiler
from fastw2v.show.progress import Display, evaluation_line, training_line
from fastw2v.show.run_log import RunLog
from fastw2v.training.hooks import Evaluation, Hook, Moment


class Listener(Hook):
    """Shows stages, progress and evaluations, and logs the latter two."""

    def __init__(self, display: Display, log: RunLog) -> None:
        self.display, self.log = display, log

    def on_stage(self, stage: str) -> None:
        """Say so where a kernel is compiled, which is not so where its code is kept."""
        if stage == "compiling":
            why = "the first run for a size takes some seconds"
            if compiler().cache_folder is None:
                why = "some seconds each time: set XDG_CACHE_HOME to a folder with space where you may write"
            self.display.update(f"compiling the kernel ({why})", final=True)

    def after_call(self, moment: Moment) -> None:
        """Show and log progress."""
        self.display.update(training_line(moment.progress))
        self.log.progress(moment.progress)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Show and log an evaluation."""
        self.display.say(evaluation_line(evaluation))
        self.log.record("evaluation", **evaluation._asdict())
