"""text8: the first 100,000,000 characters of cleaned English Wikipedia, as Parquet.

Matt Mahoney's file is one line of small letters and spaces; here it becomes rows of a thousand words.
"""

from __future__ import annotations

import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from corpora import SETTINGS, CountMismatch, Script
from corpora.convert import BLOCK_BYTES, Rules, cut_blocks, read_blocks
from corpora.parquet import write_text_parquet
from fastw2v.errors import CorpusError
from fastw2v.system.files import require_writable

URL = "http://mattmahoney.net/dc/text8.zip"
TIMEOUT_SECONDS = 60


class Counts(NamedTuple):
    """What a text holds; `distinct` of its words are different ones."""

    bytes: int
    words: int
    distinct: int


EXPECTED = Counts(100_000_000, 17_005_207, 253_854)


def download(url: str, target: Path) -> None:
    """Copy what an address holds to a file; raises CorpusError."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, target.open("wb") as file:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
    except (OSError, ValueError) as error:  # URLError is an OSError; a malformed address is a ValueError
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise CorpusError(
            f"{url}: cannot be fetched ({reason}); fetch it by hand and give --from FILE"
        ) from error


def text_blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a text file, plain or .gz, or of the only file in a zip; raises CorpusError."""
    if not zipfile.is_zipfile(path):
        yield from read_blocks(path)
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive, path)) as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CorpusError(f"{path}: is not a whole zip file ({error}); fetch it again") from error


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise CorpusError(f"{path}: holds {len(members)} files, not 1; unpack it and give --from FILE")
    return members[0]


class Counted:
    """Counts a text on its way to the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self.words: Counter[str] = Counter()
        self.rows = 0

    def text(self) -> Iterator[str]:
        """The rows."""
        for row in cut_blocks(self._blocks(), str(self.path), Rules()):
            self.words.update(row.split())
            self.rows += 1
            yield row

    def _blocks(self) -> Iterator[bytes]:
        for block in text_blocks(self.path):
            self.bytes += len(block)
            yield block

    @property
    def counts(self) -> Counts:
        """So far."""
        return Counts(self.bytes, self.words.total(), len(self.words))


def checked_rows(counted: Counted, expected: Counts | None) -> Iterator[str]:
    """The rows, then CountMismatch if they were not what was expected: so nothing is written."""
    yield from counted.text()
    if expected is None:
        return
    for name, count, wanted in zip(Counts._fields, counted.counts, expected, strict=True):
        if count != wanted:
            raise CountMismatch(
                f"{counted.path}: {count:,} {name}, not {wanted:,}; fetch it again or give --no-check"
            )


def convert(source: Path, output: Path, expected: Counts | None) -> Counted:
    """Write a text as Parquet, unless its counts are not the expected ones; None accepts any.

    Raises CorpusError, CountMismatch and OutputError.
    """
    counted = Counted(source)
    write_text_parquet(output, checked_rows(counted, expected))
    return counted


@click.command(cls=Script, context_settings=SETTINGS)
@click.option("--from", "source", type=click.Path(path_type=Path), help="A local text8.zip or text8 instead.")
@click.option("--url", default=URL, help="Where to fetch it.")
@click.option("--check/--no-check", default=True, help="Compare size and counts with the known ones.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("text8.parquet"), help="To write."
)
def main(source: Path | None, url: str, check: bool, output: Path) -> None:
    """Fetch text8, check it, and write it as Parquet.

    \b
    Examples:
      python -m corpora.text8
      python -m corpora.text8 --from downloads/text8.zip -o data/text8.parquet
    """
    require_writable(output)
    with tempfile.TemporaryDirectory(prefix="text8-") as folder:
        if source is None:
            source = Path(folder) / "text8.zip"
            click.echo(f"fetching {url}")
            download(url, source)
        counted = convert(source, output, EXPECTED if check else None)
    size, words, distinct = counted.counts
    click.echo(
        f"{output}: {size:,} bytes, {words:,} words, {distinct:,} distinct, {counted.rows:,} rows, "
        + ("as expected" if check else f"not checked (text8: {', '.join(f'{n:,}' for n in EXPECTED)})")
    )


if __name__ == "__main__":
    main()
