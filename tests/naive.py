"""Plain twins of the fast code: written to be read, not to be fast."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

# ---- Corpus ------------------------------------------------------------------------------------------------

Row = str | list[str | None] | None  # a text, a list of tokens, or null


class NaiveCorpus(NamedTuple):
    """A corpus as plain Python: what `read_corpus` must find."""

    ids: list[int]
    offsets: list[int]
    words: list[str]
    counts: list[int]
    n_words_read: int
    n_rows: int
    n_null: int


def naive_tokens(row: Row) -> list[str]:
    """The tokens of a row: a text is split at white space, a list's items are taken as they are."""
    if row is None:
        return []
    return row.split() if isinstance(row, str) else [item for item in row if item is not None]


def naive_nulls(row: Row) -> int:
    """Nulls in a row: the row itself, or items of its list."""
    return sum(item is None for item in row) if isinstance(row, list) else int(row is None)


def naive_counts(sentences: Iterable[list[str]]) -> dict[str, int]:
    """How often each word occurs, in the order first seen."""
    counts: dict[str, int] = {}
    for sentence in sentences:
        for word in sentence:
            counts[word] = counts.get(word, 0) + 1
    return counts


def naive_corpus(
    rows: list[Row], min_count: int = 1, max_vocab: int | None = None, vocabulary: list[str] | None = None
) -> NaiveCorpus:
    """Count, choose and number words; leave out the others and the sentences without any word.

    With a vocabulary, its words are numbered as they come, and their counts here are those of the rows.
    """
    sentences = [naive_tokens(row) for row in rows]
    counts = naive_counts(sentences)
    if vocabulary is None:
        frequent = [word for word in counts if counts[word] >= min_count]
        vocabulary = sorted(frequent, key=lambda word: -counts[word])[:max_vocab]
    index = {word: i for i, word in enumerate(vocabulary)}
    ids: list[int] = []
    offsets = [0]
    for sentence in sentences:
        kept = [index[word] for word in sentence if word in index]
        if kept:
            ids += kept
            offsets.append(len(ids))
    return NaiveCorpus(
        ids=ids,
        offsets=offsets,
        words=vocabulary,
        counts=[counts.get(word, 0) for word in vocabulary],
        n_words_read=sum(counts.values()),
        n_rows=len(rows),
        n_null=sum(naive_nulls(row) for row in rows),
    )


# ---- Phrases -----------------------------------------------------------------------------------------------


class NaivePhrases(NamedTuple):
    """How phrases are found, as `fastw2v.options.phrases.PhraseSettings` has it."""

    passes: int
    scoring: str
    threshold: float
    min_count: int
    delimiter: str
    connector_words: frozenset[str]


Pair = tuple[str, ...]  # two words, and the connector words between them


def naive_pairs(sentence: list[str], connector_words: frozenset[str]) -> list[Pair]:
    """Each word that is no connector with the one before it, and the connector words between."""
    pairs: list[Pair] = []
    pending: list[str] = []
    for word in sentence:
        if word not in connector_words:
            if pending:
                pairs.append((*pending, word))
            pending = [word]
        elif pending:
            pending.append(word)
    return pairs


def naive_score(
    pair: Pair, pairs: dict[Pair, int], words: dict[str, int], n: int, how: NaivePhrases
) -> float:
    """The score of a pair that occurs, in a text of n tokens."""
    ab, a, b = pairs[pair], words[pair[0]], words[pair[-1]]
    if how.scoring == "npmi":
        if ab < how.min_count:
            return -math.inf
        return math.log((ab / n) / ((a / n) * (b / n))) / -math.log(ab / n)
    size = n if how.scoring == "word2phrase" else len(words) + len(pairs)
    return (ab - how.min_count) / float(a * b) * size


def naive_join(sentence: list[str], phrases: dict[Pair, float], how: NaivePhrases) -> list[str]:
    """A sentence with its phrases joined, the first of those that overlap."""
    joined: list[str] = []
    pending: list[str] = []
    for word in sentence:
        if word in how.connector_words:
            (pending if pending else joined).append(word)
        elif pending and (*pending, word) in phrases:
            joined.append(how.delimiter.join([*pending, word]))
            pending = []
        else:
            joined += pending
            pending = [word]
    return joined + pending


def naive_phrases(sentences: list[list[str]], how: NaivePhrases) -> tuple[list[list[str]], dict[str, float]]:
    """The sentences with their phrases, and the phrases with their scores."""
    found: dict[str, float] = {}
    for _ in range(how.passes):
        words = naive_counts([[w for w in s if w not in how.connector_words] for s in sentences])
        pairs: dict[Pair, int] = {}
        for sentence in sentences:
            for pair in naive_pairs(sentence, how.connector_words):
                pairs[pair] = pairs.get(pair, 0) + 1
        n = sum(map(len, sentences))
        scores = {pair: naive_score(pair, pairs, words, n, how) for pair in pairs}
        phrases = {pair: score for pair, score in scores.items() if score > how.threshold}
        sentences = [naive_join(sentence, phrases, how) for sentence in sentences]
        found = {how.delimiter.join(pair): score for pair, score in phrases.items()} | found
    return sentences, found
