"""Given pairs as the tokens of an epoch: a part at a time in a drawn order, those of a centre in groups.

Which pairs a part holds, how often each and in which order is a function of the seed and the epoch, so a run
that goes on makes the part that it was stopped in again. The next part is made by a background thread while
the kernels train on one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.ids.storage import forget, in_parts
from fastw2v.corpus.pairs.read import ReadPairs
from fastw2v.corpus.read import Corpus
from fastw2v.kernels.groups import group_pairs
from fastw2v.model.arrays import Tokens, n_units
from fastw2v.model.pairs import BUFFER_ROWS, CHUNK_ROWS, GROUP, LARGEST_WEIGHT
from fastw2v.model.sampling import keep_probabilities
from fastw2v.model.sources import Buffer
from fastw2v.model.streams import epoch_key


class PairSource:
    """The pairs of each epoch: a TokenSource.

    rows      int32 (n_rows, 2 or 3): see `fastw2v.corpus.pairs.read.ReadPairs`
    shares    float64 (n_centers,), of the pairs of a centre that subsampling keeps
    n_tokens  of an epoch: the pairs that the rows stand for, those too that subsampling leaves out
    longest   a centre and its outside words
    """

    def __init__(self, rows: NDArray[np.int32], n_pairs: int, shares: NDArray[np.float64]) -> None:
        self.rows, self.shares = rows, shares
        self.n_tokens, self.longest, self.nbytes = n_pairs, 1 + GROUP, rows.nbytes
        n_chunks = max(1, -(-len(rows) // CHUNK_ROWS))
        # A row may stand for several pairs: parts are of so many rows that they are about as long as others.
        n_rows_at_once = BUFFER_ROWS / max(1.0, n_pairs / max(len(rows), 1))
        self.chunks_at_once = min(max(1, int(n_rows_at_once) // CHUNK_ROWS), n_chunks)
        self.n_chunks = n_chunks

    def buffers(self, seed: int, epoch: int, unit: int = 0) -> Iterator[Buffer]:
        """The parts of an epoch, from the one that holds `unit` on."""
        key = epoch_key(seed, epoch)
        order = np.random.default_rng(key).permutation(self.n_chunks)
        at_once, n_here = self.chunks_at_once, -(-self.n_chunks // self.chunks_at_once)
        # A pair has a token or, with its centre, two.
        largest = int(np.ceil(LARGEST_WEIGHT)) if self.rows.shape[1] > 2 else 1
        units = n_units(2 * (largest + 1) * at_once * CHUNK_ROWS)
        numbers = range(unit // units, n_here)

        def made(number: int) -> Buffer:
            chunks = order[number * at_once : (number + 1) * at_once]
            tokens = Tokens(*group_pairs(self.rows, self.weights, chunks, self.shares, np.uint64(key), GROUP))
            forget(self.rows)
            ends = min((number + 1) * at_once, self.n_chunks)
            before, after = (self.n_tokens * n // self.n_chunks for n in (number * at_once, ends))
            return Buffer(tokens, epoch_key(key, number), before, number * units, after - before)

        with ThreadPoolExecutor(1, "fastw2v-pairs") as pool:
            ahead = [pool.submit(made, number) for number in numbers[:1]]
            for number in numbers:
                part = ahead.pop().result()
                ahead += [pool.submit(made, number + 1)] if number + 1 in numbers else []
                yield part

    @property
    def weights(self) -> NDArray[np.float32]:
        """The rows' memory as float32, of which the third column is weights."""
        return self.rows.view(np.float32)

    def fingerprint(self) -> str:
        """Of the rows; what is drawn of them is said by the seed, and by counts and options."""
        digest = hashlib.sha256(b"pairs %d" % self.rows.shape[1])
        for part in in_parts(self.rows):
            digest.update(np.ascontiguousarray(part, "<i4").data)
        return digest.hexdigest()


def corpus_of_pairs(read: ReadPairs, sample: float) -> Corpus:
    """Pairs as a corpus: its words are the centres, and the outside words have a vocabulary of their own."""
    shares = keep_probabilities(read.centers.counts, sample)
    source = PairSource(read.rows, read.n_pairs, shares)
    # Compiled here, beside the kernel, and not in the time of training.
    group_pairs(read.rows[:0], source.weights[:0], np.zeros(1, np.int64), shares, np.uint64(0), GROUP)
    return Corpus(
        np.empty(0, np.int32),
        np.zeros(1, np.int64),
        read.centers,
        n_words_read=source.n_tokens,
        n_rows=read.n_rows,
        n_null=read.n_null,
        notes=read.notes,
        source=source,
        outside_vocabulary=read.outsides,
    )
