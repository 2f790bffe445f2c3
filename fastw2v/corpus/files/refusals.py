"""What cannot be read, named as what it is, with a cure: other formats, devices, tables that have a log."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs

from fastw2v.corpus.files.remote import LOCAL, File
from fastw2v.errors import CorpusError

PARQUET = "write it as Parquet"
AS_TEXT = "if it is text of a sentence a line, give --input text"
PLAIN = "it is not Parquet", AS_TEXT
# What files begin with, what they are, and what to do about it; {stem} is the file's name without its suffix.
STARTS = [
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"ARROW1", "an Arrow IPC (Feather) file", PARQUET + ": pyarrow.feather.read_table, then write_table"),
    (b"FEA1", "a Feather file", PARQUET + ": pyarrow.feather.read_table, then write_table"),
    (b"ORC", "an ORC file", PARQUET + ": pyarrow.orc.read_table, then write_table"),
    (b"Obj\x01", "an Avro file", PARQUET),
    (b"PK\x03\x04", "a zip archive", "unzip it, and give the files in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and give the files in it"),
    (b"%PDF", "a PDF file", "give its text, a sentence a line, in a .txt file"),
    (b"SQLite format 3", "an SQLite database", PARQUET),
    (b"\x89HDF", "an HDF5 file", PARQUET),
    (b"\x93NUMPY", "a NumPy file", "in Python, give read_corpus (ids, offsets)"),
]
# How a file is packed, and Arrow's name for it, but for xz, which Arrow has not.
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
TABULAR = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSON", ".ndjson": "JSON", ".json": "JSON"}
READERS = {"CSV": "pyarrow.csv.read_csv", "JSON": "pyarrow.json.read_json"}
CANNOT = "cannot be read ({}); check the name and permissions"
PARTS_OF_A_CHARACTER = bytes(range(0x80, 0xC0))


def refuse_non_file(path: str) -> None:
    """Raise CorpusError for a local pipe, socket, device or broken link: none is opened, so none can hang.

    A pipe that the user names is no file either, and is read by other means.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise CorpusError(f"{ascii(path)[1:-1]}: the name is not UTF-8; rename the file") from None
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        if Path(path).is_symlink():
            target = Path(path).readlink()
            raise CorpusError(
                f"{path}: is a link to {target}, which is not there; mend or remove it"
            ) from None
        return
    except OSError as error:  # from Python 3.14 on nothing before has asked in a way that raises
        raise CorpusError(f"{path}: {CANNOT.format(error.strerror)}") from error
    for test, what in ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            raise CorpusError(f"{path}: is {what}; write its text to a file, and give that")
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise CorpusError(f"{path}: is a device; give a file")


def refuse_gone(file: File, error: Exception) -> None:
    """Raise CorpusError where an error says that a file is gone, or closed to the user."""
    if isinstance(error, PermissionError):
        raise CorpusError(f"{file.name}: may not be read; check its permissions") from error
    if isinstance(error, FileNotFoundError):
        raise CorpusError(f"{file.name}: was there and is gone; let it be while it is read") from error


def binary_kind(start: bytes) -> tuple[str, str] | None:
    """What a file that begins so is, where it is neither Parquet, nor packed, nor text; and the cure."""
    for magic, what, cure in STARTS:
        if start.startswith(magic):
            return f"it is {what}", cure
    return None


def packing(start: bytes) -> str | None:
    """How a file that begins so is packed."""
    return next((codec for magic, codec in PACKED.items() if start.startswith(magic)), None)


def other_kind(file: File, start: bytes) -> tuple[str, str] | None:
    """What a file that begins so is where it is not Parquet, and the cure; None for Parquet, damaged or not.

    Of text it says so, too.
    """
    if not start:
        return "it is empty", "leave it out, or write it again"
    if start.startswith(b"PAR1"):
        return None
    if found := binary_kind(start) or table_kind(file, start):
        return found
    if codec := packing(start):
        return f"it is packed by {codec}", AS_TEXT
    if b"\0" in start.rstrip(PARTS_OF_A_CHARACTER):
        return "it is not Parquet, nor text", "give Parquet, or text, which --encoding says the encoding of"
    return PLAIN


