"""Which words may be in a vocabulary: lower case, keep-list, stop-list; once for each distinct word."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fastw2v.config import ReadConfig
from fastw2v.corpus.arrow.layouts import as_lists
from fastw2v.corpus.ids.segments import ROW_END
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.corpus.words.alphabets import canonical_bytes, canonical_word
from fastw2v.corpus.words.counter import WordCounter
from fastw2v.corpus.words.table import COUNT, FIRST_SEEN, Table
from fastw2v.errors import CorpusError


class NotUtf8Error(CorpusError):
    """A word of the vocabulary is not UTF-8; word is its bytes."""

    def __init__(self, name: str, word: bytes) -> None:
        super().__init__(f"{name}: the word {word[:40]!r} is not UTF-8; convert the corpus to UTF-8")
        self.word = word


class InvalidWords(NamedTuple):
    """Words that are not UTF-8: how many, how often they occur together, and the first of the corpus."""

    n_words: int
    n_tokens: int
    first: bytes


def bad_words(table: Table) -> InvalidWords | None:
    """The words of a table that are not UTF-8, if any."""
    words = _words(table)
    if _is_utf_8(words):
        return None
    is_bad = np.array([_is_bad(word) for word in words.to_pylist()])
    records = table.records[: len(words)]
    first = np.flatnonzero(is_bad)[records[is_bad, FIRST_SEEN].argmin()]
    return InvalidWords(int(is_bad.sum()), int(records[is_bad, COUNT].sum()), words[int(first)].as_py())


def valid_words(table: Table) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The words of a table as bytes, in the order of its entries, and bool (n_words,): which are UTF-8."""
    words = _words(table)
    if _is_utf_8(words):
        return words, np.ones(len(words), np.bool_)
    return words, np.array([not _is_bad(word) for word in words.to_pylist()], np.bool_)


def _is_utf_8(words: pa.Array) -> bool:
    """Of large_binary. Checked in place: a cast would load pyarrow.compute, 40 ms."""
    try:
        texts = pa.Array.from_buffers(pa.large_string(), len(words), words.buffers(), offset=words.offset)
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_bad(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return True
    return False


def lower(words: Iterable[str]) -> list[str]:
    """Each word in lower case: every character by Unicode's simple mapping, whatever its neighbours.

    For ASCII that is str.lower(). It differs where one character becomes two (İ is i here), at a word's end
    (Σ is σ here), and for letters newer than Arrow's tables.
    """
    import pyarrow.compute as pc

    lowered_words: list[str] = pc.utf8_lower(pa.array(words, pa.large_string())).to_pylist()
    return lowered_words


def respells(config: ReadConfig) -> bool:
    """Whether several words of the text may be one word of the vocabulary."""
    return config.lowercase or config.reverse_complement


def spelt(words: Collection[str], config: ReadConfig) -> list[str]:
    """Words that users give as those of the text are spelt."""
    if config.lowercase:
        return lower(words)
    if config.tokenize == "simple":
        return [word.lower() for word in words]
    if config.kmers:
        in_capitals = [word.upper() for word in words]
        return list(map(canonical_word, in_capitals)) if config.reverse_complement else in_capitals
    return list(words)


def _respelt(table: Table, config: ReadConfig) -> pa.Array:
    """The words of a table in the order of its entries, as the vocabulary has them, of bytes or strings."""
    import pyarrow.compute as pc

    words = _words(table)
    if config.reverse_complement:
        return pa.Array.from_buffers(
            words.type, len(words), [None, words.buffers()[1], pa.py_buffer(canonical_bytes(table))]
        )
    if _is_utf_8(words):
        return pc.utf8_lower(words.cast(pa.large_string()))
    kept = [word if _is_bad(word) else lower([word.decode()])[0].encode() for word in words.to_pylist()]
    return pa.array(kept, pa.large_binary())


def with_spellings(table: Table, config: ReadConfig) -> tuple[Table, NDArray[np.int32]]:
    """The table of the words as the vocabulary spells them, and int32 (n_words,): for each entry its own.

    In lower case words that are not UTF-8 stay as they are.
    """
    n_words = int(table.n_words[0])
    order = np.argsort(table.records[:n_words, FIRST_SEEN], kind="stable")
    words = _respelt(table, config).take(pa.array(order))
    counter = WordCounter()
    counter.read(as_lists(pa.LargeListArray.from_arrays(pa.array([0, n_words], pa.int64()), words)))
    entries = np.concatenate([np.empty(0, np.int32), *(segment.ids for segment in counter.segments)])
    mapping = np.empty(n_words, np.int32)
    mapping[order] = entries[entries != ROW_END]
    counts = counter.table.records[:, COUNT]
    counts[:] = 0
    np.add.at(counts, mapping, table.records[:n_words, COUNT])
    return counter.table, mapping


def may_stay(table: Table, config: ReadConfig) -> NDArray[np.bool_]:
    """Which entries of a table the keep-list and the stop-list allow, bool (n_words,)."""
    words = _words(table)
    allowed = np.ones(len(words), np.bool_)
    if config.keep_words is not None:
        allowed &= _is_in(words, config.keep_words, config)
    if config.stop_words:
        allowed &= ~_is_in(words, config.stop_words, config)
    return allowed


def choose(
    vocabulary: Vocabulary, config: ReadConfig, min_count: int = 0, max_vocab: int | None = None
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The words of a vocabulary in any order that may stay, in the order of ids, and where they went.

    Second, int32 (n_words,): for each word given its id, or -1. Words that are spelt as one have one id.
    """
    words = spelt(vocabulary.words, config) if respells(config) else vocabulary.words
    places = {word: i for i, word in enumerate(dict.fromkeys(words))}
    if not respells(config) and len(places) < len(words):
        return vocabulary, np.arange(len(words), dtype=np.int32)  # for the table to refuse
    codes = np.array([places[word] for word in words], np.int64)
    counts = np.zeros(len(places), np.int64)
    np.add.at(counts, codes, vocabulary.counts)
    distinct = pa.array(places, pa.large_binary())
    if config.keep_words is not None:
        counts[~_is_in(distinct, config.keep_words, config)] = -1
    counts[_is_in(distinct, config.stop_words, config)] = -1
    kept = ranked(counts, np.arange(len(counts)), min_count, max_vocab)
    ids = np.full(len(places), -1, np.int32)
    ids[kept] = np.arange(len(kept), dtype=np.int32)
    names = list(places)
    return Vocabulary([names[i] for i in kept.tolist()], counts[kept]), ids[codes]


def integers_of(table: Table) -> NDArray[np.int64]:
    """The integers whose digits the words of a table are, int64 (n_words,)."""
    return np.asarray(_words(table).cast(pa.large_string()).cast(pa.int64()))


def _words(table: Table) -> pa.Array:
    """The words of a table in the order of its entries, without copying them."""
    n_words = int(table.n_words[0])
    buffers = [None, pa.py_buffer(table.ends[: n_words + 1]), pa.py_buffer(table.arena)]
    return pa.Array.from_buffers(pa.large_binary(), n_words, buffers)


def _is_in(words: pa.Array, listed: Collection[str], config: ReadConfig) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    values = pa.array([word.encode() for word in spelt(listed, config)], pa.large_binary())
    return np.asarray(pc.is_in(words, value_set=values))
