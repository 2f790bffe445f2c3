"""The folder of a run's checkpoints, locked while a process writes to it."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.system.files import LOCK, TEMPORARY, require_writable
from fastw2v.system.locks import locked
from fastw2v.training.checkpoint.manifest import MANIFEST, Saved, read_checkpoint

_NAME = re.compile(r"checkpoint-([0-9]{6,18})")


class Folder:
    """A folder of checkpoints, locked for this process as long as it is open; use it in a `with`.

    what   it is said to hold

    Raises OutputError for a folder that cannot be written or that a running process writes to.
    """

    def __init__(self, path: Path, what: str = "checkpoints") -> None:
        self.path = path
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be a folder for {what} ({error.strerror}); give another one"
            ) from error
        with contextlib.ExitStack() as held:
            held.enter_context(_locked(path, what))
            require_writable(path / MANIFEST)
            self.remove_leftovers()
            self._held = held.pop_all()

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def remove_leftovers(self) -> None:
        """Remove unfinished checkpoints: under the lock they are of processes that ended meanwhile."""
        for leftover in self.path.glob(TEMPORARY):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)

    def checkpoints(self) -> list[Path]:
        """The checkpoints, oldest first, damaged ones too."""
        found = [path for path in self.path.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=number_of)

    def require_unused(self) -> None:
        """Raise UsageError where a new run would take the place of another one."""
        if self.checkpoints():
            raise UsageError(
                f"{self.path} holds the checkpoints of a run: go on with it by --resume {self.path}, "
                "or give another folder"
            )

    def newest(self, warn: Callable[[str], None]) -> Saved:
        """The newest checkpoint that is complete and undamaged; tells of those it passes over.

        Raises CorpusError where there is none.
        """
        reasons = []
        for path in reversed(self.checkpoints()):
            try:
                saved = read_checkpoint(path)
            except CorpusError as error:
                reasons.append(str(error))
                continue
            for reason in reasons:
                warn(f"{reason}; going on from {saved.path.name}, before it")
            return saved
        reason = reasons[0] if reasons else f"{self.path}: the folder holds no checkpoint"
        raise CorpusError(f"{reason}; start again with --checkpoint and an empty folder")


@contextlib.contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(path / LOCK))
        except BlockingIOError:
            raise OutputError(f"{path}: another run writes its {what} there; give another folder") from None
        yield


def number_of(path: Path) -> int:
    return int(path.name.rpartition("-")[2])
