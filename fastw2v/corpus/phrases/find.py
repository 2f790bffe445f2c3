"""Phrases found in an encoded corpus and joined there, in as many passes as are asked for.

    ids ─► pairs counted ─► scores ─► phrases ─► ids with phrases ─► … ─► vocabulary, ids, offsets

A pass joins two words, each of which may be a phrase of the pass before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.encoding import Encoder
from fastw2v.corpus.ids.memory import Budget
from fastw2v.corpus.ids.segments import Segment
from fastw2v.corpus.ids.storage import SpillBuffer, forget
from fastw2v.corpus.phrases.chains import CONNECTOR, ENDS, RARE, STARTS, Chains, Text
from fastw2v.corpus.phrases.count import PairCounter, Pairs
from fastw2v.corpus.phrases.join import Joiner, PhraseTables, first_seen
from fastw2v.corpus.phrases.score import Totals, least_count, scores_of
from fastw2v.corpus.phrases.table import table_of_pairs
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.errors import OutputError
from fastw2v.options.phrases import PhraseSettings

OnPass = Callable[[int, float], None]


class Phrase(NamedTuple):
    """A phrase, how often its words stand together, and its score.

    occurrences   of the pair, where it was scored: where pairs overlap, fewer are joined
    """

    phrase: str
    occurrences: int
    score: float


class Joined(NamedTuple):
    """A corpus with its phrases joined: ids, offsets and vocabulary as of `Corpus`.

    n_tokens   all, also those outside the vocabulary
    phrases    those found, the highest score first
    n_joined   places where one was joined, of each pass
    passes     the phrases of each pass: the words, connector words among them, to the spelling
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    n_tokens: int
    phrases: list[Phrase]
    n_joined: list[int]
    passes: list[dict[tuple[str, ...], str]]

    @property
    def note(self) -> str:
        """What came of it, in a line."""
        if not self.phrases:
            return "no pair of words scores enough for a phrase: lower the threshold or the minimum count"
        places = ", then ".join(f"{n:,}" for n in self.n_joined)
        return f"joined {len(self.phrases):,} phrases, at {places} places; {self.n_tokens:,} words are left"


def find_phrases(
    corpus: tuple[NDArray[np.int32], NDArray[np.int64], Vocabulary],
    settings: PhraseSettings,
    *,
    limits: tuple[int, int | None] = (1, None),
    room: Budget,
    threads: int = 1,
    on_pass: OnPass | None = None,
) -> Joined:
    """Find phrases in a corpus and join them.

    corpus     ids, offsets and vocabulary as of `Corpus`, of all words: also rare ones part others
    limits     of the vocabulary: the least count of a word or phrase, and how many there are at most
    room       ids in memory, and a third of what each worker's table of pairs may take
    on_pass    called about ten times a second with the number of the pass and its share

    The result does not depend on the number of threads or the memory. Raises UsageError for too many chains
    of connector words, OutputError where memory or the folder for temporary files ends.
    """
    with memory_told():
        return _find(corpus, settings, limits, room, threads, on_pass)


@contextlib.contextmanager
def memory_told() -> Iterator[None]:
    """Within the block, an end of memory is an OutputError that says what to do."""
    try:
        yield
    except MemoryError as error:
        raise OutputError(
            "memory ended while finding phrases: raise the threshold or the minimum count for fewer, "
            "or lower --memory-limit"
        ) from error


def _find(
    corpus: tuple[NDArray[np.int32], NDArray[np.int64], Vocabulary],
    settings: PhraseSettings,
    limits: tuple[int, int | None],
    room: Budget,
    threads: int,
    on_pass: OnPass | None,
) -> Joined:
    """What `find_phrases` gives, which says what these are."""
    ids, offsets, vocabulary = corpus
    words = Words(vocabulary, settings)
    found: dict[str, Phrase] = {}
    n_joined: list[int] = []
    passes: list[dict[tuple[str, ...], str]] = []
    half = room.ids // 2  # there are the ids of this pass and those of the next
    is_last = False
    while not is_last:
        number = len(n_joined) + 1

        def told(share: float, number: int = number) -> None:
            if on_pass:
                on_pass(number, share)

        step = Pass(Text(ids, offsets, words.roles()), words, threads, told)
        phrases = step.find(3 * room.table)
        is_last = not phrases or number == settings.passes
        with contextlib.closing(SpillBuffer(half)) as spill:
            segments = step.join(spill)
            mapping = np.arange(len(words), dtype=np.int32)
            if is_last:
                vocabulary, mapping = words.chosen(first_seen(segments, spill, len(words)), *limits)
            ids, offsets = Encoder(segments, [[mapping]], spill, threads).stored(half)
        n_joined.append(step.n_joined)
        passes.append(step.spellings())
        found = {phrase.phrase: phrase for phrase in phrases} | found
        forget(ids)
    in_order = sorted(found.values(), key=lambda phrase: (-phrase.score, -phrase.occurrences, phrase.phrase))
    return Joined(ids, offsets, vocabulary, int(words.counts.sum()), in_order, n_joined, passes)


