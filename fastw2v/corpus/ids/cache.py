"""An encoded corpus in a file, to be found again by what it was made from.

    4096 bytes: a line with the magic words and the CRC-32 of the next, a line of JSON, zeros
    ids int32, offsets int64 (`storage.FileBuffer`), counts int64, ends of words int64, words in UTF-8,
    ends of shards int64, where the corpus is a part that one of several processes read
    weights of sentences float32, and their targets int32, where they have some
    pieces uint64 (n_pieces, 3): position, bytes and CRC-32 of parts that together are all of the above

Nothing of a file is believed before it was checked, and it holds data only.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.corpus.arrow.layouts import arrow_errors
from fastw2v.corpus.files.remote import LOCAL, File
from fastw2v.corpus.ids.storage import HEADER_BYTES, FileBuffer, in_parts, mapped_corpus
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import OutputError
from fastw2v.system.files import atomic_writer, require_writable
from fastw2v.system.portable import read_into, write_at

if TYPE_CHECKING:  # with it comes Numba
    from fastw2v.corpus.ids.encoding import Encoder

MAGIC = "fastw2v corpus 3"
MAX_PIECE = 1 << 28  # bytes, so that checking takes little memory
LIMITS = {
    "n_ids": 2**48,
    "n_sentences": 2**48,
    "n_words": 2**31 - 1,
    "n_text": 2**48,
    "n_shards": 2**32,
    "has_weights": 1,
    "has_targets": 1,
    "n_pieces": 2**32,
    "n_words_read": 2**62,
    "n_rows": 2**62,
    "n_null": 2**62,
    "n_dropped": 0,
    "n_dropped_tokens": 0,
    "short_by": 0,
}
NO_SHARDS = np.empty(0, np.int64)
TAIL_BYTES = 1 << 16  # of a file without a footer
MAX_FOOTER = 1 << 28


class Extra(NamedTuple):
    """What some corpora have beside words and sentences.

    shard_ends   int64 (n_shards,), the ids up to the end of each shard, where it is a part of a corpus
    weights      float32 (n_sentences,), or None
    targets      int32 (n_sentences,), likewise
    """

    shard_ends: NDArray[np.int64] = NO_SHARDS
    weights: NDArray[np.float32] | None = None
    targets: NDArray[np.int32] | None = None


NO_EXTRA = Extra()


class CachedCorpus(NamedTuple):
    """A cached corpus: as in `corpus.Corpus`, and the numbers that were kept with it."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    vocabulary: Vocabulary
    numbers: dict[str, int]
    extra: Extra


class BadCacheError(Exception):
    """A cache file that is not what was written; the message says in what way."""


def require(is_so: bool, otherwise: str) -> None:
    """Raise BadCacheError unless it is so."""
    if not is_so:
        raise BadCacheError(otherwise)


# ---- What a corpus was made from ---------------------------------------------------------------------------


