"""`--tokenize simple`: runs of 2 to 15 letters in lower case, as gensim's simple_preprocess has them.

A text becomes one whose words, split at white space, are those tokens: what is no letter is left out, and so
are tokens that are too short, too long, or begin with an underscore. Words/s of one thread: 30 M, é in every
word 19 M; by Arrow's functions of text 3.5 M, by gensim .66 M; a text with Σ or İ, which Python takes, .56 M.
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.words.strings import Strings, read_only
from fastw2v.kernels.jit import bare_inlined_jit, bare_jit

SHORTEST, LONGEST = 2, 15  # characters of a token
LETTERS = re.compile(r"(?:[^\W\d]|[\udc80-\udcff])+")  # the latter stand for bytes that are not UTF-8
N_CHARACTERS = 0x110000
NO_LETTER, BY_ITS_NEIGHBOURS, INVALID = 0, -1, -2
SPACE, UNDERSCORE = 32, 95


def simple_tokens(text: str) -> list[str]:
    """The tokens of a text, plainly; where `simple` is fast, this is its specification."""
    found = LETTERS.findall(text.lower())
    return [token for token in found if SHORTEST <= len(token) <= LONGEST and token[0] != "_"]


@functools.cache
def letters() -> NDArray[np.int32]:
    """Of each character, int32 (0x110000,), its lower case, if it is a letter; NO_LETTER, BY_ITS_NEIGHBOURS.

    The last are Σ, whose lower case at the end of a word is another, and İ, which becomes two characters.
    """
    table = np.full(N_CHARACTERS, NO_LETTER, np.int32)
    for code, character in enumerate(map(chr, range(N_CHARACTERS))):
        if character.isalnum() or character == "_":
            small = character.lower()
            if len(small) > 1 or character == "Σ":
                table[code] = BY_ITS_NEIGHBOURS
            elif not small.isdecimal():
                table[code] = ord(small)
    return read_only(table)


@functools.cache
def ascii_letters() -> NDArray[np.uint8]:
    """The same of ASCII, uint8 (128,)."""
    return read_only(letters()[:128].astype(np.uint8))


@bare_inlined_jit
def decoded(data, i, stop):  # type: ignore[no-untyped-def]
    """The character that begins at i and its bytes; INVALID and 1 where there is none in UTF-8."""
    first = np.int64(data[i])
    width = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 1
    if width == 1 or i + width > stop:
        return INVALID, 1
    code = first & (0x7F >> width)
    for k in range(1, width):
        byte = np.int64(data[i + k])
        if byte & 0xC0 != 0x80:
            return INVALID, 1
        code = code << 6 | byte & 0x3F
    is_short = (width == 3 and code < 0x800) or (width == 4 and code < 0x10000)
    if is_short or 0xD800 <= code < 0xE000 or code >= 0x110000:
        return INVALID, 1
    return code, width


@bare_inlined_jit
def encode(code, out, n):  # type: ignore[no-untyped-def]
    """Write a character in UTF-8 at out[n]; where it ends."""
    if code < 0x80:
        out[n] = code
        return n + 1
    if code < 0x800:
        out[n], out[n + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
        return n + 2
    if code < 0x10000:
        out[n], out[n + 1], out[n + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
        return n + 3
    out[n], out[n + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
    out[n + 2], out[n + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
    return n + 4


@bare_inlined_jit
def ended(out, begin, n, n_characters):  # type: ignore[no-untyped-def]
    """Where the next token begins, after the one that is out[begin:n], or in its place where that must go."""
    if n_characters < SHORTEST or n_characters > LONGEST or out[begin] == UNDERSCORE:
        return begin
    out[n] = SPACE
    return n + 1


@bare_inlined_jit
def simple_text(data, start, stop, tables, out, n):  # type: ignore[no-untyped-def]
    """Write the tokens of a text, a space after each, at out[n]; where they end, or -1 for BY_ITS_NEIGHBOURS.

    What is not UTF-8 stays as a letter, to be found by who checks words.
    """
    of_ascii, of_all = tables
    i, begin, n_characters = start, n, 0
    while i < stop:
        byte = data[np.uint64(i)]
        if byte < 0x80:
            i += 1
            small = of_ascii[np.uint64(byte)]
            if small:
                out[np.uint64(n)] = small
                n += 1
                n_characters += 1
                continue
        else:
            code, width = decoded(data, i, stop)
            i += width
            small_code = np.int64(INVALID) if code == INVALID else np.int64(of_all[code])
            if small_code == BY_ITS_NEIGHBOURS:
                return -1
            if small_code != NO_LETTER:
                if small_code == INVALID:
                    out[n] = byte
                    n += 1
                else:
                    n = encode(small_code, out, n)
                n_characters += 1
                continue
        begin = n = ended(out, begin, n, n_characters)
        n_characters = 0
    return ended(out, begin, n, n_characters)


@bare_jit
def simple_texts(texts, tables, out, offsets, row):  # type: ignore[no-untyped-def]
    """Write the tokens of texts, from one row on, at out[offsets[row]], and where each ends.

    Returns the first row with a character BY_ITS_NEIGHBOURS, or the number of rows.
    """
    while row < texts.offsets.size - 1:
        end = simple_text(texts.data, texts.offsets[row], texts.offsets[row + 1], tables, out, offsets[row])
        if end < 0:
            return row
        offsets[row + 1] = end
        row += 1
    return row


def simple(texts: Strings) -> Strings:
    """The texts as texts of their simple tokens; nulls stay null."""
    n_bytes, n_rows = int(texts.offsets[-1] - texts.offsets[0]), len(texts.offsets) - 1
    out = np.empty(
        n_bytes + n_bytes // 2 + n_rows + 8, np.uint8
    )  # a letter of 2 bytes may have one of 3 in lower case
    offsets = np.zeros(n_rows + 1, np.int64)
    row, tables = 0, (ascii_letters(), letters())
    while (row := simple_texts(texts, tables, out, offsets, row)) < n_rows:
        text = (
            texts.data[texts.offsets[row] : texts.offsets[row + 1]].tobytes().decode(errors="surrogateescape")
        )
        tokens = "".join(f"{token} " for token in simple_tokens(text)).encode(errors="surrogateescape")
        start, stop = int(offsets[row]), int(offsets[row]) + len(tokens)
        out[start:stop] = np.frombuffer(tokens, np.uint8)
        row += 1
        offsets[row] = stop
    return texts._replace(data=read_only(out[: offsets[-1]]), offsets=read_only(offsets))
