"""What a run is asked for, as one process tells it to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.config import ReadConfig, TrainConfig
from fastw2v.corpus.ids.memory import Memory, parse_size
from fastw2v.corpus.read import names_files
from fastw2v.corpus.tally import Tally
from fastw2v.corpus.vocabulary import Vocabulary, read_counts
from fastw2v.options.graphs import GraphConfig
from fastw2v.options.pairs import PairConfig
from fastw2v.options.replicas import ReplicaConfig


class Request(NamedTuple):
    """What to read, how, and what to train on it.

    source      names of the corpus, or an object that holds it
    vocabulary  words and counts to use, where they are given
    tally       counts of earlier texts, to add those of this one to; the first process alone has them
    n_tokens_before   of earlier texts, in all epochs
    """

    source: Any
    training: TrainConfig
    reading: ReadConfig
    replicas: ReplicaConfig
    vocabulary: Vocabulary | None
    memory: Memory
    tally: Tally | None = None
    n_tokens_before: int = 0
    graph: GraphConfig = GraphConfig()
    pairs: PairConfig = PairConfig()

    @property
    def names(self) -> list[str] | None:
        """Of the corpus, or None for an object, which has none."""
        if isinstance(self.source, str | Path):
            return [str(self.source)]
        return [str(name) for name in self.source] if names_files(self.source) else None

    def to_json(self) -> list[Any]:
        """As JSON can hold it; an object stays where it is."""
        reading = vars(self.reading)
        words = {name: sorted(value) for name, value in reading.items() if isinstance(value, frozenset)}
        given = self.vocabulary
        return [
            self.names,
            asdict(self.training),
            reading | words,
            asdict(self.replicas),
            given and [given.words, given.counts.tolist(), given.is_sum],
            [self.memory.limit, self.memory.cache_dir and str(self.memory.cache_dir)],
            self.n_tokens_before,
        ]


def from_json(told: Sequence[Any]) -> Request:
    """The request that another process told."""
    source, training, reading, replicas, given, memory, n_tokens_before = told
    limit, cache_dir = memory
    return Request(
        source if source else [[]],  # an object, which only rank 0 has
        TrainConfig(**training),
        ReadConfig(**reading),
        ReplicaConfig(**replicas),
        given and Vocabulary(given[0], np.array(given[1], np.int64), is_sum=given[2]),
        Memory(limit, cache_dir and Path(cache_dir)),
        n_tokens_before=n_tokens_before,
    )


def memory_of(limit: str | None, cache_dir: Path | str | None) -> Memory:
    """What --memory-limit and --cache-dir say. Raises UsageError for what is no size."""
    return Memory(parse_size(limit) if limit else None, Path(cache_dir) if cache_dir else None)


def read_vocabularies(paths: Sequence[str]) -> Vocabulary:
    """The sum of vocabulary files in the order of their lines, which is that of places."""
    counts = read_counts(paths)
    return Vocabulary(list(counts), np.array(list(counts.values()), np.int64), is_sum=len(paths) > 1)


def rows_of(request: Request) -> str:
    """What is read, in the plural."""
    return "edges" if request.graph.graph else "pairs" if request.pairs.pairs else "words"
