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

    is_told = False  # whether a kernel is compiled

    def on_compiling(self, seconds: float) -> None:
        """Say so, and then how long it still takes."""
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
        self.display.update(training_line(moment.progress))
        self.log.progress(moment.progress)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Show and log an evaluation."""
        self.display.say(evaluation_line(evaluation))
        self.log.record("evaluation", **evaluation._asdict())
