"""What a checkpoint says of itself: options, fingerprints, position, sizes and checksums of its files."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v.corpus.fingerprint import fingerprint_of
from fastw2v.corpus.ids.storage import in_parts
from fastw2v.corpus.read import Corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.model.arrays import Totals, as_number
from fastw2v.training.checkpoint.sealed import damage_told, read_fields, write_fields
from fastw2v.training.hooks import Position
from fastw2v.version import __version__

FORMAT = 1
FILES = ("center.npy", "outside.npy", "center.vocab.txt")
MANIFEST = "manifest.json"
CHUNK_WORDS = 1 << 16


class Fingerprints(NamedTuple):
    """Of the words with their counts, and of the ids with their sentences, SHA-256 in hexadecimal.

    All of it is hashed: 17 M tokens take 0.1 s, a thousandth of the time to train them.
    """

    vocabulary: str
    corpus: str


def fingerprints(corpus: Corpus, tokens: str | None = None) -> Fingerprints:
    """What tells this corpus from any other; tokens is the fingerprint of its sentences, if that is known."""
    if corpus.source:
        tokens = corpus.source.fingerprint()
    tokens = tokens or fingerprint_of(corpus.ids, corpus.offsets, corpus.n_words_read, corpus.beside)
    words = _of_words(corpus.vocabulary)
    if corpus.outside_vocabulary:
        words = hashlib.sha256(f"{words} {_of_words(corpus.outside_vocabulary)}".encode()).hexdigest()
    return Fingerprints(words, tokens)


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
    with damage_told(path, "the checkpoint"):
        return _saved(path, read_fields(path / MANIFEST, "run", FORMAT, FILES))


def with_earlier(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, and what those were that it did not know yet."""
    is_drawn = options.get("dynamic_window", True) and options.get("architecture") != "cbow"
    gradient = "exact" if options.get("architecture") == "cbow" else "root"
    weights = "drawn" if is_drawn else "auto"
    return {"window_weights": weights, "cbow_gradient": gradient, **options}


def _saved(path: Path, fields: dict[str, Any]) -> Saved:
    """The fields with their types; raises whatever wrong ones make Python raise."""
    place, options = fields["position"], with_earlier(fields["options"])
    totals = Totals(float(place["loss"]), as_number(place["n_pairs"]), int(place["n_kept"]))
    legs = tuple((int(n_ranks), int(units)) for n_ranks, units in place.get("legs", []))
    position = Position(int(place["epoch"]), int(place["unit"]), totals, float(place["seconds"]), legs)
    numbers = (place["epoch"], place["unit"], *totals, position.seconds, *(n for leg in legs for n in leg))
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
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
    }
    write_fields(folder / MANIFEST, "run", fields, FILES)