class Cache:
    """The place in a folder of what some files and options make.

    The name tells paths and options apart; a file with that name is replaced when the data has changed.
    note   says what `load` found, if anything
    """

    def __init__(self, folder: Path, files: Sequence[File], options: Mapping[str, Any]) -> None:
        """options   anything that JSON can hold

        Raises OutputError for the folder, CorpusError for files that cannot be read.
        """
        self.note = ""
        paths = [str(Path(file.path).resolve()) if file.system is LOCAL else file.name for file in files]
        self.path = folder / f"{digest_of([MAGIC, paths, dict(options)])}.corpus"
        self._state = state_of(files)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be made ({error.strerror}); give another --cache-dir"
            ) from error
        require_writable(self.path)

    def load(self, threads: int) -> CachedCorpus | None:
        """What was kept, checked; its ids and offsets stay in the file. None where nothing can be used."""
        try:
            with self.path.open("rb") as file:
                entry = checked(file.fileno(), self._state, threads)
        except FileNotFoundError:
            return None
        except (
            BadCacheError,
            OSError,
            ValueError,
            KeyError,
            TypeError,
        ) as error:  # of bad JSON and UTF-8, too
            self.note = f"{self.path}: {' '.join(str(error).split())[:160]}; reading the corpus again"
            return None
        self.note = f"nothing to read: found the encoded corpus in {self.path}"
        return entry

    def save(
        self,
        encoder: Encoder,
        vocabulary: Vocabulary,
        numbers: Mapping[str, int],
        extra: Extra = NO_EXTRA,
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Write a corpus, complete or not at all; its ids and offsets in the file. Raises OutputError."""
        with atomic_writer(self.path) as file:
            write(file.fileno(), {"state": self._state, **numbers}, encoder, vocabulary, extra)
        try:
            with self.path.open("rb") as written:
                return mapped_corpus(written.fileno(), encoder.n_ids, encoder.n_sentences)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be read back ({error.strerror}); leave out --cache-dir"
            ) from error


def state_of(files: Sequence[File]) -> str:
    """Names sizes, times, and checksums of the ends of files. Raises CorpusError."""
    state = []
    for file in files:
        with arrow_errors(f"{file.name}: cannot be read"):
            known = file.system.get_file_info(file.path)
            with file.system.open_input_file(file.path) as opened:
                state.append([known.size, known.mtime_ns, end_checksum(opened, known.size)])
    return digest_of(state)


def end_checksum(file: Any, size: int) -> int:
    """CRC-32 of a Parquet file's footer, which has the places and sizes in it, or of another file's end."""
    last = file.read_at(min(size, 8), max(size - 8, 0)).rjust(8, b"\0")
    footer_bytes, magic = struct.unpack("<I4s", last)
    n_bytes = min(size, footer_bytes + 8 if magic == b"PAR1" else TAIL_BYTES, MAX_FOOTER)
    return zlib.crc32(file.read_at(n_bytes, size - n_bytes))


def digest_of(value: Any) -> str:
    """A short name for a value that JSON can hold."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


# ---- Writing -----------------------------------------------------------------------------------------------


def write(
    descriptor: int,
    known: Mapping[str, Any],
    encoder: Encoder,
    vocabulary: Vocabulary,
    extra: Extra,
) -> None:
    """Write a whole file; known is what its header has beside sizes. Raises OSError."""
    words = [word.encode() for word in vocabulary.words]
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    text = np.frombuffer(b"".join(words), np.uint8)
    buffer = FileBuffer(descriptor, encoder.n_ids, encoder.n_sentences)
    encoder.write(buffer)
    position = buffer.end
    arrays: list[NDArray[Any]] = [np.asarray(vocabulary.counts, np.int64), ends, text]
    arrays.append(np.asarray(extra.shard_ends, np.int64))
    arrays += [array for array in (extra.weights, extra.targets) if array is not None]
    for array in arrays:
        for start in range(0, len(array), MAX_PIECE // array.itemsize):
            part = array[start : start + MAX_PIECE // array.itemsize]
            buffer.write(part, position)
            position += part.nbytes
    pieces = np.array(sorted(buffer.pieces), np.uint64)
    write_at(descriptor, pieces, position)
    header = {
        **known,
        "n_ids": encoder.n_ids,
        "n_sentences": encoder.n_sentences,
        "n_words": len(words),
        "n_text": len(text),
        "n_shards": len(extra.shard_ends),
        "has_weights": int(extra.weights is not None),
        "has_targets": int(extra.targets is not None),
        "n_pieces": len(pieces),
        "pieces_checksum": zlib.crc32(pieces.data),
    }
    write_at(descriptor, np.frombuffer(sealed(header), np.uint8), 0)


def sealed(header: Mapping[str, Any]) -> bytes:
    """The first HEADER_BYTES of a file."""
    line = json.dumps(header).encode()
    first = f"{MAGIC} {zlib.crc32(line):08x}".encode()
    return b"\n".join([first, line, b""]).ljust(HEADER_BYTES, b"\0")


# ---- Reading -----------------------------------------------------------------------------------------------


class SectionOffsets(NamedTuple):
    """Positions in a file, in bytes."""

    counts: int
    ends: int
    text: int
    shards: int
    weights: int
    targets: int
    pieces: int
    stop: int


def checked(descriptor: int, state: str, threads: int) -> CachedCorpus:
    """The corpus in a file.

    Raises BadCacheError, OSError, and for what is no header or text ValueError, KeyError, TypeError.
    """
    header = opened(read(descriptor, HEADER_BYTES, 0).tobytes())
    require(header.pop("state") == state, "the corpus has changed")
    parts = parts_in(header)
    require(os.fstat(descriptor).st_size == parts.stop, "it was cut, or more was added")
    check_pieces(descriptor, header, parts, threads)
    n_words = header["n_words"]
    ids, offsets = mapped_corpus(descriptor, header["n_ids"], header["n_sentences"])
    check_ids(ids, offsets, n_words)
    counts, ends = (
        read(descriptor, 8 * n_words, position).view(np.int64) for position in (parts.counts, parts.ends)
    )
    text = read(descriptor, header["n_text"], parts.text).data
    extra = extra_in(descriptor, header, parts)
    check_extra(extra, len(ids), n_words)
    bounds = [0, *ends.tolist()]
    words = [str(text[start:stop], "utf-8") for start, stop in itertools.pairwise(bounds)]
    return CachedCorpus(ids, offsets, Vocabulary(words, counts), header, extra)


def extra_in(descriptor: int, header: Mapping[str, Any], parts: SectionOffsets) -> Extra:
    """What there is beside words and sentences."""
    n_bytes = 4 * header["n_sentences"]
    return Extra(
        read(descriptor, 8 * header["n_shards"], parts.shards).view(np.int64),
        read(descriptor, n_bytes, parts.weights).view(np.float32) if header["has_weights"] else None,
        read(descriptor, n_bytes, parts.targets).view(np.int32) if header["has_targets"] else None,
    )


def opened(data: bytes) -> dict[str, Any]:
    """The header that `sealed` made."""
    first, line, _ = data.split(b"\n", 2)
    magic, _, checksum = first.decode().rpartition(" ")
    require(magic == MAGIC, "it is of another kind or version")
    require(int(checksum, 16) == zlib.crc32(line), "its header is damaged")
    header: dict[str, Any] = json.loads(line)
    return header


def parts_in(header: Mapping[str, Any]) -> SectionOffsets:
    """Where things are, with all sizes within their limits."""
    for name, most in LIMITS.items():
        require(type(header[name]) is int and 0 <= header[name] <= most, f"{name} is out of range")
    n_words = header["n_words"]
    counts = HEADER_BYTES + -(-4 * header["n_ids"] // 8) * 8 + 8 * (header["n_sentences"] + 1)
    ends, text = counts + 8 * n_words, counts + 16 * n_words
    shards = text + header["n_text"]
    weights = shards + 8 * header["n_shards"]
    targets = weights + 4 * header["n_sentences"] * header["has_weights"]
    pieces = targets + 4 * header["n_sentences"] * header["has_targets"]
    stop = pieces + 24 * header["n_pieces"]
    return SectionOffsets(counts, ends, text, shards, weights, targets, pieces, stop)


def read(descriptor: int, n_bytes: int, position: int) -> NDArray[np.uint8]:
    data = np.empty(n_bytes, np.uint8)
    require(read_into(descriptor, data, position) == n_bytes, "it was cut")
    return data


def check_pieces(descriptor: int, header: Mapping[str, Any], parts: SectionOffsets, threads: int) -> None:
    """Compare the checksums of everything after the header."""
    data = read(descriptor, 24 * header["n_pieces"], parts.pieces)
    require(zlib.crc32(data.data) == header["pieces_checksum"], "its list of checksums is damaged")
    pieces = data.view(np.uint64).reshape(-1, 3).astype(np.int64)
    bounds = np.append(pieces[:, 0], parts.pieces)
    is_whole = bounds[0] == HEADER_BYTES and np.array_equal(np.diff(bounds), pieces[:, 1])
    require(bool(is_whole and pieces[:, 1].max(initial=0) <= MAX_PIECE), "its checksums do not cover it")

    def is_right(piece: list[int]) -> bool:
        position, n_bytes, checksum = piece
        return zlib.crc32(read(descriptor, n_bytes, position).data) == checksum

    with ThreadPoolExecutor(threads, "fastw2v-checker") as pool:
        require(all(pool.map(is_right, pieces.tolist())), "its data is damaged")


def check_ids(ids: NDArray[np.int32], offsets: NDArray[np.int64], n_words: int) -> None:
    """Kernels trust ids and offsets, whatever the checksums say."""
    for part in in_parts(ids):
        require(part.min() >= 0 and part.max() < n_words, "an id is out of range")
    for ends in in_parts(offsets, overlap=1):
        require(bool((ends[1:] > ends[:-1]).all()), "offsets do not rise")
    require(offsets[0] == 0 and offsets[-1] == len(ids), "offsets do not fit the ids")


def check_extra(extra: Extra, n_ids: int, n_words: int) -> None:
    """And what they have beside them."""
    ends, weights, targets = extra
    is_rising = bool((np.diff(ends, prepend=0) >= 0).all())
    require(is_rising and ends[-1:].tolist() in ([], [n_ids]), "ends of shards do not fit the ids")
    if weights is not None:
        require(bool((np.isfinite(weights) & (weights >= 0)).all()), "a weight is out of range")
    if targets is not None:
        is_in = targets.min(initial=-1) >= -1 and targets.max(initial=-1) < n_words
        require(bool(is_in), "a target is out of range")
