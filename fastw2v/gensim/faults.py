"""Errors of the house that are also what gensim raises there, so that a caller's `except` still holds."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator

from fastw2v.errors import CorpusError, UsageError

# What messages of training call an argument that gensim calls otherwise.
NAMES = {
    "dim": "vector_size",
    "negatives": "negative",
    "lr": "alpha",
    "min_lr": "min_alpha",
    "threads": "workers",
    "dynamic_window": "shrink_windows",
    "subwords": "min_n-max_n",
    "buckets": "bucket",
}


class VocabularyError(UsageError, RuntimeError):
    """There are no words, or no vectors, for what was asked."""


class ArgumentError(UsageError, ValueError):
    """An argument has a value that cannot be used here."""


class NotHereError(UsageError, NotImplementedError):
    """An argument asks for what is not here, nor in gensim."""


class ArgumentTypeError(UsageError, TypeError):
    """An argument is of a wrong kind, or there is none of that name."""


class OtherFileError(CorpusError, AttributeError):
    """A file holds something else than a model of this class: vectors alone, or gensim's pickle."""


class IdleArgumentWarning(UserWarning):
    """An argument of gensim's that has no effect here, or another one."""


def warn(message: str, stacklevel: int = 3) -> None:
    """Warn of an argument, by default at who called the method that calls this."""
    warnings.warn(message, IdleArgumentWarning, stacklevel=stacklevel)


@contextlib.contextmanager
def gensim_names() -> Iterator[None]:
    """Within the block, errors call the arguments by gensim's names."""
    try:
        yield
    except UsageError as error:
        known = "|".join(NAMES)
        message = re.sub(rf"(?<![-\w'\"])({known})(?![-\w'\"])", lambda found: NAMES[found[0]], str(error))
        raise ArgumentError(message, [NAMES.get(name, name) for name in error.options]) from None
