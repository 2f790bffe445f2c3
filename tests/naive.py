"""Plain twins of the fast code: written to be read, not to be fast."""

from __future__ import annotations

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