def counts_with_pairs(
    corpus: tuple[NDArray[np.int32], NDArray[np.int64], Vocabulary],
    settings: PhraseSettings,
    *,
    room: Budget,
    threads: int = 1,
) -> dict[str, int]:
    """How often each word that is no connector word occurs, and each pair of these, joined as a phrase.

    Of all pairs, which may take more memory than the text: 3.9 million in one of 17 million tokens.
    corpus, settings, room, threads   as of `find_phrases`
    """
    ids, offsets, vocabulary = corpus
    words = Words(vocabulary, settings._replace(scoring="gensim"))  # to which no word is too rare
    text = Text(ids, offsets, words.roles())
    with memory_told():
        chains = Chains(text)

        def all_of(pairs: Pairs) -> NDArray[np.bool_]:
            return np.ones(len(pairs.firsts), bool)

        counter = PairCounter(text, chains.table, all_of, threads=threads, table_bytes=3 * room.table)
        pairs = counter.count()
    counted = zip(words.words, words.counts.tolist(), words.is_connector.tolist(), strict=True)
    counts = {word: n for word, n, is_connector in counted if n and not is_connector}
    for first, second, chain, n in zip(*(values.tolist() for values in pairs), strict=True):
        parts = [words.words[i] for i in (first, *chains.words_of(chain), second)]
        phrase = settings.delimiter.join(parts)
        counts[phrase] = counts.get(phrase, 0) + n
    return counts


class Words:
    """The words so far: those of the corpus, and after them the phrases.

    counts        int64 (n_words,), occurrences in the text as it is
    is_connector  bool (n_words,)
    """

    def __init__(self, vocabulary: Vocabulary, settings: PhraseSettings) -> None:
        self.words, self.counts, self.settings = list(vocabulary.words), vocabulary.counts.copy(), settings
        self.is_connector = self._connectors(self.words)
        # A phrase that is spelt like a word is that word; only words with the delimiter can be.
        self._ids = {word: i for i, word in enumerate(self.words) if settings.delimiter in word}

    def __len__(self) -> int:
        return len(self.words)

    def _connectors(self, words: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([word in self.settings.connector_words for word in words], bool)

    def roles(self) -> NDArray[np.uint8]:
        """uint8 (n_words,): which are connectors, and which are too rare for any phrase."""
        roles = np.where(self.is_connector, np.uint8(CONNECTOR), np.uint8(0))
        if self.settings.scoring != "gensim":  # whose scores depend on the number of all pairs
            least = least_count(self.settings.scoring, self.settings.min_count)
            roles[(self.counts < least) & ~self.is_connector] = RARE
        return roles

    def add(self, parts: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], list[str]]:
        """Ids int32 (n_phrases,) of phrases of these words, and how they are spelt; words keep their ids."""
        spellings = [self.settings.delimiter.join([self.words[i] for i in ids]) for ids in parts]
        for phrase in spellings:
            if phrase not in self._ids:
                self._ids[phrase] = len(self.words)
                self.words.append(phrase)
        new = self.words[len(self.counts) :]
        self.counts = np.append(self.counts, np.zeros(len(new), np.int64))
        self.is_connector = np.append(self.is_connector, self._connectors(new))
        return np.array([self._ids[phrase] for phrase in spellings], np.int32), spellings

    def recount(
        self, parts: Sequence[Sequence[int]], word_of: NDArray[np.int32], n: NDArray[np.int64]
    ) -> None:
        """Take notice that phrases of these words, which have these ids, were joined n times each."""
        lengths = [len(ids) for ids in parts]
        flat = np.array([i for ids in parts for i in ids], np.int64)
        np.subtract.at(self.counts, flat, np.repeat(n, lengths))
        np.add.at(self.counts, word_of, n)

    def chosen(
        self, first: NDArray[np.int64], min_count: int, max_vocab: int | None
    ) -> tuple[Vocabulary, NDArray[np.int32]]:
        """The vocabulary of the text as it is, and int32 (n_words,), each word's id in it or -1.

        first   int64 (n_words,), what orders words of one count
        """
        kept = ranked(self.counts, first, max(min_count, 1), max_vocab)
        ids = np.full(len(self.words), -1, np.int32)
        ids[kept] = np.arange(len(kept), dtype=np.int32)
        return Vocabulary([self.words[i] for i in kept.tolist()], self.counts[kept]), ids


