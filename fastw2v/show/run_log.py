"""A run as JSON lines, for programs: what was asked, how it goes, what came of it."""

from __future__ import annotations

import contextlib
import json
import math
import time
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from fastw2v.errors import OutputError, UsageError
from fastw2v.system.machine import resident_memory
from fastw2v.training.hooks import Progress, Trained
from fastw2v.version import __version__

INTERVAL_SECONDS = 1.0


class RunLog:
    """Writes a JSON object a line as things happen; with no path it writes nothing.

    Every record has `event` and `time` (seconds since 1970). Used as a context: whatever ends the block by an
    exception is written as event `error`.

    Raises OutputError where the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.file = path, None if path is None else _open(path)
        self.last_progress = -math.inf

    def record(self, event: str, **fields: Any) -> None:
        """Write one record now; numbers that are not finite, which JSON lacks, become null."""
        if self.file is None:
            return
        content = {"event": event, "time": round(time.time(), 3)} | fields
        try:
            self.file.write(json.dumps(_finite(content)) + "\n")
            self.file.flush()
        except OSError as error:
            file, self.file = self.file, None  # closing it tries to write what is left, and fails again
            with contextlib.suppress(OSError):
                file.close()
            raise self._unwritten(error) from error

    def _unwritten(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: cannot be written ({error.strerror}); free some space")

    def start(self, settings: dict[str, Any]) -> None:
        """The first record: version and every option."""
        self.record("start", version=__version__, settings=settings)

    def end(self, trained: Trained, **more: Any) -> None:
        """The last record: what the run came to."""
        embeddings, numbers = trained.embeddings, vars(trained).copy()
        del numbers["embeddings"]
        self.record("end", **numbers, **more, vectors=len(embeddings), dim=embeddings.dim)

    def progress(self, progress: Progress) -> None:
        """How training goes, once a second and at its end."""
        now = time.monotonic()
        if now - self.last_progress < INTERVAL_SECONDS and progress.words < progress.words_total:
            return
        self.last_progress = now
        self.record(
            "progress",
            **progress._asdict(),
            share=progress.share,
            words_per_second=progress.rate,
            seconds_left=progress.seconds_left,
            memory=resident_memory(),
        )

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.record("error", kind=type(error).__name__, message=str(error))
        if self.file is not None:
            try:
                self.file.close()
            except OSError as failure:
                raise self._unwritten(failure) from failure


def _open(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); choose another name or folder"
        ) from error


def read_log(path: Path) -> list[dict[str, Any]]:
    """The records of a finished or running run, the first one `start`; a last line that is cut is left out.

    Raises UsageError where the file cannot be read or is no such log.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        records = [json.loads(line) for line in lines]
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); give a file of train --log-json"
        ) from None
    except (ValueError, RecursionError):
        records = []
    if not records or not all(isinstance(record, dict) for record in records):
        raise UsageError(f"{path}: is no log; give a file of train --log-json")
    if records[0].get("event") != "start" or not isinstance(records[0].get("settings"), dict):
        raise UsageError(f"{path}: does not begin with the settings; give a whole file of train --log-json")
    return records


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
