"""The folder that a run is kept in: opened for a new run, or for one that goes on with its options."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastw2v.config import TrainConfig
from fastw2v.corpus.read import Corpus
from fastw2v.errors import UsageError
from fastw2v.training.checkpoint.checkpointer import Checkpointer, RunIdentity, parse_interval
from fastw2v.training.checkpoint.folder import Folder
from fastw2v.training.checkpoint.manifest import Saved, fingerprints


class RunFolder(NamedTuple):
    """The folder that a run is kept in, and the checkpoint to go on from, if it is to go on."""

    folder: Folder
    saved: Saved | None

    def checkpointer_of(
        self,
        corpus: Corpus,
        config: TrainConfig,
        fingerprint: str | None,
        every: str,
        options: dict[str, Any],
    ) -> Checkpointer:
        """What writes checkpoints of a run with these options; fingerprint is the corpus's, if known."""
        run = RunIdentity(config, corpus, fingerprints(corpus, fingerprint), options)
        return Checkpointer(self.folder, parse_interval(every), run, self.saved)


@contextlib.contextmanager
def open_checkpoints(
    checkpoint: Path | None, resume: Path | None, every: str, warn: Callable[[str], None]
) -> Iterator[RunFolder | None]:
    """Open the folder of --checkpoint for a new run, or of --resume; None without either.

    warn   is told of damaged checkpoints that are passed over

    Raises UsageError for a folder that is another run's, or not there to go on, OutputError for one that
    cannot be written, CorpusError where all checkpoints are damaged.
    """
    if not (checkpoint or resume):
        yield None
        return
    parse_interval(every)  # before a folder is made
    if checkpoint and resume and checkpoint.resolve() != resume.resolve():
        raise UsageError(f"--resume {resume} goes on keeping the run there: leave out --checkpoint")
    if resume and not resume.is_dir():
        raise UsageError(f"--resume {resume}: there is no such folder; give the one of --checkpoint")
    with Folder(resume or checkpoint or Path()) as folder:
        if not resume:
            folder.require_unused()
        yield RunFolder(folder, folder.newest(warn) if resume else None)


def require_no_patience(kept: RunFolder | None, patience: int | None) -> None:
    """Raise UsageError for patience in a run that is kept."""
    if kept and patience:
        raise UsageError("patience keeps its best vectors in memory only: leave out it or --checkpoint")
