"""Words that files of vectors can carry, and backslash escapes for those that they cannot."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fastw2v.errors import CorpusError, UsageError

MAX_WORD_CHARACTERS = 1 << 17
MAX_WORD_BYTES = 6 * MAX_WORD_CHARACTERS  # an escaped character is at most \uxxxx

# White space as str.split() has it: gensim's reader cuts at the space, strips the line break, and reads a
# vocabulary with split(); other readers split vectors so too. Lone surrogates have no UTF-8.
WHITE_SPACE = re.compile(r"[\s\ud800-\udfff]")
LINE_BREAKS = re.compile(r"[\t\n\r\ud800-\udfff]")
SURROGATES = re.compile(r"[\ud800-\udfff]")
_TO_ESCAPE = re.compile(r"[\s\\\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|(.?))", re.DOTALL)
_ESCAPES = {"\\": "\\", " ": "s", "\t": "t", "\n": "n", "\r": "r"}
_UNESCAPES = {letter: character for character, letter in _ESCAPES.items()}


def check_tokens(
    words: Sequence[str], *, escape: bool = False, unsafe: re.Pattern[str] = WHITE_SPACE
) -> None:
    """Raise UsageError naming the first word that cannot be written; to be called before training.

    Empty words and words with characters that are `unsafe` (by default white space as str.isspace has it, and
    halves of surrogate pairs) need `escape`; repeated words and words
    of over 131,072 characters cannot be written at all.
    """
    for word in words:
        if len(word) > MAX_WORD_CHARACTERS:
            raise UsageError(
                f"token {shown(word)} has {len(word):,} characters, at most {MAX_WORD_CHARACTERS:,} can be "
                "written; split it or raise --min-count"
            )
        if not escape and (not word or unsafe.search(word)):
            raise UsageError(
                f"token {shown(word)} is empty or holds white space, which vector files cannot carry; "
                f"add --escape to write it as {escape_token(word)[:60]}"
            )
    if (repeated := first_repeated(words)) is not None:
        raise UsageError(f"token {shown(words[repeated[1]])} occurs twice; give each word once")


def escape_token(word: str) -> str:
    r"""A word without white space that `unescape_token` turns back; different words stay different.

    `\s` space, `\t` `\n` `\r`, `\\` backslash, `\u00a0` other white space and lone surrogates, `\e` the
    empty word.

    >>> print(escape_token("New York\\"))
    New\sYork\\
    """
    return _TO_ESCAPE.sub(_escape_character, word) if word else r"\e"


def _escape_character(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{_ESCAPES[character]}" if character in _ESCAPES else f"\\u{ord(character):04x}"


def unescape_token(text: str) -> str:
    r"""The word that `escape_token` wrote. Raises CorpusError for a backslash that begins no escape.

    >>> unescape_token(r"New\sYork")
    'New York'
    """
    return "" if text == r"\e" else _ESCAPED.sub(_unescape_character, text)


def _unescape_character(match: re.Match[str]) -> str:
    hexadecimal, letter = match.groups()
    if hexadecimal is not None:
        return chr(int(hexadecimal, 16))
    if letter not in _UNESCAPES:
        raise CorpusError(
            f"{shown(match.string)} holds {match[0]!r}, which is no escape; read it without --escape"
        )
    return _UNESCAPES[letter]


def first_repeated(words: Sequence[str]) -> tuple[int, int] | None:
    """Places of a word that is there before, or None."""
    hashes = np.fromiter(map(hash, words), np.int64, len(words))
    hashes.sort()
    if (hashes[1:] != hashes[:-1]).all():  # 8 MB of a million words, where a set takes 34
        return None
    seen: dict[str, int] = {}
    repeated = ((seen[word], i) for i, word in enumerate(words) if seen.setdefault(word, i) != i)
    return next(repeated, None)


def shown(word: str) -> str:
    """A word as a message shows it: quoted, not too long."""
    return repr(word) if len(word) <= 60 else repr(word[:57]) + "…"
