"""Edge lists in files of text: CSV with or without a head, and columns parted by tabs or spaces."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from fastw2v.corpus.arrow.layouts import arrow_errors
from fastw2v.corpus.files.remote import File, Text
from fastw2v.corpus.files.text import read_text
from fastw2v.corpus.graphs.columns import EDGES, EdgeColumns, edge_columns
from fastw2v.errors import UsageError
from fastw2v.options.checks import shown

COMMENT = re.compile(rb"^[ \t]*[#%][^\n]*\n?", re.MULTILINE)  # as SNAP, networkx and KONECT have it
SPACES = re.compile(rb"(?<=\S)[ \t]+(?=\S)")
ENDS_OF_LINES = re.compile(rb"^[ \t]+|[ \t\r]+$", re.MULTILINE)
MOST_COLUMNS = 1000
# What a head may hold. Nodes may well be called u, v and w; a table's columns are named for certain.
HEADS = {name for name in (*EDGES.first, *EDGES.second, *EDGES.weight) if len(name) > 1}


class LineForm(NamedTuple):
    """How the lines of a file are parted into columns.

    delimiter   one character; a space stands for white space of any length
    names       of all columns
    columns     those of the edges
    """

    delimiter: str
    names: list[str]
    columns: EdgeColumns


def edge_lines(file: File) -> Iterator[tuple[pa.RecordBatch, EdgeColumns]]:
    """The edges in a file of text, batch by batch, with their columns.

    Lines that begin with # or % are left out. Raises UsageError where columns cannot be told, CorpusError for
    lines that do not have them.
    """
    form: LineForm | None = None
    place = f"{file.name}: the edge list"
    for piece in read_text(file, Text()):
        data = bytes(piece.rows.column(0).buffers()[2])
        data = COMMENT.sub(b"", data) if b"#" in data or b"%" in data else data
        if not data.strip():
            continue
        if form is None:
            form, has_head = line_form(file, data)
            data = data.lstrip().partition(b"\n")[2] if has_head else data
        if form.delimiter == " ":
            data = SPACES.sub(b" ", ENDS_OF_LINES.sub(b"", data))
        with arrow_errors(f"{place} cannot be read", "each line has two columns, or three with a weight"):
            for batch in parsed(data, form) if data.strip() else ():
                yield batch, form.columns


def line_form(file: File, data: bytes) -> tuple[LineForm, bool]:
    """How lines are parted, by the first ones and the suffix, and whether the first is a head.

    A head has a usual name in it, or no number above a line of nothing but numbers.
    """
    lines = [line for line in data[: 1 << 16].decode(errors="replace").splitlines() if line.strip()][:2]
    delimiter = delimiter_of(file.bare_name, lines[0].strip())
    first, second = ([cell.strip() for cell in split(line, delimiter)] for line in (lines * 2)[:2])
    has_head = any(cell.lower() in HEADS for cell in first) or (
        not any(map(is_number, first)) and all(map(is_number, second))
    )
    if not 2 <= len(first) <= MOST_COLUMNS or (len(first) > 3 and not has_head):
        raise UsageError(
            f"{file.name}: the first line has {len(first)} columns ({shown(lines[0])}): an edge list has "
            f"two, or three with a weight; of a table with a head, {EDGES.named}"
        )
    names = first if has_head else ["source", "target", "weight"][: len(first)]
    by_place = not {name.lower() for name in names} & {*EDGES.first, *EDGES.second, *EDGES.weight}
    kinds = [pa.float64() if name.lower() in EDGES.weight else pa.string() for name in names]
    if by_place and len(names) == 3 and is_number(second[-1]):
        kinds[-1] = pa.float64()
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    return LineForm(delimiter, names, edge_columns(file.name, schema)), has_head


def delimiter_of(name: str, line: str) -> str:
    """What parts the columns of a line: the suffix decides, or else what is there."""
    if re.search(r"\.csv(\.\w+)?$", name):
        return next((one for one in (",", ";", "\t") if one in line), ",")
    return next((one for one in ("\t", ",", ";") if one in line), " ")


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line."""
    return line.split() if delimiter == " " else next(csv.reader([line], delimiter=delimiter))


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def parsed(data: bytes, form: LineForm) -> list[pa.RecordBatch]:
    """The columns of whole lines: texts, and the weight a number."""
    from pyarrow import compute
    from pyarrow import csv as arrow_csv

    kinds = {name: pa.large_string() for name in form.columns.names}
    if form.columns.weight is not None:
        kinds[form.columns.weight] = pa.float64()
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(column_names=form.names, use_threads=False),
        parse_options=arrow_csv.ParseOptions(delimiter=form.delimiter),
        convert_options=arrow_csv.ConvertOptions(
            column_types=kinds, include_columns=form.columns.names, strings_can_be_null=False
        ),
    )
    for place, name in enumerate(form.columns.names[:2]):
        table = table.set_column(place, name, compute.utf8_trim_whitespace(table.column(name)))
    return list(table.to_batches())
