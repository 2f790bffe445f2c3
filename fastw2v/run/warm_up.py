"""All machine code that runs here can need, made before the first of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, get_args

from fastw2v.backends import require_supported
from fastw2v.config import Architecture, Kernel, Loss, Precision, TrainConfig
from fastw2v.corpus.graphs.read import read_graph
from fastw2v.corpus.pairs.read import Limits, read_pairs
from fastw2v.corpus.read import read_corpus
from fastw2v.errors import UsageError
from fastw2v.kernels.code_cache import CodeCache
from fastw2v.model.arrays import Tokens
from fastw2v.options.graphs import GraphConfig
from fastw2v.training.compilation import compile_kernel, smallest
from fastw2v.training.pairing import corpus_of_pairs
from fastw2v.training.shuffling import epoch_buffers
from fastw2v.training.walking import corpus_of_walks

MANY_WORDS = 40_000  # more than a new table of words has room for
CHOICES = {
    "architecture": get_args(Architecture),
    "loss": get_args(Loss),
    "kernel": get_args(Kernel),
    "deterministic": (False, True),
    "precision": get_args(Precision),
    "subwords": (None, "3-6"),
}


def types_in(value: Any) -> Any:
    """A value's type, and the types within a tuple: what chooses the code of a plan."""
    return (type(value), *map(types_in, value)) if isinstance(value, tuple) else type(value)


def kernels() -> Iterator[dict[str, Any]]:
    """Options of training, one set for each kernel that this machine can run; no two have the same code."""
    known = set()
    for values in itertools.product(*CHOICES.values()):
        options = dict(zip(CHOICES, values, strict=True))
        try:
            config = TrainConfig(**options)
            require_supported(config)
        except UsageError:
            continue
        types = types_in(smallest(config)[0])
        if types not in known:
            known.add(types)
            yield options


def as_typed(options: dict[str, Any]) -> str:
    """Options as the command takes them, without those that are so by default."""
    other = {name: value for name, value in options.items() if value != getattr(TrainConfig, name)}
    typed = [f"--{name}" if value is True else f"--{name} {value}" for name, value in other.items()]
    return " ".join(typed) or "the default options"


def compile_reading() -> None:
    """Compile what cuts, counts and numbers words, finds phrases, shuffles, walks, and groups pairs."""
    words = [f"w{n}" for n in range(MANY_WORDS)]
    for rows in ([" ".join(words)] * 2, [words] * 2):
        corpus = read_corpus(iter(rows), threads=2, min_count=1)
    for cut in ({"tokenize": "simple"}, {"kmers": 4}):
        read_corpus(iter(["acgtacgt cgta"] * 2), min_count=1, **cut)
    text = "new york and the state of new york " * 99
    joined: dict[str, Any] = {
        "phrases": 2,
        "phrase_threshold": 0.1,
        "phrase_min_count": 1,
        "connector_words": "of",
    }
    read_corpus(iter([text] * 2), threads=2, min_count=1, **joined)
    for _ in epoch_buffers(Tokens(corpus.ids, corpus.offsets), seed=1, epoch=0, shuffle=True):
        pass
    edges = read_graph([("a", "b", 1.0), ("b", "c", 2.0)], directed=True)
    corpus_of_walks(edges, GraphConfig(graph=True, return_parameter=2.0), seed=1, threads=1)
    limits = Limits(1, None)
    given: list[Any] = [[("a", "x"), ("b", "y")], [("a", "x", 2.0), ("b", "y", 1.0)]]
    for pairs in given:
        read = read_pairs(pairs, centers=limits, outsides=limits, ids_bytes=1 << 20)
        corpus_of_pairs(read, sample=0.0)


def warm_up(on_kernel: Callable[[str], object]) -> int:
    """Compile what is not kept yet; returns how many functions that were.

    on_kernel   told what is compiled next
    """
    before = CodeCache.compiled
    on_kernel("reading and shuffling")
    compile_reading()
    for options in kernels():
        on_kernel(f"the kernel of {as_typed(options)}")
        config = TrainConfig(**options)
        compile_kernel(config)
        if config.architecture == "skip-gram" and config.subwords is None and config.loss != "softmax":
            on_kernel(f"that of {as_typed(options)} for given pairs")
            compile_kernel(config, pairs=True)
    return CodeCache.compiled - before
