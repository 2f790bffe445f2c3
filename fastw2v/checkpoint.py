"""Checkpoints: a run between two calls of the backend, on disk, complete or not there at all.

    DIR/checkpoint-000017/   center.npy  outside.npy   float32 (n_words, dim), V and U of CS224n
                             center.vocab.txt          so that center.npy reads as a vectors file
                             manifest.json             options, fingerprints, position, sizes and checksums

Every random draw is a function of (seed, epoch, position), so the two matrices and the position are the whole
state. Files are read back only if they are what the manifest says they were; nothing is ever unpickled.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v import __version__, interrupts
from fastw2v.config import TrainConfig
from fastw2v.corpus import Corpus
from fastw2v.errors import CorpusError, OutputError, UsageError
from fastw2v.files import TEMPORARY, atomic_folder, atomic_writer, remove_folder, require_writable
from fastw2v.formats.tokens import check_tokens, escape_token
from fastw2v.layout import Totals, Vectors
from fastw2v.reading.storage import in_parts
from fastw2v.training import Position, Progress, require_healthy
from fastw2v.vocabulary import Vocabulary, write_vocabulary

FORMAT = 1
FILES = ("center.npy", "outside.npy", "center.vocab.txt")
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
CHUNK_ROWS = 4096
CHUNK_WORDS = 1 << 16
SECONDS = {"s": 1, "m": 60, "h": 3600}

_NAME = re.compile(r"checkpoint-([0-9]{6,18})")
_INTERVAL = re.compile(r"([0-9]{1,15}) ?(s|m|h|words)")


class Interval(NamedTuple):
    """Time or corpus words between two checkpoints; the other one is infinite."""

    seconds: float = math.inf
    words: float = math.inf


def parse_interval(text: str) -> Interval:
    """`30s`, `5m`, `2h`, or `1000000 words` (repeated each epoch, out-of-vocabulary ones counted too).

    Raises UsageError for anything else, and for 0.
    """
    match = _INTERVAL.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise UsageError(
            f"checkpoint_every is {text!r}: it must be like 30s, 5m (minutes), 2h or '1000000 words'",
            ("checkpoint_every",),
        )
    number, unit = int(match[1]), match[2]
    return Interval(words=number) if unit == "words" else Interval(seconds=number * SECONDS[unit])


class Fingerprints(NamedTuple):
    """SHA-256 of the words with their counts, and of the ids with their sentences, in hexadecimal.

    All of it is hashed: 17 M tokens take 0.1 s, a thousandth of the time to train them.
    """

    vocabulary: str
    corpus: str


def fingerprints(corpus: Corpus, tokens: str | None = None) -> Fingerprints:
    """What tells this corpus from any other; tokens is the fingerprint of its ids where that is known."""
    return Fingerprints(_of_words(corpus.vocabulary), tokens or _of_tokens(corpus))


def _of_words(vocabulary: Vocabulary) -> str:
    words, digest = vocabulary.words, hashlib.sha256(np.ascontiguousarray(vocabulary.counts, "<i8").data)
    for start in range(0, len(words), CHUNK_WORDS):
        chunk = "".join(f"{len(word)}:{word}" for word in words[start : start + CHUNK_WORDS])
        digest.update(chunk.encode(errors="surrogatepass"))
    return digest.hexdigest()


def _of_tokens(corpus: Corpus) -> str:
    digest = hashlib.sha256(b"%d" % corpus.n_words_read)
    for array, dtype in ((corpus.offsets, "<i8"), (corpus.ids, "<i4")):
        for part in in_parts(array):
            digest.update(np.ascontiguousarray(part, dtype).data)
    return digest.hexdigest()


class Run(NamedTuple):
    """What must be the same when a run goes on, and what else is needed to start it again.

    options  names and JSON values, those of TrainConfig among them
    """

    config: TrainConfig
    corpus: Corpus
    fingerprints: Fingerprints
    options: dict[str, Any]


class Saved(NamedTuple):
    """A checkpoint on disk whose files are what its manifest says."""

    path: Path
    options: dict[str, Any]
    fingerprints: Fingerprints
    position: Position
    words: int
    words_total: int

    @property
    def share(self) -> float:
        """Of the run that is done."""
        return self.words / max(self.words_total, 1)


# ---- The folder of a run's checkpoints ---------------------------------------------------------------------


class Folder:
    """A folder of checkpoints, locked for this process as long as it is open; use it in a `with`.

    Raises OutputError for a folder that cannot be written or that a running process writes to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(exist_ok=True)
            self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be a folder for checkpoints ({error.strerror}); give another one"
            ) from error
        try:
            _lock(self.descriptor, path)
            require_writable(path / MANIFEST)
        except OutputError:
            os.close(self.descriptor)
            raise
        self.remove_leftovers()

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def remove_leftovers(self) -> None:
        """Remove unfinished checkpoints: under the lock they are of processes that ended meanwhile."""
        for leftover in self.path.glob(TEMPORARY):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)

    def checkpoints(self) -> list[Path]:
        """The checkpoints, oldest first, damaged ones too."""
        found = [path for path in self.path.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=_number_of)

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


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path}: another run writes its checkpoints there; give another folder") from None
    except OSError:  # some file systems have no locks
        pass


