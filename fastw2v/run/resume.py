"""A run that goes on: its options, as a checkpoint holds them, and those that are given anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from fastw2v.config import FIXED, RunConfig
from fastw2v.corpus.files.pipes import STDIN, is_pipe
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary, read_words
from fastw2v.errors import UsageError
from fastw2v.run.arguments import Configs, configs_of
from fastw2v.run.request import Request, read_vocabularies
from fastw2v.system.files import descriptor_of
from fastw2v.training.checkpoint.manifest import Saved

OF_THIS_CALL = ("checkpoint", "resume", "log_json", "alone")
LISTS = {"keep_words": "keep_list", "stop_words": "stop_list"}  # the command names files of them


def going_on(
    given: Mapping[str, Any],
    explicit: Collection[str],
    saved: Mapping[str, Any],
    way_out: Callable[[str], str],
    fixed: Collection[str] = FIXED,
    cures: tuple[str, str] = ("the run to go on with", "start a new run without --resume"),
) -> dict[str, Any]:
    """The options of a run that goes on: those given, and for the rest those that it was begun with.

    given      name to value, defaults too, as a checkpoint holds them
    explicit   names of those that are no defaults
    saved      of the run
    way_out    of a name: how to give it no more
    cures      whose options those saved are, and what else can be done

    Raises UsageError for one that differs from the run's and must not.
    """
    for name in sorted(set(explicit) & set(fixed) & saved.keys()):
        if given[name] != saved[name]:
            raise UsageError(
                f"{name.replace('_', '-')} is {given[name]}, but {cures[0]} has {saved[name]}: "
                f"{way_out(name)}, or {cures[1]}"
            )
    return {**given, **{name: saved[name] for name in given.keys() & saved.keys() - set(explicit)}}


def options_of(request: Request, running: RunConfig) -> dict[str, Any]:
    """The options of a run, in values that JSON can hold; an object to train on has no name to go on by."""
    kinds = (request.training, request.reading, request.graph, request.pairs, request.replicas, running)
    options = {name: value for kind in kinds for name, value in vars(kind).items()}
    plain = {name: as_json(value) for name, value in options.items() if name not in OF_THIS_CALL}
    return {"source": request.names and [absolute(name) for name in request.names], **plain}


def asked(configs: Configs) -> dict[str, Any]:
    """All options, in values that JSON can hold."""
    *kinds, _ = configs
    options = {name: value for kind in kinds for name, value in vars(kind).items()}
    return {name: as_json(value) for name, value in options.items()}


def as_json(value: Any) -> Any:
    """A value of an option as JSON has it: sets sorted, files with their whole path."""
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value.absolute()) if isinstance(value, Path) else value


def absolute(name: str) -> str:
    """The name of a corpus, from any folder."""
    return name if "://" in name or name == STDIN else str(Path(name).absolute())


def with_saved(
    saved: Saved, corpus: Any, configs: Configs, vocabulary: Vocabulary | None
) -> tuple[Any, Configs, Vocabulary | None]:
    """Corpus, options and vocabulary of a run that goes on: those given, and for the rest its own.

    Raises UsageError for an option that differs from the run's and must not, CorpusError for lists of words
    that cannot be read.
    """
    options = dict(saved.options)
    for name, file in LISTS.items():
        if options.get(file):
            options[name] = sorted(read_words(options[file]))
    given = {name: value for name, value in asked(configs).items() if name not in OF_THIS_CALL}
    merged = going_on(given, configs.given, options, lambda name: f"leave out {name}")
    merged |= {name: getattr(configs.running, name) for name in OF_THIS_CALL}
    if vocabulary is None and options.get("read_vocab"):
        vocabulary = read_vocabularies(options["read_vocab"])
    if corpus is None:
        corpus = options.get("source")
        require_rereadable(corpus)
    return corpus, configs_of(merged, configs.given), vocabulary


def require_rereadable(names: Any) -> None:
    """Raise UsageError where a run that goes on was begun on a pipe, which it does not name again."""
    for name in names or ():
        if is_pipe(name) or descriptor_of(Path(name)) is not None:
            raise UsageError(
                f"the run was begun on a pipe, {name}: pipe the same text again, and name it beside --resume"
            )


def begun(corpus: Corpus, n_tokens: int) -> dict[str, int]:
    """What the log of a run says of its corpus."""
    return {
        "words": corpus.n_words_read,
        "rows": corpus.n_rows,
        "tokens": n_tokens,
        "vocabulary": len(corpus.vocabulary),
    }
