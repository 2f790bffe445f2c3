"""`--checkpoint` and `--resume` of `fastw2v train`: the options a run started with, and its folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from fastw2v.commands.declared import fixed
from fastw2v.commands.train.settings import with_absolute_paths
from fastw2v.errors import UsageError

if TYPE_CHECKING:
    from fastw2v.config import TrainConfig
    from fastw2v.corpus.read import Corpus
    from fastw2v.training.checkpoint.checkpointer import Checkpointer
    from fastw2v.training.checkpoint.folder import Folder
    from fastw2v.training.checkpoint.manifest import Saved


class RunFolder(NamedTuple):
    """The folder that a run is kept in, and the checkpoint to go on from, if it is to go on."""

    folder: Folder
    saved: Saved | None

    def checkpointer_of(
        self, corpus: Corpus, config: TrainConfig, options: dict[str, Any], fingerprint: str | None = None
    ) -> Checkpointer:
        """What writes checkpoints of a run with these options; fingerprint is the corpus's, if known."""
        from fastw2v.training.checkpoint.checkpointer import Checkpointer, Run, parse_interval
        from fastw2v.training.checkpoint.manifest import fingerprints

        run = Run(config, corpus, fingerprints(corpus, fingerprint), with_absolute_paths(options))
        return Checkpointer(self.folder, parse_interval(options["checkpoint_every"]), run, self.saved)


@contextlib.contextmanager
def open_checkpoints(checkpoint: str | None, resume: str | None, every: str) -> Iterator[RunFolder | None]:
    """Open the folder of --checkpoint for a new run, or of --resume; None without either."""
    from fastw2v.training.checkpoint.checkpointer import parse_interval
    from fastw2v.training.checkpoint.folder import Folder

    if not (checkpoint or resume):
        yield None
        return
    parse_interval(every)  # before a folder is made
    if checkpoint and resume and Path(checkpoint).resolve() != Path(resume).resolve():
        raise UsageError(f"--resume {resume} goes on keeping the run there: leave out --checkpoint")
    path = Path(resume or checkpoint or "")
    if resume and not path.is_dir():
        raise UsageError(f"--resume {resume}: there is no such folder; give the one of --checkpoint")
    with Folder(path) as folder:
        if not resume:
            folder.require_unused()
            yield RunFolder(folder, None)
        else:
            yield RunFolder(folder, folder.newest(lambda line: click.echo(f"Warning: {line}", err=True)))


def settled(given: dict[str, Any], kept: RunFolder | None) -> dict[str, Any]:
    """The options of this run: those given, and for the rest those of the run that goes on, or defaults.

    Raises UsageError for one that differs from the run's and must not, for patience in a run that is kept,
    and for a missing SOURCE.
    """
    saved = kept.saved.options if kept and kept.saved else {}
    context = click.get_current_context()
    given["source"] = given["source"] or context.lookup_default("source") or ()
    source_of = context.get_parameter_source
    explicit = {name for name in given if source_of(name) is not ParameterSource.DEFAULT}
    compared = with_absolute_paths(given)
    for name in sorted(explicit & fixed() & saved.keys()):
        if compared[name] != saved[name]:
            raise UsageError(
                f"{name.replace('_', '-')} is {given[name]}, but the run to go on with has {saved[name]}: "
                f"{way_out(context, name)}, or start a new run without --resume"
            )
    if "checkpoint_every" in explicit and not (kept or context.params["checkpoint"]):
        raise UsageError("--checkpoint-every needs --checkpoint DIR")
    options = given | {name: saved[name] for name in given.keys() & saved.keys() - explicit}
    if kept and options["patience"]:
        raise UsageError("patience keeps its best vectors in memory only: leave out it or --checkpoint")
    if not options["source"]:
        raise UsageError("no corpus given: name a Parquet file, a folder or a pattern")
    return options


def way_out(context: click.Context, name: str) -> str:
    """How to give an option no more, by where it came from."""
    source = context.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return f"unset {f'{context.auto_envvar_prefix}_{name}'.upper()}"
    return "leave it out of the file" if source is ParameterSource.DEFAULT_MAP else "leave it out"
