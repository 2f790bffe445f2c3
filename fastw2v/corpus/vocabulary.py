"""The words of a corpus and how often each occurs: a word's id is its place here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import few, refuse
from fastw2v.system.files import atomic_writer
from fastw2v.system.marks import without_mark

MAX_COUNT = 2**63 - 1
MAX_LINE_BYTES = 1 << 24
WRITTEN_AT_ONCE = 1 << 14  # words


@dataclass(frozen=True)
class Vocabulary:
    """Words in the order of their ids: count descending, then first seen.

    words   n_words distinct strings
    counts  int64 (n_words,), occurrences in the corpus, descending
    is_sum  whether it is of several, so that its places are nobody's ids
    """

    words: list[str]
    counts: NDArray[np.int64]
    is_sum: bool = False

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        """Size and first words, not all of them."""
        return f"<Vocabulary of {len(self):,} words: {few(self.words)}>"

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to id."""
        return {word: i for i, word in enumerate(self.words)}

    @classmethod
    def from_counts(
        cls, words: Sequence[str], counts: ArrayLike, min_count: int = 1, max_vocab: int | None = None
    ) -> Vocabulary:
        """The vocabulary of distinct words in the order first seen, with their counts (n_words,).

        Words rarer than min_count are left out, then all but the max_vocab most frequent.
        """
        counts = np.asarray(counts, np.int64)
        kept = ranked(counts, np.arange(len(counts)), min_count, max_vocab)
        return cls([words[i] for i in kept.tolist()], counts[kept])


def checked(vocabulary: object) -> Vocabulary:
    """A given vocabulary with its counts as int64, contiguous.

    Raises UsageError for what is none, words that are no str, and counts that are not theirs.
    """
    if not isinstance(vocabulary, Vocabulary):
        limit = "a fastw2v.corpus.vocabulary.Vocabulary: see its read_vocabulary and Vocabulary.from_counts"
        raise refuse("vocabulary", vocabulary, limit)
    counts = np.asarray(vocabulary.counts)
    if counts.shape != (len(vocabulary),) or (counts.dtype.kind not in "iu" and len(counts)):
        raise UsageError(
            f"the vocabulary has counts of {counts.dtype} and shape {counts.shape}: each of its "
            f"{len(vocabulary):,} words needs a whole number"
        )
    if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) <= MAX_COUNT:
        raise UsageError(f"the vocabulary has a count of {counts.min()}: counts are from 0 to {MAX_COUNT:,}")
    for word in vocabulary.words:
        if not isinstance(word, str):
            raise refuse("a word of vocabulary", word, "a str")
    return Vocabulary(list(vocabulary.words), np.ascontiguousarray(counts, np.int64), vocabulary.is_sum)


def ranked(
    counts: NDArray[np.int64], first_seen: NDArray[np.int64], min_count: int, max_vocab: int | None
) -> NDArray[np.int64]:
    """Indices of the words to keep in the order of their ids, int64 (n_kept,).

    counts, first_seen   int64 (n,), of words in any order; first_seen are distinct
    """
    frequent = np.flatnonzero(counts >= min_count)
    order = np.lexsort((first_seen[frequent], -counts[frequent]))
    return frequent[order[:max_vocab]]


