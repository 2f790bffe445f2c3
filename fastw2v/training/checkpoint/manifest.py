"""What a checkpoint says of itself: options, fingerprints, position, sizes and checksums of its files."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.corpus.fingerprint import fingerprint_of
from fastw2v.corpus.ids.storage import in_parts
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import CorpusError, UsageError
from fastw2v.model.arrays import Totals
from fastw2v.system.files import atomic_writer
from fastw2v.training.hooks import Position
from fastw2v.version import __version__

FORMAT = 1
FILES = ("center.npy", "outside.npy", "center.vocab.txt")
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
CHUNK_WORDS = 1 << 16


class Fingerprints(NamedTuple):
    """Of the words with their counts, and of the ids with their sentences, SHA-256 in hexadecimal.

    All of it is hashed: 17 M tokens take 0.1 s, a thousandth of the time to train them.
    """

    vocabulary: str
    corpus: str


def fingerprints(corpus: Corpus, tokens: str | None = None) -> Fingerprints:
    """What tells this corpus from any other; tokens is the fingerprint of its ids where that is known."""
    tokens = tokens or fingerprint_of(corpus.ids, corpus.offsets, corpus.n_words_read)
    return Fingerprints(_of_words(corpus.vocabulary), tokens)


def _of_words(vocabulary: Vocabulary) -> str:
    words, digest = vocabulary.words, hashlib.sha256(np.ascontiguousarray(vocabulary.counts, "<i8").data)
    for start in range(0, len(words), CHUNK_WORDS):
        chunk = "".join(f"{len(word)}:{word}" for word in words[start : start + CHUNK_WORDS])
        digest.update(chunk.encode(errors="surrogatepass"))
    return digest.hexdigest()


def earlier_fingerprint(corpus: Corpus) -> str:
    """Of the ids with their sentences as fastw2v 0.1.0 took it, in a run of one process."""
    digest = hashlib.sha256(b"%d" % corpus.n_words_read)
    for array, dtype in ((corpus.offsets, "<i8"), (corpus.ids, "<i4")):
        for part in in_parts(array):
            digest.update(np.ascontiguousarray(part, dtype).data)
    return digest.hexdigest()


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


def write_manifest(folder: Path, saved: Saved) -> None:
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
