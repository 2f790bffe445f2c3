"""gensim's Phrases, found by fastw2v: the same phrases at the same settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.config import ReadConfig
from fastw2v.corpus.ids.memory import Memory, budget
from fastw2v.corpus.phrases.find import Joined, counts_with_pairs, find_phrases
from fastw2v.corpus.phrases.result import join_tokens
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.gensim.arguments import bound, signature
from fastw2v.gensim.counting import read, source_of
from fastw2v.gensim.faults import ArgumentError, ArgumentTypeError, gensim_names
from fastw2v.gensim.store import arrays_of, as_json, from_json
from fastw2v.options.phrases import CONNECTOR_WORDS, short_names
from fastw2v.system.files import atomic_writer
from fastw2v.system.machine import usable_cores

ARGUMENTS: dict[str, Any] = {
    "sentences": None,
    "min_count": 5,
    "threshold": 10.0,
    "max_vocab_size": 40_000_000,
    "delimiter": "_",
    "progress_per": 10_000,
    "scoring": "default",
    "connector_words": frozenset(),
}
SCORINGS = {"default": "gensim", "npmi": "npmi"}
ENGLISH_CONNECTOR_WORDS = frozenset(CONNECTOR_WORDS["english"].split())


class Joiner:
    """What joins phrases in sentences: `joiner[sentence]` one, `joiner[sentences]` many, as they are read."""

    connector_words: frozenset[str]

    @property
    def _phrases(self) -> Mapping[tuple[str, ...], str]:
        """The words of each phrase, connector words among them, to its spelling."""
        raise NotImplementedError

    @property
    def phrasegrams(self) -> dict[str, float]:
        """Each phrase and its score."""
        raise NotImplementedError

    def __getitem__(self, sentences: Any) -> Any:
        """A sentence with its phrases joined, or an iterable of those of several."""
        if isinstance(sentences, str) or not isinstance(sentences, Iterable):
            raise ArgumentTypeError(
                f"{str(sentences)[:40]!r} is no sentence: give a list of words, or of sentences"
            )
        if isinstance(sentences, Iterator):
            start = list(itertools.islice(sentences, 1))
            sentences = itertools.chain(start, sentences)
        else:
            start = list(itertools.islice(sentences, 1))
        if not start or isinstance(start[0], str):
            return join_tokens(list(sentences), self._phrases, self.connector_words)
        return Joining(self, sentences)

    def find_phrases(self, sentences: Iterable[Sequence[str]]) -> dict[str, float]:
        """The phrases that are in these sentences, with their scores."""
        scores = self.phrasegrams
        found: dict[str, float] = {}
        for sentence in sentences:
            words = set(sentence)
            found |= {
                word: scores[word] for word in self[list(sentence)] if word in scores and word not in words
            }
        return found


class Joining:
    """Sentences with phrases joined as they are asked for; as often as the sentences can be."""

    def __init__(self, joiner: Joiner, sentences: Iterable[Sequence[str]]) -> None:
        self.joiner, self.sentences = joiner, sentences

    def __iter__(self) -> Iterator[list[str]]:
        """Each sentence."""
        for sentence in self.sentences:
            yield self.joiner[list(sentence)]


class Phrases(Joiner):
    """Phrases of two words that stand together more often than by chance, with gensim's arguments.

    min_count, threshold, delimiter and connector_words may be set later: phrases are scored anew then.
    scoring is "default" or "npmi". The corpus is kept as numbers, so that more sentences can be added.

    Raises UsageError. max_vocab_size and progress_per have no effect, and warn.
    """

    __signature__ = signature(ARGUMENTS)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        given = bound("Phrases", ARGUMENTS, arguments, named)
        self.min_count, self.threshold = given["min_count"], given["threshold"]
        self.delimiter, self.scoring = given["delimiter"], given["scoring"]
        self.connector_words = frozenset(given["connector_words"])
        self._corpus: tuple[Any, Any, Vocabulary] | None = None
        self._found: tuple[object, Joined] | None = None
        self._counts: tuple[object, dict[str, int]] | None = None
        self._settings()
        if given["sentences"] is not None:
            self.add_vocab(given["sentences"])

    def __repr__(self) -> str:
        n_words = len(self._corpus[2]) if self._corpus else 0
        return f"Phrases<{n_words} words, min_count={self.min_count}, threshold={self.threshold}>"

    def _settings(self) -> Any:
        """How phrases are found. Raises ArgumentError for a value that cannot be used."""
        if not isinstance(self.scoring, str) or self.scoring not in SCORINGS:
            raise ArgumentError(
                f"scoring is {self.scoring!r}: it is 'default' or 'npmi'; functions are not called"
            )
        with gensim_names(), short_names():
            config = ReadConfig(
                phrases=1,
                phrase_scoring=SCORINGS[self.scoring],  # type: ignore[arg-type]
                phrase_threshold=self.threshold,
                phrase_min_count=self.min_count,
                phrase_delimiter=self.delimiter,
                connector_words=self.connector_words,  # type: ignore[arg-type]
            )
        return config.phrase_settings

    def add_vocab(self, sentences: Any) -> None:
        """Count the words and pairs of more sentences."""
        source = source_of(sentences, None, once=True)
        more = read(source, usable_cores())[:3]
        self._corpus = more if self._corpus is None else together(self._corpus, more)
        self._found = self._counts = None

    @property
    def vocab(self) -> dict[str, int]:
        """How often each word, and each pair with connector words between, occurs; counted when asked for."""
        settings, threads = self._settings(), usable_cores()
        if self._corpus is None:
            return {}
        if self._counts is None or self._counts[0] != settings:
            room = budget(Memory().limit, threads, 1)
            found = counts_with_pairs(self._corpus, settings, room=room, threads=threads)
            self._counts = settings, found
        return self._counts[1]

    @property
    def _joined(self) -> Joined | None:
        """What the corpus comes to at the settings as they are."""
        if self._corpus is None:
            return None
        settings = self._settings()
        if self._found is None or self._found[0] != settings:
            threads = usable_cores()
            room = budget(Memory().limit, threads, 1)
            self._found = settings, find_phrases(self._corpus, settings, room=room, threads=threads)
        return self._found[1]

    @property
    def _phrases(self) -> Mapping[tuple[str, ...], str]:
        return self._joined.passes[0] if self._joined and self._joined.passes else {}

    @property
    def phrasegrams(self) -> dict[str, float]:
        """Each phrase and its score."""
        return {found.phrase: found.score for found in self._joined.phrases} if self._joined else {}

    def export_phrases(self) -> dict[str, float]:
        """Each phrase and its score, the highest first."""
        return self.phrasegrams

    def freeze(self) -> FrozenPhrases:
        """What joins the same phrases, without the corpus."""
        return FrozenPhrases(self)

    def save(self, path: str | Path) -> None:
        """Write it with its corpus to one npz file, without pickle. Raises OutputError."""
        nothing = np.zeros(0, np.int32), np.zeros(1, np.int64), Vocabulary([], np.zeros(0, np.int64))
        ids, offsets, known = self._corpus or nothing
        names = ("min_count", "threshold", "delimiter", "scoring")
        settings = {name: getattr(self, name) for name in names}
        settings["connector_words"] = sorted(self.connector_words)
        with atomic_writer(Path(path)) as file:
            parts: dict[str, Any] = {
                "settings": as_json(settings),
                "words": as_json(known.words),
                "counts": known.counts,
            }
            np.savez(file, ids=ids, offsets=offsets, **parts)

    @classmethod
    def load(cls, path: str | Path) -> Phrases:
        """What `save` wrote. Raises CorpusError for a file that is none, gensim's pickles among them."""
        parts = arrays_of(Path(path), ("settings", "words", "counts", "ids", "offsets"))
        phrases = cls(**from_json(parts["settings"]))
        if words := from_json(parts["words"]):
            phrases._corpus = parts["ids"], parts["offsets"], Vocabulary(words, parts["counts"])
        return phrases