def table_kind(file: File, start: bytes) -> tuple[str, str] | None:
    """Of a table in a file of text, JSON or CSV, or of tagged text, what it is and the cure."""
    bare = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = TABULAR.get(PurePosixPath(file.bare_name).suffix)
    if kind or re.match(rb'\{\s*"|\[\s*[\[{"]', bare):
        reader = READERS[kind or "JSON"]
        return (
            f"it is {kind or 'JSON'}",
            f"write it as Parquet ({reader}, pyarrow.parquet.write_table), or {AS_TEXT}",
        )
    if re.match(rb"<(!doctype|html|\?xml)", bare, re.IGNORECASE):
        return "it is HTML or XML", f"give its text without tags, or {AS_TEXT}"
    return sequences_kind(start)


def sequences_kind(start: bytes) -> tuple[str, str] | None:
    """Of sequences with names, what they are and the cure; None for what does not begin so."""
    bare = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.match(rb">\S[^\n]*\n(;[^\n]*\n)*[A-Za-z*.-]{4,}\r?\n", bare):
        return "it is FASTA", f"give --kmers 6, or as many letters as a word has; or {AS_TEXT}"
    if re.match(rb"@\S[^\n]*\n[A-Za-z.]{4,}\r?\n\+", bare):
        return "it is FASTQ", f"write it as FASTA: seqtk seq -A FILE; or {AS_TEXT}"
    return None


def is_encrypted(error: BaseException) -> bool:
    """Whether Arrow refused a Parquet file as it has no key for it."""
    return "encrypt" in str(error).lower() or "decrypt" in str(error).lower()


def encrypted(file: File) -> CorpusError:
    """What is said of such a file."""
    return CorpusError(
        f"{file.name}: cannot be read as Parquet (it is encrypted); write it without encryption"
    )


# ---- Tables ------------------------------------------------------------------------------------------------


LOGS = {
    "_delta_log": ("a Delta table", "name the table itself, to have it read by its log"),
    ".hoodie": ("a Hudi table", "write its current rows to Parquet files with Spark"),
}
ICEBERG = (
    "an Iceberg table",
    "in Python, give fastw2v.train(table.scan().to_arrow()), table being pyiceberg's",
)


def refuse_tables(files: Sequence[File]) -> None:
    """Raise CorpusError for files found in a table whose log, not its folder, says which rows are current."""
    seen: set[str] = set()
    for file in files:
        if file.name.startswith(("http://", "https://")):
            continue  # no folders, and a request for each
        for folder in _folders_of(file):
            if folder in seen:
                break
            seen.add(folder)
            if found := _table_in(file.system, folder):
                what, cure = found
                raise CorpusError(
                    f"{folder}: is {what}: its log says which files and rows count, not its folder; {cure}"
                )


def _folders_of(file: File) -> Iterator[str]:
    """The folders that a file is in, the innermost first."""
    if file.system == LOCAL:
        yield from map(str, Path(file.path).absolute().parents)
    else:
        yield from (str(folder) for folder in PurePosixPath(file.path).parents if str(folder) not in "./")


def _table_in(system: pafs.FileSystem, folder: str) -> tuple[str, str] | None:
    try:
        places = [f"{folder.rstrip('/')}/{name}" for name in (*LOGS, "metadata")]
        *logs, metadata = (info.type == pafs.FileType.Directory for info in system.get_file_info(places))
        for is_there, found in zip(logs, LOGS.values(), strict=True):
            if is_there:
                return found
        if metadata:
            inner = system.get_file_info(pafs.FileSelector(places[-1]))
            if any(info.path.endswith(".metadata.json") for info in inner):
                return ICEBERG
    except (OSError, pa.ArrowException):  # a folder above that may not be looked into
        pass
    return None