def write_vocabulary(path: str | Path, vocabulary: Vocabulary) -> None:
    """Write `word count` lines in UTF-8, the layout of word2vec.c's -save-vocab, complete or not at all.

    Raises UsageError for a word that would not be read back, OutputError if the file cannot be written.
    """
    words, counts = vocabulary.words, vocabulary.counts
    starts = range(0, len(words), WRITTEN_AT_ONCE)
    for start in starts:
        _check_words(words[start : start + WRITTEN_AT_ONCE])
    with atomic_writer(Path(path)) as file:
        for start in starts:
            of_part = slice(start, start + WRITTEN_AT_ONCE)
            lines = zip(words[of_part], counts[of_part].tolist(), strict=True)
            file.write("".join([f"{word} {count}\n" for word, count in lines]).encode())


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read `word count` lines (UTF-8; the count is the last field) and put them in the order of ids.

    Words of equal count stay in the order of the file.

    Raises CorpusError for a file that cannot be read or a line that is not of this form, naming the line.
    """
    counts = read_counts([path])
    return Vocabulary.from_counts(list(counts), list(counts.values()), min_count=0)


def read_counts(paths: Iterable[str | Path]) -> dict[str, int]:
    """The words of several vocabulary files in the order they come, with the sum of their counts.

    Raises CorpusError as `read_vocabulary` does, and for a sum beyond MAX_COUNT.
    """
    counts: dict[str, int] = {}
    for path in map(Path, paths):
        with _opened(path, "'word count' lines") as file:
            for word, count in _parse_lines(path, file):
                counts[word] = counts.get(word, 0) + count
        if max(counts.values(), default=0) > MAX_COUNT:
            raise CorpusError(f"{path}: the counts of a word add up to more than {MAX_COUNT}; leave it out")
    return counts


def read_words(path: str | Path) -> frozenset[str]:
    """The words of a list, as `listed_words` reads them."""
    return frozenset(listed_words(path))


def listed_words(path: str | Path) -> list[str]:
    """The words of a list in its order, one a line in UTF-8, each once.

    White space around them and empty lines do not count. Raises CorpusError for a file that cannot be read,
    is not UTF-8, or holds no word.
    """
    path = Path(path)
    with _opened(path, "one word a line") as file:
        try:
            lines = without_mark(file.read(), path).decode().split("\n")
        except UnicodeDecodeError as error:
            raise CorpusError(f"{path}: the list is not UTF-8 ({error.reason}); convert it") from None
    words = list(dict.fromkeys(filter(None, map(str.strip, lines))))
    if not words:
        raise CorpusError(f"{path}: the list holds no word; give one word a line")
    return words


@contextlib.contextmanager
def _opened(path: Path, contents: str) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); give a file of {contents}") from error


def _parse_lines(path: Path, file: BinaryIO) -> Iterator[tuple[str, int]]:
    seen: dict[str, int] = {}
    lines = iter(lambda: file.readline(MAX_LINE_BYTES), b"")  # a file without line breaks may be endless
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = without_mark(line, path)
        try:
            word, count = _parse_line(line)
        except ValueError as error:
            raise CorpusError(
                f"{path}: line {number}: {error}; a line is a word, a space and its count"
            ) from None
        if word in seen:
            raise CorpusError(
                f"{path}: line {number}: {_shown(word)} is on line {seen[word]} already; keep one of them"
            )
        seen[word] = number
        yield word, count


def _parse_line(line: bytes) -> tuple[str, int]:
    """Word and count of one line; raises ValueError saying what is wrong with it."""
    if len(line) == MAX_LINE_BYTES:
        raise ValueError(f"it is longer than {MAX_LINE_BYTES:,} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{_shown(line)} is not UTF-8") from None
    fields = text.rsplit(maxsplit=1)
    if len(fields) < 2:
        raise ValueError(f"{_shown(text)} is not two fields")
    word, count = fields
    if not (count.isascii() and count.isdecimal() and len(count) <= 19 and int(count) <= MAX_COUNT):
        raise ValueError(f"the count {_shown(count)} is not a whole number from 0 to {MAX_COUNT}")
    return word, int(count)


def _check_words(words: list[str]) -> None:
    """`_check_word` of all, without a look at each where none has white space: a tenth of the time."""
    if "\n".join(words).split() != words or not _is_encodable("".join(words)):
        for word in words:
            _check_word(word)


def _check_word(word: str) -> None:
    """Raise UsageError for a word that `read_vocabulary` would not give back."""
    if word and word.strip() == word and "\n" not in word and _is_encodable(word):
        return
    raise UsageError(
        f"word {_shown(word)} is empty, starts or ends with white space, holds a line break, or is not "
        "Unicode: a vocabulary file cannot carry it; clean the corpus"
    )


def _is_encodable(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _shown(text: str | bytes) -> str:
    """A value as a message shows it: quoted, on one line, not too long."""
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
