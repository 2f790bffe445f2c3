"""TensorBoard's embedding projector: X.tsv of numbers parted by tabs, a line a word, and X.metadata.tsv with
the words, and their counts when known. Written for it to load; nothing here reads it back.
"""

from __future__ import annotations

from pathlib import Path

from fastw2v.system.files import atomic_writer
from fastw2v.vectors.formats.common import VectorTable, chunks
from fastw2v.vectors.formats.decimals import format_rows


def metadata_path(path: Path) -> Path:
    """Where the words of a projector file are."""
    return path.with_suffix(".metadata.tsv")


def write_projector(table: VectorTable) -> None:
    """Write both files, the words once the numbers have found room."""
    with atomic_writer(table.path) as file:
        for _, chunk in chunks(table.matrix):
            file.writelines(row[1:].replace(b" ", b"\t") + b"\n" for row in format_rows(chunk))
        file.flush()
        with atomic_writer(metadata_path(table.path)) as metadata:
            metadata.writelines(line.encode() for line in _metadata(table))


def _metadata(table: VectorTable) -> list[str]:
    """A line a word; the projector wants a header exactly where there are several columns."""
    if table.counts is None:
        return [f"{word}\n" for word in table.words]
    lines = zip(table.words, table.counts.tolist(), strict=True)
    return ["word\tcount\n", *(f"{word}\t{count}\n" for word, count in lines)]
