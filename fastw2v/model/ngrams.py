"""The n-grams of words: which rows of V stand for a word beside its own.

Bojanowski, Grave, Joulin and Mikolov 2017 (arXiv 1607.04606): a word is the bag of itself and of the n-grams
of some lengths of `<word>`, such as `<wo`, which are hashed to a fixed number of rows, the buckets. All as in
fastText, whose files then mean the same here: characters are UTF-8, the hash is FNV-1a of 32 bits with bytes
taken as signed, and `</s>` has no n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FNV_BASIS, FNV_PRIME = np.uint32(2166136261), np.uint32(16777619)
END_OF_SENTENCE = "</s>"  # fastText's word for a line's end
WORDS_AT_ONCE = 16_384  # takes 20 MB of words of ten characters, whatever the vocabulary
CONTINUED, FIRST_BITS = np.uint8(0x80), np.uint8(0xC0)


class Spans(NamedTuple):
    """The lengths of n-grams, in characters with the brackets, both included, and the rows they hash to.

    shortest, longest   1 ≤ shortest ≤ longest
    n_buckets           at least 1
    """

    shortest: int
    longest: int
    n_buckets: int


class Rows(NamedTuple):
    """The bag of each word: word w stands for the mean of rows[offsets[w]:offsets[w + 1]] of V.

    offsets  int64 (n_words + 1,)
    rows     int32 (n,): of a word its own row, w, then n_words + bucket for each of its n-grams
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]


def bags_of_words(words: Sequence[str], spans: Spans) -> Rows:
    """The bags of the words of a vocabulary, in its order: the own row first, n-grams as they begin."""
    offsets, rows = [np.zeros(1, np.int64)], [np.empty(0, np.int32)]
    n_before = 0
    for start in range(0, len(words), WORDS_AT_ONCE):
        buckets, counts = buckets_of(words[start : start + WORDS_AT_ONCE], spans)
        ends = np.cumsum(counts + 1)
        bags = np.empty(len(buckets) + len(counts), np.int64)
        firsts = ends - counts - 1
        is_own = np.zeros(len(bags), bool)
        is_own[firsts] = True
        bags[is_own] = np.arange(start, start + len(counts))
        bags[~is_own] = buckets + len(words)
        rows.append(bags.astype(np.int32))
        offsets.append(n_before + ends)
        n_before += len(bags)
    return Rows(np.concatenate(offsets), np.concatenate(rows))


def buckets_of(words: Sequence[str], spans: Spans) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets of the n-grams of words, one word after the other, and how many each word has.

    Both int64. Of a word they are in the order of their first characters, then of their lengths; one that
    stands in it twice counts twice. A single bracket is none.
    """
    spelt = [
        b"" if word == END_OF_SENTENCE else b"<%b>" % word.encode(errors="surrogatepass") for word in words
    ]
    text = np.frombuffer(b"".join(spelt), np.uint8)
    ends = np.cumsum([len(one) for one in spelt], dtype=np.int64)
    starts = np.append(np.flatnonzero((text & FIRST_BITS) != CONTINUED), len(text))  # of characters, bytes
    word_of = np.searchsorted(ends, starts[:-1], side="right")
    columns = list(_hashes(text, starts, ends[word_of] if len(text) else starts[:0], spans))
    hashes = np.stack([column[0] for column in columns], axis=1)
    is_there = np.stack([column[1] for column in columns], axis=1)
    counts = np.bincount(word_of, weights=is_there.sum(axis=1), minlength=len(words)).astype(np.int64)
    return (hashes[is_there] % np.uint32(spans.n_buckets)).astype(np.int64), counts


def _in_brackets(word: str) -> bytes:
    return b"" if word == END_OF_SENTENCE else b"<%b>" % word.encode(errors="surrogatepass")


def _hashes(
    text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], spans: Spans
) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.bool_]]]:
    """For each length: the hash of what begins at each character, and whether that is an n-gram of its word.

    starts  int64 (n + 1,), the byte of each character, and the end
    ends    int64 (n,), where the word of each character ends
    """
    n = len(starts) - 1
    hashes, places = np.full(n, FNV_BASIS), np.arange(n)
    signed = text.view(np.int8).astype(np.int32).view(np.uint32)
    widths = np.diff(starts)
    is_first = np.append(True, ends[1:] != ends[:-1])[:n]
    for length in range(1, spans.longest + 1):
        is_within = places < n
        is_within[is_within] &= starts[places[is_within]] < ends[is_within]
        ongoing = np.flatnonzero(is_within)
        for byte in range(int(widths[places[ongoing]].max(initial=0))):
            some = ongoing[widths[places[ongoing]] > byte]
            hashes[some] = (hashes[some] ^ signed[starts[places[some]] + byte]) * FNV_PRIME
        places = places + 1
        if length >= spans.shortest:
            is_bracket = (is_first | (starts[1:] == ends)) if length == 1 else np.zeros(n, bool)
            yield hashes.copy(), is_within & ~is_bracket
