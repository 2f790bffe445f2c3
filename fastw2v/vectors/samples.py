"""The vectors of a corpus's bootstrap samples, in a folder: what says how sure a neighbour is.

    NAME.stability/stability.json    options, fingerprints of the corpus, sizes and checksums of the samples
                   words.json        words and counts of the whole corpus: the rows of every sample
                   sample-0001.npy   float16 (n_words, dim), the centre vectors of a sample, of length 1
                   …

Samples are mapped, never read as a whole; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import CorpusError
from fastw2v.options.checks import shown
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import unit_rows

FORMAT = 1
MANIFEST, WORDS = "stability.json", "words.json"
SUFFIX = ".stability"
MAX_BYTES = 1 << 26  # of the manifest: lists of words to keep are in it
CHUNK_ROWS = 4096


def sample_path(folder: Path, number: int) -> Path:
    """The file of a sample, numbered from 1."""
    return folder / f"sample-{number:04}.npy"


def sample_bytes(n_words: int, dim: int) -> int:
    """What one takes on the disk."""
    return 128 + 2 * n_words * dim


def write_sample(folder: Path, number: int, vectors: NDArray[np.float32]) -> dict[str, Any]:
    """Write the vectors of a sample, (n_words, dim), at length 1; returns size and checksum.

    Of 16 bits each number is known to 1 part in 2,000, and a cosine to some .0002, where the interval of a
    cosine is a hundred times as wide; files of 32 bits would be twice as long.

    Raises OutputError.
    """
    path = sample_path(folder, number)
    header = {"descr": "<f2", "fortran_order": False, "shape": vectors.shape}
    with atomic_writer(path, size=sample_bytes(*vectors.shape)) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(vectors), CHUNK_ROWS):
            rows = np.ascontiguousarray(vectors[start : start + CHUNK_ROWS])
            file.write(unit_rows(rows).astype("<f2").tobytes())
    return entry_of(path)


def entry_of(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def map_sample(path: Path, shape: tuple[int, int]) -> NDArray[np.float16]:
    """The vectors of a sample, mapped. Raises CorpusError for a file that is not there or another."""
    try:
        found: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(found, np.ndarray) or found.dtype != np.float16 or found.shape != shape:
            raise ValueError("it is no float16 matrix of this shape")
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(
            f"{path}: is no sample of {shape[0]:,} words x {shape[1]} ({str(error)[:100]}); remove the file, "
            "and 'fastw2v stability' makes it again"
        ) from error
    return found


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> None:
    """Write what the samples are of. Raises OutputError."""
    with atomic_writer(folder / MANIFEST) as file:
        file.write(json.dumps({"format": FORMAT, **fields}, indent=1).encode() + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What samples are of. Raises CorpusError for a file that is not what was written."""
    path = folder / MANIFEST
    fields = read_json(path)
    if fields.get("format") != FORMAT:
        raise CorpusError(
            f"{path}: format {shown(fields.get('format'))} is not {FORMAT}; use the fastw2v that wrote it"
        )
    return fields


def write_words(folder: Path, words: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Write the words of all samples, and their counts in the whole corpus. Raises OutputError."""
    with atomic_writer(folder / WORDS) as file:
        file.write(json.dumps({"words": list(words), "counts": counts.tolist()}).encode())


def read_words(folder: Path) -> list[str]:
    """The words of all samples. Raises CorpusError."""
    words = read_json(folder / WORDS, most=None).get("words")
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise damaged(folder / WORDS, "it holds no words")
    return words


def read_json(path: Path, most: int | None = MAX_BYTES) -> dict[str, Any]:
    """The object in a file of JSON. Raises CorpusError."""
    try:
        if most is not None and path.stat().st_size > most:
            raise ValueError(f"it has more than {most:,} bytes")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is no object")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return content


def damaged(path: Path, reason: object) -> CorpusError:
    """The error for a file that is not what was written."""
    return CorpusError(
        f"{path}: is damaged ({str(reason)[:100]}); remove its folder and run 'fastw2v stability' again"
    )
