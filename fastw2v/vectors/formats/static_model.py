"""safetensors, in the folder that model2vec and sentence-transformers' StaticEmbedding load:

    FOLDER/model.safetensors   tensor `embeddings`, float32 or float16 (n_words + 1, dim)
    FOLDER/tokenizer.json      splits at white space; each word's id is its row
    FOLDER/config.json         what model2vec asks for
    FOLDER/modules.json        what sentence-transformers asks for
    FOLDER/README.md           a model card, where there is none but one of ours

Both average the rows of a text's words. The last row, of zeros, belongs to words that are not known:
model2vec leaves them out, sentence-transformers averages the zeros. The file itself is a length of eight
bytes, a JSON header and the numbers, so that no library is needed to write it from a matrix where it lies.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import UsageError
from fastw2v.system.files import atomic_writer
from fastw2v.vectors.embeddings import Embeddings
from fastw2v.vectors.formats.common import Source, VectorTable, allocate, check_finite, chunks
from fastw2v.version import __version__

NAME = "model.safetensors"
UNKNOWN = "[UNK]"
DTYPES = {"F32": "<f4", "F16": "<f2"}
TENSORS = ("embeddings", "embedding.weight")  # as model2vec and as sentence-transformers write it
CARD = "<!-- written by fastw2v; take this line out, and the card is yours and stays -->"
MAX_HEADER_BYTES = 100_000_000  # the format's own limit


def static_model_paths(path: Path) -> list[Path]:
    """Every file of the folder. Raises UsageError for a name under which nothing loads it."""
    if path.name != NAME:
        raise UsageError(f"{path}: only the name {NAME} is loaded from a folder; use {path.stem}/{NAME}")
    return [path, *(path.with_name(f"{name}.json") for name in ("tokenizer", "config", "modules"))]


def write_static_model(table: VectorTable) -> None:
    """Write the folder's files, the small ones once the matrix has found room."""
    path, *others = static_model_paths(table.path)
    n_words, dim = table.matrix.shape
    unknown = [] if UNKNOWN in table.words else [UNKNOWN]
    row_bytes = table.matrix.dtype.itemsize * dim
    size = (n_words + len(unknown)) * row_bytes
    dtype = "F16" if table.matrix.dtype == np.float16 else "F32"
    tensor = {"dtype": dtype, "shape": [n_words + len(unknown), dim], "data_offsets": [0, size]}
    header = json.dumps({TENSORS[0]: tensor}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # so that the numbers are aligned
    words = [*table.words, *unknown]
    contents = [_tokenizer(words), {"normalize": False, "max_length": None}, _modules()]
    with atomic_writer(path, size=8 + len(header) + size) as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _, chunk in chunks(table.matrix):
            file.write(chunk.astype(DTYPES[dtype], copy=False).tobytes())
        file.write(bytes(row_bytes * len(unknown)))
        file.flush()
        for other, content in zip(others, contents, strict=True):
            with atomic_writer(other) as small:
                small.write(json.dumps(content, ensure_ascii=False).encode())
        _write_card(path.with_name("README.md"), table)


def _write_card(path: Path, table: VectorTable) -> None:
    """Write the model card that the Hugging Face hub shows, unless somebody else's README.md is there."""
    try:
        with path.open("rb") as file:
            is_ours = CARD.encode() in file.read(4096)
    except FileNotFoundError:
        is_ours = True
    except OSError:
        is_ours = False
    if is_ours:
        with atomic_writer(path) as card:
            card.write(_card(table).encode(errors="surrogateescape"))


def _card(table: VectorTable) -> str:
    """What is known of the vectors, how to use them, and what is for whoever publishes them to say."""
    n_words, dim = table.matrix.shape
    return f"""\
---
library_name: model2vec
pipeline_tag: feature-extraction
tags: [static-embeddings, word2vec, fastw2v, model2vec, sentence-transformers]
---
{CARD}
# Word vectors

{n_words:,} words of {dim:,} numbers ({table.matrix.dtype}), written by fastw2v {__version__}.

A text is cut at white space, and its vector is the mean of those of its words. Words are looked up as they
are written: give texts the form that the corpus had (`--lowercase`, `--tokenize simple`, joined phrases).

```python
from model2vec import StaticModel

StaticModel.from_pretrained("FOLDER").encode(["a text", "another"])
```

```python
from sentence_transformers import SentenceTransformer

SentenceTransformer("FOLDER").encode(["a text", "another"])
```

model2vec leaves unknown words out, sentence-transformers counts them as zeros: cosines are the same.

To be said by who publishes this: the corpus and its language, its licence and that of these vectors, the
options of training (`NAME.config.toml` beside the vectors), scores, and what the corpus is biased to.
"""


def _tokenizer(words: list[str]) -> dict[str, Any]:
    """A tokenizer of the tokenizers library: cut at white space, look up."""
    vocabulary = {word: i for i, word in enumerate(words)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN},
    }


def _modules() -> list[dict[str, Any]]:
    kind = "sentence_transformers.models.StaticEmbedding"
    return [{"idx": 0, "name": "0", "path": ".", "type": kind}]


def read_static_model(source: Source) -> Embeddings:
    """Read words and vectors of a folder; raises CorpusError saying what does not fit."""
    stored = _map_tensor(source)
    words, unknown = _read_words(source, len(stored))
    if unknown == len(words) - 1 and not stored[-1].any():
        words = words[:-1]
    n_read = len(words) if source.limit is None else min(len(words), source.limit)
    words = [source.unescaped(word, f"word {i:,}") for i, word in enumerate(words[:n_read], 1)]
    matrix = allocate(n_read, stored.shape[1])
    for start, rows in chunks(matrix):
        rows[...] = stored[start : start + len(rows)]
        check_finite(source, words, start, rows)
    return Embeddings(words, matrix)


def _map_tensor(source: Source) -> NDArray[Any]:
    """The stored matrix, memory-mapped, once its place lies in the file."""
    length = int.from_bytes(source.file.read(8), "little")
    try:
        if length > min(MAX_HEADER_BYTES, source.size - 8):
            raise ValueError(f"a header of {length:,} bytes")
        tensors = json.loads(source.file.read(length))
        tensor = tensors[next(name for name in TENSORS if name in tensors)]
        (n_words, dim), (begin, end) = tensor["shape"], tensor["data_offsets"]
        dtype = np.dtype(DTYPES[tensor["dtype"]])
        n_bytes = n_words * dim * dtype.itemsize
        if not (0 <= begin < end <= source.size - 8 - length and end - begin == n_bytes and dim >= 1):
            raise ValueError(f"shape {n_words} x {dim}, bytes {begin} to {end}")
        return np.memmap(source.path, dtype, "r", 8 + length + begin, (n_words, dim))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:100]
        raise source.error(
            f"is no safetensors file with a float {TENSORS[0]!r} matrix ({reason}); write it again"
        ) from error


def _read_words(source: Source, n_rows: int) -> tuple[list[str], int | None]:
    """The words in the order of the rows, and the place of the one for unknown words."""
    path = source.path.with_name("tokenizer.json")
    try:
        model = json.loads(path.read_bytes())["model"]
        vocabulary = dict(model["vocab"])
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        if [vocabulary[word] for word in words] != list(range(n_rows)):
            raise ValueError(f"{len(words):,} words for {n_rows:,} rows")
        return words, vocabulary.get(model.get("unk_token"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:100]
        raise source.error(
            f"{path.name} beside it gives no word for each row ({reason}); keep the folder together"
        ) from error
