"""What k-mers are made of: DNA or protein, told by their letters; and DNA read from its other strand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.words.table import COUNT, Table

# Letters that stand for one base or one amino acid. The others of IUPAC's codes stand for several, and mean
# another thing in the other alphabet: N is any base, and asparagine.
BASES, AMINO_ACIDS = "ACGTU", "ACDEFGHIKLMNOPQRSTUVWY"
OF_PROTEINS = "EFILPQ"  # no code of bases, and a third of the letters of proteins
ENOUGH = 0.01  # a share of them that tells proteins; DNA has none but by mistake
CHUNK_WORDS = 1 << 18
COMPLEMENT = np.arange(256, dtype=np.uint8)
COMPLEMENT[list(b"ACGTU")] = list(b"TGCAA")


class Alphabet(NamedTuple):
    """What k-mers are of: `DNA` or `protein`, and its letters."""

    name: str
    letters: str


def alphabet_of(table: Table) -> Alphabet:
    """The alphabet of the k-mers in a table, by how often they have each letter."""
    counts, records = np.zeros(256), table.records[: table.n_words[0]]
    for start in range(0, len(records), CHUNK_WORDS):
        letters = _matrix(table, start, start + CHUNK_WORDS)
        weights = np.repeat(records[start : start + CHUNK_WORDS, COUNT], letters.shape[1])
        counts += np.bincount(letters.reshape(-1), weights, minlength=256)
    is_protein = counts[list(OF_PROTEINS.encode())].sum() > ENOUGH * counts.sum()
    return Alphabet("protein", AMINO_ACIDS) if is_protein else Alphabet("DNA", BASES)


def is_plain(table: Table, alphabet: Alphabet) -> NDArray[np.bool_]:
    """Which k-mers have letters of the alphabet only, bool (n_words,)."""
    known = np.zeros(256, np.bool_)
    known[list(alphabet.letters.encode())] = True
    starts = range(0, int(table.n_words[0]), CHUNK_WORDS)
    parts = [known[_matrix(table, start, start + CHUNK_WORDS)].all(axis=1) for start in starts]
    return np.concatenate([np.empty(0, np.bool_), *parts])


def _matrix(table: Table, start: int, stop: int) -> NDArray[np.uint8]:
    """Some words of a table, all of one length, uint8 (n_words, K)."""
    ends = table.ends[start : min(stop, int(table.n_words[0])) + 1]
    return table.arena[ends[0] : ends[-1]].reshape(len(ends) - 1, -1)


def canonical(kmers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of each k-mer and its reverse complement the first by the alphabet, uint8 (n, K); U is read as T.

    What counters of k-mers such as Jellyfish and KMC call canonical: either strand of DNA has the same ones.
    """
    own = np.where(kmers == ord("U"), np.uint8(ord("T")), kmers)
    other = COMPLEMENT[own[:, ::-1]]
    rows = np.arange(len(own))
    first = (own != other).argmax(axis=1)
    is_first: NDArray[np.bool_] = own[rows, first] <= other[rows, first]
    return np.where(is_first[:, np.newaxis], own, other)


def canonical_bytes(table: Table) -> NDArray[np.uint8]:
    """The k-mers of a table in the order of entries, canonical, back to back."""
    starts = range(0, int(table.n_words[0]), CHUNK_WORDS)
    parts = [canonical(_matrix(table, start, start + CHUNK_WORDS)).reshape(-1) for start in starts]
    return np.concatenate([np.empty(0, np.uint8), *parts])


def canonical_word(word: str) -> str:
    """One k-mer; a word that is not ASCII stays."""
    if not word or not word.isascii():
        return word
    letters = np.frombuffer(word.encode(), np.uint8)[np.newaxis]
    return canonical(letters).tobytes().decode()