class FrozenPhrases(Joiner):
    """Joins the phrases that a Phrases found; more sentences cannot be added."""

    def __init__(self, phrases_model: Phrases) -> None:
        self.connector_words = phrases_model.connector_words
        self._words, self._scores = dict(phrases_model._phrases), phrases_model.phrasegrams

    @property
    def _phrases(self) -> Mapping[tuple[str, ...], str]:
        return self._words

    @property
    def phrasegrams(self) -> dict[str, float]:
        """Each phrase and its score."""
        return self._scores

    def __repr__(self) -> str:
        return f"FrozenPhrases<{len(self._words)} phrases>"

    def save(self, path: str | Path) -> None:
        """Write it to one npz file, without pickle. Raises OutputError."""
        known = {"words": [[*words] for words in self._words], "spelt": [*self._words.values()]}
        with atomic_writer(Path(path)) as file:
            settings = known | {"scores": self._scores, "connector_words": sorted(self.connector_words)}
            np.savez(file, frozen=as_json(settings))

    @classmethod
    def load(cls, path: str | Path) -> FrozenPhrases:
        """What `save` wrote. Raises CorpusError for a file that is none."""
        known = from_json(arrays_of(Path(path), ("frozen",))["frozen"])
        frozen = cls.__new__(cls)
        frozen.connector_words, frozen._scores = frozenset(known["connector_words"]), known["scores"]
        frozen._words = {
            tuple(words): spelt for words, spelt in zip(known["words"], known["spelt"], strict=True)
        }
        return frozen


Phraser = FrozenPhrases


def together(
    first: tuple[Any, Any, Vocabulary], second: tuple[Any, Any, Vocabulary]
) -> tuple[Any, Any, Vocabulary]:
    """Two corpora as one: ids int32, offsets int64 and vocabulary of all words by their counts."""
    counts: dict[str, int] = {}
    for _, _, known in (first, second):
        for word, count in zip(known.words, known.counts.tolist(), strict=True):
            counts[word] = counts.get(word, 0) + count
    words = Vocabulary.from_counts(list(counts), list(counts.values()))
    ids = [
        np.array([words.index[word] for word in known.words], np.int32)[ids]
        for ids, _, known in (first, second)
    ]
    offsets = np.concatenate([first[1], second[1][1:] + first[1][-1]])
    return np.concatenate(ids), offsets, words
