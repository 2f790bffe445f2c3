"""Errors a user can meet, each with the exit code the command line gives it.

Every message is one line: the value, the limit, the cure.
"""

from __future__ import annotations

from collections.abc import Iterable


class FastW2VError(Exception):
    """Base of all errors that fastw2v raises on purpose."""

    exit_code = 1


class UsageError(FastW2VError):
    """An option, a schema or a vocabulary that cannot be used.

    options   those that the message names, as Python spells them; the command spells them as flags
    """

    exit_code = 2

    def __init__(self, message: str = "", options: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


class CorpusError(FastW2VError):
    """A corpus that cannot be read, or is corrupt."""

    exit_code = 3


class DivergedError(FastW2VError):
    """Training left the finite numbers."""

    exit_code = 4


class StepSizeWarning(UserWarning):
    """A step size with which a run ends, in vectors that are worth little."""


class NoPairWarning(UserWarning):
    """A corpus of a few words, of which subsampling left no pair: the vectors are as they were drawn."""


class OutputError(FastW2VError):
    """An output that cannot be written, or memory that cannot be had."""

    exit_code = 5
