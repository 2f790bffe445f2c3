"""A run on given pairs: what of the options means nothing there, and how its corpus is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from fastw2v.corpus.read import Corpus
from fastw2v.errors import UsageError
from fastw2v.options.together import refuse_idle
from fastw2v.run.request import Request
from fastw2v.system.machine import usable_cores

OF_TEXTS = "that is of texts, and pairs takes rows of two words"
# Of training: a value that means nothing to pairs, and why.
NO_WINDOW = "a row is a pair, and none is made of neighbours"
OF_SENTENCES = {
    "window": NO_WINDOW,
    "dynamic_window": NO_WINDOW,
    "context": NO_WINDOW,
    "window_weights": NO_WINDOW,
    "architecture": "a centre predicts its outside words, and bags of them are not given",
    "subwords": "that is of texts, and words of rows are whole",
    "holdout": "rows of a sentence are not told from others, and none is kept out",
    "leave_last_out": "rows have no last item to foretell",
    "shuffle": "rows come in a drawn order as it is",
}
OF_BOTH = ("min_count", "max_vocab")  # options of reading that are of the centres here


def idle_options(request: Request) -> Iterator[tuple[str, Any, str]]:
    """The options that pairs leave without effect and that are given nevertheless: name, value, why."""
    for field in fields(request.reading):
        value = getattr(request.reading, field.name)
        if value != field.default and field.name not in OF_BOTH:
            yield field.name, value, OF_TEXTS
    for name, why in OF_SENTENCES.items():
        value = getattr(request.training, name)
        if value != type(request.training).__dataclass_fields__[name].default:
            yield name, value, why
    if request.memory.cache_dir is not None:
        yield "cache_dir", str(request.memory.cache_dir), "it keeps ids of texts"


def require_pairs(request: Request, n_processes: int) -> None:
    """Raise UsageError for what means nothing in a run on pairs, or is not to be had there."""
    if not request.pairs.pairs:
        return
    if request.graph.graph:
        raise UsageError(
            "graph walks on edges, and pairs takes rows of two words: leave one of them out",
            ["graph", "pairs"],
        )
    if isinstance(request.source, Corpus):
        raise UsageError("pairs takes rows of two words, and this corpus is read: leave pairs out", ["pairs"])
    if request.vocabulary is not None:
        raise UsageError(
            "vocabulary is of texts, and the words of pairs are counted in them: leave vocabulary out",
            ["vocabulary", "pairs"],
        )
    refuse_idle(idle_options(request), "pairs")
    if request.training.loss == "softmax":
        raise UsageError(
            "loss softmax is of windows, and rows of pairs have none: leave loss out", ["loss", "pairs"]
        )
    if n_processes > 1:
        raise UsageError(
            "pairs is for one process: start it without mpirun, or with alone", ["pairs", "alone"]
        )


def read_given(request: Request, on_progress: Any = None) -> Corpus:
    """The pairs that are asked for, as a corpus. Raises what `read_pairs` does."""
    from fastw2v.corpus.ids.memory import budget
    from fastw2v.corpus.pairs.read import Limits, read_pairs
    from fastw2v.training.pairing import corpus_of_pairs

    reading, pairs = request.reading, request.pairs
    room = budget(request.memory.limit, request.training.threads or usable_cores())
    least = reading.min_count if pairs.outside_min_count is None else pairs.outside_min_count
    read = read_pairs(
        request.source,
        centers=Limits(reading.min_count, reading.max_vocab),
        outsides=Limits(least, pairs.outside_max_vocab),
        ids_bytes=room.ids,
        on_progress=on_progress,
    )
    return corpus_of_pairs(read, request.training.sample)
