"""Where in the files of a corpus a word is: a second look, taken only for a word that is not UTF-8."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa

from fastw2v.corpus.arrow.columns import LIST_TESTS, Column
from fastw2v.corpus.arrow.layouts import Piece, as_strings
from fastw2v.corpus.files.pieces import read_pieces
from fastw2v.corpus.files.remote import File
from fastw2v.corpus.words.candidates import InvalidWords, NotUtf8Error
from fastw2v.corpus.words.simple import simple
from fastw2v.corpus.words.strings import Strings
from fastw2v.errors import CorpusError


@contextlib.contextmanager
def places_named(files: Sequence[File], column: Column) -> Iterator[None]:
    """Put the file and the line or row into the error for a word that is not UTF-8."""
    try:
        yield
    except NotUtf8Error as error:
        if not (place := place_of(error.word, files, column)):
            raise
        raise CorpusError(
            f"{place}: the word {error.word[:40]!r} is not UTF-8; convert the file to UTF-8"
        ) from None


def left_out(bad: InvalidWords, name: str, files: Sequence[File], column: Column) -> str:
    """The line on words that are not UTF-8 and were too rare to matter; name is that of the corpus."""
    words = f"{bad.n_words:,} words that are" if bad.n_words > 1 else "1 word that is"
    return (
        f"left out {words} not UTF-8, with {bad.n_tokens:,} tokens: the first, {bad.first[:40]!r}, is in "
        f"{place_of(bad.first, files, column) or name}; convert the corpus to UTF-8 to keep them"
    )


def place_of(word: bytes, files: Sequence[File], column: Column) -> str:
    """The file and line (from 1) of text, or row (from 0) of Parquet, of the first occurrence; or nothing.

    A pipe is not there to be looked at again.
    """
    for file in files:
        if file.pipe:
            return ""
        if file.text:
            file = file._replace(text=file.text._replace(lines="sentences"))
        n_before = 0
        for piece in read_pieces([file], column):
            rows = piece.rows.column(column.name)
            if column.tokenize == "simple":
                rows = _array_of(simple(as_strings(rows)))
            row = _first_row(rows, word)
            if row is not None:
                line = f"line {n_before + _n_ends(piece, row, file) + 1:,}"
                return (
                    f"{file.name}: {line}" if file.text else f"{file.name}: row {n_before + row:,} (from 0)"
                )
            n_before += _n_ends(piece, piece.rows.num_rows, file)
    return ""


def _n_ends(piece: Piece, row: int, file: File) -> int:
    """How many rows before a row end: of text those with a line feed, as a long line is several rows."""
    if not file.text:
        return row
    import pyarrow.compute as pc

    return int(pc.sum(pc.ends_with(piece.rows.column(0)[:row].cast(pa.large_binary()), b"\n")).as_py() or 0)


def _array_of(texts: Strings) -> pa.Array:
    buffers = [None, pa.py_buffer(texts.offsets), pa.py_buffer(texts.data)]
    return pa.Array.from_buffers(pa.large_binary(), len(texts.offsets) - 1, buffers)


def _first_row(array: pa.Array, word: bytes) -> int | None:
    """The first row of texts or lists that holds the word."""
    import pyarrow.compute as pc

    rows = None
    if any(test(array.type) for test in LIST_TESTS):
        rows, array = pc.list_parent_indices(array), pc.list_flatten(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type) or pa.types.is_integer(array.type):
        return None
    has_it = pc.match_substring(array.cast(pa.large_binary()), word)
    place = pc.index(has_it, True).as_py()
    return None if place < 0 else place if rows is None else rows[place].as_py()
