"""`--kmers`: the words of a sequence of letters are its runs of K, each some letters after the one before.

A sequence becomes a text whose words, split at white space, are those k-mers, in capitals. White space within
it is no letter; other characters than letters, such as a gap, are letters that no alphabet has.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastw2v.corpus.words.cut import LONGEST, Cut
from fastw2v.corpus.words.strings import Strings, read_only
from fastw2v.kernels.jit import bare_jit

WHITE, NO_LETTER, SPACE = 0, ord("?"), ord(" ")
LETTERS = np.full(256, NO_LETTER, np.uint8)  # of each byte, the letter that it stands for
LETTERS[33:127] = np.arange(33, 127)
LETTERS[ord("a") : ord("z") + 1] -= 32
LETTERS[[*range(9, 14), *range(28, 33), 0]] = WHITE
read_only(LETTERS)


def plain_kmers(text: str, cut: Cut) -> list[str]:
    """The k-mers of a sequence, plainly; where `kmers_of` is fast, this is its specification."""
    letters = "".join(chr(LETTERS[byte]) for byte in text.encode() if LETTERS[byte] != WHITE)
    return [letters[i : i + cut.k] for i in range(0, len(letters) - cut.k + 1, cut.stride)]


@bare_jit
def write_kmers(texts, of_byte, cut, scratch, out, offsets):  # type: ignore[no-untyped-def]
    """Write the k-mers of texts, a space after each, and where those of each text end.

    scratch   uint8, as long as the longest text
    """
    k, stride = cut
    n = 0
    for row in range(texts.offsets.size - 1):
        n_letters = 0
        for i in range(texts.offsets[row], texts.offsets[row + 1]):
            letter = of_byte[texts.data[np.uint64(i)]]
            if letter:
                scratch[np.uint64(n_letters)] = letter
                n_letters += 1
        for start in range(0, n_letters - k + 1, stride):
            for j in range(k):
                out[np.uint64(n + j)] = scratch[np.uint64(start + j)]
            out[np.uint64(n + k)] = SPACE
            n += k + 1
        offsets[row + 1] = n


def kmers_of(texts: Strings, cut: Cut) -> Strings:
    """The texts as texts of their k-mers; nulls stay null."""
    lengths = np.diff(texts.offsets)
    most = np.maximum(lengths - cut.k, -cut.stride) // cut.stride + 1
    out = np.empty(int(most.sum()) * (cut.k + 1), np.uint8)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    scratch = np.empty(int(lengths.max(initial=0)), np.uint8)
    write_kmers(texts, LETTERS, (cut.k, cut.stride), scratch, out, offsets)
    return texts._replace(data=read_only(out[: offsets[-1]]), offsets=read_only(offsets))


def in_parts(texts: Strings, cut: Cut) -> Iterator[tuple[Strings, bool]]:
    """The texts, those beyond LONGEST as several that share letters so that no k-mer is lost.

    With each whether its first row goes on with the last one before.
    """
    if int(np.diff(texts.offsets).max(initial=0)) <= LONGEST:
        yield texts, False
        return
    nothing = read_only(np.empty(0, np.uint8))
    for row in range(len(texts.offsets) - 1):
        first, last = int(texts.offsets[row]), int(texts.offsets[row + 1])
        if last - first <= LONGEST:
            yield texts._replace(offsets=texts.offsets[row : row + 2], first_bit=texts.first_bit + row), False
            continue
        letters = texts.data[first:last]
        letters = read_only(letters[LETTERS[letters] != WHITE])
        step = max(LONGEST // cut.stride, 1) * cut.stride
        for start in range(0, max(len(letters) - cut.k + 1, 1), step):
            stop = min(start + step - cut.stride + cut.k, len(letters))
            yield Strings(letters, read_only(np.array([start, stop])), nothing, 0), start > 0