class Pass:
    """One pass over a text: its phrases, and the text with them.

    n_joined   places where one was joined
    """

    n_joined = 0

    def __init__(self, text: Text, words: Words, threads: int, on_progress: Callable[[float], None]) -> None:
        self.text, self.words, self.threads, self.on_progress = text, words, threads, on_progress
        self.chains = Chains(text)

    def find(self, table_bytes: int) -> list[Phrase]:
        """Find the phrases of the text; each worker's table of pairs may take so many bytes."""
        settings, counts = self.words.settings, self.words.counts
        n_words, n_tokens = np.count_nonzero(counts[~self.words.is_connector]), len(self.text.ids)

        def scores(pairs: Pairs, n_pairs: int) -> NDArray[np.float64]:
            """The scores of pairs, where there are n_pairs distinct ones in all."""
            totals = Totals(n_tokens, int(n_words) + n_pairs)
            of_words = counts[pairs.firsts], counts[pairs.seconds]
            return scores_of(settings.scoring, pairs.counts, *of_words, settings.min_count, totals)

        def may_be_phrases(pairs: Pairs) -> NDArray[np.bool_]:
            """Whether they score enough if all pairs are distinct: how many are is known in the end."""
            return scores(pairs, n_tokens) > settings.threshold

        counter = PairCounter(
            self.text, self.chains.table, may_be_phrases, threads=self.threads, table_bytes=table_bytes
        )
        pairs = counter.count(lambda share: self.on_progress(0.8 * share))
        forget(self.text.offsets)
        exact = scores(pairs, counter.n_distinct)
        is_phrase = exact > settings.threshold
        self.pairs = Pairs(*(values[is_phrase] for values in pairs))
        self.parts = [
            [first, *self.chains.words_of(chain), second]
            for first, second, chain, _ in zip(*(values.tolist() for values in self.pairs), strict=True)
        ]
        self.word_of, spellings = self.words.add(self.parts)
        return list(map(Phrase, spellings, self.pairs.counts.tolist(), exact[is_phrase].tolist()))

    def spellings(self) -> dict[tuple[str, ...], str]:
        """The words of each phrase that was found, connector words among them, to its spelling."""
        words = self.words.words
        spelt = zip(self.parts, self.word_of.tolist(), strict=True)
        return {tuple(words[i] for i in ids): words[phrase] for ids, phrase in spelt}

    def join(self, spill: SpillBuffer) -> list[Segment]:
        """The text with the phrases that were found, and the words' counts as they are then."""
        roles = self.text.roles & np.uint8(CONNECTOR)
        roles[self.pairs.firsts] |= np.uint8(STARTS)
        roles[self.pairs.seconds] |= np.uint8(ENDS)
        pairs = table_of_pairs(self.pairs.firsts, self.pairs.seconds, self.pairs.chains)
        tables = PhraseTables(self.chains.table, pairs, self.word_of)
        joiner = Joiner(self.text._replace(roles=roles), tables, spill, self.threads)
        segments = joiner.join(lambda share: self.on_progress(0.8 + 0.2 * share))
        forget(self.text.offsets)
        self.words.recount(self.parts, self.word_of, joiner.n_joined)
        self.n_joined = int(joiner.n_joined.sum())
        return segments