def _number_of(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


# ---- Reading -----------------------------------------------------------------------------------------------


def read_checkpoint(path: Path) -> Saved:
    """The checkpoint in a folder, after all of its files were compared with their checksums.

    Raises CorpusError for one that is damaged, incomplete or of another format.
    """
    try:
        fields = _read_manifest(path / MANIFEST)
        if fields["format"] != FORMAT:
            raise ValueError(f"format {fields['format']!r} is not {FORMAT}, use the fastw2v that wrote it")
        for name in FILES:
            _check_file(path / name, fields["files"][name])
        return _saved(path, fields)
    except OSError as error:
        raise CorpusError(f"{path}: the checkpoint cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise CorpusError(f"{path}: the checkpoint is damaged (manifest without {error})") from error
    except (ValueError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise CorpusError(f"{path}: the checkpoint is damaged ({str(error)[:160]})") from error


def _read_manifest(path: Path) -> dict[str, Any]:
    """The fields of a manifest; raises ValueError where they are not what was written."""
    with path.open("rb") as file:
        text = file.read(MAX_MANIFEST_BYTES + 1)
    if len(text) > MAX_MANIFEST_BYTES:
        raise ValueError(f"{MANIFEST} has more than {MAX_MANIFEST_BYTES:,} bytes")
    content = json.loads(text)
    fields: dict[str, Any] = content["run"]
    if content["sha256"] != _checksum(fields):
        raise ValueError(f"{MANIFEST} differs from its checksum")
    return fields


def _checksum(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _check_file(path: Path, expected: dict[str, Any]) -> None:
    if path.stat().st_size != expected["bytes"]:  # before reading, which may take long
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes instead of {expected['bytes']:,}")
    if _entry(path) != expected:
        raise ValueError(f"{path.name} differs from its checksum")


def _entry(path: Path) -> dict[str, Any]:
    """Size and checksum of a file, as the manifest holds them."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _saved(path: Path, fields: dict[str, Any]) -> Saved:
    """The fields with their types; raises whatever wrong ones make Python raise."""
    place, options = fields["position"], fields["options"]
    totals = Totals(float(place["loss"]), int(place["n_pairs"]), int(place["n_kept"]))
    legs = tuple((int(n_ranks), int(units)) for n_ranks, units in place.get("legs", []))
    position = Position(int(place["epoch"]), int(place["unit"]), totals, float(place["seconds"]), legs)
    numbers = (place["epoch"], place["unit"], *totals, position.seconds, *(n for leg in legs for n in leg))
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or not isinstance(options, dict):
        raise ValueError("the position or the options are none")
    prints = Fingerprints(str(fields["vocabulary"]), str(fields["corpus"]))
    return Saved(path, options, prints, position, int(fields["words"]), int(fields["words_total"]))


def read_matrix(path: Path, matrix: NDArray[np.float32]) -> None:
    """Fill a float32 (n_words, dim) matrix, which may be a view with padded rows, in chunks.

    Raises CorpusError for a file of another shape or type, or one that ends too early.
    """
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            if (shape, dtype) != (matrix.shape, np.dtype("<f4")):
                raise ValueError(f"{dtype} of shape {shape} instead of float32 {matrix.shape}")
            for rows in _chunks(matrix):
                rows[...] = np.frombuffer(file.read(4 * rows.size), "<f4").reshape(rows.shape)
    except Exception as error:  # a damaged header fails in numpy's reader, in ast or in tokenize
        raise CorpusError(f"{path}: no matrix of this run ({str(error)[:100]})") from error


def _chunks(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (matrix[start : start + CHUNK_ROWS] for start in range(0, len(matrix), CHUNK_ROWS))


# ---- Writing -----------------------------------------------------------------------------------------------


class Checkpoints:
    """Writes checkpoints of a run as it goes on: the keeper of `training.train`.

    folder    Folder, open
    interval  at least this between two
    run       Run
    saved     the checkpoint to go on from, or None for a new run

    Raises UsageError where the corpus or vocabulary is not that of the checkpoint.
    """

    def __init__(self, folder: Folder, interval: Interval, run: Run, saved: Saved | None = None) -> None:
        if saved:
            _require_same(saved, run)
        self.folder, self.interval, self.run, self.last = folder, interval, run, saved
        self.written_at = time.monotonic()
        self.words = saved.words if saved else 0
        self.vocabulary = Vocabulary(_carried(run.corpus.vocabulary.words), run.corpus.vocabulary.counts)
        interrupts.set_outcome(self.outcome)

    @property
    def outcome(self) -> str:
        """What is there of the run if it ends now."""
        if self.last is None:
            return "nothing was written"
        folder = shlex.quote(str(self.folder.path))
        return f"{self.last.share:.1%} of the run is kept, go on by: fastw2v train --resume {folder}"

    def restore(self, vectors: Vectors) -> Position | None:
        """Fill the matrices and say where to go on; None for a new run."""
        if self.last is None:
            return None
        for name, matrix in self._files(vectors).items():
            read_matrix(self.last.path / name, matrix)
        return self.last.position

    def after_call(self, vectors: Vectors, position: Position, progress: Progress) -> None:
        """Write a checkpoint if it is time to, at the end of the run, and when a signal asks the run to end.

        Raises Interrupted for that, OutputError, and DivergedError instead of keeping vectors not finite.
        """
        signum = interrupts.received()
        if signum or self.is_due(progress):
            self.save(vectors, position, progress)
        if signum:
            raise interrupts.Interrupted(signum)

    def is_due(self, progress: Progress) -> bool:
        """Whether it is time to write, or the run ends."""
        return (
            time.monotonic() - self.written_at >= self.interval.seconds
            or progress.words - self.words >= self.interval.words
            or progress.words == progress.words_total
        )

    def save(self, vectors: Vectors, position: Position, progress: Progress) -> None:
        """Write a checkpoint, then remove all but it and the one before."""
        require_healthy(vectors, progress.mean_loss, self.run.config)
        numbers = map(_number_of, self.folder.checkpoints())
        path = self.folder.path / f"checkpoint-{max(numbers, default=0) + 1:06}"
        saved = Saved(
            path, self.run.options, self.run.fingerprints, position, progress.words, progress.words_total
        )
        with atomic_folder(path) as temporary:
            for name, matrix in self._files(vectors).items():
                _write_matrix(temporary / name, matrix)
            write_vocabulary(temporary / "center.vocab.txt", self.vocabulary)
            _write_manifest(temporary, saved)
        for old in self.folder.checkpoints():
            if old != path and (self.last is None or old != self.last.path):
                remove_folder(old)
        self.folder.remove_leftovers()
        self.last, self.words, self.written_at = saved, progress.words, time.monotonic()
        interrupts.set_outcome(self.outcome)

    def _files(self, vectors: Vectors) -> dict[str, NDArray[np.float32]]:
        dim = self.run.config.dim
        return {"center.npy": vectors.center[:, :dim], "outside.npy": vectors.outside[:, :dim]}


def _require_same(saved: Saved, run: Run) -> None:
    for name in Fingerprints._fields:
        if getattr(saved.fingerprints, name) != getattr(run.fingerprints, name):
            raise UsageError(
                f"the {name} is not that of the run in {saved.path.parent}: give what that run was started "
                "with, or start a new one without --resume"
            )


def _carried(words: list[str]) -> list[str]:
    """The words as a vocabulary file can hold them: as they are, or all of them escaped."""
    try:
        check_tokens(words)
    except UsageError:
        return [escape_token(word) for word in words]
    return words


def _write_matrix(path: Path, matrix: NDArray[np.float32]) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": matrix.shape}
    with atomic_writer(path, size=128 + 4 * matrix.size) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in _chunks(matrix):
            file.write(rows.astype("<f4", copy=False).tobytes())


def _write_manifest(folder: Path, saved: Saved) -> None:
    place = saved.position
    fields = {
        "format": FORMAT,
        "fastw2v": __version__,
        "options": saved.options,
        **saved.fingerprints._asdict(),
        "position": {
            "epoch": place.epoch,
            "unit": place.unit,
            "legs": place.legs,
            "seconds": place.seconds,
            **place.totals._asdict(),
        },
        "words": saved.words,
        "words_total": saved.words_total,
        "files": {name: _entry(folder / name) for name in FILES},
    }
    content = {"run": fields, "sha256": _checksum(fields)}
    with atomic_writer(folder / MANIFEST) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
