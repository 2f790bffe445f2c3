"""How phrases are found: the options of reading that ask for them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from fastw2v.errors import UsageError
from fastw2v.options import checks
from fastw2v.options.checks import Real, Whole
from fastw2v.options.fields import option

Scoring = Literal["word2phrase", "gensim", "npmi"]

# What a score must exceed. Those of word2phrase.c and of gensim's Phrases; of NPMI, whose most is 1, half.
THRESHOLDS = {"word2phrase": 100.0, "gensim": 10.0, "npmi": 0.5}
MAX_PASSES = 10
# gensim's ENGLISH_CONNECTOR_WORDS: articles, prepositions, conjunctions.
CONNECTOR_WORDS = {"english": "a an the for of with without at from to in on by and or"}


# What options are called where nothing else is asked for: by `fastw2v phrases`, and in Python.
SHORT = {
    "phrases": "passes",
    "phrase_scoring": "scoring",
    "phrase_threshold": "threshold",
    "phrase_min_count": "min_count",
    "phrase_delimiter": "delimiter",
    "connector_words": "connector_words",
}


class PhraseSettings(NamedTuple):
    """How phrases are found, all of it settled."""

    passes: int
    scoring: str
    threshold: float
    min_count: int
    delimiter: str
    connector_words: frozenset[str]


@dataclass(frozen=True)
class PhraseOptions:
    """The options of phrases, of which ReadConfig is made."""

    phrases: int = option(
        0,
        "Phrases",
        "Join words that belong together, in so many passes: new_york, then new_york_times; 0 is off.",
        limits=Whole(0, MAX_PASSES),
        alone=1,
    )
    phrase_scoring: Scoring = option("word2phrase", "Phrases", "What a pair of words is worth.")
    phrase_threshold: float | None = option(
        None,
        "Phrases",
        "Join pairs that score more: fewer for a higher one.",
        limits=Real("above 0, of npmi from -1 to 1"),
        shown="100, of gensim 10, of npmi 0.5",
    )
    phrase_min_count: int = option(
        5, "Phrases", "Discount of a pair's count; of npmi, the least count.", limits=Whole(1)
    )
    phrase_delimiter: str = option("_", "Phrases", "What stands between the words of a phrase.")
    connector_words: str = option(
        "",
        "Phrases",
        "Words that may stand within a phrase, parted by spaces; `english` for of, the, and …",
        metavar="WORDS",
        shown="none",
    )

    @property
    def phrase_settings(self) -> PhraseSettings:
        """The settings, with the threshold and the words that defaults and names stand for."""
        threshold = self.phrase_threshold
        if threshold is None:
            threshold = THRESHOLDS[self.phrase_scoring]
        words = CONNECTOR_WORDS.get(self.connector_words, self.connector_words)
        return PhraseSettings(
            self.phrases,
            self.phrase_scoring,
            threshold,
            self.phrase_min_count,
            self.phrase_delimiter,
            frozenset(words.split()),
        )


def spelt(words: Any) -> Any:
    """Connector words as one text, where they are given as a set or list of words; else as they are.

    Raises UsageError for a word with white space.
    """
    if isinstance(words, str) or not isinstance(words, Iterable):
        return words
    plain = sorted(checks.words("connector_words", words))
    for word in plain:
        if [word] != word.split():
            raise checks.refuse("a word of connector_words", word, "a word without white space")
    return " ".join(plain)


def check_phrases(config: PhraseOptions) -> None:
    """Raise UsageError for a threshold beyond the scoring's, and for options of phrases without phrases."""
    for field in fields(PhraseOptions):
        value = getattr(config, field.name)
        if field.name != "phrases" and not config.phrases and value != field.default:
            raise UsageError(
                f"{field.name} is {checks.shown(value)}, but phrases is 0: set phrases to 1, or leave "
                f"{field.name} out",
                (field.name, "phrases"),
            )
    threshold, names = config.phrase_threshold, ("phrase_threshold", "phrase_scoring")
    if threshold is None:
        return
    if config.phrase_scoring == "npmi" and not -1 <= threshold <= 1:
        raise UsageError(
            f"phrase_threshold is {threshold:g}: scores of phrase_scoring npmi are from -1 to 1", names
        )
    if config.phrase_scoring != "npmi" and threshold <= 0:
        raise UsageError(
            f"phrase_threshold is {threshold:g}: it must be above 0 with phrase_scoring "
            f"{config.phrase_scoring}",
            names,
        )


def with_long_names(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by the names of ReadConfig, where they have the short ones; one pass is the default.

    Raises UsageError for less.
    """
    long = {short: name for name, short in SHORT.items()}
    named = {"phrases": 1} | {long.get(name, name): value for name, value in options.items()}
    return named | {"phrases": checks.whole("passes", named["phrases"], 1, MAX_PASSES)}


@contextlib.contextmanager
def short_names() -> Iterator[None]:
    """Within the block, errors call the options by their short names."""
    try:
        yield
    except UsageError as error:
        message = re.sub(r"\bphrase_(scoring|threshold|min_count|delimiter)\b", r"\1", str(error))
        raise UsageError(message, [SHORT.get(name, name) for name in error.options]) from None
