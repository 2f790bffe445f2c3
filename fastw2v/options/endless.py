"""A stream without end: the options of training on it, and which others mean nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastw2v.options.checks import Whole
from fastw2v.options.fields import described, option, settle
from fastw2v.options.together import check_switch, refuse_idle

# The step size of --lr auto: it cannot fall to an end that nobody knows. docs/endless.md has the figures.
CONSTANT_STEP = 0.05


@described
@dataclass(frozen=True)
class EndlessConfig:
    """Options of training on a stream: read once, with a vocabulary of bounded size that changes."""

    endless: bool = option(
        False, "Stream", "SOURCE has no end: train as it comes, write vectors every so often."
    )
    vocabulary_size: int = option(
        100_000,
        "Stream",
        "Most words at a time; rarer ones leave where others join.",
        limits=Whole(2, 2**30),
    )
    save_every: int = option(
        10_000_000, "Stream", "Write vectors after so many words, and at the end.", limits=Whole(1)
    )
    chunk_words: int = option(
        1_000_000, "Stream", "Words that are counted, and then trained, at a time.", limits=Whole(1, 2**30)
    )

    def __post_init__(self) -> None:
        """Check the limits, and that there is a stream. Raises UsageError."""
        settle(self)
        check_switch(self, "endless", "a stream")


_JUDGED = "a stream is read once, and nothing of it is kept to judge by"
# What means nothing to a stream where it has another value than its default, and why. One way of counting
# words serves them all: a model that has other rows than words, or learns from all words at once, does not
# stand that words leave.
IDLE: dict[str, str] = {
    "epochs": "a stream is read once",
    "minutes": "a stream has no last minute to reckon with: end it by a signal",
    "min_lr": "the step size stays as it is, for nobody knows the end that it would fall to",
    "shuffle": "sentences are trained in the order in which they come",
    "loss": "words leave and join, and negative sampling alone has rows of words and nothing else",
    "subwords": "words leave and join, and rows of n-grams are shared by both",
    "freeze": "rows of words that join have to be trained",
    "holdout": _JUDGED,
    "patience": _JUDGED,
    "leave_last_out": _JUDGED,
    "eval_next_item": _JUDGED,
    "eval_every": _JUDGED,
    "eval_similarity": _JUDGED,
    "eval_analogy": _JUDGED,
    "phrases": "phrases are found in a text that is there: join them before, by 'fastw2v phrases'",
    "group_by": "a group may go on for ever, and no row of it is trained before its end",
    "kmers": "which letters they are of is known by all of them",
    "weight": "words are counted by their occurrences",
    "ids": "places are of a vocabulary that is given, and that of a stream changes",
    "max_vocab": "vocabulary_size is the number of words at a time",
    "graph": "walks are drawn over a graph that is there",
    "pairs": "pairs have two vocabularies that are counted first",
    "sync_words": "a stream is read by one process",
    "combine": "a stream is read by one process",
    "overlap": "a stream is read by one process",
    "memory_limit": "memory is bounded by vocabulary_size and chunk_words",
    "cache_dir": "it keeps ids, and nothing of a stream is kept",
    "checkpoint": "a stream cannot be read again: keep the model, by save_model, and go on by continue_from",
    "checkpoint_every": "models are kept by save_every",
    "resume": "a stream cannot be read again: go on with its model, by continue_from",
    "vocabulary": "the words of a stream are those that come",
    "init": "words join as they come: go on with a model, by continue_from",
    "init_vectors": "words join as they come: go on with a model, by continue_from",
    "init_outside": "words join as they come: go on with a model, by continue_from",
    "read_vocab": "the words of a stream are those that come",
    "dry_run": "nobody knows what a stream will take",
}
# What some of these lines name in its place.
INSTEAD = ("save_model", "continue_from", "vocabulary_size", "chunk_words", "save_every")
HARMLESS = {("ids", "words")}  # which is what integers are without it


def idle_options(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """The options that a stream leaves without effect and that are given nevertheless: name, value, why.

    given, defaults   by name; what is no default is given
    """
    for name, why in IDLE.items():
        value = given.get(name)
        is_default = value in (None, False, ()) or value == defaults.get(name)
        if not is_default and (name, value) not in HARMLESS:
            yield name, value, why


def refuse_idle_options(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise UsageError for the first option that means nothing to a stream; as `idle_options`."""
    idle = idle_options(given, defaults)
    refuse_idle(idle, "endless", ", and endless leaves it without effect", INSTEAD)
