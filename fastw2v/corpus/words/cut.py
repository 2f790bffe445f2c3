"""How sequences of letters are cut to k-mers: what files are read by, known without Numba."""

from __future__ import annotations

from typing import NamedTuple

# A longer sequence is cut: no k-mer is lost, and workers share it.
LONGEST = 1 << 20


class Cut(NamedTuple):
    """K, and the letters from the start of a k-mer to that of the next."""

    k: int
    stride: int

    @classmethod
    def of(cls, k: int | None, stride: int) -> Cut | None:
        """What --kmers and --stride say; None without k-mers."""
        return None if k is None else cls(k, stride)

    def n_kmers(self, n_letters: int) -> int:
        """How many k-mers so many letters have."""
        return (n_letters - self.k) // self.stride + 1 if n_letters >= self.k else 0
