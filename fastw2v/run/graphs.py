"""A run on a graph: what of the options means nothing there, and how its corpus is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from fastw2v.corpus.read import Corpus
from fastw2v.errors import UsageError
from fastw2v.options.together import refuse_idle
from fastw2v.run.request import Request
from fastw2v.system.machine import usable_cores

OF_TEXTS = "that is of texts, and graph reads edges"
OWN_WEIGHTS = "edges have weights of their own, in a column weight"
# Of training, and why.
OF_SENTENCES = {
    "holdout": "walks are drawn anew each epoch, and none is kept out",
    "leave_last_out": "walks are drawn anew each epoch, and have no last item to foretell",
    "shuffle": "walks come in a drawn order as it is",
}


def idle_options(request: Request) -> Iterator[tuple[str, Any, str]]:
    """The options that a graph leaves without effect and that are given nevertheless: name, value, why.

    A least count of 1, which the preset sets, keeps every node, as there is no other way.
    """
    for field in fields(request.reading):
        value = getattr(request.reading, field.name)
        if value != field.default and (field.name, value) != ("min_count", 1):
            yield field.name, value, OWN_WEIGHTS if field.name == "weight" else OF_TEXTS
    for name, why in OF_SENTENCES.items():
        if value := getattr(request.training, name):
            yield name, value, why
    if request.memory.limit is not None:
        yield "memory_limit", request.memory.limit, "a graph is in memory whole"
    if request.memory.cache_dir is not None:
        yield "cache_dir", str(request.memory.cache_dir), "it keeps ids, and walks are not kept"


def require_walkable(request: Request, n_processes: int) -> None:
    """Raise UsageError for what means nothing in a run on a graph, or is not to be had there."""
    if not request.graph.graph:
        return
    if isinstance(request.source, Corpus):
        raise UsageError("graph takes edges, and this corpus is read: leave graph out", ["graph"])
    if request.vocabulary is not None:
        raise UsageError(
            "vocabulary is of texts, and the words of graph are its nodes: leave vocabulary out",
            ["vocabulary", "graph"],
        )
    refuse_idle(idle_options(request), "graph")
    if n_processes > 1:
        raise UsageError(
            "graph is walked by the threads of one process: start it without mpirun, or with alone",
            ["graph", "alone"],
        )


def read_walks(request: Request, on_progress: Any = None) -> Corpus:
    """The walks over the graph that is asked for, as a corpus. Raises what `read_graph` does."""
    from fastw2v.corpus.graphs.read import read_graph
    from fastw2v.training.walking import corpus_of_walks

    threads = request.training.threads or usable_cores()
    read = read_graph(request.source, directed=request.graph.directed, on_progress=on_progress)
    return corpus_of_walks(read, request.graph, request.training.seed, threads)
