"""Plain text to Parquet: one line, one row.

Memory stays bounded whatever the lines: a line longer than a block is cut, between words, as it comes in.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

import click

from corpora import SETTINGS, Script, rows_per_group
from corpora.parquet import write_text_parquet
from fastw2v.errors import CorpusError

BLOCK_BYTES = 1 << 20
MAX_WORD_BYTES = 16 << 20  # a line that goes on so long without a space is not words
MAX_DOCUMENT_BYTES = 1 << 30  # a Parquet string ends at 2 GiB, and a document is held in memory
WORDS_PER_ROW = 1_000  # word2vec.c cuts its sentences there too; a group of such rows is about 50 MB
DOCUMENTS_PER_GROUP = 128
STANDARD_INPUT = Path("-")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SPACES = [
    bytes([code]) for code in b"\t\x0b\x0c\r\x1c\x1d\x1e\x1f "
]  # ASCII's white space, but for the line feed


class Rules(NamedTuple):
    """How text becomes rows.

    words_per_row   a line with more words becomes several rows
    errors          what to do with bytes that are not UTF-8: stop, or put U+FFFD in their place
    """

    words_per_row: int = WORDS_PER_ROW
    lowercase: bool = False
    errors: Literal["strict", "replace"] = "strict"


@dataclass
class Tally:
    """Counts rows and words on their way to the file."""

    rows: int = 0
    words: int = 0

    def over(self, rows: Iterable[str]) -> Iterator[str]:
        """Hand on the rows."""
        for row in rows:
            self.rows += 1
            self.words += len(row.split())
            yield row


def find_files(sources: Sequence[Path], output: Path) -> list[Path]:
    """The files named, and all in the folders named, by path; hidden ones and the output are left out.

    Raises CorpusError for a name that is not there and when no file is found.
    """
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            files += sorted(path for path in source.rglob("*") if _is_text_of(path, source, output))
        elif source == STANDARD_INPUT or source.exists():
            files.append(source)
        else:
            raise CorpusError(f"{source}: there is no such file or folder; check the path")
    if not files:
        raise CorpusError(f"{sources[0]}: holds no files; name a folder with text files")
    return files


def _is_text_of(path: Path, folder: Path, output: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and path.resolve() != output.resolve()


def open_source(path: Path) -> AbstractContextManager[BinaryIO]:
    """The bytes of a file, unpacked when its name ends in .gz, or of standard input for `-`."""
    if path == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def read_blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes without a byte order mark; raises CorpusError when it cannot be read to its end."""
    try:
        with open_source(path) as file:
            block = file.read(BLOCK_BYTES).removeprefix(BYTE_ORDER_MARK)
            while block:
                yield block
                block = file.read(BLOCK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(f"{path}: is not a whole gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def decode(text: bytes, name: str, first_line: int, rules: Rules) -> str:
    """Text whose first line has the given number; raises CorpusError naming the line that is not UTF-8."""
    try:
        decoded = text.decode("utf-8", errors=rules.errors)
    except UnicodeDecodeError as error:
        wrong = text[error.start : error.end].hex(" ")
        line = first_line + text.count(b"\n", 0, error.start)
        raise CorpusError(
            f"{name}: line {line}: bytes {wrong} are not UTF-8; convert the text or give --errors replace"
        ) from error
    return decoded.lower() if rules.lowercase else decoded


def cut_rows(words: list[str], n: int) -> Iterator[str]:
    """Rows of n words; the last one may hold fewer."""
    for start in range(0, len(words), n):
        yield " ".join(words[start : start + n])


class LineCutter:
    """Turns the bytes of a file, block by block, into rows.

    A line is kept as it is, without its line feed, unless it has too many words for a row.
    """

    def __init__(self, name: str, rules: Rules) -> None:
        self.name = name
        self.rules = rules
        self.line = 1
        self.bytes = b""  # of the current line, not looked at yet
        self.words: list[str] = []  # of the current line, taken off already because it is so long
        self.cut = False  # rows of the current line are out already

    def add(self, block: bytes) -> Iterator[str]:
        """Rows that are complete after one more block."""
        *ended, self.bytes = (self.bytes + block).split(b"\n")
        for line in ended:
            yield from self._end_line(line)
        if len(self.bytes) > BLOCK_BYTES:
            yield from self._shorten()

    def finish(self) -> Iterator[str]:
        """The rows of a last line that no line feed ends."""
        if self.bytes or self.words or self.cut:
            yield from self._end_line(self.bytes)

    def _end_line(self, line: bytes) -> Iterator[str]:
        text = self._decode(line.removesuffix(b"\r"))
        words = self.words + text.split()
        if self.cut or self.words or len(words) > self.rules.words_per_row:
            yield from cut_rows(words, self.rules.words_per_row)
        else:
            yield text
        self.line, self.words, self.cut = self.line + 1, [], False

    def _shorten(self) -> Iterator[str]:
        """Take the words off a line that goes on and on."""
        stop = 1 + max(self.bytes.rfind(space) for space in SPACES)
        if stop == 0 and len(self.bytes) > MAX_WORD_BYTES:
            limit = MAX_WORD_BYTES >> 20
            raise CorpusError(f"{self.name}: line {self.line}: a word is over {limit} MB; is this text?")
        words = self.words + self._decode(self.bytes[:stop]).split()
        whole = len(words) - len(words) % self.rules.words_per_row
        yield from cut_rows(words[:whole], self.rules.words_per_row)
        self.words, self.bytes, self.cut = words[whole:], self.bytes[stop:], self.cut or whole > 0

    def _decode(self, text: bytes) -> str:
        return decode(text, self.name, self.line, self.rules)


def line_rows(path: Path, rules: Rules) -> Iterator[str]:
    """Rows of a file, one for each line; raises CorpusError."""
    return cut_blocks(read_blocks(path), str(path), rules)


def cut_blocks(blocks: Iterable[bytes], name: str, rules: Rules) -> Iterator[str]:
    """Rows of the text that comes in blocks; `name` stands in the errors."""
    cutter = LineCutter(name, rules)
    for block in blocks:
        yield from cutter.add(block)
    yield from cutter.finish()


def document_rows(path: Path, rules: Rules) -> Iterator[str]:
    """A whole file as one row, held in memory; raises CorpusError, also when it is over 1 GiB."""
    blocks: list[bytes] = []
    size = 0
    for block in read_blocks(path):
        blocks.append(block)
        size += len(block)
        if size > MAX_DOCUMENT_BYTES:
            raise CorpusError(f"{path}: is over {MAX_DOCUMENT_BYTES >> 30} GiB; leave out --document")
    yield decode(b"".join(blocks), str(path), 1, rules)


def source_rows(files: Sequence[Path], rules: Rules, document: bool) -> Iterator[str]:
    """Rows of all files, one after the other."""
    for path in files:
        yield from document_rows(path, rules) if document else line_rows(path, rules)


@click.command(cls=Script, context_settings=SETTINGS)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet file.")
@click.option("--column", default="text", help="Its name in the Parquet file.")
@click.option("--document", is_flag=True, help="One row for each file instead of each line.")
@click.option("--lowercase", is_flag=True, help="Write small letters only.")
@click.option(
    "--words-per-row",
    type=click.IntRange(1, 1_000_000),
    default=WORDS_PER_ROW,
    help="A line with more words becomes several rows; not with --document.",
)
@click.option(
    "--errors",
    type=click.Choice(["strict", "replace"]),
    default="strict",
    help="At bytes that are not UTF-8: stop, or put U+FFFD there.",
)
def main(sources: tuple[Path, ...], output: Path, column: str, document: bool, **rules: Any) -> None:
    """Convert plain text to Parquet, one line to one row.

    SOURCES are files, folders (with all that is in them), or - for standard input;
    files whose name ends in .gz are unpacked.

    \b
    Examples:
      python -m corpora.convert books/ -o books.parquet --lowercase
      zcat wiki.txt.gz | python -m corpora.convert - -o wiki.parquet
    """
    chosen = Rules(**rules)
    files = find_files(sources, output)
    tally = Tally()
    rows = tally.over(source_rows(files, chosen, document))
    per_group = DOCUMENTS_PER_GROUP if document else rows_per_group(chosen.words_per_row)
    write_text_parquet(output, rows, column, per_group)
    click.echo(f"{output}: {tally.rows:,} rows, {tally.words:,} words from {len(files):,} files")


if __name__ == "__main__":
    main()
