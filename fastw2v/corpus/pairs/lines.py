"""Pairs in files of text: a centre, an outside word and perhaps a weight a line.

As word2vecf takes them: parted by white space, or by tabs. Nothing is quoted and no line is a comment there,
since a word may well be a quote or a #. What a .csv holds is parted by commas, with quotes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from fastw2v.corpus.arrow.layouts import arrow_errors
from fastw2v.corpus.files.remote import File, Text
from fastw2v.corpus.files.text import read_text
from fastw2v.corpus.graphs.columns import EdgeColumns, Terms, edge_columns
from fastw2v.corpus.graphs.lines import ENDS_OF_LINES, SPACES, is_number
from fastw2v.errors import CorpusError, UsageError
from fastw2v.options.checks import shown

PAIRS = Terms(
    "pair",
    "pairs",
    "words",
    ("center", "centre", "word", "centers", "center_word", "centre_word", "focus", "item"),
    ("outside", "context", "contexts", "outside_word", "context_word", "target", "feature"),
    ("weight", "weights", "count", "counts", "n", "freq", "frequency", "w"),
)
EMPTY_LINES = re.compile(rb"^[ \t\r]*\n", re.MULTILINE)
CURE = "each line has a centre and an outside word, or all have a weight as well"


class PairForm(NamedTuple):
    """How the lines of a file are parted into columns.

    delimiter   one character; a space stands for white space of any length
    columns     in their order, those of the pairs by the names that `EdgeColumns` has
    """

    delimiter: str
    columns: EdgeColumns
    names: list[str]


def pair_lines(file: File) -> Iterator[tuple[pa.RecordBatch, EdgeColumns]]:
    """The pairs in a file of text, batch by batch, with their columns.

    Raises UsageError where columns cannot be told, CorpusError for lines that do not have them.
    """
    form: PairForm | None = None
    for piece in read_text(file, Text()):
        data = EMPTY_LINES.sub(b"", bytes(piece.rows.column(0).buffers()[2]))
        if not data.strip():
            continue
        if form is None:
            form, has_head = pair_form(file, data)
            data = data.partition(b"\n")[2] if has_head else data
        if form.delimiter == " ":
            data = SPACES.sub(b" ", ENDS_OF_LINES.sub(b"", data))
        with arrow_errors(f"{file.name}: the pairs cannot be read", CURE):
            for batch in parsed(data, form) if data.strip() else ():
                require_words(file, batch, form)
                yield batch, form.columns


def pair_form(file: File, data: bytes) -> tuple[PairForm, bool]:
    """How lines are parted, by the first one and the suffix, and whether that is a head.

    A head has a usual name for both words.
    """
    line = data[: 1 << 16].decode(errors="replace").splitlines()[0].strip("\r\n")
    delimiter = delimiter_of(file.bare_name, line)
    first = [cell.strip() for cell in split(line, delimiter)]
    lower = {cell.lower() for cell in first}
    has_head = bool(lower & set(PAIRS.first)) and bool(lower & set(PAIRS.second))
    if has_head:
        schema = pa.schema([(name, pa.float64() if is_weight(name) else pa.string()) for name in first])
        return PairForm(delimiter, edge_columns(file.name, schema, PAIRS), first), True
    if len(first) not in (2, 3) or (len(first) == 3 and not is_number(first[2])):
        raise UsageError(
            f"{file.name}: the first line has {len(first)} columns ({shown(line)}): pairs have a centre, an "
            f"outside word and perhaps a weight, a number; of a table with a head, {PAIRS.named}"
        )
    names = ["center", "outside", "weight"][: len(first)]
    columns = EdgeColumns("center", "outside", "weight" if names[2:] else None)
    return PairForm(delimiter, columns, names), False


def is_weight(name: str) -> bool:
    """Whether a column is called as weights are."""
    return name.lower() in PAIRS.weight


def delimiter_of(name: str, line: str) -> str:
    """What parts the columns of a line: commas in a .csv, else tabs, or white space where there is none."""
    if re.search(r"\.csv(\.\w+)?$", name):
        return next((one for one in (",", ";", "\t") if one in line), ",")
    return "\t" if "\t" in line.strip() else " "


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line."""
    if delimiter in (" ", "\t"):
        return line.split() if delimiter == " " else line.split("\t")
    return next(csv.reader([line], delimiter=delimiter))


def parsed(data: bytes, form: PairForm) -> list[pa.RecordBatch]:
    """The columns of whole lines: texts, and the weight a number."""
    from pyarrow import csv as arrow_csv

    columns = form.columns
    kinds = {name: pa.large_string() for name in columns.names}
    if columns.weight is not None:
        kinds[columns.weight] = pa.float64()
    has_quotes = form.delimiter not in (" ", "\t")
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(column_names=form.names, use_threads=False),
        parse_options=arrow_csv.ParseOptions(
            delimiter=form.delimiter,
            quote_char='"' if has_quotes else False,
            double_quote=has_quotes,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=kinds, include_columns=columns.names, strings_can_be_null=False
        ),
    )
    return list(table.to_batches())


def require_words(file: File, batch: pa.RecordBatch, form: PairForm) -> None:
    """Raise CorpusError for an empty word, which nobody means."""
    from pyarrow import compute

    for name in form.columns.names[:2]:
        found = compute.index(batch.column(name), pa.scalar("", pa.large_string())).as_py()
        if found >= 0:
            other = next(one for one in form.columns.names[:2] if one != name)
            beside = shown(batch.column(other)[found].as_py())
            raise CorpusError(
                f"{file.name}: a pair with {other} {beside} has no {name}: {CURE}; correct it or leave it out"
            )
