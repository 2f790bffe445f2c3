"""A corpus with its phrases joined, to be read, kept or written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastw2v.config import ReadConfig
from fastw2v.corpus.ids.memory import Memory, budget
from fastw2v.corpus.phrases.find import Joined, OnPass, Phrase, find_phrases
from fastw2v.corpus.phrases.write import require_lines, write_phrases, write_sentences
from fastw2v.corpus.read import plain_corpus
from fastw2v.options import checks
from fastw2v.options.spelling import for_python


class Phrases:
    """The sentences of a corpus, with phrases joined; iterating gives them as lists of str.

    found   list of Phrase(phrase, occurrences, score): how often its words stand together, and what that is
            worth; the highest score first
    notes   lines on what was read and found
    """

    def __init__(
        self, joined: Joined, connector_words: Collection[str] = (), notes: tuple[str, ...] = ()
    ) -> None:
        self._joined, self._connector_words = joined, connector_words
        self.found: list[Phrase] = joined.phrases
        self.notes = notes

    def __len__(self) -> int:
        """Sentences."""
        return len(self._joined.offsets) - 1

    def __iter__(self) -> Iterator[list[str]]:
        """Each sentence."""
        words, ids, offsets = self._joined.vocabulary.words, self._joined.ids, self._joined.offsets
        for sentence in range(len(self)):
            yield [words[i] for i in ids[offsets[sentence] : offsets[sentence + 1]].tolist()]

    def __repr__(self) -> str:
        """Sizes and the first phrases."""
        first = checks.few([phrase.phrase for phrase in self.found])
        return f"<Phrases: {len(self):,} sentences with {len(self.found):,} phrases: {first}>"

    def join(self, sentence: Sequence[str]) -> list[str]:
        """The tokens of any sentence, with the same phrases joined: of a text to come, or of a question."""
        tokens = list(sentence)
        for phrases in self._joined.passes:
            tokens = join_tokens(tokens, phrases, self._connector_words)
        return tokens

    @for_python
    def save(self, path: str | Path, on_progress: Callable[[float], None] | None = None) -> None:
        """Write the sentences to a Parquet file of lists of tokens, which `train` reads.

        Raises OutputError.
        """
        joined = self._joined
        place = checks.path("path", path)
        write_sentences(place, joined.ids, joined.offsets, joined.vocabulary.words, on_progress)

    @for_python
    def save_list(self, path: str | Path) -> None:
        """Write the phrases to a text file: phrase, count and score a line, parted by tabs.

        Raises UsageError for a phrase with a tab or a line break in it, OutputError.
        """
        place = checks.path("path", path)
        require_lines(self.found)
        write_phrases(place, self.found)


def read_phrases(
    source: Any,
    config: ReadConfig,
    *,
    threads: int,
    memory: Memory,
    on_progress: Callable[[float, int], None] | None = None,
    on_pass: OnPass | None = None,
) -> Phrases:
    """Read a corpus, find its phrases and join them; all its words stay, rare ones too.

    config   with phrases, the number of passes

    Raises what `read_corpus` does.
    """
    reading = {"threads": threads, "memory": memory, "on_progress": on_progress}
    corpus = plain_corpus(source, config, reading)
    room = budget(memory.limit, threads, memory.n_sharing)
    joined = find_phrases(corpus[:3], config.phrase_settings, room=room, threads=threads, on_pass=on_pass)
    connector_words = config.phrase_settings.connector_words
    return Phrases(joined, connector_words, (*corpus.notes, joined.note))


def join_tokens(
    sentence: Sequence[str], phrases: Mapping[tuple[str, ...], str], connector_words: Collection[str]
) -> list[str]:
    """A sentence with some phrases joined, as `join.join_range` joins them by number.

    phrases   from the words of each, connector words among them, to its spelling
    """
    joined: list[str] = []
    waiting: list[str] = []  # a word that may start a phrase, and the connector words after it
    for word in sentence:
        if word in connector_words:
            (waiting if waiting else joined).append(word)
        elif waiting and (phrase := phrases.get((*waiting, word))) is not None:
            joined.append(phrase)
            waiting = []
        else:
            joined += waiting
            waiting = [word]
    return joined + waiting
