"""Walks as the tokens of an epoch: made by all workers, a stretch at a time, trained, and forgotten.

Walk i of an epoch is a function of the seed, the epoch and i, so nothing of it depends on the number of
workers, and a run that goes on makes the stretch that it was stopped in again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.graphs.read import ReadGraph
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, ranked
from fastw2v.kernels.walks import close_up, walk_in_threads
from fastw2v.model.arrays import Tokens, n_units
from fastw2v.model.graphs import Graph, Walks, bias_of
from fastw2v.model.sources import Buffer
from fastw2v.model.streams import epoch_key
from fastw2v.options.graphs import GraphConfig

BUFFER_TOKENS = 1 << 22  # 16 MB of ids: 1,024 units, a few seconds of training on two cores
COUNTED_TOKENS = 1 << 24  # a second or two
PART_TOKENS = 1 << 20  # that are counted at once: NumPy makes a copy of twice the size


class WalkSource:
    """The walks of each epoch over a graph: a TokenSource.

    graph      Graph
    config     GraphConfig
    seed       of the run
    threads    that make walks at once
    n_tokens   of an epoch; in a graph with dead ends those to expect
    longest    nodes of a walk
    """

    def __init__(self, graph: Graph, config: GraphConfig, threads: int) -> None:
        self.graph, self.config, self.threads = graph, config, threads
        self.bias = bias_of(config.return_parameter, config.in_out_parameter)
        self.longest = config.walk_length
        self.n_walks = config.walks * graph.n_nodes
        self.n_tokens = self.n_walks * config.walk_length
        self.nbytes = graph.nbytes

    def buffers(self, seed: int, epoch: int, unit: int = 0) -> Iterator[Buffer]:
        """The parts of an epoch, from the one that holds `unit` on; each is good until the next is taken."""
        key, length = epoch_key(seed, epoch), self.config.walk_length
        at_once = min(max(1, BUFFER_TOKENS // length), self.n_walks)
        units = n_units(at_once * length)
        room = np.empty(at_once * length, np.int32)
        for number in range(unit // units, -(-self.n_walks // at_once)):
            first, end = number * at_once, min((number + 1) * at_once, self.n_walks)
            tokens = self.walked(key, first, room[: (end - first) * length])
            before, after = (self.n_tokens * walk // self.n_walks for walk in (first, end))
            yield Buffer(tokens, epoch_key(key, number), before, number * units, after - before)

    def walked(self, key: int, first: int, ids: NDArray[np.int32]) -> Tokens:
        """As many walks as ids has room for, from number `first` on: ids becomes theirs."""
        walks = Walks(np.uint64(key), self.config.walk_length)
        lengths = walk_in_threads(self.graph, self.bias, walks, first, ids, self.threads)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        if offsets[-1] < len(ids):
            close_up(ids, lengths, walks.length)
        return Tokens(ids[: offsets[-1]], offsets)

    def count_visits(self, seed: int) -> NDArray[np.int64]:
        """How often an epoch visits each node, int64 (n_nodes,), from the first rounds of the first one.

        Of all rounds, or of a large graph so few that they are some COUNTED_TOKENS. That is unbiased for
        walks of second order and with dead ends too, of which no closed form is. The words of the graph must
        be its nodes. Where there are dead ends n_tokens becomes what is expected.
        """
        n_nodes, length = self.graph.n_nodes, self.config.walk_length
        n_rounds = min(self.config.walks, max(1, COUNTED_TOKENS // (n_nodes * length)))
        counts, n_walks = np.zeros(n_nodes, np.int64), n_rounds * n_nodes
        at_once = min(max(1, BUFFER_TOKENS // length), n_walks)
        room = np.empty(at_once * length, np.int32)
        for first in range(0, n_walks, at_once):
            n_here = min(at_once, n_walks - first)
            tokens = self.walked(epoch_key(seed, 0), first, room[: n_here * length])
            for start in range(0, len(tokens.ids), PART_TOKENS):
                counts += np.bincount(tokens.ids[start : start + PART_TOKENS], minlength=n_nodes)
        self.n_tokens = int(counts.sum()) * self.config.walks // n_rounds
        return np.maximum(counts * self.config.walks // n_rounds, 1)

    def fingerprint(self) -> str:
        """Of the graph; what walks over it are is said by options, and by the seed."""
        digest = hashlib.sha256(b"walks")
        for array, dtype in zip(self.graph, ("<i8", "<i4", "<f8", "<i4"), strict=True):
            digest.update(np.ascontiguousarray(array, dtype).data)
        return digest.hexdigest()


def corpus_of_walks(read: ReadGraph, config: GraphConfig, seed: int, threads: int) -> Corpus:
    """The walks over a graph as a corpus: its words are the nodes, their counts the visits to expect."""
    source = WalkSource(read.graph, config, threads)
    counts = source.count_visits(seed)
    order = ranked(counts, np.arange(len(counts)), 0, None)
    read.graph.words[order] = np.arange(len(order), dtype=np.int32)
    return Corpus(
        np.empty(0, np.int32),
        np.zeros(1, np.int64),
        Vocabulary([read.names[i] for i in order.tolist()], counts[order]),
        n_words_read=source.n_tokens,
        n_rows=read.n_edges,
        n_null=read.n_null,
        notes=read.notes,
        source=source,
    )
